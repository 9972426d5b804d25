"""The residual block of article 001, the bottleneck of the paper, and the stacker that makes stages of them.

Pre-activation blocks are in blocks_v2.py.

    import gluon_resnet as gr
    from mxnet import np, npx
    npx.set_np()
    blk = gr.Residual(6, use_1x1conv=True, strides=2)
    blk.initialize()
    blk(np.random.uniform(size=(4, 3, 6, 6))).shape        # (4, 6, 3, 3)

Both compute relu(F(X) + shortcut(X)) (He et al., arXiv 1512.03385, equations 1 and 2), imperatively or hybridized, with
``npx.set_np()`` or without. On a CPU the sum, the activation and batch norm + ReLU go through the oneDNN operators that
keep its blocked memory layout: ``npx.relu`` and ``+`` would have every tensor reordered there and back,
a third of the time.
"""

from mxnet.gluon import nn

from ..errors import ShapeError
from .layers import BatchNorm, Conv2D, add, between_zeros, cast, project, relu, subsample, zero_padded
from .layout import plan_shortcut


class _Block(nn.HybridBlock):
    """What all blocks share: the shortcut, the sum at the end, and the numbers that are handed on (precision.py)."""

    out_precision = "float32"
    pad, adds, preactivation = None, True, False

    def _plan_shortcut(self, num_channels, use_1x1conv, strides, shortcut, in_channels):
        """Whether the shortcut is a projection; notes option A's padding and whether there is a sum at all."""
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

    def _beside(self, F, X, Y, conv, bn):
        """The shortcut of X: projected, subsampled and padded to Y's shape, or X itself; None for a plain block."""
        if not self.adds:
            return None
        if self.pad is None:
            return project(X, conv, bn)
        X = subsample(F, X, self.pad.stride)
        if self.pad.before == self.pad.after == 0:
            return X
        # Processor time of a block 64 to 128 at 56x56, forward and backward: plain 221.6 ms, Concat 225.0, F.Pad 226.9,
        # a projection 228.1; with strided slicing in place of pooling 228.8.
        return between_zeros(F, X, Y, self.pad) if self._in_16s else zero_padded(F, X, self.pad, self.conv1.precision)

    def _join(self, F, Y, shortcut):
        Y = Y if shortcut is None else add(F, Y, shortcut)
        Y = Y if self.preactivation else relu(F, Y)
        precision = self.conv1.precision
        return Y if precision == self.out_precision else cast(F, Y, self.out_precision)

    def _take(self, F, X):
        precision = self.conv1.precision
        return X if precision == "float32" else cast(F, X, precision)


