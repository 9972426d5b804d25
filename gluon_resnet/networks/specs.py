"""Every network of the suite as a row of data: the published ways to write ResNet-18 to ResNet-152,
and CIFAR's networks.

    >>> parse_model("resnet50@keras").conv_bias
    (True, True, True)
    >>> parse_model("cifar_resnet56").shortcut
    'A'

"ResNet-50" is not one network: the families differ in where the stride sits, which convolutions carry a bias, the
shortcut, the batch norm's epsilon, the padding of the first pooling and more. Their rows are in families.py; article
003's dictionary becomes a spec in slim.py.
"""

import re
from dataclasses import dataclass, replace
from typing import Tuple

from ..errors import ModelError, did_you_mean
from .families import CIFAR, CIFAR_DEPTHS, DEFAULT_FAMILY, DEPTHS, OWN_DEPTHS, ROWS, family_depths, structure

SHORTCUTS = ("A", "B", "C", "none")


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
    # "A": subsampling and zero padding, no parameters; "B": a projection where the shape changes; "C": one in every
    # block; "none": a plain network, nothing is added
    shortcut: str = "B"
    preactivation: bool = False  # batch norm and ReLU in front of each convolution, none behind the sum
    downsample: str = "first"  # "last": the last block of each stage but the last stage's halves the picture
    stem_kernel: int = 7
    stem_stride: int = 2
    stem_bn: bool = True  # False: a bare convolution, no ReLU either
    pool: bool = True
    last_bn: bool = True  # a batch norm behind a block's last convolution?
    block_bn_scale: bool = True  # do the norms inside blocks have a gamma?
    input_bn: bool = False  # a batch norm without gamma and beta in front of everything
    final_bn: bool = False  # batch norm and ReLU behind the last stage
    head: str = "dense"  # "conv": 1x1 on the pooled features; "dense_dropout": article 003's cnn_to_fc
    widths: Tuple[int, ...] = ()  # output channels of each stage where they are not the paper's

    @property
    def name(self):
        """The shortest name that :func:`parse_model` takes back, such as ``resnet50@keras`` or ``cifar_resnet20:B``.

        Networks of a user's own dictionary are in no table; their name lists the stages and cannot be parsed.
        """
        if self.widths:
            return f"{self.family} " + " ".join(f"{width}x{size}" for width, size in zip(self.widths, self.stage_sizes))
        kind = "plain" if self.shortcut == "none" else "resnet"
        model = f"cifar_{kind}{self.depth}" if self.family == CIFAR else f"{kind}{self.depth}@{self.family}"
        usual = self.shortcut in ("none", ROWS[self.family].get("shortcut", "B"))
        return model if usual else f"{model}:{self.shortcut}"

    @property
    def stage_channels(self):
        """Output channels of each stage: 64, 128, 256, 512, times four with bottlenecks; CIFAR's begin at 16."""
        if self.widths:
            return self.widths
        widen = 4 if self.block == "bottleneck" else 1
        return tuple(self.stem_channels * widen * 2**stage for stage in range(len(self.stage_sizes)))


def _models():
    """{model's name without family: (depth, family or None for any, whether it is plain)} of the table."""
    known = {f"{kind}{depth}": (depth, None, kind == "plain") for kind in ("resnet", "plain") for depth in DEPTHS}
    known.update(
        {
            f"{kind}{depth}": (depth, family, kind == "plain")
            for kind in ("resnet", "plain")
            for family, depths in OWN_DEPTHS.items()
            for depth in depths
        }
    )
    known.update(
        {
            f"cifar_{kind}{depth}": (depth, CIFAR, kind == "plain")
            for kind in ("resnet", "plain")
            for depth in CIFAR_DEPTHS
        }
    )
    return known


def model_names():
    """The names of all networks with their families' own shortcuts;
    ``:A``, ``:B``, ``:C`` or ``:none`` may follow each.

    Plain networks exist in every family (``plain34@torchvision``); those of the default family stand for them here.
    """
    names = [f"resnet{depth}@{family}" for family in ROWS if family != CIFAR for depth in family_depths(family)]
    names += [f"plain{depth}@{DEFAULT_FAMILY}" for depth in DEPTHS]
    return names + [name for name, (_, family, _) in _models().items() if family == CIFAR]


