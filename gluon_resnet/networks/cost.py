"""Every layer of a network with its parameters and multiply-adds, counted on its layout; nothing here needs mxnet.

    >>> counted = network(parse_model("resnet50@torchvision"))            # for one image of 3x224x224
    >>> counted.total("parameters"), counted.total("multiply_adds")
    (25557032, 4089184256)
    >>> counted.layers[1, 0, 0].text                                      # stage 1, block 0, first convolution
    'conv 1x1 64 to 64'

Parameters are the trainable ones. A multiply-add is one multiplication and the addition that takes its product in,
counted for convolutions and the classifier, padding included, biases and batch norm left out: the way Table 1 of He et
al. (arXiv 1512.03385) counts its "FLOPs".
"""

from dataclasses import dataclass, replace
from typing import Dict, Mapping, Optional, Tuple

from ..errors import ShapeError
from .layout import Block, Conv, Layout, Norm, layout
from .specs import ResNetSpec

#: passes of a training step: forward, backward to the data, backward to the weights; as many multiply-adds in each
TRAINING_PASSES = 3

HEAD = 99  # as a stage: what follows the last stage; as a place inside a block: the shortcut, then its batch norm
POOL = 98  # as a place in the stem: the max pooling; as one inside a block: the pooling before the projection
EXTRA = -1  # as a place in the stem and the head: the batch norm of the image, and the one after the last stage

Size = Tuple[int, int]  # (height, width)
Key = Tuple[int, int, int]  # (stage, block, place)


@dataclass(frozen=True)
class Layer:
    """One layer: its name, what it is in words, ``traits``, trainable parameters and multiply-adds.

    ``traits`` are the properties in which it can differ from another network's layer, as {property: text}.
    """

    name: str
    text: str
    traits: Dict[str, str]
    parameters: int
    multiply_adds: int = 0


@dataclass(frozen=True)
class Network:
    """The layers of a spec as {(stage, block, place): Layer}, in the order they run.

    Stage 0 is the stem, HEAD the head. In a block, places 0, 2, 4 are the convolutions, 1, 3, 5 their batch norms; so
    they are in the stem.
    """

    spec: ResNetSpec
    layers: Dict[Key, Layer]

    def total(self, number: str, stage: Optional[int] = None) -> int:
        """Sum of "parameters" or "multiply_adds" over all layers, or over those of one stage."""
        return sum(getattr(layer, number) for key, layer in self.layers.items() if stage in (None, key[0]))


def network(spec: ResNetSpec, in_channels: int = 3, size: Size = (224, 224)) -> Network:
    """Count the network of ``spec`` for one image.

    Args:
        spec: a row of the table, such as ``parse_model("resnet50@keras")``.
        in_channels: channels of the image.
        size: (height, width) of the image in pixels.

    Raises:
        ShapeError: the image is too small for the network.
    """
    plan = layout(spec, in_channels)
    layers: Dict[Key, Layer] = {}
    out = _add_stem(layers, plan, size)
    for s, stage in enumerate(plan.stages, 1):
        for b, block in enumerate(stage):
            out = _add_block(layers, (s, b), block, out)
    _add_head(layers, plan)
    return Network(spec, layers)


def operations(multiply_adds: int, passes: int = 1) -> int:
    """Multiplications and additions of so many passes, of which each has ``multiply_adds``."""
    return 2 * multiply_adds * passes


def training_operations(spec: ResNetSpec, in_channels: int, examples: Mapping[Size, int]) -> int:
    """Multiplications and additions of a training, as those of direct convolutions.

    The pass to the data of the first layer, which nobody needs, is counted, too, and stages that are not trained count
    as if they were; batch norm, the update and the tests are left out.

    Args:
        spec: the network.
        in_channels: channels of an image.
        examples: {(height, width) of the images: how many of them were trained on, each as often as it was seen}.

    Raises:
        ShapeError: an image is too small for the network.
    """
    return sum(
        operations(network(spec, in_channels, size).total("multiply_adds"), TRAINING_PASSES) * number
        for size, number in examples.items()
    )


def output_sizes(plan: Layout, size: Size) -> Dict[str, Size]:
    """{"conv1": (height, width), "conv2_x": ...} of a :class:`Layout` for images of ``size`` (height, width)."""
    out = size
    for conv, _ in plan.stem:
        out = conv.out_size(*out)
    sizes = {"conv1": out}
    pool = _pool(plan)
    if pool is not None:
        out = pool.out_size(*out)
    for number, stage in enumerate(plan.stages, 2):
        for block in stage:
            for conv, _ in block.body:
                out = conv.out_size(*out)
        sizes[f"conv{number}_x"] = out
    return sizes


