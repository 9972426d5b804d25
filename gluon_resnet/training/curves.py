"""Curves of a training run. Figures are made without pyplot, so nothing here needs a screen or a notebook."""

from typing import Any, Optional

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..figures import new_figure


def draw_curves(
    history: pd.DataFrame, num_epochs: Optional[float] = None, title: Optional[str] = None, tested: str = "test"
) -> Figure:
    """Loss and accuracies over epochs, side by side.

    Args:
        history: has the columns position (epochs done), loss, train_acc, test_acc and test_loss (the last two are
            empty between epochs; test_loss may be missing, as in the runs of older versions).
        num_epochs: end of the horizontal axis; the last position if None.
        title: above both.
        tested: what the part is called that was tested on.

    Returns:
        A matplotlib Figure.
    """
    figure = new_figure(9, 3.4)
    left, right = figure.subplots(1, 2)
    plot_loss(left, history, num_epochs, tested)
    plot_accuracies(right, history, num_epochs, tested)
    if title:
        figure.suptitle(title, fontsize=9, wrap=True)
    return figure


def plot_loss(axes: Any, history: pd.DataFrame, num_epochs: Optional[float] = None, tested: str = "test") -> None:
    """Both losses on one matplotlib Axes; the other arguments are those of :func:`draw_curves`."""
    axes.plot(history["position"], history["loss"], label="train loss", color="tab:blue")
    if "test_loss" in history and history["test_loss"].notna().any():
        _plot_tests(axes, history, "test_loss", f"{tested} loss")
    _over_epochs(axes, "loss", history, num_epochs)


def plot_accuracies(axes: Any, history: pd.DataFrame, num_epochs: Optional[float] = None, tested: str = "test") -> None:
    """Both accuracies on one matplotlib Axes; the other arguments are those of :func:`draw_curves`."""
    axes.plot(history["position"], history["train_acc"], label="train acc", color="tab:blue")
    _plot_tests(axes, history, "test_acc", f"{tested} acc")
    _over_epochs(axes, "accuracy", history, num_epochs)


def _plot_tests(axes: Any, history: pd.DataFrame, column: str, label: str) -> None:
    tested = history[history[column].notna()]
    axes.plot(
        tested["position"].astype(float),
        tested[column].astype(float),
        "o--",
        label=label,
        color="tab:orange",
        clip_on=False,
    )


def _over_epochs(axes: Any, ylabel: str, history: pd.DataFrame, num_epochs: Optional[float]) -> None:
    axes.set(xlabel="epoch", ylabel=ylabel)
    axes.set_xlim(0, num_epochs or max(1, history["position"].max() if len(history) else 1))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend()
