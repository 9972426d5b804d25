"""Two networks of one name compared layer by layer: where they differ, and what each difference costs. Needs no mxnet.

    comparison = compare(parse_model("resnet50@torchvision"), parse_model("resnet50@keras"))
    print(as_text(comparison))
    reconcile_plot.draw(comparison, "differences.png")
    comparison.table.to_csv("differences.csv", index=False)

Layers are matched by stage, block and position, so networks of different depth can be compared, too. Parameters and
multiply-adds of one image are counted by cost.py; the rows sum to the differences of the totals exactly. Shortcuts
without parameters are layers, too, and so is the missing shortcut of a plain block; an identity is not.
"""

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Set, Tuple

import pandas as pd

from .. import text
from ..networks.cost import HEAD, Key, Layer, Network, Size, network
from ..networks.layout import children, place_name
from ..networks.specs import ResNetSpec
from ..text import count as counted

COLUMNS = ["layer", "place", "what", "a", "b", "parameters", "multiply_adds"]
NUMBERS = COLUMNS[-2:]

#: (what differs, its value in a, its value in b)
Difference = Tuple[str, str, str]
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
        "groups",
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
        "groups",
        "classes",
        "stride",
        "padding",
        "input size",
    ),
}


@dataclass(frozen=True)
class Comparison:
    """Networks a and b, and ``table`` with a row for every layer that differs.

    Its columns: layer, place (such as stage1.block0.conv1), what, a and b (text; several differences of a layer are
    joined by ", "), and the differences b - a of parameters and multiply_adds (whole numbers).
    """

    a: Network
    b: Network
    picture: Tuple[int, int, int]  # channels, height, width
    table: pd.DataFrame

    def stages(self) -> pd.DataFrame:
        """A table by stage: stage, parameters_a, parameters_b, parameters (b - a), and so for multiply_adds."""
        rows = []
        for stage in sorted({key[0] for net in (self.a, self.b) for key in net.layers}):
            row: Dict[str, Any] = {"stage": {0: "stem", HEAD: "head"}.get(stage, f"stage {stage}")}
            for number in NUMBERS:
                a, b = (net.total(number, stage) for net in (self.a, self.b))
                row.update({f"{number}_a": a, f"{number}_b": b, number: b - a})
            rows.append(row)
        return pd.DataFrame(rows)

    def __str__(self) -> str:
        return as_text(self)


def _differences(a: Layer, b: Layer) -> List[Difference]:
    """The differences of two layers in one place."""
    kinds = a.traits.get("shortcut", ""), b.traits.get("shortcut", "")
    if kinds[0] != kinds[1]:
        return [("shortcut", *kinds)]
    # If the work is the same, another input size only means that a stride is in another layer.
    same_work = a.multiply_adds == b.multiply_adds
    return [
        (name, a.traits[name], b.traits[name])
        for name in a.traits
        if a.traits[name] != b.traits[name] and not (name == "input size" and same_work)
    ]


def shortcut(net: Network, where: Tuple[int, int]) -> str:
    """The shortcut of block ``where`` (stage, block): "identity", "projection", "zero padding" and so on."""
    layer = net.layers.get((*where, HEAD))
    return "identity" if layer is None else layer.traits["shortcut"]


def _missing(layer: Layer, in_a: bool, key: Key, nets: Sequence[Network]) -> List[Difference]:
    """The differences at ``key``, a place at which only one of the two networks has a layer."""
    stage, block, place = key
    if place >= HEAD and all((stage, block, 0) in net.layers for net in nets):
        kind_a, kind_b = (shortcut(net, (stage, block)) for net in nets)
        if kind_a != kind_b:
            return [("shortcut", kind_a, kind_b)]
    has_norm = ("yes", "no") if in_a else ("no", "yes")
    if "role" in layer.traits:
        return [(layer.traits["role"], *has_norm)]
    if "eps" in layer.traits and all((stage, block, place - 1) in net.layers for net in nets):
        return [("batch norm", *has_norm)]
    return [("only in a", layer.text, "-") if in_a else ("only in b", "-", layer.text)]


def differences(a: Network, b: Network) -> Dict[Key, List[Difference]]:
    """{(stage, block, place): [(what, value in a, value in b)]} for every layer in which two Networks differ."""
    by_key = {}
    for key in sorted({*a.layers, *b.layers}):
        if key in a.layers and key in b.layers:
            by_key[key] = _differences(a.layers[key], b.layers[key])
        else:
            in_a = key in a.layers
            by_key[key] = _missing((a if in_a else b).layers[key], in_a, key, (a, b))
    return {key: value for key, value in by_key.items() if value}


