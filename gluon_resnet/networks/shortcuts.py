"""What all blocks share: the shortcut, the sum at the end, and the precision of the numbers that they hand on.

    gr.Residual(16, strides=2, shortcut="A", in_channels=8)    # option A: X subsampled, between channels of zeros

On a CPU the sum goes through the oneDNN operator that keeps its blocked memory layout. With ``+`` and ``npx.relu``
every tensor would be reordered there and back, which takes a third of the time.
Source of the options: He et al., arXiv 1512.03385, section 3.3.
"""

from typing import Any, Optional

from mxnet.gluon import nn
from mxnet.util import is_np_array

from ..errors import ShapeError
from .layers import BatchNorm, Conv2D, add, cast, classic, relu
from .layout import Pad, plan_shortcut


class ShortcutBlock(nn.HybridBlock):
    """The base of all blocks; a subclass has the convolutions, ``conv1`` among them."""

    out_precision = "float32"  # of what the block returns: see training/precision.py
    pad: Optional[Pad] = None  # option A's shortcut
    pool: Optional[nn.HybridBlock] = None  # ResNet-D's mean pooling before the projection
    adds = True  # False: a plain block
    preactivation = False
    expansion: int

    def _plan_shortcut(
        self,
        num_channels: int,
        use_1x1conv: bool,
        strides: int,
        shortcut: Optional[str],
        in_channels: Optional[int],
    ) -> bool:
        """Whether the shortcut is a projection; sets ``pad`` and ``adds``. Arguments as of :class:`Residual`."""
        if shortcut is None:
            return use_1x1conv
        if use_1x1conv:
            raise ShapeError(
                f"{type(self).__name__}: use_1x1conv and shortcut={shortcut!r} are given: expected one of them"
            )
        in_channels = in_channels or num_channels
        kind, self.pad = plan_shortcut(shortcut, in_channels, num_channels, strides)
        self.adds = kind != "none"
        self._in_16s = self.pad and all(count % 16 == 0 for count in (self.pad.before, self.pad.after, in_channels))
        return kind == "project"

    def _projection_stride(self, strides: int, shortcut_pool: bool) -> int:
        """The stride of the projection: 1 if ``shortcut_pool`` has the pooling halve, which this makes."""
        if not shortcut_pool or strides == 1:
            return strides
        self.pool = nn.AvgPool2D(strides, strides, ceil_mode=True, count_include_pad=False)
        return 1

    def _take(self, F: Any, X: Any) -> Any:
        """X in the precision that the block computes in."""
        precision = self.conv1.precision
        return X if precision == "float32" else cast(F, X, precision)

    def _shortcut(self, F: Any, X: Any, Y: Any, conv: Optional[Conv2D], bn: Optional[BatchNorm]) -> Any:
        """The shortcut of X: projected, or subsampled and padded to Y's shape, or X itself; None for a plain block."""
        if not self.adds:
            return None
        if self.pad is None:
            return project(X, self.pool, conv, bn)
        X = subsample(F, X, self.pad.stride)
        if self.pad.before == self.pad.after == 0:
            return X
        # Processor time of a block 64 to 128 at 56x56, forward and backward: plain 221.6 ms, Concat 225.0, F.Pad 226.9,
        # a projection 228.1; with strided slicing in place of pooling 228.8.
        return between_zeros(F, X, Y, self.pad) if self._in_16s else zero_padded(F, X, self.pad, self.conv1.precision)

    def _join(self, F: Any, Y: Any, shortcut: Any) -> Any:
        """relu(Y + shortcut), without the ReLU if pre-activated, in the precision of the next block."""
        Y = Y if shortcut is None else add(F, Y, shortcut)
        Y = Y if self.preactivation else relu(F, Y)
        precision = self.conv1.precision
        return Y if precision == self.out_precision else cast(F, Y, self.out_precision)


def project(X: Any, *layers: Optional[nn.HybridBlock]) -> Any:
    """The shortcut: X through its pooling, 1x1 convolution and batch norm, those of them that the block has."""
    for layer in layers:
        X = X if layer is None else layer(X)
    return X


def subsample(F: Any, X: Any, stride: int) -> Any:
    """X[:, :, ::stride, ::stride] by 1x1 max pooling, as in article 003; unlike strided slicing it is oneDNN's."""
    return classic(F.Pooling, X, kernel=(1, 1), stride=(stride, stride), pool_type="max") if stride > 1 else X


def between_zeros(F: Any, X: Any, Y: Any, pad: Pad) -> Any:
    """X (N, C, H, W) between channels of zeros, (N, before + C + after, H, W); of Y only that shape counts.

    By oneDNN's Concat, for channels in multiples of 16 only: where a border between zeros and X falls inside the 16
    that oneDNN keeps side by side, its backward pass ends the process (mxnet 1.9.1, a floating point exception).
    """
    if is_np_array():
        X, Y = X.as_nd_ndarray(), Y.as_nd_ndarray()
    zeros = F.zeros_like(F.slice_axis(Y, axis=1, begin=0, end=pad.before))
    X = F.Concat(zeros, X, zeros, dim=1)
    return X.as_np_ndarray() if is_np_array() else X


def zero_padded(F: Any, X: Any, pad: Pad, precision: str) -> Any:
    """As :func:`between_zeros` for any number of channels, by an operator outside oneDNN that has no bfloat16."""
    X = cast(F, X, "float32") if precision == "bfloat16" else X
    X = classic(F.expand_dims, X, axis=1)  # F.Pad leaves the first two axes alone
    X = classic(F.Pad, X, mode="constant", constant_value=0, pad_width=(0, 0, 0, 0, pad.before, pad.after, 0, 0, 0, 0))
    X = classic(F.squeeze, X, axis=1)
    return cast(F, X, precision) if precision == "bfloat16" else X
