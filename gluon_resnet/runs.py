"""A run folder: what was asked (config.json), where it ran (env.json), what happened (history.csv, result.json,
curves.png) and what was learned (net.params). Every file appears whole or not at all."""
import json
import os
import tempfile
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from . import system
from .errors import RunError
from .history import History

VERSION = 1  # of the layout of a run folder


@contextmanager
def written_whole(path):
    """Context that gives a temporary path beside ``path`` and moves it there at the end, if nothing went wrong."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    os.close(handle)
    try:
        yield Path(name)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


@contextmanager
def writing(path, advice=None):
    """:func:`written_whole`, with a RunError, which ends in ``advice``, where the file cannot be written."""
    try:
        with written_whole(Path(path)) as temporary:
            yield temporary
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror})" + (f"; {advice}" if advice else "")) from None


def as_json(content):
    """``content`` as indented JSON text."""
    return json.dumps(content, indent=2) + "\n"


def check_picture_path(path):
    """Raise RunError unless a picture may be written at ``path``: its suffix is known and its folder there."""
    path = Path(path)
    if path.suffix not in (".png", ".svg", ".pdf"):
        raise RunError(f"{path}: pictures are written as .png, .svg or .pdf")
    if not path.parent.is_dir():
        raise RunError(f"{path}: there is no folder {path.parent}")


def save_figure(figure, path, dpi=110):
    """``figure`` as a picture at ``path`` (.png, .svg, .pdf), whole or not at all;
    RunError where it cannot be written."""
    check_picture_path(path)
    with writing(path) as temporary:
        figure.savefig(temporary, dpi=dpi)


def write_json(path, content):
    """``content`` as indented JSON at ``path``, whole or not at all."""
    with written_whole(path) as temporary:
        temporary.write_text(as_json(content))


def default_folder(name, now=None):
    """``runs/<date>-<time>-<name>`` below the working directory."""
    return Path("runs") / f"{now or datetime.now():%Y%m%d-%H%M%S}-{name}"


class RunFolder:
    """A new run folder at ``path`` with its config and environment; a listener that keeps history.csv up to date.

    Raises RunError where the folder cannot be made or has something in it.
    """

    def __init__(self, path, config):
        self.path, self.history, self.config = Path(path), History(), config
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if any(self.path.iterdir()):
                raise RunError(f"{self.path}: not empty; name a new folder with --out, or remove this one")
            write_json(self.path / "config.json", {"version": VERSION, **config})
            write_json(self.path / "env.json", {"started": datetime.now().astimezone().isoformat(timespec="seconds"),
                                                **system.report()})
        except RunError:
            raise
        except OSError as error:
            raise RunError(f"{self.path}: cannot be written ({error.strerror}); name another folder with "
                           f"--out") from None

    @classmethod
    def reopen(cls, path):
        """The run folder at ``path`` with its config and history; RunError where it is none."""
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

    def rewind(self, epoch, batch):
        """Forget what the history has from after ``batch`` of ``epoch`` on."""
        self.history.rows = [row for row in self.history.rows if (row["epoch"], row["batch"]) <= (epoch, batch)]

    def __call__(self, record):
        if self.history.add(record) and (record.test_acc is not None or record.batch == record.num_batches):
            self.save_history()

    def save_history(self):
        """Write history.csv as it is now."""
        with self._writing("history.csv") as temporary:
            self.history.table().to_csv(temporary, index=False, float_format="%.6g")

    @contextmanager
    def _writing(self, name):
        try:
            with written_whole(self.path / name) as temporary:
                yield temporary
        except OSError as error:
            raise RunError(f"{self.path / name}: cannot be written ({error.strerror})") from None

    def write(self, name, text):
        """Write a text file of the folder, whole or not at all."""
        with self._writing(name) as temporary:
            temporary.write_text(text, encoding="utf-8")

    def finish(self, summary, net=None):
        """Write result.json from ``summary``, the history, the curves, and ``net``'s parameters; names of the files."""
        from . import plots

        self.save_history()
        with self._writing("result.json") as temporary:
            temporary.write_text(as_json(summary))
        with self._writing("curves.png") as temporary:
            temporary.write_bytes(plots.as_png(plots.draw_curves(self.history.table(), title=self.config.get("title"))))
        if net is not None:
            with self._writing("net.params") as temporary:
                net.save_parameters(str(temporary))
        return sorted(path.name for path in self.path.iterdir())
