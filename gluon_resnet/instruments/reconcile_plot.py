"""The picture of a comparison: both networks as columns of blocks, coloured where they differ, and the cost by stage.

    draw(compare(parse_model("resnet50@torchvision"), parse_model("resnet50@keras")), "differences.png")

Blocks that follow each other in one stage and are alike, differences included, are drawn once. In a block the
convolutions are drawn from left to right, the batch norm of each below it, the shortcut at the end.
"""

from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple, Union

from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from ..figures import as_png, new_figure
from ..files import writing
from ..networks.cost import EXTRA, HEAD, Key, Layer, Network
from ..text import count
from .reconcile import NUMBERS, Comparison, Difference, differences

Differences = Dict[Key, List[Difference]]
Row = Tuple[int, int, int]  # stage, first block, last block

SHAPE = "kernel or channels"
COLOURS = {
    "bias": "#9ecae1",
    "eps": "#a1d99b",
    "stride": "#fdae6b",
    "padding": "#f7a8c4",
    "batch norm": "#c5b0d5",
    "shortcut": "#dbb896",
    SHAPE: "#ffe27a",
    "input size": "#c4c4c4",
    "scale": "#9edae5",
    "head": "#e7cb94",
    "only in one": "#f4827b",
}
CELL, GAP = 1.0, 0.55  # width of a cell, and of the space between the networks


def _kind(what: str) -> str:
    """The kind of difference, a row of COLOURS, that ``what`` differs belongs to."""
    if what.startswith("only"):
        return "only in one"
    if what in ("input norm", "final norm"):
        return "batch norm"
    return SHAPE if what in ("kernel", "in channels", "channels", "classes") else what


def _rows(comparison: Comparison, changes: Differences) -> List[Row]:
    """Runs of blocks whose layers and differences are the same."""

    def content(stage: int, block: int) -> tuple:
        return [
            [(key[2], layer.text, layer.traits) for key, layer in net.layers.items() if key[:2] == (stage, block)]
            for net in (comparison.a, comparison.b)
        ], {key[2]: value for key, value in changes.items() if key[:2] == (stage, block)}

    rows: List[Row] = []
    before = None
    for stage, block in sorted({key[:2] for net in (comparison.a, comparison.b) for key in net.layers}):
        here = content(stage, block)
        if rows and rows[-1][0] == stage and here == before:
            rows[-1] = (stage, rows[-1][1], block)
        else:
            rows.append((stage, block, block))
        before = here
    return rows


def _label(layer: Layer, kinds: Sequence[str]) -> str:
    """What a cell says: as in the paper's figures, "3x3, 128, /2" is a convolution to 128 channels with stride 2."""
    traits = layer.traits
    if "kernel" in traits:
        return ", ".join(
            [
                traits["kernel"],
                traits["channels"],
                *(["/2"] if traits["stride"] == "2" else []),
                *(["bias"] if traits["bias"] == "yes" else []),
                *([f"of {traits['input size']}"] if "input size" in kinds else []),
            ]
        )
    if "eps" in traits:
        return f"bn, eps {traits['eps']}" + ("" if traits["scale"] == "learned" else ", no scale")
    if "shortcut" in traits:
        return layer.text + (", /2" if traits.get("stride") == "2" and layer.text != "subsampling" else "")
    return f"max 3x3, /2, pad {traits['padding']}" if "padding" in traits else layer.text


def _cell(
    axes: Any,
    x: float,
    y: float,
    height: float,
    text: str,
    kinds: Sequence[str],
    width: float = CELL,
    there: bool = True,
) -> None:
    """One layer: a box in the colours of its differences, side by side; dotted if the network has no such layer."""
    width -= 0.04
    for i, kind in enumerate(kinds):
        part = width / len(kinds)
        axes.add_patch(Rectangle((x + i * part, y), part, height, color=COLOURS[kind], lw=0))
    axes.add_patch(
        Rectangle((x, y), width, height, fill=False, lw=0.7, ec="0.35" if there else "0.6", ls="-" if there else ":")
    )
    axes.text(
        x + width / 2,
        y + height / 2,
        text,
        ha="center",
        va="center",
        fontsize=6.5 if len(text) < 24 else 5.5,
        color="black" if there else "0.3",
    )


def _slot(stage: int, place: int, slots: int) -> Tuple[int, int]:
    """(column, 0 above or 1 below) of a layer: the pairs of the body from left to right, the shortcut's last."""
    if place == EXTRA:
        return (2 if stage == 0 else 1), 0
    return (slots - 1, place - HEAD) if place >= HEAD else divmod(place, 2)


def _blocks_name(comparison: Comparison, stage: int, first: int, last: int) -> str:
    """The blocks' names, such as "4.0 to 4.2", without the stage's number if the two networks count differently."""
    numbers = {
        layer.name.partition(".")[0]
        for net in (comparison.a, comparison.b)
        for key, layer in net.layers.items()
        if key[0] == stage
    }
    begin = f"{numbers.pop()}." if len(numbers) == 1 else "block "
    end = begin if begin != "block " else ""
    return f"{begin}{first}" + (f" to {end}{last}" if last > first else "")


