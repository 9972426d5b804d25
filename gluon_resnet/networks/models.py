"""From a spec to a Gluon network whose children are the lines of the chapter: stem, stages, pooling, classifier.

    build(get_spec(18, "d2l"))                        # article 001's: 10 classes
    get_model("resnet101@torchvision")
    get_model("plain34@torchvision")                  # no shortcuts
    cifar_resnet(20, num_classes=10, shortcut="A")

A family is a row of families.py; what is built for each field of the row is here. gr.resnet18 to gr.resnet152 and
gr.get_model, which also take published weights, are in weights/pretrained.py.
"""

from functools import partial
from typing import Callable, Dict, List, Optional, Tuple, Type

from mxnet.gluon import nn

from ..errors import ModelError
from .blocks import Bottleneck, Residual
from .heads import dense_dropout
from .layers import BatchNorm
from .layout import block_plan, children, stem_kinds, stem_plan
from .preactivation import BottleneckV2, InputNorm, ResidualV2
from .shortcuts import ShortcutBlock
from .specs import CIFAR, ResNetSpec, get_spec, parse_model

#: (block, preactivation) -> the class that makes it
BLOCKS: Dict[Tuple[str, bool], Type[ShortcutBlock]] = {
    ("basic", False): Residual,
    ("bottleneck", False): Bottleneck,
    ("basic", True): ResidualV2,
    ("bottleneck", True): BottleneckV2,
}


def _stage(spec: ResNetSpec, shapes: List[Tuple[int, int, int]]) -> nn.HybridSequential:
    """A stage of blocks of the given (input channels, output channels, stride)."""
    options = dict(
        conv_bias=spec.conv_bias,
        stride_at=spec.stride_at,
        shortcut=spec.shortcut,
        shortcut_bias=spec.shortcut_bias,
        shortcut_bn=spec.shortcut_bn,
        shortcut_pool=spec.shortcut_pool,
        bn_eps=spec.bn_eps,
    )
    if spec.block == "bottleneck":
        options.update(last_bn=spec.last_bn, bn_scale=spec.block_bn_scale, groups=spec.groups)
    stage = nn.HybridSequential()
    for in_channels, num_channels, stride in shapes:
        if spec.block == "bottleneck":
            options["width"] = spec.bottleneck_width(num_channels)
        stage.add(
            BLOCKS[spec.block, spec.preactivation](num_channels, strides=stride, in_channels=in_channels, **options)
        )
    return stage


def _head(spec: ResNetSpec) -> List[nn.Block]:
    if spec.head == "conv":
        return [nn.Conv2D(spec.num_classes, kernel_size=1), nn.Flatten()]
    return dense_dropout(spec.num_classes) if spec.head == "dense_dropout" else [nn.Dense(spec.num_classes)]


def build(spec: ResNetSpec) -> nn.HybridSequential:
    """The network of ``spec``, not initialized: (N, C, H, W) float32 to (N, num_classes) logits, any C, H and W >= 32.

    The number of input channels is taken from the first input; ``net.initialize()`` comes before it, as in the book.
    ``net.spec`` is ``spec``; layout.children lists what its children are. Raises ModelError if ``spec`` is none.
    """
    if not isinstance(spec, ResNetSpec):
        raise ModelError(f"spec is {spec!r}: expected a ResNetSpec; gr.get_model('resnet18') takes a name")
    makers: Dict[str, Callable[[], nn.Block]] = {
        "input_norm": lambda: InputNorm(epsilon=spec.bn_eps),
        "max_pool": lambda: nn.MaxPool2D(pool_size=3, strides=2, padding=spec.pool_padding),
        "final_norm": lambda: BatchNorm(epsilon=spec.bn_eps),
        "final_relu": lambda: nn.Activation("relu"),
        "average_pool": nn.GlobalAvgPool2D,
    }
    for kind, (width, stride) in zip(stem_kinds(spec), stem_plan(spec)):
        makers[kind] = partial(
            nn.Conv2D, width, spec.stem_kernel, stride, spec.stem_kernel // 2, use_bias=spec.stem_bias
        )
        makers[f"{kind}_norm"] = partial(BatchNorm, epsilon=spec.bn_eps)
        makers[f"{kind}_relu"] = partial(nn.Activation, "relu")
    for number, shapes in enumerate(block_plan(spec), 1):
        makers[f"stage{number}"] = partial(_stage, spec, shapes)
    net, kinds = nn.HybridSequential(), children(spec)
    for kind in kinds[: kinds.index("classifier")]:
        net.add(makers[kind]())
    net.add(*_head(spec))
    net.spec = spec
    return net


def get_model(name: str, num_classes: Optional[int] = None) -> nn.HybridSequential:
    """The network of a name: ``resnet18``, ``resnet50@keras``, ``resnet34@torchvision:A``, ``cifar_resnet56``, ...

    :func:`parse_model` says which names there are. Raises ModelError if the table has no such network.
    """
    return build(parse_model(name, num_classes))


def cifar_resnet(depth: int, num_classes: int = 10, shortcut: str = "A") -> nn.HybridSequential:
    """The paper's network for small images, of ``depth`` = 6n + 2 layers (20, 32, 44, 56, 110, ...), not initialized.

    (N, C, H, W) float32, C of 1 or 3, to (N, num_classes): a 3x3 stem of 16 channels, n basic blocks each of 16, 32 and
    64 channels at H, H / 2 and H / 4. ``shortcut`` is "A" (the paper's), "B", "C" or "none" (plain). With "B" it has
    the parameters of gluoncv's ``cifar_resnet*_v1`` (272,474 for 20, against 269,722), which leaves out the ReLU after
    the stem. Source: He et al., section 4.2.
    """
    return build(get_spec(depth, CIFAR, num_classes, shortcut))
