"""From a config to a finished run folder: data, network, shapes, training, results."""

from dataclasses import asdict, dataclass, field
from typing import Optional

from tqdm import tqdm

from .. import figures
from ..errors import DivergedError, RunError
from ..machine import memory
from ..networks.layout import layout
from ..networks.specs import parse_model
from ..training.checkpoint import Keeper, read
from ..training.tensorboard import Events
from ..weights import read_network, set_parameters
from .config import written_config
from .folder import RunFolder, default_folder
from .kinds import kind_of, kind_of_run


def network(config, num_classes, in_channels):
    """(spec, parameters of the config's file of weights or None) for pictures of ``in_channels`` channels."""
    if config.weights is None:
        return parse_model(config.model, num_classes), None
    return read_network(config.weights, config.model, num_classes, in_channels, config.new_head)


@dataclass(frozen=True)
class Job:
    """What a run has in addition to its config: network, weights to start from, batches, and texts about it."""

    spec: object
    params: Optional[dict]
    train_iter: object
    test_iter: object
    shape: tuple  # of one picture as the network's input
    title: str
    name: str  # of the run folder, after date and time
    notes: tuple = ()  # lines for the reader
    record: dict = field(default_factory=dict)  # for config.json, in addition


def resume(kind, path, say=print, **options):
    """Resume the run in the folder ``path`` from its last checkpoint: (Result, run folder).

    ``options`` are :func:`execute`'s. Raises RunError for a run of another kind than ``kind`` (kinds.py).
    """
    run = RunFolder.reopen(path)
    own = kind_of_run(run.config, path)
    if own is not kind:
        raise RunError(f"{path}: a run of another kind: resume it with: gluon-resnet train {own.name} --resume {path}")
    return kind.train(written_config(kind.config, run), say=say, resumed=run, **options)


def execute(config, job, out=None, say=print, make_listener=None, resumed=None, find_lr=None):
    """Train a job's network into a run folder: (Result, run folder).

    ``make_listener`` is called with the number of epochs. ``resumed`` is a reopened RunFolder, whose checkpoint
    is resumed. With ``find_lr``, the path of a picture, learning rates are tried out instead: returns
    (None, None).
    """
    from ..devices import try_gpu
    from ..networks import models, shapes
    from ..training.optimizers import frozen_prefixes
    from ..training.precision import set_precision

    checkpoint = read(resumed.path) if resumed else None
    frozen_prefixes(layout(job.spec), config.freeze_stages)  # refused before anything is written
    net, device = models.build(job.spec), try_gpu()
    if find_lr:
        _find_rate(config, net, job, device, find_lr, say)
        return None, None
    set_precision(net, config.precision, device)
    walk = shapes.walk_lines(shapes.layer_shapes(net, job.shape))
    folder = resumed or RunFolder(
        out or default_folder(job.name),
        {
            "kind": kind_of(config).name,
            "command": config.command(),
            "title": job.title,
            "config": asdict(config),
            "network": asdict(job.spec),
            **job.record,
        },
    )
    if "class_names" in job.record:
        folder.write("labels.txt", "\n".join(job.record["class_names"]) + "\n")
    for line in (
        job.title,
        *job.notes,
        *_how_tested(config),
        f"shapes of one picture, {'x'.join(map(str, job.shape))}:",
        *walk,
    ):
        say(line)
    return _train(config, folder, net, job, device, say, make_listener, checkpoint)


def _how_tested(config):
    """A line on what ``norm_batches`` does in this run, if it is set: tests are then not the textbook's."""
    if not config.norm_batches:
        return []
    if config.unrenewed:
        return [f"tests: norm_batches={config.norm_batches} is without effect, {config.unrenewed}"]
    return [
        f"tests: batch-norm statistics are re-estimated from {config.norm_batches} training batches before each "
        f"(--set norm_batches=0: as the textbook tests)"
    ]


def _find_rate(config, net, job, device, picture, say):
    """The experiment of lr_finder.py with a config's network and batches, drawn to ``picture``; says what it found."""
    from ..training import lr_finder

    _start(config, net, job, device)
    with tqdm(total=100, desc="learning rates", unit="batch", leave=False) as bar:
        found = lr_finder.find_lr(
            net, job.train_iter, device, recipe=config, initialize=not job.params, tell=lambda step, steps: bar.update()
        )
    figures.save_figure(lr_finder.draw(found), picture)
    say(
        f"tried learning rates from {found.table['lr'].iloc[0]:.1e} to {found.table['lr'].iloc[-1]:.1e} over "
        f"{len(found.table)} batches: the loss falls fastest at {found.suggestion:.1e}"
    )
    say(f"picture in {picture}")


def _start(config, net, job, device):
    """Set the seeds, and put the weights to start from in, if any."""
    from mxnet import init

    from ..devices import seed_everything

    seed_everything(config.seed)
    if job.params:
        net.initialize(force_reinit=True, ctx=device, init=init.Xavier())
        set_parameters(net, job.params)


def _train(config, folder, net, job, device, say, make_listener, checkpoint):
    from ..training import display, train

    listeners = [(make_listener or display.default_listener)(config.epochs), folder]
    if config.tensorboard:
        listeners.append(Events(folder.path / "tensorboard"))
    _start(config, net, job, device)
    keeper = Keeper(folder.path, config.checkpoint_seconds, config.keep_best, checkpoint, folder.save_history)
    if checkpoint:
        at = checkpoint[1]["at"]
        folder.rewind(at["epoch"], at["batch"])
        say(f"resuming {folder.path} at epoch {at['epoch']}, after batch {at['batch']}")
    problem = None
    with train.interruptible() as stop:
        try:
            session = train.Session(listeners, stop, keeper, initialize=not job.params and not checkpoint)
            result = train.fit(net, job.train_iter, job.test_iter, config, device, session)
        except DivergedError as error:
            result, problem = error.result, error
        finally:
            for listener in listeners:
                getattr(listener, "close", lambda: None)()
        status = "diverged" if problem else "stopped" if result.stopped else "finished"
        if status == "finished":
            keeper.remove()
        files = folder.finish(
            {
                "status": status,
                **result.summary(),
                "peak_memory_bytes": memory.peak_memory(),
                "problem": problem and str(problem),
            },
            None if problem else net,
        )
    if problem:
        raise DivergedError(f"{problem}; the run so far is in {folder.path}")
    _report(result, folder, say)
    say(f"run folder: {folder.path} ({', '.join(files)})")
    return result, folder


def _report(result, folder, say):
    last = result.last
    if result.stopped:
        place = f"epoch {last.epoch}, batch {last.batch} of {last.num_batches}" if last else "no batch"
        say(f"stopped by Ctrl-C after {place}; what there is was kept, go on with --resume {folder.path}")
    if result.ended_early:
        say(f"ended after epoch {last.epoch}: no better test accuracy for as many epochs as patience allows")
    for line in result.lines() if last else ():
        say(line)
