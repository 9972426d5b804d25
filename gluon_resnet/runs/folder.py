"""A run folder, whose files are each written whole or not at all.

config.json has the settings, env.json the machine, history.csv, result.json and curves.png the results, and net.params
the trained parameters.
"""

import json
import reprlib
from contextlib import suppress
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any, Dict, List, Optional, Union

from .. import figures
from ..errors import RunError
from ..files import as_json, check_utf8, remove_leftovers, write_json, writing
from ..machine import system
from ..text import last_line
from ..training import curves
from ..training.checkpoint import save_parameters
from ..training.checkpoint_files import PATTERNS
from ..training.history import ADVICE, History
from ..training.progress import Record
from .lock import NAME as LOCK

VERSION = 1  # of the layout of a run folder
ANOTHER = "name another folder with --out"
#: files that a training replaces while it runs
REPLACED = ("history.csv", "result.json", "curves.png", "net.params", "best.params", "checkpoint.npz", *PATTERNS)
#: what the entries of config.json are, if they are there
TEXTS = ("kind", "command", "title", "started_in", "data")


def default_folder(name: str, now: Optional[datetime] = None) -> Path:
    """A new folder ``runs/<date>-<time>-<name>`` below the working directory, with -2, -3, ... if there is one already.

    Bytes of ``name`` that are not UTF-8 become "_". Raises RunError if the folder cannot be made.
    """
    name = "".join("_" if "\ud800" <= character <= "\udfff" else character for character in name)
    first = Path("runs") / f"{now or datetime.now():%Y%m%d-%H%M%S}-{name}"
    for number in count(1):
        path = first if number == 1 else first.with_name(f"{first.name}-{number}")
        try:
            path.mkdir(parents=True)
            break
        except OSError as error:
            if not (isinstance(error, FileExistsError) and path.parent.is_dir()):
                raise RunError(f"{path}: cannot be written ({error.strerror}); {ANOTHER}") from None
    return path


def made(path: Union[str, Path]) -> Path:
    """``path``, a folder from now on; RunError if it cannot be one of a run."""
    check_utf8(path, "mxnet", RunError, ANOTHER)  # found now, not after the last epoch
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror}); {ANOTHER}") from None
    return Path(path)


def no_run_folder(path: Union[str, Path]) -> RunError:
    """The error that there is no run folder at ``path``; it suggests runs/path, if there is one."""
    inside = Path("runs", path)
    advice = f"did you mean {inside}?" if inside.is_dir() else "list the runs with: gluon-resnet runs list"
    return RunError(f"{path}: no such run folder; {advice}")


def check_unused(path: Union[str, Path]) -> None:
    """Raise RunError if ``path`` is a folder with anything in it but a lock, or cannot be read."""
    path = Path(path)
    try:
        used = path.is_dir() and any(file.name != LOCK for file in path.iterdir())
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror}); {ANOTHER}") from None
    if used:
        raise RunError(f"{path}: not empty; name a new folder with --out, or remove this one")


