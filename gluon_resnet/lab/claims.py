"""Did an experiment give what it claims? The verdict is pass, near or miss, by arithmetic alone.

For example:

    verdict(Check("test_acc", "resnet18", low=0.865, high=0.925), 0.93)      # "near": outside by less than 0.03
"""

from dataclasses import asdict
from statistics import mean
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Sequence, Tuple

if TYPE_CHECKING:  # arithmetic needs nothing else of the suite
    from .experiment import Check

VERDICTS = ("pass", "near", "miss")  # from best to worst

#: {seed: {metric: value}} of one arm
Seeds = Mapping[str, Mapping[str, Any]]


def verdict(check: "Check", value: Optional[float]) -> str:
    """The verdict on a measured value.

    It is "pass" inside the band, its ends included, "near" if the value is outside by no more than the margin, and
    "miss" otherwise. The margin is ``check.near``; if that is None, it is half the width of the band, and 0 for a band
    that is open to one side. A ``value`` of None, which could not be measured, is a miss.
    """
    if value is None:
        return "miss"
    below = 0.0 if check.low is None else check.low - value
    above = 0.0 if check.high is None else value - check.high
    outside = max(below, above, 0.0)
    if outside == 0:
        return "pass"
    margin = check.near
    if margin is None:
        margin = 0.0 if check.low is None or check.high is None else (check.high - check.low) / 2
    return "near" if outside <= margin else "miss"


def _mean(seeds: Seeds, metric: str) -> Optional[float]:
    """Mean of a metric over the seeds of an arm; None if it is missing for one of them, which diverged."""
    values: List[Any] = [metrics.get(metric) for metrics in seeds.values()]
    return None if not values or None in values else mean(values)


def value(check: "Check", arms: Mapping[str, Seeds]) -> Optional[float]:
    """The number that ``check`` compares with its band: a mean over the seeds, or a difference or ratio of two means.

    ``arms`` is {arm: {seed: {metric: value}}}. The number is None if a seed diverged, or if it is a ratio to 0.
    """
    own = _mean(arms[check.arm], check.metric)
    other = check.minus or check.over
    if other is None or own is None:
        return own
    reference = _mean(arms[other], check.metric)
    if reference is None or (check.over and reference == 0):
        return None
    return own - reference if check.minus else own / reference


def judge(checks: Sequence["Check"], arms: Mapping[str, Seeds]) -> Tuple[str, List[Dict[str, Any]]]:
    """(the worst verdict, [each check as a dict with its value and verdict])."""
    judged: List[Dict[str, Any]] = []
    for check in checks:
        number = value(check, arms)
        judged.append({**asdict(check), "value": number, "verdict": verdict(check, number)})
    return max((result["verdict"] for result in judged), key=VERDICTS.index), judged


def describe(check: Mapping[str, Any], held_out: bool = False) -> str:
    """The number that a judged check compares, such as "train_acc of plain56 - plain20".

    In an experiment that is tested on a hold-out, its ``test_acc`` is called hold_out_acc.
    """
    metric = check["metric"].replace("test_", "hold_out_") if held_out else check["metric"]
    other = f" - {check['minus']}" if check.get("minus") else f" / {check['over']}" if check.get("over") else ""
    return f"{metric} of {check['arm']}{other}"


def band(check: Mapping[str, Any]) -> str:
    """The band of a judged check, such as "0.865 to 0.925" or "at most -0.02"."""
    low, high = check.get("low"), check.get("high")
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    return f"at least {low:g}" if high is None else f"at most {high:g}"
