"""Did it come out as claimed? pass, near or miss, by arithmetic alone.

For example:

    verdict(Check("test_acc", "resnet18", low=0.865, high=0.925), 0.93)      # "near": outside by less than 0.03
"""

from dataclasses import asdict
from statistics import mean

VERDICTS = ("pass", "near", "miss")  # from best to worst


def verdict(check, value):
    """ "pass" inside the band, its ends included; "near" outside by no more than the margin; "miss" otherwise.

    The margin is half the band's width unless the check has its own in ``near``; a band open to one side has none then.
    A ``value`` of None, for what could not be measured, is a miss.
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
        margin = 0.0 if None in (check.low, check.high) else (check.high - check.low) / 2
    return "near" if outside <= margin else "miss"


def _mean(seeds, metric):
    """Mean of a metric over the seeds of an arm, or None where one of them has none, because it diverged."""
    values = [one.get(metric) for one in seeds.values()]
    return None if not values or None in values else mean(values)


def value(check, arms):
    """What ``check`` looks at: a mean over the seeds, a difference or ratio of two, or None where something is missing.

    ``arms`` is {arm: {seed: {metric: value}}}.
    """
    found = _mean(arms[check.arm], check.metric)
    other = check.minus or check.over
    if other is None or found is None:
        return found
    against = _mean(arms[other], check.metric)
    if against is None or (check.over and against == 0):
        return None
    return found - against if check.minus else found / against


def judge(checks, arms):
    """(the worst verdict, [each check as a dict with its value and verdict])."""
    judged = []
    for check in checks:
        found = value(check, arms)
        judged.append({**asdict(check), "value": found, "verdict": verdict(check, found)})
    return max((one["verdict"] for one in judged), key=VERDICTS.index), judged


def describe(check):
    """What a judged check looks at, such as "train_acc of plain56 - plain20"."""
    other = f" - {check['minus']}" if check.get("minus") else f" / {check['over']}" if check.get("over") else ""
    return f"{check['metric']} of {check['arm']}{other}"


def band(check):
    """The band of a judged check, such as "0.865 to 0.925" or "at most -0.02"."""
    low, high = check.get("low"), check.get("high")
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    return f"at least {low:g}" if high is None else f"at most {high:g}"
