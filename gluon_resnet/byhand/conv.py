"""The convolution in three ways, forward and backward: nested loops, a pass for each position of the kernel, im2col.

    Y = conv2d_im2col(X, weight, bias, stride=2, padding=1)
    dX, dweight, dbias = conv2d_im2col_backward(dY, X, weight, stride=2, padding=1)

All compute, with X padded by zeros,

    Y[n, o, h, w] = bias[o] + sum over c, i, j of weight[o, c, i, j] * X[n, c, h * s - p + i, w * s - p + j]

with s the stride and p the padding. X is (N, C, H, W), weight (O, C, KH, KW), bias (O,) or None and Y (N, O, OH, OW),
OH = floor((H + 2 * p - KH) / s) + 1; everything in float32 or everything in float64. The backward functions take dY,
the loss's gradient with respect to Y, and give those with respect to X, weight and bias. Shapes that do not fit raise
ShapeError. :func:`grouped` makes any of them a convolution in groups, as ResNeXt has.

Source: article 004, which writes ResNet-50 by hand, beginning with its "slow convolution".
"""

from typing import Callable, List, Optional, Sequence, Tuple

import numpy as np

from ..errors import ShapeError, whole
from .checks import check_channels, check_rank, check_shape, out_sizes
from .windows import pad, positions, unpad


def _check(
    where: str, X: np.ndarray, weight: np.ndarray, bias: Optional[np.ndarray], stride: int, padding: int
) -> Tuple[int, int]:
    """(OH, OW), after a check of all shapes."""
    check_rank(where, "X", X, "(N, C, H, W)")
    check_rank(where, "weight", weight, "(O, C, KH, KW)")
    check_shape(where, "weight", weight, (weight.shape[0], X.shape[1]) + weight.shape[2:])
    if bias is not None:
        check_channels(where, "bias", bias, weight.shape[0])
    return out_sizes(where, X.shape[2:], weight.shape[2:], stride, padding)


def _check_backward(
    where: str, dY: np.ndarray, X: np.ndarray, weight: np.ndarray, stride: int, padding: int
) -> Tuple[int, int]:
    out_size = _check(where, X, weight, None, stride, padding)
    check_shape(where, "dY", dY, (X.shape[0], weight.shape[0]) + out_size)
    return out_size


def _add_bias(Y: np.ndarray, bias: Optional[np.ndarray]) -> np.ndarray:
    if bias is not None:
        Y += bias[:, None, None]
    return Y


# Nested loops ---------------------------------------------------------------------------------------------------------


def _dot_of_window(image: list, kernel: list, top: int, left: int) -> float:
    """Sum of kernel[c][i][j] * image[c][top + i][left + j], lists of Python's floats."""
    total = 0.0
    for plane, weights in zip(image, kernel):  # channels
        for i, row in enumerate(weights):
            for j, weight in enumerate(row):
                total += weight * plane[top + i][left + j]
    return total


def conv2d_loops(
    X: np.ndarray, weight: np.ndarray, bias: Optional[np.ndarray] = None, stride: int = 1, padding: int = 0
) -> np.ndarray:
    """The convolution as seven nested loops in plain Python: easy to read, and slow. See the module for shapes.

    Python's floats are doubles, so sums are kept in float64 and rounded once, to X's dtype, at the end.
    """
    height, width = _check("conv2d_loops", X, weight, bias, stride, padding)
    kernels = weight.tolist()
    biases = [0.0] * len(kernels) if bias is None else bias.tolist()
    Y = [
        [
            [[b + _dot_of_window(image, kernel, h * stride, w * stride) for w in range(width)] for h in range(height)]
            for kernel, b in zip(kernels, biases)
        ]
        for image in pad(X, padding).tolist()
    ]
    return np.array(Y, dtype=X.dtype).reshape(X.shape[0], weight.shape[0], height, width)  # (N, O, OH, OW)


def _spread_window(image: list, d_image: list, kernel: list, d_kernel: list, top: int, left: int, slope: float) -> None:
    """Add the share of image and kernel in ``slope``, the gradient at one output; lists, changed in place."""
    for plane, d_plane, weights, d_weights in zip(image, d_image, kernel, d_kernel):  # channels
        for i, row in enumerate(weights):
            for j, weight in enumerate(row):
                d_weights[i][j] += slope * plane[top + i][left + j]
                d_plane[top + i][left + j] += slope * weight


