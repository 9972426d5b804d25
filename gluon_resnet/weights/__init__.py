"""Trained weights of other libraries for our networks: every key used, every shape checked, all of it or nothing.

    net = gr.get_model("resnet50@torchvision")
    gr.load_weights(net, "resnet50.safetensors")          # or by name: "imagenet", "imagenet:a1"
    gluon-resnet reconcile --weights resnet50.h5          # which network is in there?

The names that each library uses are in names.py, the file formats in files.py, PyTorch's pickles in pickles.py; which
network the names and shapes of a file are is found out in identification.py.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Iterable, List, Optional, Sequence, Tuple, Union

import numpy

from ..errors import ModelError, WeightsError
from ..networks.families import OWN_NAMES
from ..networks.layout import input_channels, layout, places
from ..networks.specs import CIFAR, ROWS, SHORTCUTS, ModelName, ResNetSpec, get_spec, model_names, parse_model
from ..text import count
from .files import WeightFile, read
from .identification import Identified, closest, identify, ours, parts
from .views import Arrays

# mxnet is imported where a Gluon network is filled: reading weights does without it.
FilePath = Union[str, Path]


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
    others = [family for family in ROWS if family not in OWN_NAMES]
    alike = _alike(asked, [asked.family] if asked.family in OWN_NAMES else others)
    return [spec for spec in alike if name.shortcut is None or spec.shortcut == asked.shortcut]


def identify_weights(path: FilePath) -> Identified:
    """Say which network the file at ``path`` holds.

    Raises WeightsError if the file cannot be read or fits no network of the table; the message names the nearest one
    and the first key that is missing, unexpected or of another shape.
    """
    return _identified(read(path), [], _all_specs(), new_head=False)


def network_of_file(path: FilePath, model: Optional[str] = None, in_channels: Optional[int] = None) -> str:
    """The name of the network in a weight file, whatever its classifier, such as ``resnet50@torchvision``.

    Args:
        path: the file.
        model: the name of the network that it must be; what the name leaves open is as in the file.
        in_channels: channels that it must take; any if None.

    Raises:
        WeightsError: the file is damaged, or of another network or input.
    """
    open_to = _all_specs() if model is None else _asked(model)
    identified = _identified(read(path), open_to if model else [], open_to, new_head=True)
    fits = [fit for fit in identified.specs if model is None or any(_same(fit, spec) for spec in open_to)]
    if not fits:
        raise WeightsError(
            f"{path}: holds {identified.spec.name}: expected {model}; leave --model out, or name another"
        )
    _check_channels(path, identified.in_channels, in_channels)
    return fits[0].name


def _check_channels(path: FilePath, found: int, expected: Optional[int]) -> None:
    if expected not in (None, found):
        raise WeightsError(f"{path}: its first convolution takes {count(found, 'channel')}: expected {expected}")


def _identified(
    weights: WeightFile, wanted: Sequence[ResNetSpec], nearest: Sequence[ResNetSpec], new_head: bool
) -> Identified:
    """The network in the file, of the table's or those ``wanted``; with ``new_head`` its classifier may be another one.

    Raises WeightsError, which names the nearest of the specs ``nearest``.
    """
    identified = identify(weights, wanted)
    if identified is not None:
        return identified
    body = identify(weights, wanted, body=True)
    if body is None:
        raise WeightsError(f"{weights.path}: {closest(weights, nearest, new_head)}")
    if not new_head:
        raise WeightsError(
            f"{weights.path}: {closest(weights, [body.spec])}; all but the head fits, which is enough to "
            f"train a new one: gluon-resnet train with --new-head (in Python new_head=True)"
        )
    return body


def _local_file(path: FilePath, model: str) -> FilePath:
    """A weight file, or that of published weights, fetched if need be."""
    from .fetch_weights import local_file  # not at the top: it loads requests, a tenth of a second for every --help

    return local_file(path, model)


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
        new_head: leave the classifier's parameters out; the file may have none, or those of another head.

    Returns:
        (spec, {our parameter name: float32 array}).

    Raises:
        WeightsError: the file is damaged, or of another network, input or head; or a name's file cannot be fetched.
    """
    asked, open_to = parse_model(model, num_classes), _asked(model)
    path = _local_file(path, model)
    weights = read(path)
    identified = _identified(weights, open_to, open_to, new_head)
    fits = [fit for fit in identified.specs if any(_same(fit, spec) for spec in open_to)]
    spec = fits[0] if fits and ModelName.parse(model).family is None else asked
    if num_classes is not None:
        spec = replace(spec, num_classes=num_classes)
    elif not new_head:
        spec = replace(spec, num_classes=identified.spec.num_classes)
    elif spec is not asked:
        spec = replace(spec, num_classes=get_spec(spec.depth, spec.family).num_classes)
    return spec, _parameters(identified, spec, in_channels, new_head)


