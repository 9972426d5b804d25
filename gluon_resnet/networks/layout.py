"""What a spec is made of, layer by layer, as plain data: nothing here needs mxnet.

    >>> from gluon_resnet.networks.layout import layout
    >>> layout(get_spec(50, "torchvision")).stages[0][0].shortcut[0]
    Conv(name='4.0.conv4', in_channels=64, out_channels=256, kernel=1, stride=1, padding=0, bias=False)

Names are those of the Gluon network's own parameters (``net.save_parameters``): the children of the network by number
(:func:`children` lists them), the blocks of a stage by number, the layers of a block by attribute. For people there is
:func:`place_name`: "4.0.conv1" is ``stage1.block0.conv1``. models.py builds from the same list of children; the by-hand
network, the weight files of other libraries, the ONNX export and the reconciler all read this one description. A test
compares it with the networks that models.py builds.
"""

from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Mapping, Optional, Set, Tuple, Union

from ..errors import ModelError, ShapeError
from .specs import SHORTCUTS, ResNetSpec

#: kind of block -> the kernels of its convolutions
KERNELS: Dict[str, Tuple[int, ...]] = {"basic": (3, 3), "bottleneck": (1, 3, 1)}

Shape = Tuple[int, ...]


@dataclass(frozen=True)
class Conv:
    """A convolution, (N, in_channels, H, W) to (N, out_channels, ...).

    Its weight is (out_channels, in_channels / groups, kernel, kernel): each group of outputs sees its own group of
    inputs alone.
    """

    name: str
    in_channels: int
    out_channels: int
    kernel: int
    stride: int
    padding: int
    bias: bool
    groups: int = 1

    @property
    def params(self) -> Dict[str, Shape]:
        """{parameter name: shape}."""
        shapes: Dict[str, Shape] = {
            f"{self.name}.weight": (self.out_channels, self.in_channels // self.groups, self.kernel, self.kernel)
        }
        if self.bias:
            shapes[f"{self.name}.bias"] = (self.out_channels,)
        return shapes

    def out_size(self, height: int, width: int) -> Tuple[int, int]:
        """(height, width) of the output."""
        out_height, out_width = ((size + 2 * self.padding - self.kernel) // self.stride + 1 for size in (height, width))
        return out_height, out_width


@dataclass(frozen=True)
class Norm:
    """A batch norm over ``channels``, with scale (gamma), shift (beta) and running statistics.

    Without ``scale`` gamma is fixed at 1, without ``shift`` beta is fixed at 0: both are in the file, never trained.
    """

    name: str
    channels: int
    eps: float
    scale: bool = True
    shift: bool = True

    @property
    def params(self) -> Dict[str, Shape]:
        """{parameter name: shape}, running statistics included."""
        return {f"{self.name}.{part}": (self.channels,) for part in ("gamma", "beta", "running_mean", "running_var")}

    @property
    def fixed(self) -> Tuple[str, ...]:
        """Names of the parameters that are neither trained nor running statistics.

        Such a gamma counts as 1 whatever the file says, such a beta as 0.
        """
        return tuple(
            f"{self.name}.{part}" for part, learned in (("gamma", self.scale), ("beta", self.shift)) if not learned
        )


@dataclass(frozen=True)
class Dense:
    """The classifier, (N, in_units) to (N, units), weight (units, in_units)."""

    name: str
    in_units: int
    units: int

    @property
    def params(self) -> Dict[str, Shape]:
        """{parameter name: shape}."""
        return {f"{self.name}.weight": (self.units, self.in_units), f"{self.name}.bias": (self.units,)}


#: A layer with parameters.
AnyLayer = Union[Conv, Norm, Dense]
#: A convolution and the batch norm that belongs to it, if any.
Pair = Tuple[Conv, Optional[Norm]]


@dataclass(frozen=True)
class Pad:
    """Option A's shortcut: X[:, :, ::stride, ::stride] between ``before`` and ``after`` channels of zeros."""

    stride: int
    before: int
    after: int


@dataclass(frozen=True)
class Block:
    """A residual block: its convolutions, each with its batch norm or None, and its shortcut.

    The shortcut is a projection (``shortcut``: convolution, batch norm or None), option A's (``pad``), or X itself
    if both are None; ``adds`` False is a plain block, which has none of them. A ReLU follows every convolution's
    batch norm but the last's, and the sum. With ``preactivation`` batch norm and ReLU come before their convolution,
    nothing follows the sum, and a projection takes the first ReLU's output; ``pad`` takes X. With ``pooled`` a
    projection takes the means of 2x2 windows at stride 2, of what there is of them at an odd border.
    """

    name: str
    body: Tuple[Pair, ...]
    shortcut: Optional[Pair]
    pad: Optional[Pad] = None
    adds: bool = True
    preactivation: bool = False
    pooled: bool = False

    def layers(self) -> Iterator[AnyLayer]:
        """Every layer with parameters, in the order they run; the shortcut comes after the body."""
        for conv, norm in self.body:
            pair = (norm, conv) if self.preactivation else (conv, norm)
            yield from (layer for layer in pair if layer is not None)
        yield from (layer for layer in self.shortcut or () if layer is not None)


def children(spec: ResNetSpec) -> Tuple[str, ...]:
    """What the children 0, 1, 2, ... of the network of ``spec`` are, in running order: "stem", ..., "classifier"."""
    kinds = ["input_norm"] if spec.input_bn else []
    for stem in stem_kinds(spec):
        kinds += [stem, f"{stem}_norm", f"{stem}_relu"] if spec.stem_bn else [stem]
    kinds += ["max_pool"] if spec.pool else []
    kinds += [f"stage{stage}" for stage in range(1, len(spec.stage_sizes) + 1)]
    kinds += ["final_norm", "final_relu"] if spec.final_bn else []
    kinds += ["average_pool", "classifier"]
    kinds += {"dense": [], "conv": ["flatten"], "dense_dropout": ["head_relu", "dropout"]}[spec.head]
    return tuple(kinds)


def stem_kinds(spec: ResNetSpec) -> Tuple[str, ...]:
    """The stem's convolutions among :func:`children`: "stem", of ResNet-D "stem", "stem2", "stem3"."""
    return ("stem", *(f"stem{number}" for number in range(2, len(spec.stem_widths) + 2)))


def stem_plan(spec: ResNetSpec) -> List[Tuple[int, int]]:
    """(output channels, stride) of each of the stem's convolutions; all have the kernel ``spec.stem_kernel``."""
    widths = (*spec.stem_widths, spec.stem_channels)
    return [(width, spec.stem_stride if number == 0 else 1) for number, width in enumerate(widths)]


def places(spec: ResNetSpec) -> Dict[str, str]:
    """{what it is: the child's name}, such as {"stem": "0", ..., "stage1": "4", "average_pool": "8"}."""
    return {kind: str(place) for place, kind in enumerate(children(spec))}


def place_name(spec: ResNetSpec, name: str) -> str:
    """Where a layer is, in words: "4.0.conv1" is ``stage1.block0.conv1``, "9" is ``classifier``.

    Takes names of children, blocks, layers and parameters of the network of ``spec``.
    """
    child, *rest = name.split(".")
    kind = children(spec)[int(child)]
    if kind.startswith("stage") and rest:
        rest[0] = f"block{rest[0]}"
    return ".".join([kind, *rest])


@dataclass(frozen=True)
class Layout:
    """A whole network: stem convolutions and batch norms, 3x3 stride 2 max pooling, stages of blocks, classifier.

    A ReLU follows each of the stem's batch norms and the final one. Without the stem's norms there is no ReLU either;
    ``pool_padding`` None is no pooling. The classifier is Dense on the pooled features, or a 1x1 Conv on (N, C, 1, 1).
    """

    spec: ResNetSpec
    stem: Tuple[Pair, ...]  # one, or three in ResNet-D
    pool_padding: Optional[int]
    stages: Tuple[Tuple[Block, ...], ...]
    classifier: Union[Dense, Conv]
    input_norm: Optional[Norm] = None
    final_norm: Optional[Norm] = None

    @property
    def places(self) -> Dict[str, str]:
        """The children's names by what they are: see :func:`places`."""
        return places(self.spec)

    def layers(self) -> Iterator[AnyLayer]:
        """Every layer with parameters, in the order they run; a block's shortcut comes after its body."""
        if self.input_norm is not None:
            yield self.input_norm
        for pair in self.stem:
            yield from (layer for layer in pair if layer is not None)
        for stage in self.stages:
            for block in stage:
                yield from block.layers()
        yield from (layer for layer in (self.final_norm, self.classifier) if layer is not None)

    def params(self) -> Dict[str, Shape]:
        """{parameter name: shape} of the whole network, in the order they run, running statistics included."""
        return {name: shape for layer in self.layers() for name, shape in layer.params.items()}

    def fixed(self) -> Set[str]:
        """Names of the parameters that are in the file but never learned: gammas fixed at 1, betas fixed at 0."""
        return {name for layer in self.layers() if isinstance(layer, Norm) for name in layer.fixed}


def block_plan(spec: ResNetSpec) -> List[List[Tuple[int, int, int]]]:
    """For every stage a list of its blocks' (input channels, output channels, stride)."""
    plan, channels, last = [], spec.stem_channels, len(spec.stage_sizes) - 1
    for s, (width, size) in enumerate(zip(spec.stage_channels, spec.stage_sizes)):
        # the block that halves height and width: none in the first stage, or none in the last, or one in each
        halving = {"first": 0 if s > 0 else None, "last": size - 1 if s < last else None, "every": 0}[spec.downsample]
        strides = [2 if b == halving else 1 for b in range(size)]
        plan.append([(channels if b == 0 else width, width, stride) for b, stride in enumerate(strides)])
        channels = width
    return plan


def plan_shortcut(
    shortcut: Optional[str], in_channels: int, out_channels: int, stride: int
) -> Tuple[str, Optional[Pad]]:
    """What a block's shortcut is under one of the paper's options.

    Args:
        shortcut: "A", "B", "C" or "none".
        in_channels: channels of the block's input.
        out_channels: channels of its output.
        stride: 2 if the block halves height and width, otherwise 1.

    Returns:
        ("project", "pad", "identity" or "none", the :class:`Pad` of option A or None).

    Raises:
        ModelError: there is no such option.
        ShapeError: option A with fewer channels in the output than in the input.
    """
    changes = stride > 1 or in_channels != out_channels
    if shortcut == "C" or (shortcut == "B" and changes):
        return "project", None
    if shortcut == "A" and changes:
        if out_channels < in_channels:
            raise ShapeError(
                f"shortcut A: zeros cannot take {in_channels} channels to {out_channels}: expected no fewer"
            )
        before = (out_channels - in_channels) // 2
        return "pad", Pad(stride, before, out_channels - in_channels - before)
    if shortcut not in SHORTCUTS:
        raise ModelError(f"shortcut is {shortcut!r}: expected one of {', '.join(SHORTCUTS)}")
    return ("none" if shortcut == "none" else "identity"), None


def _shortcut(
    spec: ResNetSpec, name: str, number: int, in_channels: int, out_channels: int, stride: int
) -> Dict[str, Any]:
    """The shortcut of a block of ``number`` - 1 convolutions, as Block's keywords."""
    kind, pad = plan_shortcut(spec.shortcut, in_channels, out_channels, stride)
    projection = None
    pooled = kind == "project" and spec.shortcut_pool and stride > 1
    if kind == "project":
        stride = 1 if pooled else stride
        projection = (
            Conv(f"{name}.conv{number}", in_channels, out_channels, 1, stride, 0, spec.shortcut_bias),
            Norm(f"{name}.bn{number}", out_channels, spec.bn_eps) if spec.shortcut_bn else None,
        )
    return dict(shortcut=projection, pad=pad, adds=kind != "none", pooled=pooled)


def _widths(spec: ResNetSpec, out_channels: int) -> Tuple[int, ...]:
    """Output channels of each convolution of a block."""
    if spec.block == "basic":
        return (out_channels,) * 2
    return (*(spec.bottleneck_width(out_channels),) * 2, out_channels)


def _block(spec: ResNetSpec, name: str, in_channels: int, out_channels: int, stride: int) -> Block:
    kernels = KERNELS[spec.block]
    body: List[Pair] = []
    channels = in_channels
    for i, (kernel, width) in enumerate(zip(kernels, _widths(spec, out_channels))):
        conv = Conv(
            f"{name}.conv{i + 1}",
            channels,
            width,
            kernel,
            stride if i == spec.stride_at else 1,
            kernel // 2,
            spec.conv_bias[i],
            spec.groups if spec.block == "bottleneck" and kernel > 1 else 1,
        )
        norm = Norm(f"{name}.bn{i + 1}", channels if spec.preactivation else width, spec.bn_eps, spec.block_bn_scale)
        body.append((conv, norm if spec.last_bn or i < len(kernels) - 1 else None))
        channels = width
    return Block(
        name,
        tuple(body),
        preactivation=spec.preactivation,
        **_shortcut(spec, name, len(kernels) + 1, in_channels, out_channels, stride),
    )


def _stem(spec: ResNetSpec, channels: int) -> Tuple[Pair, ...]:
    """The stem for images of ``channels`` channels."""
    at, pairs, kernel = places(spec), [], spec.stem_kernel
    for kind, (width, stride) in zip(stem_kinds(spec), stem_plan(spec)):
        conv = Conv(at[kind], channels, width, kernel, stride, kernel // 2, spec.stem_bias)
        pairs.append((conv, Norm(at[f"{kind}_norm"], width, spec.bn_eps) if spec.stem_bn else None))
        channels = width
    return tuple(pairs)


def layout(spec: ResNetSpec, in_channels: int = 3) -> Layout:
    """The :class:`Layout` of ``spec`` for images of ``in_channels`` channels."""
    at, channels = places(spec), spec.stage_channels[-1]
    stages = tuple(
        tuple(_block(spec, f"{at[f'stage{s}']}.{b}", *shape) for b, shape in enumerate(blocks))
        for s, blocks in enumerate(block_plan(spec), 1)
    )
    classifier: Union[Dense, Conv]
    if spec.head == "conv":
        classifier = Conv(at["classifier"], channels, spec.num_classes, 1, 1, 0, True)
    else:
        classifier = Dense(at["classifier"], channels, spec.num_classes)
    return Layout(
        spec,
        _stem(spec, in_channels),
        spec.pool_padding if spec.pool else None,
        stages,
        classifier,
        Norm(at["input_norm"], in_channels, spec.bn_eps, scale=False, shift=False) if spec.input_bn else None,
        Norm(at["final_norm"], channels, spec.bn_eps) if spec.final_bn else None,
    )


def input_channels(spec: ResNetSpec, params: Mapping[str, Any]) -> int:
    """Channels of the images that parameters {name: array} of ``spec`` are for, by the shape of the stem's weight."""
    return params[f"{places(spec)['stem']}.weight"].shape[1]
