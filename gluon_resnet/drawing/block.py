"""The diagram of one block: its layers, the shortcut next to them, the sum, and the shapes on the way.

    gr.draw_block("residual")                                            # X itself is added
    gr.draw_block("residual", use_1x1conv=True, num_channels=6, strides=2, X=(4, 3, 6, 6))
    gr.draw_block("bottleneck", family="torchvision")
    gr.draw_block("residual", shortcut="A")                              # two: the shape changes, the shape stays

The blocks are those of layout.py, so strides, biases and batch norms are where the family has them.
"""

from dataclasses import replace
from typing import Any, List, Optional, Tuple

from ..errors import ShapeError
from ..networks.cost import network
from ..networks.layout import Conv, layout
from ..networks.specs import ResNetSpec
from .arguments import Shape, block_cases, checked_language
from .canvas import FRAME, MUTED, PAPER, Canvas
from .parts import (
    LIST,
    SMALL,
    STYLES,
    SideBox,
    conv_badges,
    conv_text,
    draw_badges,
    draw_identity,
    draw_way,
    in_words,
    shape_text,
    shortcut_kind,
    shortcut_words,
    stride_badge,
)
from .picture import Drawing
from .words import Words, join, say, sentences

#: kind of block -> its name in words.py
NAMES = {
    "residual": "residual",
    "bottleneck": "bottleneck_block",
    "plain": "plain",
    "v2": "v2",
    "bottleneck_v2": "bottleneck_v2",
}

WIDTH, LEFT, BODY = 360, 14, 190  # of the picture; where the layers begin, and how wide they are
AXIS = LEFT + BODY / 2  # where the data flows down
LANE, LANE_WIDTH = 302, 96  # the shortcut: where it runs, and the width of a box on it
CONV, LAYER = 46, 24  # heights of a convolution's box and of any other layer's
SHORT, LONG, ENTRY = 11, 30, 46  # arrows: with no text, with a shape, and X's, at which the shortcut forks off
SIDE_GAP = 16  # between boxes on the shortcut


#: ("conv", "norm" or "relu", the convolution or None)
LayerToDraw = Tuple[str, Optional[Conv]]


class _Case:
    """One block and its input: ``shape`` (N, C, H, W), to ``num_channels`` and to height and width / strides."""

    def __init__(self, spec: ResNetSpec, shape: Shape, num_channels: int, strides: int) -> None:
        if spec.block == "bottleneck" and num_channels % 4:
            raise ShapeError(f"num_channels is {num_channels}: expected a multiple of 4 for a bottleneck")
        # A first stage keeps height and width, so a block that halves them is that of a second one.
        widths = (num_channels,) if strides == 1 else (shape[1], num_channels)
        small = replace(
            spec,
            stem_channels=shape[1],
            stem_kernel=1,
            stem_stride=1,
            pool=False,
            downsample="first",
            widths=widths,
            stage_sizes=(1,) * len(widths),
        )
        counted, stage = network(small, shape[1], shape[2:]), len(widths)
        self.shape, self.block = shape, layout(small, shape[1]).stages[-1][0]
        self.counts = [
            say("parameters", count=counted.total("parameters", stage)),
            say("block_work", count=counted.total("multiply_adds", stage)),
        ]

    @property
    def forks_late(self) -> bool:
        """Whether the shortcut takes the output of the first ReLU, not X."""
        return self.block.preactivation and self.block.shortcut is not None

    def groups(self) -> List[List[LayerToDraw]]:
        """For every convolution the layers around it, in running order."""
        block = self.block
        groups: List[List[LayerToDraw]] = []
        for number, (conv, norm) in enumerate(block.body, 1):
            norms: List[LayerToDraw] = [("norm", None)] if norm is not None else []
            if block.preactivation:
                groups.append([*norms, ("relu", None), ("conv", conv)])
            else:
                groups.append([("conv", conv), *norms, *([("relu", None)] if number < len(block.body) else [])])
        return groups

    def formula(self) -> str:
        """What the block computes."""
        added = {
            "projection": " + P(relu(bn(X)))" if self.forks_late else " + P(X)",
            "zeros": " + pad(X)",
            "subsampling": " + X[:, :, ::2, ::2]",
            "identity": " + X",
            "no_shortcut": "",
        }[shortcut_kind(self.block)]
        return f"Y = F(X){added}" if self.block.preactivation else f"Y = relu(F(X){added})"

    def words(self, shape: Shape) -> List[Any]:
        """The case in words, a text for each sentence; ``shape`` is that of Y."""
        layers = [_layer_words(*layer) for group in self.groups() for layer in group]
        return [
            join(["X", shape_text(self.shape)], " "),
            join(layers, Words("; ", "；")),
            join([say("shortcut"), shortcut_words(self.block)], Words(": ", "：")),
            self.formula(),
            join(["Y", shape_text(shape)], " "),
            *self.counts,
        ]


