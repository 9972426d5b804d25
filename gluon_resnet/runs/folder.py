"""A run folder, whose files are each written whole or not at all.

config.json has the settings, env.json the machine, history.csv, result.json and curves.png the results, and net.params
the trained parameters.
"""

import json
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Union

from .. import figures
from ..errors import RunError
from ..files import as_json, write_json, written_whole
from ..machine import system
from ..training import curves
from ..training.history import History
from ..training.progress import Record

VERSION = 1  # of the layout of a run folder


def default_folder(name: str, now: Optional[datetime] = None) -> Path:
    """``runs/<date>-<time>-<name>`` below the working directory."""
    return Path("runs") / f"{now or datetime.now():%Y%m%d-%H%M%S}-{name}"


class RunFolder:
    """A new run folder at ``path`` with its config and environment; a listener that keeps history.csv up to date.

    Raises RunError if the folder cannot be made or is not empty.
    """

    def __init__(self, path: Union[str, Path], config: Dict[str, Any]) -> None:
        self.path, self.history, self.config = Path(path), History(), config
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if any(self.path.iterdir()):
                raise RunError(f"{self.path}: not empty; name a new folder with --out, or remove this one")
            write_json(self.path / "config.json", {"version": VERSION, **config})
            write_json(
                self.path / "env.json",
                {"started": datetime.now().astimezone().isoformat(timespec="seconds"), **system.report()},
            )
        except RunError:
            raise
        except OSError as error:
            raise RunError(
                f"{self.path}: cannot be written ({error.strerror}); name another folder with --out"
            ) from None

    @classmethod
    def reopen(cls, path: Union[str, Path]) -> "RunFolder":
        """The run folder at ``path`` with its config and history; RunError if it cannot be read as one."""
        folder = cls.__new__(cls)
        folder.path, folder.history = Path(path), History()
        try:
            folder.config = json.loads((folder.path / "config.json").read_text())
            if folder.config["version"] != VERSION:
                raise RunError(f"{path}: version {folder.config['version']} of the layout: expected {VERSION}")
            if (folder.path / "history.csv").exists():
                folder.history.load(folder.path / "history.csv")
        except (OSError, ValueError, KeyError, TypeError) as error:
            if isinstance(error, RunError):
                raise
            raise RunError(f"{path}: not a run folder that can be read ({error})") from None
        return folder

    def rewind(self, epoch: int, batch: int) -> None:
        """Remove the history's rows after ``batch`` of ``epoch``."""
        self.history.rows = [row for row in self.history.rows if (row["epoch"], row["batch"]) <= (epoch, batch)]

    def __call__(self, record: Record) -> None:
        if self.history.add(record) and (record.test_acc is not None or record.batch == record.num_batches):
            self.save_history()

    def save_history(self) -> None:
        """Write history.csv."""
        with self._writing("history.csv") as temporary:
            self.history.table().to_csv(temporary, index=False, float_format="%.6g")

    @contextmanager
    def _writing(self, name: str) -> Iterator[Path]:
        try:
            with written_whole(self.path / name) as temporary:
                yield temporary
        except OSError as error:
            raise RunError(f"{self.path / name}: cannot be written ({error.strerror})") from None

    def write(self, name: str, text: str) -> None:
        """Write a text file of the folder, whole or not at all."""
        with self._writing(name) as temporary:
            temporary.write_text(text, encoding="utf-8")

    def finish(self, summary: Dict[str, Any], net: Any = None) -> List[str]:
        """Write result.json from ``summary``, the history, the curves, and the parameters of ``net``, if given.

        Returns the names of all files in the folder.
        """
        self.save_history()
        with self._writing("result.json") as temporary:
            temporary.write_text(as_json(summary))
        with self._writing("curves.png") as temporary:
            figure = curves.draw_curves(self.history.table(), title=self.config.get("title"))
            temporary.write_bytes(figures.as_png(figure))
        if net is not None:
            with self._writing("net.params") as temporary:
                net.save_parameters(str(temporary))
        return sorted(path.name for path in self.path.iterdir())
