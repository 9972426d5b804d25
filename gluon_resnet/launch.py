"""From a config to a finished run folder: data, network, shapes, training, results."""
import os
import shlex
from dataclasses import asdict, dataclass, field
from typing import Optional

from .checkpoint import Keeper, read
from .config import differences, make
from .errors import DivergedError, RunError
from .recipe import Recipe

#: fields with an option of their own on the command line
OPTIONS = ("model", "resize", "batch_size", "lr", "epochs", "precision", "limit", "data", "verify", "seed", "weights",
           "new_head")


@dataclass(frozen=True)
class RunConfig(Recipe):
    """What every run has beside its recipe, whatever it trains on."""

    precision: str = "float32"
    weights: Optional[str] = None  # a file of trained weights to start from
    new_head: bool = False  # but for its classifier
    keep_best: bool = False  # the parameters of the best epoch, as best.params
    checkpoint_seconds: int = 300  # between checkpoints within an epoch
    tensorboard: bool = False  # events for TensorBoard in the run folder, too


@dataclass(frozen=True)
class FashionMnistConfig(RunConfig):
    """A training run on Fashion-MNIST. The defaults are article 001's,
    but for ``norm_batches`` (0: tested as there, too).

    What a recipe has (recipe.py) comes in addition.
    """

    model: str = "resnet18"
    resize: Optional[int] = 96
    batch_size: int = 256
    epochs: int = 10
    limit: Optional[int] = None  # train on the first pictures only
    norm_batches: int = 20  # the recipe's own default is 0
    flip: bool = False  # swap left and right of every other training picture
    shift: int = 0  # move training pictures by up to so many pixels, before they are resized
    data: Optional[str] = None
    verify: bool = True

    def command(self):
        """The command that makes this run again, every setting written out."""
        words = ["gluon-resnet", "train", "fashion-mnist", "--model", self.model, "--batch-size", str(self.batch_size),
                 "--lr", repr(self.lr), "--epochs", str(self.epochs), "--seed", str(self.seed)]
        words += ["--resize", str(self.resize)] if self.resize else ["--no-resize"]
        words += ["--precision", self.precision] if self.precision != "float32" else []
        words += ["--limit", str(self.limit)] if self.limit else []
        words += ["--data", os.path.abspath(self.data)] if self.data else []
        words += ["--weights", os.path.abspath(self.weights)] if self.weights else []
        words += ["--new-head"] if self.new_head else []
        words += [] if self.verify else ["--unverified"]
        for setting in differences(self):
            words += ["--set", setting] if setting.partition("=")[0] not in OPTIONS else []
        return " ".join(shlex.quote(word) for word in words)


def _batches(config):
    """(training batches, test batches, training pictures there are, where they were found)."""
    from .data.fashion_mnist import load_arrays, make_batches

    train, test, where = load_arrays(config.data, config.verify)
    return (*make_batches(train, test, config.batch_size, config.resize, config.limit, flip=config.flip,
                          shift=config.shift),
            len(train[0]), where)


def network(config, num_classes, in_channels):
    """(spec, parameters of the config's file of weights or None) for pictures of ``in_channels`` channels."""
    from .specs import parse_model
    from .weights import read_network

    if config.weights is None:
        return parse_model(config.model, num_classes), None
    return read_network(config.weights, config.model, num_classes, in_channels, config.new_head)


def _title(config, spec, train_iter, total, size, device):
    """One line that says what is run on what."""
    count = train_iter.num_examples
    part = f"all {total:,}" if count == total else f"the first {count:,} of {total:,}"
    precision = "" if config.precision == "float32" else f", {config.precision}"
    return (f"{spec.name} on Fashion-MNIST: {part} training pictures at {size[0]}x{size[1]}, batch size "
            f"{config.batch_size}, lr {config.lr:g}, seed {config.seed}{precision}, on {device}")


@dataclass(frozen=True)
class Job:
    """What a run has beside its config: network, weights to start from, batches, and how to speak of it."""

    spec: object
    params: Optional[dict]
    train_iter: object
    test_iter: object
    shape: tuple  # of one picture as the network's input
    title: str
    name: str  # of the run folder, behind date and time
    notes: tuple = ()  # lines for the reader
    record: dict = field(default_factory=dict)  # for config.json, in addition


def fashion_mnist_job(config):
    """The :class:`Job` of a config: network named, arrays found, batches made ready;
    raises as :func:`train_fashion_mnist`."""
    from mxnet import npx

    from .data.fashion_mnist import LABELS
    from .devices import try_gpu

    npx.set_np()
    check(config)
    spec, params = network(config, len(LABELS), in_channels=1)
    train_iter, test_iter, total, where = _batches(config)
    size = tuple(train_iter.size or train_iter.images.shape[1:3])
    title = _title(config, spec, train_iter, total, size, try_gpu())
    return Job(spec, params, train_iter, test_iter, (1, 1, *size), title, f"{spec.name}-fashion-mnist",
               (f"data: {where}",), {"data": where})


