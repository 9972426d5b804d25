"""A result on the test part without what an audit found: near duplicates of training images, and doubted labels.

    found, (images, y) = open_audit("audits/fashion-mnist", "runs/...")
    clean_accuracy(y_hat == y, found)                # a table: test part, images, accuracy

Networks agree with each other, so a label that the audit's networks doubt is one that other networks often get wrong,
too, right or not: the last row is a bound from above, not an accuracy on a better test.
"""

from pathlib import Path
from typing import Any, Optional, Tuple, Union

import numpy
import pandas as pd

from ..data.fashion_mnist import load_arrays
from ..errors import ConfigError, DataError
from ..runs.kinds import FashionMnistConfig
from ..runs.network import read_config
from ..text import count
from .files import TEST, Arrays, Audit, digest, read


def open_audit(folder: Union[str, Path], run: Union[str, Path], data: Optional[str] = None) -> Tuple[Audit, Arrays]:
    """The audit in ``folder``, which is one of the images of a run, or of ``data``, and the test part of these.

    Args:
        folder: of the audit.
        run: a run folder on Fashion-MNIST.
        data: folder of the images, if they are not the run's.

    Raises:
        RunError: the audit or the run is missing or damaged.
        ConfigError: the run is on other images.
        DataError: the audit is of other images, or of a part of them.
    """
    found = read(folder)
    kind, config, _ = read_config(run)
    if not isinstance(config, FashionMnistConfig):
        raise ConfigError(f"{run}: a run on {kind.name}: expected one on fashion-mnist, of which {folder} is an audit")
    return found, checked_test_part(found, data or config.data, config.verify)


def checked_test_part(audit: Audit, data: Optional[str], verify: bool) -> Arrays:
    """The test part of the images and labels in ``data``; DataError unless ``audit`` is one of all of them."""
    train, test, _ = load_arrays(data, verify)
    again = "make one with gluon-resnet audit fashion-mnist"
    if audit.about["limit"] is not None:
        raise DataError(
            f"{audit.path}: an audit of the first {audit.about['limit']:,} images of each part: expected one of all; "
            f"{again} without --limit"
        )
    if audit.about["digest"] != digest(train, test):
        raise DataError(f"{audit.path}: an audit of other images or labels: expected one of the run's; {again}")
    return test


def clean_accuracy(right: Any, audit: Audit) -> pd.DataFrame:
    """Accuracies on all of the test part, and on what an audit leaves of it.

    Args:
        right: whether each image of the test part was classified as its label says, bool (N,), in the order of the
            files.
        audit: of the same data (see :func:`checked_test_part`).

    Returns:
        A table with the columns "test part" (in words), images and accuracy: all; without near duplicates of training
        images; and, if the audit has labels, also without doubted ones. An accuracy over no images is NaN.

    Raises:
        DataError: ``right`` is not of as many images as the audit's test part has.
    """
    right = numpy.asarray(right, dtype=bool)
    if len(right) != audit.about["images"][TEST]:
        raise DataError(
            f"{audit.path}: an audit of {audit.about['images'][TEST]:,} test images: expected one of {len(right):,}"
        )
    kept = numpy.ones(len(right), dtype=bool)
    rows = [("all", kept.copy())]
    leaked, doubted = audit.leaked(), audit.doubted()
    kept[leaked] = False
    rows.append((f"without {count(len(leaked), 'near duplicate')} of training images", kept.copy()))
    if audit.labels is not None:
        kept[doubted] = False
        rows.append((f"nor {count(len(doubted), 'image')} with doubted labels", kept.copy()))
    return pd.DataFrame(
        [(words, int(part.sum()), right[part].mean() if part.any() else numpy.nan) for words, part in rows],
        columns=["test part", "images", "accuracy"],
    )
