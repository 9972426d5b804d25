"""The table of networks as plain data: the depths, and what the networks of a family have in common.

    >>> FAMILIES["torchvision"]["bottleneck"]["stride_at"]
    1
    >>> images_of("cifar")
    Images(channels=3, side=32, preparation='imagenet')

A family is one row: the fields of specs.py's ResNetSpec, which says what each means; ``images``, what the family's
networks take (:class:`Images`; ImageNet's if left out); ``depths``, if they are not those of the paper's Table 1; and
``model``, if its networks have names of their own.
Everything else in the suite that depends on the family reads it here: the preparation of images, the defaults of the
command line and their help texts, the drawings.

Sources: He et al., arXiv 1512.03385 (Table 1, section 4.2) and arXiv 1603.05027; the libraries named in the comments.
"""

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Tuple

#: (kind of block, blocks in each stage)
Structure = Tuple[str, Tuple[int, ...]]


@dataclass(frozen=True)
class Images:
    """What the networks of a family were made for: images of (channels, side, side).

    ``preparation`` names how their pixels become numbers, a row of NAMED in data/images.py.
    """

    channels: int = 3
    side: int = 224
    preparation: str = "imagenet"


#: depth -> (block, blocks in each stage): Table 1 of the paper.
DEPTHS: Dict[int, Structure] = {
    18: ("basic", (2, 2, 2, 2)),
    34: ("basic", (3, 4, 6, 3)),
    50: ("bottleneck", (3, 4, 6, 3)),
    101: ("bottleneck", (3, 4, 23, 3)),
    152: ("bottleneck", (3, 8, 36, 3)),
}

#: Depths of the paper's CIFAR-10 networks, 6n + 2 layers (section 4.2); any other n from 1 to 200 is built on request.
CIFAR_DEPTHS = (20, 32, 44, 56, 110)
DEEPEST_CIFAR = 1202  # the paper's deepest network; Gluon takes gigabytes for the objects of ten thousands of layers

#: family -> what its networks have in common; "basic" and "bottleneck": for that block alone. All five depths.
FAMILIES: Dict[str, Dict[str, Any]] = {
    # Article 001 and the d2l book: every convolution with a bias, the projection without a batch norm.
    # The book ends at 18; its bottlenecks here follow the paper, with the stride on the first convolution.
    "d2l": dict(
        num_classes=10,
        images=Images(channels=1, preparation="plain"),  # Fashion-MNIST, enlarged
        stem_bias=True,
        shortcut_bias=True,
        shortcut_bn=False,
        basic=dict(conv_bias=(True, True), stride_at=0),
        bottleneck=dict(conv_bias=(True, True, True), stride_at=0),
    ),
    # torchvision, timm, gluoncv v1b: no bias anywhere, the stride on the 3x3 ("v1.5").
    "torchvision": dict(
        num_classes=1000,
        basic=dict(conv_bias=(False, False), stride_at=0),
        bottleneck=dict(conv_bias=(False, False, False), stride_at=1),
    ),
    # MXNet's model zoo, gluoncv v1: the stride on the first 1x1, biased 1x1 convolutions.
    "mxnet": dict(
        num_classes=1000,
        basic=dict(conv_bias=(False, False), stride_at=0),
        bottleneck=dict(conv_bias=(True, False, True), stride_at=0),
    ),
    # keras.applications: every convolution with a bias, the stride on the first 1x1.
    "keras": dict(
        num_classes=1000,
        images=Images(preparation="caffe"),
        stem_bias=True,
        shortcut_bias=True,
        bn_eps=1.001e-5,
        basic=dict(conv_bias=(True, True), stride_at=0),
        bottleneck=dict(conv_bias=(True, True, True), stride_at=0),
    ),
    # Article 000's listing, as Keras had it in 2016: pooling without padding (112 -> 55), batch norm's eps 1e-3.
    "keras2016": dict(
        num_classes=1000,
        images=Images(preparation="caffe"),
        stem_bias=True,
        shortcut_bias=True,
        bn_eps=1e-3,
        pool_padding=0,
        basic=dict(conv_bias=(True, True), stride_at=0),
        bottleneck=dict(conv_bias=(True, True, True), stride_at=0),
    ),
    # Pre-activation (arXiv 1603.05027) as in resnetN_v2 of MXNet's zoo and gluoncv: the projection is a bare
    # convolution after the first batch norm and ReLU, and the image itself is normalized first.
    "v2": dict(
        num_classes=1000,
        shortcut_bn=False,
        preactivation=True,
        input_bn=True,
        final_bn=True,
        basic=dict(conv_bias=(False, False), stride_at=0),
        bottleneck=dict(conv_bias=(False, False, False), stride_at=1),
    ),
}

#: Article 003; slim.py says what was decided where its two listings disagree.
_SLIM: Dict[str, Any] = dict(
    num_classes=1000,
    images=Images(preparation="plain"),  # no weights of these networks are published
    stem_bias=True,
    stem_bn=False,
    bn_eps=1e-3,
    pool_padding=0,
    shortcut="A",
    downsample="last",
    last_bn=False,
    block_bn_scale=False,
    final_bn=True,
    head="conv",
    shortcut_bias=True,
    shortcut_bn=False,
    bottleneck=dict(conv_bias=(False, False, True), stride_at=1),
)

CIFAR = "cifar"


def _like_torchvision(*depths: int, **fields: Any) -> Dict[str, Any]:
    """A row that differs from torchvision's in ``fields``, of these ``depths`` of Table 1."""
    return dict(FAMILIES["torchvision"], depths={depth: DEPTHS[depth] for depth in depths}, **fields)


