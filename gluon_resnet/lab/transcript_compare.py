"""What this suite gives for the lines of a transcript: the walk of a network, and the values of a run.

    row = compare_value(Value(12, "test acc", "0.907"), Ours("runs/..."))

transcript.py uses this module, and describes what is compared and how.
"""

import re
from dataclasses import dataclass
from functools import lru_cache, reduce
from operator import mul
from pathlib import Path
from statistics import mean
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple, Union

from ..errors import RunError, ShapeError
from ..networks.families import images_of
from ..networks.specs import ResNetSpec, parse_model
from ..runs.config import differences
from ..runs.kinds import PICTURES
from ..runs.table import read_run
from ..text import count as counted
from ..training.metrics import METRICS
from . import results
from .published import ENTRIES

#: a row of transcript.COLUMNS: line, kind, published, ours, same, note
Row = Tuple[int, str, str, str, Optional[bool], str]
Sizes = Tuple[Any, ...]  # a shape, whose batch may be None
Layer = Tuple[str, Sizes]  # name and output shape

NO_RUN = "no run given: gluon-resnet transcript FILE --run RUN"

DEFAULT = "resnet18"
MOST_WORK = 2**30  # multiply-adds of a block on its own
MOST_BLOCKS = 32  # that are tried; a chapter has ten
MOST_PIXELS = 4 * 2**20  # of all inputs of walks that are tried: 80 inputs of 224x224
LEAST_PIXELS = 2**16  # that a smaller input counts as
LARGEST = 1024  # height and width of an input that is guessed

STAGE = "block"
#: (what a layer is, pattern of the names that libraries give it); the first that matches counts
KINDS = (
    ("pooling", "pool"),
    ("batch norm", "batch_?norm|^bn"),
    (STAGE, "sequential|residual|resnet|block|bottleneck|stage"),
    ("convolution", "conv"),
    ("activation", "relu|activation"),
    ("dense", "dense|linear|^fc"),
    ("flatten", "flatten"),
    ("dropout", "dropout"),
)

#: what a book calls a value when it prints it -> its name in result.json and in histories
NAMES = {metric.printed: name for name, metric in METRICS.items() if metric.printed}

_EDITIONS = [entry for entry in ENTRIES if entry.experiment == "fashion_mnist_resnet18"]
#: Lowest and highest last-epoch values of article 001 and five editions of d2l (ResNet-18, Fashion-MNIST, 96x96,
#: batch size 256, lr 0.05, 10 epochs).
BANDS: Dict[str, Tuple[float, float]] = {
    kind: (min(values), max(values))
    for kind in ("loss", "train acc", "test acc")
    for values in [[getattr(entry, NAMES[kind]) for entry in _EDITIONS]]
}


@dataclass(frozen=True)
class Shape:
    """One line of a walk."""

    line: int  # from 1
    name: str  # of the layer
    shape: Tuple[Optional[int], ...]  # the batch may be None


@dataclass(frozen=True)
class Block:
    """A residual block on its own, ``blk(X).shape``."""

    line: int
    num_channels: int
    use_1x1conv: bool
    strides: int
    input: Tuple[int, ...]  # shape of X
    shape: Tuple[int, ...]  # of the output, as printed
    channels_last: bool = False


@dataclass(frozen=True)
class Value:
    """A number that a book prints of its training."""

    line: int
    kind: str  # "loss", "train acc", "test acc" or "examples/sec"
    text: str  # as printed
    epoch: Optional[int] = None  # None for the whole training
    where: str = ""  # the device, or "end to end"


@lru_cache(maxsize=4096)
def kind_of(name: str) -> str:
    """What a layer is, by its name: "convolution" for conv5 and Conv2D; the name without its number if unknown."""
    name = name.lower().split(".")[-1]
    return next((kind for kind, pattern in KINDS if re.search(pattern, name)), name.rstrip("0123456789_"))


# Shapes ---------------------------------------------------------------------------------------------------------------


def _channels_last(shape: Sizes) -> Sizes:
    return (shape[0], *shape[2:], shape[1]) if len(shape) == 4 else shape


def _squeezed(shape: Sizes) -> Sizes:
    return tuple(size for size in shape[1:] if size != 1)


