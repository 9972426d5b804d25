"""Checks of the operators' arguments: an error of one line says which array is wrong, what it is and what it should be.

check_shape("conv2d_loops", "weight", weight, (8, 3, 3, 3))
"""

from typing import Sequence, Tuple

import numpy as np

from ..errors import ShapeError, whole


def check_rank(where: str, name: str, array: np.ndarray, axes: str) -> None:
    """``array`` must have as many axes as ``axes`` names, such as "(N, C, H, W)"; ShapeError otherwise."""
    if array.ndim != axes.count(",") + 1:
        raise ShapeError(f"{where}: {name} has shape {array.shape}: expected {axes}")


def check_shape(where: str, name: str, array: np.ndarray, shape: Sequence[int]) -> None:
    """``array`` must be of ``shape``; ShapeError otherwise."""
    if array.shape != tuple(shape):
        raise ShapeError(f"{where}: {name} has shape {array.shape}: expected {tuple(shape)}")


def check_channels(where: str, name: str, array: np.ndarray, channels: int) -> None:
    """A parameter must hold one number for each channel; ShapeError otherwise."""
    if array.shape != (channels,):
        raise ShapeError(
            f"{where}: {name} has shape {array.shape}: expected ({channels},), one number for each channel"
        )


def out_sizes(where: str, sizes: Sequence[int], kernel: Sequence[int], stride: int, padding: int) -> Tuple[int, int]:
    """(height, width) of what a window of ``kernel`` (height, width) gives on an image of ``sizes`` (height, width).

    floor((size + 2 * padding - kernel) / stride) + 1. Raises ConfigError for a stride below 1 or a padding below 0,
    ShapeError if the window does not fit into the padded image.
    """
    whole(f"{where}: stride", stride, 1)
    whole(f"{where}: padding", padding, 0)
    for size, window in zip(sizes, kernel):
        if size + 2 * padding < window:
            raise ShapeError(
                f"{where}: the image is {sizes[0]}x{sizes[1]}, padded by {padding}: smaller than the "
                f"window of {kernel[0]}x{kernel[1]}; use larger images"
            )
    height, width = ((size + 2 * padding - window) // stride + 1 for size, window in zip(sizes, kernel))
    return height, width
