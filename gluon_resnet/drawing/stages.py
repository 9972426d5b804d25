"""The stage diagram of a network: stem, stages, head, the shapes between them, and the parameters of each.

    gr.draw("resnet50@keras")
    gr.draw(gr.parse_model("resnet18", 4), (256, 1, 96, 96), lang="zh")
    gluon-resnet draw plain34@torchvision --save plain34.svg

Blocks of a stage that follow each other and are alike are drawn once.
"""

from dataclasses import replace
from typing import Any, List, Optional, Sequence, Tuple

from ..networks.cost import HEAD, network, output_sizes
from ..networks.layout import Block, Conv, children, layout
from ..networks.specs import ResNetSpec
from .arguments import Shape, checked_language, input_shape, spec_of, usual_input
from .canvas import FRAME, MUTED, Canvas, Text
from .parts import (
    LIST,
    SMALL,
    STYLES,
    Badge,
    SideBox,
    conv_badges,
    conv_text,
    draw_identity,
    draw_row,
    draw_way,
    in_words,
    shape_text,
    shortcut_kind,
    shortcut_parts,
    shortcut_words,
    stride_badge,
)
from .picture import Drawing
from .words import Words, join, name, say, sentences

WIDTH, EDGE = 360, 10  # of the picture, and its margin
CARD, CARD_EDGE = "#f5f7fa", 8  # its colour; room above and below what it holds
LEFT, BODY, ROW = 20, 196, 24  # a block's convolutions: where they begin, how wide and high they are
AXIS = LEFT + BODY / 2  # where the data flows down
LANE, LANE_WIDTH = 284, 112  # the shortcut: where it runs, and the width of a box on it
FORK, TOP = 19, 36  # from the top of a block to the fork, and to its body
SUM, END = 20, 15  # from there to the sum, and on to the end


#: A row of a card: (style, text, badges, the shape after it or None)
Step = Tuple[str, Text, List[Badge], Optional[Tuple[int, ...]]]


def runs(stage: Tuple[Block, ...]) -> List[Tuple[int, int]]:
    """[(first, last)]: blocks of a stage, counted from 1, that follow each other and differ only in their names."""

    def content(block: Block) -> tuple:
        return [replace(layer, name="") for layer in block.layers()], block.pad

    alike: List[Tuple[int, int]] = []
    for number, block in enumerate(stage, 1):
        if alike and content(stage[alike[-1][0] - 1]) == content(block):
            alike[-1] = (alike[-1][0], number)
        else:
            alike.append((number, number))
    return alike


class _Diagram:
    """A diagram while it is being made: the canvas, the height reached, and the sentences of the description."""

    def __init__(self, spec: ResNetSpec, shape: Shape) -> None:
        self.spec, self.shape = spec, shape
        self.plan, self.counted = layout(spec, shape[1]), network(spec, shape[1], shape[2:])
        self.sizes = output_sizes(self.plan, shape[2:])
        self.canvas = Canvas(WIDTH)
        self.y: float = 14
        self.sentences: List[Text] = []

    def parameters(self, stage: Optional[int] = None) -> Words:
        return say("parameters", count=self.counted.total("parameters", stage))

    def heading(self) -> None:
        spec = self.spec
        self.y = self.canvas.paragraphs(LEFT, self.y, [spec.name], WIDTH - 2 * LEFT, 18, 24, bold=True) + 2
        kind = name(spec.block)
        kind = say("plain_blocks", kind=kind) if spec.shortcut == "none" else kind
        kind = say("v2_blocks", kind=kind) if spec.preactivation else kind
        lines = [
            say("sizes", kind=kind, sizes=", ".join(map(str, spec.stage_sizes))),
            self.parameters(),
            say("work", count=self.counted.total("multiply_adds") / 1e9),
        ]
        for words in lines:
            self.canvas.write(LEFT, self.y + 9, words, colour=MUTED)
            self.y += 18
        self.sentences += lines
        self.y += 10

    def arrow(self, shape: Tuple[int, ...], label: Optional[Text] = None) -> None:
        """An arrow to what comes below, with the shape of the data and ``label`` before it."""
        self.canvas.line((AXIS, self.y), (AXIS, self.y + 30), arrow=True)
        words = shape_text(shape) if label is None else join([label, shape_text(shape)], " ")
        self.canvas.write(AXIS + 12, self.y + 14, words)
        self.y += 30

    def card(self, key: str, stage: int, height: float, middle: Optional[Text] = None, **values: Any) -> None:
        """The frame of a part of the network, ``height`` pixels high below its first line, which is written."""
        self.canvas.box(EDGE, self.y, WIDTH - 2 * EDGE, height + 30 + CARD_EDGE, CARD, FRAME, 6)
        y = self.y + 16
        self.canvas.write(LEFT, y, say(key, **values), 14, bold=True)
        if middle is not None:
            self.canvas.write(110, y, middle, colour=MUTED)
        self.canvas.write(WIDTH - LEFT, y, self.parameters(stage), SMALL, "end", colour=MUTED)
        self.y += 30

    def chain(self, key: str, stage: int, steps: List[Step]) -> None:
        """A card of layers that follow each other."""
        gaps = [22 if shape else 10 for *_, shape in steps[:-1]] + [0]
        self.card(key, stage, len(steps) * ROW + sum(gaps))
        for (style, words, badges, shape), gap in zip(steps, gaps):
            draw_row(self.canvas, LEFT, self.y, WIDTH - 2 * LEFT, ROW, style, words, badges)
            self.y += ROW
            if gap:
                self.canvas.line((AXIS, self.y), (AXIS, self.y + gap), arrow=True)
                if shape:
                    self.canvas.write(AXIS + 12, self.y + 10, shape_text(shape), SMALL, colour=MUTED)
            self.y += gap
        self.y += CARD_EDGE
        self.tell(key, stage, [in_words(words, badges) for _, words, badges, _ in steps])

    def tell(self, key: str, stage: int, parts: Sequence[Text], **values: Any) -> None:
        """Add a sentence to the description."""
        text = join([*parts, self.parameters(stage)], Words("; ", "；"))
        self.sentences.append(join([say(key, **values), text], Words(": ", "：")))


