"""From a config to a finished run folder: data, network, shapes, training, results."""

import os
import shlex
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Union

import numpy
from tqdm import tqdm

from .. import figures
from ..distributed import share
from ..distributed.roles import follows
from ..errors import DivergedError, RunError
from ..machine import memory
from ..networks.layout import layout
from ..networks.specs import ResNetSpec, parse_model
from ..text import count, last_line, printable
from ..training.checkpoint import Checkpoint, Keeper
from ..training.group import ALONE, Group
from ..training.progress import Result
from ..training.recipe import PATIENCE_METRICS
from ..training.tensorboard import Events
from ..weights import read_network, set_parameters
from . import data_list
from .belonging import made_of
from .config import resolved, written_config
from .folder import RunFolder, default_folder, made
from .kinds import Kind, kind_of, kind_of_run
from .lock import alone_in
from .resuming import checkpoint_of, removed, resumable, rewind

Say = Callable[[str], Any]
#: a Result and a run folder, or None twice after a search for a learning rate
Outcome = Tuple[Optional[Result], Optional[RunFolder]]


def network(config: Any, num_classes: int, in_channels: int) -> Tuple[ResNetSpec, Optional[Dict[str, numpy.ndarray]]]:
    """(spec, parameters in the config's weight file or None) for images of ``in_channels`` channels."""
    if config.weights is None:
        return parse_model(config.model, num_classes), None
    return read_network(config.weights, config.model, num_classes, in_channels, config.new_head)


@dataclass(frozen=True)
class Job:
    """A run's network, weights to start from, batches, and texts; the settings are in its config."""

    spec: ResNetSpec
    params: Optional[Dict[str, numpy.ndarray]]
    train_iter: Any
    test_iter: Any
    shape: Tuple[int, ...]  # of one image as the network's input
    title: str
    name: str  # of the run folder, after date and time
    notes: Tuple[str, ...] = ()  # lines for the reader
    record: Dict[str, Any] = field(default_factory=dict)  # further entries of config.json
    files: Any = None  # table of the files of a new run (data_list.py), if their bytes may change
    data_digest: Optional[str] = None  # of the table of its files; None if their bytes are verified to be the published
    tested_on: str = "test"  # the part on which it is tested after each epoch, with the number of its images


def resume(kind: Optional[Kind], path: Union[str, Path], say: Say = print, **options: Any) -> Outcome:
    """Resume the run in the folder ``path`` from its last checkpoint.

    Args:
        kind: the expected kind (kinds.py); the run's own if None.
        path: the run folder.
        say: called with each line for the reader.
        options: for :func:`execute`.

    Returns:
        (Result, run folder).

    Raises:
        RunError: the run is of another kind, has no checkpoint, is no longer what it was, or is under way.
    """
    RunFolder.reopen(path)  # before anything is written
    with nullcontext() if follows(os.environ) else alone_in(path):
        run = RunFolder.reopen(path)
        own = kind_of_run(run.config, path)
        if kind is not None and kind is not own:
            raise RunError(
                f"{path}: expected a run of {kind.name}, found a run of another kind, {own.name}: resume it with: "
                f"gluon-resnet train --resume {shlex.quote(str(path))}"
            )
        return own.train(resolved(written_config(own.config, run), run.config), say=say, resumed=run, **options)


