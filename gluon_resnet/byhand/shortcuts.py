"""Option A of the paper, a shortcut without parameters: every second row and column, and channels of zeros.

    Y = pad_shortcut(X, stride=2, before=8, after=8)          # (N, 16, 32, 32) to (N, 32, 16, 16)
    dX = pad_shortcut_backward(dY, X, stride=2, before=8, after=8)

Subsampling is max pooling with a window of 1x1. Sources: He et al., arXiv 1512.03385, section 3.3, option (A); article
003's ``sampling`` and ``depthFilling``, which put half of the new channels before X's and half after them.
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
