"""Which network a weight file holds: every key used and every shape checked, or all but the head.

identified = identify(read("resnet50.safetensors"))
identified.spec.name, identified.naming               # "resnet50@torchvision", "torchvision"
"""

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Iterable, Iterator, List, Optional, Sequence, Set, Tuple

import numpy

from ..errors import WeightsError
from ..networks.layout import Layout, layout, stem_plan
from ..networks.specs import ResNetSpec
from ..text import count as counted
from .files import WeightFile
from .names import NAMINGS, Axes, may_hold, names, specs_of
from .views import Arrays, View, stem_of, views

#: (weight of the first convolution, another array) of gluoncv's CIFAR networks: of version 1, the others, exported
GLUONCV_CIFAR = (
    ("features.0.weight", "features.2.0.body.0.weight"),
    ("features.1.weight", "features.0.running_mean"),
    ("conv0_weight", "stage1_conv0_weight"),
)
#: our parameter name -> (the file's key, axes to transpose it by or None)
Table = dict


@dataclass(frozen=True)
class Identified:
    """What a weight file holds: how it is written and the specs it fits, the likeliest first."""

    path: str
    format: str
    naming: str
    specs: Tuple[ResNetSpec, ...]
    in_channels: int
    prefix: str = ""  # what is before each of the network's names
    left: Tuple[str, ...] = ()  # names of the file's other arrays, but for the classifier's
    tensors: Arrays = field(default_factory=dict, repr=False, compare=False)  # by the naming's keys

    @property
    def spec(self) -> ResNetSpec:
        """The likeliest spec."""
        return self.specs[0]

    @property
    def description(self) -> str:
        """One line: ``resnet50@torchvision, 3 channel(s) in, 1,000 classes (torchvision names, safetensors)``."""
        assumed = replace(self.spec, shortcut="none") in self.specs[1:]
        return (
            f"{self.spec.name}, {self.in_channels} channel(s) in, {counted(self.spec.num_classes, 'class')} "
            f"({self.naming} names{f' after {self.prefix}' if self.prefix else ''}, {self.format})"
            + ("; a plain network has the same keys, the one with shortcuts is assumed" if assumed else "")
        )

    @property
    def note(self) -> str:
        """What a reader must know about how the file is read; empty if it is read as it is."""
        said = [f"the network's names are read without {self.prefix}"] if self.prefix else []
        said += [f"left out: {few(self.left)}"] if self.left else []
        return f"{self.path}: {'; '.join(said)}" if said else ""


def few(keys: Sequence[str]) -> str:
    """``fc.weight`` or ``fc.weight and 1 more``."""
    return keys[0] if len(keys) == 1 else f"{keys[0]} and {len(keys) - 1:,} more"


def _are(keys: Sequence[str]) -> str:
    return f"{few(keys)} {'is' if len(keys) == 1 else 'are'}"


def ours(values: numpy.ndarray, axes: Axes) -> numpy.ndarray:
    """The file's array with its axes in our order; left alone if it has another number of them."""
    return values if axes is None or values.ndim != len(axes) else values.transpose(axes)


def _theirs(shape: Tuple[int, ...], axes: Axes) -> Tuple[int, ...]:
    """Our shape with its sizes in the file's order."""
    return shape if axes is None else tuple(shape[axes.index(i)] for i in range(len(axes)))


def _candidates(wanted: Sequence[ResNetSpec]) -> Iterator[Tuple[str, ResNetSpec]]:
    """(naming, spec) of all networks in all the ways they are written, the likeliest first, then those ``wanted``."""
    for naming in NAMINGS:
        known = list(specs_of(naming))
        yield from ((naming, spec) for spec in known)
        yield from ((naming, spec) for spec in wanted if may_hold(naming, spec) and spec not in known)


@lru_cache(maxsize=None)
def _count(spec: ResNetSpec, body: bool) -> int:
    plan = layout(spec)
    return len(plan.params()) - body * len(plan.classifier.params)


