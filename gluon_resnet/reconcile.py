"""Two networks of one name compared layer by layer: where they differ, and what each difference costs. Needs no mxnet.

    comparison = compare(parse_model("resnet50@torchvision"), parse_model("resnet50@keras"))
    print(as_text(comparison))
    reconcile_plot.draw(comparison, "differences.png")
    comparison.table.to_csv("differences.csv", index=False)

Layers are matched by stage, block and position, so networks of different depth can be compared, too. Parameters are the
trainable ones; multiply-adds are counted for one picture as in shapes.py (convolutions and the classifier, padding
included; Table 1 of He et al., arXiv 1512.03385). The rows sum to the differences of the totals exactly.
"""
from dataclasses import dataclass
from typing import Tuple

import pandas as pd

from tabulate import tabulate

from .errors import ShapeError
from .layout import Conv, layout
from .specs import ResNetSpec

COLUMNS = ["layer", "what", "a", "b", "parameters", "multiply_adds"]
NUMBERS = COLUMNS[-2:]
HEAD = 99  # behind every stage; as a place inside a block: the shortcut, its batch norm next

#: What explains a difference of a layer's numbers: the first of these in which the layer differs.
CAUSES = {
    "parameters": ("only in a", "only in b", "shortcut", "batch norm", "kernel", "in channels", "channels", "classes",
                   "bias"),
    "multiply_adds": ("only in a", "only in b", "shortcut", "kernel", "in channels", "channels", "classes", "stride",
                      "padding", "input size"),
}


@dataclass(frozen=True)
class Layer:
    """One layer: name, what it is, what can differ in it as {property: text}, trainable parameters, multiply-adds."""

    name: str
    text: str
    traits: dict
    parameters: int
    multiply_adds: int = 0


@dataclass(frozen=True)
class Network:
    """A spec's layers as {(stage, block, place): Layer} in the order they run; stage 0 is the stem, HEAD the head."""

    spec: ResNetSpec
    layers: dict

    def total(self, number, stage=None):
        """Sum of "parameters" or "multiply_adds" over all layers, or over those of one stage."""
        return sum(getattr(layer, number) for key, layer in self.layers.items() if stage in (None, key[0]))


@dataclass(frozen=True)
class Comparison:
    """Networks a and b, and ``table`` with a row for every layer that differs.

    Its columns: layer, what, a and b (text; several differences of a layer are joined by ", "), and the differences
    b - a of parameters and multiply_adds (whole numbers).
    """

    a: Network
    b: Network
    picture: Tuple[int, int, int]  # channels, height, width
    table: pd.DataFrame

    def stages(self):
        """A table by stage: stage, parameters_a, parameters_b, parameters (b - a), and so for multiply_adds."""
        rows = []
        for stage in sorted({key[0] for net in (self.a, self.b) for key in net.layers}):
            row = {"stage": {0: "stem", HEAD: "head"}.get(stage, f"stage {stage}")}
            for number in NUMBERS:
                a, b = (net.total(number, stage) for net in (self.a, self.b))
                row.update({f"{number}_a": a, f"{number}_b": b, number: b - a})
            rows.append(row)
        return pd.DataFrame(rows)


def _conv(conv, size, name=None):
    """The layer of a convolution over a picture of ``size`` (height, width), and the size of its output."""
    out = conv.out_size(*size)
    if min(out) < 1:
        raise ShapeError(f"layer {conv.name} cannot take an input of {size[0]}x{size[1]}: "
                         f"give a larger height and width")
    weights = conv.out_channels * conv.in_channels * conv.kernel ** 2
    traits = {"kernel": f"{conv.kernel}x{conv.kernel}", "in channels": str(conv.in_channels),
              "channels": str(conv.out_channels), "stride": str(conv.stride), "padding": str(conv.padding),
              "bias": "yes" if conv.bias else "no", "input size": f"{size[0]}x{size[1]}"}
    text = f"conv {conv.kernel}x{conv.kernel} {conv.in_channels} to {conv.out_channels}"
    parameters = weights + conv.bias * conv.out_channels
    return Layer(name or conv.name, text, traits, parameters, weights * out[0] * out[1]), out


def _norm(norm, name=None):
    return Layer(name or norm.name, f"batch norm {norm.channels}",
                 {"channels": str(norm.channels), "eps": str(norm.eps)}, 2 * norm.channels)


def _block(layers, where, block, size):
    """Add the layers of ``block`` to ``layers``; the size of its output."""
    out = size
    for i, (conv, norm) in enumerate(block.body):
        layers[(*where, 2 * i)], out = _conv(conv, out)
        layers[(*where, 2 * i + 1)] = _norm(norm)
    if block.shortcut is not None:
        conv, norm = block.shortcut
        layers[(*where, HEAD)], _ = _conv(conv, size, f"{block.name}.shortcut.conv")
        if norm is not None:
            layers[(*where, HEAD + 1)] = _norm(norm, f"{block.name}.shortcut.bn")
    return out


def network(spec, in_channels=3, size=(224, 224)):
    """The :class:`Network` of ``spec`` for pictures of ``size`` (height, width); ShapeError if they are too small."""
    described = layout(spec, in_channels)
    conv, norm = described.stem
    layers = {}
    layers[(0, 0, 0)], size = _conv(conv, size)
    layers[(0, 0, 1)] = _norm(norm)
    _, out = _conv(Conv("3", norm.channels, norm.channels, 3, 2, described.pool_padding, False), size)
    layers[(0, 0, 2)] = Layer("3", "max pool 3x3", {"padding": str(described.pool_padding)}, 0)
    for s, stage in enumerate(described.stages, 1):
        for b, block in enumerate(stage):
            out = _block(layers, (s, b), block, out)
    head = described.classifier
    weights = head.in_units * head.units
    layers[(HEAD, 0, 0)] = Layer(head.name, f"dense {head.in_units} to {head.units}",
                                 {"in channels": str(head.in_units), "classes": str(head.units)},
                                 weights + head.units, weights)
    return Network(spec, layers)


