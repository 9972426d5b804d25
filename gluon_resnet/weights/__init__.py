"""Trained weights of other libraries for our networks: every key used, every shape checked, all of it or nothing.

    net = gr.get_model("resnet50@torchvision")
    gr.load_weights(net, "resnet50.safetensors")          # or by name: "imagenet", "imagenet:a1"
    gluon-resnet reconcile --weights resnet50.h5          # which network is in there?

The names that each library uses are in names.py, the file formats in files.py, PyTorch's pickles in pickles.py.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple, Union

import numpy

from ..errors import ModelError, WeightsError
from ..networks.layout import children, input_channels, layout
from ..networks.specs import CIFAR, ROWS, SHORTCUTS, ModelName, ResNetSpec, get_spec, model_names, parse_model
from .fetch_weights import local_file
from .files import WeightFile, read
from .names import NAMINGS, Axes, may_hold, names, specs_of

# mxnet is imported where a Gluon network is filled: reading weights does without it.
FilePath = Union[str, Path]
Arrays = Dict[str, numpy.ndarray]  # by parameter name


@dataclass(frozen=True)
class Identified:
    """What a weight file holds: how it is written and the specs it fits, the likeliest first."""

    path: str
    format: str
    naming: str
    specs: Tuple[ResNetSpec, ...]
    in_channels: int

    @property
    def spec(self) -> ResNetSpec:
        """The likeliest spec."""
        return self.specs[0]

    @property
    def description(self) -> str:
        """One line: ``resnet50@torchvision, 3 channel(s) in, 1,000 classes (torchvision names, safetensors)``."""
        assumed = replace(self.spec, shortcut="none") in self.specs[1:]
        return (
            f"{self.spec.name}, {self.in_channels} channel(s) in, {self.spec.num_classes:,} classes "
            f"({self.naming} names, {self.format})"
            + ("; a plain network has the same keys, the one with shortcuts is assumed" if assumed else "")
        )


def _ours(values: numpy.ndarray, axes: Axes) -> numpy.ndarray:
    """The file's array with its axes in our order; left alone if it has another number of them."""
    return values if axes is None or values.ndim != len(axes) else values.transpose(axes)


def _candidates(wanted: Sequence[ResNetSpec]) -> Iterator[Tuple[str, ResNetSpec]]:
    """(naming, spec) of all networks in all the ways they are written, the likeliest first, then those ``wanted``."""
    for naming in NAMINGS:
        known = list(specs_of(naming))
        yield from ((naming, spec) for spec in known)
        yield from ((naming, spec) for spec in wanted if may_hold(naming, spec) and spec not in known)


def _stem(spec: ResNetSpec) -> str:
    return f"{children(spec).index('stem')}.weight"


def _sizes(naming: str, spec: ResNetSpec, tensors: Arrays) -> Optional[Tuple[int, int]]:
    """(input channels, classes) if the file's stem and head say so under this naming, otherwise None."""
    plan = layout(spec)
    table = names(naming, plan)
    (stem, stem_axes), (head, head_axes) = table[_stem(spec)], table[f"{plan.classifier.name}.weight"]
    if stem not in tensors or head not in tensors or tensors[stem].ndim != 4 or tensors[head].ndim not in (2, 4):
        return None
    return _ours(tensors[stem], stem_axes).shape[1], _ours(tensors[head], head_axes).shape[0]


@lru_cache(maxsize=None)
def _count(spec: ResNetSpec) -> int:
    return len(layout(spec).params())


def _fits(naming: str, spec: ResNetSpec, tensors: Arrays) -> Optional[Tuple[ResNetSpec, int]]:
    """(the spec with the file's classes, input channels) if keys and shapes are exactly this network's, or None."""
    if _count(spec) != len(tensors):  # quick; what follows takes a while for hundreds of specs
        return None
    sizes = _sizes(naming, spec, tensors)
    if sizes is None:
        return None
    spec = replace(spec, num_classes=int(sizes[1]))
    plan = layout(spec, sizes[0])
    table, shapes = names(naming, plan), plan.params()
    if {key for key, _ in table.values()} != set(tensors):
        return None
    if any(_ours(tensors[key], axes).shape != shapes[ours] for ours, (key, axes) in table.items()):
        return None
    return spec, sizes[0]


def _identify(weights: WeightFile, wanted: Sequence[ResNetSpec] = ()) -> Optional[Identified]:
    """The network in the file, of the table's and those ``wanted``; None if it is none of them."""
    matches: List[Tuple[str, ResNetSpec, int]] = []  # (naming, spec, input channels)
    for naming, spec in _candidates(wanted):
        if matches and naming != matches[0][0]:
            break
        fit = _fits(naming, spec, weights.tensors)
        if fit:
            matches.append((naming, *fit))
    if not matches:
        return None
    specs = [spec for _, spec, _ in matches]
    written = weights.notes.get("gluon_resnet")
    specs.sort(key=lambda spec: spec.name != written)
    naming, _, in_channels = matches[0]
    return Identified(weights.path, weights.format, naming, tuple(specs), in_channels)


