"""Train every arm of an experiment with every seed; each is an ordinary run folder.

    runs/experiments/<experiment>/<arm>-seed<k>

Finished runs are kept, interrupted ones are resumed. The seeds are run one after another, so that all arms can be
compared as soon as the first seed is done. A folder that holds a run with another config is an error.
"""

import fcntl
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from os.path import abspath
from pathlib import Path
from typing import Any, Callable, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

from ..errors import DivergedError, RunError
from ..runs.kinds import kind_of
from ..runs.launch import resume
from ..runs.lock import NAME as RUN_LOCK
from ..runs.network import read_config
from ..runs.table import read_run
from ..text import count
from ..training.checkpoint_files import checkpoints

#: fields of a config that do not change what is learned
WITHOUT_EFFECT = ("checkpoint_seconds", "tensorboard", "keep", "keep_best")
NEW, STOPPED, DONE = "new", "stopped", "done"
LOCK = ".lock"  # a file that is locked while a sweep works in a folder; holds the name of the unit started last


@dataclass(frozen=True)
class Unit:
    """One run of a sweep: an arm with a seed."""

    arm: str
    seed: int
    config: Any  # its RunConfig
    path: Path

    @property
    def name(self) -> str:
        """Name of its folder."""
        return self.path.name


def runs_folder(name: str) -> Path:
    """The folder of the runs of the experiment ``name``, unless --out says otherwise."""
    return Path("runs") / "experiments" / name


def make_units(configs: Mapping[str, Any], seeds: int, folder: Union[str, Path]) -> List[Unit]:
    """The runs of all ``configs``, {arm: config}, with the seeds 0 to ``seeds`` - 1, one seed after another."""
    return [
        Unit(arm, seed, replace(config, seed=seed), Path(folder) / f"{arm}-seed{seed}")
        for seed in range(seeds)
        for arm, config in configs.items()
    ]


def _same(name: str, before: Any, now: Any, config: Any) -> bool:
    if name in ("data", "weights"):
        verified = name == "data" and getattr(config, "verify", False)  # the published data, in any folder
        return verified or (before and abspath(before)) == (now and abspath(now))
    return before == now


def _check_same(unit: Unit, config: Any) -> None:
    """Raise RunError unless ``config``, that of the unit's folder, trains what the unit asks for."""
    different = []
    for name in (field.name for field in fields(config)):
        before, now = getattr(config, name), getattr(unit.config, name)
        if name not in WITHOUT_EFFECT and not _same(name, before, now, unit.config):
            different.append(f"{name} {before!r}, here {now!r}")
    if different:
        raise RunError(
            f"{unit.path}: holds a run with another config ({'; '.join(different)}): name another "
            f"folder with --out, or remove this one"
        )


def state(unit: Unit) -> str:
    """NEW, STOPPED (with a checkpoint) or DONE (finished or diverged).

    A run that diverged keeps its last good checkpoint, but from there it would diverge again. One that finished has a
    checkpoint only if it was killed while it wrote its last files, which resuming it completes.

    Raises RunError if something else is at the unit's path.
    """
    if not unit.path.exists():
        return NEW
    if not unit.path.is_dir() or not (unit.path / "config.json").exists():
        if unit.path.is_dir() and all(path.name == RUN_LOCK for path in unit.path.iterdir()):
            return NEW
        raise RunError(
            f"{unit.path}: not a run folder: expected one, or nothing; remove it or name another folder with --out"
        )
    _, config, _ = read_config(unit.path)
    if type(config) is not type(unit.config):
        raise RunError(f"{unit.path}: holds a run on other data: name another folder with --out")
    _check_same(unit, config)
    status = read_run(unit.path).status if (unit.path / "result.json").exists() else None
    if status == "diverged":
        return DONE
    if checkpoints(unit.path):
        return STOPPED
    if status == "finished":
        return DONE
    if not _begun_here(unit):
        raise RunError(
            f"{unit.path}: no checkpoint and no result: the run is under way elsewhere, or was ended; wait, "
            f"or remove it to begin again"
        )
    return NEW


def _begun_here(unit: Unit) -> bool:
    """Whether a sweep in this folder started this unit last; it is over, so it left the unit without a checkpoint."""
    note = unit.path.parent / LOCK
    return note.exists() and note.read_text() == unit.name


@contextmanager
def alone_in(folder: Union[str, Path]) -> Iterator[None]:
    """Context in which no other sweep works in ``folder``, which is made if it does not exist.

    Raises RunError if another sweep works in it, or if it cannot be written.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / LOCK, "a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RunError(
                    f"{folder}: another gluon-resnet run is at work in it: wait, or name another folder with --out"
                ) from None
            yield
    except (FileExistsError, NotADirectoryError, PermissionError) as error:
        raise RunError(f"{folder}: cannot be written ({error.strerror}); name another folder with --out") from None


def train_unit(unit: Unit, before: str, make_listener: Optional[Callable[[int], Any]] = None) -> bool:
    """Train a unit whose :func:`state` was NEW or STOPPED ``before``; returns whether Ctrl-C stopped it.

    ``make_listener`` makes a listener of training from the number of epochs.
    """
    import mxnet as mx

    def quiet(line: str) -> None:
        pass

    kind = kind_of(unit.config)
    with mx.name.NameManager():  # parameters get the names, and so the order, that they have in a process of their own
        if before == STOPPED:
            result, _ = resume(kind, unit.path, quiet, make_listener=make_listener)
        else:
            if unit.path.exists():  # ended before its first checkpoint, so there is nothing to resume
                shutil.rmtree(unit.path)
            (unit.path.parent / LOCK).write_text(unit.name)
            result, _ = kind.train(unit.config, unit.path, quiet, make_listener=make_listener)
    return result is not None and result.stopped  # None only when learning rates are tried


def run(units: Sequence[Unit], say: Callable[[str], Any], make_listener: Optional[Callable[[int], Any]] = None) -> bool:
    """Train those of ``units`` that are not done; returns whether Ctrl-C stopped it.

    All folders are checked before anything is trained. A run that diverges is kept, and the next one is trained.
    ``say`` takes one line of progress at a time.
    """
    states = [state(unit) for unit in units]
    done = states.count(DONE)
    if done:
        say(f"done already: {done} of {count(len(units), 'run')}")
    for i, (unit, before) in enumerate(zip(units, states), start=1):
        if before == DONE:
            continue
        say(f"run {i} of {len(units)}: {unit.name}{', resumed' if before == STOPPED else ''}")
        try:
            if train_unit(unit, before, make_listener):
                return True
        except DivergedError as error:
            say(str(error))
            continue
        say(" / ".join(_outcome(unit)))
    return False


def _outcome(unit: Unit) -> Tuple[str, ...]:
    result, tested = read_run(unit.path).result or {}, unit.config.tested
    return (
        f"loss {result['loss']:.3f}, train acc {result['train_acc']:.3f}, {tested} acc {result['test_acc']:.3f}",
        f"{result['examples_per_sec']:.1f} examples/sec on {result['device']}",
        f"{result['examples_per_sec_end_to_end']:.1f} end to end",
    )
