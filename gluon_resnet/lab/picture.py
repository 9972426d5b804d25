"""An experiment as a picture: each arm's curve is the mean over its seeds, its band from the lowest to the highest."""
import numpy
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

MARKERS = "osD^vP*X"


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
        axes.plot(position, middle, color=f"C{i % 10}", label=f"{arm} (n={rows['seed'].nunique()})",
                  marker=MARKERS[i % len(MARKERS)] if markers else None)
        axes.fill_between(position, low, high, color=f"C{i % 10}", alpha=0.2, linewidth=0)


def draw(curves, title):
    """Training loss and test accuracy over epochs by arm, as a matplotlib Figure.

    ``curves`` is a table with arm, seed and the columns of a history.
    """
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    arms = {arm: rows for arm, rows in curves.groupby("arm", sort=False)}

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
    right.legend(loc="lower right", fontsize=9)
    figure.suptitle(title, fontsize=10, wrap=True)
    return figure