def _closest(weights: WeightFile, specs: Iterable[ResNetSpec]) -> str:
    """One line on why no spec fits: the nearest one's first missing, unexpected or misshapen key."""
    best, score = None, -1.0
    for naming in NAMINGS:
        for spec in specs:
            if may_hold(naming, spec):
                table = names(naming, layout(spec))
                matched = sum(key in weights.tensors for key, _ in table.values()) - len(table) / 1000
                if matched > score:
                    best, score = (naming, spec, table), matched
    if best is None or score <= 0:
        return (
            f"no ResNet of this suite: none of its {len(weights.tensors)} names, such as "
            f"{min(weights.tensors, default='none')}, is known"
        )
    naming, spec, table = best
    missing = [key for key, _ in table.values() if key not in weights.tensors]
    if missing:
        return f"nearest is {spec.name} ({naming} names), but {_few(missing)} missing"
    keys = {key for key, _ in table.values()}
    unexpected = [key for key in weights.tensors if key not in keys]
    if unexpected:
        return f"nearest is {spec.name} ({naming} names), but {_few(unexpected)} not part of it"
    channels, classes = _sizes(naming, spec, weights.tensors) or (3, spec.num_classes)
    shapes = layout(replace(spec, num_classes=int(classes)), channels).params()
    for ours, (key, axes) in table.items():
        if _ours(weights.tensors[key], axes).shape != shapes[ours]:
            return (
                f"nearest is {spec.name} ({naming} names), but {key} has shape {weights.tensors[key].shape}: "
                f"expected {shapes[ours]}{' before the transpose to our order' if axes else ''}"
            )
    return f"nearest is {spec.name}"


def _few(keys: List[str]) -> str:
    return f"{keys[0]} is" if len(keys) == 1 else f"{keys[0]} and {len(keys) - 1} more are"


def _all_specs() -> List[ResNetSpec]:
    """Every network of the table, and CIFAR's with option B, as others write them."""
    specs = [parse_model(name) for name in model_names()]
    return specs + [replace(spec, shortcut="B") for spec in specs if spec.family == CIFAR and spec.shortcut == "A"]


def _alike(spec: ResNetSpec, families: Iterable[str]) -> List[ResNetSpec]:
    """The specs of the same depth in ``families``, with any shortcut; all plain if ``spec`` is, otherwise none."""
    plain = spec.shortcut == "none"
    specs: List[ResNetSpec] = []
    for family in families:
        try:
            own = get_spec(spec.depth, family)
        except ModelError:  # a family without this depth
            continue
        options = [option for option in SHORTCUTS if (option == "none") == plain]
        options.sort(key=lambda option: option != own.shortcut)
        specs += [replace(own, shortcut=option) for option in options]
    return specs


def _asked(model: str) -> List[ResNetSpec]:
    """The specs that a model's name can mean if a file is to decide what it leaves open: family and shortcut."""
    asked, name = parse_model(model), ModelName.parse(model)
    if name.family is not None:
        return [asked]
    alike = _alike(asked, [CIFAR] if asked.family == CIFAR else [family for family in ROWS if family != CIFAR])
    return [spec for spec in alike if name.shortcut is None or spec.shortcut == asked.shortcut]


def identify_weights(path: FilePath) -> Identified:
    """Say which network the file at ``path`` holds.

    Raises WeightsError if the file cannot be read or fits no network of the table; the message names the nearest one
    and the first key that is missing, unexpected or of another shape.
    """
    weights = read(path)
    identified = _identify(weights)
    if identified is None:
        raise WeightsError(f"{path}: {_closest(weights, _all_specs())}")
    return identified