def _same(spec: ResNetSpec, other: ResNetSpec) -> bool:
    """Are they one network but for the classes?"""
    return replace(spec, num_classes=other.num_classes) == other


def read_parameters(
    path: FilePath, spec: ResNetSpec, in_channels: Optional[int] = None, new_head: bool = False
) -> Arrays:
    """{our parameter name: float32 array} of the file at ``path`` for ``spec``; as :func:`read_network`."""
    return _parameters(_identified(read(path), [spec], [spec], new_head), spec, in_channels, new_head)


def _parameters(identified: Identified, spec: ResNetSpec, in_channels: Optional[int], new_head: bool) -> Arrays:
    path, file_channels = identified.path, identified.in_channels
    same = [fit for fit in identified.specs if _same(fit, spec)]
    if not same:
        name = identified.spec.name
        raise WeightsError(
            f"{path}: holds {name} ({identified.naming} names), the network is {spec.name}: take the model {name}"
        )
    _check_channels(path, file_channels, in_channels)
    if same[0].num_classes != spec.num_classes and not new_head:
        raise WeightsError(
            f"{path}: its head has {count(same[0].num_classes, 'class')}, the network {spec.num_classes:,}: "
            f"take {count(same[0].num_classes, 'class')}, or train a new head: gluon-resnet train with --new-head (in "
            f"Python new_head=True)"
        )
    if identified.note:
        print(identified.note, file=sys.stderr, flush=True)
    table = parts(identified.naming, layout(same[0], file_channels), body=new_head)
    tensors = identified.tensors
    return {name: numpy.ascontiguousarray(ours(tensors[key], axes)) for name, (key, axes) in table.items()}


def load_weights(net: Any, path: FilePath, new_head: bool = False) -> List[str]:
    """Fill a network of this suite from a weight file; returns the names of the parameters that were set.

    It reads .safetensors, .pth, .pt, .th and .bin (torchvision's and timm's names, those of the usual CIFAR networks),
    Keras' .h5 and .weights.h5, and .params of gluoncv, the model zoo and this suite. ``path`` can also name published
    weights: "imagenet", "imagenet:a1" or "a1". ``net`` is initialized if it was not; ``new_head`` leaves its classifier
    as it is, whatever the file has in its place. A prefix such as "backbone." before the names is taken off; standard
    error says so, and what was left out. If the file is damaged or not of this network, WeightsError is raised and
    ``net`` stays as it was.
    """
    spec = getattr(net, "spec", None)
    if spec is None:
        raise ModelError(
            f"{net.name} is not a network of this suite: take one of get_model(...), or its own load_parameters"
        )
    params = net._collect_params_with_prefix()
    known = params[f"{places(spec)['stem']}.weight"].shape
    in_channels = known[1] if known is not None and known[1] > 0 else None
    arrays = read_parameters(_local_file(path, spec.name), spec, in_channels, new_head)
    set_parameters(net, arrays)
    return sorted(arrays)


def set_parameters(net: Any, arrays: Arrays) -> None:
    """Put {our parameter name: float32 array}, already checked, into ``net``, which is initialized if it was not."""
    import mxnet as mx  # which reading a file does not need

    from ..devices import array
    from ..networks.shapes import layer_shapes

    params = net._collect_params_with_prefix()
    if any(param._data is None for param in params.values()):
        # A prediction would let oneDNN keep the weights in another layout, and the first step of a training on 96x96
        # images would set up its convolutions twice (0.7 GiB); what training mode moves is overwritten below.
        with mx.autograd.train_mode():
            layer_shapes(net, (1, input_channels(net.spec, arrays), 32, 32))  # initializes, and settles every shape
    for name, values in arrays.items():
        # not NumPy's own: mxnet cannot copy that into oneDNN's layout
        params[name].set_data(array(values, dtype=params[name].dtype))
