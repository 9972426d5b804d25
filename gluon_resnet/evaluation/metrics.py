"""How good predictions are: loss, accuracies, precision and recall by class, confusion, calibration.

    from gluon_resnet.evaluation import metrics
    metrics.summary(y, logits)["top1"]
    metrics.by_class(y, logits.argmax(axis=1), ["cat", "dog"])

scikit-learn counts all but the calibration error, which is that of Guo et al., arXiv 1706.04599, section 2, equation 3.
"""

from typing import Any, Dict, Optional, Sequence, Tuple

import numpy
import pandas as pd
from scipy.special import log_softmax

BINS = 15  # of equal width, as in the paper
TOP = 5


def losses(y: Any, logits: Any) -> numpy.ndarray:
    """Cross-entropy of each image, float64 (N,), of labels (N,) and logits (N, num_classes)."""
    logits = numpy.asarray(logits, dtype=numpy.float64)
    return -log_softmax(logits, axis=1)[numpy.arange(len(y)), y]  # (N,)


def calibration(y: Any, probabilities: Any, bins: int = BINS) -> Tuple[pd.DataFrame, float]:
    """(table by bin, expected calibration error) of labels (N,) and probabilities (N, num_classes).

    The confidence of a prediction is its probability. Bin m holds the predictions with a confidence above
    (m - 1) / bins and up to m / bins. The table has the columns low, high, count, and confidence and accuracy, which
    are means over the bin, NaN if it is empty. The error is the mean of |accuracy - confidence| over the bins, weighted
    by their counts.
    """
    y, probabilities = numpy.asarray(y), numpy.asarray(probabilities, dtype=numpy.float64)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == y  # (N,)
    edges = numpy.arange(bins + 1) / bins
    place = numpy.clip(numpy.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)  # (N,)
    count = numpy.bincount(place, minlength=bins)
    with numpy.errstate(invalid="ignore"):
        means = [numpy.bincount(place, weights=values, minlength=bins) / count for values in (confidence, right)]
    table = pd.DataFrame(
        {"low": edges[:-1], "high": edges[1:], "count": count, "confidence": means[0], "accuracy": means[1]}
    )
    filled = table[table["count"] > 0]
    error = float((filled["count"] * (filled["accuracy"] - filled["confidence"]).abs()).sum() / len(y))
    return table, error


def summary(y: Any, logits: Any) -> Dict[str, Any]:
    """{"pictures", "loss", "top1", "top5", "ece"} of labels (N,) and logits (N, num_classes).

    ``pictures`` is N, ``loss`` the mean cross-entropy, ``top1`` and ``top5`` are accuracies from 0 to 1, ``ece`` is the
    expected calibration error. ``top5`` is None if there are 5 classes or fewer.
    """
    from sklearn.metrics import accuracy_score, top_k_accuracy_score

    y, logits = numpy.asarray(y), numpy.asarray(logits, dtype=numpy.float64)
    classes = numpy.arange(logits.shape[1])
    top5: Optional[float] = None
    if len(classes) > TOP:
        top5 = float(top_k_accuracy_score(y, logits, k=TOP, labels=classes))
    return {
        "pictures": len(y),
        "loss": float(losses(y, logits).mean()),
        "top1": float(accuracy_score(y, logits.argmax(axis=1))),
        "top5": top5,
        "ece": calibration(y, numpy.exp(log_softmax(logits, axis=1)))[1],
    }


def by_class(y: Any, y_hat: Any, class_names: Sequence[str]) -> pd.DataFrame:
    """Precision, recall, f1 and support of each class, and their means in the rows "macro mean" and "weighted mean".

    ``y`` are the true labels (N,), ``y_hat`` the predicted ones. A ratio whose denominator is 0 counts as 0. The macro
    mean is over the classes that occur in ``y`` or ``y_hat``; the weighted mean weights them by their support.
    """
    from sklearn.metrics import precision_recall_fscore_support

    columns = ["precision", "recall", "f1", "support"]
    scores = precision_recall_fscore_support(y, y_hat, labels=numpy.arange(len(class_names)), zero_division=0)
    table = pd.DataFrame(dict(zip(columns, scores)))
    for average in ("macro", "weighted"):
        *values, _ = precision_recall_fscore_support(y, y_hat, average=average, zero_division=0)
        table.loc[len(table)] = [*values, len(y)]
    table.insert(0, "class", [*class_names, "macro mean", "weighted mean"])
    return table.astype({"support": int})


def confusion(y: Any, y_hat: Any, class_names: Sequence[str]) -> pd.DataFrame:
    """Counts (num_classes, num_classes) as a table: a row for each true class, a column for each predicted one."""
    from sklearn.metrics import confusion_matrix

    counts = confusion_matrix(y, y_hat, labels=numpy.arange(len(class_names)))
    return pd.DataFrame(counts, index=pd.Index(class_names, name="true"), columns=list(class_names))


def most_confused(table: pd.DataFrame, top: int = 10) -> pd.DataFrame:
    """The ``top`` largest counts off the diagonal of a table of :func:`confusion`: true, predicted, count, share.

    ``share`` is the count divided by the number of images of the true class.
    """
    counts = table.to_numpy()
    rows = [
        (table.index[i], table.columns[j], int(counts[i, j]), counts[i, j] / counts[i].sum())
        for i, j in zip(*numpy.nonzero(counts))
        if i != j
    ]
    rows.sort(key=lambda row: (-row[2], -row[3]))
    return pd.DataFrame(rows[:top], columns=["true", "predicted", "count", "share"])