def _fits(printed: Shape, name: str, shape: Sizes) -> int:
    """How well a printed line fits a layer of ours, 0 for not at all; the batch size does not count."""
    points = 4 if printed.shape[1:] == shape[1:] else 3 if _squeezed(printed.shape) == _squeezed(shape) else 0
    theirs = kind_of(printed.name)
    return points + (2 if theirs == kind_of(name) else 1 if theirs == STAGE and points else 0)


def align(walk: Sequence[Shape], layers: Sequence[Layer]) -> Tuple[int, List[Optional[int]]]:
    """Pair the lines of a walk with layers of ours, both in order, so that the pairs fit best.

    Lines between two pairs are paired, too, if there are as many layers between them.

    Returns (points, [index in ``layers`` or None of each line of ``walk``]).
    """
    points = [[0] * (len(layers) + 1) for _ in range(len(walk) + 1)]
    for i, printed in enumerate(walk):
        for j, layer in enumerate(layers):
            fits = _fits(printed, *layer)
            points[i + 1][j + 1] = max(points[i][j + 1], points[i + 1][j], points[i][j] + fits if fits else 0)
    places: List[Optional[int]] = [None] * len(walk)
    i, j = len(walk), len(layers)
    while i and j:
        fits = _fits(walk[i - 1], *layers[j - 1])
        if fits and points[i][j] == points[i - 1][j - 1] + fits:
            i, j = i - 1, j - 1
            places[i] = j
        elif points[i][j] == points[i][j - 1]:
            j -= 1
        else:
            i -= 1
    return points[-1][-1], _fill(places, len(layers))


def _fill(places: Sequence[Optional[int]], count: int) -> List[Optional[int]]:
    """``places`` with the lines between two pairs put to the layers between them, if there are as many of both."""
    filled, start, low = list(places), 0, 0
    while start < len(places):
        end = start
        while end < len(places) and places[end] is None:
            end += 1
        place = places[end] if end < len(places) else None
        high = count if place is None else place
        if end > start and high - low == end - start:
            filled[start:end] = range(low, high)
        start, low = end + 1, high + 1
    return filled


_Order = Callable[[Sizes], Sizes]  # of the axes: from ours to the book's


def _candidates(walk: Sequence[Shape]) -> List[Tuple[int, int, _Order]]:
    """(height, width, order of axes) of inputs that may give the first image shape of a walk, likeliest first."""
    shape, name = next(
        ((line.shape, line.name) for line in walk if len(line.shape) == 4 and None not in line.shape[1:]), ((), "")
    )
    if not shape:
        return [(224, 224, tuple)]
    factors = (2, 1) if kind_of(name) in ("convolution", "batch norm", "activation") else (4, 2, 1)
    orders: Tuple[Tuple[_Order, Sizes], ...] = ((tuple, shape[2:]), (_channels_last, shape[1:3]))
    inputs = [(factor * height, factor * width, order) for order, (height, width) in orders for factor in factors]
    inputs = [size for size in inputs if min(size[:2]) >= 1 and max(size[:2]) <= LARGEST]
    return inputs or [(224, 224, tuple), (224, 224, _channels_last)]


class TooMany(ShapeError):
    """A text has more different walks than are tried."""


class Walker:
    """The network of ``spec``, built once, for walks of several inputs."""

    def __init__(self, spec: ResNetSpec) -> None:
        from mxnet.name import NameManager

        from ..networks.models import build

        self.spec = spec
        self.known: Dict[Sizes, List[Layer]] = {}
        self.pixels = 0  # of the inputs tried
        with NameManager():  # conv0, whatever was built before
            self.net = build(spec)

    def layers(self, shape: Sizes) -> List[Layer]:
        """[(name, output shape)] of the layers for an input of ``shape``; ShapeError, and TooMany."""
        from ..networks.shapes import layer_shapes

        if shape not in self.known:
            self.pixels += max(LEAST_PIXELS, reduce(mul, shape[2:]))
            if self.known and self.pixels > MOST_PIXELS:
                raise TooMany(f"more inputs of {MOST_PIXELS:,} pixels together were tried before")
            self.known[shape] = list(layer_shapes(self.net, shape).itertuples(index=False, name=None))
        return self.known[shape]


