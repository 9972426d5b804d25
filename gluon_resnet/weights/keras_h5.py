"""Keras' weight files, 2016 to today, read with h5py alone: every variable as ``layer/variable`` under today's names.

    read_keras_h5("resnet50.h5")["conv1_conv/kernel"].shape                # (7, 7, 3, 64)

Three layouts are in use. Keras 1 and 2 (and 3 for ``model.save("x.h5")``) keep a group for each layer and list them in
attributes; in 2016 the variables were W, b and running_std, which holds the variance. ``.weights.h5``, and the
``.keras`` archive around one, number layers by class and variables by position; since Keras 3.6 with names as well.
"""

import io
import math
import re
import zipfile
import zlib
from collections import Counter
from pathlib import Path
from typing import Any, BinaryIO, Dict, Iterable, Iterator, List, Optional, Set, Tuple, Union

import h5py
import numpy

from ..errors import WeightsError
from ..networks.layout import Conv, Dense, layout
from ..networks.specs import DEPTHS, get_spec
from .budget import Budget
from .names import KERAS_PARTS, NAMINGS, keras_order

#: what Keras 1 called the variables -> what they are called today
TODAY = {"W": "kernel", "b": "bias", "running_mean": "moving_mean", "running_std": "moving_variance"}

#: class of a layer -> its variables by position, all of them or (without a bias) the first
KINDS = {"conv2d": KERAS_PARTS[:2], "dense": KERAS_PARTS[:2], "batch_normalization": KERAS_PARTS[2:]}

#: the classes of layers that a network has without its head
BODY = ("conv2d", "batch_normalization")

#: where .weights.h5 keeps the layers; the second name is Keras 2.12's, which on Windows joined it with a backslash
LAYERS = ("layers", "_layer_checkpoint_dependencies")
#: what h5py and zipfile raise for damaged files, with messages of HDF5's own
DAMAGE = (
    OSError,
    LookupError,
    ValueError,
    TypeError,
    RuntimeError,
    AttributeError,
    MemoryError,
    EOFError,
    ArithmeticError,
    zipfile.BadZipFile,
    zlib.error,
)

MAX_DEPTH = 16  # of groups in groups
MAX_NAMES = 10_000  # in an attribute
MAX_CHUNK = 2**20  # numbers that are stored in one piece, if the array is smaller
MEMBER = "model.weights.h5"  # of a .keras archive

Arrays = Dict[str, numpy.ndarray]
#: (name or None, kind, (path of the group, number), variables) of a layer in a .weights.h5 file
Numbered = Tuple[Optional[str], str, Tuple[Tuple[str, ...], int], Arrays]


def read_keras_h5(path: Union[str, Path]) -> Arrays:
    """{"layer/variable": array as stored} of a Keras file: kernels (H, W, in, out), matrices (in, out).

    It reads ``.h5`` from ``save_weights`` or ``save``, ``.weights.h5`` and ``.keras``; models in models are flattened,
    optimizers left out. If the file has only numbers for names, the layers get the names of the ResNet whose shapes
    come in that order. Links, and data in other files, are not followed. Raises WeightsError.
    """
    path = str(path)
    budget = Budget(path)
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                budget.take(MEMBER, (archive.getinfo(MEMBER).file_size,), 1)
                return _read(budget, io.BytesIO(archive.read(MEMBER)))
        return _read(budget, path)
    except WeightsError:
        raise
    except FileNotFoundError:
        raise WeightsError(f"{path}: not there: expected a Keras weight file") from None
    except DAMAGE as error:
        reason = " ".join(str(error).split())
        raise WeightsError(f"{path}: damaged, cut off or no Keras file: {reason}; copy the file again") from None


def _read(budget: Budget, file: Union[str, BinaryIO]) -> Arrays:
    path = budget.path
    with h5py.File(file, "r") as root:
        if "model_weights" in _children(root):
            root = _follow(path, root, "model_weights")
        if _has(root, "layer_names"):
            return _grouped(budget, root)
        layers, there = list(_numbered(budget, root)), ", ".join(_children(root)[:3]) or "nothing"
    if not layers:
        raise WeightsError(
            f"{path}: no Keras weight file: expected the attribute layer_names or the group layers with "
            f"variables, found {there}"
        )
    named = [(name, variables) for name, _, _, variables in layers if name]
    if len(named) < len(layers):
        named = _by_order(path, layers)
    return _flat(
        path, ((f"{layer}/{part}", values) for layer, variables in named for part, values in variables.items())
    )


def _flat(path: str, pairs: Iterable[Tuple[str, numpy.ndarray]]) -> Arrays:
    tensors: Arrays = {}
    for key, values in pairs:
        if key in tensors:
            raise WeightsError(f"{path}: {key} is there twice: expected one network")
        tensors[key] = values
    return tensors


def _children(group: Any) -> List[str]:
    return [_text(name) for name in group.id]


def _text(name: Any) -> str:
    text = name.decode("utf-8") if isinstance(name, bytes) else str(name)
    if not text.isprintable():
        raise ValueError(f"a name {text!r}")
    return text


