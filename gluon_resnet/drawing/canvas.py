"""A canvas of boxes, lines and texts that becomes one SVG picture in each language, with the same boxes in both.

    canvas = Canvas(360)
    canvas.box(10, 10, 100, 24)
    canvas.write(60, 22, Words("stem", "起始层"), anchor="middle")
    canvas.svg(44, "en", "A box", "A box that says stem")

Text widths are upper bounds, as the reader's font is not known: what fits by :func:`text_width` fits in the usual ones.
"""

import hashlib
import re
import xml.etree.ElementTree as ET
from typing import Any, Callable, List, Optional, Sequence, Tuple, Union

from .words import LANGUAGES, Words, both

INK, MUTED, PAPER, FRAME = "#1b2733", "#465463", "#ffffff", "#b9c4d0"
FONTS = (
    '"Helvetica Neue", Helvetica, Arial, "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", '
    '"WenQuanYi Micro Hei", sans-serif'
)

#: Widths in em, none smaller than DejaVu Sans's, the widest of the usual sans-serif fonts; 1.0 for all others.
WIDTHS = [
    (0.42, " !'(),-./:;IJ[]fijlrt|"),
    (0.65, "0123456789abcdeghknopqsuvxyzFLPSTY?_"),
    (0.85, "ABCDEGHKNOQRUVXZw+=<>×→"),
]
_WIDTH = {character: width for width, characters in WIDTHS for character in characters}
BOLD = 1.12  # how much wider bold text is

Text = Union[str, Words]  # a plain string is the same in both languages
Point = Tuple[float, float]


def text_width(text: str, size: float, bold: bool = False) -> float:
    """An upper bound of the width of ``text`` in pixels at a font size of ``size`` pixels."""
    return sum(_WIDTH.get(character, 1.0) for character in text) * size * (BOLD if bold else 1)


def _pieces(chinese: str) -> List[str]:
    """A Chinese text in the pieces between which a line may end: characters, but Latin words and shapes as a whole."""
    return re.findall(r"[!-~×](?:[!-~×]|(?<=,) )*[，。：；]*|\s|[^!-~×\s][，。：；]*", chinese)


def _lines(pieces: List[str], glue: str, fits: Callable[[str], bool]) -> List[str]:
    lines: List[str] = []
    for piece in pieces:
        longer = f"{lines[-1]}{glue}{piece}" if lines else piece
        if lines and fits(longer.rstrip()):
            lines[-1] = longer
        elif piece.strip():
            lines.append(piece)
    return [line.rstrip() for line in lines]


def wrap(words: Text, size: float, width: float, bold: bool = False) -> Tuple[List[str], List[str]]:
    """(lines in English, lines in Chinese) of a text, none wider than ``width`` pixels at a font size of ``size``."""

    def fits(line: str) -> bool:
        return text_width(line, size, bold) <= width

    words = both(words)
    return _lines(words.en.split(), " ", fits), _lines(_pieces(words.zh), "", fits)


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


