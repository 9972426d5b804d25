"""The residual block of article 001, the bottleneck of the paper, and the stacker that makes stages of them.

    import gluon_resnet as gr
    from mxnet import np, npx
    npx.set_np()
    blk = gr.Residual(6, use_1x1conv=True, strides=2)
    blk.initialize()
    blk(np.random.uniform(size=(4, 3, 6, 6))).shape        # (4, 6, 3, 3)

Both compute relu(F(X) + shortcut(X)) (He et al., arXiv 1512.03385, equations 1 and 2), imperatively or hybridized, with
``npx.set_np()`` or without. What they share is in shortcuts.py, their layers are in layers.py, pre-activation blocks in
preactivation.py.
"""

from typing import Any, Dict, Optional, Tuple, Type

from mxnet.gluon import nn

from ..errors import ShapeError, whole
from .layers import BatchNorm, Conv2D
from .shortcuts import ShortcutBlock


class Residual(ShortcutBlock):
    """Two 3x3 convolutions and a shortcut: (N, C, H, W) to (N, num_channels, ceil(H / strides), ceil(W / strides)).

    The defaults are article 001's; the keywords tell the published families apart. Source: article 001; He et al.,
    figure 5 left, and options A to C of section 4.1.

    Args:
        num_channels: channels of the output.
        use_1x1conv: the shortcut is the projection ``conv3``. Otherwise it is the input itself, which then must have
            ``num_channels`` channels, with ``strides=1``.
        strides: 2 halves height and width.
        conv_bias: which of the two convolutions has a bias.
        stride_at: which of the two has the stride, 0 or 1.
        shortcut_bias: whether the projection has a bias.
        shortcut_bn: whether the projection has a batch norm, ``bn3``.
        shortcut_pool: whether a projection with ``strides`` takes means over 2x2, ``pool``, as in ResNet-D, and strides
            itself no more.
        bn_eps: epsilon of the batch norms.
        shortcut: in place of ``use_1x1conv``, one of the paper's options: "A" subsampling and zero padding, "B" a
            projection where the shape changes, "C" always one, "none" no sum at all.
        in_channels: channels of the input, which the options need to know; ``num_channels`` if None.

    Raises:
        ShapeError: both ``use_1x1conv`` and ``shortcut`` are given, or option A with fewer channels out than in.
    """

    expansion = 1

    def __init__(
        self,
        num_channels: int,
        use_1x1conv: bool = False,
        strides: int = 1,
        *,
        conv_bias: Tuple[bool, ...] = (True, True),
        stride_at: int = 0,
        shortcut_bias: bool = True,
        shortcut_bn: bool = False,
        shortcut_pool: bool = False,
        bn_eps: float = 1e-5,
        shortcut: Optional[str] = None,
        in_channels: Optional[int] = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        projects = self._plan_shortcut(num_channels, use_1x1conv, strides, shortcut, in_channels)
        stride = [strides if i == stride_at else 1 for i in range(2)]
        self.conv1 = Conv2D(num_channels, kernel_size=3, padding=1, strides=stride[0], use_bias=conv_bias[0])
        self.conv2 = Conv2D(num_channels, kernel_size=3, padding=1, strides=stride[1], use_bias=conv_bias[1])
        self.conv3, self.bn3 = None, None
        if projects:
            strides = self._projection_stride(strides, shortcut_pool)
            self.conv3 = Conv2D(num_channels, kernel_size=1, strides=strides, use_bias=shortcut_bias)
        self.bn1 = BatchNorm(with_relu=True, epsilon=bn_eps)
        self.bn2 = BatchNorm(with_relu=self.preactivation, epsilon=bn_eps)
        if projects and shortcut_bn:
            self.bn3 = BatchNorm(epsilon=bn_eps)

    def hybrid_forward(self, F: Any, X: Any) -> Any:
        X = self._take(F, X)
        Y = self.bn1(self.conv1(X))  # with its ReLU
        Y = self.bn2(self.conv2(Y))
        # (N, num_channels, H / strides, W / strides)
        return self._join(F, Y, self._shortcut(F, X, Y, self.conv3, self.bn3))


class Bottleneck(ShortcutBlock):
    """1x1, 3x3 and 1x1 convolutions and a shortcut: (N, C, H, W) to (N, num_channels, H / strides, W / strides).

    Arguments are those of :class:`Residual` but for the following. Source: He et al., figure 5 right; ``groups``: Xie
    et al., arXiv 1611.05431, figure 3 (c).

    Args:
        num_channels: channels of the output; a multiple of 4 if ``width`` is None.
        use_1x1conv: the shortcut is the projection ``conv4``, with ``bn4`` after it if ``shortcut_bn``.
        stride_at: which convolution has the stride: 0 in the paper, Keras and MXNet's zoo, 1 in torchvision.
        last_bn: if False, the last convolution goes into the sum as it is, as in article 003.
        bn_scale: if False, the batch norms have no gamma, as in article 003.
        width: channels of the first two convolutions; a quarter of ``num_channels`` if None.
        groups: of the 3x3 convolution; each group of outputs sees its own group of inputs alone.

    Raises:
        ShapeError: ``num_channels`` is no multiple of 4, or ``groups`` does not divide ``width``; and as for
            :class:`Residual`.
    """

    expansion = 4

    def __init__(
        self,
        num_channels: int,
        use_1x1conv: bool = False,
        strides: int = 1,
        *,
        conv_bias: Tuple[bool, ...] = (True, True, True),
        stride_at: int = 0,
        shortcut_bias: bool = True,
        shortcut_bn: bool = False,
        shortcut_pool: bool = False,
        bn_eps: float = 1e-5,
        shortcut: Optional[str] = None,
        in_channels: Optional[int] = None,
        last_bn: bool = True,
        bn_scale: bool = True,
        width: Optional[int] = None,
        groups: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        width = _checked_width(num_channels, width, groups)
        projects = self._plan_shortcut(num_channels, use_1x1conv, strides, shortcut, in_channels)
        stride = [strides if i == stride_at else 1 for i in range(3)]
        self.conv1 = Conv2D(width, kernel_size=1, strides=stride[0], use_bias=conv_bias[0])
        self.conv2 = Conv2D(width, kernel_size=3, padding=1, strides=stride[1], use_bias=conv_bias[1], groups=groups)
        self.conv3 = Conv2D(num_channels, kernel_size=1, strides=stride[2], use_bias=conv_bias[2])
        self.conv4, self.bn4 = None, None
        if projects:
            strides = self._projection_stride(strides, shortcut_pool)
            self.conv4 = Conv2D(num_channels, kernel_size=1, strides=strides, use_bias=shortcut_bias)
        self.bn1 = BatchNorm(with_relu=True, epsilon=bn_eps, scale=bn_scale)
        self.bn2 = BatchNorm(with_relu=True, epsilon=bn_eps, scale=bn_scale)
        # oneDNN computes groups in layouts of their own. The one operator then has X in one layout and the gradient in
        # another, and stops: "could not create a primitive descriptor iterator".
        self.bn1.fuses = self.bn2.fuses = groups == 1
        self.bn3: Any = None
        if last_bn:
            self.bn3 = BatchNorm(with_relu=self.preactivation, epsilon=bn_eps, scale=bn_scale)
        if projects and shortcut_bn:
            self.bn4 = BatchNorm(epsilon=bn_eps)

    def hybrid_forward(self, F: Any, X: Any) -> Any:
        X = self._take(F, X)
        Y = self.bn1(self.conv1(X))  # (N, width, ...), with its ReLU
        Y = self.bn2(self.conv2(Y))
        Y = self.conv3(Y)  # (N, num_channels, ...)
        Y = Y if self.bn3 is None else self.bn3(Y)
        # (N, num_channels, H / strides, W / strides)
        return self._join(F, Y, self._shortcut(F, X, Y, self.conv4, self.bn4))


def _checked_width(num_channels: int, width: Optional[int], groups: int) -> int:
    """Channels of a bottleneck's 3x3 convolution; ShapeError if they are none, or cannot be divided into groups."""
    if width is None and num_channels % 4:
        raise ShapeError(f"Bottleneck: num_channels is {num_channels}: expected a multiple of 4")
    width = whole("Bottleneck: width", num_channels // 4 if width is None else width, 1, ShapeError)
    if width % whole("Bottleneck: groups", groups, 1, ShapeError):
        raise ShapeError(
            f"Bottleneck: groups is {groups}: expected a divisor of the 3x3 convolution's {width} channels"
        )
    return width


class ResNeXtBlock(Bottleneck):
    """The block of d2l 1.0's chapter on ResNeXt: (N, C, H, W) to (N, num_channels, H / strides, W / strides).

    As d2l's own, its convolutions have biases, the 3x3 has the stride, and a projection is followed by a batch norm.
    As there, ``groups`` is in fact the number of channels of one group: the 3x3 convolution has
    ``num_channels * bot_mul // groups`` groups. Source: d2l 1.0, chapter 8.6.5; Xie et al., arXiv 1611.05431.

    Args:
        num_channels: channels of the output.
        groups: channels of each group of the 3x3 convolution.
        bot_mul: channels of the first two convolutions as a share of ``num_channels``, rounded to a whole number.
        use_1x1conv: the shortcut is the projection ``conv4`` with the batch norm ``bn4``; otherwise it is the input.
        strides: 2 halves height and width.

    Raises:
        ShapeError: the 3x3 convolution's channels cannot be divided into so many groups, or there are none.
    """

    def __init__(
        self,
        num_channels: int,
        groups: int,
        bot_mul: float,
        use_1x1conv: bool = False,
        strides: int = 1,
        **kwargs: Any,
    ) -> None:
        width = whole("ResNeXtBlock: num_channels * bot_mul", round(num_channels * bot_mul), 1, ShapeError)
        count = width // whole("ResNeXtBlock: groups", groups, 1, ShapeError)
        if count == 0 or width % count:
            raise ShapeError(
                f"ResNeXtBlock: groups is {groups}, channels of each group as in d2l: the {width} channels of the 3x3 "
                f"convolution cannot be divided into {count} groups; expected a divisor of {width}"
            )
        super().__init__(
            num_channels,
            use_1x1conv,
            strides,
            width=width,
            groups=count,
            stride_at=1,
            shortcut_bn=True,
            **kwargs,
        )


def resnet_block(
    num_channels: int,
    num_residuals: int,
    first_block: bool = False,
    block: Type[ShortcutBlock] = Residual,
    **options: Any,
) -> nn.HybridSequential:
    """A stage of blocks, (N, C, H, W) to (N, num_channels, H / 2, W / 2). Source: article 001.

    Args:
        num_channels: channels of the stage's output.
        num_residuals: number of blocks.
        first_block: for the stage after the stem's pooling, which keeps height and width. In the other stages the first
            block halves them and projects the shortcut; here only a bottleneck projects, as only that changes the
            channels.
        block: :class:`Residual` or :class:`Bottleneck`.
        options: keywords for every block.
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


def blocks_by_name(net: nn.Block) -> Dict[str, nn.Block]:
    """{name: block} of ``net`` and all below it; a name is what its parameters' names begin with ("4.0.conv1")."""
    blocks = {}

    def walk(block: nn.Block, path: str) -> None:
        blocks[path] = block
        for key, child in block._children.items():
            attribute = next((name for name, value in vars(block).items() if value is child), key)
            walk(child, f"{path}.{attribute}".lstrip("."))

    walk(net, "")
    return blocks
