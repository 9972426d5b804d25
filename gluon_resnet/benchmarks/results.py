"""What was measured, as a table, as bars, and as shares of what the machine can do at most.

    measured = {"gluon-resnet": [measurement of each round], "PyTorch eager": [...]}
    table(measured, bounds={"float32_gflops": [240.0, 238.5]})

A measurement is what a worker prints: examples_per_sec, version, threads, peak_memory_bytes, and if they are known
precision ("float32" if not), flops_an_example and others_cores. Nothing here measures anything.
"""

import statistics
from typing import Any, Dict, List, Mapping, Optional, Sequence

import pandas as pd
from matplotlib.figure import Figure

from ..figures import new_figure

#: {row: [measurement of each round]}
Measured = Dict[str, List[Dict[str, Any]]]
#: {name of a bound: [value of each round]}
Bounds = Dict[str, List[float]]

OURS = "gluon-resnet"  # rows of this suite begin with it; the others are compared with them

#: The machine's bounds that workers/bounds.py measures: {name: (what it is, unit)}.
BOUNDS = {
    "float32_gflops": ("matrix product, float32", "GFLOP/s"),
    "bfloat16_gflops": ("matrix product, bfloat16", "GFLOP/s"),
    "copy_gbytes_per_sec": ("copying memory, read and written", "GB/s"),
    "jpeg_per_sec": ("decoding JPEG, 500x375", "pictures/s"),
}
NOTES = (
    "Faster: the median over the rounds of the ratio of the two rates in the same round, with the lowest and the "
    "highest, against this suite's first row of the same precision; the faster one is in bold, whichever it is, and "
    '"even" is said where the ratio lies on both sides of 1. '
    "Of the bound: multiplications and additions a second, counted as those of direct convolutions, over the bound of "
    "the same precision (Winograd's convolutions need fewer, so they can exceed it). "
    "Others' cores: the most CPU time other programs used while a row was measured, in cores. If it is well above 0, "
    "measure the row again."
)


def rates(measurements: Sequence[Mapping[str, Any]]) -> List[float]:
    """Examples a second of each round."""
    return [float(measurement["examples_per_sec"]) for measurement in measurements]


def precision(measurements: Sequence[Mapping[str, Any]]) -> str:
    """ "float32", "bfloat16" or "int8": what a row computes in."""
    return measurements[0].get("precision", "float32")


def base_of(measured: Mapping[str, List[Dict[str, Any]]], row: str) -> Optional[str]:
    """The row that ``row`` is compared with: this suite's first of the same precision, else this suite's first.

    None if none of this suite's rows was measured.
    """
    ours = [name for name in measured if name.startswith(OURS)]
    alike = [name for name in ours if precision(measured[name]) == precision(measured[row])]
    return next(iter([*alike, *ours]), None)


def ratios(first: Sequence[Mapping[str, Any]], second: Sequence[Mapping[str, Any]]) -> List[float]:
    """How many times as fast the first is as the second, round by round."""
    return [one / other for one, other in zip(rates(first), rates(second))]


def faster(measured: Mapping[str, List[Dict[str, Any]]], row: str) -> str:
    """Which is faster, ``row`` or the row it is compared with, and by how much, as text; the winner in bold."""
    base = base_of(measured, row)
    if base is None:
        return "not measured"
    if base == row:
        return "-"
    pairs = ratios(measured[base], measured[row])
    middle, low, high = statistics.median(pairs), min(pairs), max(pairs)
    if low <= 1 <= high:
        return f"even, {middle:.2f}x ({low:.2f}-{high:.2f})"
    if low > 1:
        return f"**{base}** {middle:.2f}x ({low:.2f}-{high:.2f})"
    return f"**{row}** {1 / middle:.2f}x ({1 / high:.2f}-{1 / low:.2f})"


def share(measurements: Sequence[Mapping[str, Any]], bounds: Optional[Mapping[str, Sequence[float]]]) -> str:
    """The share that a row reached of the bound of its precision, such as "0.83", or "-" if one is not known."""
    bound = (bounds or {}).get(f"{precision(measurements)}_gflops")
    flops = measurements[0].get("flops_an_example")
    if not bound or not flops:
        return "-"
    return f"{statistics.median(rates(measurements)) * flops / 1e9 / statistics.median(bound):.2f}"


