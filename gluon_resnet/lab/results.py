"""The results of an experiment as files: <name>.json with the numbers, <name>.csv and <name>.png with the curves.

For example:

    gluon-resnet run fashion_mnist_resnet18_28px --save-results      # writes them to experiments/results
"""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

import pandas as pd
from matplotlib.figure import Figure

from .. import files
from ..errors import ConfigError, RunError
from ..figures import save_figure
from ..machine import system
from ..runs import looks
from ..runs.table import Run, read_run
from ..text import parse_json
from ..training.metrics import METRICS
from .claims import Seeds, judge
from .experiment import Experiment
from .sweep import Unit
from .work import of_run, read_bounds

#: content of a results file, with :data:`FIELDS` and "format" as keys
Content = Dict[str, Any]

FORMAT = 1  # version of the results file
#: the numbers of a run's result.json that are kept for each seed
KEPT = ("status", "epochs", *METRICS, "examples", "wait_seconds", "device", "winograd")
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


def _rounded(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _of_seed(run: Run, gflops: Optional[float]) -> Dict[str, Any]:
    """The numbers of a run that are kept, with those at the end of each epoch as ``history``.

    ``gflops`` is what the machine did in matrix products before it, if that is known.
    """
    ends = run.history[run.history["test_acc"].notna()]
    history = [{name: _rounded(row[name]) for name in BY_EPOCH} for row in ends.to_dict("records")]
    result = run.result or {}
    numbers = {name: _rounded(result.get(name)) for name in KEPT}
    if run.status == "diverged":  # the numbers of the epochs before are not a result
        numbers.update(loss=None, train_acc=None, test_acc=None, test_loss=None, best_test_acc=None)
    work = {name: _rounded(value) for name, value in of_run(run, gflops).items()}
    return {**numbers, **work, "history": history}


def _machine(env: Mapping[str, Any]) -> Dict[str, Any]:
    return {name: env.get(name) for name in ("cpu", "gpus", "threads", "platform", "versions")}


def now() -> str:
    """The current time in ISO format, to the second, with its time zone."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def collect(
    experiment: Experiment,
    units: Sequence[Unit],
    configs: Mapping[str, Any],
    budget: Optional[Dict[str, Any]],
    command: str,
) -> Tuple[Content, pd.DataFrame]:
    """The results of an experiment, from its runs.

    Args:
        experiment: the experiment.
        units: its runs, which are all done.
        configs: {arm: config}, as the runs were trained.
        budget: what a budget changed and predicted, or None.
        command: the command line that ran it.

    Returns:
        The content of the results file, and the curves: the histories of all runs in one table, with the columns arm
        and seed.
    """
    runs = {unit: read_run(unit.path) for unit in units}
    arms: Dict[str, Dict[str, Dict[str, Any]]] = {arm: {} for arm in configs}
    bounds = {folder: read_bounds(folder) for folder in {unit.path.parent for unit in units}}
    for unit, run in runs.items():
        arms[unit.arm][str(unit.seed)] = _of_seed(run, bounds[unit.path.parent].get(unit.name))
    curves = pd.concat([run.history.assign(arm=unit.arm, seed=unit.seed) for unit, run in runs.items()])
    curves = curves[["arm", "seed", *(name for name in curves if name not in ("arm", "seed"))]]
    first = min((run.env for run in runs.values()), key=lambda env: env["started"])
    content = summarize(
        experiment,
        arms,
        budget,
        command,
        _machine(first),
        sorted({str(run.env.get("git_commit")) for run in runs.values()}),
        first["started"],
    )
    content["config"] = {
        arm: {name: value for name, value in asdict(config).items() if name != "seed"}
        for arm, config in configs.items()
    }
    tested_on = {str(run.result["tested_on"]) for run in runs.values() if run.result and "tested_on" in run.result}
    if tested_on:  # runs from before 2026-11-28 do not say
        content["tested_on"] = " and ".join(sorted(tested_on))
        content["test_looks"] = sum(len(looks.read(unit.path)) for unit in units)
    return content, curves


def summarize(
    experiment: Experiment,
    arms: Mapping[str, Seeds],
    budget: Optional[Dict[str, Any]],
    command: str,
    machine: Dict[str, Any],
    commits: List[str],
    started: str,
) -> Content:
    """The content of a results file, with the claim judged.

    Args:
        experiment: the experiment.
        arms: its numbers, {arm: {seed: {metric: value}}}.
        budget: what a budget changed and predicted, or None.
        command: the command line that ran it.
        machine: the part of the system's report that is kept (see :func:`here`).
        commits: the commits of the suite that ran it.
        started: when the first run was started, in ISO format.
    """
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


def here() -> Tuple[Dict[str, Any], List[str]]:
    """(machine, commits) of this process, in the form that :func:`summarize` takes."""
    report = system.report()
    return _machine(report), [str(report["git_commit"])]


def folder_next_to(experiment: Experiment) -> Path:
    """The folder ``results`` next to the experiment's file.

    Raises ConfigError if the file is one of an installed wheel, where nothing is written.
    """
    if files.in_package(experiment.path):
        raise ConfigError(
            f"--save-results: {experiment.path} is in the installed package: expected an experiment file in a folder "
            f"of yours; leave the option out (the results are in the run folder, too), or run a copy of the file"
        )
    return experiment.path.parent / "results"


def save(
    folder: Union[str, Path], label: str, content: Content, figures: Mapping[str, Tuple[pd.DataFrame, Figure]]
) -> List[str]:
    """Write results to a folder.

    Args:
        folder: where to write; it is made if it does not exist.
        label: name of the results.
        content: is written to <label>.json.
        figures: {name: (table, figure)}, are written to <name>.csv and <name>.png.

    Returns:
        The names of the files.

    Raises:
        RunError: the folder cannot be written.
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


def read(path: Union[str, Path]) -> Content:
    """The content of a results file; raises RunError if it cannot be read, is damaged or of another version."""
    path = Path(path)
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
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


def read_all(folder: Union[str, Path]) -> List[Content]:
    """The contents of all results files in ``folder``, sorted by name.

    Raises RunError if there is none, or if one cannot be read.
    """
    paths = sorted(Path(folder).glob("*.json"))
    if not paths:
        raise RunError(f"{folder}: no results in it: expected .json files of gluon-resnet run ... --save-results")
    return [read(path) for path in paths]
