"""What comes out of every layer: the chapter's walk, and a summary with parameters, multiply-adds and bytes.

    gluon-resnet shapes resnet18 --input 1,1,224,224
    gluon-resnet summary resnet50@torchvision --input 1,3,224,224 --depth 2

A multiply-add is one multiplication and the addition that takes its product in, counted for convolutions and dense
layers, padding included, biases and batch norm left out: the way Table 1 of He et al. counts its "FLOPs".
"""

from dataclasses import dataclass, field
from functools import reduce
from operator import mul
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

import mxnet as mx
import numpy
import pandas as pd
from mxnet.gluon import nn
from mxnet.gluon.nn.conv_layers import _Conv
from mxnet.util import is_np_array

from ..errors import ShapeError
from .layout import children, place_name

#: ``place`` is there for the networks of this suite alone.
SUMMARY_COLUMNS = ["layer", "place", "type", "output_shape", "parameters", "multiply_adds", "output_bytes"]

Shape = Tuple[int, ...]
Path = Tuple[str, ...]  # names of children, from the network downwards


def parse_shape(text: str) -> Shape:
    """(1, 3, 224, 224) from "1,3,224,224" or "1x3x224x224"; ShapeError for anything but four positive numbers."""
    parts = text.replace("x", ",").split(",")
    try:
        shape: Shape = tuple(int(part) for part in parts)
    except ValueError:
        shape = ()
    if len(shape) != 4 or min(shape) < 1:
        raise ShapeError(f"input shape '{text}': expected four positive whole numbers N,C,H,W, such as 1,3,224,224")
    return shape


def zeros(shape: Shape, ctx: Optional[mx.Context] = None) -> Any:
    """Zeros of ``shape``, float32, as the array type in force: mxnet.np under ``npx.set_np()``, otherwise mxnet.nd."""
    return (mx.np if is_np_array() else mx.nd).zeros(shape, ctx=ctx)


def complaint(error: Exception) -> str:
    """What mxnet complains about, without the lines around it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    reason = next((line for line in lines if "Check failed" in line or "MXNetError" in line), lines[0])
    return reason.split("Check failed:")[-1].split("MXNetError:")[-1].strip(" :")


def _forward(layer: nn.Block, X: Any, where: str) -> Any:
    """layer(X), computed to the end; mxnet's complaint about the shape becomes one line."""
    try:
        Y = layer(X)
        Y.wait_to_read()
    except (mx.MXNetError, ValueError) as error:  # ValueError: gluon could not infer the shapes of deferred parameters
        raise ShapeError(
            f"{where} cannot take an input of shape {tuple(X.shape)}: {complaint(error)}; "
            f"give a larger height and width, or check the number of channels"
        ) from None
    return Y


def _as_input(net: nn.Block, X: Any) -> Any:
    """X as an array; initializes the network's parameters if that has not been done yet."""
    params = list(net.collect_params().values())
    started = [param for param in params if param._data is not None or param._deferred_init]
    if isinstance(X, (tuple, list)):
        shape = parse_shape(",".join(str(size) for size in X))
        try:
            X = zeros(shape, started[0].list_ctx()[0] if started else None)
            X.wait_to_read()
        except mx.MXNetError:
            raise ShapeError(f"input shape {shape}: more than this machine can hold; give a smaller one") from None
    if len(started) < len(params):
        net.initialize(ctx=X.context)
    return X


def layer_shapes(net: nn.Block, X: Any) -> pd.DataFrame:
    """Send X layer by layer through ``net`` and return the walk as a table: columns ``name`` and ``output_shape``.

    ``net`` is any (Hybrid)Sequential, or another block, whose direct children are then listed in the order they run.
    X is an array (N, C, H, W) or its shape. Raises ShapeError for a layer that cannot take what reaches it.
    Source: article 001.
    """
    X = _as_input(net, X)
    rows = []
    if isinstance(net, (nn.Sequential, nn.HybridSequential)):
        for layer in net:
            X = _forward(layer, X, layer.name)
            rows.append((layer.name, tuple(X.shape)))
    else:
        with watched(net, list(net._children.values())) as seen:
            _forward(net, X, net.name)
        rows = [(layer.name, tuple(Y.shape)) for layer, _, Y in seen]
    return pd.DataFrame(rows, columns=["name", "output_shape"])


