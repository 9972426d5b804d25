"""Two result files of the same benchmark: what changed, and whether the change is outside the spread of the rounds.

gluon-resnet bench compare bench-old/train.json bench/train.json
"""

import json
import statistics
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence, Tuple, Union

import pandas as pd

from ..errors import DataError
from .processes import machine
from .results import BOUNDS, rates

#: what a run of the same benchmark may have different: no setting
NOT_SETTINGS = ("date", "rounds", "measured", "absent", "bounds", "memory", "system", "disagreement", "record_bytes")


def read(path: Union[str, Path]) -> Dict[str, Any]:
    """The content of a result file of ``gluon-resnet bench``; raises DataError if it is none."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); name a .json file of gluon-resnet bench") from None
    except (ValueError, RecursionError):
        raise DataError(f"{path}: expected a .json file of gluon-resnet bench, found no JSON") from None
    wrong = _wrong(content)
    if wrong:
        raise DataError(f"{path}: expected a .json file of gluon-resnet bench, found {wrong}; measure again")
    return content


def _wrong(content: Any) -> str:
    """What is wrong with the content of a result file, or an empty text."""
    if not isinstance(content, dict) or not isinstance(content.get("measured"), dict) or not content["measured"]:
        return 'no "measured" rows'
    if not isinstance(content.get("benchmark"), str):
        return 'no name of a "benchmark"'
    cpu = content["system"].get("cpu") if isinstance(content.get("system"), dict) else None
    if not isinstance(cpu, dict) or not isinstance(cpu.get("instruction_sets"), list):
        return 'no description of its machine under "system"'
    for row, measurements in content["measured"].items():
        if not isinstance(measurements, list) or not measurements or not all(map(_has_rate, measurements)):
            return f'rounds without a positive "examples_per_sec" in row {row!r}'
    bounds = content.get("bounds", {})
    if not isinstance(bounds, dict) or not all(map(_positive_numbers, bounds.values())):
        return '"bounds" that are not positive numbers'
    return ""


def _positive_numbers(values: Any) -> bool:
    return isinstance(values, list) and bool(values) and all(_positive(value) for value in values)


def _positive(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < float("inf")


def _has_rate(measurement: Any) -> bool:
    return isinstance(measurement, dict) and _positive(measurement.get("examples_per_sec"))


def check_alike(old: Tuple[str, Mapping[str, Any]], new: Tuple[str, Mapping[str, Any]]) -> None:
    """Raise DataError unless two (path, content) are of the same benchmark with the same settings."""
    (old_path, before), (new_path, after) = old, new
    names = dict.fromkeys(name for content in (before, after) for name in content if name not in NOT_SETTINGS)
    for name in names:
        if before.get(name) != after.get(name):
            raise DataError(
                f"{new_path}: {name} is {after.get(name)!r}, and {before.get(name)!r} in {old_path}: expected the same "
                f"benchmark with the same settings"
            )


def verdict(old: Sequence[float], new: Sequence[float]) -> str:
    """Whether two series of rounds differ: "faster" or "slower" if none of their values overlap."""
    if min(new) > max(old):
        return "faster"
    return "slower" if max(new) < min(old) else "within the spread"


def _row(name: str, old: Sequence[float], new: Sequence[float]) -> Dict[str, str]:
    said = verdict(old, new)
    return {
        "row": name,
        "old (median)": f"{statistics.median(old):,.4g}",
        "spread": f"{min(old):,.4g}-{max(old):,.4g}",
        "new (median)": f"{statistics.median(new):,.4g}",
        "spread ": f"{min(new):,.4g}-{max(new):,.4g}",
        "new/old": f"{statistics.median(new) / statistics.median(old):.2f}x",
        "outside the spread": f"**{said}**" if said != "within the spread" else "no",
    }


def table(before: Mapping[str, Any], after: Mapping[str, Any]) -> pd.DataFrame:
    """A row for each program and bound that both contents have: examples a second, old and new."""
    rows = [
        _row(name, rates(before["measured"][name]), rates(after["measured"][name]))
        for name in before["measured"]
        if name in after["measured"]
    ]
    old, new = before.get("bounds", {}), after.get("bounds", {})
    rows += [
        _row(f"bound: {what} ({unit})", old[name], new[name])
        for name, (what, unit) in BOUNDS.items()
        if name in old and name in new
    ]
    return pd.DataFrame(rows)


def _only(before: Mapping[str, Any], after: Mapping[str, Any]) -> List[str]:
    lines = []
    for what, one, other in (("old", before, after), ("new", after, before)):
        names = [name for name in one["measured"] if name not in other["measured"]]
        lines += [f"Only in the {what} file: {', '.join(names)}."] if names else []
    return lines


def text(old: Union[str, Path], new: Union[str, Path]) -> str:
    """The comparison of two result files as Markdown.

    Raises DataError if one is no result file, or they are of different benchmarks or settings.
    """
    before, after = read(old), read(new)
    check_alike((str(old), before), (str(new), after))
    lines = [
        f"# bench {before['benchmark']}: old and new",
        "",
        f"old: {before.get('date', 'no date')}; {machine(before['system'])}; {before.get('rounds', '?')} rounds",
        f"new: {after.get('date', 'no date')}; {machine(after['system'])}; {after.get('rounds', '?')} rounds",
        "",
        table(before, after).to_markdown(index=False, disable_numparse=True),
        "",
        "Examples a second. Outside the spread: the lowest of one file is above the highest of the other.",
    ]
    if before["system"]["cpu"] != after["system"]["cpu"]:
        lines.append("The two machines differ: a change may be the machine's.")
    return "\n".join([*lines, *_only(before, after)])
