"""Every network of the suite as a row of data: four (and one) published ways to write ResNet-18 to ResNet-152.

    >>> parse_model("resnet50@keras").conv_bias
    (True, True, True)

The depths are Table 1 of He et al. (arXiv 1512.03385). "ResNet-50" is not one network: the families differ in where the
stride sits, which convolutions carry a bias, the shortcut, the batch norm's epsilon and the padding of the first pooling.
"""
import difflib
from dataclasses import dataclass, replace
from typing import Tuple

from .errors import ModelError


@dataclass(frozen=True)
class ResNetSpec:
    """One residual network. Tuples by convolution follow the convolutions of a block in the order they run."""

    depth: int
    family: str
    block: str  # "basic": 3x3, 3x3; "bottleneck": 1x1, 3x3, 1x1
    stage_sizes: Tuple[int, ...]  # blocks in each stage
    num_classes: int
    conv_bias: Tuple[bool, ...]  # does the block's i-th convolution carry a bias?
    stride_at: int  # which convolution of a block halves the picture
    stem_bias: bool = False
    shortcut_bias: bool = False
    shortcut_bn: bool = True  # a batch norm behind the projection?
    bn_eps: float = 1e-5
    pool_padding: int = 1  # of the 3x3, stride 2 max pooling behind the stem
    stem_channels: int = 64

    @property
    def name(self):
        """Name on the command line, such as ``resnet50@keras``."""
        return f"resnet{self.depth}@{self.family}"

    @property
    def stage_channels(self):
        """Output channels of each stage: 64, 128, 256, 512, times four with bottlenecks."""
        widen = 4 if self.block == "bottleneck" else 1
        return tuple(self.stem_channels * widen * 2 ** stage for stage in range(len(self.stage_sizes)))


#: depth -> (block, blocks in each stage): Table 1 of the paper.
DEPTHS = {
    18: ("basic", (2, 2, 2, 2)),
    34: ("basic", (3, 4, 6, 3)),
    50: ("bottleneck", (3, 4, 6, 3)),
    101: ("bottleneck", (3, 4, 23, 3)),
    152: ("bottleneck", (3, 8, 36, 3)),
}

#: family -> what its networks have in common; "basic" and "bottleneck" say what holds for that block alone.
FAMILIES = {
    # Article 001 and the d2l book: every convolution with a bias, the projection without a batch norm.
    # The book ends at 18; its bottlenecks here follow the paper, with the stride on the first convolution.
    "d2l": dict(num_classes=10, stem_bias=True, shortcut_bias=True, shortcut_bn=False,
                basic=dict(conv_bias=(True, True), stride_at=0),
                bottleneck=dict(conv_bias=(True, True, True), stride_at=0)),
    # torchvision, timm, gluoncv v1b: no bias anywhere, the stride on the 3x3 ("v1.5").
    "torchvision": dict(num_classes=1000,
                        basic=dict(conv_bias=(False, False), stride_at=0),
                        bottleneck=dict(conv_bias=(False, False, False), stride_at=1)),
    # MXNet's model zoo, gluoncv v1: the stride on the first 1x1, biased 1x1 convolutions.
    "mxnet": dict(num_classes=1000,
                  basic=dict(conv_bias=(False, False), stride_at=0),
                  bottleneck=dict(conv_bias=(True, False, True), stride_at=0)),
    # keras.applications: every convolution with a bias, the stride on the first 1x1.
    "keras": dict(num_classes=1000, stem_bias=True, shortcut_bias=True, bn_eps=1.001e-5,
                  basic=dict(conv_bias=(True, True), stride_at=0),
                  bottleneck=dict(conv_bias=(True, True, True), stride_at=0)),
    # Article 000's listing, as Keras had it in 2016: pooling without padding (112 -> 55), batch norm's eps 1e-3.
    "keras2016": dict(num_classes=1000, stem_bias=True, shortcut_bias=True, bn_eps=1e-3, pool_padding=0,
                      basic=dict(conv_bias=(True, True), stride_at=0),
                      bottleneck=dict(conv_bias=(True, True, True), stride_at=0)),
}

DEFAULT_FAMILY = "d2l"


def model_names():
    """All names that :func:`parse_model` takes, family written out."""
    return [f"resnet{depth}@{family}" for family in FAMILIES for depth in DEPTHS]


def _unknown(kind, found, known):
    near = difflib.get_close_matches(found, known, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}? " if near else ""
    return ModelError(f"unknown {kind} '{found}': {hint}known are {', '.join(known)}")


def get_spec(depth, family=DEFAULT_FAMILY, num_classes=None):
    """The spec of ``depth`` (18, 34, 50, 101, 152) in ``family``; ``num_classes`` is the family's own if None.

    Raises ModelError for a depth or family the table does not have, or a number of classes below 1.
    """
    if family not in FAMILIES:
        raise _unknown("family", str(family), list(FAMILIES))
    if depth not in DEPTHS:
        raise _unknown("model", f"resnet{depth}", [f"resnet{known}" for known in DEPTHS])
    block, stage_sizes = DEPTHS[depth]
    row = dict(FAMILIES[family])
    by_block = {kind: row.pop(kind) for kind in ("basic", "bottleneck")}
    spec = ResNetSpec(depth=depth, family=family, block=block, stage_sizes=stage_sizes, **row, **by_block[block])
    if num_classes is None:
        return spec
    if isinstance(num_classes, bool) or not isinstance(num_classes, int) or num_classes < 1:
        raise ModelError(f"num_classes is {num_classes!r}: expected a whole number of at least 1")
    return replace(spec, num_classes=num_classes)


def parse_model(name, num_classes=None):
    """The spec behind a name such as ``resnet18`` (family d2l) or ``resnet50@keras``; ModelError names the nearest."""
    model, at, family = name.strip().lower().partition("@")
    known = {f"resnet{depth}": depth for depth in DEPTHS}
    if model not in known:
        raise _unknown("model", model, list(known))
    return get_spec(known[model], family if at else DEFAULT_FAMILY, num_classes)