def _walked(walk: Sequence[Shape], walker: Walker, shape: Optional[Sizes]) -> Tuple[List[Layer], List[Optional[int]]]:
    """(layers, places) of the input ``shape``, or if it is None, of the guessed input whose layers fit the walk best.

    Raises ShapeError if the network cannot take any of these inputs.
    """
    channels = shape[1] if shape else images_of(walker.spec.family).channels
    inputs = _candidates(walk)
    if shape:
        height, width = shape[2:]
        inputs = [(height, width, tuple), (height, width, _channels_last)]
    best: Optional[Tuple[int, List[Layer], List[Optional[int]]]] = None
    problem: Optional[ShapeError] = None
    for height, width, order in inputs:
        try:
            layers = [(name, order(size)) for name, size in walker.layers((1, channels, height, width))]
        except ShapeError as error:
            problem = problem or error
            continue
        points, places = align(walk, layers)
        if best is None or points > best[0]:
            best = points, layers, places
        if all(place is not None and line.shape[1:] == layers[place][1][1:] for line, place in zip(walk, places)):
            break  # no other input fits better
    if best is None:
        assert problem is not None  # every input was refused
        raise problem
    return best[1:]


def compare_walk(walk: Sequence[Shape], walker: Walker, shape: Optional[Sizes] = None) -> List[Row]:
    """A row for each line of a walk, next to the layers of ``walker``; ``shape`` is the input, guessed if None."""
    try:
        layers, places = _walked(walk, walker, shape)
    except TooMany:
        return [
            (line.line, "shape", f"{line.name} {_written(line.shape)}", "", None, "too many walks to try")
            for line in walk
        ]
    rows: List[Row] = []
    before = -1
    for printed, place in zip(walk, places):
        published = f"{printed.name} {_written(printed.shape)}"
        if place is None:
            rows.append((printed.line, "shape", published, "", False, f"no such layer in {walker.spec.name}"))
            continue
        name, size = layers[place]
        size = (printed.shape[0], *size[1:])  # a walk does not depend on the batch
        notes = []
        if size != printed.shape:
            squeezed_same = _squeezed(size) == _squeezed(printed.shape)
            notes.append("axes of size 1 apart, the same" if squeezed_same else "the shape differs")
        theirs, kind = kind_of(printed.name), kind_of(name)
        if theirs == STAGE and place > before + 1:
            name = f"{layers[before + 1][0]} to {name}"
        elif theirs not in (kind, STAGE):
            notes.append(f"the layer differs: {theirs} there, {kind} here")
        elif place > before + 1 and theirs != STAGE:
            notes.append(f"not printed there: {', '.join(layer for layer, _ in layers[before + 1 : place])}")
        same = size == printed.shape and theirs in (kind, STAGE)
        rows.append((printed.line, "shape", published, f"{name} {_written(size)}", same, "; ".join(notes)))
        before = place
    return rows


def compare_block(block: Block, known: Dict[Any, Any]) -> Row:
    """The row of a residual block on its own; ``known`` has what was found of others of the same text."""
    options = ", use_1x1conv=True" * block.use_1x1conv + f", strides={block.strides}" * (block.strides > 1)
    published = f"Residual({block.num_channels}{options}) {_written(block.shape)}"
    channels, (N, C, height, width) = block.num_channels, block.input
    if block.channels_last:
        C, height, width = width, C, height
    if not channels or not block.strides or 9 * N * height * width * channels * (C + channels) > MOST_WORK:
        return block.line, "shape", published, "", None, "too large to try"
    arguments = channels, block.use_1x1conv, block.strides, (N, C, height, width)
    if arguments not in known:
        if len(known) >= MOST_BLOCKS:
            return block.line, "shape", published, "", None, "too many blocks to try"
        known[arguments] = _block_shape(*arguments)
    size = known[arguments]
    if isinstance(size, str):
        return block.line, "shape", published, "", False, size
    size = _channels_last(size) if block.channels_last else size
    return (
        block.line,
        "shape",
        published,
        f"residual {_written(size)}",
        size == block.shape,
        "" if size == block.shape else "the shape differs",
    )


def _block_shape(num_channels: int, use_1x1conv: bool, strides: int, input_shape: Sizes) -> Union[Sizes, str]:
    """The shape of a residual block's output, or why it cannot take this input."""
    from mxnet.gluon import nn
    from mxnet.name import NameManager

    from ..networks.blocks import Residual
    from ..networks.shapes import layer_shapes

    with NameManager():
        net = nn.HybridSequential()
        net.add(Residual(num_channels, use_1x1conv, strides))
    try:
        ((_, size),) = layer_shapes(net, input_shape).itertuples(index=False, name=None)
    except ShapeError as error:
        return str(error)
    return tuple(size)


