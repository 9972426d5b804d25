"""An experiment as a picture: each arm's curve is the mean over its seeds, its band from the lowest to the highest."""

import numpy
from matplotlib import colormaps
from matplotlib.ticker import MaxNLocator

from ..figures import new_figure

MARKERS = "osD^vP*X"
FEW = 5  # arms whose names fit into a corner


def _colour(i, count):
    """The i-th of ``count`` arms' colour: one of ten, or of twenty where ten do not suffice."""
    return f"C{i % 10}" if count <= 10 else colormaps["tab20"](i % 20)


def between_rows(rows, column):
    """Mean of ``column`` over the batches between a row of a history and the row before it, (rows,).

    A history has means over the epoch so far; loss or accuracy of the batches alone comes from their differences.
    """
    examples, values = rows["examples"].to_numpy(float), rows[column].to_numpy(float)
    first = numpy.r_[True, numpy.diff(rows["epoch"].to_numpy()) != 0]
    before = numpy.where(first, 0.0, numpy.r_[0.0, (values * examples)[:-1]])
    seen = examples - numpy.where(first, 0.0, numpy.r_[0.0, examples[:-1]])
    return (values * examples - before) / seen


def _over_seeds(rows, values):
    """(positions, lowest, mean, highest) over the seeds of an arm; only positions that every seed has count."""
    table = rows.assign(value=values).pivot_table(index="position", columns="seed", values="value").dropna()
    return table.index.to_numpy(), table.min(axis=1), table.mean(axis=1), table.max(axis=1)


def _draw(axes, arms, curve, markers):
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


def draw(curves, title):
    """Training loss and test accuracy over epochs by arm, as a matplotlib Figure.

    ``curves`` is a table with arm, seed and the columns of a history.
    """
    arms = {arm: rows for arm, rows in curves.groupby("arm", sort=False)}
    few = len(arms) <= FEW
    figure = new_figure(10 if few else 12, 4.2)
    left, right = figure.subplots(1, 2)

    def training(rows):
        parts = [between_rows(one, "loss") for _, one in rows.groupby("seed", sort=False)]
        return rows, numpy.concatenate(parts)

    def testing(rows):
        tested = rows[rows["test_acc"].notna()]
        return tested, tested["test_acc"].astype(float)

    _draw(left, arms, training, markers=False)
    _draw(right, arms, testing, markers=True)
    left.set(xlabel="epoch", ylabel="training loss", yscale="log")
    right.set(xlabel="epoch", ylabel="test accuracy")
    for axes in (left, right):
        axes.set_xlim(0, max(1, curves["position"].max()) * 1.02)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3, which="both" if axes is left else "major")
    where = dict(loc="lower right") if few else dict(loc="upper left", bbox_to_anchor=(1.02, 1.0))
    right.legend(fontsize=9, **where)
    figure.suptitle(title, fontsize=10, wrap=True)
    return figure
