"""What a report (page.py) shows of a run's own files, as texts and rows for the template."""

import shlex
from dataclasses import asdict
from typing import Any, Dict, List, Optional, Tuple

import pandas as pd

from ..errors import GluonResNetError, RunError
from ..lab import results
from ..networks.specs import ResNetSpec
from ..runs import data_list
from ..runs import table as run_table
from ..runs.config import differences
from ..runs.kinds import PICTURES
from ..runs.table import Run
from ..text import duration, last_line
from ..training.metrics import shown_in
from ..training.recipe import PATIENCE_METRICS

NOTHING = "\N{EN DASH}"  # in place of a missing value


def _shown(value: Any, form: str) -> str:
    return NOTHING if value is None or pd.isna(value) else form.format(value)


def numeric_history(run: Run) -> pd.DataFrame:
    """The run's history as floats, NaN where a value is missing; history.csv was looked at when it was read."""
    columns = {column: pd.to_numeric(run.history[column]).astype(float) for column in run.history}
    return pd.DataFrame(columns, index=run.history.index)


def about(run: Run, spec: ResNetSpec) -> Dict[str, Any]:
    """What was run, as texts: network, data and where they were, folder, title, command, start, names of classes."""
    written = run.written
    config: Any = run.config  # of one of the kinds of runs, which all have a command
    return {
        "network": spec.name,
        "data": run.data,
        "where": written.get("data"),
        "files": _files(run),
        "folder": str(run.path),
        "title": written.get("title"),
        "command": written.get("command", config.command()),
        "started": str(run.env.get("started") or "").replace("T", " "),
        "class_names": [str(name) for name in written.get("class_names", ())],
    }


def _files(run: Run) -> Optional[str]:
    """How many files of the run's data are listed in its folder; None for the kinds that list none, and older runs."""
    files = data_list.read(run.path)
    if files is None or run.kind is not PICTURES:
        return None
    training, validation = (len(files.keys(part)) for part in data_list.PARTS)
    return f"{training:,} training and {validation:,} validation files, listed in {data_list.NAME}"


def state(run: Run) -> Dict[str, Any]:
    """{"status", "note", "command"}: how the run ended, in words, and the command that resumes it, or None."""
    ended = run.result or {}
    resume = f"gluon-resnet train {run.kind.name} --resume {shlex.quote(str(run.path))}"
    if run.status == "finished":
        better = PATIENCE_METRICS.get(run.config.patience_metric, "better test result")
        early = f"It ended early: there was no {better} for as many epochs as its patience allows."
        return {"status": "finished", "note": early if ended.get("ended_early") else None, "command": None}
    if run.status == "diverged":
        return {"status": "diverged", "note": ended.get("problem"), "command": None}
    if run.status == "stopped":
        note = "It was stopped by Ctrl-C. This command resumes it:"
        return {"status": "stopped", "note": note, "command": resume}
    note = (
        "It was still running when this page was written, or it was interrupted: the page shows what it had done "
        "so far."
    )
    if run.status == "unfinished":
        return {"status": "unfinished", "note": note, "command": None}
    return {"status": "unfinished", "note": f"{note} This command resumes it:", "command": resume}


def _number(run: Run, name: str) -> Optional[float]:
    """A number of result.json, or None; raises RunError if it is something else."""
    value = (run.result or {}).get(name)
    if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return value
    raise RunError(f"{run.path / 'result.json'}: damaged: {name} is {value!r}: expected a number")


def figures(run: Run) -> List[Tuple[str, str, str]]:
    """[(title, value, note)] of the numbers of the run, from its history if there is no result yet."""
    large = shown_in("report")
    for name in (*(metric.name for metric in large), "epochs", "train_seconds", "wait_seconds", "test_seconds"):
        _number(run, name)
    listed, so_far = run_table.list_table([run]).iloc[0], run_table.so_far(run.history)
    rows = [("epochs", f"{listed['epochs']:g} of {listed['asked']}", "done, and asked for")]
    for metric in large:
        if run.result or metric.name in (*listed.index, *so_far):  # some numbers are known at the end only
            value = _number(run, metric.name) if run.result else so_far.get(metric.name)
            title = metric.title.replace("test ", f"{run.config.tested} ")
            rows.append((title, _shown(value, metric.form), metric.note))
    training = _number(run, "train_seconds")
    if training:
        share, testing = (_number(run, "wait_seconds") or 0) / training, duration(_number(run, "test_seconds") or 0)
        rows.append(
            ("training took", duration(training), f"{share:.1%} of it waiting for data; testing took {testing} more")
        )
    return rows


def result(run: Run) -> List[Tuple[str, Any]]:
    """[(name, value)] of the whole result.json; empty if there is none yet."""
    return list(run_table.sections(run)["result"].items()) if run.result else []


