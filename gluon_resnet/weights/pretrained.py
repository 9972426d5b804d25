"""The five networks of the paper's Table 1 and those of any name, with or without published weights.

    gr.resnet18()                                         # article 001's: 10 classes, no weights
    gr.resnet50(family="keras", num_classes=4)
    gr.resnet50(pretrained=True)                          # torchvision's, 1,000 classes
    gr.resnet50(pretrained="a1")                          # timm's; gluon-resnet models lists the tags
    gr.get_model("resnet101@keras", pretrained=True)

networks/models.py builds them; the weights are those of published.py.
"""

from typing import Optional, Union

from mxnet.gluon import nn

from ..errors import ModelError
from ..networks import models
from ..networks.specs import DEFAULT_FAMILY, get_spec
from ..text import count
from . import read_network, set_parameters
from .published import IMAGENET, find


def get_model(
    name: str, num_classes: Optional[int] = None, pretrained: Union[bool, str] = False
) -> nn.HybridSequential:
    """The network of a name: ``resnet18``, ``resnet50@keras``, ``resnet34@torchvision:A``, ``cifar_resnet56``, ...

    Args:
        name: gluon_resnet.networks.specs.parse_model says which there are. With ``pretrained``, a name without
            @family is of the family of the weights, otherwise of d2l.
        num_classes: the family's own if None.
        pretrained: True for the model's usual weights, or a tag such as "a1".

    Returns:
        The network, not initialized, or with ``pretrained`` initialized and filled: (N, C, H, W) float32 to
        (N, num_classes) logits.

    Raises:
        ModelError: the table has no such network, or the weights are for another number of classes.
        WeightsError: there are no such weights, or they cannot be fetched.
    """
    if not pretrained:
        return models.get_model(name, num_classes)
    weights = _weights_name(pretrained)
    row = find(weights, name)
    if row is not None and num_classes not in (None, row.spec.num_classes):
        raise ModelError(
            f"num_classes is {num_classes!r}: the weights {weights} of {row.model} have "
            f"{count(row.spec.num_classes, 'class')}; for others build the network and take all but the classifier: "
            f"load_weights(net, {weights!r}, new_head=True)"
        )
    spec, params = read_network(weights, name)
    net = models.build(spec)
    set_parameters(net, params)
    return net


def resnet18(
    family: Optional[str] = None, num_classes: Optional[int] = None, pretrained: Union[bool, str] = False
) -> nn.HybridSequential:
    """ResNet-18 of a family (d2l, torchvision, mxnet, keras, keras2016, v2), with weights as :func:`get_model` says."""
    return _resnet(18, family, num_classes, pretrained)


def resnet34(
    family: Optional[str] = None, num_classes: Optional[int] = None, pretrained: Union[bool, str] = False
) -> nn.HybridSequential:
    """ResNet-34; as :func:`resnet18`."""
    return _resnet(34, family, num_classes, pretrained)


def resnet50(
    family: Optional[str] = None, num_classes: Optional[int] = None, pretrained: Union[bool, str] = False
) -> nn.HybridSequential:
    """ResNet-50, of bottlenecks; as :func:`resnet18`."""
    return _resnet(50, family, num_classes, pretrained)


def resnet101(
    family: Optional[str] = None, num_classes: Optional[int] = None, pretrained: Union[bool, str] = False
) -> nn.HybridSequential:
    """ResNet-101, of bottlenecks; as :func:`resnet18`."""
    return _resnet(101, family, num_classes, pretrained)


def resnet152(
    family: Optional[str] = None, num_classes: Optional[int] = None, pretrained: Union[bool, str] = False
) -> nn.HybridSequential:
    """ResNet-152, of bottlenecks; as :func:`resnet18`."""
    return _resnet(152, family, num_classes, pretrained)


def _resnet(
    depth: int, family: Optional[str], num_classes: Optional[int], pretrained: Union[bool, str]
) -> nn.HybridSequential:
    if not pretrained:
        return models.build(get_spec(depth, DEFAULT_FAMILY if family is None else family, num_classes))
    model = f"resnet{depth}" if family is None else get_spec(depth, family).name
    return get_model(model, num_classes, pretrained)


def _weights_name(pretrained: Union[bool, str]) -> str:
    """``imagenet`` or ``imagenet:TAG``."""
    if pretrained is True or str(pretrained).partition(":")[0] == IMAGENET:
        return IMAGENET if pretrained is True else str(pretrained)
    return f"{IMAGENET}:{pretrained}"