def _in_channels(naming: str, spec: ResNetSpec, tensors: Arrays) -> Optional[int]:
    """Input channels if the file's first convolution is one of ``spec`` under this naming, otherwise None."""
    stem, axes = stem_of(naming, spec.family)
    if stem not in tensors or tensors[stem].ndim != 4:
        return None
    out, channels, *kernel = ours(tensors[stem], axes).shape
    return channels if (out, *kernel) == (stem_plan(spec)[0][0], spec.stem_kernel, spec.stem_kernel) else None


def _classes(naming: str, spec: ResNetSpec, tensors: Arrays) -> Optional[int]:
    """Classes by the file's classifier, if it has one under this naming."""
    plan = layout(spec)
    head, axes = names(naming, plan)[f"{plan.classifier.name}.weight"]
    if head not in tensors or tensors[head].ndim not in (2, 4):
        return None
    return int(ours(tensors[head], axes).shape[0])


def parts(naming: str, plan: Layout, body: bool) -> Table:
    """The table of :func:`names`, without the classifier's rows if ``body``."""
    rows = names(naming, plan)
    return {name: row for name, row in rows.items() if not (body and name in plan.classifier.params)}


def _roots(keys: Iterable[str]) -> Set[str]:
    """How the keys of a body begin, up to the first sign that divides them; ``features.`` alone says nothing."""
    begin = set()
    for key in keys:
        container = "features." if key.startswith("features.") else ""
        rest = key[len(container) :].replace("/", ".").replace("_", ".")
        begin.add(container + rest.split(".")[0])
    return begin


def _unexpected(table: Table, tensors: Arrays, head: Set[str], body: bool) -> List[str]:
    """The arrays that the network has no place for; with ``body`` those of any head are none of them.

    What begins as the body's own keys do is part of the body: a longer stage, a squeeze-and-excitation block.
    """
    keys = {key for key, _ in table.values()} | head
    others = [key for key in tensors if key not in keys]
    own = _roots(key for key, _ in table.values()) if body else set()
    return [key for key in others if not body or _roots([key]) & own]


def _fits(naming: str, spec: ResNetSpec, tensors: Arrays, body: bool) -> Optional[Tuple[ResNetSpec, int]]:
    """(the spec with the file's classes, input channels) if keys and shapes are exactly this network's, or None.

    With ``body`` the classifier is not looked at, and there may be others in its place.
    """
    count = _count(spec, body)  # quick; what follows takes a while for hundreds of specs
    if count > len(tensors) or (not body and count != len(tensors)):
        return None
    channels = _in_channels(naming, spec, tensors)
    if channels is None:
        return None
    if not body:
        classes = _classes(naming, spec, tensors)
        if classes is None:
            return None
        spec = replace(spec, num_classes=classes)
    plan = layout(spec, channels)
    table, shapes = parts(naming, plan, body), plan.params()
    if any(key not in tensors for key, _ in table.values()):
        return None
    if any(ours(tensors[key], axes).shape != shapes[name] for name, (key, axes) in table.items()):
        return None
    return None if _unexpected(table, tensors, _head(naming, plan), body) else (spec, channels)


def _head(naming: str, plan: Layout) -> Set[str]:
    """The classifier's keys."""
    rows = names(naming, plan)
    return {rows[name][0] for name in plan.classifier.params}


def _in_view(weights: WeightFile, view: View, wanted: Sequence[ResNetSpec], body: bool) -> Optional[Identified]:
    matches: List[Tuple[str, ResNetSpec, int]] = []  # (naming, spec, input channels)
    for naming, spec in _candidates(wanted):
        if matches and naming != matches[0][0]:
            break
        fit = _fits(naming, spec, view.tensors, body)
        if fit:
            matches.append((naming, *fit))
    if not matches:
        return None
    specs = [spec for _, spec, _ in matches]
    written = weights.notes.get("gluon_resnet")
    specs.sort(key=lambda spec: spec.name != written)
    naming, _, in_channels = matches[0]
    plan = layout(specs[0], in_channels)
    used = {key for key, _ in names(naming, plan).values()}
    left = (*view.outside, *(view.written(key) for key in view.tensors if key not in used))
    prefix = view.prefix if view.prefix.endswith(".") else ""  # that of an export is the network's own name
    return Identified(
        weights.path, weights.format, naming, tuple(specs), in_channels, prefix, tuple(sorted(left)), view.tensors
    )


