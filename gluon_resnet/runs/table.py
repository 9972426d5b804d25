"""Run folders as tables: a list of them, one in full, and several side by side.

For example:

    gluon-resnet runs list
    gluon-resnet runs compare runs/one runs/two --save both.png
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Tuple, Union

import pandas as pd

from ..errors import GluonResNetError, RunError
from ..networks.specs import ResNetSpec
from ..training.checkpoint_files import checkpoints
from ..training.metrics import shown_in
from .config import RunConfig, differences
from .folder import RunFolder, no_run_folder
from .kinds import Kind
from .network import read_config, spec_of_run
from .places import EVERY_RUN, is_run, runs_in

LISTED = {metric.name: metric for metric in shown_in("list")}
COLUMNS = [
    "name",
    "model",
    "data",
    "epochs",
    "asked",
    "status",
    *LISTED,
    "seconds",
]
#: columns of the list that a narrow terminal does without, the first one first
DISPENSABLE = ("data", "model", "best", "train acc", "ex/s", "loss", "time", "epochs")
#: results that are shown side by side, by their name in result.json
RESULTS = ("status", "epochs", "tested_on", *(metric.name for metric in shown_in("compare")), "device")


@dataclass(frozen=True)
class Run:
    """The content of a run folder."""

    path: Path
    kind: Kind
    config: RunConfig
    spec: ResNetSpec
    written: Dict[str, Any]  # config.json
    env: Dict[str, Any]  # env.json
    result: Optional[Dict[str, Any]]  # result.json, if any
    history: pd.DataFrame  # history.csv

    @property
    def model(self) -> str:
        """Full name of the network, such as ``resnet34@torchvision:A`` or ``cifar_plain20``."""
        return self.spec.name

    @property
    def data(self) -> str:
        """A short name of the data it was trained on."""
        return self.kind.data_name(self.config)

    @property
    def status(self) -> str:
        """finished, stopped, diverged, or unfinished: still running, or killed."""
        if self.result is not None:
            return self.result["status"]
        return "unfinished, can be resumed" if checkpoints(self.path) else "unfinished"


def _read_json(path: Path, optional: bool = False) -> Any:
    """The JSON object in the file ``path``; None if it is missing and ``optional``."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if optional:
            return None
        raise RunError(f"{path}: no such file: expected it in every run folder") from None
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise RunError(f"{path}: damaged ({error}): expected JSON") from None
    if not isinstance(content, dict):
        raise RunError(f"{path}: damaged: expected a JSON object, found {type(content).__name__}")
    return content


def read_run(path: Union[str, Path]) -> Run:
    """The :class:`Run` in the folder ``path``; RunError if there is none or a file is damaged."""
    path = Path(path)
    if not path.is_dir():
        raise no_run_folder(path)
    kind, config, written = read_config(path)
    result = _read_json(path / "result.json", optional=True)
    if result is not None and "status" not in result:
        raise RunError(f"{path / 'result.json'}: damaged: expected a status")
    spec = spec_of_run(written, path)
    history = RunFolder.reopen(path).history
    return Run(path, kind, config, spec, written, _read_json(path / "env.json"), result, history.table())


def read_runs(folders: Iterable[Union[str, Path]]) -> Tuple[List[Run], List[str]]:
    """The runs in ``folders``, which are run folders or have run folders in them, sorted by name.

    Returns (runs, problems), with one line for each damaged run. Raises RunError if a folder is missing or has no run
    in it.
    """
    runs: List[Run] = []
    problems: List[str] = []
    for folder in map(Path, folders):
        if not folder.is_dir():
            raise RunError(
                f"{folder}: no such folder: expected one with run folders in it; gluon-resnet train makes runs/"
            )
        paths = [folder] if is_run(folder) else runs_in(folder)
        if not paths:
            raise RunError(f"{folder}: no run folder in it: expected folders with a {EVERY_RUN[0]}")
        for path in paths:
            try:
                runs.append(read_run(path))
            except GluonResNetError as error:
                problems.append(" ".join(str(error).split()))
    return runs, problems


def so_far(history: pd.DataFrame) -> Dict[str, Any]:
    """The numbers so far of a run without a result, from its history, by the names of result.json."""
    if not len(history):
        return {}
    tested = history["test_acc"].dropna().astype(float)
    losses = history["test_loss"].dropna().astype(float)
    last = history.iloc[-1]
    return {
        "loss": last["loss"],
        "train_acc": last["train_acc"],
        "examples_per_sec": last["examples_per_sec"],
        **({"test_acc": tested.iloc[-1], "best_test_acc": tested.max()} if len(tested) else {}),
        **({"test_loss": losses.iloc[-1]} if len(losses) else {}),
    }


