"""Two networks of one name compared layer by layer: where they differ, and what each difference costs. Needs no mxnet.

    comparison = compare(parse_model("resnet50@torchvision"), parse_model("resnet50@keras"))
    print(as_text(comparison))
    reconcile_plot.draw(comparison, "differences.png")
    comparison.table.to_csv("differences.csv", index=False)

Layers are matched by stage, block and position, so networks of different depth can be compared, too. Parameters are the
trainable ones; multiply-adds are counted for one picture as in shapes.py (convolutions and the classifier, padding
included; Table 1 of He et al., arXiv 1512.03385). The rows sum to the differences of the totals exactly. Shortcuts
without parameters and plain blocks, which have none, are layers, too; an identity is not.
"""

from dataclasses import dataclass
from typing import Tuple

import pandas as pd
from tabulate import tabulate

from ..networks.cost import HEAD, Network, network
from ..networks.layout import children

COLUMNS = ["layer", "what", "a", "b", "parameters", "multiply_adds"]
NUMBERS = COLUMNS[-2:]
#: What explains a difference of a layer's numbers: the first of these in which the layer differs.
CAUSES = {
    "parameters": (
        "only in a",
        "only in b",
        "shortcut",
        "input norm",
        "final norm",
        "batch norm",
        "kernel",
        "in channels",
        "channels",
        "classes",
        "bias",
        "scale",
    ),
    "multiply_adds": (
        "only in a",
        "only in b",
        "shortcut",
        "kernel",
        "in channels",
        "channels",
        "classes",
        "stride",
        "padding",
        "input size",
    ),
}


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

    def __str__(self):
        return as_text(self)


def _differences(a, b):
    """[(what, value in a, value in b)] of two layers in one place."""
    kinds = [layer.traits.get("shortcut") for layer in (a, b)]
    if kinds[0] != kinds[1]:
        return [("shortcut", *kinds)]
    # Where the work is the same, another input size is only the other side of a stride that sits elsewhere.
    same_work = a.multiply_adds == b.multiply_adds
    return [
        (name, a.traits[name], b.traits[name])
        for name in a.traits
        if a.traits[name] != b.traits[name] and not (name == "input size" and same_work)
    ]


def shortcut(net, where):
    """What stands beside the body of block ``where`` (stage, block): identity, projection, zero padding and so on."""
    layer = net.layers.get((*where, HEAD))
    return "identity" if layer is None else layer.traits["shortcut"]


def _missing(a, b, key, nets):
    """[(what, value in a, value in b)] where one of the two networks has no layer at ``key``."""
    layer, (stage, block, place) = a or b, key
    kinds = [shortcut(net, key[:2]) for net in nets] if all((stage, block, 0) in net.layers for net in nets) else None
    has_norm = ("yes", "no") if a else ("no", "yes")
    if kinds and place >= HEAD and kinds[0] != kinds[1]:
        return [("shortcut", *kinds)]
    if "role" in layer.traits:
        return [(layer.traits["role"], *has_norm)]
    if "eps" in layer.traits and all((stage, block, place - 1) in net.layers for net in nets):
        return [("batch norm", *has_norm)]
    return [("only in a", layer.text, "-") if a else ("only in b", "-", layer.text)]


def differences(a, b):
    """{(stage, block, place): [(what, value in a, value in b)]} for every layer in which two Networks differ."""
    found = {}
    for key in sorted({*a.layers, *b.layers}):
        one, other = a.layers.get(key), b.layers.get(key)
        found[key] = _differences(one, other) if one and other else _missing(one, other, key, (a, b))
    return {key: value for key, value in found.items() if value}


def _name(a, b, key):
    """The layer's name in a; one that only b has is called "b's ..." where b counts its children differently."""
    if key in a.layers:
        return a.layers[key].name
    name = b.layers[key].name
    return name if children(a.spec) == children(b.spec) else f"b's {name}"


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
        rows.append(
            (
                _name(a, b, key),
                *(", ".join(part) for part in zip(*found)),
                *(_minus(other, one, number) for number in NUMBERS),
            )
        )
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
            row = rows.setdefault(
                (what, *values),
                {"what": what, "a": values[0], "b": values[1], "layers": [], "parameters": 0, "multiply_adds": 0},
            )
            row["layers"].append(_name(a, b, key))
            for number in NUMBERS:
                row[number] += _minus(other, one, number) if causes[number] == what else 0
    table = [{**row, "layers": len(row["layers"]), "where": _where(row["layers"])} for row in rows.values()]
    return pd.DataFrame(table, columns=["what", "a", "b", "layers", *NUMBERS, "where"])


def _where(names):
    return " ".join(names) if len(names) <= 4 else f"{names[0]} ... {names[-1]}"


def _signed(value):
    return f"{value:+,}" if value else "0"


def _as_table(table):
    return tabulate(
        [
            [_signed(value) if name in NUMBERS else value for name, value in row.items()]
            for row in table.to_dict("records")
        ],
        headers=[name.replace("_", " ") for name in table.columns],
        colalign=["right" if name in ("layers", *NUMBERS) else "left" for name in table.columns],
        disable_numparse=True,
    )


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
