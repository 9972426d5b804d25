"""Every arm of an experiment with every seed, each an ordinary run folder: finished ones stay, stopped ones go on.

    runs/experiments/<experiment>/<arm>-seed<k>

Seed by seed, so that all arms can be compared as soon as the first seed is through. A folder is a run of this sweep
when its config is the one asked for; with another config it is left alone and named.
"""

import fcntl
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from os.path import abspath
from pathlib import Path

from ..errors import DivergedError, RunError
from ..runs.kinds import kind_of
from ..runs.launch import resume
from ..runs.network import read_config
from ..runs.table import read_run
from ..training.checkpoint import NAME as CHECKPOINT

#: fields that leave what is learned as it is
WITHOUT_EFFECT = ("checkpoint_seconds", "tensorboard", "keep_best")
NEW, STOPPED, DONE = "new", "stopped", "done"
LOCK = ".lock"  # held while a sweep works in a folder; names the unit begun last


@dataclass(frozen=True)
class Unit:
    """One run of a sweep: an arm with a seed."""

    arm: str
    seed: int
    config: object
    path: Path

    @property
    def name(self):
        """Name of its folder."""
        return self.path.name


def runs_folder(name):
    """Where the runs of the experiment ``name`` are, unless --out says otherwise."""
    return Path("runs") / "experiments" / name


def make_units(configs, seeds, folder):
    """[Unit] of ``seeds`` seeds of every config, {arm: config}, seed by seed."""
    return [
        Unit(arm, seed, replace(config, seed=seed), Path(folder) / f"{arm}-seed{seed}")
        for seed in range(seeds)
        for arm, config in configs.items()
    ]


def _same(name, one, other, config):
    if name in ("data", "weights"):
        verified = name == "data" and getattr(config, "verify", False)  # the published data, wherever they lie
        return verified or (one and abspath(one)) == (other and abspath(other))
    return one == other


def _check_same(unit, config):
    """Raise RunError unless ``config``, found in the unit's folder, trains what the unit asks for."""
    different = []
    for name in (one.name for one in fields(config)):
        before, now = getattr(config, name), getattr(unit.config, name)
        if name not in WITHOUT_EFFECT and not _same(name, before, now, unit.config):
            different.append(f"{name} {before!r}, here {now!r}")
    if different:
        raise RunError(
            f"{unit.path}: holds a run with another config ({'; '.join(different)}): name another "
            f"folder with --out, or remove this one"
        )


def state(unit):
    """NEW, STOPPED (with a checkpoint) or DONE (finished or diverged). RunError if something else is there."""
    if not unit.path.exists():
        return NEW
    if not unit.path.is_dir() or not (unit.path / "config.json").exists():
        if unit.path.is_dir() and not any(unit.path.iterdir()):
            return NEW
        raise RunError(
            f"{unit.path}: not a run folder: expected one, or nothing; remove it or name another folder with --out"
        )
    _, config, _ = read_config(unit.path)
    if type(config) is not type(unit.config):
        raise RunError(f"{unit.path}: holds a run on other data: name another folder with --out")
    _check_same(unit, config)
    if (unit.path / CHECKPOINT).exists():
        return STOPPED
    if (unit.path / "result.json").exists() and read_run(unit.path).status in ("finished", "diverged"):
        return DONE
    if not _begun_here(unit):
        raise RunError(
            f"{unit.path}: no checkpoint and no result: the run is under way elsewhere, or was ended; wait, "
            f"or remove it to begin again"
        )
    return NEW


def _begun_here(unit):
    """Was this unit the last that a sweep in its folder began? Only that sweep, which is over, can have left it so."""
    note = unit.path.parent / LOCK
    return note.exists() and note.read_text() == unit.name


@contextmanager
def alone_in(folder):
    """Context in which no other sweep works in ``folder``, which is made; RunError if one does."""
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


def train_unit(unit, found, make_listener=None):
    """Train a unit that :func:`state` found NEW or STOPPED; returns whether it was stopped by Ctrl-C."""
    import mxnet as mx

    def quiet(line):
        pass

    kind = kind_of(unit.config)
    with mx.name.NameManager():  # parameters get the names, and so the order, that they have in a process of their own
        if found == STOPPED:
            result, _ = resume(kind, unit.path, quiet, make_listener=make_listener)
        else:
            if unit.path.exists():  # ended before its first checkpoint: nothing in it to go on from
                shutil.rmtree(unit.path)
            (unit.path.parent / LOCK).write_text(unit.name)
            result, _ = kind.train(unit.config, unit.path, quiet, make_listener=make_listener)
    return result.stopped


def run(units, say, make_listener=None):
    """Train what is not done of ``units``; returns whether it was stopped by Ctrl-C.

    All folders are looked at before anything is trained. A run that diverges stays as it is, and the others go on.
    """
    states = [state(unit) for unit in units]
    done = states.count(DONE)
    if done:
        say(f"{done} of {len(units)} runs are done already")
    for i, (unit, found) in enumerate(zip(units, states), start=1):
        if found == DONE:
            continue
        say(f"run {i} of {len(units)}: {unit.name}{', resumed' if found == STOPPED else ''}")
        try:
            if train_unit(unit, found, make_listener):
                return True
        except DivergedError as error:
            say(str(error))
            continue
        say(" / ".join(_outcome(unit)))
    return False


def _outcome(unit):
    result = read_run(unit.path).result
    return (
        f"loss {result['loss']:.3f}, train acc {result['train_acc']:.3f}, test acc {result['test_acc']:.3f}",
        f"{result['examples_per_sec']:.1f} examples/sec on {result['device']}",
        f"{result['examples_per_sec_end_to_end']:.1f} end to end",
    )