def walk_lines(table: pd.DataFrame) -> List[str]:
    """The rows of :func:`layer_shapes` as article 001 prints them: ``conv0 output shape:<TAB> (1, 64, 112, 112)``."""
    return [f"{row.name} output shape:\t {row.output_shape}" for row in table.itertuples(index=False)]


class _Imperative:
    """Context in which ``net`` runs block by block.

    A hybridized block runs as one compiled graph in which its children are never called. So the blocks are run
    imperatively in the meantime; what was compiled stays.
    """

    def __init__(self, net: nn.Block):
        self.net = net
        self.active: List[nn.Block] = []

    def __enter__(self) -> None:
        def pause(block: nn.Block) -> None:
            if getattr(block, "_active", False):
                self.active.append(block)
                block._active = False

        self.net.apply(pause)

    def __exit__(self, *_: Any) -> None:
        for block in self.active:
            block._active = True


class watched:
    """Context that notes every call of one of ``layers`` inside ``net`` as (layer, input, output), in running order."""

    def __init__(self, net: nn.Block, layers: Sequence[nn.Block]):
        self.layers = list({id(layer): layer for layer in layers}.values())  # a shared one is noted once a call
        self.imperative = _Imperative(net)

    def __enter__(self) -> List[Tuple[nn.Block, Any, Any]]:
        seen: List[Tuple[nn.Block, Any, Any]] = []
        self.handles = [
            layer.register_forward_hook(lambda block, inputs, output: seen.append((block, inputs[0], output)))
            for layer in self.layers
        ]
        self.imperative.__enter__()
        return seen

    def __exit__(self, *error: Any) -> None:
        for handle in self.handles:
            handle.detach()
        self.imperative.__exit__(*error)


@dataclass
class _Call:
    """One call of a block inside the call ``above``, and the shape and type of its output."""

    block: nn.Block
    above: Optional["_Call"]
    path: Path
    output_shape: Shape = ()
    output_bytes: int = 0
    children: Dict[int, int] = field(default_factory=dict)  # id of a block -> how often this call has called it

    def chain(self) -> List["_Call"]:
        """The calls from the network's own down to this one."""
        return ([] if self.above is None else self.above.chain()) + [self]


def _calls(net: nn.Block, X: Any) -> List[_Call]:
    """The calls of all blocks during net(X), in the order they end."""
    running: List[_Call] = []
    ended: List[_Call] = []

    def begin(block: nn.Block, _: Any) -> None:
        above = running[-1] if running else None
        running.append(_Call(block, above, () if above is None else _path_of_call(above, block)))

    def end(block: nn.Block, _: Any, output: Any) -> None:
        call = running.pop()
        first = output[0] if isinstance(output, (list, tuple)) else output
        call.output_shape = tuple(first.shape)
        call.output_bytes = _size(first.shape) * numpy.dtype(first.dtype).itemsize
        ended.append(call)

    blocks = {id(net): net}
    net.apply(lambda block: blocks.setdefault(id(block), block))
    handles = [block.register_forward_pre_hook(begin) for block in blocks.values()]
    handles += [block.register_forward_hook(end) for block in blocks.values()]
    try:
        with _Imperative(net):
            _forward(net, X, net.name)
    finally:
        for handle in handles:
            handle.detach()
    return ended


def _path_of_call(above: _Call, block: nn.Block) -> Path:
    """Where ``block`` is when ``above`` calls it; of several names in one parent the next one at each call."""
    names = [name for name, child in above.block._children.items() if child is block]
    if not names:  # a grandchild, or a block from elsewhere
        deeper = (path for path, child in _below(above.block) if child is block)
        return above.path + next(deeper, (block.name,))
    number = above.children[id(block)] = above.children.get(id(block), -1) + 1
    return above.path + (names[number % len(names)],)


