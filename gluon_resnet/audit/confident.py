"""Confident learning: which labels a network doubts, from predictions for images that it was not trained on.

    doubts(y, probabilities)                         # labels (N,), probabilities (N, num_classes) -> a table

Source: Northcutt, Jiang and Chuang, arXiv 1911.00068, section 3: the thresholds and the confident joint. Their library
cleanlab gives the same (tests/audit/test_confident.py); its versions for Python 3.8 and 3.9 are under the AGPL.
"""

from typing import Any

import numpy
import pandas as pd


def thresholds(y: Any, probabilities: numpy.ndarray) -> numpy.ndarray:
    """For each class, the mean probability that images with its label have for it: (num_classes,).

    It is infinite for a class that no label names. Args: labels (N,) and probabilities (N, num_classes).
    """
    y, classes = numpy.asarray(y), probabilities.shape[1]
    own = probabilities[numpy.arange(len(y)), y]  # (N,)
    counts = numpy.bincount(y, minlength=classes)
    with numpy.errstate(invalid="ignore"):
        means = numpy.bincount(y, weights=own, minlength=classes) / counts
    return numpy.where(counts > 0, means, numpy.inf)


def confident_classes(y: Any, probabilities: numpy.ndarray) -> numpy.ndarray:
    """The class that each image is confidently counted in, or -1: int (N,).

    It is the most probable one of the classes whose probability reaches the class's threshold.
    """
    reached = probabilities >= thresholds(y, probabilities) - 1e-6  # (N, num_classes); a mean is rounded
    best = numpy.where(reached, probabilities, -1.0).argmax(axis=1)  # (N,)
    return numpy.where(reached.any(axis=1), best, -1)


def confident_joint(y: Any, probabilities: numpy.ndarray) -> numpy.ndarray:
    """Counts (num_classes, num_classes): images with the label of the row, confidently of the class of the column."""
    y, classes = numpy.asarray(y), probabilities.shape[1]
    confident = confident_classes(y, probabilities)
    counted = confident >= 0
    counts = numpy.bincount(y[counted] * classes + confident[counted], minlength=classes**2)
    return counts.reshape(classes, classes)


def doubts(y: Any, probabilities: numpy.ndarray) -> pd.DataFrame:
    """The images off the diagonal of the confident joint, as a table, the most doubtful first.

    An image whose most probable class is its label is not doubted.

    Args:
        y: labels (N,).
        probabilities: (N, num_classes), of networks that were not trained on these images.

    Returns:
        A table with the columns index, label, prediction (the most probable class), probability (of it) and
        probability_of_label; label and prediction are numbers. It is sorted by probability_of_label.
    """
    y, rows = numpy.asarray(y, dtype=int), numpy.arange(len(y))
    confident, predicted = confident_classes(y, probabilities), probabilities.argmax(axis=1)
    index = rows[(confident >= 0) & (confident != y) & (predicted != y)]
    table = pd.DataFrame(
        {
            "index": index,
            "label": y[index],
            "prediction": predicted[index],
            "probability": probabilities[index, predicted[index]].astype(float),
            "probability_of_label": probabilities[index, y[index]].astype(float),
        }
    )
    return table.sort_values(["probability_of_label", "index"], kind="stable", ignore_index=True)
