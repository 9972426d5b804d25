"""Every network of the suite as a row of data: the published ways to write ResNet-18 to ResNet-152, and CIFAR's.

    >>> parse_model("resnet50@keras").conv_bias
    (True, True, True)
    >>> parse_model("cifar_resnet56").shortcut
    'A'
    >>> ModelName.parse("ResNet34@torchvision:A")
    ModelName(model='resnet34', family='torchvision', shortcut='a')

"ResNet-50" is not one network: the families differ in where the stride is, which convolutions have a bias, the
shortcut, the batch norm's epsilon, the padding of the first pooling and more. Their rows are in families.py; article
003's dictionary becomes a spec in slim.py.
"""

import re
from dataclasses import dataclass, replace
from typing import Any, Dict, Iterable, List, Optional, Tuple

from ..errors import ModelError, did_you_mean, whole
from .families import (
    CIFAR,
    CIFAR_DEPTHS,
    DEEPEST_CIFAR,
    DEFAULT_FAMILY,
    DEPTHS,
    NOT_OF_SPEC,
    OWN_DEPTHS,
    OWN_NAMES,
    ROWS,
    family_depths,
    structure,
)

SHORTCUTS = ("A", "B", "C", "none")
#: The classifier of a bottleneck network then has 0.49 GB, and its weight file may still be read (weights/budget.py).
#: ImageNet-21k has 21,841 classes.
MOST_CLASSES = 60_000


@dataclass(frozen=True)
class ModelName:
    """A name MODEL[@FAMILY][:SHORTCUT] in its parts, in lower case; None for a part that the name leaves out."""

    model: str
    family: Optional[str] = None
    shortcut: Optional[str] = None

    @classmethod
    def parse(cls, name: str) -> "ModelName":
        """The parts of ``name``; whether the table has such a network is for :func:`parse_model` to say."""
        rest, colon, shortcut = name.strip().lower().partition(":")
        model, at, family = rest.partition("@")
        return cls(model, family if at else None, shortcut if colon else None)

    def __str__(self) -> str:
        family = "" if self.family is None else f"@{self.family}"
        return f"{self.model}{family}" + ("" if self.shortcut is None else f":{self.shortcut}")


@dataclass(frozen=True)
class ResNetSpec:
    """One residual network. Tuples by convolution follow the convolutions of a block in the order they run."""

    depth: int
    family: str
    block: str  # "basic": 3x3, 3x3; "bottleneck": 1x1, 3x3, 1x1
    stage_sizes: Tuple[int, ...]  # blocks in each stage
    num_classes: int
    conv_bias: Tuple[bool, ...]  # does the block's i-th convolution have a bias?
    stride_at: int  # which convolution of a block halves height and width
    stem_bias: bool = False
    shortcut_bias: bool = False
    shortcut_bn: bool = True  # a batch norm after the projection?
    bn_eps: float = 1e-5
    pool_padding: int = 1  # of the 3x3, stride 2 max pooling after the stem
    stem_channels: int = 64
    stem_widths: Tuple[int, ...] = ()  # output channels of further convolutions in the stem, before its last one
    # "A": subsampling and zero padding, no parameters; "B": a projection where the shape changes; "C": one in every
    # block; "none": a plain network, nothing is added
    shortcut: str = "B"
    preactivation: bool = False  # batch norm and ReLU before each convolution, none after the sum
    # the block that halves height and width: the "first" of each stage but the first stage, the "last" of each but the
    # last stage, or the first of "every" stage
    downsample: str = "first"
    stem_kernel: int = 7
    stem_stride: int = 2
    stem_bn: bool = True  # False: a bare convolution, no ReLU either
    pool: bool = True
    last_bn: bool = True  # a batch norm after a block's last convolution?
    block_bn_scale: bool = True  # do the norms inside blocks have a gamma?
    input_bn: bool = False  # a batch norm without gamma and beta before everything else
    final_bn: bool = False  # batch norm and ReLU after the last stage
    head: str = "dense"  # "conv": 1x1 on the pooled features; "dense_dropout": article 003's cnn_to_fc
    widths: Tuple[int, ...] = ()  # output channels of each stage if they are not the paper's
    groups: int = 1  # of a bottleneck's 3x3 convolution; each sees its share of the channels alone
    group_width: int = 64  # channels of each group in the first stage; the later stages double them
    shortcut_pool: bool = False  # a projection halves by a mean over 2x2 before it, not by a stride

    @property
    def name(self) -> str:
        """The shortest name that :func:`parse_model` takes back, such as ``resnet50@keras`` or ``cifar_resnet20:B``.

        Networks of a user's own dictionary are in no table; their name lists the stages and cannot be parsed.
        """
        if self.widths:
            return f"{self.family} " + " ".join(f"{width}x{size}" for width, size in zip(self.widths, self.stage_sizes))
        own = OWN_NAMES.get(self.family)
        model = (own or "resnet{}").format(self.depth)
        plain = self.shortcut == "none" and (own is None or self.family == CIFAR)
        usual = plain or self.shortcut == ROWS[self.family].get("shortcut", "B")
        return str(
            ModelName(
                model.replace("resnet", "plain") if plain else model,
                None if own else self.family,
                None if usual else self.shortcut,
            )
        )

    @property
    def stage_channels(self) -> Tuple[int, ...]:
        """Output channels of each stage: 64, 128, 256, 512, times four with bottlenecks; CIFAR's begin at 16."""
        if self.widths:
            return self.widths
        widen = 4 if self.block == "bottleneck" else 1
        return tuple(self.stem_channels * widen * 2**stage for stage in range(len(self.stage_sizes)))

    def bottleneck_width(self, out_channels: int) -> int:
        """Channels inside a bottleneck of ``out_channels``: a quarter of them, or as groups and their width say.

        ModelError if there are too few channels for a group to have one.
        """
        width = out_channels // 4 * self.group_width // 64
        if width < 1:
            raise ModelError(
                f"a bottleneck of {out_channels} channels in the family {self.family}: its groups would have no "
                f"channel; expected at least {-(-64 // self.group_width) * 4} channels"
            )
        return width * self.groups


