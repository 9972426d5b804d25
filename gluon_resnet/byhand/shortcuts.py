"""Option A of the paper, a shortcut without parameters: every second row and column, and channels of zeros.

    Y = pad_shortcut(X, stride=2, before=8, after=8)          # (N, 16, 32, 32) to (N, 32, 16, 16)
    dX = pad_shortcut_backward(dY, X, stride=2, before=8, after=8)
    Y = mean_shortcut(X)                                      # ResNet-D's, before the projection

Subsampling is max pooling with a window of 1x1. Sources: He et al., arXiv 1512.03385, section 3.3, option (A); article
003's ``sampling`` and ``depthFilling``, which put half of the new channels before X's and half after them; He et al.,
arXiv 1812.01187, section 4.2, for the means of ResNet-D.
"""

from typing import Tuple

import numpy as np

from .checks import check_rank, check_shape
from .pooling import max_pool


def _out_shape(X: np.ndarray, stride: int, before: int, after: int) -> Tuple[int, int, int, int]:
    N, C, H, W = X.shape
    return N, before + C + after, -(-H // stride), -(-W // stride)


def pad_shortcut(X: np.ndarray, stride: int, before: int, after: int) -> np.ndarray:
    """X (N, C, H, W) at every ``stride``-th row and column, between channels of zeros: (N, before + C + after, ...)."""
    check_rank("pad_shortcut", "X", X, "(N, C, H, W)")
    Y = max_pool(X, 1, stride)  # (N, C, OH, OW)
    return np.pad(Y, ((0, 0), (before, after), (0, 0), (0, 0)))  # (N, before + C + after, OH, OW)


def pad_shortcut_backward(dY: np.ndarray, X: np.ndarray, stride: int, before: int, after: int) -> np.ndarray:
    """dX (N, C, H, W): the gradient where a number was taken, 0 elsewhere. Of X only shape and dtype count."""
    check_rank("pad_shortcut_backward", "X", X, "(N, C, H, W)")
    check_shape("pad_shortcut_backward", "dY", dY, _out_shape(X, stride, before, after))
    dX = np.zeros_like(X)
    dX[:, :, ::stride, ::stride] = dY[:, before : before + X.shape[1]]
    return dX  # (N, C, H, W)


def window_counts(height: int, width: int) -> np.ndarray:
    """(OH, OW): how many numbers a 2x2 window at stride 2 has in an image of (height, width); fewer at odd borders."""
    rows, columns = (np.minimum(size - np.arange(0, size, 2), 2) for size in (height, width))
    return rows[:, None] * columns


def mean_shortcut(X: np.ndarray) -> np.ndarray:
    """The means of X's (N, C, H, W) 2x2 windows at stride 2, of what a border leaves of them: (N, C, OH, OW)."""
    check_rank("mean_shortcut", "X", X, "(N, C, H, W)")
    counts = window_counts(*X.shape[2:])
    Y = np.zeros(X.shape[:2] + counts.shape, dtype=X.dtype)
    for i in range(2):
        for j in range(2):
            seen = X[:, :, i::2, j::2]
            Y[:, :, : seen.shape[2], : seen.shape[3]] += seen
    return Y / counts.astype(X.dtype)  # (N, C, OH, OW)


def mean_shortcut_backward(dY: np.ndarray, X: np.ndarray) -> np.ndarray:
    """dX (N, C, H, W): each window's gradient is shared equally by its numbers. Of X only shape and dtype count."""
    check_rank("mean_shortcut_backward", "X", X, "(N, C, H, W)")
    counts = window_counts(*X.shape[2:])
    check_shape("mean_shortcut_backward", "dY", dY, X.shape[:2] + counts.shape)
    shares = dY / counts.astype(X.dtype)
    return shares.repeat(2, axis=2).repeat(2, axis=3)[:, :, : X.shape[2], : X.shape[3]]
