"""The table of networks as plain data: the depths, and what the networks of a family have in common.

    >>> FAMILIES["torchvision"]["bottleneck"]["stride_at"]
    1

The fields are those of specs.py's ResNetSpec, which says what each means. A new family is a new row.
Sources: He et al., arXiv 1512.03385 (Table 1, section 4.2) and arXiv 1603.05027; the libraries named beside the rows.
"""

#: depth -> (block, blocks in each stage): Table 1 of the paper.
DEPTHS = {
    18: ("basic", (2, 2, 2, 2)),
    34: ("basic", (3, 4, 6, 3)),
    50: ("bottleneck", (3, 4, 6, 3)),
    101: ("bottleneck", (3, 4, 23, 3)),
    152: ("bottleneck", (3, 8, 36, 3)),
}

#: Depths of the paper's CIFAR-10 networks, 6n + 2 layers (section 4.2); any other n >= 1 is built on request.
CIFAR_DEPTHS = (20, 32, 44, 56, 110)

#: family -> what its networks have in common; "basic" and "bottleneck": for that block alone. All five depths.
FAMILIES = {
    # Article 001 and the d2l book: every convolution with a bias, the projection without a batch norm.
    # The book ends at 18; its bottlenecks here follow the paper, with the stride on the first convolution.
    "d2l": dict(
        num_classes=10,
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
        stem_bias=True,
        shortcut_bias=True,
        bn_eps=1.001e-5,
        basic=dict(conv_bias=(True, True), stride_at=0),
        bottleneck=dict(conv_bias=(True, True, True), stride_at=0),
    ),
    # Article 000's listing, as Keras had it in 2016: pooling without padding (112 -> 55), batch norm's eps 1e-3.
    "keras2016": dict(
        num_classes=1000,
        stem_bias=True,
        shortcut_bias=True,
        bn_eps=1e-3,
        pool_padding=0,
        basic=dict(conv_bias=(True, True), stride_at=0),
        bottleneck=dict(conv_bias=(True, True, True), stride_at=0),
    ),
    # Pre-activation (arXiv 1603.05027) as MXNet's zoo and gluoncv have it in resnetN_v2: the projection is a bare
    # convolution behind the first batch norm and ReLU, and the picture itself is normalized first.
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

#: Article 003, slim.py says what was decided where its two listings disagree.
_SLIM = dict(
    num_classes=1000,
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

#: family -> its own depths, as in DEPTHS
OWN_DEPTHS = {"narrow": {8: ("basic", (1, 1, 1))}}

#: Families that have depths of their own: rows as in FAMILIES.
OTHERS = {
    "slim": _SLIM,
    "slim_fc": dict(_SLIM, head="dense_dropout"),  # article 003's cnn_to_fc on the pooled features
    # Section 4.2 of the paper: a 3x3 stem of 16 channels, no pooling, three stages of n basic blocks, option A.
    CIFAR: dict(
        num_classes=10,
        stem_channels=16,
        stem_kernel=3,
        stem_stride=1,
        pool=False,
        shortcut="A",
        basic=dict(conv_bias=(False, False), stride_at=0),
    ),
    # For pictures of 28x28 in seconds (experiments/speedrun.py): a 5x5 stem of 32 channels that halves, no pooling.
    "narrow": dict(
        num_classes=10,
        stem_channels=32,
        stem_kernel=5,
        stem_stride=2,
        pool=False,
        basic=dict(conv_bias=(False, False), stride_at=0),
    ),
}

ROWS = {**FAMILIES, **OTHERS}

DEFAULT_FAMILY = "d2l"


def family_depths(family):
    """The depths that ``family`` has: those of Table 1, of article 003's dictionary,
    or of the paper's CIFAR networks."""
    if family == CIFAR:
        return CIFAR_DEPTHS
    if family in OWN_DEPTHS:
        return tuple(OWN_DEPTHS[family])
    return tuple(depth for depth, (block, _) in DEPTHS.items() if block in ROWS[family])


def structure(depth, family):
    """(block, blocks in each stage) of ``depth`` in ``family``; None where there is no such network."""
    if family == CIFAR:
        blocks, rest = divmod(depth - 2, 6)
        return ("basic", (blocks,) * 3) if blocks >= 1 and rest == 0 else None
    return OWN_DEPTHS.get(family, DEPTHS)[depth] if depth in family_depths(family) else None
