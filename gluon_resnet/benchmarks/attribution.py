"""Which layer of a network a primitive of oneDNN's log belongs to; nothing here runs anything.

oneDNN does not know our layers' names: a convolution, batch norm or classifier of the log is the layer with its sizes.
If several layers have the same sizes, the first that runs is the first in the network, and on the way back the last. So
a projection and a convolution of the same sizes in one block may be taken for one another.
"""

from collections import defaultdict
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from ..machine.onednn_log import Primitive
from ..networks.cost import pooled_size
from ..networks.layout import Conv, Layout, Norm

#: What a layer's primitives have in common in the log: its kind and its sizes.
Key = Tuple[Any, ...]

#: columns of a layer: {a primitive's direction begins with this: column}
DIRECTIONS = {
    "forward": "forward",
    "backward_data": "to the data",
    "backward_weights": "to the weights",
    "undef": "no direction",
}
#: {kind of a primitive that is no layer with parameters: what it is called}
REST = {
    "reorder": "(changes of memory layout)",
    "sum": "(sums)",
    "binary": "(sums)",
    "eltwise": "(ReLU)",
    "pooling": "(pooling)",
}


def keys(plan: Layout, size: Tuple[int, int]) -> List[Tuple[str, Key]]:
    """[(layer's name, its key)] of all layers with parameters, in running order, for images of ``size``."""
    found: List[Tuple[str, Key]] = []

    def add(layer: Any, size: Tuple[int, int]) -> Tuple[int, int]:
        """Add a layer, if any; the size of its output."""
        if isinstance(layer, Norm):
            found.append((layer.name, ("batch_normalization", layer.channels, *size)))
        elif isinstance(layer, Conv):
            sizes = (layer.in_channels, layer.out_channels, layer.kernel, layer.stride)
            found.append((layer.name, ("convolution", *sizes, *size)))
            return layer.out_size(*size)
        elif layer is not None:
            found.append((layer.name, ("inner_product", layer.in_units, layer.units)))
        return size

    add(plan.input_norm, size)
    out = size
    for conv, norm in plan.stem:
        out = add(norm, add(conv, out))
    if plan.pool_padding is not None:
        out = Conv("", 0, 0, 3, 2, plan.pool_padding, False).out_size(*out)
    for stage in plan.stages:
        for block in stage:
            out = _add_block(block, out, add)
    add(plan.final_norm, out)
    add(plan.classifier, (1, 1))
    return found


def _add_block(block: Any, size: Tuple[int, int], add: Any) -> Tuple[int, int]:
    out = size
    for conv, norm in block.body:
        if block.preactivation:
            add(norm, out)
            out = add(conv, out)
        else:
            out = add(norm, add(conv, out))
    if block.shortcut:
        conv, norm = block.shortcut
        add(norm, add(conv, pooled_size(size) if block.pooled else size))
    return out


def key_of(primitive: Primitive) -> Optional[Key]:
    """The key of the layer that a primitive belongs to, or None if it is no layer with parameters."""
    sizes = primitive.sizes
    try:
        if primitive.kind == "convolution":
            return ("convolution", *(sizes[name] for name in ("ic", "oc", "kh", "sh", "ih", "iw")))
        if primitive.kind == "batch_normalization":
            return ("batch_normalization", sizes["ic"], sizes["ih"], sizes["iw"])
        if primitive.kind == "inner_product":
            return ("inner_product", sizes["ic"], sizes["oc"])
    except KeyError:
        pass
    return None


def column_of(primitive: Primitive) -> str:
    """Forward, backward to the data or to the weights, or neither; a plain "backward" counts as to the data."""
    starts = (column for start, column in DIRECTIONS.items() if primitive.direction.startswith(start))
    return next(starts, DIRECTIONS["backward_data"])


def attributed(step: Sequence[Primitive], layers: Sequence[Tuple[str, Key]]) -> Iterator[Tuple[str, Primitive]]:
    """(layer's name, or what else it is in brackets, primitive) for each primitive of a step."""
    names: Dict[Key, List[str]] = defaultdict(list)
    for name, key in layers:
        names[key].append(name)
    seen: Dict[Tuple[Key, str], int] = defaultdict(int)
    for primitive in step:
        layer, column = key_of(primitive), column_of(primitive)
        if layer is None or layer not in names:
            yield REST.get(primitive.kind, "(other primitives)"), primitive
            continue
        number = seen[layer, column] % len(names[layer])
        seen[layer, column] += 1
        yield names[layer][number if column == "forward" else -1 - number], primitive