def _stem(diagram: _Diagram) -> Shape:
    """The stem's card; (N, C, H, W) of its output."""
    plan = diagram.plan
    shape = (diagram.shape[0], plan.spec.stem_channels, *diagram.sizes["conv1"])
    steps: List[Step] = [("norm", say("input_norm"), [], None)] if plan.input_norm is not None else []
    for number, (conv, norm) in enumerate(plan.stem, 1):
        badges = conv_badges(conv, norm) + ([("relu", say("relu"))] if norm is not None else [])
        steps.append(("conv", conv_text(conv), badges, shape if number == len(plan.stem) else None))
    if plan.pool_padding is not None:
        pool = Conv("", conv.out_channels, conv.out_channels, 3, 2, plan.pool_padding, False)
        badges = [*stride_badge(pool.stride), ("padding", say("padding", padding=pool.padding))]
        steps.append(("pool", say("max_pool"), badges, None))
        shape = (*shape[:2], *pool.out_size(*shape[2:]))
    diagram.chain("stem", 0, steps)
    return shape


def _classifier(layer: Any) -> Tuple[str, Text, List[Badge]]:
    """(style, text, badges) of the classifier, dense or a convolution."""
    if isinstance(layer, Conv):
        return "conv", conv_text(layer), conv_badges(layer)
    return "dense", say("dense", inputs=layer.in_units, units=layer.units), [("bias", say("bias"))]


def _head(diagram: _Diagram, shape: Shape) -> None:
    """The head's card: the network's children after the last stage, whose output is (N, C, H, W) = ``shape``."""
    plan, kinds = diagram.plan, children(diagram.spec)
    steps: List[Step] = []
    for kind in kinds[kinds.index(f"stage{len(plan.stages)}") + 1 :]:
        if kind == "average_pool":
            steps.append(("pool", say(kind), [], (*shape[:2], 1, 1)))
        elif kind == "classifier":
            steps.append((*_classifier(plan.classifier), None))
        elif kind == "final_relu":
            steps[-1][2].append(("relu", say("relu")))
        else:
            steps.append(({"final_norm": "norm", "head_relu": "relu"}.get(kind, "plain"), name(kind), [], None))
    diagram.chain("head", HEAD, steps)


def _side_box(block: Block) -> Optional[SideBox]:
    """The box on the shortcut of ``block``; None for an identity and for a plain block."""
    if shortcut_kind(block) in ("identity", "no_shortcut"):
        return None
    return SideBox("plain" if block.shortcut is None else "conv", *shortcut_parts(block), LANE_WIDTH)