def execute(
    config: Any,
    job: Job,
    out: Union[str, Path, None] = None,
    say: Say = print,
    make_listener: Optional[Callable[[int], Any]] = None,
    resumed: Optional[RunFolder] = None,
    find_lr: Union[str, Path, None] = None,
) -> Outcome:
    """Train a job's network into a run folder.

    Args:
        config: the run's config (kinds.py).
        job: its :class:`Job`.
        out: a new run folder; ``runs/<date>-<time>-...`` if None.
        say: called with each line for the reader.
        make_listener: called with the number of epochs, returns what shows the progress; a live plot in a notebook
            and a progress bar elsewhere if None.
        resumed: a reopened RunFolder; its checkpoint is resumed.
        find_lr: path of a figure: learning rates are tried out and drawn there, and nothing else is done.

    Returns:
        (Result, run folder), or (None, None) with ``find_lr``.

    Raises:
        ConfigError: a setting outside its range, before anything is written.
        RunError: the run folder cannot be written, or has no checkpoint to resume.
        ShapeError: the network cannot take the images.
        DivergedError: the loss is no longer a finite number; the run so far has been written.
    """
    from ..devices import try_gpu
    from ..distributed.group import join, leaving
    from ..networks import models, shapes
    from ..training import amx, initial
    from ..training.optimizers import frozen_prefixes
    from ..training.precision import set_precision

    damaged: List[str] = []
    checkpoint = checkpoint_of(config, job, resumed, damaged.append, not follows(os.environ)) if resumed else None
    frozen_prefixes(layout(job.spec), config.freeze_stages)  # refused before anything is written
    initial.check(layout(job.spec, job.shape[1]), config)
    notes = [amx.line()] if config.precision == "bfloat16" else []  # asked before mxnet's first computation
    net, device = models.build(job.spec), try_gpu()
    if find_lr:
        _find_rate(config, net, job, device, find_lr, say)
        return None, None
    set_precision(net, config.precision, device)
    walk = shapes.walk_lines(shapes.layer_shapes(net, job.shape))
    group = join(os.environ, config)
    with leaving(group):
        job = _shared(job, group)
        if group.rank:
            return _follow(config, net, job, device, checkpoint, group), None
        tell = _printing(say)
        path = resumed.path if resumed else made(out or default_folder(job.name))
        with nullcontext() if resumed else alone_in(path):
            folder = resumed or _new_folder(config, job, path)
            for line in (
                job.title,
                *job.notes,
                *damaged,
                *notes,
                *_how_tested(config, job),
                f"shapes of one image, {'x'.join(map(str, job.shape))}:",
                *walk,
            ):
                tell(line)
            return _train(config, folder, net, job, device, tell, make_listener, checkpoint, group)


def _shared(job: Job, group: Group) -> Job:
    """A job with this worker's share of its batches, if there are others, and lines about them."""
    if group is ALONE:
        return job
    own, tested = share.shares(job.train_iter, job.test_iter, group)
    notes = (*job.notes, *share.lines(job.train_iter, own, group))
    return replace(job, train_iter=own, test_iter=tested, notes=notes, record={**job.record, "workers": group.workers})


def _follow(config: Any, net: Any, job: Job, device: Any, checkpoint: Optional[Checkpoint], group: Group) -> Result:
    """Train next to worker 0, which alone writes and talks.

    Args:
        config: the run's config.
        net: its network.
        job: the :class:`Job`, with this worker's share of the batches.
        device: an mxnet context.
        checkpoint: to resume from, if any.
        group: the workers.
    """
    from ..training import train

    _start(config, net, job, device)
    initialize = not job.params and not checkpoint
    with train.interruptible() as stop:
        session = train.Session((), group.agreed(stop), Keeper(resume=checkpoint), initialize, group)
        try:
            return train.fit(net, job.train_iter, job.test_iter, config, device, session)
        except DivergedError:
            group.totals([0.0])  # not to end before worker 0 has written the run so far
            raise


def _printing(say: Say) -> Say:
    """``say`` for lines with names in them, which need not be UTF-8."""
    return lambda line: say(printable(line))


def _new_folder(config: Any, job: Job, path: Path) -> RunFolder:
    """The folder of a new run, with all that is known before training."""
    folder = RunFolder(
        path,
        {
            "kind": kind_of(config).name,
            "command": config.command(),
            "title": printable(job.title),
            "started_in": os.getcwd(),
            "config": asdict(config),
            "network": asdict(job.spec),
            "tested_on": job.tested_on,
            **job.record,
        },
    )
    if "class_names" in job.record:
        folder.write("labels.txt", "\n".join(map(printable, job.record["class_names"])) + "\n")
    if job.files is not None:
        data_list.write(job.files, folder.path)
    return folder


def _how_tested(config: Any, job: Job) -> List[str]:
    """Lines on what a run does otherwise than the textbook when it is tested: other images, and ``norm_batches``."""
    lines = [f"tests: on the {job.tested_on}; the test part is not looked at"] if config.tested != "test" else []
    if not config.norm_batches:
        return lines
    if config.unrenewed:
        return [*lines, f"tests: norm_batches={config.norm_batches} is without effect, {config.unrenewed}"]
    number = len(job.train_iter)
    batches = count(min(number, config.norm_batches), "training batch")
    return [
        *lines,
        f"tests: batch-norm statistics are re-estimated from {batches} before each (--set norm_batches=0: as the "
        f"textbook tests)",
    ]


