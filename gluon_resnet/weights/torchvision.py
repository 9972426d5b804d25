"""A network's parameters for the class of torchvision, or of timm, of the same name, if some compute the same.

    spec, params = as_torchvision(parse_model("resnet18@d2l"), params)      # spec.name is "resnet18@torchvision"

torchvision's convolutions have no bias, and its projections have a batch norm; so it is in timm. In prediction a batch
norm can take up the bias of the convolution before it, and one that changes nothing can be added. Where strides,
paddings or epsilons differ, no parameters compute the same.
"""

from dataclasses import fields, replace
from typing import Dict, Iterator, Mapping, Tuple

import numpy

from ..errors import ExportError, ModelError
from ..networks.layout import Layout, Pair, input_channels, layout
from ..networks.specs import ResNetSpec, get_spec

#: families whose networks have a class: torchvision's, or timm's where torchvision has none
LIBRARIES = {
    "torchvision": "torchvision",
    "resnext_32x4d": "torchvision",
    "resnext_32x8d": "torchvision",
    "resnext_64x4d": "torchvision",
    "wide": "torchvision",
    "resnet_d": "timm",
}

#: fields of a spec that may differ from torchvision's: the family's name, biases, and the projection's batch norm
FREE = ("family", "conv_bias", "stem_bias", "shortcut_bias", "shortcut_bn")


def class_name(twin: ResNetSpec) -> str:
    """``torchvision's resnet50``: the class of a network of LIBRARIES."""
    # torchvision has no resnext101_32x4d, timm has
    library = "timm" if (twin.family, twin.depth) == ("resnext_32x4d", 101) else LIBRARIES[twin.family]
    return f"{library}'s {twin.name.partition('@')[0]}"


def torchvision_spec(spec: ResNetSpec) -> ResNetSpec:
    """The spec of torchvision's network that ``spec`` can be written as; ExportError if there is none.

    It is of one of the families of LIBRARIES, the network's own if that is among them.
    """
    others = "write .onnx, or .safetensors with this network's own parameters"
    family = spec.family if spec.family in LIBRARIES else "torchvision"
    try:
        twin = get_spec(spec.depth, family, spec.num_classes)
    except ModelError:
        raise ExportError(f"{spec.name}: torchvision has no ResNet-{spec.depth}: {others}") from None
    free = {name: getattr(twin, name) for name in FREE}
    same = replace(spec, **free)
    if same != twin:
        names = [field.name for field in fields(twin) if getattr(same, field.name) != getattr(twin, field.name)]
        raise ExportError(
            f"{spec.name}: {class_name(twin)} computes something else (it differs in {', '.join(names)}): {others}"
        )
    return twin


def _pairs(plan: Layout) -> Iterator[Pair]:
    """(convolution, the batch norm after it) of the whole network."""
    yield from plan.stem
    for block in (block for stage in plan.stages for block in stage):
        yield from block.body
        yield from [block.shortcut] if block.shortcut else []


def as_torchvision(
    spec: ResNetSpec, params: Mapping[str, numpy.ndarray]
) -> Tuple[ResNetSpec, Dict[str, numpy.ndarray]]:
    """(torchvision's spec, its {parameter name: float32 array}) that predicts what ``spec`` with ``params`` does.

    Raises ExportError as :func:`torchvision_spec` does. A network of torchvision's own kind is returned as it is.
    """
    twin, values = torchvision_spec(spec), dict(params)
    for conv, norm in _pairs(layout(twin, input_channels(spec, params))):
        assert norm is not None  # each of torchvision's convolutions has one
        gamma, beta, mean, variance = norm.params
        if gamma not in values:  # (x - 0) / sqrt(1 + eps) * sqrt(1 + eps) + 0
            values[gamma] = numpy.full(norm.channels, numpy.sqrt(1 + norm.eps), "float32")
            values[beta], values[mean] = (numpy.zeros(norm.channels, "float32") for _ in range(2))
            values[variance] = numpy.ones(norm.channels, "float32")
        bias = values.pop(f"{conv.name}.bias", None)
        if bias is not None:  # (x + bias) - mean is x - (mean - bias)
            values[mean] = values[mean] - bias
    return twin, values
