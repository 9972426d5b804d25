"""Checkpoints: a resumed run ends with bit for bit the parameters of an uninterrupted one.

    gluon-resnet train --resume runs/20261122-...

A checkpoint holds everything that decides what comes next: parameters, the optimizer's state by parameter, the
averages, the position in the epoch with its sums so far, and the states of Python's and NumPy's random generators, at
the epoch's start (the order of its images) and now. It is plain arrays and JSON: nothing in it is run, and every field
is looked at before it is used (checkpoint_note.py). MXNet's own generator cannot be read, but nothing draws from it
during training. How the files are written and read: checkpoint_files.py.
"""

import json
import warnings
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, Optional, Tuple

import numpy

from ..errors import ConfigError, RunError
from ..files import writing
from ..text import count, last_line
from . import checkpoint_files
from .checkpoint_files import KEEP, Arrays, DamagedError, FilePath
from .checkpoint_note import check_note
from .optimizer_state import ANOTHER, check_names, fitting, optimizer_arrays, restore_optimizer
from .progress import Record, Result
from .randomness import random_states, set_random_states

if TYPE_CHECKING:
    from .loop import Training  # only for the types: it loads mxnet
    from .sums import Epoch

VERSION = 2  # of the note; 1 is that of runs from before 2026-11-28, which does not know what the run is made of

Note = Dict[str, Any]  # JSON values
Checkpoint = Tuple[Arrays, Note]
Batches = Iterator[Tuple[Any, Any]]


def save_parameters(net: Any, path: FilePath) -> None:
    """Write the parameters of ``net`` to the file ``path``, whole or not at all; RunError if they cannot be written."""
    import mxnet as mx

    with writing(path) as temporary:
        try:
            net.save_parameters(str(temporary))
            mx.nd.load(str(temporary))  # mxnet itself does not look whether its last bytes reach the disk
        except mx.MXNetError as error:
            raise RunError(f"{path}: cannot be written ({last_line(error)}): is the disk full?") from None


def save(folder: FilePath, training: "Training", position: Note, keep: int = KEEP) -> None:
    """Write the newest checkpoint of ``training``, whole or not at all, and remove all but the ``keep`` newest.

    Args:
        folder: of the run.
        training: the :class:`gluon_resnet.training.loop.Training`.
        position: the other fields of the note (checkpoint_note.py), JSON values.
        keep: number of checkpoints.

    Raises:
        RunError: it cannot be written.
    """
    names = training.names
    arrays = {
        f"parameter/{name}": param.data().asnumpy()
        for name, param in training.net._collect_params_with_prefix().items()
    }
    states, counts = optimizer_arrays(training.trainer, names)
    arrays.update(states)
    arrays.update({name: values.asnumpy() for name, values in training.averages().items()})
    note = {
        "version": VERSION,
        "counts": counts,
        "now": random_states(),
        "scale": training.scale and training.scale.state(),
        **position,
    }
    arrays["note"] = numpy.frombuffer(json.dumps(note).encode(), dtype=numpy.uint8)
    checkpoint_files.write(folder, arrays, keep)


def read(
    folder: FilePath,
    at_most: Optional[int] = None,
    say: Callable[[str], Any] = warnings.warn,
    set_aside: bool = False,
) -> Checkpoint:
    """(arrays, note) of a run folder's newest checkpoint that is whole.

    Args:
        folder: of the run.
        at_most: bytes that a checkpoint may have.
        say: called with a line for each newer one that is damaged.
        set_aside: rename damaged ones, so that they are never tried again; nobody else may be working in the folder.

    Raises:
        RunError: there is none, or none that is whole.
    """
    return checkpoint_files.newest(folder, _with_note, at_most, say, set_aside)


def _with_note(path: Path, arrays: Arrays) -> Checkpoint:
    """(arrays, note) of a checkpoint; DamagedError if the note or a number is not as it can have been written."""
    try:
        if "note" not in arrays:
            raise ValueError("it has no note")
        note = json.loads(arrays.pop("note").tobytes().decode())
        version = note.get("version") if isinstance(note, dict) else None
        if version in (1, VERSION):
            check_note(note)
            _check_finite(arrays)
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{path}: damaged checkpoint ({error})") from None
    if version not in (1, VERSION):
        raise RunError(f"{path}: version {version!r} of the format: expected {VERSION}; take a newer gluon-resnet")
    return arrays, note


def _check_finite(arrays: Arrays) -> None:
    """Raise ValueError for numbers that no checkpoint is written with; an optimizer may have infinities."""
    for name, values in arrays.items():
        if values.dtype.kind != "f":
            raise ValueError(f"{name}: {values.dtype}: expected real numbers")
        wrong = numpy.isnan(values) if name.startswith("optimizer/") else ~numpy.isfinite(values)
        if wrong.any():
            raise ValueError(f"{name}: {wrong.sum():,} of {values.size:,} numbers are not finite")