def _layer_words(what: str, conv: Optional[Conv]) -> Words:
    if conv is None:
        return say("batch_norm" if what == "norm" else what)
    return in_words(say("conv_to", kernel=conv.kernel, count=conv.out_channels), conv_badges(conv))


def _draw_layer(canvas: Canvas, y: float, what: str, conv: Optional[Conv] = None) -> float:
    """A layer's box with its top at ``y``; the height of its bottom."""
    height = CONV if what == "conv" else LAYER
    canvas.box(LEFT, y, BODY, height, *STYLES[what])
    if conv is None:
        canvas.write(AXIS, y + height / 2, _layer_words(what, conv), anchor="middle")
        return y + height
    first, second = y + 13, y + 33
    canvas.write(LEFT + 8, first, say("conv", kernel=conv.kernel))
    canvas.write(LEFT + 8, second, say("channels", count=conv.out_channels), SMALL)
    strides = stride_badge(conv.stride)
    draw_badges(canvas, LEFT + BODY - 5, first, strides, "end")
    draw_badges(canvas, LEFT + BODY - 5, second, conv_badges(conv)[len(strides) :], "end")
    return y + height


def _side_boxes(case: _Case) -> List[SideBox]:
    """The boxes on the shortcut, from the top down; none for an identity."""
    block = case.block
    if block.shortcut is not None:
        conv, norm = block.shortcut
        boxes = [SideBox("pool", [say("means")], [], LANE_WIDTH)] if block.pooled else []
        boxes.append(SideBox("conv", [say("projection_p"), conv_text(conv)], conv_badges(conv), LANE_WIDTH))
        return boxes + ([SideBox("norm", [say("batch_norm")], [], LANE_WIDTH)] if norm is not None else [])
    boxes, pad = [], block.pad
    if pad is not None and pad.stride > 1:
        boxes.append(SideBox("plain", [say("every_second"), say("and_column")], stride_badge(pad.stride), LANE_WIDTH))
    if pad is not None and (pad.before or pad.after):
        lines = [
            say("channels_are"),
            say("of_zeros", count=pad.before),
            say("of_x", count=case.shape[1]),
            say("of_zeros", count=pad.after),
        ]
        boxes.append(SideBox("plain", lines, [], LANE_WIDTH))
    return boxes


def _draw_shortcut(canvas: Canvas, case: _Case, fork: float, bottom: float) -> None:
    """The way from the fork to the sum, and the boxes on it."""
    draw_way(canvas, AXIS, LANE, fork, bottom)
    boxes, middle = _side_boxes(case), (fork + bottom) / 2
    y = middle - (sum(box.height + SIDE_GAP for box in boxes) - SIDE_GAP) / 2
    for number, box in enumerate(boxes):
        if number:
            canvas.line((LANE, y - SIDE_GAP), (LANE, y), arrow=True)
        box.draw(canvas, LANE, y)
        y += box.height + SIDE_GAP
    if not boxes:
        draw_identity(canvas, LANE, middle, PAPER)


def _draw_body(canvas: Canvas, y: float, case: _Case) -> Tuple[float, float, Shape]:
    """From X down to what is added: (height of the fork, height reached, shape there)."""
    shape, fork = case.shape, y + 28
    canvas.write(AXIS + 12, y + 9, join(["X", shape_text(shape)], " "))
    for place, group in enumerate(case.groups()):
        for what, conv in group:
            first = what == group[0][0]
            gap = SHORT
            if first:
                gap = ENTRY if place == 0 and case.block.adds and not case.forks_late else LONG
            elif place == 0 and conv is not None and case.forks_late:
                gap, fork = LONG, y + 12
            canvas.line((AXIS, y), (AXIS, y + gap), arrow=True)
            if first and place:
                canvas.write(AXIS + 12, y + 13, shape_text(shape), SMALL, colour=MUTED)
            if conv is not None:
                shape = (shape[0], conv.out_channels, *conv.out_size(*shape[2:]))
            y = _draw_layer(canvas, y + gap, what, conv)
    return fork, y, shape