def _below(block: nn.Block) -> Iterator[Tuple[Path, nn.Block]]:
    """(path, block) of all blocks below ``block``, in order."""
    for name, child in block._children.items():
        yield (name,), child
        yield from (((name, *path), grandchild) for path, grandchild in _below(child))


def multiply_adds(layer: nn.Block, output_shape: Shape) -> int:
    """Multiply-adds of ``layer`` for an output of (N, C, H, W) or (N, C); 0 but for convolution and dense."""
    if isinstance(layer, (_Conv, nn.Dense)):
        return _size(output_shape) * _size(layer.weight.shape[1:])
    return 0


def summary(net: nn.Block, X: Any, depth: Optional[int] = None) -> pd.DataFrame:
    """A table of the layers of ``net`` in running order, whose rows sum to the totals of the network.

    A layer that is called several times has a row for each call, and its parameters in the first.

    Args:
        net: any Gluon network; one that is not initialized becomes so.
        X: an array (N, C, H, W) or its shape; ``multiply_adds`` and ``output_bytes`` count its N images.
        depth: levels of blocks to open, all if None. A block that stays closed is one row for all its layers.

    Returns:
        Columns layer, place, type, output_shape, parameters, multiply_adds, output_bytes. ``place`` says where the
        layer is, such as stage1.block0.conv1; only the networks of this suite have that column. ``parameters`` are the
        trainable ones, ``output_bytes`` the size of the layer's output, or the sum over the layers of a row.

    Raises:
        ShapeError: a layer cannot take what reaches it.
    """
    X = _as_input(net, X)
    rows: Dict[int, Dict[str, Any]] = {}  # by the call that is shown
    counted = set()
    for call in _calls(net, X):
        layer = call.block
        if layer._children:
            continue
        chain = call.chain()
        shown = chain[-1] if depth is None else chain[min(max(1, depth), len(chain) - 1)]
        row = rows.setdefault(id(shown), _row(net, shown))
        for param in _trainable(layer):
            if id(param) not in counted:  # shared by several layers, or of a layer that is called again: counted once
                counted.add(id(param))
                row["parameters"] += _size(param.shape)
        row["multiply_adds"] += multiply_adds(layer, call.output_shape)
        row["output_bytes"] += call.output_bytes
    columns = [column for column in SUMMARY_COLUMNS if column != "place" or _has_places(net)]
    return pd.DataFrame(list(rows.values()), columns=columns)


def totals(table: pd.DataFrame) -> Dict[str, int]:
    """Sums of a summary's numbers: parameters, multiply_adds and output_bytes."""
    return {column: int(table[column].sum()) for column in ("parameters", "multiply_adds", "output_bytes")}


def _size(shape: Shape) -> int:
    return reduce(mul, shape, 1)


def _row(net: nn.Block, call: _Call) -> Dict[str, Any]:
    """The row of a call, with nothing counted yet."""
    return {
        **_names(net, call.path),
        "type": type(call.block).__name__,
        "output_shape": call.output_shape,
        "parameters": 0,
        "multiply_adds": 0,
        "output_bytes": 0,
    }


def _trainable(layer: nn.Block) -> Iterator[Any]:
    """The parameters of ``layer`` that training changes; v2's fixed gamma asks for a gradient, which is 0."""
    fixed = getattr(layer, "_kwargs", {}).get("fix_gamma")
    for param in layer.params.values():
        if param.grad_req != "null" and not (fixed and param is layer.gamma):
            yield param


def _has_places(net: nn.Block) -> bool:
    """Is ``net`` a network of models.py, with the children that its layout has?"""
    spec = getattr(net, "spec", None)
    return spec is not None and len(net._children) == len(children(spec))


def _names(net: nn.Block, path: Path) -> Dict[str, str]:
    """What a row is called: the layer's name, and its place if the network has a layout."""
    if not path:
        return {"layer": net.name}
    child = net._children.get(path[0])
    names = {"layer": ".".join((path[0] if child is None else child.name, *path[1:]))}
    return {**names, "place": place_name(net.spec, ".".join(path))} if _has_places(net) else names
