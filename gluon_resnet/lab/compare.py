"""Does an idea count? Each arm of an experiment against one arm, paired by seed, with a confidence interval.

    difference([0.001, 0.002, 0.0015])        # {"mean": 0.0015, "low": 0.000258, "high": 0.002742, "counts": True}

Runs with the same seed share what the seed decides, so the difference is taken seed by seed: its spread is smaller than
that of the arms. The interval is Student's, of the mean of the differences (Student, Biometrika 1908). An idea counts
only if the interval leaves 0 out.
"""

from math import sqrt
from statistics import mean, stdev
from typing import Any, Dict, List, Mapping, Optional, Sequence

from scipy import stats

from ..errors import ConfigError, did_you_mean
from .claims import Seeds
from .experiment import Experiment

CONFIDENCE = 0.95
METRICS = ("test_acc", "train_seconds")


def base_arm(experiment: Experiment, wanted: Optional[str], seeds: int) -> Optional[str]:
    """The arm that all others are compared with, or None if no comparison is wanted.

    Args:
        experiment: the experiment.
        wanted: name of the arm, "" for the first one, or None.
        seeds: how many seeds each arm has.

    Raises:
        ConfigError: there is no such arm, no other arm, or only one seed.
    """
    if wanted is None:
        return None
    arms = list(experiment.configs)
    if wanted and wanted not in arms:
        raise ConfigError(
            f"--compare: no arm '{wanted}': {did_you_mean(wanted, arms)}{experiment.name} has {', '.join(arms)}"
        )
    if len(arms) < 2:
        raise ConfigError(f"--compare: {experiment.name} has one arm, {arms[0]}: expected two or more to compare")
    if seeds < 2:
        raise ConfigError("--compare: 1 seed has no spread: expected --seeds 2 or more")
    return wanted or arms[0]


def difference(values: Sequence[float]) -> Dict[str, Any]:
    """The mean of two or more paired differences with its confidence interval.

    The keys are mean, low, high and counts, which says whether the interval leaves 0 out.
    """
    middle, n = mean(values), len(values)
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)) * stdev(values) / sqrt(n)
    low, high = middle - reach, middle + reach
    return {"mean": middle, "low": low, "high": high, "counts": low > 0 or high < 0}


def compare(arms: Mapping[str, Seeds], base: str) -> Dict[str, Any]:
    """Every arm minus the arm ``base``, by seed.

    Args:
        arms: {arm: {seed: {metric: value}}}, as in a results file.
        base: the arm that is subtracted.

    Returns:
        {"base", "confidence", "arms": {arm: {metric: comparison}}}, for the metrics :data:`METRICS`. A comparison has
        the ``differences`` by seed, None for a seed that diverged, and what :func:`difference` gives of them; that is
        None if a seed diverged. If the arm ``base`` was also tested with views of each image, "views" is the comparison
        of its accuracy with them to that without.
    """
    content: Dict[str, Any] = {
        "base": base,
        "confidence": CONFIDENCE,
        "arms": {
            arm: {metric: _paired(seeds, arms[base], metric) for metric in METRICS}
            for arm, seeds in arms.items()
            if arm != base
        },
    }
    if all(metrics.get("views_acc") is not None for metrics in arms[base].values()):
        mirrored = {seed: {**metrics, "test_acc": metrics["views_acc"]} for seed, metrics in arms[base].items()}
        content["views"] = _paired(mirrored, arms[base], "test_acc")
    return content


def _paired(seeds: Seeds, base: Seeds, metric: str) -> Dict[str, Any]:
    by_seed = {seed: _minus(seeds[seed], base[seed], metric) for seed in seeds}
    known: List[float] = [value for value in by_seed.values() if value is not None]
    nothing = {"mean": None, "low": None, "high": None, "counts": False}
    return {"differences": by_seed, **(difference(known) if len(known) == len(by_seed) else nothing)}


def _minus(one: Mapping[str, Any], other: Mapping[str, Any], metric: str) -> Optional[float]:
    """The difference of a metric; None if one of the runs diverged, which has neither a result nor a whole time."""
    if "diverged" in (one.get("status"), other.get("status")) or None in (one.get(metric), other.get(metric)):
        return None
    return float(one[metric] - other[metric])