def restore(training: "Training", arrays: Arrays, note: Note) -> None:
    """Put a checkpoint from :func:`read` into ``training``; the loop sets the random generators later.

    Raises RunError if it is of another network, or of other settings.
    """
    import mxnet as mx

    params = training.net._collect_params_with_prefix()
    training.start_averages()
    averages = training.averages()
    expected = [f"parameter/{name}" for name in params] + list(averages)
    check_names([name for name in arrays if not name.startswith("optimizer/")], expected, "parameters and averages")
    if bool(training.scale) != bool(note.get("scale")):
        raise RunError(f"the checkpoint is of another precision: it is of {ANOTHER}")
    for name, param in params.items():
        values = fitting(arrays, f"parameter/{name}", param.shape, param.dtype)
        param.data().as_nd_ndarray()[:] = mx.nd.array(values, dtype=param.dtype)
    restore_optimizer(training.trainer, training.names, arrays, note["counts"])
    if training.scale:
        training.scale.restore(note["scale"])
    for name, average in averages.items():
        average[:] = mx.nd.array(fitting(arrays, name, average.shape, average.dtype), dtype=average.dtype)


class Keeper:
    """Keeps checkpoints for :func:`gluon_resnet.training.train.fit`: decides when to save, saves, and resumes.

    Args:
        folder: where checkpoints are written: after every epoch, and when training is stopped. Nothing is saved if
            None.
        seconds: time between checkpoints within an epoch.
        keep_best: write the parameters of the best epoch, by the recipe's ``patience_metric``, to best.params.
        resume: the checkpoint to resume from, as :func:`read` returns it.
        on_save: called with epoch and batch before each checkpoint; what it returns is the hash of the history so far,
            or None, and is written into the checkpoint.
        keep: number of checkpoints that are kept.
        run: what the run is made of, JSON values, to be written into each checkpoint.
    """

    def __init__(
        self,
        folder: Optional[FilePath] = None,
        seconds: float = 300,
        keep_best: bool = False,
        resume: Optional[Tuple[Arrays, Note]] = None,
        on_save: Callable[[int, int], Optional[str]] = lambda epoch, batch: None,
        keep: int = KEEP,
        run: Optional[Note] = None,
    ) -> None:
        self.folder, self.seconds, self.keep_best = folder, seconds, keep_best
        self.resume, self.on_save = resume, on_save
        self.keep, self.run = keep, run
        self.saved = perf_counter()

    def begin(self, training: "Training", result: Result) -> int:
        """Resume from the checkpoint, if any; returns the epoch to go on with, from 1.

        That is one more than the recipe has if the run was ended after its last epoch, before all of its results were
        written.
        """
        self.training, self.result = training, result
        if self.resume is None:
            return 1
        arrays, note = self.resume
        restore(training, arrays, note)
        for values in note["done"]:
            result.epochs.append(Record(**values))
        recipe, epoch = training.recipe, note["at"]["epoch"]
        if epoch > recipe.epochs + 1:
            raise ConfigError(f"this run of {count(recipe.epochs, 'epoch')} is done: nothing to resume")
        without_better = result.epochs_since(recipe.patience_metric)
        if note["at"]["batch"] == 0 and recipe.patience and without_better >= recipe.patience:
            result.ended_early, epoch = True, recipe.epochs + 1
        return epoch

    def open_epoch(self, batches: Batches) -> Tuple[Batches, Optional[Note]]:
        """(the batches left of this epoch, its sums so far or None), with the random generators where they were."""
        if self.resume is None:
            self.start: Note = random_states()
            return batches, None
        (_, note), self.resume = self.resume, None
        self.start = note["start"]
        set_random_states(self.start)
        for done in range(note["at"]["batch"]):
            if next(batches, None) is None:
                raise RunError(
                    f"the checkpoint is at batch {note['at']['batch']:,} of an epoch, which has {done:,}: it is of "
                    f"{ANOTHER}"
                )
        set_random_states(note["now"])
        return batches, note["at"] if note["at"]["batch"] else None

    def due(self) -> bool:
        """Whether it is time for a checkpoint within the epoch."""
        return self.folder is not None and perf_counter() - self.saved >= self.seconds

    def save(self, sums: "Epoch") -> None:
        """Write a checkpoint within the epoch of ``sums``; nothing may be pending.

        Raises DivergedError if the parameters are no longer finite: the last checkpoint stays.
        """
        if self.folder is not None:
            self.training.check_parameters(sums.epoch)
        self._save(sums.state())

    def _save(self, at: Note) -> None:
        if self.folder is not None:
            # first: what it writes may be newer than the checkpoint, but not older
            history = self.on_save(at["epoch"], at["batch"])
            done = [asdict(record) for record in self.result.epochs if record.test_acc is not None]
            note = {"at": at, "start": self.start, "done": done, "history": history, "run": self.run}
            save(self.folder, self.training, note, self.keep)
            self.saved = perf_counter()

    def remove(self) -> None:
        """Delete the checkpoints: the run is finished. RunError if they cannot be removed."""
        if self.folder is not None:
            checkpoint_files.remove(self.folder)

    def end_epoch(self, record: Record) -> None:
        """After an epoch and its test: keep the parameters if they are the best, and write a checkpoint.

        Raises RunError if the disk has no room for them, unless this was the last epoch: the parameters need less room
        than the checkpoint, and they are written next.
        """
        self.start = random_states()
        try:
            is_best = self.result.epochs_since(self.training.recipe.patience_metric) == 0
            if self.keep_best and self.folder is not None and is_best:
                with self.training.tested() as net:
                    save_parameters(net, Path(self.folder) / "best.params")
            self._save({"epoch": record.epoch + 1, "batch": 0})
        except RunError:
            if record.epoch < self.training.recipe.epochs:
                raise