def conv2d_loops_backward(
    dY: np.ndarray, X: np.ndarray, weight: np.ndarray, stride: int = 1, padding: int = 0
) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(dX, dweight, dbias) by the loops of :func:`conv2d_loops`; shapes of X, weight and (O,)."""
    _check_backward("conv2d_loops_backward", dY, X, weight, stride, padding)
    X_padded = pad(X, padding)
    images, d_images = X_padded.tolist(), np.zeros(X_padded.shape).tolist()
    kernels, d_kernels = weight.tolist(), np.zeros(weight.shape).tolist()
    dbias = [0.0] * len(kernels)
    for image, d_image, slopes in zip(images, d_images, dY.tolist()):
        for o, plane in enumerate(slopes):
            for h, row in enumerate(plane):
                for w, slope in enumerate(row):
                    dbias[o] += slope
                    _spread_window(image, d_image, kernels[o], d_kernels[o], h * stride, w * stride, slope)
    dX = unpad(np.array(d_images, dtype=X.dtype).reshape(X_padded.shape), padding)
    return dX, np.array(d_kernels, dtype=X.dtype), np.array(dbias, dtype=X.dtype)


# One pass for each position of the kernel -----------------------------------------------------------------------------


def _mixers(weight: np.ndarray) -> np.ndarray:
    """weight as (KH, KW, O, C), with each position's matrix contiguous, as NumPy's calls of BLAS need it."""
    return np.ascontiguousarray(weight.transpose(2, 3, 0, 1))


def conv2d_vectorised(
    X: np.ndarray, weight: np.ndarray, bias: Optional[np.ndarray] = None, stride: int = 1, padding: int = 0
) -> np.ndarray:
    """The convolution with Python loops over the kernel's positions only: KH * KW matrix products, summed.

    At position (i, j) all outputs see one strided slice of the padded image; weight[:, :, i, j] mixes its channels.
    """
    out_size = _check("conv2d_vectorised", X, weight, bias, stride, padding)
    N, C = X.shape[:2]
    X_padded = pad(X, padding)
    mixers = _mixers(weight)
    Y = np.zeros((N, weight.shape[0], out_size[0] * out_size[1]), dtype=X.dtype)
    for i, j, seen in positions(weight.shape[2:], out_size, stride):
        Y += mixers[i, j] @ X_padded[seen].reshape(N, C, -1)  # (N, O, OH * OW)
    return _add_bias(Y.reshape(N, -1, *out_size), bias)  # (N, O, OH, OW)


def conv2d_vectorised_backward(
    dY: np.ndarray, X: np.ndarray, weight: np.ndarray, stride: int = 1, padding: int = 0
) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(dX, dweight, dbias) position by position: each product of :func:`conv2d_vectorised` the other way round."""
    out_size = _check_backward("conv2d_vectorised_backward", dY, X, weight, stride, padding)
    N, C = X.shape[:2]
    X_padded = pad(X, padding)
    dX_padded, dweight = np.zeros_like(X_padded), np.zeros_like(weight)
    mixers, slopes = _mixers(weight), dY.reshape(N, weight.shape[0], -1)  # (N, O, OH * OW)
    for i, j, seen in positions(weight.shape[2:], out_size, stride):
        patch = X_padded[seen].reshape(N, C, -1)  # (N, C, OH * OW)
        dweight[:, :, i, j] = (slopes @ patch.transpose(0, 2, 1)).sum(axis=0)  # (O, C)
        dX_padded[seen] += (mixers[i, j].T @ slopes).reshape(N, C, *out_size)
    return unpad(dX_padded, padding), dweight, dY.sum(axis=(0, 2, 3))


# im2col ---------------------------------------------------------------------------------------------------------------


def im2col(X: np.ndarray, kernel: Sequence[int], stride: int = 1, padding: int = 0) -> np.ndarray:
    """The patches that a kernel (KH, KW) sees as columns: X (N, C, H, W) to (N, C * KH * KW, OH * OW).

    A 1x1 kernel of stride 1 sees the image as it is, and nothing is copied.
    """
    check_rank("im2col", "X", X, "(N, C, H, W)")
    out_size = out_sizes("im2col", X.shape[2:], kernel, stride, padding)
    N, C = X.shape[:2]
    if tuple(kernel) == (1, 1) and stride == 1 and padding == 0:
        return X.reshape(N, C, -1)
    X_padded = pad(X, padding)
    columns = np.empty((N, C) + tuple(kernel) + out_size, dtype=X.dtype)
    for i, j, seen in positions(kernel, out_size, stride):
        columns[:, :, i, j] = X_padded[seen]
    return columns.reshape(N, C * kernel[0] * kernel[1], -1)  # (N, C * KH * KW, OH * OW)


def col2im(
    columns: np.ndarray, shape: Sequence[int], kernel: Sequence[int], stride: int = 1, padding: int = 0
) -> np.ndarray:
    """The adjoint of :func:`im2col`: numbers are added where they came from; (N, C * KH * KW, OH * OW) to ``shape``."""
    N, C, H, W = shape
    out_size = out_sizes("col2im", (H, W), kernel, stride, padding)
    check_shape("col2im", "columns", columns, (N, C * kernel[0] * kernel[1], out_size[0] * out_size[1]))
    if tuple(kernel) == (1, 1) and stride == 1 and padding == 0:
        return columns.reshape(shape)
    columns = columns.reshape((N, C) + tuple(kernel) + out_size)
    X_padded = np.zeros((N, C, H + 2 * padding, W + 2 * padding), dtype=columns.dtype)
    for i, j, seen in positions(kernel, out_size, stride):
        X_padded[seen] += columns[:, :, i, j]
    return unpad(X_padded, padding)  # (N, C, H, W)


