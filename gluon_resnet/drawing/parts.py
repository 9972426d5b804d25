"""How the layers of a layout look and what they are called: shared by the stage diagrams and the block diagrams.

draw_row(canvas, 20, 40, 196, 24, "conv", conv_text(conv), conv_badges(conv))      # a box: 3×3, 64   stride 2
"""

from typing import List, Optional, Sequence, Tuple

from ..networks.layout import Block, Conv, Norm
from .canvas import MUTED, Canvas, Text, text_width
from .words import Words, join, say

Badge = Tuple[str, Words]  # (a row of BADGES, what it says)

#: what a box holds -> (fill, edge)
STYLES = {
    "conv": ("#dce9f9", "#3f6fa8"),
    "norm": ("#e2f1e0", "#5b8f57"),
    "relu": ("#fdeeda", "#b67a2d"),
    "pool": ("#ece4f6", "#7c63a6"),
    "dense": ("#fbf3cf", "#a08a2c"),
    "plain": ("#eef1f4", "#8b97a5"),
}
#: what a badge says -> (fill, colour of its text)
BADGES = {
    "stride": ("#ffd39b", "#542c00"),
    "bias": ("#f6d3df", "#6d1233"),
    "bn": ("#cfe8cc", "#1d4d1d"),
    "relu": ("#fbdcb2", "#5c3600"),
    "padding": ("#ddd0ee", "#3c2266"),
    "groups": ("#cfe3f7", "#143a63"),
}
SMALL = 12  # font size of badges and remarks, the smallest of all
LIST = Words(", ", "，")


def shape_text(shape: Sequence[int]) -> str:
    """A shape as the chapters print it: ``(1, 64, 56, 56)``."""
    return f"({', '.join(map(str, shape))})"


def conv_text(conv: Conv) -> str:
    """A convolution as Table 1 of the paper writes it: ``3×3, 64``."""
    return f"{conv.kernel}×{conv.kernel}, {conv.out_channels}"


def stride_badge(stride: int) -> List[Badge]:
    """[the badge of a stride], or [] for a stride of 1."""
    return [("stride", say("stride", stride=stride))] if stride > 1 else []


def conv_badges(conv: Conv, norm: Optional[Norm] = None) -> List[Badge]:
    """The badges of a convolution: its stride, its bias, and ``norm`` if one is given."""
    badges = stride_badge(conv.stride) + ([("bias", say("bias"))] if conv.bias else [])
    badges += [("groups", say("groups", count=conv.groups))] if conv.groups > 1 else []
    return badges + ([("bn", say("bn"))] if norm is not None else [])


def in_words(text: Text, badges: Sequence[Badge]) -> Words:
    """A text and its badges in words, for descriptions: ``3×3, 64, stride 2, bias``."""
    return join([text, *(words for _, words in badges)], LIST)


def shortcut_kind(block: Block) -> str:
    """ "projection", "zeros" (option A with new channels), "subsampling" (without), "identity" or "no_shortcut"."""
    if block.shortcut is not None:
        return "projection"
    if block.pad is not None:
        return "zeros" if block.pad.before or block.pad.after else "subsampling"
    return "identity" if block.adds else "no_shortcut"


def shortcut_parts(block: Block) -> Tuple[List[Text], List[Badge]]:
    """What a shortcut's box says: (its lines, its badges)."""
    name = say(shortcut_kind(block))
    if block.shortcut is not None:
        conv, norm = block.shortcut
        means = [say("means")] if block.pooled else []
        return [name, *means, conv_text(conv)], conv_badges(conv, norm)
    if block.pad is None:
        return [name], []
    count = block.pad.before + block.pad.after
    return [name, *([say("more_channels", count=count)] if count else [])], stride_badge(block.pad.stride)


def shortcut_words(block: Block) -> Words:
    """The shortcut in words, for descriptions."""
    lines, badges = shortcut_parts(block)
    return in_words(join(lines, LIST), badges)


def badge_width(words: Words) -> float:
    """Width of a badge, the same in both languages."""
    return max(text_width(text, SMALL) for text in words) + 8


def badge_rows(badges: Sequence[Badge], width: float) -> List[List[Badge]]:
    """The badges in rows of at most ``width`` pixels."""
    rows: List[List[Badge]] = []
    end = 0.0
    for badge in badges:
        if rows and end + 4 + badge_width(badge[1]) <= width:
            rows[-1].append(badge)
            end += 4 + badge_width(badge[1])
        else:
            rows.append([badge])
            end = badge_width(badge[1])
    return rows


def draw_badges(canvas: Canvas, x: float, y: float, badges: Sequence[Badge], anchor: str = "start") -> None:
    """Badges side by side around height ``y``: from ``x`` to the right, to the left ("end") or around it ("middle")."""
    widths = [badge_width(words) for _, words in badges]
    x -= {"start": 0, "middle": 0.5, "end": 1}[anchor] * (sum(widths) + 4 * (len(widths) - 1))
    for (kind, words), width in zip(badges, widths):
        fill, colour = BADGES[kind]
        canvas.box(x, y - 9, width, 18, fill, fill, radius=9)
        canvas.write(x + width / 2, y, words, SMALL, "middle", colour=colour)
        x += width + 4


def draw_row(
    canvas: Canvas,
    x: float,
    y: float,
    width: float,
    height: float,
    style: str,
    words: Text,
    badges: Sequence[Badge] = (),
) -> None:
    """A layer's box: text on the left, badges on the right."""
    canvas.box(x, y, width, height, *STYLES[style], radius=3)
    canvas.write(x + 8, y + height / 2, words)
    draw_badges(canvas, x + width - 5, y + height / 2, badges, "end")


def draw_way(canvas: Canvas, axis: float, lane: float, fork: float, bottom: float) -> None:
    """The shortcut's way: out of the data's line at the height ``fork``, down the lane, into the sum at ``bottom``."""
    canvas.dot(axis, fork)
    canvas.line((axis, fork), (lane, fork), (lane, bottom), (axis + 9, bottom), arrow=True)


def draw_identity(canvas: Canvas, x: float, y: float, ground: str) -> None:
    """The word for an empty shortcut, on a piece of the colour ``ground`` that hides the line under it."""
    canvas.box(x - 36, y - 11, 72, 22, ground, ground)
    canvas.write(x, y, say("identity"), anchor="middle", colour=MUTED)


class SideBox:
    """A box on the shortcut: lines of text, badges in rows below them."""

    def __init__(self, style: str, lines: Sequence[Text], badges: Sequence[Badge], width: float) -> None:
        self.style, self.lines, self.width = style, lines, width
        self.rows = badge_rows(badges, width - 8)
        self.height = 17 * len(lines) + 20 * len(self.rows) + 6

    def draw(self, canvas: Canvas, x: float, y: float) -> None:
        """Draw it with its top in the middle at (x, y)."""
        canvas.box(x - self.width / 2, y, self.width, self.height, *STYLES[self.style], radius=3)
        y += 3
        for words in self.lines:
            canvas.write(x, y + 8.5, words, SMALL, "middle")
            y += 17
        for row in self.rows:
            draw_badges(canvas, x, y + 10, row, "middle")
            y += 20