def _written(shape: Sizes) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


# Values ---------------------------------------------------------------------------------------------------------------


class Ours:
    """Our values for a transcript: those of a run folder, or means over the seeds of a results file with one arm.

    Without a ``path`` there are none.
    """

    def __init__(self, path: Optional[Union[str, Path]] = None) -> None:
        self.values: Optional[Dict[str, Any]] = None  # of the whole training
        self.history: Dict[int, Mapping[str, Any]] = {}  # by epoch
        self.spec: Optional[ResNetSpec] = None
        self.remark = ""  # how the run differs from article 001's recipe
        if path is None:
            return
        if Path(path).is_file():
            self._read_results(path)
        else:
            self._read_run(path)

    def _read_run(self, path: Union[str, Path]) -> None:
        run = read_run(path)
        if run.result is None:
            raise RunError(f"{path}: not finished: expected a run with a result.json; resume it with --resume {path}")
        self.values, self.spec = run.result, run.spec
        self._remark(
            [setting for setting in differences(run.config) if not setting.startswith(("seed=", "data="))],
            run.kind is PICTURES,
        )
        for row in run.history[run.history["test_acc"].notna()].to_dict("records"):
            self.history[int(row["epoch"])] = row

    def _read_results(self, path: Union[str, Path]) -> None:
        content = results.read(path)
        if len(content["arms"]) != 1:
            raise RunError(f"{path}: {len(content['arms'])} arms: expected one, or a run folder")
        ((arm, seeds),) = content["arms"].items()
        self.values = {"device": next(iter(seeds.values())).get("device")}
        for name in NAMES.values():
            values = [metrics.get(name) for metrics in seeds.values()]
            self.values[name] = None if None in values else mean(values)
        self.spec = parse_model(content["config"][arm].get("model", DEFAULT))
        self.remark = f"mean of {counted(len(seeds), 'seed')}"

    def _remark(self, settings: List[str], pictures: bool) -> None:
        recipe = ["other images"] if pictures else settings
        self.remark = f"not article 001's recipe: {', '.join(recipe)}" if recipe else ""

    def network(self, model: Optional[str] = None) -> ResNetSpec:
        """The spec to walk: that of ``model`` if given, otherwise the run's, or article 001's without a run."""
        return parse_model(model) if model else self.spec or parse_model(DEFAULT)

    def value(self, printed: Value) -> Optional[float]:
        """Our value for a printed one, of its epoch if that is printed; None if the run lacks it."""
        values: Mapping[str, Any] = self.values or {}
        if printed.epoch is not None:
            values = self.history.get(printed.epoch, {})
        return values.get(NAMES[f"{printed.kind} end to end" if printed.where == "end to end" else printed.kind])


def compare_value(printed: Value, ours: Ours) -> Row:
    """The row of a printed number, next to that of the run."""
    kind = printed.kind if printed.epoch is None else f"{printed.kind}, epoch {printed.epoch}"
    published = f"{printed.text} {printed.where}".strip()
    if ours.values is None:
        return printed.line, kind, published, "", None, NO_RUN
    value = ours.value(printed)
    if value is None:
        return printed.line, kind, published, "", None, "the run has no such value"
    if printed.kind == "examples/sec":
        return _compared_rate(printed, published, value, ours.values.get("device"))
    if printed.epoch is not None:
        return printed.line, kind, published, f"{value:.3f}", None, "bands are those of a last epoch"
    low, high = BANDS[printed.kind]
    inside = low <= round(value, 3) <= high
    note = f"{'inside' if inside else 'outside'} the band {low:.3f} to {high:.3f} of six editions"
    note = f"{note}; {ours.remark}" if ours.remark else note
    return printed.line, kind, published, f"{value:.3f}", inside, note


def _compared_rate(printed: Value, published: str, value: float, device: object) -> Row:
    rate = float(printed.text.replace(",", ""))
    where = "" if printed.where == "end to end" else f" on {device}"
    ratio = f"ours / published: {value / rate:.4f}" if rate > 0 else ""
    return printed.line, printed.kind, published, f"{value:.1f}{where}", None, ratio