def _differences(a, b):
    """[(what, value in a, value in b)] of two layers in one place."""
    # Where the work is the same, another input size is only the other side of a stride that sits elsewhere.
    same_work = a.multiply_adds == b.multiply_adds
    return [(name, a.traits[name], b.traits[name]) for name in a.traits
            if a.traits[name] != b.traits[name] and not (name == "input size" and same_work)]


def _missing(a, b, key, blocks):
    """[(what, value in a, value in b)] where one of the two networks has no layer at ``key``."""
    layer = a or b
    if key[2] >= HEAD and all(key[:2] in each for each in blocks):
        conv_in_both = layer.name.endswith(".bn") and all((*key[:2], HEAD) in each[key[:2]] for each in blocks)
        what, values = ("batch norm", ("no", "yes")) if conv_in_both else ("shortcut", ("identity", "projection"))
    else:
        what, values = f"only in {'a' if a else 'b'}", ("-", layer.text)
    return [(what, *(values[::-1] if a else values))]


def _blocks(net):
    found = {}
    for key in net.layers:
        found.setdefault(key[:2], []).append(key)
    return found


def differences(a, b):
    """{(stage, block, place): [(what, value in a, value in b)]} for every layer in which two Networks differ."""
    found, blocks = {}, (_blocks(a), _blocks(b))
    for key in sorted({*a.layers, *b.layers}):
        one, other = a.layers.get(key), b.layers.get(key)
        found[key] = _differences(one, other) if one and other else _missing(one, other, key, blocks)
    return {key: value for key, value in found.items() if value}


def _minus(b, a, number):
    return (getattr(b, number) if b else 0) - (getattr(a, number) if a else 0)


def compare(spec_a, spec_b, in_channels=3, size=(224, 224)):
    """Compare two specs for pictures of ``in_channels`` channels and ``size`` (height, width); see :class:`Comparison`.

    Raises ShapeError where the pictures are too small for one of the two.
    """
    a, b = (network(spec, in_channels, size) for spec in (spec_a, spec_b))
    rows = []
    for key, found in differences(a, b).items():
        one, other = a.layers.get(key), b.layers.get(key)
        rows.append(((one or other).name, *(", ".join(part) for part in zip(*found)),
                     *(_minus(other, one, number) for number in NUMBERS)))
    table = pd.DataFrame(rows, columns=COLUMNS).astype({number: "int64" for number in NUMBERS})
    return Comparison(a, b, (in_channels, *size), table)


def groups(comparison, most=3):
    """The same difference in many layers as one row: what, a, b, layers (how many), parameters, multiply_adds, where.

    The numbers of a layer go to the difference that explains them (CAUSES), so they sum to the table's. A difference
    with more than ``most`` pairs of values, such as channels from basic blocks to bottlenecks, is a row without values.
    """
    a, b = comparison.a, comparison.b
    found = differences(a, b)
    pairs = {}
    for each in found.values():
        for what, *values in each:
            pairs.setdefault(what, set()).add(tuple(values))
    rows = {}
    for key, each in found.items():
        one, other = a.layers.get(key), b.layers.get(key)
        differing = [what for what, *_ in each]
        causes = {number: next((what for what in CAUSES[number] if what in differing), None) for number in NUMBERS}
        for what, *values in each:
            values = ["", ""] if what.startswith("only") or len(pairs[what]) > most else values
            row = rows.setdefault((what, *values), {"what": what, "a": values[0], "b": values[1], "layers": [],
                                                    "parameters": 0, "multiply_adds": 0})
            row["layers"].append((one or other).name)
            for number in NUMBERS:
                row[number] += _minus(other, one, number) if causes[number] == what else 0
    table = [{**row, "layers": len(row["layers"]), "where": _where(row["layers"])} for row in rows.values()]
    return pd.DataFrame(table, columns=["what", "a", "b", "layers", *NUMBERS, "where"])


def _where(names):
    return " ".join(names) if len(names) <= 4 else f"{names[0]} ... {names[-1]}"


def _signed(value):
    return f"{value:+,}" if value else "0"


def _as_table(table):
    return tabulate([[_signed(value) if name in NUMBERS else value for name, value in row.items()]
                     for row in table.to_dict("records")], headers=[name.replace("_", " ") for name in table.columns],
                    colalign=["right" if name in ("layers", *NUMBERS) else "left" for name in table.columns],
                    disable_numparse=True)


def as_text(comparison, full=False):
    """What differs in how many layers and what it costs, then the totals; with ``full`` all layers that differ, too."""
    names = [net.spec.name for net in (comparison.a, comparison.b)]
    picture = "x".join(map(str, comparison.picture))
    count, places = len(comparison.table), len({*comparison.a.layers, *comparison.b.layers})
    lines = [f"a: {names[0]}, b: {names[1]}, one picture of {picture}: {count} of {places} layers differ"]
    if count:
        lines += ["", _as_table(groups(comparison))]
        if full:
            lines += ["", _as_table(comparison.table)]
    lines.append("")
    for number in NUMBERS:
        a, b = comparison.a.total(number), comparison.b.total(number)
        lines.append(f"{number.replace('_', '-')}: {a:,} -> {b:,} ({_signed(b - a)})")
    return "\n".join(lines)
