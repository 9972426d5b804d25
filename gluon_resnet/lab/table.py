"""Results as tables: by arm for the terminal, all of them in Markdown for experiments/README.md.

For example:

    gluon-resnet results --update experiments/README.md
"""

from pathlib import Path
from statistics import mean, stdev

import pandas as pd

from ..errors import RunError
from ..files import writing
from ..text import duration
from .claims import band, describe

BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"


def _number(value, form="{:.3f}"):
    return "" if value is None else form.format(value)


def spread(values):
    """(mean, lowest, highest, standard deviation with n - 1 or None) of numbers; all None for none, or with a gap."""
    if not values or None in values:
        return None, None, None, None
    return mean(values), min(values), max(values), stdev(values) if len(values) > 1 else None


def _mean_of(seeds, *names):
    totals = [sum(one.get(name) or 0 for name in names) for one in seeds]
    return mean(totals) if totals and all(totals) else None


def arms_table(content):
    """One row an arm: n, last test accuracy by seed, its mean and spread, best epoch, both clocks, time a run."""
    rows = []
    for arm, by_seed in content["arms"].items():
        seeds = list(by_seed.values())
        last = [one["test_acc"] for one in seeds]
        middle, low, high, deviation = spread(last)
        best = max((one["best_test_acc"] for one in seeds if one["best_test_acc"] is not None), default=None)
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
                "train acc": _number(spread([one["train_acc"] for one in seeds])[0]),
                "loss": _number(spread([one["loss"] for one in seeds])[0]),
                "ex/s": _number(_mean_of(seeds, "examples_per_sec"), "{:.1f}"),
                "end to end": _number(_mean_of(seeds, "examples_per_sec_end_to_end"), "{:.1f}"),
                "time a run": "" if seconds is None else duration(seconds),
            }
        )
    return pd.DataFrame(rows)


def cost_table(content):
    """One row a network: parameters, multiply-adds, then time a picture (lowest to highest round) and peak memory."""
    rows = []
    for arm, by_seed in content["arms"].items():
        for one in by_seed.values():
            row = {
                "network": arm,
                "parameters": f"{one['parameters']:,}",
                "multiply-adds (G)": f"{one['multiply_adds'] / 1e9:.3f}",
            }
            for way in ("train", "predict"):
                low, high = (one[f"{way}_ms_{end}"] for end in ("low", "high"))
                row[f"{way} (ms)"] = f"{one[f'{way}_ms']:.2f} ({low:.2f}-{high:.2f})"
                row[f"{way} peak (MiB)"] = f"{one[f'{way}_peak_bytes'] / 2**20:,.0f}"
            rows.append({**row, "others (cores)": _number(one["others_cores"], "{:.2f}"), "rounds": one["rounds"]})
    return pd.DataFrame(rows)


def claim_lines(content):
    """The claim next to what was found, check by check, and the verdict, as lines."""
    lines = [f"claim: {content['claim']['statement']}", f"source: {content['claim']['source']}"]
    for check in content["checks"]:
        found = "not measured" if check["value"] is None else f"{check['value']:.4g}"
        lines.append(f"  {describe(check)}: {found}, claimed {band(check)}: {check['verdict']}")
    if content["budget"] and any(content["budget"]["changed"].values()):
        lines.append(f"  (run with {content['budget']['line']}, to fit a budget of {content['budget']['text']})")
    return [*lines, f"verdict: {content['verdict']}"]


def _cell(text):
    return str(text).replace("|", "\\|").replace("\n", " ")


def _cells(table):
    return table.apply(lambda column: column.map(_cell))


def _count(by_seed):
    """Runs of an arm, or rounds in which its cost was measured."""
    return next(iter(by_seed.values())).get("rounds") or len(by_seed)


def _claims(found):
    rows = []
    for content in found:
        changed = content["budget"] and any(content["budget"]["changed"].values())
        note = f" (budget {content['budget']['text']}: {content['budget']['line']})" if changed else ""
        for i, check in enumerate(content["checks"]):
            first = i == 0
            rows.append(
                {
                    "experiment": content["name"] + note if first else "",
                    "claim": content["claim"]["statement"] if first else "",
                    "looked at": describe(check),
                    "claimed": band(check),
                    "found": _number(check["value"], "{:.4g}") or "diverged",
                    "n": _count(content["arms"][check["arm"]]),
                    "verdict": check["verdict"],
                }
            )
    return pd.DataFrame(rows)


def _origin(content):
    """A line on where and how a result was measured."""
    machine = content["machine"]
    versions = ", ".join(
        f"{name} {version}"
        for name, version in machine["versions"].items()
        if name in ("python", "mxnet", "mxnet-cu112", "numpy")
    )
    threads = (machine["threads"] or {}).get("threads")
    seeds = "" if content["kind"] == "cost" else f"seeds {', '.join(map(str, content['seeds']))}; "
    return (
        f"{machine['cpu']['model']}, {machine['cpu']['physical']} cores, {threads} threads; {versions}; "
        f"{seeds}commit {', '.join(content['commits'])}; {content['date'][:10]}; "
        f"claim from {content['claim']['source']}; `{content['command']}`"
    )


def markdown(found):
    """[Content of a results file] as Markdown: the claims with their verdicts, then each experiment by arm."""
    parts = [_cells(_claims(found)).to_markdown(index=False, disable_numparse=True)]
    for content in found:
        table = cost_table(content) if content["kind"] == "cost" else arms_table(content)
        parts += [
            f"**{content['name']}**: {content['verdict']}. {_cell(_origin(content))}",
            _cells(table).to_markdown(index=False, disable_numparse=True),
        ]
    return "\n\n".join(parts)


def update(path, text):
    """Put ``text`` between the markers of the file at ``path``; RunError unless they are there once each, in order."""
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
