"""The folded network's work on one shape of images: buffers, and the NumPy calls between them, in order.

    plan = Plan(layout, matrices, dtype, (1, 3, 224, 224))
    features = plan.run(X)                              # (N, C), what global pooling gives

Planning lists every call with the views it works on; running is the list from top to bottom. folded.py says why.
"""

from dataclasses import replace
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from ..networks.layout import Block, Conv, Layout, Norm
from .checks import out_sizes
from .params import Params
from .shortcuts import window_counts

Line = Tuple[np.ndarray, np.ndarray]  # scale (C, 1), shift (C, 1)


def _reach(offset: int, stride: int, size: int, out_size: int) -> Tuple[slice, slice]:
    """(outputs, inputs) as slices: the outputs whose input, output * stride + offset, is in the image, and those."""
    first = max(0, -(offset // stride))
    count = max(0, min(out_size - 1, (size - 1 - offset) // stride) - first + 1)
    start = first * stride + offset
    return slice(first, first + count), slice(start, start + count * stride, stride)


class Plan:
    """Calls and buffers for images of one shape.

    Layers of the same kind share buffers: a block's own are free again after it, and the blocks' outputs alternate
    between two.

    Args:
        layout: the network.
        matrices: {name: the matrix (O, K + 1) of a convolution and what is folded into it}.
        lines: {name: (scale (C, 1), shift (C, 1))} of the batch norms that no convolution takes in.
        dtype: of all buffers.
        shape: (N, C, H, W) of the images.
    """

    def __init__(
        self, layout: Layout, matrices: Params, lines: Dict[str, Line], dtype: np.dtype, shape: Sequence[int]
    ) -> None:
        self._matrices, self._lines, self._dtype, self._images = matrices, lines, dtype, shape[0]
        self._buffers: Dict[tuple, np.ndarray] = {}
        self._calls: List[Tuple[Callable[..., Any], tuple]] = []
        self._input = np.zeros((shape[1], shape[0]) + tuple(shape[2:]), dtype=dtype)  # (C, N, H, W)
        if layout.input_norm is not None:
            self._line(layout.input_norm, self._input, self._input)
        Y = self._input
        for number, (conv, bn) in enumerate(layout.stem, 1):
            Y = self._product(conv, self._columns(conv, Y), f"stem {number}")
            if number == len(layout.stem) and layout.pool_padding is not None:
                Y = self._pool(Y, layout.pool_padding)
            if bn is not None:
                self._relu(Y)
        for number, block in enumerate(block for stage in layout.stages for block in stage):
            Y = self._block(block, Y, f"block {number % 2}")
        if layout.final_norm is not None:
            self._line(layout.final_norm, Y[:-1], Y[:-1])
            self._relu(Y)
        self._output = Y[:-1]  # (C, N, H, W), without the ones

    def run(self, X: np.ndarray) -> np.ndarray:
        """The features (N, C) of X (N, C, H, W): the mean of the last block's planes."""
        np.copyto(self._input, X.transpose(1, 0, 2, 3))
        for call, arguments in self._calls:
            call(*arguments)
        return self._output.mean(axis=(2, 3)).T  # (N, C)

    def _buffer(self, key: Any, rows: int, height: int, width: int) -> np.ndarray:
        """Zeros (rows + 1, N, height, width) whose last row is 1; the same one whenever all is the same."""
        key = (key, rows, height, width)
        if key not in self._buffers:
            self._buffers[key] = np.zeros((rows + 1, self._images, height, width), dtype=self._dtype)
            self._buffers[key][-1] = 1
        return self._buffers[key]

    def _copy_patches(self, conv: Conv, X: np.ndarray, columns: np.ndarray) -> None:
        """Calls that fill ``columns`` (KH * KW * C, N, OH, OW) from X (C, N, H, W); borders stay as they are, 0."""
        sizes, out_size = X.shape[2:], columns.shape[2:]
        for position in range(conv.kernel**2):
            offsets = (place - conv.padding for place in divmod(position, conv.kernel))
            (rows, from_rows), (cols, from_cols) = (
                _reach(offset, conv.stride, size, out) for offset, size, out in zip(offsets, sizes, out_size)
            )
            block = columns[position * conv.in_channels : (position + 1) * conv.in_channels]
            self._calls.append((np.copyto, (block[:, :, rows, cols], X[:, :, from_rows, from_cols])))

    def _columns(
        self, conv: Conv, X: np.ndarray, shortcut: Optional[Conv] = None, X_shortcut: Optional[np.ndarray] = None
    ) -> np.ndarray:
        """The columns that ``conv`` multiplies, (K + 1, N, OH, OW): patches of X, those of the projection, ones.

        X and X_shortcut are (C, N, H, W) with or without their row of ones.
        """
        if conv.groups > 1:
            return self._grouped_columns(conv, X)
        if conv.kernel == 1 and conv.stride == 1 and shortcut is None:
            return X
        sizes = X.shape[2:]
        height, width = out_sizes("byhand.Folded", sizes, (conv.kernel,) * 2, conv.stride, conv.padding)
        split = conv.kernel**2 * conv.in_channels
        rows = split + (shortcut.in_channels if shortcut else 0)
        # which borders stay zero depends on all of these
        key = (conv.kernel, conv.stride, conv.padding, sizes, rows - split)
        columns = self._buffer(key, rows, height, width)
        self._copy_patches(conv, X[: conv.in_channels], columns[:split])
        if shortcut is not None and X_shortcut is not None:
            self._copy_patches(shortcut, X_shortcut[: shortcut.in_channels], columns[split:rows])
        return columns

    def _grouped_columns(self, conv: Conv, X: np.ndarray) -> np.ndarray:
        """The columns of a convolution in groups: (groups * (K + 1), N, OH, OW), K + 1 rows for each group in turn."""
        sizes, channels = X.shape[2:], conv.in_channels // conv.groups
        height, width = out_sizes("byhand.Folded", sizes, (conv.kernel,) * 2, conv.stride, conv.padding)
        rows = conv.kernel**2 * channels
        key = ("groups", conv.kernel, conv.stride, conv.padding, sizes, conv.groups)
        columns = self._buffer(key, conv.groups * (rows + 1) - 1, height, width)
        columns[rows :: rows + 1] = 1
        for group in range(conv.groups):
            seen = X[group * channels : (group + 1) * channels]
            self._copy_patches(replace(conv, in_channels=channels), seen, columns[group * (rows + 1) :][:rows])
        return columns

    def _product(self, conv: Conv, columns: np.ndarray, key: Any) -> np.ndarray:
        """The call that multiplies; (out_channels + 1, N, OH, OW) with the row of ones."""
        Y = self._buffer(key, conv.out_channels, *columns.shape[2:])
        matrix = self._matrices[conv.name]  # (O, K + 1), in groups (groups, O / groups, K + 1)
        *groups, inputs = (*matrix.shape[:-2], matrix.shape[-1])
        out = Y[:-1].reshape(*groups, matrix.shape[-2], -1)
        self._calls.append((np.matmul, (matrix, columns.reshape(*groups, inputs, -1), out)))
        return Y

    def _relu(self, Y: np.ndarray) -> None:
        flat = Y[:-1].reshape(len(Y) - 1, -1)
        # a row of zeros: with the number 0, NumPy's maximum does not use its vector instructions
        self._calls.append((np.maximum, (flat, np.zeros(flat.shape[1], dtype=self._dtype), flat)))

    def _pool(self, X: np.ndarray, padding: int) -> np.ndarray:
        """3x3 maxima at stride 2, of columns first, then of rows; X (C + 1, N, H, W) with its row of ones."""
        height, width = out_sizes("byhand.Folded: pooling", X.shape[2:], (3, 3), 2, padding)
        C = len(X) - 1
        narrow = self._buffer("pool columns", C, X.shape[2], width)
        Y = self._buffer("pool", C, height, width)
        for axis, source, target in ((3, X[:C], narrow[:C]), (2, narrow[:C], Y[:C])):
            # position ``padding`` is inside the image for every output: it comes first, and is only copied
            for place in sorted(range(3), key=lambda place: place != padding):
                outputs, inputs = _reach(place - padding, 2, source.shape[axis], target.shape[axis])
                to, seen = ((Ellipsis, part) + (slice(None),) * (3 - axis) for part in (outputs, inputs))
                if place == padding:
                    self._calls.append((np.copyto, (target[to], source[seen])))
                else:
                    self._calls.append((np.maximum, (target[to], source[seen], target[to])))
        return Y

    def _line(self, norm: Norm, X: np.ndarray, out: np.ndarray) -> None:
        """The calls that compute scale * X + shift; both (C, N, H, W), without a row of ones."""
        scale, shift = self._lines[norm.name]  # (C, 1)
        X, out = (array.reshape(len(array), -1) for array in (X, out))
        self._calls += [(np.multiply, (X, scale, out)), (np.add, (out, shift, out))]

    def _activated(self, norm: Any, X: np.ndarray) -> np.ndarray:
        """relu(norm(X)) in a buffer of its own: a pre-activated block still needs X."""
        Y = self._buffer("activated", *(len(X) - 1, *X.shape[2:]))
        self._line(norm, X[:-1], Y[:-1])
        self._relu(Y)
        return Y

    def _add_shortcut(self, block: Block, X: np.ndarray, Y: np.ndarray) -> None:
        """The call that adds X, or every second number of it to some of the channels, to Y."""
        if block.pad is None:
            self._calls.append((np.add, (Y[:-1], X[:-1], Y[:-1])))
            return
        stride, first = block.pad.stride, block.pad.before
        part = Y[first : first + len(X) - 1]
        self._calls.append((np.add, (part, X[:-1, :, ::stride, ::stride], part)))

    def _means(self, X: np.ndarray) -> np.ndarray:
        """The calls that compute the means of X's 2x2 windows at stride 2, (C + 1, N, OH, OW) with the row of ones."""
        counts = window_counts(*X.shape[2:])
        Y = self._buffer("means", len(X) - 1, *counts.shape)
        self._calls.append((np.copyto, (Y[:-1], X[:-1, :, ::2, ::2])))
        for i, j in ((0, 1), (1, 0), (1, 1)):
            seen = X[:-1, :, i::2, j::2]
            part = Y[:-1, :, : seen.shape[2], : seen.shape[3]]
            self._calls.append((np.add, (part, seen, part)))
        self._calls.append((np.divide, (Y[:-1], counts.astype(self._dtype), Y[:-1])))
        return Y

    def _block(self, block: Block, X: np.ndarray, key: Any) -> np.ndarray:
        Y = X_projected = self._activated(block.body[0][1], X) if block.preactivation else X
        if block.pooled:
            X_projected = self._means(X_projected)
        for i, (conv, _) in enumerate(block.body[:-1]):
            Y = self._product(conv, self._columns(conv, Y), f"body {i}")
            self._relu(Y)
        conv = block.body[-1][0]
        projection = block.shortcut[0] if block.shortcut else None
        Y = self._product(conv, self._columns(conv, Y, projection, X_projected), key)
        if projection is None and block.adds:
            self._add_shortcut(block, X, Y)
        if not block.preactivation:
            self._relu(Y)
        return Y