def list_table(runs: Iterable[Run]) -> pd.DataFrame:
    """A table with a row for each run and the columns :data:`COLUMNS`; from the history if a run has no result yet."""
    rows = []
    for run in runs:
        result = run.result or so_far(run.history)
        done = result.get("epochs", int(run.history["position"].max()) if len(run.history) else 0)
        seconds = sum(result.get(name) or 0 for name in ("train_seconds", "test_seconds")) if run.result else None
        rows.append(
            [
                run.path.name,
                run.model,
                run.data,
                done,
                run.config.epochs,
                run.status,
                *(result.get(name) for name in LISTED),
                seconds,
            ]
        )
    return pd.DataFrame(rows, columns=COLUMNS)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def as_text(table: pd.DataFrame) -> pd.DataFrame:
    """A table of :func:`list_table` with texts in it: epochs as done/asked, the time as h:mm:ss."""

    def column(name: str, form: Callable[[Any], str]) -> List[str]:
        return ["" if pd.isna(value) else form(value) for value in table[name]]

    shown = table[["name", "model", "data"]].copy()
    shown["epochs"] = [f"{done}/{asked}" for done, asked in zip(table["epochs"], table["asked"])]
    shown["status"] = table["status"]
    for metric in LISTED.values():
        shown[metric.short] = column(metric.name, metric.form.replace(",", "").format)
    shown["time"] = column("seconds", _duration)
    return shown


def _flat(content: Dict[str, Any], prefix: str = "") -> Dict[str, Any]:
    """{"a.b": value} of nested dicts."""
    flat: Dict[str, Any] = {}
    for name, value in content.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{name}."))
        else:
            flat[prefix + name] = ", ".join(map(str, value)) if isinstance(value, list) else value
    return flat


def _shown(value: Any) -> str:
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def sections(run: Run) -> Dict[str, Dict[str, str]]:
    """Everything about a run: {section: {name: value as text}}."""
    content: Dict[str, Dict[str, Any]] = {
        "run": {"folder": run.path, "network": run.model, "title": run.written.get("title"), "status": run.status},
        "settings that are not the default": dict(setting.split("=", 1) for setting in differences(run.config)),
        "result": _flat(run.result or {"result": "none yet"}),
        "environment": _flat(run.env),
        "to make it again": {"command": run.written.get("command")},
    }
    return {section: {name: _shown(value) for name, value in values.items()} for section, values in content.items()}


def show_table(run: Run) -> pd.DataFrame:
    """Everything about a run as a table with the columns section, name and value."""
    rows = [(section, *row) for section, values in sections(run).items() for row in values.items()]
    return pd.DataFrame(rows, columns=["section", "name", "value"])


def _names(runs: Sequence[Run]) -> List[str]:
    """A name for each run: its folder's, or all whole paths if two folders have the same name."""
    short = [run.path.resolve().name for run in runs]
    if len(set(short)) == len(short):
        return short
    paths = [str(run.path) for run in runs]
    if len(set(paths)) < len(paths):
        duplicate = next(path for path in paths if paths.count(path) > 1)
        raise RunError(f"{duplicate}: named twice: expected different run folders")
    return paths


def compare_table(runs: Sequence[Run]) -> pd.DataFrame:
    """Several runs side by side, as a table with the columns section, name and one for each run.

    It has all results, and the settings and machines that differ. A setting that only one kind of run has is listed if
    it differs from its default. Raises RunError if a run is named twice.
    """
    names = _names(runs)
    common = set.intersection(*(set(vars(run.config)) for run in runs))
    common |= {setting.partition("=")[0] for run in runs for setting in differences(run.config)}
    settings = [
        {
            "network": run.model,
            "kind": run.kind.name,
            **{name: value for name, value in vars(run.config).items() if name in common - {"model"}},
        }
        for run in runs
    ]
    machines = [{name: value for name, value in _flat(run.env).items() if name != "started"} for run in runs]
    results = [{"status": run.status, **{name: (run.result or {}).get(name) for name in RESULTS[1:]}} for run in runs]
    rows = []
    for section, columns, always in (
        ("setting", settings, False),
        ("result", results, True),
        ("machine", machines, False),
    ):
        for name in dict.fromkeys(name for values in columns for name in values):
            values = [_shown(values.get(name)) for values in columns]
            if always or len(set(values)) > 1:
                rows.append([section, name, *values])
    return pd.DataFrame(rows, columns=["section", "name", *names])


def histories(runs: Sequence[Run]) -> Dict[str, pd.DataFrame]:
    """{name: history} of runs, for evaluation.plots.draw_runs; RunError if a run has no history yet."""
    for run in runs:
        if not len(run.history):
            raise RunError(f"{run.path}: no history yet, nothing to draw: leave it out")
    return dict(zip(_names(runs), (run.history for run in runs)))
