"""What this suite gives for the lines of a transcript: the network's own walk, and the values of a run.

    row = compare_value(Value(12, "test acc", "0.907"), Ours("runs/..."))

Used by transcript.py, which says what is compared and how.
"""

import re
from functools import reduce
from operator import mul
from pathlib import Path
from statistics import mean

from ..errors import RunError, ShapeError
from ..networks.families import images_of
from ..networks.specs import parse_model
from ..runs.config import differences
from ..runs.kinds import PICTURES
from ..runs.table import read_run
from . import results
from .published import ENTRIES

NO_RUN = "no run given: gluon-resnet transcript FILE --run RUN"

DEFAULT = "resnet18"
MOST = 2**22  # numbers in the input of a block that is tried alone
LARGEST = 1024  # height and width of an input that is tried without being asked for

STAGE = "block"
#: What a layer is, by a part of the name that a library gives it; the first that fits.
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

#: Names of the values in result.json and in histories.
NAMES = {"loss": "loss", "train acc": "train_acc", "test acc": "test_acc", "examples/sec": "examples_per_sec"}

_EDITIONS = [entry for entry in ENTRIES if entry.experiment == "fashion_mnist_resnet18"]
#: Lowest and highest last-epoch values of article 001 and five editions of d2l (ResNet-18, Fashion-MNIST, 96x96,
#: batch size 256, lr 0.05, 10 epochs).
BANDS = {
    kind: (min(values), max(values))
    for kind in ("loss", "train acc", "test acc")
    for values in [[getattr(entry, NAMES[kind]) for entry in _EDITIONS]]
}


def kind_of(name):
    """What a layer is from its name, numbers apart: "convolution" for conv5 and Conv2D; the bare name if unknown."""
    name = name.lower().split(".")[-1]
    return next((kind for kind, pattern in KINDS if re.search(pattern, name)), name.rstrip("0123456789_"))


# Shapes ---------------------------------------------------------------------------------------------------------------


def _channels_last(shape):
    return (shape[0], *shape[2:], shape[1]) if len(shape) == 4 else shape


def _squeezed(shape):
    return tuple(size for size in shape[1:] if size != 1)


def _fits(one, name, shape):
    """How well a printed line fits a layer of ours: 0 is not at all. The batch is left out."""
    points = 4 if one.shape[1:] == shape[1:] else 3 if _squeezed(one.shape) == _squeezed(shape) else 0
    theirs = kind_of(one.name)
    return points + (2 if theirs == kind_of(name) else 1 if theirs == STAGE and points else 0)


def align(walk, layers):
    """(points, [place in ``layers`` or None of each line of ``walk``]): both in order, so that most fits.

    ``layers`` are (name, shape). Lines between two pairs are paired, too, where as many layers are left there.
    """
    points = [[0] * (len(layers) + 1) for _ in range(len(walk) + 1)]
    for i, one in enumerate(walk):
        for j, layer in enumerate(layers):
            fits = _fits(one, *layer)
            points[i + 1][j + 1] = max(points[i][j + 1], points[i + 1][j], points[i][j] + fits if fits else 0)
    places, i, j = [None] * len(walk), len(walk), len(layers)
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


def _fill(places, count):
    """``places`` with the lines between two pairs put to the layers between them, where they are as many."""
    filled, start = list(places), 0
    while start < len(places):
        end = start
        while end < len(places) and places[end] is None:
            end += 1
        low = places[start - 1] + 1 if start else 0
        high = places[end] if end < len(places) else count
        if end > start and high - low == end - start:
            filled[start:end] = range(low, high)
        start = end + 1
    return filled


def _candidates(walk):
    """(height, width, order of axes) of the inputs that may have led to a walk's first picture, likeliest first."""
    first = next((one for one in walk if len(one.shape) == 4 and None not in one.shape[1:]), None)
    if first is None:
        return [(224, 224, tuple)]
    times = (2, 1) if kind_of(first.name) in ("convolution", "batch norm", "activation") else (4, 2, 1)
    found = [
        (by * height, by * width, order)
        for order, (height, width) in ((tuple, first.shape[2:]), (_channels_last, first.shape[1:3]))
        for by in times
    ]
    found = [one for one in found if min(one[:2]) >= 1 and max(one[:2]) <= LARGEST]
    return found or [(224, 224, tuple), (224, 224, _channels_last)]


