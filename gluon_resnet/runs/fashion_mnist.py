"""A training run on Fashion-MNIST, from a config to a finished run folder.

    result, folder = train(FashionMnistConfig(model="resnet18", epochs=1))
    gluon-resnet train fashion-mnist --epochs 1

A config's fields are in kinds.py, those of its recipe in training/recipe.py.
"""

from ..data.fashion_mnist import LABELS, load_arrays, make_batches
from .kinds import FashionMnistConfig  # noqa: F401  what train takes
from .launch import Job, execute, network


def _batches(config):
    """(training batches, test batches, training pictures there are, where they were found)."""
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


def job(config):
    """The :class:`Job` of a config: network named, arrays found, batches made; raises as :func:`train`."""
    from mxnet import npx

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


def train(config, out=None, say=print, **options):
    """Run ``config`` and return (Result, run folder): arrays found, shapes said, network trained, everything written.

    ``out`` is the run folder (``runs/<date>-<time>-...`` if None), ``say`` takes a line at a time; the other options
    are :func:`execute`'s. Raises DataError, ModelError, ShapeError, ConfigError and RunError before anything is
    written; after DivergedError and Ctrl-C the folder holds what there is.
    """
    return execute(config, job(config), out, say, **options)


train_fashion_mnist = train  # its name outside of this module
