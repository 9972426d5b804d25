"""A training run on Fashion-MNIST, from its config to the finished run folder.

    result, folder = train(FashionMnistConfig(model="resnet18", epochs=1))
    gluon-resnet train fashion-mnist --epochs 1

A config's fields are in kinds.py, those of its recipe in training/recipe.py.
"""

from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, Union

import numpy

from ..data import hold_out
from ..data.fashion_mnist import LABELS, Arrays, load_arrays, make_batches
from ..data.listing import TRAINING, VALIDATION
from ..errors import ConfigError
from ..networks.specs import ResNetSpec
from ..training.progress import Result
from ..training.schedules import side
from . import data_list
from .data_list import Facts, Key, array_facts
from .folder import RunFolder
from .kinds import FashionMnistConfig
from .launch import Job, execute, network

TRAIN, TEST = "train", "t10k"  # the names of the parts, as in those of their files


def image_facts(config: FashionMnistConfig, train: Arrays, test: Arrays) -> Dict[Key, Facts]:
    """Size and hash of the images and labels of both parts, unless they are verified to be the published ones."""
    if config.verify:
        return {}
    return {(name, ""): array_facts(*arrays) for name, arrays in ((TRAIN, train), (TEST, test))}


def check_same(path: Path, where: str, facts: Mapping[Key, Facts]) -> None:
    """Raise DataError if the images are no longer those that the run in the folder ``path`` was trained on.

    Args:
        path: the run folder; those of verified images and older ones have no list of files, and nothing is compared.
        where: what to call the data.
        facts: size and hash of the images now, as :func:`image_facts` gives them.
    """
    files = data_list.read(path)
    if files:
        data_list.compare(files, where, facts, facts).check_same(path)


def split(config: FashionMnistConfig, labels: numpy.ndarray) -> Tuple[numpy.ndarray, numpy.ndarray]:
    """(indices of the images that are trained on, of those that are held out) of the training part's ``labels`` (N,).

    A limit takes the first of those that are left, so that runs with other limits hold out the same images. Raises
    ConfigError if so many cannot be held out.
    """
    if not config.hold_out:
        return numpy.arange(len(labels))[: config.limit], numpy.arange(0)
    kept, held = hold_out.split(labels, config.hold_out, config.hold_out_seed)
    return kept[: config.limit], held


def _tested_on(config: FashionMnistConfig, number: int) -> str:
    """The part of ``number`` images on which a run is tested, in words."""
    return f"{config.tested} ({number:,} {'training ' if config.hold_out else ''}images)"


def _batches(config: FashionMnistConfig, resumed: Optional[RunFolder]) -> Tuple[Any, Any, int, str, Any]:
    """(training batches, batches to test on, images to train on without limit, where they were found, data list)."""
    train, test, where = load_arrays(config.data, config.verify)
    facts = image_facts(config, train, test)
    if resumed:
        check_same(resumed.path, where, facts)
    total = len(train[0]) - config.hold_out
    kept, held = split(config, train[1])
    tested = (train[0][held], train[1][held]) if config.hold_out else test
    if len(kept) < len(train[0]):
        train = (train[0][kept], train[1][kept])
    changes: Dict[str, Any] = {"flip": config.flip, "shift": config.shift, "sides": _sides(config, train[0].shape)}
    changes["alternate"] = config.seed % 2**32 if config.alternate else None
    train_iter, test_iter = make_batches(train, tested, config.batch_size, config.resize, config.limit, **changes)
    parts = {TRAINING: [(TRAIN, "")], VALIDATION: [(TEST, "")]}
    return train_iter, test_iter, total, where, data_list.make(parts, facts) if facts else None


def _sides(config: FashionMnistConfig, shape: Tuple[int, ...]) -> List[int]:
    """The sides of the training images (N, H, W) in the epochs in which they grow, in pixels."""
    if not config.grow_from:
        return []
    height, width = (config.resize,) * 2 if config.resize else shape[1:3]
    full = config.grow_epochs or config.epochs
    if height != width or not 1 <= config.grow_from <= height or not 1 <= full <= config.epochs:
        raise ConfigError(
            f"grow_from is {config.grow_from}, grow_epochs {config.grow_epochs}: expected square images, a side from 1 "
            f"to theirs, {height}x{width}, and at most {config.epochs} epochs"
        )
    return [side(epoch, config.grow_from, height, full) for epoch in range(1, full)]


def _title(
    config: FashionMnistConfig, spec: ResNetSpec, train_iter: Any, total: int, size: Tuple[int, ...], device: Any
) -> str:
    """The line that names the network, the data, the main settings and the device."""
    count = train_iter.num_examples
    part = f"all {total:,}" if count == total else f"the first {count:,} of {total:,}"
    held = f", {config.hold_out:,} more held out" if config.hold_out else ""
    precision = "" if config.precision == "float32" else f", {config.precision}"
    return (
        f"{spec.name} on Fashion-MNIST: {part} training pictures at {size[0]}x{size[1]}{held}, batch size "
        f"{config.batch_size}, lr {config.lr:g}, seed {config.seed}{precision}, on {device}"
    )


def job(config: FashionMnistConfig, resumed: Optional[RunFolder] = None) -> Job:
    """The :class:`Job` of a config, with its data found and its batches made; raises as :func:`train`.

    If a run is ``resumed``, its images must be those that it began with.
    """
    from mxnet import npx

    from ..devices import try_gpu

    npx.set_np()
    config.check()
    spec, params = network(config, len(LABELS), in_channels=1)
    train_iter, test_iter, total, where, files = _batches(config, resumed)
    size = tuple(train_iter.size)
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
        None if resumed else files,
        None if files is None else data_list.digest(files),
        _tested_on(config, test_iter.num_examples),
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
    return execute(config, job(config, options.get("resumed")), out, say, **options)


train_fashion_mnist = train  # its name outside of this module