class _Run:
    """The blocks ``first`` to ``last`` of a stage, which are all like ``block``."""

    def __init__(self, block: Block, first: int, last: int) -> None:
        self.block, self.first, self.last = block, first, last
        self.side = _side_box(block)
        self.shadow = 6 if last > first else 0  # room for the edges that show that there are more of the same
        self.body = ROW * len(block.body)
        self.room = max(self.body + self.shadow, self.side.height if self.side else 0)  # between fork and sum
        self.height = TOP + self.room + (SUM + END if block.adds else END)

    @property
    def name(self) -> Words:
        if self.first == self.last:
            return say("block_at", first=self.first)
        return say("blocks_at", first=self.first, last=self.last)

    @property
    def words(self) -> Words:
        convs = [in_words(conv_text(conv), conv_badges(conv)) for conv, _ in self.block.body]
        body = join(convs, Words(", then ", "，然后 "))
        if self.block.adds:
            body = join([body, say("beside", shortcut=shortcut_words(self.block))], LIST)
        return join([self.name, body], Words(" of ", "："))

    def draw(self, canvas: Canvas, y: float) -> None:
        """Draw them with their top at the height ``y``."""
        top = y + TOP + (self.room - self.body - self.shadow) / 2
        canvas.write(WIDTH - LEFT, y + 8, self.name, SMALL, "end", colour=MUTED)
        canvas.line((AXIS, y), (AXIS, top), arrow=True)
        canvas.line((AXIS, top + self.body), (AXIS, y + self.height))
        if self.block.adds:
            self._draw_shortcut(canvas, y + FORK, y + TOP + self.room + SUM)
        for shift in (self.shadow, self.shadow / 2) if self.shadow else ():
            canvas.box(LEFT + shift, top + shift, BODY, self.body, *STYLES["conv"], radius=3)
        for number, (conv, _) in enumerate(self.block.body):
            draw_row(canvas, LEFT, top + ROW * number, BODY, ROW, "conv", conv_text(conv), conv_badges(conv))

    def _draw_shortcut(self, canvas: Canvas, fork: float, bottom: float) -> None:
        draw_way(canvas, AXIS, LANE, fork, bottom)
        canvas.plus(AXIS, bottom)
        if not self.block.preactivation:
            canvas.write(AXIS - 16, bottom, say("relu"), SMALL, "end", colour=MUTED)
        middle = (fork + bottom) / 2
        if self.side:
            self.side.draw(canvas, LANE, middle - self.side.height / 2)
        else:
            draw_identity(canvas, LANE, middle, CARD)


def _stage(diagram: _Diagram, number: int) -> Shape:
    """A stage's card; (N, C, H, W) of its output."""
    stage = diagram.plan.stages[number - 1]
    alike = [_Run(stage[first - 1], first, last) for first, last in runs(stage)]
    count = say("one_block") if len(stage) == 1 else say("blocks", count=len(stage))
    diagram.card("stage", number, sum(run.height for run in alike), count, number=number)
    for run in alike:
        run.draw(diagram.canvas, diagram.y)
        diagram.y += run.height
    diagram.canvas.line((AXIS, diagram.y), (AXIS, diagram.y + CARD_EDGE))
    diagram.y += CARD_EDGE
    shape = (diagram.shape[0], stage[-1].body[-1][0].out_channels, *diagram.sizes[f"conv{number + 1}_x"])
    parts = [count, *(run.words for run in alike), say("gives", shape=shape_text(shape))]
    diagram.tell("stage", number, parts, number=number)
    return shape


def _norm_notes(block: Block) -> List[Words]:
    """Where a block's batch norms and ReLUs are, in sentences."""
    if block.preactivation:
        return [say("norm_in_front"), *([say("behind_first")] if block.shortcut is not None else [])]
    if block.body[-1][1] is None:
        return [say("norm_but_last")]
    return [say("norm_behind" if block.adds else "norm_behind_plain")]


def _notes(diagram: _Diagram) -> None:
    """Below the boxes, what they do not say."""
    spec, blocks = diagram.spec, [block for stage in diagram.plan.stages for block in stage]
    notes = _norm_notes(next((block for block in blocks if block.shortcut is not None), blocks[0]))
    if spec.groups > 1:
        notes.append(say("key_groups", count=spec.groups))
    if not any(conv.bias for block in blocks for conv, _ in block.body):
        notes.append(say("no_bias"))
    notes += [say(f"option_{spec.shortcut}"), say("eps" if spec.block_bn_scale else "eps_no_gamma", eps=spec.bn_eps)]
    diagram.y = diagram.canvas.paragraphs(LEFT, diagram.y, [say("key_conv"), *notes], WIDTH - 2 * LEFT, colour=MUTED)
    diagram.sentences += notes


def draw(model: Any, X: Any = None, lang: str = "en") -> Drawing:
    """The stage diagram of a network, which a notebook shows.

    ``model`` is a name (:func:`parse_model`), a ResNetSpec, or a network of this suite; X an array (N, C, H, W) or its
    shape, by default one image as the family takes it (1x1x224x224 for d2l, 1x3x32x32 for cifar and so on).
    Parameters are the trainable ones, multiply-adds those of one image (cost.py). ``lang`` is "en" or "zh". Raises
    ModelError for a model that the table lacks, ShapeError for a shape the network cannot take, ConfigError for another
    language.
    """
    lang, spec = checked_language(lang), spec_of(model)
    diagram = _Diagram(spec, usual_input(spec) if X is None else input_shape(X))
    diagram.heading()
    diagram.arrow(diagram.shape, say("input"))
    shape = _stem(diagram)
    for number in range(1, len(spec.stage_sizes) + 1):
        diagram.arrow(shape)
        shape = _stage(diagram, number)
    diagram.arrow(shape)
    _head(diagram, shape)
    logits = (shape[0], spec.num_classes)
    diagram.arrow(logits, say("output"))
    diagram.sentences.append(join([say("output"), shape_text(logits)], " "))
    diagram.y += 12
    _notes(diagram)
    title = say("title", name=spec.name, shape=shape_text(diagram.shape))
    return Drawing(diagram.canvas, diagram.y + 14, title, sentences(diagram.sentences), lang)
