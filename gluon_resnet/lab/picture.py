"""The curves of an experiment as a figure: for each arm the mean over its seeds, and a band from lowest to highest."""

from typing import Any, Callable, Dict, Tuple, Union

import numpy
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..figures import new_figure

MARKERS = "osD^vP*X"
FEW = 5  # largest number of arms whose legend fits into a corner


def _colour(i: int, count: int) -> Union[str, Tuple[float, ...]]:
    """Colour of the i-th of ``count`` arms, out of ten colours, or of twenty if there are more arms."""
    return f"C{i % 10}" if count <= 10 else colormaps["tab20"](i % 20)


def between_rows(rows: pd.DataFrame, column: str) -> numpy.ndarray:
    """Mean of ``column`` over the batches between each row of a history and the row before it, float64 (rows,).

    The history itself has means over the epoch so far. Their differences give the mean over the new batches alone.
    """
    examples, values = rows["examples"].to_numpy(float), rows[column].to_numpy(float)
    first = numpy.r_[True, numpy.diff(rows["epoch"].to_numpy()) != 0]
    before = numpy.where(first, 0.0, numpy.r_[0.0, (values * examples)[:-1]])
    new = examples - numpy.where(first, 0.0, numpy.r_[0.0, examples[:-1]])
    return (values * examples - before) / new


def _over_seeds(rows: pd.DataFrame, values: Any) -> Tuple[numpy.ndarray, pd.Series, pd.Series, pd.Series]:
    """(positions, lowest, mean, highest) over the seeds of an arm, at the positions that every seed has."""
    table = rows.assign(value=values).pivot_table(index="position", columns="seed", values="value").dropna()
    return table.index.to_numpy(), table.min(axis=1), table.mean(axis=1), table.max(axis=1)


def _draw(axes: Axes, arms: Dict[str, pd.DataFrame], curve: Callable[..., Tuple[Any, Any]], markers: bool) -> None:
    for i, (arm, rows) in enumerate(arms.items()):
        position, low, middle, high = _over_seeds(*curve(rows))
        axes.plot(
            position,
            middle,
            color=_colour(i, len(arms)),
            label=f"{arm} (n={rows['seed'].nunique()})",
            marker=MARKERS[i % len(MARKERS)] if markers else None,
        )
        axes.fill_between(position, low, high, color=_colour(i, len(arms)), alpha=0.2, linewidth=0)


def draw(curves: pd.DataFrame, title: str, tested: str = "test") -> Figure:
    """Training loss and test accuracy of each arm over epochs, as a matplotlib Figure.

    ``curves`` is the table of results.collect: histories with the columns arm and seed. ``tested`` is what the part is
    called that was tested on.
    """
    arms = {arm: rows for arm, rows in curves.groupby("arm", sort=False)}
    few = len(arms) <= FEW
    figure = new_figure(10 if few else 12, 4.2)
    left, right = figure.subplots(1, 2)

    def training(rows: pd.DataFrame) -> Tuple[pd.DataFrame, numpy.ndarray]:
        parts = [between_rows(history, "loss") for _, history in rows.groupby("seed", sort=False)]
        return rows, numpy.concatenate(parts)

    def testing(rows: pd.DataFrame) -> Tuple[pd.DataFrame, pd.Series]:
        tested = rows[rows["test_acc"].notna()]
        return tested, tested["test_acc"].astype(float)

    _draw(left, arms, training, markers=False)
    _draw(right, arms, testing, markers=True)
    left.set(xlabel="epoch", ylabel="training loss", yscale="log")
    right.set(xlabel="epoch", ylabel=f"{tested} accuracy")
    for axes in (left, right):
        axes.set_xlim(0, max(1, curves["position"].max()) * 1.02)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3, which="both" if axes is left else "major")
    where: Dict[str, Any] = dict(loc="lower right") if few else dict(loc="upper left", bbox_to_anchor=(1.02, 1.0))
    right.legend(fontsize=9, **where)
    figure.suptitle(title, fontsize=10, wrap=True)
    return figure
