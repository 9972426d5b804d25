"""Which numbers of an image a sliding window sees: shared by the convolutions and the poolings.

Output (h, w) looks at rows ``h * stride - padding + i`` and columns ``w * stride - padding + j``, for i, j within the
window. For one position (i, j) of the window, all outputs together see one strided slice of the padded image.
"""

from typing import Iterator, Sequence, Tuple

import numpy as np


def pad(X: np.ndarray, padding: int, value: float = 0) -> np.ndarray:
    """X (N, C, H, W) with ``padding`` rows and columns of ``value`` on each side: (N, C, H + 2p, W + 2p)."""
    if padding == 0:
        return X
    return np.pad(X, ((0, 0), (0, 0), (padding, padding), (padding, padding)), constant_values=value)


def unpad(X: np.ndarray, padding: int) -> np.ndarray:
    """X (N, C, H + 2p, W + 2p) without its padding: (N, C, H, W)."""
    return X[:, :, padding : X.shape[2] - padding, padding : X.shape[3] - padding]


def positions(kernel: Sequence[int], out_size: Sequence[int], stride: int) -> Iterator[Tuple[int, int, tuple]]:
    """Every (i, j) of the window with the slice of the padded image that the outputs see there.

    Yields (i, j, slices), row by row; ``X_padded[slices]`` is (N, C, *out_size).
    """
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            rows, columns = (slice(start, start + stride * size, stride) for start, size in zip((i, j), out_size))
            yield i, j, (Ellipsis, rows, columns)
