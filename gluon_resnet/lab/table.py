"""Results as tables: of one experiment for the terminal, of all in Markdown for experiments/README.md.

For example:

    gluon-resnet results --update experiments/README.md
"""

from pathlib import Path
from statistics import mean, stdev
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, Union

import pandas as pd

from ..errors import RunError
from ..files import writing
from ..text import count, duration
from .claims import Seeds, band, describe

Content = Mapping[str, Any]  # of a results file

WORK = (
    "work: multiplications and additions of training, as those of direct convolutions; sgemm: products of matrices in "
    "float32, measured before the runs"
)

BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"


def _number(value: Optional[float], form: str = "{:.3f}") -> str:
    return "" if value is None else form.format(value)


#: (mean, lowest, highest, standard deviation) or None for each
Spread = Tuple[Optional[float], Optional[float], Optional[float], Optional[float]]


def spread(values: Sequence[Optional[float]]) -> Spread:
    """(mean, lowest, highest, standard deviation with n - 1) of numbers.

    All are None if there are no numbers or one of them is None. The deviation is None for a single number.
    """
    numbers = [value for value in values if value is not None]
    if not numbers or len(numbers) < len(values):
        return None, None, None, None
    return mean(numbers), min(numbers), max(numbers), stdev(numbers) if len(numbers) > 1 else None


def _mean_of(seeds: Iterable[Mapping[str, Any]], *names: str) -> Optional[float]:
    """Mean over the seeds of the sum of the metrics ``names``; None if it is missing or 0 for one of them."""
    totals = [sum(metrics.get(name) or 0 for name in names) for metrics in seeds]
    return mean(totals) if totals and all(totals) else None


def arms_table(content: Content) -> pd.DataFrame:
    """A row for each arm: seeds, last test accuracies, their mean and spread, best accuracy, rates and time a run."""
    rows = []
    for arm, by_seed in content["arms"].items():
        seeds = list(by_seed.values())
        last = [metrics["test_acc"] for metrics in seeds]
        middle, low, high, deviation = spread(last)
        best = max(
            (metrics["best_test_acc"] for metrics in seeds if metrics["best_test_acc"] is not None), default=None
        )
        seconds = _mean_of(seeds, "train_seconds", "test_seconds")
        rows.append(
            {
                "arm": arm,
                "n": len(seeds),
                "last": " ".join(_number(value) or "diverged" for value in last),
                "mean": _number(middle),
                "min-max": "" if middle is None else f"{low:.3f}-{high:.3f}",
                "sd": _number(deviation, "{:.4f}"),
                "best": _number(best),
                "train acc": _number(spread([metrics["train_acc"] for metrics in seeds])[0]),
                "loss": _number(spread([metrics["loss"] for metrics in seeds])[0]),
                "ex/s": _number(_mean_of(seeds, "examples_per_sec"), "{:.1f}"),
                "end to end": _number(_mean_of(seeds, "examples_per_sec_end_to_end"), "{:.1f}"),
                "time a run": "" if seconds is None else duration(seconds),
            }
        )
    return pd.DataFrame(rows)


def tested_on(content: Content) -> str:
    """The part of the data that the accuracies of a results file were measured on, in words."""
    return content.get("tested_on") or ("validation" if content["kind"] == "pictures" else "test")


def is_held_out(content: Content) -> bool:
    """Whether they were measured on training images that were held out."""
    return tested_on(content).startswith("hold-out")


def tested_line(content: Content) -> str:
    """A line that says on which part the accuracies were measured, and how often it was looked at."""
    if is_held_out(content):
        looks = content.get("test_looks")
        seen = f"looked at {looks} time{'' if looks == 1 else 's'}, with evaluate" if looks else "not looked at"
        return f"accuracies: on the {tested_on(content)}; the test part was {seen}"
    return (
        f"accuracies: on the part {tested_on(content)}, looked at after each epoch; the last epoch's count, 'best' is "
        f"chosen by them and so too good"
    )


def _name(content: Content) -> str:
    """The name of an experiment, and that it was tested on a hold-out."""
    return content["name"] + (", hold-out" if is_held_out(content) else "")


def work_table(content: Content) -> pd.DataFrame:
    """A row for each arm: operations of its training, its time, that at the machine's bound, and the time of testing.

    Means over the seeds. The share is the time at the bound over the time it took. Empty if nothing of it is known.
    """
    rows = []
    for arm, by_seed in content["arms"].items():
        seeds = list(by_seed.values())
        work, bound = _mean_of(seeds, "operations"), _mean_of(seeds, "bound_seconds")
        training, testing = _mean_of(seeds, "train_seconds"), _mean_of(seeds, "test_seconds")
        if work is not None:
            rows.append(
                {
                    "arm": arm,
                    "training (TFLOP)": f"{work / 1e12:,.3f}",
                    "training (s)": _number(training, "{:.1f}"),
                    "sgemm (GFLOP/s)": _number(_mean_of(seeds, "sgemm_gflops"), "{:.1f}"),
                    "at that rate (s)": _number(bound, "{:.1f}"),
                    "share of the bound": "" if bound is None or training is None else f"{bound / training:.1%}",
                    "testing (s)": _number(testing, "{:.1f}"),
                }
            )
    return pd.DataFrame(rows)


