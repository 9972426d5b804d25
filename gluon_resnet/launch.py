"""From a config to a finished run folder: data, network, shapes, training, results."""
import os
import shlex
from dataclasses import asdict, dataclass
from typing import Optional

from .errors import DivergedError


@dataclass(frozen=True)
class FashionMnistConfig:
    """A training run on Fashion-MNIST; the defaults are article 001's."""

    model: str = "resnet18"
    resize: Optional[int] = 96
    batch_size: int = 256
    lr: float = 0.05
    epochs: int = 10
    precision: str = "float32"
    seed: int = 0
    limit: Optional[int] = None  # train on the first pictures only
    data: Optional[str] = None
    verify: bool = True
    weights: Optional[str] = None  # a file of trained weights to start from
    new_head: bool = False  # but for its classifier

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
        return " ".join(shlex.quote(word) for word in words)


def _batches(config):
    """(training batches, test batches, training pictures there are, where they were found)."""
    from .data.fashion_mnist import load_arrays, make_batches

    train, test, where = load_arrays(config.data, config.verify)
    return (*make_batches(train, test, config.batch_size, config.resize, config.limit), len(train[0]), where)


def _network(config, num_classes):
    """(spec, parameters of the file of weights or None)."""
    from .specs import parse_model
    from .weights import read_network

    if config.weights is None:
        return parse_model(config.model, num_classes), None
    return read_network(config.weights, config.model, num_classes, in_channels=1, new_head=config.new_head)


def _title(config, spec, train_iter, total, size, device):
    """One line that says what is run on what."""
    count = train_iter.num_examples
    part = f"all {total:,}" if count == total else f"the first {count:,} of {total:,}"
    precision = "" if config.precision == "float32" else f", {config.precision}"
    return (f"{spec.name} on Fashion-MNIST: {part} training pictures at {size[0]}x{size[1]}, batch size "
            f"{config.batch_size}, lr {config.lr:g}, seed {config.seed}{precision}, on {device}")


def train_fashion_mnist(config, out=None, say=print, make_listener=None):
    """Run ``config`` and return (Result, run folder): arrays found, shapes said, network trained, everything written.

    ``out`` is the run folder (``runs/<date>-<time>-...`` if None), ``say`` takes a line at a time, ``make_listener`` is
    called with the number of epochs. Raises DataError, ModelError, ShapeError, ConfigError and RunError before anything
    is written; after DivergedError and Ctrl-C the folder holds what there is.
    """
    from mxnet import init, npx

    from . import display, models, runs, shapes, system, train
    from .data.fashion_mnist import LABELS
    from .devices import seed_everything, try_gpu
    from .precision import set_precision
    from .weights import set_parameters

    npx.set_np()
    train.check_settings(config.epochs, config.lr)
    (spec, params), device = _network(config, len(LABELS)), try_gpu()
    train_iter, test_iter, total, where = _batches(config)
    size = train_iter.size or train_iter.images.shape[1:3]
    net = models.build(spec)
    set_precision(net, config.precision, device)
    walk = shapes.walk_lines(shapes.layer_shapes(net, (1, 1, *size)))
    title = _title(config, spec, train_iter, total, size, device)
    folder = runs.RunFolder(out or runs.default_folder(f"{spec.name}-fashion-mnist"),
                            {"command": config.command(), "title": title, "config": asdict(config),
                             "network": asdict(spec), "data": where})
    for line in (title, f"data: {where}", f"shapes of one picture, 1x1x{size[0]}x{size[1]}:", *walk):
        say(line)

    listener = (make_listener or display.default_listener)(config.epochs)
    seed_everything(config.seed)
    if params:
        net.initialize(force_reinit=True, ctx=device, init=init.Xavier())
        set_parameters(net, params)
    problem = None
    with train.interruptible() as stop:
        try:
            result = train.fit(net, train_iter, test_iter, config.epochs, config.lr, device, (listener, folder), stop,
                               initialize=not params)
        except DivergedError as error:
            result, problem = error.result, error
        finally:
            getattr(listener, "close", lambda: None)()
        status = "diverged" if problem else "stopped" if result.stopped else "finished"
        files = folder.finish({"status": status, **result.summary(), "peak_memory_bytes": system.peak_memory(),
                               "problem": problem and str(problem)}, None if problem else net)
    if problem:
        raise DivergedError(f"{problem}; the run so far is in {folder.path}")
    _report(result, say)
    say(f"run folder: {folder.path} ({', '.join(files)})")
    return result, folder


def _report(result, say):
    last = result.last
    if result.stopped:
        place = f"epoch {last.epoch}, batch {last.batch} of {last.num_batches}" if last else "no batch"
        say(f"stopped by Ctrl-C after {place}; what there is was kept")
    for line in result.lines() if last else ():
        say(line)