def others_cores(measurements: Sequence[Mapping[str, Any]]) -> str:
    """The most that other programs used of the machine in any round, in cores, as text."""
    cores = [row["others_cores"] for row in measurements if row.get("others_cores") is not None]
    return f"{max(cores):.2f}" if cores else "unknown"


def table(
    measured: Mapping[str, List[Dict[str, Any]]],
    bounds: Optional[Mapping[str, Sequence[float]]] = None,
    first_column: str = "program",
    milliseconds: bool = False,
) -> pd.DataFrame:
    """A row for each program.

    Args:
        measured: {row: [measurement of each round]}.
        bounds: {name of :data:`BOUNDS`: [value of each round]}.
        first_column: the name of the column with the rows' names.
        milliseconds: give the time of an example instead of examples a second.

    Returns:
        A table of texts: median, lowest and highest rate or time, who is faster and by how much, the share of the
        bound, peak memory, and what other programs used.
    """
    unit = "ms an example" if milliseconds else "examples/s"
    rows = []
    for name, measurements in measured.items():
        values = [1000 / rate if milliseconds else rate for rate in rates(measurements)]
        note = " *" if measurements[0].get("extrapolated") else ""
        rows.append(
            {
                first_column: name,
                "precision": precision(measurements),
                "version": measurements[0]["version"],
                "threads": measurements[0]["threads"],
                f"{unit} (median)": f"{statistics.median(values):,.1f}{note}",
                "lowest": f"{min(values):,.1f}",
                "highest": f"{max(values):,.1f}",
                "faster": faster(measured, name),
                "of the bound": share(measurements, bounds),
                "peak MiB": round(max(measurement["peak_memory_bytes"] for measurement in measurements) / 2**20),
                "others' cores": others_cores(measurements),
            }
        )
    return pd.DataFrame(rows)


def winners(measured: Mapping[str, List[Dict[str, Any]]]) -> str:
    """Which row had the highest median of all and of each precision, as a sentence; the names in bold."""

    def fastest(names: Sequence[str]) -> str:
        return max(names, key=lambda name: statistics.median(rates(measured[name])))

    kinds = list(dict.fromkeys(precision(measurements) for measurements in measured.values()))
    parts = [f"of all **{fastest(list(measured))}**"] if len(kinds) > 1 else []
    for kind in kinds:
        names = [name for name, measurements in measured.items() if precision(measurements) == kind]
        parts.append(f"in {kind} **{fastest(names)}**")
    return f"Fastest {', '.join(parts)}."


def bounds_text(bounds: Mapping[str, Sequence[float]]) -> str:
    """What the machine can do at most, as a sentence: medians, lowest and highest."""
    parts = []
    for name, (what, unit) in BOUNDS.items():
        values = bounds.get(name)
        if values:
            parts.append(f"{what} {statistics.median(values):,.0f} {unit} ({min(values):,.0f}-{max(values):,.0f})")
        else:
            parts.append(f"{what}: not measured here")
    return f"This machine's own bounds, measured in the same run: {'; '.join(parts)}."


def absent_text(absent: Mapping[str, str]) -> List[str]:
    """A line for all rows that could not be measured and why, after an empty one; nothing if there are none."""
    reasons: Dict[str, List[str]] = {}
    for row, reason in absent.items():
        reasons.setdefault(reason, []).append(row)
    return ["", *(f"Absent: {', '.join(rows)} ({reason})." for reason, rows in reasons.items())] if absent else []


def bars(measured: Mapping[str, List[Dict[str, Any]]], title: str) -> Figure:
    """The rows as bars of examples a second (medians), with a line from the lowest to the highest round."""
    names = list(measured)
    figure = new_figure(9, 1.1 + 0.34 * len(names))
    axes = figure.subplots()
    medians = [statistics.median(rates(measured[name])) for name in names]
    low = [middle - min(rates(measured[name])) for name, middle in zip(names, medians)]
    high = [max(rates(measured[name])) - middle for name, middle in zip(names, medians)]
    colours = ["C0" if name.startswith(OURS) else "C7" for name in names]
    axes.barh(range(len(names)), medians, xerr=(low, high), color=colours, capsize=3)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    for place, (middle, more) in enumerate(zip(medians, high)):
        axes.annotate(
            f"{middle:,.4g}", (middle + more, place), xytext=(5, 0), textcoords="offset points", va="center", fontsize=8
        )
    axes.margins(x=0.12)
    axes.set_xlabel("examples/s: median, lowest and highest round")
    figure.suptitle(title, fontsize=10)
    return figure
