"""What an experiment came to, as data: <name>.json for programs, <name>.csv for the curves, <name>.png for the eye.

For example:

    gluon-resnet run fashion_mnist_resnet18_28px --save-results      # writes them to experiments/results
"""

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import pandas as pd

from .. import files
from ..errors import RunError
from ..figures import save_figure
from ..machine import system
from ..runs.table import read_run
from .claims import judge

FORMAT = 1  # of the results file
#: what a run's result.json says that is kept by seed
KEPT = (
    "status",
    "epochs",
    "loss",
    "train_acc",
    "test_acc",
    "best_test_acc",
    "examples",
    "train_seconds",
    "wait_seconds",
    "test_seconds",
    "examples_per_sec",
    "examples_per_sec_end_to_end",
    "device",
    "winograd",
)
BY_EPOCH = ("epoch", "loss", "train_acc", "test_acc", "seconds", "wait_seconds", "test_seconds", "examples_per_sec")
FIELDS = (
    "name",
    "kind",
    "claim",
    "verdict",
    "checks",
    "config",
    "budget",
    "arms",
    "machine",
    "commits",
    "seeds",
    "command",
    "started",
    "date",
)


def _rounded(value):
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _of_seed(run):
    """What is kept of one run, with the end of each epoch as ``history``."""
    ends = run.history[run.history["test_acc"].notna()]
    history = [{name: _rounded(row[name]) for name in BY_EPOCH} for row in ends.to_dict("records")]
    kept = {name: _rounded(run.result.get(name)) for name in KEPT}
    if run.status == "diverged":  # what the epochs before came to is no result
        kept.update(loss=None, train_acc=None, test_acc=None, best_test_acc=None)
    return {**kept, "history": history}


def _machine(env):
    return {name: env.get(name) for name in ("cpu", "gpus", "threads", "platform", "versions")}


def now():
    """This moment as results have it, with its time zone."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def collect(experiment, units, configs, budget, command):
    """(content of the results file, curves as a table) of units that are all done.

    ``configs``: {arm: config} as trained; ``budget``: what a budget changed and predicted, or None.
    """
    found = {unit: read_run(unit.path) for unit in units}
    arms = {arm: {} for arm in configs}
    for unit, run in found.items():
        arms[unit.arm][str(unit.seed)] = _of_seed(run)
    curves = pd.concat([run.history.assign(arm=unit.arm, seed=unit.seed) for unit, run in found.items()])
    curves = curves[["arm", "seed", *(name for name in curves if name not in ("arm", "seed"))]]
    first = min((run.env for run in found.values()), key=lambda env: env["started"])
    content = summarize(
        experiment,
        arms,
        budget,
        command,
        _machine(first),
        sorted({str(run.env.get("git_commit")) for run in found.values()}),
        first["started"],
    )
    content["config"] = {
        arm: {name: value for name, value in asdict(config).items() if name != "seed"}
        for arm, config in configs.items()
    }
    return content, curves


def summarize(experiment, arms, budget, command, machine, commits, started):
    """The content of a results file of ``arms``, {arm: {seed: {metric: value}}}, with the claim judged."""
    verdict, checks = judge(experiment.checks, arms)
    return {
        "format": FORMAT,
        "name": experiment.name,
        "kind": experiment.settings.kind,
        "claim": {"statement": experiment.statement, "source": experiment.source},
        "verdict": verdict,
        "checks": checks,
        "config": {arm: asdict(config) for arm, config in experiment.configs.items()},
        "budget": budget,
        "arms": arms,
        "machine": machine,
        "commits": commits,
        "seeds": sorted({int(seed) for seeds in arms.values() for seed in seeds}),
        "command": command,
        "started": started,
        "date": now(),
    }


def here():
    """(machine, commits) of this process, as :func:`collect` has them from run folders."""
    report = system.report()
    return _machine(report), [str(report["git_commit"])]


def save(folder, label, content, figures):
    """Write <label>.json, and {name: (table, figure)} as <name>.csv and .png, to ``folder``; names of the files.

    Raises RunError if the folder cannot be written.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files.write_json(folder / f"{label}.json", content)
        for name, (table, _) in figures.items():
            with files.written_whole(folder / f"{name}.csv") as temporary:
                table.to_csv(temporary, index=False, float_format="%.6g")
    except OSError as error:
        raise RunError(f"{folder}: cannot be written ({error.strerror}); name another folder") from None
    for name, (_, figure) in figures.items():
        save_figure(figure, folder / f"{name}.png", dpi=100)
    return [f"{label}.json"] + [f"{name}.{suffix}" for name in figures for suffix in ("csv", "png")]


def read(path):
    """The content of a results file. Raises RunError if it cannot be read, is damaged or of another version."""
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise RunError(f"{path}: damaged ({error}): expected JSON") from None
    if not isinstance(content, dict) or "format" not in content:
        raise RunError(
            f"{path}: not a results file: expected an object with a format; gluon-resnet run ... "
            f"--save-results writes one"
        )
    if content["format"] != FORMAT:
        raise RunError(
            f"{path}: version {content['format']} of the results file: expected {FORMAT}; run the experiment again"
        )
    missing = [name for name in FIELDS if name not in content]
    if missing:
        raise RunError(f"{path}: damaged: no {missing[0]}; run the experiment again")
    return content


def read_all(folder):
    """[content] of every results file in ``folder``, by name. Raises RunError for none and for a bad one."""
    paths = sorted(Path(folder).glob("*.json"))
    if not paths:
        raise RunError(f"{folder}: no results in it: expected .json files of gluon-resnet run ... --save-results")
    return [read(path) for path in paths]
