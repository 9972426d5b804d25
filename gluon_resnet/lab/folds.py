"""Networks that have not seen the images they judge: K folds of Fashion-MNIST's training part, a run for each.

    units = make_units(recipe("speedrun"), 5, "audits/fashion-mnist/folds")
    train(units, train_part, folds(labels, 5), say)      # interrupted runs are resumed, finished ones kept
    out_of_fold, test = predictions(units, train_part, test_part, folds(labels, 5))

A fold's run is an ordinary run folder. Its images are files in Fashion-MNIST's format, which are there only while it is
trained: the other folds as its training part, and its own as the test part, so that its test accuracy is that on images
it was not trained on.
"""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, List, Optional, Sequence, Tuple, Union

import numpy
import scipy.special

from ..data.fashion_mnist import LABELS, Arrays
from ..data.idx import write_arrays
from ..errors import ConfigError, DataError, RunError
from ..runs.kinds import FASHION_MNIST, FashionMnistConfig
from ..runs.network import network_of_run, read_config
from ..text import count, duration
from . import budget as budgets
from . import experiment as experiments
from . import sweep

RECIPE = "speedrun"  # seconds a fold, in two epochs
BATCH = 256  # images that go through a network at once
DATA = "data"  # the folder of the images of the fold that is being trained

Say = Callable[[str], Any]
#: for each fold, the indices of the images in it
Folds = Sequence[numpy.ndarray]


def recipe(name: str) -> FashionMnistConfig:
    """The config of an experiment's arm (NAME, or NAME:ARM if it has several) or of a run folder on Fashion-MNIST.

    Raises ConfigError or RunError if there is none of that name, or it is one on other images.
    """
    if (Path(name) / "config.json").exists():
        kind, config, _ = read_config(name)
        if not isinstance(config, FashionMnistConfig):
            raise ConfigError(f"--recipe {name}: a run on {kind.name}: expected one on {FASHION_MNIST.name}")
    else:
        config = _arm(name)
    if config.weights:
        raise ConfigError(
            f"--recipe {name}: starts from weights ({config.weights}), which may know the images of a fold: expected a "
            f"recipe that trains from the start"
        )
    return replace(config, data=None, seed=0, tensorboard=False, hold_out=0)


def _arm(name: str) -> FashionMnistConfig:
    where, _, arm = name.partition(":")
    experiment = experiments.load(where)
    if experiment.settings.kind != FASHION_MNIST.name:
        raise ConfigError(
            f"--recipe {name}: an experiment of the kind {experiment.settings.kind}: expected {FASHION_MNIST.name}"
        )
    arms = list(experiment.configs)
    if not arm and len(arms) > 1:
        raise ConfigError(f"--recipe {name}: an experiment of {len(arms)} arms: expected one, such as {name}:{arms[0]}")
    if arm and arm not in arms:
        raise ConfigError(f"--recipe {name}: no arm '{arm}': {where} has {', '.join(arms)}")
    return experiment.configs[arm or arms[0]]


def folds(labels: numpy.ndarray, number: int, seed: int = 0) -> List[numpy.ndarray]:
    """``number`` folds of images with labels (N,), each with the same share of every class; indices, sorted.

    Raises DataError if the images are of one class, or a class has fewer images than there are folds.
    """
    from sklearn.model_selection import StratifiedKFold

    check_classes(labels)
    counts = numpy.bincount(labels)
    rarest = min((size, label) for label, size in enumerate(counts) if size)
    if rarest[0] < number:
        raise DataError(
            f"class {LABELS[rarest[1]]} has {count(int(rarest[0]), 'image')}: expected at least {number}, one for each "
            f"fold; take fewer folds"
        )
    split = StratifiedKFold(number, shuffle=True, random_state=seed)
    return [held for _, held in split.split(labels, labels)]


def check_classes(labels: numpy.ndarray) -> None:
    """Raise DataError if all images are of one class."""
    if len(numpy.unique(labels)) < 2:
        raise DataError(
            f"all {count(len(labels), 'image')} are of one class, {LABELS[labels[0]]}: expected two classes or more, "
            f"between which a label can be wrong"
        )


def make_units(config: FashionMnistConfig, number: int, folder: Union[str, Path]) -> List[sweep.Unit]:
    """The runs of ``number`` folds below ``folder``; a fold's number is its seed."""
    folder = Path(folder)
    config = replace(config, data=str(folder / DATA), verify=False)
    return [
        sweep.Unit(f"fold{fold + 1}", fold, replace(config, seed=fold), folder / f"fold{fold + 1}-of-{number}")
        for fold in range(number)
    ]