def _find_rate(config: Any, net: Any, job: Job, device: Any, picture: Union[str, Path], say: Say) -> None:
    """Try learning rates out with a config's network and batches.

    Args:
        config: the run's config.
        net: its network.
        job: its :class:`Job`.
        device: an mxnet context.
        picture: path of the figure of the losses.
        say: called with the lines of the result.
    """
    from ..training import lr_finder

    _start(config, net, job, device)
    with tqdm(total=100, desc="learning rates", unit="batch", leave=False, disable=None) as bar:
        result = lr_finder.find_lr(
            net, job.train_iter, device, recipe=config, initialize=not job.params, tell=lambda step, steps: bar.update()
        )
    figures.save_figure(lr_finder.draw(result), picture)
    rates = result.table["lr"]
    say(
        f"tried learning rates from {rates.iloc[0]:.1e} to {rates.iloc[-1]:.1e} over "
        f"{count(len(rates), 'batch')}: the loss falls fastest at {result.suggestion:.1e}; try --lr "
        f"{result.suggestion:.1e}"
    )
    say(f"picture in {picture}")


def _start(config: Any, net: Any, job: Job, device: Any) -> None:
    """Set the seeds, and put the weights to start from, if any, into ``net``."""
    from mxnet import init

    from ..devices import seed_everything

    seed_everything(config.seed)
    if job.params:
        net.initialize(force_reinit=True, ctx=device, init=init.Xavier())
        set_parameters(net, job.params)


def _train(
    config: Any,
    folder: RunFolder,
    net: Any,
    job: Job,
    device: Any,
    say: Say,
    make_listener: Optional[Callable[[int], Any]],
    checkpoint: Optional[Checkpoint],
    group: Group = ALONE,
) -> Tuple[Result, RunFolder]:
    from ..training import display, train

    make_shown = make_listener or partial(display.default_listener, tested=config.tested)
    listeners: List[Any] = [make_shown(config.epochs), folder]
    if config.tensorboard:
        listeners.append(Events(folder.path / "tensorboard"))
    _start(config, net, job, device)
    keeper = Keeper(
        folder.path,
        config.checkpoint_seconds,
        config.keep_best,
        checkpoint,
        folder.save_history_until,
        config.keep,
        made_of(config, job),
    )
    if checkpoint:
        rewind(folder, checkpoint[1]["at"], config.epochs, say)
    problem: Optional[DivergedError] = None
    with train.interruptible() as stop, resumable(folder):
        try:
            initialize = not job.params and not checkpoint
            session = train.Session(listeners, group.agreed(stop), keeper, initialize, group)
            result = train.fit(net, job.train_iter, job.test_iter, config, device, session)
        except DivergedError as error:
            result, problem = error.result, error
        finally:
            notes = _close(listeners)
        status = "diverged" if problem else "stopped" if result.stopped else "finished"
        summary = {
            "status": status,
            **result.summary(),
            "tested_on": job.tested_on,
            "peak_memory_bytes": memory.peak_memory(),
            "problem": problem and str(problem),
        }
        notes += folder.finish(summary, None if problem else net)
        if status == "finished":  # all is written: only now may the checkpoint go
            notes += removed(keeper)
    for note in notes:
        say(f"note: {note}; the run is complete without it")
    if problem:
        group.totals([0.0])  # now the other workers may end, too
        raise DivergedError(f"{problem}; the run so far is in {folder.path}")
    _report(config, result, folder, say)
    say(f"run folder: {folder.path} ({', '.join(folder.files())})")
    if status == "finished":
        for line in _next(folder):
            say(line)
    return result, folder


def _next(folder: RunFolder) -> List[str]:
    """The commands for what most readers do next, a line each, so that each can be copied."""
    run, model = shlex.quote(str(folder.path)), shlex.quote(f"{folder.path.resolve().name}.onnx")
    return [
        f"to predict: gluon-resnet predict PICTURES --run {run} --format csv",
        f"to export: gluon-resnet export --run {run} --out {model}",
        f"next: gluon-resnet evaluate {run}",
    ]


def _close(listeners: Sequence[Any]) -> List[str]:
    """Close the listeners; a line for each that fails, for what they show is no part of the training."""
    notes = []
    for listener in listeners:
        try:
            getattr(listener, "close", lambda: None)()
        except Exception as error:  # a full disk or a terminal that is gone: the parameters are not saved yet
            notes.append(f"{type(listener).__name__} did not end well ({last_line(error) or type(error).__name__})")
    return notes


def _report(config: Any, result: Result, folder: RunFolder, say: Say) -> None:
    last = result.last
    if result.stopped:
        place = f"epoch {last.epoch}, batch {last.batch} of {last.num_batches}" if last else "no batch"
        say(f"stopped by Ctrl-C after {place}; what there is was kept, go on with --resume {folder.path}")
    if last and result.ended_early:
        better = PATIENCE_METRICS[config.patience_metric]
        say(f"ended after epoch {last.epoch}: no {better} for as many epochs as patience allows")
    for line in result.lines(config.tested) if last else ():
        say(line)
    if result.hint:
        say(result.hint)