def conv2d_im2col(
    X: np.ndarray, weight: np.ndarray, bias: Optional[np.ndarray] = None, stride: int = 1, padding: int = 0
) -> np.ndarray:
    """The convolution as a matrix product per image: (O, C * KH * KW) times the columns (C * KH * KW, OH * OW)."""
    out_size = _check("conv2d_im2col", X, weight, bias, stride, padding)
    N, num_filters = X.shape[0], weight.shape[0]
    Y = weight.reshape(num_filters, -1) @ im2col(X, weight.shape[2:], stride, padding)  # (N, O, OH * OW)
    return _add_bias(Y.reshape(N, num_filters, *out_size), bias)  # (N, O, OH, OW)


def conv2d_im2col_backward(
    dY: np.ndarray, X: np.ndarray, weight: np.ndarray, stride: int = 1, padding: int = 0
) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(dX, dweight, dbias) by the same matrices: dweight = dY columns^T, dcolumns = weight^T dY, and back by col2im."""
    _check_backward("conv2d_im2col_backward", dY, X, weight, stride, padding)
    N, num_filters = dY.shape[:2]
    kernel = weight.shape[2:]
    slopes = dY.reshape(N, num_filters, -1)  # (N, O, OH * OW)
    columns = im2col(X, kernel, stride, padding)  # (N, C * KH * KW, OH * OW)
    dweight = (slopes @ columns.transpose(0, 2, 1)).sum(axis=0).reshape(weight.shape)
    dX = col2im(weight.reshape(num_filters, -1).T @ slopes, X.shape, kernel, stride, padding)
    return dX, dweight, dY.sum(axis=(0, 2, 3))


# In groups ------------------------------------------------------------------------------------------------------------


def _groups(where: str, X: np.ndarray, weight: np.ndarray, groups: int) -> Tuple[List[np.ndarray], List[np.ndarray]]:
    """X (N, C, H, W) and weight (O, C / groups, KH, KW) in the parts of each group."""
    check_rank(where, "X", X, "(N, C, H, W)")
    check_rank(where, "weight", weight, "(O, C / groups, KH, KW)")
    whole(f"{where}: groups", groups)
    if X.shape[1] % groups or len(weight) % groups:
        raise ShapeError(
            f"{where}: groups is {groups}: expected a divisor of X's {X.shape[1]} channels and of the {len(weight)} "
            f"filters"
        )
    return np.split(X, groups, axis=1), np.split(weight, groups)


def grouped(
    forward: Callable[..., np.ndarray],
    X: np.ndarray,
    weight: np.ndarray,
    bias: Optional[np.ndarray] = None,
    groups: int = 1,
    **window: int,
) -> np.ndarray:
    """The convolution in groups: each group of filters sees its own group of X's channels alone.

    Args:
        forward: a convolution of this module, which computes one group.
        X: (N, C, H, W).
        weight: (O, C / groups, KH, KW).
        bias: (O,) or None.
        groups: how many, a divisor of C and of O.
        window: ``stride`` and ``padding``.

    Returns:
        Y (N, O, OH, OW). Source: Xie et al., arXiv 1611.05431, figure 3 (c).

    Raises:
        ShapeError: ``groups`` does not divide the channels, or shapes do not fit.
    """
    if groups == 1:
        return forward(X, weight, bias, **window)
    parts, weights = _groups("grouped", X, weight, groups)
    biases = [None] * groups if bias is None else np.split(bias, groups)
    return np.concatenate([forward(*part, **window) for part in zip(parts, weights, biases)], axis=1)


def grouped_backward(
    backward: Callable[..., Tuple[np.ndarray, np.ndarray, np.ndarray]],
    dY: np.ndarray,
    X: np.ndarray,
    weight: np.ndarray,
    groups: int = 1,
    **window: int,
) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(dX, dweight, dbias) of :func:`grouped`, by the ``backward`` of one group; arguments as there."""
    if groups == 1:
        return backward(dY, X, weight, **window)
    parts, weights = _groups("grouped_backward", X, weight, groups)
    slopes = np.split(dY, groups, axis=1)
    gradients = zip(*(backward(*part, **window) for part in zip(slopes, parts, weights)))
    dX, dweight, dbias = (np.concatenate(each, axis=axis) for each, axis in zip(gradients, (1, 0, 0)))
    return dX, dweight, dbias


#: name -> (forward, backward)
CONVOLUTIONS = {
    "loops": (conv2d_loops, conv2d_loops_backward),
    "vectorised": (conv2d_vectorised, conv2d_vectorised_backward),
    "im2col": (conv2d_im2col, conv2d_im2col_backward),
}
