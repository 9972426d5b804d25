"""Checkpoints: a resumed run ends with bit for bit the parameters of an uninterrupted one.

    gluon-resnet train fashion-mnist --resume runs/20261122-...

One file, ``checkpoint.npz``, holds everything that decides what comes next: parameters, the optimizer's state by
parameter, the averages, the position in the epoch with its sums so far, and the states of Python's and NumPy's random
generators, at the epoch's start (the order of its images) and now. It is plain arrays and JSON: nothing in it is run.
MXNet's own generator cannot be read, but nothing draws from it during training.
"""

import json
import zipfile
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Mapping, Optional, Tuple, Union

import numpy

from ..errors import ConfigError, RunError
from ..files import writing
from ..text import last_line
from .progress import Record, Result
from .randomness import random_states, set_random_states

if TYPE_CHECKING:
    from .loop import Epoch, Training  # only for the types: it loads mxnet

NAME, VERSION = "checkpoint.npz", 1

FilePath = Union[str, Path]
Arrays = Dict[str, numpy.ndarray]
Note = Dict[str, Any]  # JSON values
Batches = Iterator[Tuple[Any, Any]]


def _as_arrays(state: Any) -> List[numpy.ndarray]:
    """A parameter's optimizer state, an array, a tuple of them or None, as a list of NumPy arrays."""
    if state is None:
        return []
    return [part.asnumpy() for part in (state if isinstance(state, (tuple, list)) else (state,))]


def optimizer_arrays(trainer: Any, names: Mapping[str, str]) -> Tuple[Arrays, Note]:
    """The state of a gluon.Trainer's optimizer: {"optimizer/<parameter>/<i>": array}, and its counts of updates.

    ``names`` maps the parameters' own names to the layout's.
    """
    states, optimizer = trainer._updaters[0].states, trainer._optimizer
    arrays: Arrays = {}
    counts: Dict[str, int] = {}
    for index, param in enumerate(trainer._params):
        name = names[param.name]
        for i, values in enumerate(_as_arrays(states.get(index))):
            arrays[f"optimizer/{name}/{i}"] = values
        counts[name] = optimizer._index_update_count.get(index, 0)
    return arrays, {"updates": optimizer.num_update, "by_parameter": counts}


def restore_optimizer(trainer: Any, names: Mapping[str, str], arrays: Arrays, counts: Note) -> None:
    """Put the state from :func:`optimizer_arrays` into a fresh trainer over the same parameters.

    Args:
        trainer: a gluon.Trainer that has made no step yet.
        names: the layout's names by the parameters' own.
        arrays: the optimizer's arrays; others among them are ignored.
        counts: the numbers of updates.
    """
    updater, optimizer = trainer._updaters[0], trainer._optimizer
    for index, param in enumerate(trainer._params):
        name = names[param.name]
        state = optimizer.create_state_multi_precision(index, param.data())
        parts = [] if state is None else list(state) if isinstance(state, (tuple, list)) else [state]
        for i, part in enumerate(parts):
            part[:] = arrays[f"optimizer/{name}/{i}"]
        updater.states[index], updater.states_synced[index] = state, True
        if counts["by_parameter"][name]:
            optimizer._index_update_count[index] = counts["by_parameter"][name]
    optimizer.num_update = counts["updates"]


def save_parameters(net: Any, path: FilePath) -> None:
    """Write the parameters of ``net`` to the file ``path``, whole or not at all; RunError if they cannot be written."""
    import mxnet as mx

    with writing(path) as temporary:
        try:
            net.save_parameters(str(temporary))
            mx.nd.load(str(temporary))  # mxnet itself does not look whether its last bytes reach the disk
        except mx.MXNetError as error:
            raise RunError(f"{path}: cannot be written ({last_line(error)}): is the disk full?") from None