class Walker:
    """The network of ``spec``, built once; ``layers(shape)`` is its own walk of an input, [(name, shape)]."""

    def __init__(self, spec):
        from mxnet.name import NameManager

        from ..networks.models import build

        self.spec, self.known = spec, {}
        with NameManager():  # conv0, whatever was built before
            self.net = build(spec)

    def layers(self, shape):
        from ..networks.shapes import layer_shapes

        if shape not in self.known:
            self.known[shape] = list(layer_shapes(self.net, shape).itertuples(index=False, name=None))
        return self.known[shape]


def _walked(walk, walker, shape):
    """(layers, places) of the input given, or of the one whose layers fit the walk best."""
    channels = shape[1] if shape else images_of(walker.spec.family).channels
    wanted = [(*shape[2:], order) for order in (tuple, _channels_last)] if shape else _candidates(walk)
    best, problem = None, None
    for height, width, order in wanted:
        try:
            layers = [(name, order(size)) for name, size in walker.layers((1, channels, height, width))]
        except ShapeError as error:
            problem = problem or error
            continue
        points, places = align(walk, layers)
        if best is None or points > best[0]:
            best = points, layers, places
        if all(place is not None and one.shape[1:] == layers[place][1][1:] for one, place in zip(walk, places)):
            break  # no other input fits better
    if best is None:
        raise problem
    return best[1:]


def compare_walk(walk, walker, shape=None):
    """Rows of transcript.COLUMNS: a walk's lines next to the layers of ``walker``; ``shape`` is the input or None."""
    layers, places = _walked(walk, walker, shape)
    rows, before = [], -1
    for one, place in zip(walk, places):
        published = f"{one.name} {_written(one.shape)}"
        if place is None:
            rows.append((one.line, "shape", published, "", False, f"no such layer in {walker.spec.name}"))
            continue
        name, size = layers[place]
        size = (one.shape[0], *size[1:])  # a walk does not depend on the batch
        notes = []
        if size != one.shape:
            ones = _squeezed(size) == _squeezed(one.shape)
            notes.append("axes of size 1 apart, the same" if ones else "the shape differs")
        theirs, kind = kind_of(one.name), kind_of(name)
        if theirs == STAGE and place > before + 1:
            name = f"{layers[before + 1][0]} to {name}"
        elif theirs not in (kind, STAGE):
            notes.append(f"the layer differs: {theirs} there, {kind} here")
        elif place > before + 1 and theirs != STAGE:
            notes.append(f"not printed there: {', '.join(layer for layer, _ in layers[before + 1 : place])}")
        same = size == one.shape and theirs in (kind, STAGE)
        rows.append((one.line, "shape", published, f"{name} {_written(size)}", same, "; ".join(notes)))
        before = place
    return rows


def compare_block(one):
    """The row of transcript.COLUMNS for a residual block tried alone, :class:`gluon_resnet.lab.transcript.Block`."""
    from mxnet.gluon import nn
    from mxnet.name import NameManager

    from ..networks.blocks import Residual
    from ..networks.shapes import layer_shapes

    options = ", use_1x1conv=True" * one.use_1x1conv + f", strides={one.strides}" * (one.strides > 1)
    published = f"Residual({one.num_channels}{options}) {_written(one.shape)}"
    given = (one.input[0], one.input[3], *one.input[1:3]) if one.channels_last else one.input
    if reduce(mul, given) > MOST or not 0 < one.num_channels <= 4096 or not one.strides:
        return one.line, "shape", published, "", None, "too large to try"
    with NameManager():
        net = nn.HybridSequential()
        net.add(Residual(one.num_channels, one.use_1x1conv, one.strides))
    try:
        ((_, size),) = layer_shapes(net, given).itertuples(index=False, name=None)
    except ShapeError as error:
        return one.line, "shape", published, "", False, str(error)
    size = _channels_last(size) if one.channels_last else size
    return (
        one.line,
        "shape",
        published,
        f"residual {_written(size)}",
        size == one.shape,
        "" if size == one.shape else "the shape differs",
    )