class RunFolder:
    """A new run folder at ``path`` with its config and environment; a listener that keeps history.csv up to date.

    Raises RunError if the folder cannot be made or is not empty.
    """

    def __init__(self, path: Union[str, Path], config: Dict[str, Any]) -> None:
        self.path, self.history, self.config = made(path), History(), config
        check_unused(self.path)
        try:
            write_json(self.path / "config.json", {"version": VERSION, **config})
            write_json(
                self.path / "env.json",
                {"started": datetime.now().astimezone().isoformat(timespec="seconds"), **system.report()},
            )
        except OSError as error:
            raise RunError(f"{self.path}: cannot be written ({error.strerror}); {ANOTHER}") from None

    @classmethod
    def reopen(cls, path: Union[str, Path]) -> "RunFolder":
        """The run folder at ``path`` with its config and history; RunError if it cannot be read as one."""
        folder = cls.__new__(cls)
        folder.path, folder.history = Path(path), History()
        if folder.path.is_dir() and not (folder.path / "config.json").exists():
            raise RunError(
                f"{path}: not a run folder that can be read (it has no config.json): expected one that gluon-resnet "
                f"train has written; list them with: gluon-resnet runs list"
            )
        try:
            folder.config = json.loads((folder.path / "config.json").read_text())
            if folder.config["version"] != VERSION:
                raise RunError(f"{path}: version {folder.config['version']} of the layout: expected {VERSION}")
            _check_config(folder.config, folder.path / "config.json")
            if (folder.path / "history.csv").exists():
                folder.history.load(folder.path / "history.csv", folder._has_diverged())
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            if isinstance(error, RunError):
                raise
            reason = error.strerror if isinstance(error, OSError) else error
            raise RunError(f"{path}: not a run folder that can be read ({reason})") from None
        return folder

    def _has_diverged(self) -> bool:
        """Whether result.json says so; one that is damaged does not."""
        try:
            return bool(json.loads((self.path / "result.json").read_text())["status"] == "diverged")
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return False

    def remove_leftovers(self) -> None:
        """Remove the temporary files of a run that was killed while it wrote; nothing else may be writing here."""
        remove_leftovers(self.path, REPLACED)

    def check_history(self, note: Dict[str, Any]) -> Optional[str]:
        """Look whether the history is the one that a checkpoint was written with, by its note.

        Returns:
            A line for the reader if there is none any more.

        Raises:
            RunError: it is another.
        """
        expected, path = note.get("history"), self.path / "history.csv"
        if expected is None or self.history.digest(note["at"]["epoch"], note["at"]["batch"]) == expected:
            return None
        if not path.exists():
            return f"{path}: no such file: the history of the run begins here"
        raise RunError(f"{path}: not as it was when the checkpoint was written: {ADVICE}")

    def rewind(self, epoch: int, batch: int) -> None:
        """Remove the history's rows after ``batch`` of ``epoch``."""
        self.history.rows = [row for row in self.history.rows if (row["epoch"], row["batch"]) <= (epoch, batch)]

    def __call__(self, record: Record) -> None:
        if self.history.add(record) and (record.test_acc is not None or record.batch == record.num_batches):
            with suppress(RunError):  # a full disk, which the next checkpoint tells of: training is worth more
                self.save_history()

    def save_history(self) -> None:
        """Write history.csv."""
        self.write("history.csv", self.history.text())

    def save_history_until(self, epoch: int, batch: int) -> str:
        """Write history.csv; returns the hash of its rows before ``batch`` of ``epoch``."""
        self.save_history()
        return self.history.digest(epoch, batch)

    def write(self, name: str, text: str) -> None:
        """Write a text file of the folder, whole or not at all."""
        with writing(self.path / name) as temporary:
            temporary.write_text(text, encoding="utf-8")

    def files(self) -> List[str]:
        """The names of all files in the folder, sorted; hidden ones belong to writers under way and do not count."""
        return sorted(path.name for path in self.path.iterdir() if not path.name.startswith("."))

    def finish(self, summary: Dict[str, Any], net: Any = None) -> List[str]:
        """Write the parameters of ``net``, if given, result.json from ``summary``, the history, and the curves.

        They come in the order of their worth, and a run that is killed in between can be resumed: the caller removes
        the checkpoint afterwards.

        Returns:
            A line for each file that could not be made, though the run can do without it.

        Raises:
            RunError: the parameters or result.json cannot be written.
        """
        if net is not None:
            save_parameters(net, self.path / "net.params")
        self.write("result.json", as_json(summary))
        notes = []
        for name, make in (("history.csv", self.save_history), ("curves.png", self._draw_curves)):
            try:
                make()
            except Exception as error:  # whatever it is, the run must not end for it
                notes.append(f"{name} was not written ({last_line(error) or type(error).__name__})")
        return notes

    def _draw_curves(self) -> None:
        tested = "hold-out" if self.config.get("config", {}).get("hold_out") else "test"
        figure = curves.draw_curves(self.history.table(), title=self.config.get("title"), tested=tested)
        with writing(self.path / "curves.png") as temporary:
            temporary.write_bytes(figures.as_png(figure))


def _check_config(content: Dict[str, Any], path: Path) -> None:
    """Raise RunError if an entry of config.json is of another type than this suite writes."""
    for name in TEXTS:
        if not isinstance(content.get(name, ""), str):
            raise RunError(
                f"{path}: {name} is {reprlib.repr(content[name])}: expected a text; copy the run folder again"
            )
    names = content.get("class_names", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise RunError(
            f"{path}: class_names is {reprlib.repr(names)}: expected a list of texts; copy the run folder again"
        )
