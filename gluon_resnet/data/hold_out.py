"""A part of the training images that is held out: every choice is made on it, so that the test part stays unseen.

    kept, held = split(labels, 5000)              # of Fashion-MNIST: 55,000 indices and 5,000, 500 of each class

The same labels, number and seed give the same images, whatever else is random in a run: NumPy keeps the numbers of its
RandomState as they are from version to version.
"""

from typing import Tuple

import numpy

from ..errors import ConfigError, whole
from ..text import count

MOST_SEED = 2**32 - 1  # of NumPy's RandomState


def split(labels: numpy.ndarray, number: int, seed: int = 0) -> Tuple[numpy.ndarray, numpy.ndarray]:
    """(indices that are left to train on, ``number`` indices that are held out), both in ascending order.

    Each class has its share of the held-out images, rounded; with Fashion-MNIST's equal classes exactly a tenth.

    Args:
        labels: integers (N,), the classes of the training images.
        number: images to hold out.
        seed: of the choice within a class.

    Raises:
        ConfigError: there are not enough images, or too few are asked for to have one of each class.
    """
    if whole("hold_out", number) >= len(labels):
        raise ConfigError(f"hold_out is {number:,}: expected fewer than the {count(len(labels))} of the training part")
    classes, shares = _shares(labels, number)
    random = numpy.random.RandomState(seed)
    held = [random.permutation(numpy.flatnonzero(labels == c))[:share] for c, share in zip(classes, shares)]
    chosen = numpy.zeros(len(labels), dtype=bool)
    chosen[numpy.concatenate(held)] = True
    return numpy.flatnonzero(~chosen), numpy.flatnonzero(chosen)


def _shares(labels: numpy.ndarray, number: int) -> Tuple[numpy.ndarray, numpy.ndarray]:
    """(classes, images to hold out of each): whole shares first, then one more where most was cut off."""
    classes, counts = numpy.unique(labels, return_counts=True)
    shares, rest = numpy.divmod(number * counts.astype(numpy.int64), len(labels))
    shares[numpy.argsort(-rest, kind="stable")[: number - shares.sum()]] += 1
    for c, share, images in zip(classes, shares, counts):
        if not share:
            raise ConfigError(
                f"hold_out is {number:,}: expected one picture or more of each of the {len(classes)} classes, found "
                f"none of class {c}: hold out more"
            )
        if share == images:
            raise ConfigError(
                f"hold_out is {number:,}: expected one picture or more of each class to be left to train on, found "
                f"none of class {c}: hold out fewer"
            )
    return classes, shares