def train_fashion_mnist(config, out=None, say=print, **options):
    """Run ``config`` and return (Result, run folder): arrays found, shapes said, network trained, everything written.

    ``out`` is the run folder (``runs/<date>-<time>-...`` if None), ``say`` takes a line at a time; the other options
    are :func:`execute`'s. Raises DataError, ModelError, ShapeError, ConfigError and RunError before anything is
    written; after DivergedError and Ctrl-C the folder holds what there is.
    """
    return execute(config, fashion_mnist_job(config), out, say, **options)


def check(config):
    """Raise ConfigError where a config cannot be trained with."""
    from . import train

    train.check_settings(config.epochs, config.lr)
    config.check()


def written_config(kind, folder):
    """The config of class ``kind`` in a RunFolder's config.json. Raises RunError where there is none, ConfigError where
    it is not of ``kind``.

    What a run of an older version does not name was not there yet: it is as in a plain :class:`Recipe`,
    whatever ``kind`` has by now.
    """
    where = folder.path / "config.json"
    try:
        return make(kind, {**asdict(Recipe()), **folder.config["config"]}, str(where))
    except (KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{where}: not the config of a run ({type(error).__name__}: {error})") from None


def resume(kind, train, path, say=print, **options):
    """Take the run in the folder ``path`` up where its last checkpoint stands, with the config of class ``kind`` in it.

    ``train`` is what ran it, such as :func:`train_fashion_mnist`, and gives what this returns.
    """
    from . import runs

    folder = runs.RunFolder.reopen(path)
    return train(written_config(kind, folder), say=say, resumed=folder, **options)


def execute(config, job, out=None, say=print, make_listener=None, resumed=None, find_lr=None):
    """Train a job's network into a run folder: (Result, run folder).

    ``make_listener`` is called with the number of epochs. ``resumed`` is a RunFolder reopened, whose checkpoint is
    taken up. With ``find_lr``, the path of a picture, nothing is trained: learning rates are tried out and (None, None)
    returned.
    """
    from . import models, runs, shapes
    from .devices import try_gpu
    from .layout import layout
    from .optimizers import frozen_prefixes
    from .precision import set_precision

    checkpoint = read(resumed.path) if resumed else None
    frozen_prefixes(layout(job.spec), config.freeze_stages)  # refused before anything is written
    net, device = models.build(job.spec), try_gpu()
    if find_lr:
        _find_rate(config, net, job, device, find_lr, say)
        return None, None
    set_precision(net, config.precision, device)
    walk = shapes.walk_lines(shapes.layer_shapes(net, job.shape))
    folder = resumed or runs.RunFolder(out or runs.default_folder(job.name),
                                       {"command": config.command(), "title": job.title, "config": asdict(config),
                                        "network": asdict(job.spec), **job.record})
    if "class_names" in job.record:
        folder.write("labels.txt", "\n".join(job.record["class_names"]) + "\n")
    for line in (job.title, *job.notes, *_how_tested(config),
                 f"shapes of one picture, {'x'.join(map(str, job.shape))}:", *walk):
        say(line)
    return _train(config, folder, net, job, device, say, make_listener, checkpoint)


def _how_tested(config):
    """A line on what ``norm_batches`` does in this run, where it is set: tests are then not the textbook's."""
    if not config.norm_batches:
        return []
    if config.unrenewed:
        return [f"tests: norm_batches={config.norm_batches} is without effect, {config.unrenewed}"]
    return [f"tests: batch norm's statistics are taken anew from {config.norm_batches} training batches before each "
            f"(--set norm_batches=0: as the textbook tests)"]


def _find_rate(config, net, job, device, picture, say):
    """The experiment of lr_finder.py with a config's network and batches, drawn to ``picture``; says what it found."""
    from tqdm import tqdm

    from . import lr_finder, runs

    _start(config, net, job, device)
    with tqdm(total=100, desc="learning rates", unit="batch", leave=False) as bar:
        found = lr_finder.find_lr(net, job.train_iter, device, recipe=config, initialize=not job.params,
                                  tell=lambda step, steps: bar.update())
    runs.save_figure(lr_finder.draw(found), picture)
    say(f"tried learning rates from {found.table['lr'].iloc[0]:.1e} to {found.table['lr'].iloc[-1]:.1e} over "
        f"{len(found.table)} batches: the loss falls fastest at {found.suggestion:.1e}")
    say(f"picture in {picture}")


def _start(config, net, job, device):
    """Set the seeds, and put the weights to start from in, where there are some."""
    from mxnet import init

    from .devices import seed_everything
    from .weights import set_parameters

    seed_everything(config.seed)
    if job.params:
        net.initialize(force_reinit=True, ctx=device, init=init.Xavier())
        set_parameters(net, job.params)


def _train(config, folder, net, job, device, say, make_listener, checkpoint):
    from . import display, system, train
    from .tensorboard import Events

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
            result = train.fit(net, job.train_iter, job.test_iter, config.epochs, config.lr, device, listeners, stop,
                               initialize=not job.params and not checkpoint, recipe=config, keeper=keeper)
        except DivergedError as error:
            result, problem = error.result, error
        finally:
            for listener in listeners:
                getattr(listener, "close", lambda: None)()
        status = "diverged" if problem else "stopped" if result.stopped else "finished"
        if status == "finished":
            keeper.remove()
        files = folder.finish({"status": status, **result.summary(), "peak_memory_bytes": system.peak_memory(),
                               "problem": problem and str(problem)}, None if problem else net)
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
