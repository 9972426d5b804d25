"""A canvas of boxes, lines and texts that becomes one SVG picture in each language, with the same boxes in both.

Text widths are estimated from above, as no font is known here: what fits by :func:`text_width` fits in the usual ones.
"""

import hashlib
import re
import xml.etree.ElementTree as ET

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


def text_width(text, size, bold=False):
    """Width of ``text`` in pixels at a font size of ``size`` pixels: at least what it takes."""
    return sum(_WIDTH.get(character, 1.0) for character in text) * size * (BOLD if bold else 1)


def _pieces(chinese):
    """A Chinese text in the pieces between which a line may end: characters, but Latin words and shapes as a whole."""
    return re.findall(r"[!-~×](?:[!-~×]|(?<=,) )*[，。：；]*|\s|[^!-~×\s][，。：；]*", chinese)


def _lines(pieces, glue, fits):
    lines = []
    for piece in pieces:
        longer = f"{lines[-1]}{glue}{piece}" if lines else piece
        if lines and fits(longer.rstrip()):
            lines[-1] = longer
        elif piece.strip():
            lines.append(piece)
    return [line.rstrip() for line in lines]


def wrap(words, size, width, bold=False):
    """(lines in English, lines in Chinese) of a text, none wider than ``width`` pixels at a font size of ``size``."""

    def fits(line):
        return text_width(line, size, bold) <= width

    words = both(words)
    return _lines(words.en.split(), " ", fits), _lines(_pieces(words.zh), "", fits)


def _number(value):
    return f"{value:.2f}".rstrip("0").rstrip(".")


class Canvas:
    """Shapes and texts at places in pixels, y growing downwards; ``svg`` makes the picture of them."""

    def __init__(self, width):
        self.width, self._shapes = width, []

    def box(self, x, y, width, height, fill=PAPER, edge=FRAME, radius=4):
        """A rectangle with round corners."""
        self._add("rect", x=x, y=y, width=width, height=height, rx=radius, fill=fill, stroke=edge)

    def line(self, *points, arrow=False, colour=INK):
        """A line through points (x, y), each straight above, below or beside the last; ``arrow``: with a head."""
        if arrow:
            (x0, y0), (x, y) = points[-2:]
            right, down = (x > x0) - (x < x0), (y > y0) - (y < y0)
            back = (x - 7 * right, y - 7 * down)
            corners = [(x, y), (back[0] + 4 * down, back[1] + 4 * right), (back[0] - 4 * down, back[1] - 4 * right)]
            self._add("polygon", points=self._points(corners), fill=colour)
            points = (*points[:-1], back)
        self._add("polyline", points=self._points(points), fill="none", stroke=colour, stroke_width=1.5)

    def plus(self, x, y, radius=9):
        """The sum: a circle with a plus sign."""
        self._add("circle", cx=x, cy=y, r=radius, fill=PAPER, stroke=INK, stroke_width=1.5)
        arm = radius - 4
        self.line((x - arm, y), (x + arm, y))
        self.line((x, y - arm), (x, y + arm))

    def dot(self, x, y):
        """The place where a line branches."""
        self._add("circle", cx=x, cy=y, r=3, fill=INK)

    def write(self, x, y, words, size=13, anchor="start", bold=False, colour=INK):
        """One line of text whose middle is at height ``y``; ``anchor`` is "start", "middle" or "end", as in SVG."""
        # the baseline: capitals and digits are about 0.72 em high; "dominant-baseline" is not drawn alike everywhere
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

    def paragraphs(self, x, y, texts, width, size=12, spacing=17, gap=5, bold=False, colour=INK):
        """Texts one below the other in lines of at most ``width`` pixels, from the height ``y`` on.

        Each language has lines of its own; the height below the longer one is returned.
        """
        reached = []
        for number in range(len(LANGUAGES)):
            below = y
            for words in texts:
                for line in wrap(words, size, width, bold)[number]:
                    own = Words(*(line if each == number else "" for each in range(len(LANGUAGES))))
                    self.write(x, below + spacing / 2, own, size, bold=bold, colour=colour)
                    below += spacing
                below += gap
            reached.append(below - gap)
        return max(reached)

    def svg(self, height, lang, title, desc):
        """The picture as text: ``title`` names it, ``desc`` tells in words what it shows, in language ``lang``."""
        number = LANGUAGES.index(lang)
        # several drawings may stand in one page, whose names must differ
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
        for part, text in (("title", title), ("desc", desc)):
            ET.SubElement(root, part, {"id": names[part]}).text = both(text)[number]
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

    def _add(self, tag, **attributes):
        self._shapes.append((tag, attributes, None))

    @staticmethod
    def _points(points):
        return " ".join(f"{_number(x)},{_number(y)}" for x, y in points)
