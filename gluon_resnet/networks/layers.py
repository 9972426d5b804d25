"""The layers that blocks are made of: Gluon's convolution and batch norm, with what oneDNN and bfloat16 need.

    layer = BatchNorm(with_relu=True)                      # relu(batch norm(X)) in one pass over memory
    gr.Conv2D(8, kernel_size=3, padding=1)                 # as nn.Conv2D; may compute in bfloat16, see set_precision

The functions here are MXNet's classic operators, in NumPy mode (``npx.set_np()``) and outside it. On a CPU they keep
oneDNN's blocked memory layout, which ``npx.relu`` and ``+`` do not.
"""

import os
from typing import Any, Callable

import mxnet as mx
import numpy
from mxnet.contrib.amp.amp import bfloat16
from mxnet.gluon import nn
from mxnet.util import is_np_array


class Conv2D(nn.Conv2D):
    """Gluon's convolution over (N, C, H, W) that can compute in bfloat16 from float32 weights: see precision.py."""

    precision = "float32"

    def hybrid_forward(self, F: Any, x: Any, weight: Any, bias: Any = None) -> Any:
        if self.precision == "float32":
            return super().hybrid_forward(F, x, weight, bias)
        inputs = [cast(F, value, self.precision) for value in (x, weight, bias) if value is not None]
        return classic(F.Convolution, *inputs, name="fwd", **self._kwargs)


class BatchNorm(nn.BatchNorm):
    """Gluon's batch norm over the channels of (N, C, H, W) that can compute the ReLU after it in the same pass.

    With ``with_relu`` it returns relu(batch norm(X)), with the same parameters. On a CPU in float32 that is one oneDNN
    operator instead of two passes over memory; elsewhere (a GPU has no such operator) it is the two. Gluon's own
    ``nn.BatchNormReLU`` does not do: under ``npx.set_np()`` mxnet 1.9.1 leaves its ReLU out without a warning. Inputs
    in bfloat16 (precision.py) are normalized with statistics and parameters in float32. With ``use_global_stats``
    (frozen) it is two operators, as the one has no gradient then. If X does not come from a convolution, set ``fuses``
    to False: if X is in the plain layout and the gradient comes back in oneDNN's blocked one, the one operator's
    gradients of X and gamma are wrong, without a warning (mxnet 1.9.1).
    """

    precision, fuses = "float32", True

    def __init__(self, with_relu: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.with_relu = with_relu
        self._data_dtype = "float32"

    def _alias(self) -> str:
        return "batchnorm"

    def cast(self, dtype: Any) -> None:
        """Take inputs of ``dtype`` from now on."""
        self._data_dtype = numpy.dtype(dtype).name
        super().cast(dtype)

    def _can_fuse(self) -> bool:
        try:
            on_cpu = all(ctx.device_type == "cpu" for ctx in self.gamma.list_ctx())
        except RuntimeError:  # not initialized, so on no device yet: the two operators work on any
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

    def hybrid_forward(self, F: Any, x: Any, gamma: Any, beta: Any, running_mean: Any, running_var: Any) -> Any:
        inputs = (x, gamma, beta, running_mean, running_var)
        if self.with_relu and self._can_fuse():
            return classic(F.contrib.BatchNormWithReLU, *inputs, name="fwd", **self._kwargs)
        Y = classic(F.BatchNorm, *inputs, name="fwd", **self._kwargs)
        return relu(F, Y) if self.with_relu else Y


def classic(operator: Callable[..., Any], *inputs: Any, **settings: Any) -> Any:
    """The result of one of MXNet's classic operators, such as ``F.elemwise_add``, in NumPy mode and outside it."""
    if not is_np_array():
        return operator(*inputs, **settings)
    return operator(*(value.as_nd_ndarray() for value in inputs), **settings).as_np_ndarray()


def add(F: Any, Y: Any, X: Any) -> Any:
    """Y + X, both (N, C, H, W)."""
    return classic(F.elemwise_add, Y, X)


def relu(F: Any, X: Any) -> Any:
    """max(X, 0) elementwise."""
    return classic(F.Activation, X, act_type="relu")


def cast(F: Any, X: Any, precision: str) -> Any:
    """X as float32 or bfloat16 numbers; the gradient comes back as X's own."""
    return classic(F.amp_cast, X, dtype=bfloat16 if precision == "bfloat16" else precision)