def _write_arrays(path: Path, arrays: Arrays) -> None:
    """Write ``arrays`` as numpy.savez does, which does not close its archive if the disk is full.

    The archive would then complain on standard error when Python clears it away.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, values in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                numpy.lib.format.write_array(member, values, allow_pickle=False)


def save(folder: FilePath, training: "Training", position: Note) -> None:
    """Write the checkpoint of ``training`` at ``position``, a dict of JSON values, whole or not at all.

    Raises RunError if it cannot be written.
    """
    names = training.names
    arrays = {
        f"parameter/{name}": param.data().asnumpy()
        for name, param in training.net._collect_params_with_prefix().items()
    }
    states, counts = optimizer_arrays(training.trainer, names)
    arrays.update(states)
    if training.average:
        arrays.update({f"average/{name}": values.asnumpy() for name, values in training.average.values.items()})
    note = {
        "version": VERSION,
        "counts": counts,
        "now": random_states(),
        "scale": training.scale and training.scale.state(),
        **position,
    }
    arrays["note"] = numpy.frombuffer(json.dumps(note).encode(), dtype=numpy.uint8)
    with writing(Path(folder) / NAME) as temporary:
        _write_arrays(temporary, arrays)


def read(folder: FilePath) -> Tuple[Arrays, Note]:
    """(arrays, note) of a run folder's checkpoint; RunError if there is none or it is damaged."""
    path = Path(folder) / NAME
    try:
        with numpy.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        note = json.loads(arrays.pop("note").tobytes().decode())
    except FileNotFoundError:
        raise RunError(
            f"{path}: no such file: the run is finished, or was stopped before its first checkpoint"
        ) from None
    except Exception as error:  # a damaged archive may raise anything
        raise RunError(f"{path}: damaged checkpoint ({type(error).__name__}: {error})") from None
    if note.get("version") != VERSION:
        raise RunError(f"{path}: version {note.get('version')} of the format: expected {VERSION}")
    return arrays, note


def restore(training: "Training", arrays: Arrays, note: Note) -> None:
    """Put a checkpoint from :func:`read` into ``training``; the loop sets the random generators later."""
    import mxnet as mx

    params = training.net._collect_params_with_prefix()
    saved = {name.partition("/")[2] for name in arrays if name.startswith("parameter/")}
    if saved != set(params):
        raise RunError(f"the checkpoint has {len(saved)} parameters, the network {len(params)}: another network")
    for name, param in params.items():
        param.data().as_nd_ndarray()[:] = mx.nd.array(arrays[f"parameter/{name}"], dtype=param.dtype)
    restore_optimizer(training.trainer, training.names, arrays, note["counts"])
    if training.scale:
        training.scale.restore(note["scale"])
    training.start_average()
    if training.average:
        for name, values in training.average.values.items():
            values[:] = mx.nd.array(arrays[f"average/{name}"], dtype=values.dtype)


class Keeper:
    """Keeps checkpoints for :func:`gluon_resnet.training.train.fit`: decides when to save, saves, and resumes.

    Args:
        folder: where checkpoints are written: after every epoch, and when training is stopped. Nothing is saved if
            None.
        seconds: time between checkpoints within an epoch.
        keep_best: write the parameters of the best epoch, by the recipe's ``patience_metric``, to best.params.
        resume: the checkpoint to resume from, as :func:`read` returns it.
        on_save: called before each checkpoint.
    """

    def __init__(
        self,
        folder: Optional[FilePath] = None,
        seconds: float = 300,
        keep_best: bool = False,
        resume: Optional[Tuple[Arrays, Note]] = None,
        on_save: Callable[[], None] = lambda: None,
    ) -> None:
        self.folder, self.seconds, self.keep_best = folder, seconds, keep_best
        self.resume, self.on_save = resume, on_save
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
            raise ConfigError(f"all {recipe.epochs} epochs of this run are done: nothing to resume")
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
        for _ in range(note["at"]["batch"]):
            next(batches)
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
            self.on_save()  # first: what it writes may be newer than the checkpoint, but not older
            done = [asdict(record) for record in self.result.epochs if record.test_acc is not None]
            save(self.folder, self.training, {"at": at, "start": self.start, "done": done})
            self.saved = perf_counter()

    def remove(self) -> None:
        """Delete the checkpoint: the run is finished."""
        if self.folder is not None and (Path(self.folder) / NAME).exists():
            (Path(self.folder) / NAME).unlink()

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