#: Families without the five depths, with others, or with names of their own: rows as in FAMILIES; ``depths`` are the
#: family's own, as in DEPTHS; ``model`` is what its networks are called, with {} for the depth.
OTHERS: Dict[str, Dict[str, Any]] = {
    # ResNeXt (arXiv 1611.05431) as in torchvision and timm: the 3x3 convolutions of the first stage are 32 groups of
    # 4 channels each, and so on.
    "resnext_32x4d": _like_torchvision(50, 101, model="resnext{}_32x4d", groups=32, group_width=4),
    "resnext_32x8d": _like_torchvision(101, model="resnext{}_32x8d", groups=32, group_width=8),
    "resnext_64x4d": _like_torchvision(101, model="resnext{}_64x4d", groups=64, group_width=4),
    # Wide networks (arXiv 1605.07146) as in torchvision and timm: twice the channels inside the bottlenecks.
    "wide": _like_torchvision(50, 101, model="wide_resnet{}_2", group_width=128),
    # ResNet-D (arXiv 1812.01187, section 4.2) as in timm's resnet50d and gluoncv's resnet50_v1d: three 3x3
    # convolutions as the stem, and a mean over 2x2 in place of the projection's stride.
    "resnet_d": _like_torchvision(*DEPTHS, model="resnet{}d", stem_kernel=3, stem_widths=(32, 32), shortcut_pool=True),
    "slim": _SLIM,
    "slim_fc": dict(_SLIM, head="dense_dropout"),  # article 003's cnn_to_fc on the pooled features
    # Section 4.2 of the paper: a 3x3 stem of 16 channels, no pooling, three stages of n basic blocks, option A.
    CIFAR: dict(
        model="cifar_resnet{}",
        num_classes=10,
        # the CIFAR-10 checkpoints in wide use were trained on images of 32x32 scaled by ImageNet's numbers
        images=Images(side=32),
        stem_channels=16,
        stem_kernel=3,
        stem_stride=1,
        pool=False,
        shortcut="A",
        basic=dict(conv_bias=(False, False), stride_at=0),
    ),
    # For images of 28x28 in seconds (experiments/speedrun.py): a 5x5 stem of 32 channels that halves, no pooling.
    "narrow": dict(
        depths={8: ("basic", (1, 1, 1))},
        num_classes=10,
        images=Images(channels=1, side=28, preparation="plain"),
        stem_channels=32,
        stem_kernel=5,
        stem_stride=2,
        pool=False,
        basic=dict(conv_bias=(False, False), stride_at=0),
    ),
}

#: narrow with a first stage that halves, too: fewer multiply-adds, on smaller maps
OTHERS["early"] = dict(OTHERS["narrow"], depths={8: ("basic", (1, 1, 1))}, downsample="every")
#: narrow with a stem that keeps all of the 28x28: for more accuracy in minutes to hours (experiments/ladder_4.py)
OTHERS["fine"] = dict(
    OTHERS["narrow"],
    depths={8: ("basic", (1, 1, 1)), 14: ("basic", (2, 2, 2)), 18: ("basic", (2, 2, 2, 2))},
    stem_kernel=3,
    stem_stride=1,
)

ROWS: Dict[str, Dict[str, Any]] = {**FAMILIES, **OTHERS}

#: family -> its own depths, as in DEPTHS
OWN_DEPTHS: Dict[str, Dict[int, Structure]] = {family: row["depths"] for family, row in ROWS.items() if "depths" in row}

#: What a row holds besides the fields of ResNetSpec.
NOT_OF_SPEC = ("images", "depths", "model", "basic", "bottleneck")

#: family -> what its networks are called in place of resnet{}@FAMILY
OWN_NAMES: Dict[str, str] = {family: row["model"] for family, row in ROWS.items() if "model" in row}

DEFAULT_FAMILY = "d2l"


def images_of(family: str) -> Images:
    """What the networks of ``family`` take: channels, side and preparation of their images."""
    return ROWS[family].get("images", Images())


def family_depths(family: str) -> Tuple[int, ...]:
    """The depths of ``family``: those of Table 1, of article 003's dictionary, or of the paper's CIFAR networks."""
    if family == CIFAR:
        return CIFAR_DEPTHS
    if family in OWN_DEPTHS:
        return tuple(OWN_DEPTHS[family])
    return tuple(depth for depth, (block, _) in DEPTHS.items() if block in ROWS[family])


def structure(depth: int, family: str) -> Optional[Structure]:
    """(block, blocks in each stage) of ``depth`` in ``family``; None if there is no such network."""
    if family == CIFAR:
        blocks, rest = divmod(depth - 2, 6)
        return ("basic", (blocks,) * 3) if rest == 0 and blocks >= 1 and depth <= DEEPEST_CIFAR else None
    return OWN_DEPTHS.get(family, DEPTHS)[depth] if depth in family_depths(family) else None


def by_family(value: Callable[[str], Any]) -> str:
    """What ``value(family)`` is for each family, for a help text: "1 for d2l and narrow, 3 otherwise"."""
    families: Dict[str, List[str]] = {}
    for family in ROWS:
        families.setdefault(str(value(family)), []).append(family)
    usual = max(families, key=lambda text: len(families[text]))
    parts = [f"{text} for {_listed(names)}" for text, names in families.items() if text != usual]
    return ", ".join([*parts, f"{usual} otherwise"])


def _listed(names: List[str]) -> str:
    """ "d2l", "d2l and cifar", "d2l, cifar and narrow"."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