def _draw_block(
    axes: Any, x: float, y: float, net: Network, where: Tuple[int, int], changes: Differences, slots: int
) -> None:
    """The layers of block ``where`` (stage, block) of one network, and what it lacks of the other's; y is its top."""
    y += 0.06
    if not any(key[:2] == where for key in net.layers):
        _cell(axes, x, y, 0.88, "no such block", [], slots * CELL, there=False)
        return
    stage, identity = where[0], where[0] not in (0, HEAD) and (*where, HEAD) not in net.layers
    bare = not identity and stage not in (0, HEAD) and "kernel" not in net.layers[(*where, HEAD)].traits
    for key in sorted({*net.layers, *changes}):
        place = key[2]
        if key[:2] != where or (identity and place >= HEAD) or (bare and place > HEAD):
            continue
        slot, below = _slot(stage, place, slots)
        layer = net.layers.get(key)
        kinds = list(dict.fromkeys(_kind(what) for what, *_ in changes.get(key, [])))
        # these have no batch norm below them: classifier, pooling, a shortcut without parameters
        whole = stage == HEAD or place == EXTRA or (stage, place) == (0, 2) or (bare and place == HEAD)
        _cell(
            axes,
            x + slot * CELL,
            y + 0.44 * below,
            0.88 if whole else 0.44,
            _label(layer, kinds) if layer else "none",
            kinds,
            there=layer is not None,
        )
    if identity:
        kinds = [_kind(what) for what, *_ in changes.get((*where, HEAD), [])]
        _cell(axes, x + (slots - 1) * CELL, y, 0.88, "identity", kinds)


def _draw_networks(axes: Any, comparison: Comparison, rows: List[Row], changes: Differences) -> None:
    networks = (comparison.a, comparison.b)
    slots = 1 + max(key[2] // 2 + 1 for net in networks for key in net.layers if key[2] < HEAD)  # and the shortcut
    starts = (0, slots * CELL + GAP)
    for x, letter, net in zip(starts, "ab", networks):
        axes.text(x + slots * CELL / 2, -0.45, f"{letter}: {net.spec.name}", ha="center", fontsize=10, weight="bold")
        axes.text(x + (slots - 0.5) * CELL, -0.1, "shortcut", ha="center", fontsize=6.5, color="0.4")
        for y, (stage, first, _) in enumerate(rows):
            _draw_block(axes, x, y, net, (stage, first), changes, slots)
    for y, (stage, first, last) in enumerate(rows):
        blocks = _blocks_name(comparison, stage, first, last) if 0 < stage < HEAD else ""
        name = {0: "stem", HEAD: "head"}.get(stage, f"stage {stage}\n{blocks}")
        axes.text(-0.08, y + 0.5, name, ha="right", va="center", fontsize=7.5)
    axes.set(xlim=(-0.75, starts[1] + slots * CELL + 0.05))
    axes.axis("off")


def _draw_bars(axes: Any, centres: List[float], values: List[int], title: str, unit: str) -> None:
    """Differences by stage: ``values`` in ``unit`` ("" or "M") at the heights ``centres``."""
    largest = max(abs(value) for value in values) or 1
    axes.barh(centres, values, height=0.3, color=["tab:red" if value > 0 else "tab:blue" for value in values])
    axes.axvline(0, color="0.4", lw=0.7)
    for y, value in zip(centres, values):
        text = (f"{value / 1e6:+,.2f} M" if unit else f"{value:+,}") if value else "0"
        axes.text(
            0,
            y + 0.32,
            text,
            ha="center",
            va="center",
            fontsize=7,
            bbox=dict(facecolor="white", edgecolor="none", pad=0.8),
        )
    total = sum(values)
    axes.set_title(f"{title}, b - a\n" + (f"{total / 1e6:+,.2f} M" if unit else f"{total:+,}"), fontsize=8)
    axes.set(xlim=(-1.2 * largest, 1.2 * largest), xticks=[])
    axes.spines[["top", "right", "bottom", "left"]].set_visible(False)
    axes.tick_params(left=False, labelleft=False)


def figure(comparison: Comparison) -> Figure:
    """The picture of a Comparison as a matplotlib Figure."""
    changes = differences(comparison.a, comparison.b)
    rows = _rows(comparison, changes)
    picture = new_figure(15, 1.7 + 0.62 * len(rows))
    networks, parameters, work = picture.subplots(1, 3, sharey=True, width_ratios=[11, 1.7, 1.7])
    _draw_networks(networks, comparison, rows, changes)
    networks.set_ylim(len(rows) + 0.1, -0.7)
    table = comparison.stages()
    lines = [y for y, row in enumerate(rows) if y and row[0] != rows[y - 1][0]]
    centres = [(top + bottom) / 2 for top, bottom in zip([0, *lines], [*lines, len(rows)])]
    for axes, number, unit in ((parameters, NUMBERS[0], ""), (work, NUMBERS[1], "M")):
        _draw_bars(axes, centres, [int(value) for value in table[number]], number.replace("_", "-"), unit)
    for axes in (networks, parameters, work):
        for y in lines:
            axes.axhline(y, color="0.85", lw=0.7, zorder=0)
    seen = {_kind(what) for of_layer in changes.values() for what, *_ in of_layer}
    picture.suptitle(
        f"differences in {count(len(comparison.table), 'layer')}; one picture of "
        f"{'x'.join(map(str, comparison.picture))}",
        fontsize=10,
    )
    if seen:
        picture.legend(
            handles=[Patch(color=colour, label=kind) for kind, colour in COLOURS.items() if kind in seen],
            loc="outside lower center",
            ncols=len(COLOURS),
            fontsize=8,
            frameon=False,
        )
    return picture


def draw(comparison: Comparison, path: Union[str, Path]) -> None:
    """Write the picture of a Comparison to ``path`` as PNG, whole or not at all; RunError if that cannot be done."""
    content = as_png(figure(comparison))
    with writing(path, "name a file in a folder that exists and may be written") as temporary:
        temporary.write_bytes(content)
