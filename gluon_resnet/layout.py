"""What a spec is made of, layer by layer, as plain data: nothing here needs mxnet.

    >>> from gluon_resnet.layout import layout
    >>> layout(get_spec(50, "torchvision")).stages[0][0].shortcut[0]
    Conv(name='4.0.conv4', in_channels=64, out_channels=256, kernel=1, stride=1, padding=0, bias=False)

Names are those of the Gluon network's own parameters (``net.save_parameters``): children 0 to 9 of the network, the blocks
of a stage by number, the layers of a block by attribute. The by-hand network, the weight files of other libraries, the
ONNX export and the reconciler all read this one description; a test holds it against the networks that models.py builds.
"""
from dataclasses import dataclass
from typing import Optional, Tuple

from .specs import ResNetSpec

KERNELS = {"basic": (3, 3), "bottleneck": (1, 3, 1)}


@dataclass(frozen=True)
class Conv:
    """A convolution, (N, in_channels, H, W) to (N, out_channels, ...), weight (out_channels, in_channels, kernel, kernel)."""

    name: str
    in_channels: int
    out_channels: int
    kernel: int
    stride: int
    padding: int
    bias: bool

    @property
    def params(self):
        """{parameter name: shape}."""
        shapes = {f"{self.name}.weight": (self.out_channels, self.in_channels, self.kernel, self.kernel)}
        if self.bias:
            shapes[f"{self.name}.bias"] = (self.out_channels,)
        return shapes

    def out_size(self, height, width):
        """(height, width) of the output."""
        return tuple((size + 2 * self.padding - self.kernel) // self.stride + 1 for size in (height, width))


@dataclass(frozen=True)
class Norm:
    """A batch norm over ``channels``, with scale (gamma), shift (beta) and running statistics."""

    name: str
    channels: int
    eps: float

    @property
    def params(self):
        """{parameter name: shape}, running statistics included."""
        return {f"{self.name}.{part}": (self.channels,) for part in ("gamma", "beta", "running_mean", "running_var")}


@dataclass(frozen=True)
class Dense:
    """The classifier, (N, in_units) to (N, units), weight (units, in_units)."""

    name: str
    in_units: int
    units: int

    @property
    def params(self):
        """{parameter name: shape}."""
        return {f"{self.name}.weight": (self.units, self.in_units), f"{self.name}.bias": (self.units,)}


@dataclass(frozen=True)
class Block:
    """A residual block: the convolutions with the batch norm behind each, and the shortcut's pair or None (identity)."""

    name: str
    body: Tuple[Tuple[Conv, Norm], ...]
    shortcut: Optional[Tuple[Conv, Optional[Norm]]]


@dataclass(frozen=True)
class Layout:
    """A whole network: stem convolution and batch norm, 3x3 stride 2 max pooling, stages of blocks, classifier."""

    spec: ResNetSpec
    stem: Tuple[Conv, Norm]
    pool_padding: int
    stages: Tuple[Tuple[Block, ...], ...]
    classifier: Dense

    def layers(self):
        """Every layer with parameters, in the order they run; a block's shortcut comes behind its body."""
        yield from self.stem
        for stage in self.stages:
            for block in stage:
                for pair in block.body:
                    yield from pair
                yield from (layer for layer in block.shortcut or () if layer is not None)
        yield self.classifier

    def params(self):
        """{parameter name: shape} of the whole network, in the order they run, running statistics included."""
        return {name: shape for layer in self.layers() for name, shape in layer.params.items()}


def _block(spec, name, in_channels, out_channels, stride, projects):
    kernels = KERNELS[spec.block]
    widths = (out_channels,) * 2 if spec.block == "basic" else (out_channels // 4, out_channels // 4, out_channels)
    body, channels = [], in_channels
    for i, (kernel, width) in enumerate(zip(kernels, widths)):
        conv = Conv(f"{name}.conv{i + 1}", channels, width, kernel, stride if i == spec.stride_at else 1, kernel // 2,
                    spec.conv_bias[i])
        body.append((conv, Norm(f"{name}.bn{i + 1}", width, spec.bn_eps)))
        channels = width
    shortcut = None
    if projects:
        last = len(kernels) + 1
        shortcut = (Conv(f"{name}.conv{last}", in_channels, out_channels, 1, stride, 0, spec.shortcut_bias),
                    Norm(f"{name}.bn{last}", out_channels, spec.bn_eps) if spec.shortcut_bn else None)
    return Block(name, tuple(body), shortcut)


def layout(spec, in_channels=3):
    """The :class:`Layout` of ``spec`` for pictures of ``in_channels`` channels."""
    stem = (Conv("0", in_channels, spec.stem_channels, 7, 2, 3, spec.stem_bias), Norm("1", spec.stem_channels, spec.bn_eps))
    stages, channels = [], spec.stem_channels
    for s, (width, size) in enumerate(zip(spec.stage_channels, spec.stage_sizes)):
        blocks = []
        for b in range(size):
            stride = 2 if b == 0 and s > 0 else 1
            blocks.append(_block(spec, f"{4 + s}.{b}", channels, width, stride,
                                 projects=b == 0 and (stride > 1 or spec.block == "bottleneck")))
            channels = width
        stages.append(tuple(blocks))
    return Layout(spec, stem, spec.pool_padding, tuple(stages), Dense(f"{5 + len(stages)}", channels, spec.num_classes))
