"""Curves of a training run. Figures are made without pyplot, so nothing here needs a screen or a notebook."""

from typing import Any, List, Optional

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..figures import new_figure


def draw_curves(
    history: pd.DataFrame, num_epochs: Optional[float] = None, title: Optional[str] = None, tested: str = "test"
) -> Figure:
    """Loss and accuracies over epochs, side by side; also learning rates that change.

    Args:
        history: has the columns position (epochs done), loss, train_acc, test_acc, test_loss and lr (test_acc and
            test_loss are empty between epochs; test_loss and lr may be missing, as in the runs of older versions).
        num_epochs: end of the horizontal axis; the last position if None.
        title: above all of them.
        tested: what the part is called that was tested on.

    Returns:
        A matplotlib Figure.
    """
    plots = [plot_loss, plot_accuracies, *([plot_rates] if len(rates(history)) > 1 else [])]
    figure = new_figure(4.5 * len(plots), 3.4)
    for axes, plot in zip(figure.subplots(1, len(plots)), plots):
        plot(axes, history, num_epochs, tested)
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


def plot_rates(axes: Any, history: pd.DataFrame, num_epochs: Optional[float] = None, tested: str = "") -> None:
    """The learning rates of :func:`draw_curves` on one matplotlib Axes, whatever was ``tested``."""
    axes.plot(history["position"], history["lr"].astype(float), label="learning rate", color="tab:blue")
    axes.ticklabel_format(axis="y", scilimits=(-3, 3))
    _over_epochs(axes, "learning rate", history, num_epochs)


def rates(history: pd.DataFrame) -> List[float]:
    """The different learning rates of a history, as exact as its file; none if its version did not keep them."""
    known = history["lr"].dropna() if "lr" in history else []
    return list(dict.fromkeys(float(f"{rate:.6g}") for rate in known))


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
    known = rates(history)
    axes.set(xlabel=f"epoch (learning rate {known[0]:g})" if len(known) == 1 else "epoch", ylabel=ylabel)
    axes.set_xlim(0, num_epochs or max(1, history["position"].max() if len(history) else 1))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend()
