"""Max pooling, average pooling and global average pooling over (N, C, H, W), forward and backward.

    Y = max_pool(X, kernel=3, stride=2, padding=1)
    dX = max_pool_backward(dY, X, kernel=3, stride=2, padding=1)

The output is (N, C, OH, OW) with OH = floor((H + 2 * padding - kernel) / stride) + 1. The paper's networks pool twice:
by maximum after the stem, over the whole image before the classifier (He et al., arXiv 1512.03385, table 1).
"""

from typing import Tuple

import numpy as np

from ..errors import ConfigError, whole
from .checks import check_rank, check_shape, out_sizes
from .windows import pad, positions, unpad


def _check(where: str, X: np.ndarray, kernel: int, stride: int, padding: int) -> Tuple[int, int]:
    check_rank(where, "X", X, "(N, C, H, W)")
    whole(f"{where}: kernel", kernel)
    out_size = out_sizes(where, X.shape[2:], (kernel, kernel), stride, padding)
    if padding >= kernel:
        raise ConfigError(
            f"{where}: padding is {padding}: expected less than the kernel of {kernel}, or a window "
            f"would see nothing but padding"
        )
    return out_size


def max_pool(X: np.ndarray, kernel: int, stride: int, padding: int = 0) -> np.ndarray:
    """The largest number of each window; the padding counts as minus infinity."""
    out_size = _check("max_pool", X, kernel, stride, padding)
    X_padded = pad(X, padding, -np.inf)
    Y = np.full(X.shape[:2] + out_size, -np.inf, dtype=X.dtype)
    for _, _, seen in positions((kernel, kernel), out_size, stride):
        np.maximum(Y, X_padded[seen], out=Y)
    return Y  # (N, C, OH, OW)


def max_pool_backward(dY: np.ndarray, X: np.ndarray, kernel: int, stride: int, padding: int = 0) -> np.ndarray:
    """dX: each window's gradient goes to its largest number, or to the first, row by row, if several are as large."""
    out_size = _check("max_pool_backward", X, kernel, stride, padding)
    check_shape("max_pool_backward", "dY", dY, X.shape[:2] + out_size)
    X_padded, Y = pad(X, padding, -np.inf), max_pool(X, kernel, stride, padding)
    dX_padded = np.zeros_like(X_padded)
    waiting = np.ones(Y.shape, dtype=bool)  # windows whose largest number has not come yet
    for _, _, seen in positions((kernel, kernel), out_size, stride):
        first = waiting & (X_padded[seen] == Y)
        dX_padded[seen] += dY * first
        waiting &= ~first
    return unpad(dX_padded, padding)  # (N, C, H, W)


def avg_pool(X: np.ndarray, kernel: int, stride: int, padding: int = 0) -> np.ndarray:
    """The mean of each window; the padding counts as zeros and is counted, as in MXNet."""
    out_size = _check("avg_pool", X, kernel, stride, padding)
    X_padded = pad(X, padding)
    Y = np.zeros(X.shape[:2] + out_size, dtype=X.dtype)
    for _, _, seen in positions((kernel, kernel), out_size, stride):
        Y += X_padded[seen]
    return Y / X.dtype.type(kernel * kernel)  # (N, C, OH, OW)


def avg_pool_backward(dY: np.ndarray, X: np.ndarray, kernel: int, stride: int, padding: int = 0) -> np.ndarray:
    """dX: each window's gradient is shared equally by all that it sees. Of X only shape and dtype count."""
    out_size = _check("avg_pool_backward", X, kernel, stride, padding)
    check_shape("avg_pool_backward", "dY", dY, X.shape[:2] + out_size)
    dX_padded = np.zeros_like(pad(X, padding))
    part = dY / X.dtype.type(kernel * kernel)
    for _, _, seen in positions((kernel, kernel), out_size, stride):
        dX_padded[seen] += part
    return unpad(dX_padded, padding)  # (N, C, H, W)


def global_avg_pool(X: np.ndarray) -> np.ndarray:
    """The mean of each channel's plane: (N, C, H, W) to (N, C, 1, 1)."""
    check_rank("global_avg_pool", "X", X, "(N, C, H, W)")
    return X.mean(axis=(2, 3), keepdims=True)


def global_avg_pool_backward(dY: np.ndarray, X: np.ndarray) -> np.ndarray:
    """dX (N, C, H, W) from dY (N, C, 1, 1): an equal share for every number of a plane."""
    check_rank("global_avg_pool_backward", "X", X, "(N, C, H, W)")
    check_shape("global_avg_pool_backward", "dY", dY, X.shape[:2] + (1, 1))
    return np.broadcast_to(dY / X.dtype.type(X.shape[2] * X.shape[3]), X.shape).copy()
