"""What comes between and after the convolutions: ReLU, the classifier's linear layer, softmax and cross-entropy.

For example:

    logits = linear(X, weight, bias)
    loss = cross_entropy(logits, y)
    dX, dweight, dbias = linear_backward(cross_entropy_backward(logits, y), X, weight)
"""

from typing import Tuple

import numpy as np

from ..errors import ShapeError
from ..text import count
from .checks import check_channels, check_rank, check_shape


def relu(X: np.ndarray) -> np.ndarray:
    """max(X, 0), any shape."""
    return np.maximum(X, X.dtype.type(0))


def relu_backward(dY: np.ndarray, X: np.ndarray) -> np.ndarray:
    """dX: dY where X is above 0, else 0 (at 0 itself, too)."""
    check_shape("relu_backward", "dY", dY, X.shape)
    return dY * (X > 0)


def linear(X: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """X weight^T + bias: (N, D), (U, D) and (U,) to (N, U)."""
    check_rank("linear", "X", X, "(N, D)")
    check_rank("linear", "weight", weight, "(U, D)")
    check_shape("linear", "weight", weight, (weight.shape[0], X.shape[1]))
    check_channels("linear", "bias", bias, weight.shape[0])
    return X @ weight.T + bias  # (N, U)


def linear_backward(dY: np.ndarray, X: np.ndarray, weight: np.ndarray) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(dX, dweight, dbias) of :func:`linear`, of shapes (N, D), (U, D) and (U,)."""
    check_rank("linear_backward", "X", X, "(N, D)")
    check_shape("linear_backward", "weight", weight, (weight.shape[0], X.shape[1]))
    check_shape("linear_backward", "dY", dY, (X.shape[0], weight.shape[0]))
    return dY @ weight, dY.T @ X, dY.sum(axis=0)


def softmax(logits: np.ndarray) -> np.ndarray:
    """exp(logits) over its sum by row: (N, K) to (N, K). A row's maximum is subtracted first, so nothing overflows."""
    check_rank("softmax", "logits", logits, "(N, K)")
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)  # (N, K)


def softmax_backward(dY: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """dlogits = p * (dY - sum(dY * p)) by row, with p the softmax: (N, K)."""
    check_rank("softmax_backward", "logits", logits, "(N, K)")
    check_shape("softmax_backward", "dY", dY, logits.shape)
    p = softmax(logits)
    return p * (dY - (dY * p).sum(axis=1, keepdims=True))  # (N, K)


def _labels(where: str, logits: np.ndarray, y: np.ndarray) -> np.ndarray:
    """y as an array (N,) of whole numbers in 0 to K - 1, or ShapeError."""
    check_rank(where, "logits", logits, "(N, K)")
    y = np.asarray(y)
    check_shape(where, "y", y, logits.shape[:1])
    if y.dtype.kind not in "iu":
        raise ShapeError(f"{where}: y is of dtype {y.dtype}: expected whole numbers, one class for each row")
    wrong = y[(y < 0) | (y >= logits.shape[1])]
    if wrong.size:
        raise ShapeError(
            f"{where}: y has the label {wrong[0]}: expected 0 to {logits.shape[1] - 1}, one of the "
            f"{count(logits.shape[1], 'class')}"
        )
    return y


def cross_entropy(logits: np.ndarray, y: np.ndarray) -> float:
    """Mean over the batch of -log softmax(logits)[y], a float; logits (N, K), y (N,) whole numbers.

    Computed with log-sum-exp, so that a probability too small for the dtype does not cost infinity.
    """
    y = _labels("cross_entropy", logits, y)
    shifted = logits - logits.max(axis=1, keepdims=True)  # (N, K)
    log_sums = np.log(np.exp(shifted).sum(axis=1))  # (N,)
    return float((log_sums - shifted[np.arange(len(y)), y]).mean())


def cross_entropy_backward(logits: np.ndarray, y: np.ndarray) -> np.ndarray:
    """dlogits = (softmax(logits) - one-hot(y)) / N: (N, K)."""
    y = _labels("cross_entropy_backward", logits, y)
    dlogits = softmax(logits)
    dlogits[np.arange(len(y)), y] -= 1
    return dlogits / logits.dtype.type(len(y))  # (N, K)