def compare_table(content: Content) -> pd.DataFrame:
    """A row for each arm, the base first: mean accuracy, and the paired differences with their intervals.

    Differences of accuracies are in points, hundredths of all images.
    """
    comparison, arms = content["comparison"], content["arms"]
    base = comparison["base"]
    rows = [_compared(base, arms[base], "test_acc", {})]
    rows += [_compared(arm, arms[arm], "test_acc", compared) for arm, compared in comparison["arms"].items()]
    if "views" in comparison:
        name = f"{base}, tested with mirror images"
        rows.append(_compared(name, arms[base], "views_acc", {"test_acc": comparison["views"]}))
    return pd.DataFrame(rows).fillna("")


def _compared(name: str, by_seed: Seeds, metric: str, compared: Mapping[str, Any]) -> Dict[str, Any]:
    """A row: the mean of an accuracy over the seeds, and the comparisons that there are, {metric: comparison}."""
    accuracies = [metrics[metric] for metrics in by_seed.values()]
    row: Dict[str, Any] = {"arm": name, "n": len(accuracies), "mean": _number(spread(accuracies)[0], "{:.4f}")}
    if "test_acc" in compared:
        row["difference (points)"] = _difference(compared["test_acc"], 100, "{:+.2f}")
        row["counts"] = _counts(compared["test_acc"])
    if "train_seconds" in compared:
        row["training (s)"] = _difference(compared["train_seconds"], 1, "{:+.1f}")
    return row


def _difference(compared: Mapping[str, Any], times: float, form: str) -> str:
    """A mean difference with its interval, such as "+0.12 (-0.03 to +0.27)"."""
    if compared["mean"] is None:
        seeds = [seed for seed, value in compared["differences"].items() if value is None]
        return f"diverged with seed {', '.join(seeds)}"
    middle, low, high = (form.format(times * compared[name]) for name in ("mean", "low", "high"))
    return f"{middle} ({low} to {high})"


def _counts(compared: Mapping[str, Any]) -> str:
    return ("better" if compared["mean"] > 0 else "worse") if compared["counts"] else "no"


def compare_line(content: Content) -> str:
    """What a table of :func:`compare_table` shows, as a line."""
    comparison = content["comparison"]
    return (
        f"each arm minus {comparison['base']}, paired by seed, on the {tested_on(content)}: mean and "
        f"{comparison['confidence']:.0%} confidence interval (Student's t); an idea counts where it leaves 0 out"
    )


def clean_table(content: Content) -> pd.DataFrame:
    """A row for each arm and part of the test images that an audit leaves: images, mean accuracy and its spread."""
    rows = []
    for arm, by_seed in content["clean"]["arms"].items():
        for i, part in enumerate(content["clean"]["parts"]):
            middle, low, high, deviation = spread([values and values[i] for values in by_seed.values()])
            rows.append(
                {
                    "arm": arm if i == 0 else "",
                    "test part": part["test part"],
                    "images": f"{part['images']:,}",
                    "mean": _number(middle, "{:.4f}"),
                    "min-max": "" if middle is None else f"{low:.4f}-{high:.4f}",
                    "sd": _number(deviation, "{:.4f}"),
                }
            )
    return pd.DataFrame(rows)


def clean_line(content: Content) -> str:
    """What a table of :func:`clean_table` shows, as a line."""
    return (
        f"on what the audit in {content['clean']['audit']} leaves of the test part; images that are hard, and labelled "
        f"well, are doubted, too, so the last row is a bound from above"
    )


def cost_table(content: Content) -> pd.DataFrame:
    """A row for each network: parameters, multiply-adds, time for an image (lowest to highest round), peak memory."""
    rows = []
    for arm, by_seed in content["arms"].items():
        for cost in by_seed.values():
            row = {
                "network": arm,
                "parameters": f"{cost['parameters']:,}",
                "multiply-adds (G)": f"{cost['multiply_adds'] / 1e9:.3f}",
            }
            for way in ("train", "predict"):
                low, high = (cost[f"{way}_ms_{end}"] for end in ("low", "high"))
                row[f"{way} (ms)"] = f"{cost[f'{way}_ms']:.2f} ({low:.2f}-{high:.2f})"
                row[f"{way} peak (MiB)"] = f"{cost[f'{way}_peak_bytes'] / 2**20:,.0f}"
            rows.append({**row, "others (cores)": _number(cost["others_cores"], "{:.2f}"), "rounds": cost["rounds"]})
    return pd.DataFrame(rows)