def _unknown(kind, found, known):
    hint = f"did you mean cifar_{found}? " if f"cifar_{found}" in known else did_you_mean(found, known)
    return ModelError(f"unknown {kind} '{found}': {hint}known are {', '.join(known)}")


def _unknown_depth(depth, family):
    if family == CIFAR:
        nearest = 6 * max(1, round((depth - 2) / 6)) + 2 if isinstance(depth, int) else 20
        return ModelError(
            f"unknown model 'cifar_resnet{depth}': did you mean cifar_resnet{nearest}? CIFAR's networks "
            f"have 6n + 2 layers: {', '.join(map(str, CIFAR_DEPTHS))}, ..."
        )
    known = [f"resnet{own}" for own in family_depths(family)]
    if depth in DEPTHS:
        return ModelError(f"unknown model 'resnet{depth}@{family}': the family {family} has {', '.join(known)}")
    return _unknown("model", f"resnet{depth}", known)


def _checked_shortcut(shortcut):
    found = {option.lower(): option for option in SHORTCUTS}.get(str(shortcut).lower())
    if found is None:
        raise _unknown("shortcut", str(shortcut), list(SHORTCUTS))
    return found


def check_classes(num_classes):
    """``num_classes`` if it is a whole number of at least 1; ModelError otherwise."""
    if isinstance(num_classes, bool) or not isinstance(num_classes, int) or num_classes < 1:
        raise ModelError(f"num_classes is {num_classes!r}: expected a whole number of at least 1")
    return num_classes


def get_spec(depth, family=DEFAULT_FAMILY, num_classes=None, shortcut=None):
    """The spec of ``depth`` in ``family``: 18, 34, 50, 101, 152; slim and slim_fc: from 50 on; cifar: any 6n + 2.

    ``num_classes`` and ``shortcut`` (A, B, C or none) are the family's own if None. Raises ModelError for a depth or
    family the table does not have, an unknown shortcut, or a number of classes below 1.
    """
    if family not in ROWS:
        raise _unknown("family", str(family), list(ROWS))
    found = structure(depth, family) if isinstance(depth, int) else None
    if found is None:
        raise _unknown_depth(depth, family)
    block, stage_sizes = found
    row = dict(ROWS[family])
    by_block = {kind: row.pop(kind, None) for kind in ("basic", "bottleneck")}
    spec = ResNetSpec(depth=depth, family=family, block=block, stage_sizes=stage_sizes, **row, **by_block[block])
    if shortcut is not None:
        spec = replace(spec, shortcut=_checked_shortcut(shortcut))
    return spec if num_classes is None else replace(spec, num_classes=check_classes(num_classes))


def parse_model(name, num_classes=None):
    """The spec behind a name: MODEL[@FAMILY][:SHORTCUT], in upper or lower case.

    MODEL is resnet18, 34, 50, 101, 152 or plain18 to 152 (without shortcuts), of the family d2l if none is given, or
    cifar_resnet20, 32, 44, 56, 110 (any 6n + 2) or cifar_plain20 and so on. SHORTCUT is A, B, C or none, in place of
    the family's own. ModelError names the nearest that there is.
    """
    rest, colon, shortcut = name.strip().lower().partition(":")
    model, at, family = rest.partition("@")
    cifar = re.fullmatch(r"cifar_(resnet|plain)([0-9]{1,5})", model)
    if cifar:
        depth, own_family, plain = int(cifar[2]), CIFAR, cifar[1] == "plain"
    elif model in _models():
        depth, own_family, plain = _models()[model]
    else:
        raise _unknown("model", model, list(_models()))
    if at and (family == CIFAR) != (own_family == CIFAR):
        raise ModelError(
            f"'{name.strip()}': CIFAR's networks have a family of their own, whose names are "
            f"cifar_resnet20, cifar_plain20 and so on without @"
        )
    if plain and colon and shortcut != "none":
        raise ModelError(
            f"'{name.strip()}': a plain network has no shortcuts; write {rest} alone, or resnet instead of plain"
        )
    if not at:
        family = own_family or DEFAULT_FAMILY
    return get_spec(depth, family, num_classes, "none" if plain else shortcut if colon else None)
