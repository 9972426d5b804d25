"""What a report (report.py) shows of a run's own files, as plain texts and rows for the template."""

import shlex
from dataclasses import asdict

import pandas as pd

from ..errors import GluonResNetError, RunError
from ..lab import results
from ..runs import table as run_table
from ..runs.config import differences
from ..text import duration, last_line
from ..training.metrics import shown_in

NOTHING = "\N{EN DASH}"  # where there is no value
ALWAYS = ("epoch", "batch", "position", "examples", "seconds", "wait_seconds")  # in every line of a history


def _shown(value, form):
    return NOTHING if value is None or pd.isna(value) else form.format(value)


def numeric_history(run):
    """The run's history with numbers in all columns; RunError if history.csv has something else."""
    where, found = run.path / "history.csv", pd.DataFrame(index=run.history.index)
    for column in run.history:
        try:
            found[column] = pd.to_numeric(run.history[column]).astype(float)
        except (ValueError, TypeError) as error:
            raise RunError(f"{where}: damaged: {column}: {error}: expected numbers") from None
        missing = found.index[found[column].isna()]
        if column in ALWAYS and len(missing):
            raise RunError(f"{where}: damaged: line {missing[0] + 2} has no {column}: expected a number")
    return found


def about(run, spec):
    """What the run is, as texts: network, data, where they were found, folder, title, command, started, class_names."""
    written = run.written
    return {
        "network": spec.name,
        "data": run.data,
        "where": written.get("data"),
        "folder": str(run.path),
        "title": written.get("title"),
        "command": written.get("command", run.config.command()),
        "started": str(run.env.get("started") or "").replace("T", " "),
        "class_names": [str(name) for name in written.get("class_names", ())],
    }


def state(run):
    """{"status", "note", "command"}: how the run ended, in words, and the command that goes on with it or None."""
    ended = run.result or {}
    resume = f"gluon-resnet train {run.kind.name} --resume {shlex.quote(str(run.path))}"
    if run.status == "finished":
        early = "It ended early: no better test accuracy for as many epochs as its patience allows."
        return {"status": "finished", "note": early if ended.get("ended_early") else None, "command": None}
    if run.status == "diverged":
        return {"status": "diverged", "note": ended.get("problem"), "command": None}
    if run.status == "stopped":
        note = "It was stopped by Ctrl-C, and goes on with this command:"
        return {"status": "stopped", "note": note, "command": resume}
    note = (
        "It was still running when this page was written, or was ended from outside: this page shows what it had "
        "so far."
    )
    if run.status == "unfinished":
        return {"status": "unfinished", "note": note, "command": None}
    return {"status": "unfinished", "note": f"{note} It goes on with this command:", "command": resume}


def _number(run, name):
    """A number of result.json, or None; RunError if it is something else."""
    value = (run.result or {}).get(name)
    if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return value
    raise RunError(f"{run.path / 'result.json'}: damaged: {name} is {value!r}: expected a number")


def figures(run):
    """[(title, value, note)] of what the run came to, from its history where there is no result yet."""
    large = shown_in("report")
    for name in (*(metric.name for metric in large), "epochs", "train_seconds", "wait_seconds", "test_seconds"):
        _number(run, name)
    so_far = run_table.list_table([run]).iloc[0]
    found = [("epochs", f"{so_far['epochs']:g} of {so_far['asked']}", "done, and asked for")]
    for metric in large:
        if run.result or metric.name in so_far:  # both clocks are known at the end only
            value = _number(run, metric.name) if run.result else so_far[metric.name]
            found.append((metric.title, _shown(value, metric.form), metric.note))
    training = _number(run, "train_seconds")
    if training:
        share, testing = (_number(run, "wait_seconds") or 0) / training, duration(_number(run, "test_seconds") or 0)
        found.append(
            ("training took", duration(training), f"{share:.1%} of it waiting for data; testing took {testing} more")
        )
    return found


def result(run):
    """[(name, value)] of all that result.json holds; empty if there is none yet."""
    return list(run_table.sections(run)["result"].items()) if run.result else []


def environment(run):
    """{group: [(name, value)]} of where the run ran: groups are env.json's own, and "run" for what is in none."""
    groups = {"run": []}
    for name, value in run_table.sections(run)["environment"].items():
        group, _, rest = name.rpartition(".")
        groups.setdefault(group.replace(".", ", ") or "run", []).append((rest, value or NOTHING))
    return groups


def _setting(value):
    if isinstance(value, (list, tuple)):
        return str(list(value))
    return "none" if value in (None, "") else str(value).lower() if isinstance(value, bool) else str(value)


def settings(run):
    """[(name, value, default, whether they differ)] of all settings of the run's config."""
    changed = {setting.partition("=")[0] for setting in differences(run.config)}
    defaults = asdict(type(run.config)())
    return [
        (name, _setting(value), _setting(defaults[name]), name in changed) for name, value in asdict(run.config).items()
    ]


def _input_shape(run):
    side = run.kind.side(run.config)
    return 1, run.kind.in_channels, side, side


def layers(run, spec):
    """{"input", "rows", "parameters", "multiply_adds"}: the chapter's walk of one picture through the run's network.

    The rows are (layer, type, output shape, parameters, multiply-adds). Raises RunError if config.json has a network
    that cannot be built.
    """
    import mxnet as mx

    from ..networks import models, shapes

    shape = _input_shape(run)
    try:
        with mx.name.NameManager():  # conv0, whatever was built before
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


def _times(shape):
    return " \N{MULTIPLICATION SIGN} ".join(map(str, shape))


def epochs(history):
    """The rows of the table of epochs.

    A row is (epoch, training loss, training accuracy, test accuracy, seconds, of them waiting, testing, examples/s).
    ``history`` is that of :func:`numeric_history`; a last epoch that is not over has a row, too.
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
                        ("seconds", "{:,.1f}"),
                        ("wait_seconds", "{:,.1f}"),
                        ("test_seconds", "{:,.1f}"),
                        ("examples_per_sec", "{:,.1f}"),
                    )
                ),
            )
        )
    return rows


def experiment(run):
    """The experiment that the run is an arm of, as a dict, or None.

    Its keys are name, arm, seed, claim, source, verdict and command. The experiment's results are next to its runs;
    before the last run is done there are none.
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
