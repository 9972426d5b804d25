"""A published number next to what its recipe gives here, with several seeds.

    gluon-resnet reproduce d2l-resnet18-fashion-mnist --seeds 3

The runs are those of the entry's experiment, so nothing is trained twice.
"""

from typing import Iterable, Mapping, Optional

import pandas as pd

from ..errors import ConfigError
from ..training.metrics import METRICS
from . import claims
from . import experiment as experiments
from .published import Entry
from .table import Content, spread

NEAR = 0.005  # half a point of accuracy
#: what the verdicts of claims are called for a published number
VERDICTS = {"pass": "reproduced", "near": "near", "miss": "missed"}


def _cited(entry: Entry) -> str:
    return "" if entry.test_acc is None else f"{entry.test_acc:.4g}"


def listing(entries: Iterable[Entry], contents: Mapping[str, Content]) -> pd.DataFrame:
    """The entries as a table with verdicts; ``contents`` are those of the results files, by experiment."""
    return pd.DataFrame(
        [
            {
                "name": entry.name,
                "what": entry.what,
                "test acc": _cited(entry),
                "source": entry.source,
                "verdict": verdict(entry, contents.get(entry.experiment or "")),
            }
            for entry in entries
        ]
    )


def verdict(entry: Entry, content: Optional[Content]) -> str:
    """Whether a published test accuracy is what its recipe gives here.

    ``content`` is that of the results file of the entry's experiment, or None if it has none. The verdict is
    "reproduced" if the accuracy is among those of our seeds, their lowest and highest included, "near" if it is outside
    by no more than NEAR, and "missed" otherwise or if a seed diverged; "not run yet" without results, and
    "not checkable: " with the reason if there is nothing to run. Without a published number, the verdict is that on the
    claim of the experiment.
    """
    if entry.experiment is None:
        return f"not checkable: {entry.missing}"
    if content is None:
        return "not run yet"
    if entry.test_acc is None:
        return VERDICTS[content["verdict"]]
    (by_seed,) = content["arms"].values()
    _, low, high, _ = spread([metrics["test_acc"] for metrics in by_seed.values()])
    if low is None or high is None:
        return "missed"
    band = experiments.Check("test_acc", low=low, high=high, near=NEAR)
    return VERDICTS[claims.verdict(band, entry.test_acc)]


def experiment_of(entry: Entry) -> experiments.Experiment:
    """The Experiment that runs an entry's recipe; raises ConfigError if there is none."""
    if entry.experiment is None:
        accuracy = f": test accuracy {_cited(entry)}" if entry.test_acc is not None else ""
        raise ConfigError(f"{entry.name}: published ({entry.source}{accuracy}) but not checkable here: {entry.missing}")
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
    if entry.test_acc is None:
        return f"{entry.source} has no number to compare with; what its text says: {verdict(entry, content)}"
    if middle is None or low is None or high is None:
        return "a seed diverged: nothing to compare with: missed"
    place = "within" if low <= entry.test_acc <= high else "above" if entry.test_acc > high else "below"
    seeds = f"{len(by_seed)} seed{'s' if len(by_seed) > 1 else ''}"
    return (
        f"cited {entry.test_acc:.3f} ({entry.source}) is {place} the last epochs of {seeds}, {low:.3f} to "
        f"{high:.3f}; the mean is {middle - entry.test_acc:+.3f} from it: {verdict(entry, content)}"
    )