def parse_model(name: str, num_classes: Optional[int] = None) -> ResNetSpec:
    """The spec of a name MODEL[@FAMILY][:SHORTCUT], in upper or lower case.

    MODEL is resnet18, 34, 50, 101, 152 or plain18 to 152 (without shortcuts), of the family d2l if none is given, or
    one of those with names of their own: resnext50_32x4d, wide_resnet50_2, resnet50d and so on, or cifar_resnet20, 32,
    44, 56, 110 (any 6n + 2) and cifar_plain20. SHORTCUT is A, B, C or none, in place of the family's own.
    ``num_classes`` is the family's own if None. Raises ModelError, which names the nearest network of the table.
    """
    parts = ModelName.parse(name)
    depth, own_family, plain = _read_model(parts.model)
    named = next((family for family in (own_family, parts.family) if family in OWN_NAMES), None)
    if named is not None and parts.family not in (None, own_family):
        names = [OWN_NAMES[named].format(depth) for depth in family_depths(named)]
        raise ModelError(
            f"'{name.strip()}': the family {named} has networks whose names are {', '.join(names)}, without @"
        )
    if plain and parts.shortcut not in (None, "none"):
        raise ModelError(
            f"'{name.strip()}': a plain network has no shortcuts; write {replace(parts, shortcut=None)} alone, or "
            f"resnet instead of plain"
        )
    family = (own_family or DEFAULT_FAMILY) if parts.family is None else parts.family
    shortcut = "none" if plain else parts.shortcut
    return get_spec(depth, family, num_classes, shortcut)


def get_spec(
    depth: int, family: str = DEFAULT_FAMILY, num_classes: Optional[int] = None, shortcut: Optional[str] = None
) -> ResNetSpec:
    """The spec of a depth in a family.

    Args:
        depth: 18, 34, 50, 101 or 152; slim and slim_fc have 50 and more, cifar any 6n + 2, narrow and early 8, fine 8,
            14 and 18, wide and resnext_32x4d 50 and 101, resnext_32x8d and resnext_64x4d 101.
        family: a row of families.py.
        num_classes: 1 to MOST_CLASSES; the family's own if None.
        shortcut: "A", "B", "C" or "none", in upper or lower case; the family's own if None.

    Raises:
        ModelError: the table has no such depth, family or shortcut, or the number of classes is out of range.
    """
    if family not in ROWS:
        raise _unknown("family", str(family), list(ROWS))
    row = structure(depth, family) if isinstance(depth, int) else None
    if row is None:
        raise _unknown_depth(depth, family)
    block, stage_sizes = row
    fields = {field: value for field, value in ROWS[family].items() if field not in NOT_OF_SPEC}
    fields.update(ROWS[family][block])
    spec = ResNetSpec(depth=depth, family=family, block=block, stage_sizes=stage_sizes, **fields)
    if shortcut is not None:
        spec = replace(spec, shortcut=_checked_shortcut(shortcut))
    return spec if num_classes is None else replace(spec, num_classes=check_classes(num_classes))


