"""From a spec to a Gluon network whose children are the ten lines of the chapter: stem, four stages, pooling, classifier.

    gr.resnet18()                                     # article 001's: 10 classes
    gr.resnet50(family="keras", num_classes=4)
    gr.get_model("resnet101@torchvision")
"""
from mxnet.gluon import nn

from .blocks import BatchNorm, Bottleneck, Residual, resnet_block
from .specs import DEFAULT_FAMILY, get_spec, parse_model

BLOCKS = {"basic": Residual, "bottleneck": Bottleneck}


def build(spec):
    """The network of ``spec``, not initialized: (N, C, H, W) float32 to (N, num_classes) logits, any C, H and W >= 32.

    The number of input channels is taken from the first input; ``net.initialize()`` comes before it, as in the book.
    ``net.spec`` is ``spec``.
    """
    options = dict(block=BLOCKS[spec.block], conv_bias=spec.conv_bias, stride_at=spec.stride_at,
                   shortcut_bias=spec.shortcut_bias, shortcut_bn=spec.shortcut_bn, bn_eps=spec.bn_eps)
    net = nn.HybridSequential()
    net.add(nn.Conv2D(spec.stem_channels, kernel_size=7, strides=2, padding=3, use_bias=spec.stem_bias),
            BatchNorm(epsilon=spec.bn_eps), nn.Activation("relu"),
            nn.MaxPool2D(pool_size=3, strides=2, padding=spec.pool_padding))
    for stage, (num_channels, num_residuals) in enumerate(zip(spec.stage_channels, spec.stage_sizes)):
        net.add(resnet_block(num_channels, num_residuals, first_block=stage == 0, **options))
    net.add(nn.GlobalAvgPool2D(), nn.Dense(spec.num_classes))
    net.spec = spec
    return net


def get_model(name, num_classes=None):
    """The network behind a name such as ``resnet18`` or ``resnet50@keras``; ModelError where the table has no such row."""
    return build(parse_model(name, num_classes))


def resnet18(family=DEFAULT_FAMILY, num_classes=None):
    """ResNet-18 of a family (d2l, torchvision, mxnet, keras, keras2016); see :func:`build` for shapes."""
    return build(get_spec(18, family, num_classes))


def resnet34(family=DEFAULT_FAMILY, num_classes=None):
    """ResNet-34; as :func:`resnet18`."""
    return build(get_spec(34, family, num_classes))


def resnet50(family=DEFAULT_FAMILY, num_classes=None):
    """ResNet-50, of bottlenecks; as :func:`resnet18`."""
    return build(get_spec(50, family, num_classes))


def resnet101(family=DEFAULT_FAMILY, num_classes=None):
    """ResNet-101, of bottlenecks; as :func:`resnet18`."""
    return build(get_spec(101, family, num_classes))


def resnet152(family=DEFAULT_FAMILY, num_classes=None):
    """ResNet-152, of bottlenecks; as :func:`resnet18`."""
    return build(get_spec(152, family, num_classes))
