"""The layers that blocks are made of."""

import os

import mxnet as mx
import numpy
from mxnet.contrib.amp.amp import bfloat16
from mxnet.gluon import nn
from mxnet.util import is_np_array


def classic(operator, *inputs, **settings):
    """The result of one of MXNet's classic operators, such as ``F.elemwise_add``, in NumPy mode and outside it."""
    if not is_np_array():
        return operator(*inputs, **settings)
    return operator(*(value.as_nd_ndarray() for value in inputs), **settings).as_np_ndarray()


def add(F, Y, X):
    """Y + X, both (N, C, H, W), by the operator that keeps oneDNN's memory layout."""
    return classic(F.elemwise_add, Y, X)


def relu(F, X):
    """max(X, 0) elementwise, by the operator that keeps oneDNN's memory layout."""
    return classic(F.Activation, X, act_type="relu")


def project(X, conv, bn):
    """The shortcut: X through its 1x1 convolution and batch norm where the block has them."""
    for layer in (conv, bn):
        X = X if layer is None else layer(X)
    return X


def cast(F, X, precision):
    """X as float32 or bfloat16 numbers; the gradient comes back as X's own."""
    return classic(F.amp_cast, X, dtype=bfloat16 if precision == "bfloat16" else precision)


class Conv2D(nn.Conv2D):
    """Gluon's convolution over (N, C, H, W) that can take and give bfloat16, from float32 weights: see precision.py."""

    precision = "float32"

    def hybrid_forward(self, F, x, weight, bias=None):
        if self.precision == "float32":
            return super().hybrid_forward(F, x, weight, bias)
        inputs = [cast(F, value, self.precision) for value in (x, weight, bias) if value is not None]
        return classic(F.Convolution, *inputs, name="fwd", **self._kwargs)


class BatchNorm(nn.BatchNorm):
    """Gluon's batch norm over the channels of (N, C, H, W) that can take the ReLU behind it into the same pass.

    With ``with_relu`` it returns relu(batch norm(X)), with the same parameters. On a CPU in float32 that is one oneDNN
    operator instead of two passes over memory; elsewhere (a GPU has no such operator) it is the two. Gluon's own
    ``nn.BatchNormReLU`` does not serve: under ``npx.set_np()`` mxnet 1.9.1 leaves its ReLU out without a word.
    Pictures in bfloat16 (precision.py) are normalized with statistics and parameters in float32. With
    ``use_global_stats`` (frozen) it is two operators, as the one has no gradient then. Where X does not come from a
    convolution, set ``fuses`` to False: if X lies in the plain layout and the gradient comes back in oneDNN's blocked
    one, the one operator's gradients of X and gamma are wrong, without a word (mxnet 1.9.1).
    """

    precision, fuses = "float32", True

    def __init__(self, with_relu=False, **kwargs):
        super().__init__(**kwargs)
        self.with_relu = with_relu
        self._data_dtype = "float32"

    def _alias(self):
        return "batchnorm"

    def cast(self, dtype):
        """Take pictures of ``dtype`` from now on."""
        self._data_dtype = numpy.dtype(dtype).name
        super().cast(dtype)

    def _can_fuse(self):
        try:
            on_cpu = all(ctx.device_type == "cpu" for ctx in self.gamma.list_ctx())
        except RuntimeError:  # not initialized: no device to speak of, stay portable
            return False
        return (
            self.fuses
            and on_cpu
            and self._data_dtype == self.precision == "float32"
            and self._kwargs["axis"] == 1
            and not self._kwargs["use_global_stats"]
            and mx.runtime.Features().is_enabled("MKLDNN")
            and os.environ.get("MXNET_MKLDNN_ENABLED", "1") != "0"
        )

    def hybrid_forward(self, F, x, gamma, beta, running_mean, running_var):
        inputs = (x, gamma, beta, running_mean, running_var)
        if self.with_relu and self._can_fuse():
            return classic(F.contrib.BatchNormWithReLU, *inputs, name="fwd", **self._kwargs)
        Y = classic(F.BatchNorm, *inputs, name="fwd", **self._kwargs)
        return relu(F, Y) if self.with_relu else Y


def subsample(F, X, stride):
    """X[:, :, ::stride, ::stride] by 1x1 max pooling, as article 003 has it: oneDNN's, unlike strided slicing."""
    return classic(F.Pooling, X, kernel=(1, 1), stride=(stride, stride), pool_type="max") if stride > 1 else X


def between_zeros(F, X, Y, pad):
    """X (N, C, H, W) between channels of zeros, (N, before + C + after, H, W): Y's shape,
    of whose values nothing passes.

    oneDNN's Concat, for channels in multiples of 16 alone: where a border between zeros and X falls inside the 16 that
    oneDNN keeps side by side, its backward pass ends the process (mxnet 1.9.1, a floating point exception).
    """
    if is_np_array():
        X, Y = X.as_nd_ndarray(), Y.as_nd_ndarray()
    zeros = F.zeros_like(F.slice_axis(Y, axis=1, begin=0, end=pad.before))
    X = F.Concat(zeros, X, zeros, dim=1)
    return X.as_np_ndarray() if is_np_array() else X


def zero_padded(F, X, pad, precision):
    """The same for any number of channels, by an operator outside oneDNN that does not take bfloat16."""
    X = cast(F, X, "float32") if precision == "bfloat16" else X
    X = classic(F.expand_dims, X, axis=1)  # F.Pad leaves the first two axes alone
    X = classic(F.Pad, X, mode="constant", constant_value=0, pad_width=(0, 0, 0, 0, pad.before, pad.after, 0, 0, 0, 0))
    X = classic(F.squeeze, X, axis=1)
    return cast(F, X, precision) if precision == "bfloat16" else X
