"""Table 1 of He et al. and the sizes of their Table 6, made from the specs, with ours and theirs side by side.

    gluon-resnet table1
    gluon-resnet table1 --cifar --format csv

Everything is counted by cost.py for one image, but for the figures in PAPER and PAPER_CIFAR, which are the paper's own
(arXiv 1512.03385). The paper prints one decimal, in some cases cut off (3.664 as 3.6, 3.858 as 3.8), in others rounded
(7.570 as 7.6).
"""

from typing import Any, Callable, Dict, List, Sequence

import pandas as pd

from .. import text
from ..networks.cost import network, output_sizes
from ..networks.families import CIFAR, CIFAR_DEPTHS, DEPTHS
from ..networks.layout import Block, layout
from ..networks.specs import ResNetSpec, get_spec

#: FLOPs (multiply-adds) by depth in 10^9, as Table 1 prints them.
PAPER = {18: "1.8", 34: "3.6", 50: "3.8", 101: "7.6", 152: "11.3"}

#: depth -> (millions of parameters, test error on CIFAR-10 in %), as Table 6 prints them.
PAPER_CIFAR = {
    20: ("0.27", "8.75"),
    32: ("0.46", "7.51"),
    44: ("0.66", "7.17"),
    56: ("0.85", "6.97"),
    110: ("1.7", "6.43"),
    1202: ("19.4", "7.93"),
}

#: row of the table -> the spec that it counts, by depth
COUNTED: Dict[str, Callable[[int], ResNetSpec]] = {
    "ours, stride on the first 1x1": lambda depth: get_spec(depth, "mxnet"),
    "ours, stride on the 3x3": lambda depth: get_spec(depth, "torchvision"),
    "ours, first 1x1, shortcut A": lambda depth: get_spec(depth, "mxnet", shortcut="A"),
}


def block_text(stage: Sequence[Block]) -> str:
    """A stage as the paper writes it: ``[3x3, 64; 3x3, 64] x 2``."""
    convs = "; ".join(f"{conv.kernel}x{conv.kernel}, {conv.out_channels}" for conv, _ in stage[0].body)
    return f"[{convs}] x {len(stage)}"


def _counts(spec: ResNetSpec, size: int) -> Dict[str, int]:
    counted = network(spec, 3, (size, size))
    return {number: counted.total(number) for number in ("parameters", "multiply_adds")}


def table1(size: int = 224) -> pd.DataFrame:
    """Table 1 for images of ``size`` x ``size``: columns layer, output_size and one for each depth.

    Rows conv1 to conv5_x and the classifier have text, those that begin with "ours" multiply-adds (whole numbers), the
    last row the paper's figures for 224x224 as printed (text, in 10^9).
    """
    plans = {depth: layout(get_spec(depth, "torchvision")) for depth in DEPTHS}
    plan, sizes = plans[18], output_sizes(plans[18], (size, size))
    stem, _ = plan.stem[0]
    rows: List[List[Any]] = []
    texts = {"conv1": dict.fromkeys(plans, f"{stem.kernel}x{stem.kernel}, {stem.out_channels}, stride {stem.stride}")}
    for number in range(len(plan.stages)):
        texts[f"conv{number + 2}_x"] = {depth: block_text(own.stages[number]) for depth, own in plans.items()}
    for layer, cells in texts.items():
        rows.append([layer, "x".join(map(str, sizes[layer])), *cells.values()])
    rows.append(["classifier", "1x1", *(f"average pool, {own.spec.num_classes}-d fc" for own in plans.values())])
    for name, spec in COUNTED.items():
        rows.append([name, "", *(_counts(spec(depth), size)["multiply_adds"] for depth in DEPTHS)])
    rows.append(["the paper's, 10^9", "", *PAPER.values()])
    return pd.DataFrame(rows, columns=["layer", "output_size", *(f"resnet{depth}" for depth in DEPTHS)], dtype=object)


def cifar_table() -> pd.DataFrame:
    """The CIFAR networks, for one image of 3x32x32.

    Columns model, blocks (by stage), parameters (option A), parameters_B, multiply_adds, and the paper's millions of
    parameters and test errors (%) as printed.
    """
    columns = ["model", "blocks", "parameters", "parameters_B", "multiply_adds", "paper_parameters_1e6", "paper_error"]
    rows = []
    for depth in (*CIFAR_DEPTHS, 1202):
        counts = _counts(get_spec(depth, CIFAR), 32)
        millions, error = PAPER_CIFAR[depth]
        projected = _counts(get_spec(depth, CIFAR, shortcut="B"), 32)["parameters"]
        rows.append(
            [
                f"cifar_resnet{depth}",
                f"3 x {get_spec(depth, CIFAR).stage_sizes[0]}",
                counts["parameters"],
                projected,
                counts["multiply_adds"],
                millions,
                error,
            ]
        )
    return pd.DataFrame(rows, columns=columns, dtype=object)


def _in_lines(cell: str) -> str:
    """A stage's text over several lines: ``[3x3, 64; 3x3, 64] x 2`` as the paper stacks it."""
    if not cell.startswith("["):
        return cell.replace(", ", ",\n", 1) if cell.startswith("average") else cell
    convs, _, times = cell[1:].partition("] x ")
    lines = [f"[ {conv} ]" for conv in convs.split("; ")]
    return "\n".join(lines[:-1] + [f"{lines[-1]} x {times}"])


def as_text(table: pd.DataFrame) -> str:
    """The table of :func:`table1` for a terminal, multiply-adds in 10^9 with three decimals."""
    rows = []
    for row in table.itertuples(index=False, name=None):
        cells = [f"{cell / 1e9:.3f}" if isinstance(cell, int) else _in_lines(cell) for cell in row[2:]]
        rows.append([*row[:2], *cells])
    return text.table(rows, headers=["", "output", *table.columns[2:]], escape=False) + (
        "\n\nmultiply-adds of one picture in 10^9; the paper's: He et al., arXiv 1512.03385, Table 1, at 224x224"
    )


def cifar_text(table: pd.DataFrame) -> str:
    """The table of :func:`cifar_table` for a terminal."""
    headers = [
        "",
        "blocks",
        "parameters, A",
        "parameters, B",
        "multiply-adds, A",
        "paper: 10^6 parameters",
        "paper: error %",
    ]
    rows = [
        [f"{cell:,}" if isinstance(cell, int) else cell for cell in row]
        for row in table.itertuples(index=False, name=None)
    ]
    return text.table(rows, headers=headers, colalign=("left", "left") + ("right",) * 5) + (
        "\n\none picture of 3x32x32; the paper's: He et al., arXiv 1512.03385, Table 6, CIFAR-10's test error"
    )