def identify(weights: WeightFile, wanted: Sequence[ResNetSpec] = (), body: bool = False) -> Optional[Identified]:
    """The network in the file, of the table's and those ``wanted``; None if it is none of them.

    With ``body`` a network without a classifier will do, or with another one, or other things next to it. Raises
    WeightsError if there are several networks in the file.
    """
    found: List[Tuple[View, Identified]] = []
    for view in views(weights.tensors):
        if view.outside and not body:
            continue
        identified = _in_view(weights, view, wanted, body)
        if identified and not view.prefix:
            return identified
        if identified:
            found.append((view, identified))
    # net. and net.features. are one network, named with and without the block that holds its layers
    found = [(view, one) for view, one in found if not any(_inside(view.prefix, other.prefix) for other, _ in found)]
    usual = [(view, identified) for view, identified in found if view.usual] or found
    if len(usual) > 1:
        prefixes = ", ".join(view.prefix for view, _ in usual)
        raise WeightsError(
            f"{weights.path}: holds {counted(len(usual), 'network')}, whose names begin with {prefixes}: expected one; "
            f"save the one you mean alone"
        )
    return usual[0][1] if usual else None


def _inside(prefix: str, other: str) -> bool:
    return prefix != other and prefix.startswith(other)


def closest(weights: WeightFile, specs: Iterable[ResNetSpec], body: bool = False) -> str:
    """One line on why no spec fits: the nearest one's first missing, unexpected or misshapen key."""
    best, score, specs = None, -1.0, list(specs)
    looks = sorted(views(weights.tensors), key=lambda view: not view.usual)
    foreign = next(filter(None, (_foreign(view.tensors) for view in looks)), "")
    if foreign:
        return foreign
    for naming in NAMINGS:
        for spec in (spec for spec in specs if may_hold(naming, spec)):
            table = parts(naming, layout(spec), body)
            for view in looks:
                matched = sum(key in view.tensors for key, _ in table.values()) - len(table) / 1000
                if matched > score:
                    best, score = (naming, spec, view), matched
    if best is None or score <= 0:
        return (
            f"no ResNet of this suite: none of its {len(weights.tensors)} names, such as "
            f"{min(weights.tensors, default='none')}, is known"
        )
    naming, spec, view = best
    return f"nearest is {spec.name} ({naming} names){_trouble(naming, spec, view, body)}"


def _foreign(tensors: Arrays) -> str:
    """What to say of a file of a well-known network that the suite does not have."""
    for stem, other in GLUONCV_CIFAR:
        if other in tensors and stem in tensors and tensors[stem].shape[::2] == (16, 3):
            return (
                "gluoncv's CIFAR networks are not read: cifar_resnet*_v1 has no ReLU after the first convolution, "
                "which the paper's has, and the others are pre-activated; take a file of the paper's network"
            )
    return ""


def _trouble(naming: str, spec: ResNetSpec, view: View, body: bool) -> str:
    """What keeps ``spec`` from fitting the arrays of the view."""
    tensors = view.tensors
    channels, classes = _in_channels(naming, spec, tensors), _classes(naming, spec, tensors)
    plan = layout(replace(spec, num_classes=classes or spec.num_classes), channels or 3)
    table = parts(naming, plan, body)
    missing = [view.written(key) for key, _ in table.values() if key not in tensors]
    if missing:
        return f", but {_are(missing)} missing"
    unexpected = [view.written(key) for key in _unexpected(table, tensors, _head(naming, plan), body)]
    unexpected += () if body else view.outside
    if unexpected:
        return f", but {_are(unexpected)} not part of it"
    shapes = plan.params()
    for name, (key, axes) in table.items():
        if ours(tensors[key], axes).shape != shapes[name]:
            return f", but {view.written(key)} has shape {tensors[key].shape}: expected {_theirs(shapes[name], axes)}"
    return ""