def _below(group: Any, part: str) -> str:
    return f"{group.name.rstrip('/')}/{part}"


def _follow(path: str, group: Any, name: str) -> Any:
    """The object at ``name`` below ``group``; looks at the kind of each link before it opens it."""
    for part in name.split("/"):
        try:
            kind = group.id.links.get_info(part.encode("utf-8")).type
        except (KeyError, RuntimeError, ValueError, AttributeError):
            raise WeightsError(f"{path}: {_below(group, part)} is missing, though the file lists it") from None
        if kind != h5py.h5l.TYPE_HARD:
            raise WeightsError(
                f"{path}: {_below(group, part)} is a link elsewhere, which is not followed: expected "
                f"the weights in the file itself"
            )
        group = group[part]
    return group


def _array(budget: Budget, dataset: Any) -> numpy.ndarray:
    """The values of a dataset: floating point or whole numbers; bfloat16 as float32."""
    path = budget.path
    if not isinstance(dataset, h5py.Dataset) or dataset.shape is None:
        raise WeightsError(f"{path}: {dataset.name} holds no values: expected an array")
    if dataset.external or dataset.is_virtual:
        raise WeightsError(f"{path}: {dataset.name} has its values in another file, which is not opened")
    bfloat16 = dataset.dtype.kind == "V" and _text(_attribute(path, dataset, "dtype", "")) == "bfloat16"
    if not bfloat16 and dataset.dtype.kind not in "fiu":
        raise WeightsError(f"{path}: {dataset.name} is of type {dataset.dtype}: expected numbers")
    budget.take(dataset.name, dataset.shape, dataset.dtype.itemsize)
    if math.prod(dataset.chunks or ()) > max(dataset.size, MAX_CHUNK):  # unpacked as a whole, however little is asked
        raise WeightsError(f"{path}: {dataset.name} is stored in pieces {dataset.chunks}, larger than itself")
    if bfloat16:
        return (dataset[()].view("<u2").astype(numpy.uint32) << 16).view(numpy.float32)
    return dataset[()]


def _attribute(path: str, thing: Any, name: str, default: Any = None) -> Any:
    """An attribute of a group or a dataset, of at most MAX_NAMES values."""
    if name not in thing.attrs:
        return default
    number = math.prod(thing.attrs.get_id(name).shape or ())
    if number > MAX_NAMES:
        raise WeightsError(f"{path}: {thing.name} has {number:,} {name}: expected at most {MAX_NAMES:,}")
    return thing.attrs[name]


def _has(group: Any, attribute: str) -> bool:
    return attribute in group.attrs or f"{attribute}0" in group.attrs


def _listed(path: str, group: Any, attribute: str) -> List[str]:
    """The names in an attribute; Keras cuts lists above 64 kB into layer_names0, layer_names1, ..."""
    if not _has(group, attribute):
        raise WeightsError(f"{path}: {group.name} has no attribute {attribute}: expected it on every layer")
    if attribute in group.attrs:
        return [_text(name) for name in _attribute(path, group, attribute)]
    names, chunk = [], 0
    while f"{attribute}{chunk}" in group.attrs:
        names += [_text(name) for name in _attribute(path, group, f"{attribute}{chunk}")]
        chunk += 1
    return names


def _key(path: str, layer: str, weight: str) -> str:
    """``layer/variable`` for a weight as Keras names it: ``conv1/kernel:0``, ``conv1_W_1:0``."""
    scope, _, variable = weight.rpartition("/")
    if not scope and variable.startswith(f"{layer}_"):
        variable = variable[len(layer) + 1 :]
    variable = re.sub(r"(_\d+)?(:\d+)?$", "", variable)
    variable = TODAY.get(variable, variable)
    if variable not in KERAS_PARTS:
        raise WeightsError(f"{path}: {layer} has a variable {weight}: expected {', '.join(KERAS_PARTS)}")
    return f"{layer}/{variable}"


def _grouped(budget: Budget, root: Any) -> Arrays:
    """The arrays of a file with a group for each layer, named in attributes."""
    path = budget.path

    def pairs() -> Iterator[Tuple[str, numpy.ndarray]]:
        for name in _listed(path, root, "layer_names"):
            group = _follow(path, root, name)
            weights = [weight for weight in _listed(path, group, "weight_names") if "seed_generator" not in weight]
            scopes = {weight.rpartition("/")[0] for weight in weights}
            for weight in weights:
                # A group of many scopes is a model, and they are its layers. A single scope may differ from the group:
                # conv1_1/kernel in a network made twice in a session, model/conv1/kernel in a Sequential.
                layer = weight.split("/")[-2] if len(scopes) > 1 and "/" in weight else name
                yield _key(path, layer, weight), _array(budget, _follow(path, group, weight))

    return _flat(path, pairs())


