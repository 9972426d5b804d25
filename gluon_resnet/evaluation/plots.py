"""Figures of an evaluation: confusion matrix, largest losses, reliability, predictions, class maps; and runs' curves.

All are matplotlib Figures, made without pyplot.
"""

from pathlib import Path
from typing import Dict, Sequence, Tuple

import numpy
import pandas as pd
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..figures import fonts, new_figure
from ..text import count as counted
from ..text import printable

RIGHT, WRONG = "green", "red"  # colours of titles, as in article 000
MOST_NUMBERS = 20  # classes up to which the matrix shows its counts


def _text(name: object, longest: int = 26) -> str:
    """A class or file name for matplotlib, shortened."""
    text = printable(name).replace("_", " ")
    return text if len(text) <= longest else text[: longest - 1] + "\N{HORIZONTAL ELLIPSIS}"


def draw_confusion(table: pd.DataFrame) -> Figure:
    """The confusion matrix as a Figure: true classes are rows, predicted classes columns, colours shares of the row.

    ``table`` is ``Evaluation.confusion``. Zeros are not written, and with more than 20 classes no number is.
    """
    counts, number = table.to_numpy(), len(table)
    shares = counts / numpy.maximum(counts.sum(axis=1, keepdims=True), 1)  # (num_classes, num_classes)
    side = min(18.0, max(3.6, 0.55 * number if number <= MOST_NUMBERS else 0.16 * number))
    figure = new_figure(side + 2.6, side + 1.8)
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    size = 9 if number <= MOST_NUMBERS else 6
    names = [_text(name) for name in table.index] if number <= 100 else []
    ticks = range(len(names))
    axes.set_xticks(ticks, names, rotation=45, ha="right", rotation_mode="anchor", fontsize=size, fontfamily=fonts())
    axes.set_yticks(ticks, names, fontsize=size, fontfamily=fonts())
    axes.set(xlabel="predicted", ylabel="true", title=f"{counted(counts.sum(), 'picture')}, {counts.trace():,} right")
    if number <= MOST_NUMBERS:
        for i, j in zip(*numpy.nonzero(counts)):
            axes.text(
                j,
                i,
                f"{counts[i, j]:,}",
                ha="center",
                va="center",
                fontsize=9,
                color="white" if shares[i, j] > 0.6 else "black",
            )
    figure.colorbar(image, ax=axes, label="share of the true class", shrink=0.8)
    return figure


def _grid(
    pictures: Sequence[numpy.ndarray], num_columns: int, height: float, heading: str
) -> Tuple[Figure, numpy.ndarray]:
    """(figure, axes) of a grid of images; ``height`` is that of a row, in inches."""
    num_columns = min(num_columns, len(pictures))
    num_rows = -(-len(pictures) // num_columns)
    figure = new_figure(2.5 * num_columns, 0.5 + height * num_rows)
    cells = figure.subplots(num_rows, num_columns, squeeze=False).ravel()
    for axes in cells:
        axes.axis("off")
    for axes, picture in zip(cells, pictures):
        axes.imshow(
            picture, cmap="gray" if picture.ndim == 2 else None, interpolation="nearest" if len(picture) < 64 else None
        )
    figure.suptitle(heading, fontsize=13, fontfamily=fonts())
    return figure, cells


def draw_top_losses(pictures: Sequence[numpy.ndarray], rows: pd.DataFrame, num_columns: int = 4) -> Figure:
    """Images below their file names, true and predicted classes, probabilities and losses, as a Figure.

    ``pictures`` are uint8 (H, W, 3) or (H, W), ``rows`` their rows of ``Evaluation.predictions``.
    """
    figure, cells = _grid(pictures, num_columns, 3.1, "The largest losses")
    for axes, row in zip(cells, rows.itertuples()):
        axes.set_title(
            f"{_text(row.name.rpartition('/')[2], 32)}\ntrue: {_text(row.true)}\n"
            f"predicted: {_text(row.predicted)}\nprobability {row.probability:.2f}, loss {row.loss:.2f}",
            fontsize=8,
            fontfamily=fonts(),
            color=RIGHT if row.right else WRONG,
        )
    return figure


def draw_prediction_grid(pictures: Sequence[numpy.ndarray], rows: pd.DataFrame, num_columns: int = 4) -> Figure:
    """Article 000's grid "Predictions": images below their predicted classes, green if right, red if wrong.

    The true class is written below a wrong one. The arguments are those of :func:`draw_top_losses`.
    """
    figure, cells = _grid(pictures, num_columns, 2.75, "Predictions")
    for axes, row in zip(cells, rows.itertuples()):
        title = _text(row.predicted, 24) + ("" if row.right else f"\n(is {_text(row.true, 24)})")
        axes.set_title(title, fontsize=10, fontfamily=fonts(), color=RIGHT if row.right else WRONG)
    return figure


def draw_reliability(table: pd.DataFrame, error: float) -> Figure:
    """Accuracy over confidence by bin, next to the diagonal of a calibrated network, and the count of each bin.

    ``table`` is ``Evaluation.calibration``, ``error`` the number "ece" of ``Evaluation.summary``. Source: Guo et al.,
    arXiv 1706.04599, figure 1.
    """
    figure = new_figure(5, 6)
    upper, lower = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [3, 1]})
    width, filled = table["high"] - table["low"], table[table["count"] > 0]
    middles = (table["low"] + table["high"]) / 2
    upper.bar(middles[filled.index], filled["accuracy"], width[filled.index] * 0.94, color="tab:blue", label="accuracy")
    upper.plot(
        filled["confidence"],
        filled["accuracy"],
        "o",
        color="tab:orange",
        markersize=5,
        clip_on=False,
        zorder=3,
        label="at the bin's mean confidence",
    )
    upper.plot([0, 1], [0, 1], "--", color="gray", label="calibrated")
    upper.set(ylabel="accuracy", xlim=(0, 1), ylim=(0, 1.02), title=f"expected calibration error {error:.3f}")
    figure.legend(loc="outside lower center", ncols=3, fontsize=8)
    bars = lower.bar(middles, table["count"], width * 0.94, color="lightgray")
    lower.bar_label(bars, [f"{count:,}" if count else "" for count in table["count"]], fontsize=7)
    lower.set(
        xlabel="confidence (the predicted class's probability)", ylabel="pictures", ylim=(0, 1.2 * table["count"].max())
    )
    lower.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=4))
    for axes in (upper, lower):
        axes.grid(alpha=0.3)
        axes.set_axisbelow(True)
    return figure


