"""Shape checks of the operators: one line that says which array is wrong, what it is and what was expected."""

from ..errors import ConfigError, ShapeError


def check_rank(where, name, array, axes):
    """``array`` must have as many axes as ``axes`` names, such as "(N, C, H, W)"; ShapeError otherwise."""
    if array.ndim != axes.count(",") + 1:
        raise ShapeError(f"{where}: {name} has shape {array.shape}: expected {axes}")


def check_shape(where, name, array, shape):
    """``array`` must be of ``shape``; ShapeError otherwise."""
    if array.shape != tuple(shape):
        raise ShapeError(f"{where}: {name} has shape {array.shape}: expected {tuple(shape)}")


def check_channels(where, name, array, channels):
    """A parameter must hold one number a channel; ShapeError otherwise."""
    if array.shape != (channels,):
        raise ShapeError(f"{where}: {name} has shape {array.shape}: expected ({channels},), one number a channel")


def _check_whole(where, name, value, least):
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigError(f"{where}: {name} is {value!r}: expected a whole number of at least {least}")


def out_sizes(where, sizes, kernel, stride, padding):
    """(height, width) of what a window of ``kernel`` (height, width) gives on a picture of ``sizes`` (height, width).

    floor((size + 2 * padding - kernel) / stride) + 1. Raises ConfigError for a stride below 1 or a padding below 0,
    ShapeError where the window does not fit into the padded picture.
    """
    _check_whole(where, "stride", stride, 1)
    _check_whole(where, "padding", padding, 0)
    for size, window in zip(sizes, kernel):
        if size + 2 * padding < window:
            raise ShapeError(
                f"{where}: the picture is {sizes[0]}x{sizes[1]}, padded by {padding}: smaller than the "
                f"window of {kernel[0]}x{kernel[1]}; use larger pictures"
            )
    return tuple((size + 2 * padding - window) // stride + 1 for size, window in zip(sizes, kernel))