def _groups(path: str, group: Any, trail: Tuple[str, ...], seen: Set[int]) -> Iterator[Tuple[Tuple[str, ...], Any]]:
    """(names from the layers' group downwards, the group vars) for all layers in layers.

    ``seen`` has the places of groups in the file: one that is linked into itself would have no end.
    """
    if len(trail) > MAX_DEPTH:
        raise WeightsError(f"{path}: {group.name} is more than {MAX_DEPTH} groups deep: expected layers in layers")
    place = h5py.h5o.get_info(group.id).addr
    if place in seen:
        raise WeightsError(f"{path}: {group.name} is there under two names: expected layers in layers")
    seen.add(place)
    for name in _children(group):
        parts = name.split("\\")
        if not trail and parts[0] not in LAYERS:
            continue  # the optimizer's, the metrics' and the model's own
        child = _follow(path, group, name)
        if name == "vars":
            yield trail, child
        elif isinstance(child, h5py.Group):
            yield from _groups(path, child, trail + tuple(parts), seen)


def _numbered(budget: Budget, root: Any) -> Iterator[Numbered]:
    """All layers with variables of a .weights.h5 file."""
    path = budget.path
    for trail, group in _groups(path, root, (), set()):
        numbers = sorted(_children(group), key=lambda number: (len(number), number))
        if not numbers or trail[-1] == "seed_generator":
            continue
        numbered = re.fullmatch(r"(.*)_(\d+)", trail[-1])
        kind, number = numbered.groups() if numbered else (trail[-1], "0")
        parts, name = KINDS.get(kind, ()), _attribute(path, group, "name")
        is_norm = kind == "batch_normalization"
        enough = len(numbers) == len(parts) if is_norm else len(numbers) <= len(parts)
        if not enough or numbers != [str(i) for i in range(len(numbers))]:
            raise WeightsError(
                f"{path}: {group.name} holds {', '.join(numbers)}: expected the variables of a Conv2D, "
                f"a Dense or a BatchNormalization with both scale and shift"
            )
        variables = {part: _array(budget, _follow(path, group, number)) for part, number in zip(parts, numbers)}
        yield None if name is None else _text(name), kind, (trail[:-1], int(number)), variables


def _shape(conv: Conv) -> Tuple[int, int, int, int]:
    """Keras' shape of a convolution's kernel."""
    return conv.kernel, conv.kernel, conv.in_channels, conv.out_channels


def _by_order(path: str, layers: List[Numbered]) -> List[Tuple[str, Arrays]]:
    """[(layer's name, its variables)], named as in the ResNet whose convolutions have these shapes in this order.

    keras.applications and the networks of 2016 have different orders: in a block that projects, the last convolution
    and the shortcut's have the same depth, and the one that is added first comes first. Layers after the body are its
    head: one matrix that fits is the classifier, others keep the names that their numbers give.
    """
    model = _model_of_most_convolutions(layers)
    body = sorted((layer for layer in layers if layer[2][0] == model), key=lambda layer: layer[2])
    by_kind = {kind: [layer for layer in body if layer[1] == kind] for kind in KINDS}
    for naming in ("keras", "keras-2016"):
        for depth in DEPTHS:
            named = keras_order(naming, layout(get_spec(depth, NAMINGS[naming].families[0])))
            pairs = [pair for kind in BODY for pair in zip(named[kind], by_kind[kind])]
            if len(pairs) < sum(len(named[kind]) for kind in BODY):
                continue
            convs = pairs[1 : len(named["conv2d"])]  # the stem's input channels are the user's choice
            if all(_shape(conv) == layer[3]["kernel"].shape for (conv, _), layer in convs):
                used = {id(layer) for _, layer in pairs}
                head = [layer for layer in layers if id(layer) not in used]
                return [(name, layer[3]) for (_, name), layer in pairs] + _head(head, *named["dense"][0])
    counts = {kind: sum(layer[1] == kind for layer in layers) for kind in KINDS}
    raise WeightsError(
        f"{path}: its layers have numbers for names (Keras before 3.6), and no ResNet has "
        f"{counts['conv2d']} convolutions, {counts['batch_normalization']} batch norms and "
        f"{counts['dense']} matrices of these shapes in order: save it as .h5 with Keras' save(...), "
        f"which keeps the names"
    )


def _model_of_most_convolutions(layers: List[Numbered]) -> Tuple[str, ...]:
    """The path of the groups of the model, perhaps in another model, that has most of the convolutions."""
    counts = Counter(trail for _, kind, (trail, _), _ in layers if kind == "conv2d")
    return max(counts, key=lambda trail: counts[trail], default=())


def _head(layers: List[Numbered], classifier: Dense, name: str) -> List[Tuple[str, Arrays]]:
    """The layers after the body by their names; ``name`` is that of the network's own ``classifier``."""
    if len(layers) == 1 and layers[0][1] == "dense" and layers[0][3]["kernel"].shape[:1] == (classifier.in_units,):
        return [(name, layers[0][3])]
    return [(f"head_{kind}_{i}", variables) for i, (_, kind, _, variables) in enumerate(layers)]