def read_network(
    path: FilePath,
    model: str,
    num_classes: Optional[int] = None,
    in_channels: Optional[int] = None,
    new_head: bool = False,
) -> Tuple[ResNetSpec, Arrays]:
    """The spec and parameters of a weight file, for a model's name such as "resnet50"; needs mxnet for .params only.

    Args:
        path: a weight file as :func:`load_weights` reads it, or a name of published weights (published.py).
        model: a name; without @family it takes the file's family, without :SHORTCUT its shortcut. Plain networks and
            those of option A have the same keys: the name says which it is.
        num_classes: by default the file's, or with ``new_head`` the family's own.
        in_channels: channels that the network must take; any if None.
        new_head: leave the classifier's parameters out.

    Returns:
        (spec, {our parameter name: float32 array}).

    Raises:
        WeightsError: the file is damaged, or of another network, input or head; or a name's file cannot be fetched.
    """
    asked, open_to = parse_model(model, num_classes), _asked(model)
    path = local_file(path, model)
    weights = read(path)
    identified = _identify(weights, open_to)
    if identified is None:
        raise WeightsError(f"{path}: {_closest(weights, open_to)}")
    fits = [fit for fit in identified.specs if any(_same(fit, spec) for spec in open_to)]
    spec = fits[0] if fits and ModelName.parse(model).family is None else asked
    if num_classes is not None:
        spec = replace(spec, num_classes=num_classes)
    elif not new_head:
        spec = replace(spec, num_classes=identified.spec.num_classes)
    elif spec is not asked:
        spec = replace(spec, num_classes=get_spec(spec.depth, spec.family).num_classes)
    return spec, _parameters(weights, identified, spec, in_channels, new_head)


def _same(spec: ResNetSpec, other: ResNetSpec) -> bool:
    """Are they one network but for the classes?"""
    return replace(spec, num_classes=other.num_classes) == other


def read_parameters(
    path: FilePath, spec: ResNetSpec, in_channels: Optional[int] = None, new_head: bool = False
) -> Arrays:
    """{our parameter name: float32 array} of the file at ``path`` for ``spec``; as :func:`read_network`."""
    weights = read(path)
    identified = _identify(weights, [spec])
    if identified is None:
        raise WeightsError(f"{path}: {_closest(weights, [spec])}")
    return _parameters(weights, identified, spec, in_channels, new_head)


def _parameters(
    weights: WeightFile, identified: Identified, spec: ResNetSpec, in_channels: Optional[int], new_head: bool
) -> Arrays:
    path, file_channels = weights.path, identified.in_channels
    same = [fit for fit in identified.specs if _same(fit, spec)]
    if not same:
        name = identified.spec.name
        raise WeightsError(
            f"{path}: holds {name} ({identified.naming} names), the network is {spec.name}: take the model {name}"
        )
    if in_channels is not None and in_channels != file_channels:
        raise WeightsError(f"{path}: its first convolution takes {file_channels} channels: expected {in_channels}")
    if same[0].num_classes != spec.num_classes and not new_head:
        raise WeightsError(
            f"{path}: its head has {same[0].num_classes:,} classes, the network {spec.num_classes:,}: "
            f"ask for a fresh head (--new-head) or take {same[0].num_classes:,} classes"
        )
    plan = layout(same[0], file_channels)
    table = names(identified.naming, plan)
    if new_head:
        table = {ours: row for ours, row in table.items() if ours not in plan.classifier.params}
    return {ours: numpy.ascontiguousarray(_ours(weights.tensors[key], axes)) for ours, (key, axes) in table.items()}


def load_weights(net: Any, path: FilePath, new_head: bool = False) -> List[str]:
    """Fill a network of this suite from a weight file; returns the names of the parameters that were set.

    It reads .safetensors, .pth, .pt, .th and .bin (torchvision's and timm's names, those of the usual CIFAR networks),
    Keras' .h5 and .weights.h5, and .params of gluoncv, the model zoo and this suite. ``path`` can also name published
    weights: "imagenet", "imagenet:a1" or "a1". ``net`` is initialized if it was not; ``new_head`` leaves its classifier
    as it is. If the file is damaged or not of this network, WeightsError is raised and ``net`` stays as it was.
    """
    spec = getattr(net, "spec", None)
    if spec is None:
        raise ModelError(
            f"{net.name} is not a network of this suite: take one of get_model(...), or its own load_parameters"
        )
    params = net._collect_params_with_prefix()
    known = params[_stem(spec)].shape
    in_channels = known[1] if known is not None and known[1] > 0 else None
    arrays = read_parameters(local_file(path, spec.name), spec, in_channels, new_head)
    set_parameters(net, arrays)
    return sorted(arrays)


def set_parameters(net: Any, arrays: Arrays) -> None:
    """Put {our parameter name: float32 array}, already checked, into ``net``, which is initialized if it was not."""
    from ..devices import array  # with mxnet, which reading a file does not need
    from ..networks.shapes import layer_shapes

    params = net._collect_params_with_prefix()
    if any(param._data is None for param in params.values()):
        layer_shapes(net, (1, input_channels(net.spec, arrays), 32, 32))  # initializes, and settles every shape
    for name, values in arrays.items():
        # not NumPy's own: mxnet cannot copy that into oneDNN's layout
        params[name].set_data(array(values, dtype=params[name].dtype))
