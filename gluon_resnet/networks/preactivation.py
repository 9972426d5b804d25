"""Pre-activation blocks: batch norm and ReLU come before each convolution, and nothing follows the sum.

    blk = gr.ResidualV2(16, strides=2, shortcut="B", in_channels=8)

X + F(X) with F = conv2(relu(bn2(conv1(relu(bn1(X)))))), so that what is added travels unchanged from block to block (He
et al., arXiv 1603.05027, figure 4 e). A projection takes relu(bn1(X)) and has no batch norm of its own, as in MXNet's
zoo and gluoncv (``resnet18_v2`` to ``resnet152_v2``, whose outputs these give with their parameters); zero padding
takes X.
"""

from typing import Any, Tuple

from .blocks import Bottleneck, Residual
from .layers import BatchNorm


class InputNorm(BatchNorm):
    """The batch norm before v2's networks: over the images (N, C, H, W) themselves, without gamma and beta.

    In MXNet's zoo its running statistics stay 0 and 1 for ever, so that training and prediction see different images:
    mxnet moves them in the backward pass, which ends before it, as nothing there has a gradient. Here gamma, fixed at
    1, asks for one (which is always 0).
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(scale=False, center=False, **kwargs)
        self.gamma._differentiable = True
        self.gamma.grad_req, self.gamma.lr_mult, self.gamma.wd_mult = "write", 0.0, 0.0


class ResidualV2(Residual):
    """Two 3x3 convolutions, pre-activated: (N, C, H, W) to (N, num_channels, ...); arguments as of :class:`Residual`.

    No convolution has a bias unless ``conv_bias`` says so. ``bn1`` and ``bn2`` include the ReLU after them.
    """

    preactivation = True

    def __init__(
        self,
        num_channels: int,
        use_1x1conv: bool = False,
        strides: int = 1,
        *,
        conv_bias: Tuple[bool, ...] = (False, False),
        shortcut_bias: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_channels, use_1x1conv, strides, conv_bias=conv_bias, shortcut_bias=shortcut_bias, **kwargs)
        self.bn1.fuses = False  # it takes a sum, not a convolution

    def hybrid_forward(self, F: Any, X: Any) -> Any:
        X = self._take(F, X)
        activated = self.bn1(X)  # (N, C, H, W), with its ReLU
        Y = self.conv1(activated)
        Y = self.conv2(self.bn2(Y))  # (N, num_channels, H / strides, W / strides)
        return self._join(F, Y, self._shortcut(F, X if self.conv3 is None else activated, Y, self.conv3, self.bn3))


class BottleneckV2(Bottleneck):
    """1x1, 3x3 and 1x1 convolutions, pre-activated; as :class:`ResidualV2`.

    The 3x3 has the stride, as in MXNet's zoo.
    """

    preactivation = True

    def __init__(
        self,
        num_channels: int,
        use_1x1conv: bool = False,
        strides: int = 1,
        *,
        conv_bias: Tuple[bool, ...] = (False, False, False),
        stride_at: int = 1,
        shortcut_bias: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            num_channels,
            use_1x1conv,
            strides,
            conv_bias=conv_bias,
            stride_at=stride_at,
            shortcut_bias=shortcut_bias,
            **kwargs,
        )
        self.bn1.fuses = False

    def hybrid_forward(self, F: Any, X: Any) -> Any:
        X = self._take(F, X)
        activated = self.bn1(X)  # (N, C, H, W), with its ReLU
        Y = self.conv1(activated)  # (N, width, H, W)
        Y = self.conv2(self.bn2(Y))
        Y = self.conv3(self.bn3(Y))  # (N, num_channels, H / strides, W / strides)
        return self._join(F, Y, self._shortcut(F, X if self.conv4 is None else activated, Y, self.conv4, self.bn4))