def _name(a: Network, b: Network, key: Key) -> str:
    """The layer's name in a; one that only b has is called "b's ..." if b counts its children differently."""
    if key in a.layers:
        return a.layers[key].name
    name = b.layers[key].name
    return name if children(a.spec) == children(b.spec) else f"b's {name}"


def _place(a: Network, b: Network, key: Key) -> str:
    """Where the layer is, the same in a and b however they count their children."""
    net = a if key in a.layers else b
    return place_name(net.spec, net.layers[key].name)


def _minus(b: Optional[Layer], a: Optional[Layer], number: str) -> int:
    return (getattr(b, number) if b else 0) - (getattr(a, number) if a else 0)


def compare(spec_a: ResNetSpec, spec_b: ResNetSpec, in_channels: int = 3, size: Size = (224, 224)) -> Comparison:
    """Compare two networks layer by layer.

    Args:
        spec_a: a row of the table, such as ``parse_model("resnet50@torchvision")``.
        spec_b: another one.
        in_channels: channels of the image that both are counted for.
        size: (height, width) of that image in pixels.

    Raises:
        ShapeError: the image is too small for one of the two.
    """
    a, b = (network(spec, in_channels, size) for spec in (spec_a, spec_b))
    rows = []
    for key, changes in differences(a, b).items():
        layer_a, layer_b = a.layers.get(key), b.layers.get(key)
        rows.append(
            (
                _name(a, b, key),
                _place(a, b, key),
                *(", ".join(part) for part in zip(*changes)),
                *(_minus(layer_b, layer_a, number) for number in NUMBERS),
            )
        )
    table = pd.DataFrame(rows, columns=COLUMNS).astype({number: "int64" for number in NUMBERS})
    return Comparison(a, b, (in_channels, *size), table)


def groups(comparison: Comparison, most: int = 3) -> pd.DataFrame:
    """The same difference in many layers as one row: what, a, b, layers (how many), parameters, multiply_adds, where.

    The numbers of a layer go to the difference that explains them (CAUSES), so they sum to the table's. A difference
    with more than ``most`` pairs of values, such as channels from basic blocks to bottlenecks, is a row without values.
    """
    a, b = comparison.a, comparison.b
    by_key = differences(a, b)
    pairs: Dict[str, Set[Tuple[str, ...]]] = {}
    for changes in by_key.values():
        for what, *values in changes:
            pairs.setdefault(what, set()).add(tuple(values))
    rows: Dict[Difference, Dict[str, Any]] = {}
    for key, changes in by_key.items():
        layer_a, layer_b = a.layers.get(key), b.layers.get(key)
        differing = [what for what, *_ in changes]
        causes = {number: next((what for what in CAUSES[number] if what in differing), None) for number in NUMBERS}
        for what, *values in changes:
            in_a, in_b = ("", "") if what.startswith("only") or len(pairs[what]) > most else values
            row = rows.setdefault(
                (what, in_a, in_b),
                {"what": what, "a": in_a, "b": in_b, "layers": [], "parameters": 0, "multiply_adds": 0},
            )
            row["layers"].append(_name(a, b, key))
            for number in NUMBERS:
                row[number] += _minus(layer_b, layer_a, number) if causes[number] == what else 0
    table = [{**row, "layers": len(row["layers"]), "where": _where(row["layers"])} for row in rows.values()]
    return pd.DataFrame(table, columns=["what", "a", "b", "layers", *NUMBERS, "where"])


def _where(names: List[str]) -> str:
    return " ".join(names) if len(names) <= 4 else f"{names[0]} ... {names[-1]}"


def _signed(value: int) -> str:
    return f"{value:+,}" if value else "0"


def _as_table(table: pd.DataFrame) -> str:
    return text.table(
        [
            [_signed(value) if name in NUMBERS else value for name, value in row.items()]
            for row in table.to_dict("records")
        ],
        headers=[name.replace("_", " ") for name in table.columns],
        colalign=["right" if name in ("layers", *NUMBERS) else "left" for name in table.columns],
    )


def as_text(comparison: Comparison, full: bool = False) -> str:
    """What differs in how many layers and what it costs, then the totals; with ``full`` all layers that differ, too."""
    names = [net.spec.name for net in (comparison.a, comparison.b)]
    picture = "x".join(map(str, comparison.picture))
    count, places = len(comparison.table), len({*comparison.a.layers, *comparison.b.layers})
    lines = [f"a: {names[0]}, b: {names[1]}, one picture of {picture}: {count} of {counted(places, 'layer')} differ"]
    if count:
        lines += ["", _as_table(groups(comparison))]
        if full:
            lines += ["", _as_table(comparison.table)]
    lines.append("")
    for number in NUMBERS:
        a, b = comparison.a.total(number), comparison.b.total(number)
        lines.append(f"{number.replace('_', '-')}: {a:,} -> {b:,} ({_signed(b - a)})")
    return "\n".join(lines)