def _written(shape):
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


# Values ---------------------------------------------------------------------------------------------------------------


class Ours:
    """The values of a run folder, or means over the seeds of a results file with one arm; ``path`` None has none."""

    def __init__(self, path=None):
        self.values, self.history, self.spec, self.remark = None, {}, None, ""
        if path is None:
            return
        if Path(path).is_file():
            self._read_results(path)
        else:
            self._read_run(path)

    def _read_run(self, path):
        run = read_run(path)
        if run.result is None:
            raise RunError(f"{path}: not finished: expected a run with a result.json; go on with --resume {path}")
        self.values, self.spec = run.result, run.spec
        self._remark(
            [setting for setting in differences(run.config) if not setting.startswith(("seed=", "data="))],
            run.kind is PICTURES,
        )
        for row in run.history[run.history["test_acc"].notna()].to_dict("records"):
            self.history[int(row["epoch"])] = row

    def _read_results(self, path):
        content = results.read(path)
        if len(content["arms"]) != 1:
            raise RunError(f"{path}: {len(content['arms'])} arms: expected one, or a run folder")
        ((arm, seeds),) = content["arms"].items()
        self.values = {"device": next(iter(seeds.values())).get("device")}
        for name in (*NAMES.values(), "examples_per_sec_end_to_end"):
            values = [one.get(name) for one in seeds.values()]
            self.values[name] = None if None in values else mean(values)
        self.spec = parse_model(content["config"][arm].get("model", DEFAULT))
        self.remark = f"mean of {len(seeds)} seeds"

    def _remark(self, settings, pictures):
        recipe = ["other pictures"] if pictures else settings
        self.remark = f"not article 001's recipe: {', '.join(recipe)}" if recipe else ""

    def network(self, model=None):
        """The spec to walk: ``model``'s, or the run's, or article 001's."""
        return parse_model(model) if model else self.spec or parse_model(DEFAULT)

    def value(self, one):
        """Our value for a printed one, of its epoch where that was printed; None where the run has none."""
        values = self.values
        if one.epoch is not None:
            values = self.history.get(one.epoch, {})
        return values.get("examples_per_sec_end_to_end" if one.where == "end to end" else NAMES[one.kind])


def compare_value(one, ours):
    """The row of transcript.COLUMNS for a printed :class:`gluon_resnet.lab.transcript.Value` next to the run's."""
    kind = one.kind if one.epoch is None else f"{one.kind}, epoch {one.epoch}"
    published = f"{one.text} {one.where}".strip()
    if ours.values is None:
        return one.line, kind, published, "", None, NO_RUN
    value = ours.value(one)
    if value is None:
        return one.line, kind, published, "", None, "the run has no such value"
    if one.kind == "examples/sec":
        return _compared_rate(one, published, value, ours)
    if one.epoch is not None:
        return one.line, kind, published, f"{value:.3f}", None, "bands are those of a last epoch"
    low, high = BANDS[one.kind]
    inside = low <= round(value, 3) <= high
    note = f"{'inside' if inside else 'outside'} the band {low:.3f} to {high:.3f} of six editions"
    note = f"{note}; {ours.remark}" if ours.remark else note
    return one.line, kind, published, f"{value:.3f}", inside, note


def _compared_rate(one, published, value, ours):
    rate = float(one.text.replace(",", ""))
    where = "" if one.where == "end to end" else f" on {ours.values.get('device')}"
    ratio = f"ours / published: {value / rate:.4f}" if rate > 0 else ""
    return one.line, one.kind, published, f"{value:.1f}{where}", None, ratio