def claim_lines(content: Content) -> List[str]:
    """The claim, each of its checks with the measured number, and the verdict, as lines."""
    lines = [f"claim: {content['claim']['statement']}", f"source: {content['claim']['source']}"]
    for check in content["checks"]:
        value = "not measured" if check["value"] is None else f"{check['value']:.4g}"
        lines.append(f"  {describe(check, is_held_out(content))}: {value}, claimed {band(check)}: {check['verdict']}")
    if content["budget"] and any(content["budget"]["changed"].values()):
        lines.append(f"  (run with {content['budget']['line']}, to fit a budget of {content['budget']['text']})")
    part = f" (on the {tested_on(content)}, not on the test part)" if is_held_out(content) else ""
    return [*lines, f"verdict: {content['verdict']}{part}"]


def _cell(text: object) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ")


def _cells(table: pd.DataFrame) -> pd.DataFrame:
    return table.apply(lambda column: column.map(_cell))


def _count(by_seed: Seeds) -> int:
    """Runs of an arm, or rounds in which its cost was measured."""
    return next(iter(by_seed.values())).get("rounds") or len(by_seed)


def _claims(contents: Iterable[Content]) -> pd.DataFrame:
    rows = []
    for content in contents:
        changed = content["budget"] and any(content["budget"]["changed"].values())
        note = f" (budget {content['budget']['text']}: {content['budget']['line']})" if changed else ""
        for i, check in enumerate(content["checks"]):
            first = i == 0
            rows.append(
                {
                    "experiment": _name(content) + note if first else "",
                    "claim": content["claim"]["statement"] if first else "",
                    "looked at": describe(check, is_held_out(content)),
                    "claimed": band(check),
                    "found": _number(check["value"], "{:.4g}") or "diverged",
                    "n": _count(content["arms"][check["arm"]]),
                    "verdict": check["verdict"],
                }
            )
    return pd.DataFrame(rows)


def _origin(content: Content) -> str:
    """A line that says where and how a result was measured."""
    machine = content["machine"]
    versions = ", ".join(
        f"{name} {version}"
        for name, version in machine["versions"].items()
        if name in ("python", "mxnet", "mxnet-cu112", "numpy")
    )
    threads = (machine["threads"] or {}).get("threads")
    seeds = "" if content["kind"] == "cost" else f"seeds {', '.join(map(str, content['seeds']))}; "
    return (
        f"{machine['cpu']['model']}, {count(machine['cpu']['physical'], 'core')}, "
        f"{count(threads, 'thread') if threads else 'threads unknown'}; "
        f"{versions}; {seeds}commit {', '.join(content['commits'])}; {content['date'][:10]}; "
        f"claim from {content['claim']['source']}; `{content['command']}`"
    )


def markdown(contents: Sequence[Content]) -> str:
    """Contents of results files as Markdown: a table of the claims and verdicts, then a table for each experiment."""
    parts = [_cells(_claims(contents)).to_markdown(index=False, disable_numparse=True)]
    for content in contents:
        parts.append(f"**{_name(content)}**: {content['verdict']}. {_cell(_origin(content))}")
        for line, table in tables(content):
            parts += [_cell(line)] if line else []
            parts.append(_cells(table).to_markdown(index=False, disable_numparse=True))
    return "\n\n".join(parts)


def tables(content: Content) -> List[Tuple[str, pd.DataFrame]]:
    """[(a line about a table, or "", the table)] of all that a results file has."""
    if content["kind"] == "cost":
        return [("", cost_table(content))]
    shown = [(tested_line(content) if "tested_on" in content else "", arms_table(content))]
    work = work_table(content)
    shown += [(WORK, work)] if len(work) else []
    shown += [(clean_line(content), clean_table(content))] if "clean" in content else []
    return shown + ([(compare_line(content), compare_table(content))] if "comparison" in content else [])


def update(path: Union[str, Path], text: str) -> None:
    """Put ``text`` between the markers of the file at ``path``, :data:`BEGIN` and :data:`END`.

    Raises RunError if the file cannot be read, or lacks the two markers, once each and in order.
    """
    path = Path(path)
    try:
        before = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"{path}: cannot be read ({getattr(error, 'strerror', error)})") from None
    if before.count(BEGIN) != 1 or before.count(END) != 1 or before.index(BEGIN) > before.index(END):
        raise RunError(f"{path}: expected the lines {BEGIN} and {END}, once each: the table goes between them")
    head, _, rest = before.partition(BEGIN)
    with writing(path) as temporary:
        temporary.write_text(f"{head}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")