class Canvas:
    """Shapes and texts at places in pixels, y growing downwards; ``svg`` makes the picture of them."""

    def __init__(self, width: float) -> None:
        self.width = width
        self._shapes: List[Tuple[str, dict, Optional[Words]]] = []  # (tag, attributes, text)

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        fill: str = PAPER,
        edge: str = FRAME,
        radius: float = 4,
    ) -> None:
        """A rectangle with round corners."""
        self._add("rect", x=x, y=y, width=width, height=height, rx=radius, fill=fill, stroke=edge)

    def line(self, *points: Point, arrow: bool = False, colour: str = INK) -> None:
        """A line of horizontal and vertical pieces through points (x, y); ``arrow``: with a head."""
        if arrow:
            (x0, y0), (x, y) = points[-2:]
            right, down = (x > x0) - (x < x0), (y > y0) - (y < y0)
            back = (x - 7 * right, y - 7 * down)
            corners = [(x, y), (back[0] + 4 * down, back[1] + 4 * right), (back[0] - 4 * down, back[1] - 4 * right)]
            self._add("polygon", points=self._points(corners), fill=colour)
            points = (*points[:-1], back)
        self._add("polyline", points=self._points(points), fill="none", stroke=colour, stroke_width=1.5)

    def plus(self, x: float, y: float, radius: float = 9) -> None:
        """The sum: a circle with a plus sign."""
        self._add("circle", cx=x, cy=y, r=radius, fill=PAPER, stroke=INK, stroke_width=1.5)
        arm = radius - 4
        self.line((x - arm, y), (x + arm, y))
        self.line((x, y - arm), (x, y + arm))

    def dot(self, x: float, y: float) -> None:
        """The place where a line branches."""
        self._add("circle", cx=x, cy=y, r=3, fill=INK)

    def write(
        self,
        x: float,
        y: float,
        words: Text,
        size: float = 13,
        anchor: str = "start",
        bold: bool = False,
        colour: str = INK,
    ) -> None:
        """One line of text whose middle is at height ``y``; ``anchor`` is "start", "middle" or "end", as in SVG."""
        # the baseline: capitals and digits are about 0.72 em high; viewers draw "dominant-baseline" differently
        self._shapes.append(
            (
                "text",
                dict(
                    x=x,
                    y=y + 0.36 * size,
                    font_size=size,
                    text_anchor=anchor,
                    fill=colour,
                    font_weight="bold" if bold else None,
                ),
                both(words),
            )
        )

    def paragraphs(
        self,
        x: float,
        y: float,
        texts: Sequence[Text],
        width: float,
        size: float = 12,
        spacing: float = 17,
        gap: float = 5,
        bold: bool = False,
        colour: str = INK,
    ) -> float:
        """Texts one below the other in lines of at most ``width`` pixels, from the height ``y`` on.

        Each language has lines of its own; the height below the longer one is returned.
        """
        reached = []
        for number in range(len(LANGUAGES)):
            below = y
            for words in texts:
                for line in wrap(words, size, width, bold)[number]:
                    own = Words(*(line if other == number else "" for other in range(len(LANGUAGES))))
                    self.write(x, below + spacing / 2, own, size, bold=bold, colour=colour)
                    below += spacing
                below += gap
            reached.append(below - gap)
        return max(reached)

    def svg(self, height: float, lang: str, title: Text, desc: Text) -> str:
        """The picture as text in the language ``lang``; ``title`` names it, ``desc`` describes it."""
        number = LANGUAGES.index(lang)
        # a page may have several drawings, whose names must differ
        key = hashlib.sha256(repr((lang, title, desc, self._shapes)).encode()).hexdigest()[:10]
        names = {part: f"drawing-{key}-{part}" for part in ("title", "desc")}
        root = ET.Element(
            "svg",
            {
                "xmlns": "http://www.w3.org/2000/svg",
                "width": _number(self.width),
                "height": _number(height),
                "viewBox": f"0 0 {_number(self.width)} {_number(height)}",
                "role": "img",
                "aria-labelledby": " ".join(names.values()),
                "xml:lang": {"zh": "zh-Hans"}.get(lang, lang),
                "font-family": FONTS,
            },
        )
        for part, says in (("title", title), ("desc", desc)):
            ET.SubElement(root, part, {"id": names[part]}).text = both(says)[number]
        ET.SubElement(
            root,
            "rect",
            {
                "x": "0.5",
                "y": "0.5",
                "width": _number(self.width - 1),
                "height": _number(height - 1),
                "rx": "8",
                "fill": PAPER,
                "stroke": FRAME,
            },
        )
        for tag, attributes, words in self._shapes:
            text = words[number] if words else None
            if tag == "text" and not text:
                continue
            written = {
                name.replace("_", "-"): value if isinstance(value, str) else _number(value)
                for name, value in attributes.items()
                if value is not None
            }
            ET.SubElement(root, tag, written).text = text
        return ET.tostring(root, encoding="unicode") + "\n"

    def _add(self, tag: str, **attributes: Any) -> None:
        self._shapes.append((tag, attributes, None))

    @staticmethod
    def _points(points: Sequence[Point]) -> str:
        return " ".join(f"{_number(x)},{_number(y)}" for x, y in points)