def pooled_size(size: Size) -> Size:
    """Height and width after the mean over 2x2 before ResNet-D's projections, which takes in what a border leaves."""
    return -(-size[0] // 2), -(-size[1] // 2)


# Parts of a network: each adds its layers and returns the size of its output ------------------------------------------


def _add_stem(layers: Dict[Key, Layer], plan: Layout, size: Size) -> Size:
    if plan.input_norm is not None:
        layers[0, 0, EXTRA] = _norm(plan.input_norm, role="input norm")
    for i, (conv, norm) in enumerate(plan.stem):
        layers[0, 0, 2 * i], size = _conv(conv, size)
        if norm is not None:
            layers[0, 0, 2 * i + 1] = _norm(norm, **{"batch norm": "after"})
    pool = _pool(plan)
    if pool is not None:
        _, size = _conv(pool, size)
        layers[0, 0, POOL] = Layer(pool.name, "max pool 3x3", {"padding": str(pool.padding)}, 0)
    return size


def _add_block(layers: Dict[Key, Layer], where: Tuple[int, int], block: Block, size: Size) -> Size:
    out = size
    for i, (conv, norm) in enumerate(block.body):
        layers[(*where, 2 * i)], out = _conv(conv, out)
        if norm is not None:
            side = "before" if block.preactivation else "after"
            layers[(*where, 2 * i + 1)] = _norm(norm, **{"batch norm": side})
    _add_shortcut(layers, where, block, size)
    return out


def _add_shortcut(layers: Dict[Key, Layer], where: Tuple[int, int], block: Block, size: Size) -> None:
    """Nothing is added for an identity; option A and a plain block become a layer without parameters."""
    place, name = (*where, HEAD), f"{block.name}.shortcut"
    if block.shortcut is not None:
        conv, norm = block.shortcut
        if block.pooled:
            layers[(*where, POOL)] = Layer(f"{name}.pool", "mean 2x2", {"shortcut pooling": "mean 2x2"}, 0)
            size = pooled_size(size)
        layer, _ = _conv(conv, size, f"{name}.conv")
        layers[place] = replace(layer, traits={"shortcut": "projection", **layer.traits})
        if norm is not None:
            layers[(*where, HEAD + 1)] = _norm(norm, f"{name}.bn")
    elif block.pad is not None:
        kind = "zero padding" if block.pad.before or block.pad.after else "subsampling"
        layers[place] = Layer(name, kind, {"shortcut": kind, "stride": str(block.pad.stride)}, 0)
    elif not block.adds:
        layers[place] = Layer(name, "no shortcut", {"shortcut": "none"}, 0)


def _add_head(layers: Dict[Key, Layer], plan: Layout) -> None:
    if plan.final_norm is not None:
        layers[HEAD, 0, EXTRA] = _norm(plan.final_norm, role="final norm")
    spec = plan.spec
    kind = {"dense": "dense", "conv": "conv 1x1", "dense_dropout": "dense, ReLU, dropout"}[spec.head]
    channels = spec.stage_channels[-1]
    weights = channels * spec.num_classes
    layers[HEAD, 0, 0] = Layer(
        plan.classifier.name,
        f"{kind} {channels} to {spec.num_classes}",
        {"head": kind, "in channels": str(channels), "classes": str(spec.num_classes)},
        weights + spec.num_classes,
        weights,
    )


# Single layers --------------------------------------------------------------------------------------------------------


def _pool(plan: Layout) -> Optional[Conv]:
    """The stem's 3x3 max pooling as the convolution that gives outputs of the same size; None if there is none."""
    if plan.pool_padding is None:
        return None
    channels = plan.spec.stem_channels
    return Conv(plan.places["max_pool"], channels, channels, 3, 2, plan.pool_padding, False)


def _conv(conv: Conv, size: Size, name: Optional[str] = None) -> Tuple[Layer, Size]:
    """(the layer of a convolution over an image of ``size``, the size of its output)."""
    out = conv.out_size(*size)
    if min(out) < 1:
        raise ShapeError(
            f"layer {conv.name} cannot take an input of {size[0]}x{size[1]}: give a larger height and width"
        )
    weights = conv.out_channels * conv.in_channels // conv.groups * conv.kernel**2
    traits = {
        "kernel": f"{conv.kernel}x{conv.kernel}",
        "in channels": str(conv.in_channels),
        "channels": str(conv.out_channels),
        "groups": str(conv.groups),
        "stride": str(conv.stride),
        "padding": str(conv.padding),
        "bias": "yes" if conv.bias else "no",
        "input size": f"{size[0]}x{size[1]}",
    }
    text = f"conv {conv.kernel}x{conv.kernel} {conv.in_channels} to {conv.out_channels}"
    text += f", {conv.groups} groups" if conv.groups > 1 else ""
    parameters = weights + conv.bias * conv.out_channels
    return Layer(name or conv.name, text, traits, parameters, weights * out[0] * out[1]), out


def _norm(norm: Norm, name: Optional[str] = None, **traits: str) -> Layer:
    traits = {**traits, "channels": str(norm.channels), "eps": str(norm.eps), "scale": "learned" if norm.scale else "1"}
    return Layer(name or norm.name, f"batch norm {norm.channels}", traits, (norm.scale + norm.shift) * norm.channels)
