"""A training run on Fashion-MNIST."""

import os
import shlex
from dataclasses import dataclass
from typing import Optional

from .config import RunConfig, differences
from .launch import Job, execute, network

#: fields with an option of their own on the command line
OPTIONS = (
    "model",
    "resize",
    "batch_size",
    "lr",
    "epochs",
    "precision",
    "limit",
    "data",
    "verify",
    "seed",
    "weights",
    "new_head",
)


@dataclass(frozen=True)
class FashionMnistConfig(RunConfig):
    """A training run on Fashion-MNIST. The defaults are article 001's,
    but for ``norm_batches`` (0: tested as there, too).

    What a recipe has (recipe.py) comes in addition.
    """

    model: str = "resnet18"
    resize: Optional[int] = 96
    batch_size: int = 256
    limit: Optional[int] = None  # train on the first pictures only
    norm_batches: int = 20  # the recipe's own default is 0
    flip: bool = False  # swap left and right of every other training picture
    shift: int = 0  # move training pictures by up to so many pixels, before they are resized
    data: Optional[str] = None
    verify: bool = True

    def command(self):
        """The command that makes this run again, every setting written out."""
        words = [
            "gluon-resnet",
            "train",
            "fashion-mnist",
            "--model",
            self.model,
            "--batch-size",
            str(self.batch_size),
            "--lr",
            repr(self.lr),
            "--epochs",
            str(self.epochs),
            "--seed",
            str(self.seed),
        ]
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
    from ..data.fashion_mnist import load_arrays, make_batches

    train, test, where = load_arrays(config.data, config.verify)
    return (
        *make_batches(
            train, test, config.batch_size, config.resize, config.limit, flip=config.flip, shift=config.shift
        ),
        len(train[0]),
        where,
    )


def _title(config, spec, train_iter, total, size, device):
    """One line that says what is run on what."""
    count = train_iter.num_examples
    part = f"all {total:,}" if count == total else f"the first {count:,} of {total:,}"
    precision = "" if config.precision == "float32" else f", {config.precision}"
    return (
        f"{spec.name} on Fashion-MNIST: {part} training pictures at {size[0]}x{size[1]}, batch size "
        f"{config.batch_size}, lr {config.lr:g}, seed {config.seed}{precision}, on {device}"
    )


def fashion_mnist_job(config):
    """The :class:`Job` of a config: network named, arrays found, batches made ready;
    raises as :func:`train_fashion_mnist`."""
    from mxnet import npx

    from ..data.fashion_mnist import LABELS
    from ..devices import try_gpu

    npx.set_np()
    config.check()
    spec, params = network(config, len(LABELS), in_channels=1)
    train_iter, test_iter, total, where = _batches(config)
    size = tuple(train_iter.size or train_iter.images.shape[1:3])
    title = _title(config, spec, train_iter, total, size, try_gpu())
    return Job(
        spec,
        params,
        train_iter,
        test_iter,
        (1, 1, *size),
        title,
        f"{spec.name}-fashion-mnist",
        (f"data: {where}",),
        {"data": where},
    )


def train_fashion_mnist(config, out=None, say=print, **options):
    """Run ``config`` and return (Result, run folder): arrays found, shapes said, network trained, everything written.

    ``out`` is the run folder (``runs/<date>-<time>-...`` if None), ``say`` takes a line at a time; the other options
    are :func:`execute`'s. Raises DataError, ModelError, ShapeError, ConfigError and RunError before anything is
    written; after DivergedError and Ctrl-C the folder holds what there is.
    """
    return execute(config, fashion_mnist_job(config), out, say, **options)
