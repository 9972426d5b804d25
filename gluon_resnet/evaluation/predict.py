"""What a trained network says about pictures: a table of its best classes, and the pictures with them.

For example:

    gluon-resnet predict cat.jpg dog.jpg --model resnet50 --weights resnet50.safetensors
"""

import numpy
import pandas as pd
import scipy.special

from ..data.images import normalize, read_image, view
from ..errors import ConfigError

BATCH = 8  # pictures that go through the network at once


def softmax(y_hat):
    """Probabilities (N, num_classes) of logits (N, num_classes), in float64."""
    return scipy.special.softmax(numpy.asarray(y_hat, dtype=numpy.float64), axis=1)


def look(paths, preparation, in_channels=3):
    """The pictures at ``paths`` as (uint8 views (N, crop, crop, 3), inputs float32 (N, in_channels, crop, crop))."""
    views = [view(read_image(path), preparation) for path in paths]
    X = numpy.stack([normalize(seen, preparation, in_channels) for seen in views])
    return numpy.stack(views), X  # (N, crop, crop, 3), (N, C, crop, crop)


def predict(engine, X, labels, names, top=5):
    """The ``top`` classes of every picture: a table with the columns image, rank, label, class, probability.

    ``engine`` is one of engines.py, X (N, C, H, W) its input, ``names`` what to call the N pictures. Raises ConfigError
    for a ``top`` outside 1 to the number of labels.
    """
    if not 1 <= top <= len(labels):
        raise ConfigError(f"top is {top}: expected 1 to {len(labels)}, the number of classes")
    rows = []
    for start in range(0, len(X), BATCH):
        probabilities = softmax(engine.logits(X[start : start + BATCH]))  # (N, num_classes)
        for name, row in zip(names[start : start + BATCH], probabilities):
            order = numpy.argsort(-row, kind="stable")[:top]
            rows += [(str(name), rank, labels[c], int(c), float(row[c])) for rank, c in enumerate(order, 1)]
    return pd.DataFrame(rows, columns=["image", "rank", "label", "class", "probability"])