def _write_data(unit: sweep.Unit, train: Arrays, held: numpy.ndarray) -> None:
    others = numpy.setdiff1d(numpy.arange(len(train[1])), held)
    parts = [tuple(array[indices] for array in train) for indices in (others, held)]
    write_arrays(Path(unit.config.data), *parts)


def train(
    units: Sequence[sweep.Unit],
    images: Arrays,
    held: Folds,
    say: Say,
    budget: Optional[str] = None,
    make_listener: Optional[Callable[[int], Any]] = None,
) -> bool:
    """Train the runs that are not done.

    Args:
        units: the runs, from :func:`make_units`.
        images: images (N, H, W) and labels (N,) of the training part.
        held: the folds, from :func:`folds`.
        say: takes one line of progress at a time.
        budget: a time such as "20m", in which all runs that are left should be done.
        make_listener: makes a listener of each training run from its number of epochs.

    Returns:
        Whether Ctrl-C stopped it.

    Raises:
        ConfigError: the budget is too short for the runs that are left; nothing was trained.
        RunError: a run folder cannot be used, or the disk is full; what is finished stays.
    """
    folder = units[0].path.parent
    with sweep.alone_in(folder):
        try:
            left = [i for i, unit in enumerate(units) if sweep.state(unit) != sweep.DONE]
            if budget and left:
                _write_data(units[left[0]], images, held[left[0]])
                _check_budget(units[left[0]], len(left), budget, say)
            for i, unit in enumerate(units):
                if i in left:
                    _write_data(unit, images, held[i])
                    say(f"fold {i + 1} of {len(units)}:")
                    if sweep.run([unit], say, make_listener):
                        return True
        finally:
            shutil.rmtree(folder / DATA, ignore_errors=True)
    return False


def _check_budget(unit: sweep.Unit, runs: int, budget: str, say: Say) -> None:
    """Raise ConfigError if ``runs`` runs as this one take longer than ``budget``."""
    seconds = budgets.parse(budget)
    try:
        predicted = budgets.measure(unit.config, runs, seconds).seconds()
    except budgets.TooLong:
        raise ConfigError(f"budget {budget}: gone before the first fold is trained: expected a longer one") from None
    if predicted > seconds:
        raise ConfigError(
            f"budget {budget}: {count(runs, 'fold')} of this recipe take about {duration(predicted)}: expected a "
            f"longer time, fewer folds, or a shorter recipe"
        )
    say(f"budget {budget}: predicted {duration(predicted)} for {count(runs, 'fold')}")


def probabilities(
    run: Union[str, Path], images: numpy.ndarray, tell: Optional[Callable[[int], Any]] = None, views: int = 1
) -> numpy.ndarray:
    """What the network of a run on Fashion-MNIST says about images uint8 (N, H, W): float64 (N, num_classes).

    ``tell`` is called after each batch with the number of images in it. With 2 ``views``, the logits are the mean over
    an image and its mirror image. Raises RunError or WeightsError if the run or its parameters cannot be read.
    """
    from ..data.batches import ArrayBatches
    from ..instruments.engines import make_engine, mean_logits

    network = network_of_run(run)
    if network.kind is not FASHION_MNIST:
        raise RunError(f"{run}: a run on {network.kind.name}: expected one on {FASHION_MNIST.name}")
    config: Any = network.config
    batches = ArrayBatches(images, numpy.zeros(len(images), int), BATCH, config.resize)
    engine = make_engine("gluon", network.spec, network.params)
    logits = []
    for start in range(0, len(images), BATCH):
        indices = numpy.arange(start, min(start + BATCH, len(images)))
        logits.append(mean_logits(engine, batches.batch(indices)[0], views))
        if tell:
            tell(len(indices))
    return scipy.special.softmax(numpy.concatenate(logits).astype(numpy.float64), axis=1)


def predictions(
    units: Sequence[sweep.Unit],
    train: numpy.ndarray,
    test: numpy.ndarray,
    held: Folds,
    tell: Optional[Callable[[int], Any]] = None,
) -> Tuple[numpy.ndarray, numpy.ndarray]:
    """(out-of-fold probabilities of the training part, mean probabilities of all networks of the test part).

    Args:
        units: the runs, all trained.
        train: images uint8 (N, H, W) of the training part.
        test: images uint8 (M, H, W) of the test part.
        held: the folds.
        tell: called after each batch with the number of images in it, N + M * folds in all.

    Returns:
        float64 (N, num_classes) and (M, num_classes).
    """
    own: Any = None
    mean: Any = 0.0
    for unit, indices in zip(units, held):
        judged = probabilities(unit.path, train[indices], tell)
        own = numpy.empty((len(train), judged.shape[1])) if own is None else own
        own[indices] = judged
        mean = mean + probabilities(unit.path, test, tell) / len(units)
    return own, mean
