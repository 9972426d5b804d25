"""A training run on Fashion-MNIST, from its config to the finished run folder.

    result, folder = train(FashionMnistConfig(model="resnet18", epochs=1))
    gluon-resnet train fashion-mnist --epochs 1

A config's fields are in kinds.py, those of its recipe in training/recipe.py.
"""

from pathlib import Path
from typing import Any, Callable, Optional, Tuple, Union

from ..data.fashion_mnist import LABELS, load_arrays, make_batches
from ..networks.specs import ResNetSpec
from ..training.progress import Result
from .folder import RunFolder
from .kinds import FashionMnistConfig
from .launch import Job, execute, network


def _batches(config: FashionMnistConfig) -> Tuple[Any, Any, int, str]:
    """(training batches, test batches, number of training images in the data set, where it was found)."""
    train, test, where = load_arrays(config.data, config.verify)
    train_iter, test_iter = make_batches(
        train, test, config.batch_size, config.resize, config.limit, flip=config.flip, shift=config.shift
    )
    return train_iter, test_iter, len(train[0]), where


def _title(
    config: FashionMnistConfig, spec: ResNetSpec, train_iter: Any, total: int, size: Tuple[int, ...], device: Any
) -> str:
    """The line that names the network, the data, the main settings and the device."""
    count = train_iter.num_examples
    part = f"all {total:,}" if count == total else f"the first {count:,} of {total:,}"
    precision = "" if config.precision == "float32" else f", {config.precision}"
    return (
        f"{spec.name} on Fashion-MNIST: {part} training pictures at {size[0]}x{size[1]}, batch size "
        f"{config.batch_size}, lr {config.lr:g}, seed {config.seed}{precision}, on {device}"
    )


def job(config: FashionMnistConfig) -> Job:
    """The :class:`Job` of a config, with its data found and its batches made; raises as :func:`train`."""
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


def train(
    config: FashionMnistConfig,
    out: Union[str, Path, None] = None,
    say: Callable[[str], Any] = print,
    **options: Any,
) -> Tuple[Optional[Result], Optional[RunFolder]]:
    """Train on Fashion-MNIST into a new run folder.

    Args:
        config: the settings.
        out: the run folder; ``runs/<date>-<time>-...`` if None.
        say: called with each line for the reader.
        options: for :func:`execute`.

    Returns:
        (Result, run folder).

    Raises:
        DataError, ModelError, ShapeError, ConfigError, RunError: before anything is written.
        DivergedError: the loss is no longer a finite number; as after Ctrl-C, the folder has the run so far.
    """
    return execute(config, job(config), out, say, **options)


train_fashion_mnist = train  # its name outside of this module