def _draw_case(canvas: Canvas, y: float, case: _Case) -> Tuple[float, Shape]:
    """The block's whole way from X to Y: (height below it, shape of Y)."""
    fork, y, shape = _draw_body(canvas, y, case)
    if case.block.adds:
        canvas.line((AXIS, y), (AXIS, y + LONG), arrow=True)
        canvas.write(AXIS - 12, y + 13, "F(X)", anchor="end", bold=True)
        canvas.write(AXIS + 12, y + 13, shape_text(shape), SMALL, colour=MUTED)
        y += LONG + 9
        _draw_shortcut(canvas, case, fork, y)
        canvas.plus(AXIS, y)
        y += 9
    if not case.block.preactivation:
        canvas.line((AXIS, y), (AXIS, y + SHORT + 3), arrow=True)
        y = _draw_layer(canvas, y + SHORT + 3, "relu")
    canvas.line((AXIS, y), (AXIS, y + LONG), arrow=True)
    canvas.write(AXIS + 12, y + 17, join(["Y", shape_text(shape)], " "))
    return y + LONG, shape


def _draw_panel(canvas: Canvas, y: float, case: _Case, heading: Optional[Words]) -> Tuple[float, List[Any]]:
    """A case with its heading (or None), formula and counts: (height below it, what it says in words)."""
    texts = [] if heading is None else [heading]
    if heading is not None:
        canvas.write(LEFT, y + 11, heading, 14, bold=True)
        y += 22
    canvas.write(LEFT, y + 9, case.formula(), colour=MUTED)
    y, shape = _draw_case(canvas, y + 26, case)
    y = canvas.paragraphs(LEFT, y + 8, case.counts, WIDTH - 2 * LEFT, gap=0, colour=MUTED)
    return y, texts + case.words(shape)


def draw_block(
    kind: str = "residual",
    shortcut: Optional[str] = None,
    *,
    use_1x1conv: bool = False,
    num_channels: Optional[int] = None,
    strides: Optional[int] = None,
    X: Any = None,
    family: Optional[str] = None,
    lang: str = "en",
) -> Drawing:
    """The diagram of a block, which a notebook shows.

    Args:
        kind: "residual", "bottleneck", "plain", "v2" or "bottleneck_v2".
        shortcut: an option of the paper, "A", "B" or "C", or "none". Without ``num_channels`` and ``strides``, A, B and
            C are drawn twice: as a block that changes the shape, and as one that keeps it.
        use_1x1conv: as of :class:`gluon_resnet.Residual`.
        num_channels: as of :class:`gluon_resnet.Residual`; the channels of X times ``strides`` if None.
        strides: 1 or 2.
        X: the input, an array (N, C, H, W) or its shape; (1, 64, 56, 56), or (1, 256, 56, 56) for bottlenecks, if None.
        family: whose blocks; d2l or v2 if None.
        lang: "en" or "zh".

    Raises:
        ModelError: an unknown kind, family or option.
        ShapeError: shapes that do not go together.
        ConfigError: other strides, or another language.
    """
    lang = checked_language(lang)
    spec, shape, cases = block_cases(kind, family, shortcut, use_1x1conv, num_channels, strides, X)
    name = say(NAMES[kind])
    if use_1x1conv:
        name = join([name, say("with_projection")], Words(" ", "，"))
    elif shortcut not in (None, "none"):
        name = join([name, say("with_option", option=shortcut)], LIST)
    canvas, note = Canvas(WIDTH), say("family", family=spec.family)
    y = canvas.paragraphs(LEFT, 12, [name], WIDTH - 2 * LEFT, 16, 22, bold=True)
    texts: List[Any] = []
    for number, (width, halving) in enumerate(cases):
        if number:
            canvas.line((LEFT, y + 14), (WIDTH - LEFT, y + 14), colour=FRAME)
            y += 26
        heading = say("changes" if halving > 1 else "stays") if len(cases) > 1 else None
        y, words = _draw_panel(canvas, y, _Case(spec, shape, width, halving), heading)
        texts += words
    y = canvas.paragraphs(LEFT, y + 5, [note], WIDTH - 2 * LEFT, colour=MUTED)
    return Drawing(canvas, y + 12, name, sentences([*texts, note]), lang)