def draw_class_maps(
    picture: numpy.ndarray, heats: Sequence[numpy.ndarray], titles: Sequence[str], heading: str
) -> Figure:
    """An image, and next to it a grey copy for each class map, with the map over it, as a Figure.

    The more evidence for the class, the stronger and redder the colour; without evidence the image stays grey.

    Args:
        picture: the image, uint8 (H, W, 3) or (H, W).
        heats: the maps, (H, W) from 0 to 1.
        titles: a title for each map.
        heading: title of the figure.
    """
    colour = picture if picture.ndim == 3 else numpy.repeat(picture[:, :, None], 3, axis=2)  # (H, W, 3)
    grey = colour.mean(axis=2, keepdims=True) / 255  # (H, W, 1)
    figure = new_figure(3 * (1 + len(heats)), 3.5)
    cells = figure.subplots(1, 1 + len(heats))
    cells[0].imshow(colour)
    cells[0].set_title("picture", fontsize=10)
    for axes, heat, title in zip(cells[1:], heats, titles):
        alpha = 0.6 * numpy.minimum(1, 2 * heat[:, :, None])  # (H, W, 1)
        axes.imshow(numpy.clip((1 - alpha) * grey + alpha * colormaps["jet"](heat)[:, :, :3], 0, 1))
        axes.set_title(_text(title, 36), fontsize=10, fontfamily=fonts())
    for axes in cells:
        axes.axis("off")
    figure.suptitle(_text(heading, 80), fontsize=10, fontfamily=fonts())
    return figure


def draw_runs(histories: Dict[str, pd.DataFrame]) -> Figure:
    """Loss and test accuracy of several runs over epochs as a Figure; ``histories`` is {name: history of the run}."""
    figure = new_figure(9.5, 3.6 + 0.18 * len(histories))
    left, right = figure.subplots(1, 2)
    for name, history in histories.items():
        tested = history[history["test_acc"].notna()]
        (line,) = left.plot(history["position"].astype(float), history["loss"].astype(float), label=_text(name, 60))
        right.plot(
            tested["position"].astype(float),
            tested["test_acc"].astype(float),
            "o-",
            markersize=4,
            color=line.get_color(),
            clip_on=False,
        )
    left.set(xlabel="epoch", ylabel="train loss", xlim=(0, None))
    right.set(xlabel="epoch", ylabel="test accuracy", xlim=(0, None))
    for axes in (left, right):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=1 if max(map(len, histories)) > 40 else 2, fontsize=9)
    return figure


def draw_predictions(views: numpy.ndarray, table: pd.DataFrame, num_columns: int = 2) -> Figure:
    """Images (N, H, W, 3) uint8 next to bars of their most probable classes, as a Figure.

    ``table`` is what predict.predict returns for these images.
    """
    top = len(table) // len(views)
    num_rows = -(-len(views) // num_columns)
    longest = max(len(label) for label in table["label"])
    figure = new_figure(num_columns * (5 + 0.08 * longest), 2.6 * num_rows)
    cells = figure.subplots(
        num_rows, 2 * num_columns, squeeze=False, gridspec_kw={"width_ratios": [1, 1.1] * num_columns}
    ).reshape(-1, 2)
    for i, ((left, right), view) in enumerate(zip(cells, views)):
        rows = table[i * top : (i + 1) * top].iloc[::-1]
        left.imshow(view)
        left.set_title(printable(Path(rows["image"].iloc[0]).name), fontsize=9)
        bars = right.barh(range(len(rows)), rows["probability"], color="tab:blue")
        right.bar_label(bars, [f"{value:.3f}" for value in rows["probability"]], padding=3, fontsize=8)
        right.set(
            xlim=(0, 1.2), yticks=range(len(rows)), yticklabels=list(map(printable, rows["label"])), xticks=(0, 0.5, 1)
        )
        right.tick_params(labelsize=8)
        right.spines[["top", "right"]].set_visible(False)
    for left, _ in cells:
        left.axis("off")
    for _, right in cells[len(views) :]:
        right.axis("off")
    return figure
