"""A published number next to what its recipe gives here, with several seeds.

    gluon-resnet reproduce d2l-resnet18-fashion-mnist --seeds 3

The runs are those of the entry's experiment, so nothing is trained twice.
"""

from typing import Iterable

import pandas as pd

from ..errors import ConfigError
from ..training.metrics import METRICS
from . import experiment as experiments
from .published import Entry
from .table import Content, spread


def listing(entries: Iterable[Entry]) -> pd.DataFrame:
    """The entries as a table."""
    return pd.DataFrame(
        [
            {
                "name": entry.name,
                "what": entry.what,
                "test acc": f"{entry.test_acc:.4g}",
                "source": entry.source,
                "run here": "yes" if entry.experiment else f"no: {entry.missing}",
            }
            for entry in entries
        ]
    )


def experiment_of(entry: Entry) -> experiments.Experiment:
    """The Experiment that runs an entry's recipe; raises ConfigError if there is none."""
    if entry.experiment is None:
        raise ConfigError(
            f"{entry.name}: published ({entry.source}: test accuracy {entry.test_acc:.4g}) but not run "
            f"here: {entry.missing}"
        )
    return experiments.load(entry.experiment)


def compare(entry: Entry, content: Content) -> pd.DataFrame:
    """The published numbers next to our own: by seed, mean, spread and best, as a table.

    ``content`` is that of the results file of the entry's experiment.
    """
    (by_seed,) = content["arms"].values()
    seeds, rows = list(by_seed.values()), []
    for name, metric in METRICS.items():
        if not metric.printed:
            continue
        form = metric.form
        title = metric.printed + (", the book's clock" if name == "examples_per_sec" else "")
        values = [numbers[name] for numbers in seeds]
        middle, low, high, deviation = spread(values)
        cited = getattr(entry, name, None)
        accuracies = [numbers["best_test_acc"] for numbers in seeds] if name == "test_acc" else []
        best = max((accuracy for accuracy in accuracies if accuracy is not None), default=None)
        rows.append(
            {
                "": title,
                "cited": "" if cited is None else form.format(cited),
                "last, by seed": " ".join("diverged" if value is None else form.format(value) for value in values),
                "mean": "" if middle is None else form.format(middle),
                "min-max": "" if middle is None else f"{form.format(low)}-{form.format(high)}",
                "sd": "" if deviation is None else f"{deviation:.4f}",
                "best": "" if best is None else form.format(best),
            }
        )
    return pd.DataFrame(rows)


def position(entry: Entry, content: Content) -> str:
    """A line that says where the published test accuracy lies among those of our seeds."""
    (by_seed,) = content["arms"].values()
    middle, low, high, _ = spread([metrics["test_acc"] for metrics in by_seed.values()])
    if middle is None or low is None or high is None:
        return "a seed diverged: nothing to compare with"
    place = "within" if low <= entry.test_acc <= high else "above" if entry.test_acc > high else "below"
    seeds = f"{len(by_seed)} seed{'s' if len(by_seed) > 1 else ''}"
    return (
        f"cited {entry.test_acc:.3f} ({entry.source}) is {place} the last epochs of {seeds}, {low:.3f} to "
        f"{high:.3f}; the mean is {middle - entry.test_acc:+.3f} from it"
    )