def model_names() -> List[str]:
    """The names of all networks with their families' own shortcuts; ``:A``, ``:B``, ``:C`` or ``:none`` may follow.

    Plain networks exist in every family (``plain34@torchvision``); listed are those of the default family.
    """
    names = [f"resnet{depth}@{family}" for family in ROWS if family not in OWN_NAMES for depth in family_depths(family)]
    names += [f"plain{depth}@{DEFAULT_FAMILY}" for depth in DEPTHS]
    return names + [name for name, (_, family, _) in _models().items() if family in OWN_NAMES]


def check_classes(num_classes: Any) -> int:
    """``num_classes`` if it is a whole number from 1 to MOST_CLASSES; ModelError otherwise."""
    number = whole("num_classes", num_classes, 1, ModelError)
    if number > MOST_CLASSES:
        raise ModelError(f"num_classes is {number:,}: expected at most {MOST_CLASSES:,}")
    return number


#: (depth, family or None for any, whether it is plain)
_Model = Tuple[int, Optional[str], bool]


def _models() -> Dict[str, _Model]:
    """The models of the table by their names without family."""
    known: Dict[str, _Model] = {}
    own = [("", family, tuple(depths)) for family, depths in OWN_DEPTHS.items() if family not in OWN_NAMES]
    for start, family, depths in [("", None, tuple(DEPTHS)), *own, ("cifar_", CIFAR, CIFAR_DEPTHS)]:
        for kind in ("resnet", "plain"):
            for depth in depths:  # the first family that has it
                known.setdefault(f"{start}{kind}{depth}", (depth, family, kind == "plain"))
    for family, model in OWN_NAMES.items():
        if family != CIFAR:
            known.update((model.format(depth), (depth, family, False)) for depth in family_depths(family))
    return known


def _read_model(model: str) -> _Model:
    """What MODEL says; ModelError if there is no such model."""
    cifar = re.fullmatch(r"cifar_(resnet|plain)([0-9]{1,5})", model)
    if cifar:
        return int(cifar[2]), CIFAR, cifar[1] == "plain"
    known = _models()
    if model not in known:
        raise _unknown("model", model, list(known))
    return known[model]


def _unknown(kind: str, name: str, known: Iterable[str]) -> ModelError:
    hint = f"did you mean cifar_{name}? " if f"cifar_{name}" in known else did_you_mean(name, known)
    return ModelError(f"unknown {kind} '{name}': {hint}known are {', '.join(known)}")


def _unknown_depth(depth: Any, family: str) -> ModelError:
    if family == CIFAR:
        nearest = 6 * max(1, round((depth - 2) / 6)) + 2 if isinstance(depth, int) else 20
        return ModelError(
            f"unknown model 'cifar_resnet{depth}': did you mean cifar_resnet{min(nearest, DEEPEST_CIFAR)}? CIFAR's "
            f"networks have 6n + 2 layers: {', '.join(map(str, CIFAR_DEPTHS))}, ... up to {DEEPEST_CIFAR}"
        )
    known = [f"resnet{own}" for own in family_depths(family)]
    if depth in DEPTHS:
        return ModelError(f"unknown model 'resnet{depth}@{family}': the family {family} has {', '.join(known)}")
    return _unknown("model", f"resnet{depth}", known)


def _checked_shortcut(shortcut: str) -> str:
    option = {option.lower(): option for option in SHORTCUTS}.get(str(shortcut).lower())
    if option is None:
        raise _unknown("shortcut", str(shortcut), list(SHORTCUTS))
    return option
