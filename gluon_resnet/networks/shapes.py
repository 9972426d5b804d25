"""What comes out of every layer: the chapter's walk, and a summary with parameters, multiply-adds and bytes.

    gluon-resnet shapes resnet18 --input 1,1,224,224
    gluon-resnet summary resnet50@torchvision --input 1,3,224,224 --depth 2

A multiply-add is one multiplication and the addition that takes its product in, counted for convolutions and dense
layers, padding included, biases and batch norm left out: the way Table 1 of He et al. counts its "FLOPs".
"""

from functools import reduce
from operator import mul

import mxnet as mx
import numpy
import pandas as pd
from mxnet.gluon import nn
from mxnet.gluon.nn.conv_layers import _Conv
from mxnet.util import is_np_array

from ..errors import ShapeError

SUMMARY_COLUMNS = ["layer", "type", "output_shape", "parameters", "multiply_adds", "output_bytes"]


def parse_shape(text):
    """(1, 3, 224, 224) from "1,3,224,224" or "1x3x224x224"; ShapeError for anything but four positive numbers."""
    parts = text.replace("x", ",").split(",")
    try:
        shape = tuple(int(part) for part in parts)
    except ValueError:
        shape = ()
    if len(shape) != 4 or min(shape) < 1:
        raise ShapeError(f"input shape '{text}': expected four positive whole numbers N,C,H,W, such as 1,3,224,224")
    return shape


def zeros(shape, ctx=None):
    """Zeros of ``shape``, float32, as the array type in force: mxnet.np under ``npx.set_np()``, otherwise mxnet.nd."""
    return (mx.np if is_np_array() else mx.nd).zeros(shape, ctx=ctx)


def _forward(layer, X, where):
    """layer(X), computed to the end; mxnet's complaint about the shape becomes one line."""
    try:
        Y = layer(X)
        Y.wait_to_read()
    except (mx.MXNetError, ValueError) as error:  # ValueError: gluon could not infer the shapes of deferred parameters
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = next((line for line in lines if "Check failed" in line or "MXNetError" in line), lines[0])
        reason = reason.split("Check failed:")[-1].split("MXNetError:")[-1].strip(" :")
        raise ShapeError(
            f"{where} cannot take an input of shape {tuple(X.shape)}: {reason}; "
            f"give a larger height and width, or check the number of channels"
        ) from None
    return Y


def _as_input(net, X):
    """X as an array, and the network's parameters in place: initialized where nobody has done it yet."""
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


def layer_shapes(net, X):
    """Send X layer by layer through ``net`` and return the walk as a table: columns ``name`` and ``output_shape``.

    ``net`` is any (Hybrid)Sequential, or another block, whose direct children are then listed in the order they run.
    X is an array (N, C, H, W) or its shape. Raises ShapeError where a layer cannot take what reaches it.
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


def walk_lines(table):
    """The lines of article 001's walk for the rows of :func:`layer_shapes`, such as
    ``conv0 output shape:<TAB> (1, 64, 112, 112)``."""
    return [f"{row.name} output shape:\t {row.output_shape}" for row in table.itertuples(index=False)]


class watched:
    """Context in which every call of one of ``layers`` inside ``net`` is noted as (layer, input, output).

    A hybridized block runs as one compiled graph in which its children are never called, so blocks above the watched
    layers are run imperatively meanwhile; what was compiled stays.
    """

    def __init__(self, net, layers):
        self.net, self.layers = net, layers

    def __enter__(self):
        seen = []
        self.handles = [
            layer.register_forward_hook(lambda block, inputs, output: seen.append((block, inputs[0], output)))
            for layer in self.layers
        ]
        self.active = []

        def pause(block):
            if getattr(block, "_active", False):
                self.active.append(block)
                block._active = False

        self.net.apply(pause)
        return seen

    def __exit__(self, *_):
        for handle in self.handles:
            handle.detach()
        for block in self.active:
            block._active = True


def _leaves(block, path=()):
    """(path, layer) of every layer without children below ``block``, in order; a path is a tuple of child names."""
    if not block._children:
        yield path, block
    for name, child in block._children.items():
        yield from _leaves(child, path + (name,))


def _size(shape):
    return reduce(mul, shape, 1)


def multiply_adds(layer, Y):
    """Multiply-adds that ``layer`` spends on the output Y, (N, C, H, W) or (N, C); 0 but for convolution and dense."""
    if isinstance(layer, (_Conv, nn.Dense)):
        return _size(Y.shape) * _size(layer.weight.shape[1:])
    return 0


def summary(net, X, depth=None):
    """One row a layer, in running order: layer, type, output_shape, parameters, multiply_adds, output_bytes.

    ``parameters`` are the trainable ones; ``output_bytes`` is the size of the layer's output, in a row that stands for
    several layers (``depth`` levels of blocks, all if None) the sum over them. The rows sum to the totals of the
    network. X is an array (N, C, H, W) or its shape, whose N pictures ``multiply_adds`` and ``output_bytes`` count.
    """
    X = _as_input(net, X)
    leaves = list(_leaves(net))
    blocks = {path[:end]: net for path, _ in leaves for end in range(len(path) + 1)}
    for path in blocks:
        for name in path:
            blocks[path] = blocks[path]._children[name]
    with watched(net, list(blocks.values())) as seen:
        _forward(net, X, net.name)
    outputs = {id(block): Y for block, _, Y in seen}
    order = {id(block): position for position, (block, _, _) in enumerate(seen)}
    rows, counted = {}, set()
    for path, layer in sorted((leaf for leaf in leaves if id(leaf[1]) in order), key=lambda leaf: order[id(leaf[1])]):
        key = path if depth is None else path[: max(1, depth)]
        block = blocks[key]
        row = rows.setdefault(
            key,
            {
                "layer": ".".join((net._children[key[0]].name, *key[1:])) if key else net.name,
                "type": type(block).__name__,
                "output_shape": tuple(outputs[id(block)].shape),
                "parameters": 0,
                "multiply_adds": 0,
                "output_bytes": 0,
            },
        )
        Y = outputs[id(layer)]
        for param in layer.params.values():
            # v2's asks for a gradient of 0
            fixed = getattr(layer, "_kwargs", {}).get("fix_gamma") and param is layer.gamma
            if param.grad_req != "null" and not fixed and id(param) not in counted:
                counted.add(id(param))
                row["parameters"] += _size(param.shape)
        row["multiply_adds"] += multiply_adds(layer, Y)
        row["output_bytes"] += _size(Y.shape) * numpy.dtype(Y.dtype).itemsize
    return pd.DataFrame(list(rows.values()), columns=SUMMARY_COLUMNS)


def totals(table):
    """Sums of a summary's numbers: a dict with parameters, multiply_adds and output_bytes."""
    return {column: int(table[column].sum()) for column in ("parameters", "multiply_adds", "output_bytes")}
