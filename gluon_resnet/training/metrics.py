"""The numbers in a training run's result: their names in result.json, their titles, and where they are shown.

For example:

    METRICS["test_acc"].title                       # "test accuracy"
    shown_in("report")                              # the Metrics of a run's page, in order
"""

from dataclasses import dataclass
from typing import Dict, Tuple


@dataclass(frozen=True)
class Metric:
    """One number of a run's result."""

    name: str  # in result.json
    short: str  # the title of a column
    title: str
    note: str = ""  # what it is measured over
    form: str = "{:.3f}"  # how the number is printed
    printed: str = ""  # what it is called at the end of a training, by d2l and here
    #: "list" and "compare": runs list, runs compare; "report": a run's page; "claim": the checks of an experiment
    shown: Tuple[str, ...] = ()


_EVERYWHERE = ("list", "compare", "report", "claim")
_ALL = (
    Metric("loss", "loss", "training loss", "mean over the last epoch", printed="loss", shown=_EVERYWHERE),
    Metric(
        "train_acc", "train acc", "training accuracy", "over the last epoch", printed="train acc", shown=_EVERYWHERE
    ),
    Metric("test_acc", "test acc", "test accuracy", "after the last epoch", printed="test acc", shown=_EVERYWHERE),
    Metric(
        "test_loss",
        "test loss",
        "test loss",
        "after the last epoch, without label smoothing",
        shown=("compare", "report", "claim"),
    ),
    Metric("best_test_acc", "best", "best test accuracy", "of all epochs", shown=_EVERYWHERE),
    Metric(
        "examples_per_sec",
        "ex/s",
        "examples a second",
        "the book's clock: stops while the loop waits for data",
        "{:,.1f}",
        "examples/sec",
        _EVERYWHERE,
    ),
    Metric(
        "examples_per_sec_end_to_end",
        "end to end",
        "examples a second, end to end",
        "waiting for data included, testing left out",
        "{:,.1f}",
        "examples/sec end to end",
        ("report", "claim"),
    ),
    Metric(
        "others_cores",
        "others",
        "cores of other programs",
        "on average while training; from 0.1 on they slow it down",
        "{:.2f}",
        shown=("compare", "report"),
    ),
    Metric("train_seconds", "training", "seconds of training", form="{:,.1f}", shown=("compare", "claim")),
    Metric("test_seconds", "testing", "seconds of testing", form="{:,.1f}", shown=("compare", "claim")),
    Metric(
        "views_acc",
        "views acc",
        "test accuracy, mirrored too",
        "after the last epoch, from each image and its mirror image",
        shown=("compare", "report", "claim"),
    ),
    Metric("views_seconds", "views", "seconds of testing mirrored", form="{:,.1f}", shown=("compare",)),
)
#: {name: Metric}
METRICS: Dict[str, Metric] = {metric.name: metric for metric in _ALL}


def shown_in(place: str) -> Tuple[Metric, ...]:
    """The Metrics shown in a place ("list", "compare", "report" or "claim"), in their order."""
    return tuple(metric for metric in _ALL if place in metric.shown)