def environment(run: Run) -> Dict[str, List[Tuple[str, Any]]]:
    """{group: [(name, value)]} of the machine; the groups are those of env.json, and "run" for values outside them."""
    groups: Dict[str, List[Tuple[str, Any]]] = {"run": []}
    for name, value in run_table.sections(run)["environment"].items():
        group, _, rest = name.rpartition(".")
        groups.setdefault(group.replace(".", ", ") or "run", []).append((rest, value or NOTHING))
    return groups


def _setting(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return str(list(value))
    return "none" if value in (None, "") else str(value).lower() if isinstance(value, bool) else str(value)


def settings(run: Run) -> List[Tuple[str, str, str, bool]]:
    """[(name, value, default, whether they differ)] of all settings of the run's config."""
    changed = {setting.partition("=")[0] for setting in differences(run.config)}
    defaults = asdict(type(run.config)())
    return [
        (name, _setting(value), _setting(defaults[name]), name in changed) for name, value in asdict(run.config).items()
    ]


def _input_shape(run: Run) -> Tuple[int, int, int, int]:
    side = run.kind.side(run.config)
    return 1, run.kind.in_channels, side, side


def layers(run: Run, spec: ResNetSpec) -> Dict[str, Any]:
    """{"input", "rows", "parameters", "multiply_adds"}: the chapter's walk of an image through the run's network.

    The rows are (layer, type, output shape, parameters, multiply-adds). Raises RunError if config.json has a network
    that cannot be built.
    """
    import mxnet as mx

    from ..networks import models, shapes

    shape = _input_shape(run)
    try:
        with mx.name.NameManager():  # names start at conv0, whatever was built before
            table = shapes.summary(models.build(spec), shape, depth=1)
    except (GluonResNetError, mx.MXNetError, TypeError, ValueError, KeyError, IndexError, ArithmeticError) as error:
        raise RunError(
            f"{run.path / 'config.json'}: a network that cannot be built "
            f"({type(error).__name__}: {last_line(error)}): expected one that this version "
            f"knows"
        ) from None
    rows = [
        (row.layer, row.type, _times(row.output_shape), f"{row.parameters:,}", f"{row.multiply_adds:,}")
        for row in table.itertuples()
    ]
    return {
        "input": _times(shape),
        "rows": rows,
        **{name: f"{value:,}" for name, value in shapes.totals(table).items()},
    }


def _times(shape: Any) -> str:
    return " \N{MULTIPLICATION SIGN} ".join(map(str, shape))


def epochs(history: pd.DataFrame) -> List[Tuple[str, ...]]:
    """The rows of the table of epochs.

    A row is (epoch, training loss, training accuracy, test accuracy, test loss, learning rate of the last batch,
    seconds of training, seconds of that waiting for data, seconds of testing, examples/s). ``history`` is that of
    :func:`numeric_history`. A last epoch that is not finished has a row, too.
    """
    rows = []
    for epoch, part in history.groupby("epoch", sort=True):
        last = part.iloc[-1]
        over = pd.notna(last["test_acc"]) or float(last["position"]).is_integer()
        name = f"{epoch:.0f}" if over else f"{epoch:.0f}, up to batch {last['batch']:.0f}"
        rows.append(
            (
                name,
                *(
                    _shown(last[column], form)
                    for column, form in (
                        ("loss", "{:.4f}"),
                        ("train_acc", "{:.4f}"),
                        ("test_acc", "{:.4f}"),
                        ("test_loss", "{:.4f}"),
                        ("lr", "{:.3g}"),
                        ("seconds", "{:,.1f}"),
                        ("wait_seconds", "{:,.1f}"),
                        ("test_seconds", "{:,.1f}"),
                        ("examples_per_sec", "{:,.1f}"),
                    )
                ),
            )
        )
    return rows


def experiment(run: Run) -> Optional[Dict[str, Any]]:
    """The experiment that the run belongs to, or None if it belongs to none or the experiment has no results yet.

    The keys are name, arm, seed, claim, source, verdict and command. The results are in the folder of the runs.
    """
    seed = run.config.seed
    for path in sorted(run.path.resolve().parent.glob("*.json")):
        try:
            content = results.read(path)
        except RunError:  # budget.json, say
            continue
        for arm, seeds in content["arms"].items():
            if f"{arm}-seed{seed}" == run.path.resolve().name and str(seed) in seeds:
                return {
                    "name": content["name"],
                    "arm": arm,
                    "seed": seed,
                    "claim": content["claim"]["statement"],
                    "source": content["claim"]["source"],
                    "verdict": content["verdict"],
                    "command": content["command"],
                }
    return None
