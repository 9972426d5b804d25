"""The residual block of article 001, the bottleneck of the paper, and the stacker that makes stages of them.

    import gluon_resnet as gr
    from mxnet import np, npx
    npx.set_np()
    blk = gr.Residual(6, use_1x1conv=True, strides=2)
    blk.initialize()
    blk(np.random.uniform(size=(4, 3, 6, 6))).shape        # (4, 6, 3, 3)

Both compute relu(F(X) + shortcut(X)) (He et al., arXiv 1512.03385, equations 1 and 2), imperatively or hybridized, with
``npx.set_np()`` or without. On a CPU the sum, the activation and batch norm + ReLU go through the oneDNN operators that
keep its blocked memory layout: ``npx.relu`` and ``+`` would have every tensor reordered there and back, a third of the time.
"""
import os

import mxnet as mx
import numpy
from mxnet.contrib.amp.amp import bfloat16
from mxnet.gluon import nn
from mxnet.util import is_np_array

from .errors import ShapeError


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
    ``use_global_stats`` (frozen) it is two operators, as the one has no gradient then.
    """

    precision = "float32"

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
        return (on_cpu and self._data_dtype == self.precision == "float32" and self._kwargs["axis"] == 1
                and not self._kwargs["use_global_stats"] and mx.runtime.Features().is_enabled("MKLDNN")
                and os.environ.get("MXNET_MKLDNN_ENABLED", "1") != "0")

    def hybrid_forward(self, F, x, gamma, beta, running_mean, running_var):
        inputs = (x, gamma, beta, running_mean, running_var)
        if self.with_relu and self._can_fuse():
            return classic(F.contrib.BatchNormWithReLU, *inputs, name="fwd", **self._kwargs)
        Y = classic(F.BatchNorm, *inputs, name="fwd", **self._kwargs)
        return relu(F, Y) if self.with_relu else Y


class _Block(nn.HybridBlock):
    """What Residual and Bottleneck share: the sum at the end, and the numbers that are handed on (precision.py)."""

    out_precision = "float32"

    def _join(self, F, Y, shortcut):
        Y = relu(F, add(F, Y, shortcut))
        precision = self.conv1.precision
        return Y if precision == self.out_precision else cast(F, Y, self.out_precision)

    def _take(self, F, X):
        precision = self.conv1.precision
        return X if precision == "float32" else cast(F, X, precision)


class Residual(_Block):
    """Two 3x3 convolutions beside a shortcut: (N, C, H, W) to (N, num_channels, ceil(H / strides), ceil(W / strides)).

    With ``use_1x1conv`` the shortcut is the projection ``conv3``; otherwise it is the input itself, which then must have
    ``num_channels`` channels, with ``strides=1``. The keywords tell the published families apart: which of the two
    convolutions carries a bias and which the stride, and whether the projection has a bias and a batch norm (``bn3``).
    The defaults are article 001's. Source: article 001; He et al., figure 5 left.
    """

    expansion = 1

    def __init__(self, num_channels, use_1x1conv=False, strides=1, *, conv_bias=(True, True), stride_at=0,
                 shortcut_bias=True, shortcut_bn=False, bn_eps=1e-5, **kwargs):
        super().__init__(**kwargs)
        stride = [strides if i == stride_at else 1 for i in range(2)]
        self.conv1 = Conv2D(num_channels, kernel_size=3, padding=1, strides=stride[0], use_bias=conv_bias[0])
        self.conv2 = Conv2D(num_channels, kernel_size=3, padding=1, strides=stride[1], use_bias=conv_bias[1])
        self.conv3, self.bn3 = None, None
        if use_1x1conv:
            self.conv3 = Conv2D(num_channels, kernel_size=1, strides=strides, use_bias=shortcut_bias)
        self.bn1 = BatchNorm(with_relu=True, epsilon=bn_eps)
        self.bn2 = BatchNorm(epsilon=bn_eps)
        if use_1x1conv and shortcut_bn:
            self.bn3 = BatchNorm(epsilon=bn_eps)

    def hybrid_forward(self, F, X):
        X = self._take(F, X)
        Y = self.bn1(self.conv1(X))  # with its ReLU
        Y = self.bn2(self.conv2(Y))
        return self._join(F, Y, project(X, self.conv3, self.bn3))  # (N, num_channels, H / strides, W / strides)


class Bottleneck(_Block):
    """1x1, 3x3 and 1x1 convolutions beside a shortcut: (N, C, H, W) to (N, num_channels, H / strides, W / strides).

    The first two convolutions have a quarter of ``num_channels`` (a multiple of 4) channels. With ``use_1x1conv`` the
    shortcut is the projection ``conv4``, with ``bn4`` behind it where ``shortcut_bn`` says so. ``stride_at`` is the
    convolution that halves the picture: 0 in the paper, Keras and MXNet's zoo, 1 in torchvision.
    Source: He et al., figure 5 right.
    """

    expansion = 4

    def __init__(self, num_channels, use_1x1conv=False, strides=1, *, conv_bias=(True, True, True), stride_at=0,
                 shortcut_bias=True, shortcut_bn=False, bn_eps=1e-5, **kwargs):
        super().__init__(**kwargs)
        if num_channels % 4:
            raise ShapeError(f"Bottleneck: num_channels is {num_channels}: expected a multiple of 4")
        stride = [strides if i == stride_at else 1 for i in range(3)]
        width = num_channels // 4
        self.conv1 = Conv2D(width, kernel_size=1, strides=stride[0], use_bias=conv_bias[0])
        self.conv2 = Conv2D(width, kernel_size=3, padding=1, strides=stride[1], use_bias=conv_bias[1])
        self.conv3 = Conv2D(num_channels, kernel_size=1, strides=stride[2], use_bias=conv_bias[2])
        self.conv4, self.bn4 = None, None
        if use_1x1conv:
            self.conv4 = Conv2D(num_channels, kernel_size=1, strides=strides, use_bias=shortcut_bias)
        self.bn1 = BatchNorm(with_relu=True, epsilon=bn_eps)
        self.bn2 = BatchNorm(with_relu=True, epsilon=bn_eps)
        self.bn3 = BatchNorm(epsilon=bn_eps)
        if use_1x1conv and shortcut_bn:
            self.bn4 = BatchNorm(epsilon=bn_eps)

    def hybrid_forward(self, F, X):
        X = self._take(F, X)
        Y = self.bn1(self.conv1(X))  # (N, num_channels / 4, ...), with its ReLU
        Y = self.bn2(self.conv2(Y))
        Y = self.bn3(self.conv3(Y))  # (N, num_channels, ...)
        return self._join(F, Y, project(X, self.conv4, self.bn4))  # (N, num_channels, H / strides, W / strides)


def resnet_block(num_channels, num_residuals, first_block=False, block=Residual, **options):
    """A stage: ``num_residuals`` blocks in a HybridSequential, (N, C, H, W) to (N, num_channels, H / 2, W / 2).

    The first block halves the picture and projects the shortcut, but for ``first_block``, the stage behind the stem's
    pooling, which keeps height and width; there only bottlenecks project, since they alone change the channels.
    ``options`` go to every ``block``. Source: article 001.
    """
    stage = nn.HybridSequential()
    for i in range(num_residuals):
        if i == 0 and not first_block:
            stage.add(block(num_channels, use_1x1conv=True, strides=2, **options))
        elif i == 0 and block.expansion > 1:
            stage.add(block(num_channels, use_1x1conv=True, **options))
        else:
            stage.add(block(num_channels, **options))
    return stage


def blocks_by_name(net):
    """{name: block} of ``net`` and all below it; a name is the beginning of the block's parameters' own ("4.0.conv1")."""
    found = {}

    def walk(block, path):
        found[path] = block
        for key, child in block._children.items():
            attribute = next((name for name, value in vars(block).items() if value is child), key)
            walk(child, f"{path}.{attribute}".lstrip("."))
    walk(net, "")
    return found