class Residual(_Block):
    """Two 3x3 convolutions beside a shortcut: (N, C, H, W) to (N, num_channels, ceil(H / strides), ceil(W / strides)).

    With ``use_1x1conv`` the shortcut is the projection ``conv3``; otherwise it is the input itself, which then must
    have ``num_channels`` channels, with ``strides=1``. In place of ``use_1x1conv``, ``shortcut`` is one of the paper's
    options: "A" subsampling and zero padding, "B" a projection where the shape changes, "C" always one, "none" no sum
    at all; they need ``in_channels`` (``num_channels`` if None) to know. The keywords tell the published families
    apart: which of the two convolutions carries a bias and which the stride, whether the projection has a bias and a
    batch norm (``bn3``). The defaults are article 001's. Source: article 001; He et al., figure 5 left, and options A
    to C of section 4.1.
    """

    expansion = 1

    def __init__(
        self,
        num_channels,
        use_1x1conv=False,
        strides=1,
        *,
        conv_bias=(True, True),
        stride_at=0,
        shortcut_bias=True,
        shortcut_bn=False,
        bn_eps=1e-5,
        shortcut=None,
        in_channels=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        projects = self._plan_shortcut(num_channels, use_1x1conv, strides, shortcut, in_channels)
        stride = [strides if i == stride_at else 1 for i in range(2)]
        self.conv1 = Conv2D(num_channels, kernel_size=3, padding=1, strides=stride[0], use_bias=conv_bias[0])
        self.conv2 = Conv2D(num_channels, kernel_size=3, padding=1, strides=stride[1], use_bias=conv_bias[1])
        self.conv3, self.bn3 = None, None
        if projects:
            self.conv3 = Conv2D(num_channels, kernel_size=1, strides=strides, use_bias=shortcut_bias)
        self.bn1 = BatchNorm(with_relu=True, epsilon=bn_eps)
        self.bn2 = BatchNorm(with_relu=self.preactivation, epsilon=bn_eps)
        if projects and shortcut_bn:
            self.bn3 = BatchNorm(epsilon=bn_eps)

    def hybrid_forward(self, F, X):
        X = self._take(F, X)
        Y = self.bn1(self.conv1(X))  # with its ReLU
        Y = self.bn2(self.conv2(Y))
        # (N, num_channels, H / strides, W / strides)
        return self._join(F, Y, self._beside(F, X, Y, self.conv3, self.bn3))


class Bottleneck(_Block):
    """1x1, 3x3 and 1x1 convolutions beside a shortcut: (N, C, H, W) to (N, num_channels, H / strides, W / strides).

    The first two convolutions have a quarter of ``num_channels`` (a multiple of 4) channels. With ``use_1x1conv`` the
    shortcut is the projection ``conv4``, with ``bn4`` behind it where ``shortcut_bn`` says so; ``shortcut`` and
    ``in_channels`` as in :class:`Residual`. ``stride_at`` is the convolution that halves the picture: 0 in the paper,
    Keras and MXNet's zoo, 1 in torchvision. Without ``last_bn`` the last convolution goes into the sum as it is, and
    without ``bn_scale`` the batch norms have no gamma (both as in article 003). Source: He et al., figure 5 right.
    """

    expansion = 4

    def __init__(
        self,
        num_channels,
        use_1x1conv=False,
        strides=1,
        *,
        conv_bias=(True, True, True),
        stride_at=0,
        shortcut_bias=True,
        shortcut_bn=False,
        bn_eps=1e-5,
        shortcut=None,
        in_channels=None,
        last_bn=True,
        bn_scale=True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if num_channels % 4:
            raise ShapeError(f"Bottleneck: num_channels is {num_channels}: expected a multiple of 4")
        projects = self._plan_shortcut(num_channels, use_1x1conv, strides, shortcut, in_channels)
        stride = [strides if i == stride_at else 1 for i in range(3)]
        width = num_channels // 4
        self.conv1 = Conv2D(width, kernel_size=1, strides=stride[0], use_bias=conv_bias[0])
        self.conv2 = Conv2D(width, kernel_size=3, padding=1, strides=stride[1], use_bias=conv_bias[1])
        self.conv3 = Conv2D(num_channels, kernel_size=1, strides=stride[2], use_bias=conv_bias[2])
        self.conv4, self.bn4 = None, None
        if projects:
            self.conv4 = Conv2D(num_channels, kernel_size=1, strides=strides, use_bias=shortcut_bias)
        self.bn1 = BatchNorm(with_relu=True, epsilon=bn_eps, scale=bn_scale)
        self.bn2 = BatchNorm(with_relu=True, epsilon=bn_eps, scale=bn_scale)
        self.bn3 = BatchNorm(with_relu=self.preactivation, epsilon=bn_eps, scale=bn_scale) if last_bn else None
        if projects and shortcut_bn:
            self.bn4 = BatchNorm(epsilon=bn_eps)

    def hybrid_forward(self, F, X):
        X = self._take(F, X)
        Y = self.bn1(self.conv1(X))  # (N, num_channels / 4, ...), with its ReLU
        Y = self.bn2(self.conv2(Y))
        Y = self.conv3(Y)  # (N, num_channels, ...)
        Y = Y if self.bn3 is None else self.bn3(Y)
        # (N, num_channels, H / strides, W / strides)
        return self._join(F, Y, self._beside(F, X, Y, self.conv4, self.bn4))


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
    """{name: block} of ``net`` and all below it; a name is the beginning of the
    block's parameters' own ("4.0.conv1")."""
    found = {}

    def walk(block, path):
        found[path] = block
        for key, child in block._children.items():
            attribute = next((name for name, value in vars(block).items() if value is child), key)
            walk(child, f"{path}.{attribute}".lstrip("."))

    walk(net, "")
    return found
