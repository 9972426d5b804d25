"""Many run folders as tables: what there is, one in full, and several side by side.

For example:

    gluon-resnet runs list
    gluon-resnet runs compare runs/one runs/two --save both.png
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import pandas as pd

from ..errors import GluonResNetError, RunError
from ..networks.specs import ResNetSpec
from ..training.checkpoint import NAME as CHECKPOINT
from ..training.history import COLUMNS as HISTORY
from ..training.metrics import shown_in
from .config import RunConfig, differences
from .folder import RunFolder
from .kinds import Kind
from .network import read_config, spec_of_run

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
#: results that are shown side by side, by their name in result.json
RESULTS = ("status", "epochs", *(metric.name for metric in shown_in("compare")), "device")
EVERY_RUN = ("config.json", "env.json")  # a folder with one of them is, or was, a run


@dataclass(frozen=True)
class Run:
    """A run folder read: ``written`` is config.json, ``result`` result.json or None, ``history`` a table."""

    path: Path
    kind: Kind
    config: RunConfig
    spec: ResNetSpec
    written: dict
    env: dict
    result: Optional[dict]
    history: pd.DataFrame

    @property
    def model(self):
        """Full name of the network, such as ``resnet34@torchvision:A`` or ``cifar_plain20``."""
        return self.spec.name

    @property
    def data(self):
        """What it was trained on, in a word."""
        return self.kind.data_name(self.config)

    @property
    def status(self):
        """finished, stopped, diverged, or unfinished: still under way, or ended from outside."""
        if self.result is not None:
            return self.result["status"]
        return "unfinished, can be resumed" if (self.path / CHECKPOINT).exists() else "unfinished"


def _read_json(path, optional=False):
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


def read_run(path):
    """The :class:`Run` in the folder ``path``. Raises RunError if there is none, and where a file is damaged."""
    path = Path(path)
    if not path.is_dir():
        raise RunError(f"{path}: no such run folder; gluon-resnet runs list names those there are")
    kind, config, written = read_config(path)
    result = _read_json(path / "result.json", optional=True)
    if result is not None and "status" not in result:
        raise RunError(f"{path / 'result.json'}: damaged: expected a status")
    spec = spec_of_run(written, path)
    history = RunFolder.reopen(path).history
    if any(set(row) != set(HISTORY) for row in history.rows):
        raise RunError(f"{path / 'history.csv'}: damaged: expected the columns {', '.join(HISTORY)}")
    return Run(path, kind, config, spec, written, _read_json(path / "env.json"), result, history.table())


def _is_run(folder):
    return any((folder / name).exists() for name in EVERY_RUN)


def read_runs(folders):
    """([Run], [what is wrong with a damaged one, in one line]) of run folders and folders of such, by name.

    Raises RunError if a folder is not there, or has no run in it.
    """
    found, problems = [], []
    for folder in map(Path, folders):
        if not folder.is_dir():
            raise RunError(
                f"{folder}: no such folder: expected one with run folders in it; gluon-resnet train makes runs/"
            )
        paths = [folder] if _is_run(folder) else sorted(filter(_is_run, folder.iterdir()))
        if not paths:
            raise RunError(f"{folder}: no run folder in it: expected folders with a {EVERY_RUN[0]}")
        for path in paths:
            try:
                found.append(read_run(path))
            except GluonResNetError as error:
                problems.append(" ".join(str(error).split()))
    return found, problems


def _so_far(history):
    """What the history of a run without a result says, by the names of result.json."""
    if not len(history):
        return {}
    tested = history["test_acc"].dropna().astype(float)
    last = history.iloc[-1]
    return {
        "loss": last["loss"],
        "train_acc": last["train_acc"],
        "examples_per_sec": last["examples_per_sec"],
        **({"test_acc": tested.iloc[-1], "best_test_acc": tested.max()} if len(tested) else {}),
    }


def list_table(found):
    """A table with a row a run and the columns of :data:`COLUMNS`, from the history where there is no result yet."""
    rows = []
    for run in found:
        result = run.result or _so_far(run.history)
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


def _duration(seconds):
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


def as_text(table):
    """A table of :func:`list_table` as text: epochs as done/asked, the time as h:mm:ss."""

    def column(name, form):
        return ["" if pd.isna(value) else form(value) for value in table[name]]

    shown = table[["name", "model", "data"]].copy()
    shown["epochs"] = [f"{done}/{asked}" for done, asked in zip(table["epochs"], table["asked"])]
    shown["status"] = table["status"]
    for metric in LISTED.values():
        shown[metric.short] = column(metric.name, metric.form.replace(",", "").format)
    shown["time"] = column("seconds", _duration)
    return shown


def _flat(content, prefix=""):
    """{"a.b": value} of nested dicts."""
    flat = {}
    for name, value in content.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{name}."))
        else:
            flat[prefix + name] = ", ".join(map(str, value)) if isinstance(value, list) else value
    return flat


def _shown(value):
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def sections(run):
    """Everything of a run: {section: {name: value as text}}."""
    content = {
        "run": {"folder": run.path, "network": run.model, "title": run.written.get("title"), "status": run.status},
        "settings that are not the default": dict(setting.split("=", 1) for setting in differences(run.config)),
        "result": _flat(run.result or {"result": "none yet"}),
        "environment": _flat(run.env),
        "to make it again": {"command": run.written.get("command")},
    }
    return {section: {name: _shown(value) for name, value in values.items()} for section, values in content.items()}


def show_table(run):
    """Everything of a run as a table with the columns section, name and value."""
    rows = [(section, *row) for section, values in sections(run).items() for row in values.items()]
    return pd.DataFrame(rows, columns=["section", "name", "value"])


def _names(found):
    """A name a run: its folder's, or the whole path where two folders have the same one."""
    short = [run.path.resolve().name for run in found]
    if len(set(short)) == len(short):
        return short
    paths = [str(run.path) for run in found]
    if len(set(paths)) < len(paths):
        twice = next(path for path in paths if paths.count(path) > 1)
        raise RunError(f"{twice}: named twice: expected different run folders")
    return paths


def compare_table(found):
    """A table with the columns section, name and one a run: settings and machines where they differ, and all results.

    A setting that only one kind of run has is there where it is not the default. Raises RunError if a run is
    named twice.
    """
    names = _names(found)
    common = set.intersection(*(set(vars(run.config)) for run in found))
    common |= {setting.partition("=")[0] for run in found for setting in differences(run.config)}
    settings = [
        {
            "network": run.model,
            "kind": run.kind.name,
            **{name: value for name, value in vars(run.config).items() if name in common - {"model"}},
        }
        for run in found
    ]
    machines = [{name: value for name, value in _flat(run.env).items() if name != "started"} for run in found]
    results = [{"status": run.status, **{name: (run.result or {}).get(name) for name in RESULTS[1:]}} for run in found]
    rows, sections = [], (("setting", settings, False), ("result", results, True), ("machine", machines, False))
    for section, columns, always in sections:
        for name in dict.fromkeys(name for values in columns for name in values):
            values = [_shown(values.get(name)) for values in columns]
            if always or len(set(values)) > 1:
                rows.append([section, name, *values])
    return pd.DataFrame(rows, columns=["section", "name", *names])


def histories(found):
    """{name: history} of runs, as plots_evaluation.draw_runs takes it; RunError if a run has no history yet."""
    for run in found:
        if not len(run.history):
            raise RunError(f"{run.path}: no history yet, nothing to draw: leave it out")
    return dict(zip(_names(found), (run.history for run in found)))
