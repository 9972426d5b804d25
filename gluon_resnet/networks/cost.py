"""Every layer of a network with its parameters and multiply-adds."""

from dataclasses import dataclass, replace

from ..errors import ShapeError
from .layout import Conv, layout
from .specs import ResNetSpec

HEAD = 99  # behind every stage; as a place inside a block: the shortcut, its batch norm next


EXTRA = -1  # as a place in the stem and the head: the batch norm in front of the picture, and behind the last stage


@dataclass(frozen=True)
class Layer:
    """One layer: name, what it is, what can differ in it as {property: text}, trainable parameters, multiply-adds."""

    name: str
    text: str
    traits: dict
    parameters: int
    multiply_adds: int = 0


@dataclass(frozen=True)
class Network:
    """A spec's layers as {(stage, block, place): Layer} in the order they run; stage 0 is the stem, HEAD the head."""

    spec: ResNetSpec
    layers: dict

    def total(self, number, stage=None):
        """Sum of "parameters" or "multiply_adds" over all layers, or over those of one stage."""
        return sum(getattr(layer, number) for key, layer in self.layers.items() if stage in (None, key[0]))


def _conv(conv, size, name=None):
    """The layer of a convolution over a picture of ``size`` (height, width), and the size of its output."""
    out = conv.out_size(*size)
    if min(out) < 1:
        raise ShapeError(
            f"layer {conv.name} cannot take an input of {size[0]}x{size[1]}: give a larger height and width"
        )
    weights = conv.out_channels * conv.in_channels * conv.kernel**2
    traits = {
        "kernel": f"{conv.kernel}x{conv.kernel}",
        "in channels": str(conv.in_channels),
        "channels": str(conv.out_channels),
        "stride": str(conv.stride),
        "padding": str(conv.padding),
        "bias": "yes" if conv.bias else "no",
        "input size": f"{size[0]}x{size[1]}",
    }
    text = f"conv {conv.kernel}x{conv.kernel} {conv.in_channels} to {conv.out_channels}"
    parameters = weights + conv.bias * conv.out_channels
    return Layer(name or conv.name, text, traits, parameters, weights * out[0] * out[1]), out


def _norm(norm, name=None, **traits):
    traits = {**traits, "channels": str(norm.channels), "eps": str(norm.eps), "scale": "learned" if norm.scale else "1"}
    return Layer(name or norm.name, f"batch norm {norm.channels}", traits, (norm.scale + norm.shift) * norm.channels)


def _shortcut(layers, where, block, size):
    """Add what stands beside the body: nothing for an identity, without parameters for option A and plain blocks."""
    place, name = (*where, HEAD), f"{block.name}.shortcut"
    if block.shortcut is not None:
        conv, norm = block.shortcut
        layer, _ = _conv(conv, size, f"{name}.conv")
        layers[place] = replace(layer, traits={"shortcut": "projection", **layer.traits})
        if norm is not None:
            layers[(*where, HEAD + 1)] = _norm(norm, f"{name}.bn")
    elif block.pad is not None:
        kind = "zero padding" if block.pad.before or block.pad.after else "subsampling"
        layers[place] = Layer(name, kind, {"shortcut": kind, "stride": str(block.pad.stride)}, 0)
    elif not block.adds:
        layers[place] = Layer(name, "no shortcut", {"shortcut": "none"}, 0)


def _block(layers, where, block, size):
    """Add the layers of ``block`` to ``layers``; the size of its output."""
    out = size
    for i, (conv, norm) in enumerate(block.body):
        layers[(*where, 2 * i)], out = _conv(conv, out)
        if norm is not None:
            side = "in front" if block.preactivation else "behind"
            layers[(*where, 2 * i + 1)] = _norm(norm, **{"batch norm": side})
    _shortcut(layers, where, block, size)
    return out


def _stem(layers, described, size):
    """Add the stem's layers; the size of its output."""
    conv, norm = described.stem
    if described.input_norm is not None:
        layers[(0, 0, EXTRA)] = _norm(described.input_norm, role="input norm")
    layers[(0, 0, 0)], size = _conv(conv, size)
    if norm is not None:
        layers[(0, 0, 1)] = _norm(norm, **{"batch norm": "behind"})
    padding = described.pool_padding
    if padding is None:
        return size
    name, channels = described.places["max_pool"], conv.out_channels
    _, size = _conv(Conv(name, channels, channels, 3, 2, padding, False), size)
    layers[(0, 0, 2)] = Layer(name, "max pool 3x3", {"padding": str(padding)}, 0)
    return size


def _head(layers, described):
    """Add what stands behind the last stage."""
    if described.final_norm is not None:
        layers[(HEAD, 0, EXTRA)] = _norm(described.final_norm, role="final norm")
    head, spec = described.classifier, described.spec
    kind = {"dense": "dense", "conv": "conv 1x1", "dense_dropout": "dense, ReLU, dropout"}[spec.head]
    channels = spec.stage_channels[-1]
    weights = channels * spec.num_classes
    layers[(HEAD, 0, 0)] = Layer(
        head.name,
        f"{kind} {channels} to {spec.num_classes}",
        {"head": kind, "in channels": str(channels), "classes": str(spec.num_classes)},
        weights + spec.num_classes,
        weights,
    )


def network(spec, in_channels=3, size=(224, 224)):
    """The :class:`Network` of ``spec`` for pictures of ``size`` (height, width); ShapeError if they are too small."""
    described, layers = layout(spec, in_channels), {}
    out = _stem(layers, described, size)
    for s, stage in enumerate(described.stages, 1):
        for b, block in enumerate(stage):
            out = _block(layers, (s, b), block, out)
    _head(layers, described)
    return Network(spec, layers)


def output_sizes(plan, size):
    """{"conv1": (height, width), "conv2_x": ...} of a :class:`Layout` for pictures of ``size`` (height, width)."""
    out = plan.stem[0].out_size(*size)
    sizes = {"conv1": out}
    if plan.pool_padding is not None:
        out = tuple((side + 2 * plan.pool_padding - 3) // 2 + 1 for side in out)
    for number, stage in enumerate(plan.stages, 2):
        for block in stage:
            for conv, _ in block.body:
                out = conv.out_size(*out)
        sizes[f"conv{number}_x"] = out
    return sizes
