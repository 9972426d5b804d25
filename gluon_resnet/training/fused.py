"""A network for predicting alone: each convolution with its batch norm, sum and ReLU as one operator of oneDNN.

    network = FusedNetwork(layout(spec, 3), params)        # params: {our parameter name: float32 array}
    network(X)                                             # X (N, C, H, W) float32 -> logits (N, num_classes)
    network.activations(X)                                 # {layer name: array} of the layers that are left

Batch norm is folded into the convolutions by hand (byhand/folded.py), as mxnet's own fusion knows no batch norm with
a ReLU in it. The rest of the fusion is mxnet's subgraph "MKLDNN": a convolution, the sum after it and the ReLU after
that become one node. Where a batch norm folds into no convolution (the first of a pre-activated block, the one after
the last stage, the one of the image), it stays, with its ReLU. Option A's shortcut is a 1x1 convolution with ones on a
diagonal, which is exact and takes part in the fusion.

The graph is built from classic symbols and called as it is, so ``npx.set_np()`` makes no difference. It is for
CPUs: see :func:`unsuitable`.

Where winograd.py finds Winograd's algorithm faster, convolutions are Winograd's here, too. For predicting, oneDNN
prefers a direct one to it, whatever the size; for training it does not. So graphs in which no batch norm is left are
called as in training, which changes nothing else in them.
"""

import os
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import mxnet as mx
import numpy
from mxnet.contrib.amp.amp import bfloat16

from ..byhand.folded import fold
from ..byhand.params import norm_params
from ..networks.layout import Block, Conv, Layout, Norm, Pad, stem_kinds
from . import winograd

BACKEND = "MKLDNN"
INPUT = "data"

Arrays = Dict[str, numpy.ndarray]


def unsuitable(device: Optional[mx.Context] = None) -> Optional[str]:
    """Why a network cannot be fused on ``device`` (a CPU if None), in a few words, or None."""
    if device is not None and device.device_type != "cpu":
        return "the fusion is for CPUs"
    if not mx.runtime.Features().is_enabled("MKLDNN"):
        return "this mxnet was built without oneDNN"
    if os.environ.get("MXNET_MKLDNN_ENABLED", "1") == "0":
        return "MXNET_MKLDNN_ENABLED=0 turns oneDNN off"
    return None


class Graph:
    """A layout as a symbol of classic operators; ``arrays`` are the parameters, batch norms folded in.

    The methods take and return symbols. A node has the name of the layer whose output it gives, with the ReLU after it.

    Args:
        plan: the network's layout.
        params: {parameter name of the layout: float32 array}.
        precision: "float32" or "bfloat16", of everything between the stem and the classifier.
    """

    def __init__(self, plan: Layout, params: Mapping[str, numpy.ndarray], precision: str = "float32") -> None:
        self.plan, self.params, self.precision = plan, dict(params), precision
        self.arrays: Dict[str, Any] = {}
        self.output = self._build()

    def _build(self) -> Any:
        plan, places = self.plan, self.plan.places
        X = mx.sym.var(INPUT)
        if plan.input_norm is not None:
            X = self.norm(X, plan.input_norm)
        for kind, (conv, norm) in zip(stem_kinds(plan.spec), plan.stem):
            X = self.conv(X, conv, norm, short=False)
            if norm is not None:
                X = mx.sym.Activation(X, act_type="relu", name=places[f"{kind}_relu"])
        X = self.cast(X, self.precision)
        if plan.pool_padding is not None:
            X = mx.sym.Pooling(
                X, kernel=(3, 3), stride=(2, 2), pad=(plan.pool_padding,) * 2, pool_type="max", name=places["max_pool"]
            )
        for stage in plan.stages:
            for block in stage:
                X = self.preactivated(X, block) if block.preactivation else self.block(X, block)
        if plan.final_norm is not None:
            X = self.norm(self.cast(X, "float32"), plan.final_norm, places["final_relu"])
        return self.head(X)

    def head(self, X: Any) -> Any:
        """Feature maps to logits (N, num_classes)."""
        places, layer = self.plan.places, self.plan.classifier
        X = self.cast(X, "float32")
        X = mx.sym.Pooling(X, global_pool=True, kernel=(1, 1), pool_type="avg", name=places["average_pool"])
        if isinstance(layer, Conv):
            return mx.sym.Flatten(self.conv(X, layer, short=False), name=places["flatten"])
        weight, bias = (self.parameter(name, self.params[name]) for name in layer.params)
        X = mx.sym.FullyConnected(X, weight, bias, num_hidden=layer.units, name=layer.name)
        return mx.sym.Activation(X, act_type="relu", name=places["head_relu"]) if "head_relu" in places else X

    def block(self, X: Any, block: Block) -> Any:
        """relu(body(X) + shortcut(X)); of a plain block without the sum."""
        Y = X
        for conv, norm in block.body[:-1]:
            assert norm is not None  # only a body's last convolution may do without
            Y = mx.sym.Activation(self.conv(Y, conv, norm), act_type="relu", name=norm.name)
        Y = self.conv(Y, *block.body[-1])
        Y = self.add(Y, X, X, block)
        return mx.sym.Activation(Y, act_type="relu", name=block.name)

    def preactivated(self, X: Any, block: Block) -> Any:
        """body(X) + shortcut(X), where each batch norm but the first folds into the convolution before it."""
        norms = [norm for _, norm in block.body]
        assert norms[0] is not None
        activated = Y = self.norm(X, norms[0], norms[0].name)
        for (conv, _), norm in zip(block.body, [*norms[1:], None]):
            Y = self.conv(Y, conv, norm)
            Y = Y if norm is None else mx.sym.Activation(Y, act_type="relu", name=norm.name)
        return self.add(Y, X, activated, block)

    def add(self, Y: Any, X: Any, projected: Any, block: Block) -> Any:
        """Y plus the shortcut: a projection of ``projected``, option A's or X itself; Y alone in a plain block."""
        if not block.adds:
            return Y
        if block.shortcut is not None:
            X = self.conv(self.pooled(projected, block) if block.pooled else projected, *block.shortcut)
        elif block.pad is not None:
            X = self.padded(X, block)
        # a pre-activated block's sum is its output
        return mx.sym.elemwise_add(Y, X, name=block.name if block.preactivation else f"{block.name}.sum")

    def pooled(self, X: Any, block: Block) -> Any:
        """The means of X's 2x2 windows, at an odd border of what there is of them."""
        return mx.sym.Pooling(
            X,
            kernel=(2, 2),
            stride=(2, 2),
            pool_type="avg",
            pooling_convention="full",
            count_include_pad=False,
            name=f"{block.name}.pool",
        )

    def padded(self, X: Any, block: Block) -> Any:
        """X[:, :, ::stride, ::stride] between channels of zeros, by ones in a 1x1 convolution."""
        pad = block.pad
        assert isinstance(pad, Pad)
        channels = block.body[0][0].in_channels
        weight = numpy.eye(pad.before + channels + pad.after, dtype="float32")[:, pad.before : pad.before + channels]
        return self._convolution(
            X,
            Conv(f"{block.name}.pad", channels, len(weight), 1, pad.stride, 0, False),
            weight[:, :, None, None],
            numpy.zeros(len(weight)),
        )

    def conv(self, X: Any, conv: Conv, norm: Optional[Norm] = None, short: bool = True) -> Any:
        """The convolution with the batch norm after it, if any; in float32 if not ``short``."""
        return self._convolution(X, conv, *fold(conv, norm, self.params), short)

    def _convolution(self, X: Any, conv: Conv, weight: numpy.ndarray, bias: numpy.ndarray, short: bool = True) -> Any:
        return mx.sym.Convolution(
            X,
            self.parameter(f"{conv.name}.weight", weight, short),
            self.parameter(f"{conv.name}.bias", bias, short),
            kernel=(conv.kernel,) * 2,
            stride=(conv.stride,) * 2,
            pad=(conv.padding,) * 2,
            num_filter=conv.out_channels,
            num_group=conv.groups,
            name=conv.name,
        )

    def norm(self, X: Any, norm: Norm, with_relu: Optional[str] = None) -> Any:
        """A batch norm that stays one; ``with_relu`` is the name of the node if a ReLU follows."""
        names = [f"{norm.name}.{part}" for part in ("gamma", "beta", "running_mean", "running_var")]
        inputs = [self.parameter(name, values) for name, values in zip(names, norm_params(norm, self.params))]
        operator = mx.sym.contrib.BatchNormWithReLU if with_relu else mx.sym.BatchNorm
        return operator(X, *inputs, eps=norm.eps, fix_gamma=False, name=with_relu or norm.name)

    def parameter(self, name: str, values: numpy.ndarray, short: bool = False) -> Any:
        """A variable of the graph, and its values in ``arrays``; in the graph's precision if ``short``."""
        array = mx.nd.array(values, dtype="float32")
        if short and self.precision == "bfloat16":
            array = mx.nd.amp_cast(array, dtype=bfloat16)
        self.arrays[name] = array
        return mx.sym.var(name, shape=values.shape)

    def cast(self, X: Any, precision: str) -> Any:
        """X in ``precision``; X itself in a graph that is float32 throughout."""
        if self.precision == "float32":
            return X
        return mx.sym.amp_cast(X, dtype=bfloat16 if precision == "bfloat16" else precision)


def shown_layers(plan: Layout) -> Tuple[str, ...]:
    """Names of the layers whose outputs are still there in a fused network, in the order they run.

    They are those that end a fused operator: a batch norm with its ReLU, a block's sum with its ReLU.
    """
    places = plan.places
    stem = [f"{kind}_relu" if plan.spec.stem_bn else kind for kind in stem_kinds(plan.spec)]
    first = ("input_norm", *stem, "max_pool")
    names = [places[kind] for kind in first if kind in places]
    for stage in plan.stages:
        for block in stage:
            inner = block.body if block.preactivation else block.body[:-1]
            names += [norm.name for _, norm in inner if norm is not None]
            names += [block.name] if block.adds or not block.preactivation else []
    names += [places[kind] for kind in ("final_relu", "average_pool") if kind in places]
    return (*names, plan.classifier.name)


class FusedNetwork:
    """The network of a layout and its parameters, fused; on a CPU, in float32 or bfloat16."""

    def __init__(self, plan: Layout, params: Mapping[str, numpy.ndarray], precision: str = "float32") -> None:
        self.plan, self.graph = plan, Graph(plan, params, precision)
        # Called as in training, mxnet writes a line to standard error for each of ResNet-D's means.
        has_means = any(block.pooled for stage in plan.stages for block in stage)
        self.has_winograd = precision == "float32" and not has_means
        self._logits = Compiled(self.graph.output, self.graph.arrays, has_winograd=self.has_winograd)
        self._layers: Dict[Tuple[str, ...], Compiled] = {}  # made when they are asked for

    def __call__(self, X: numpy.ndarray) -> numpy.ndarray:
        """Logits (N, num_classes) float32 for X (N, C, H, W) float32."""
        return self._logits(X)[0]

    def features(self, X: numpy.ndarray) -> numpy.ndarray:
        """The last feature maps (N, K, h, w), which the average pooling takes."""
        return self._outputs(X, self._last())[0]

    def activations(self, X: numpy.ndarray) -> Arrays:
        """{layer name: array} of every layer of :func:`shown_layers`."""
        names = shown_layers(self.plan)
        return dict(zip(names, self._outputs(X, *names)))

    def _last(self) -> str:
        """Name of the node that computes the last feature maps."""
        block = self.plan.stages[-1][-1]
        unnamed = block.preactivation and not block.adds
        return self.plan.places.get("final_relu", block.body[-1][0].name if unnamed else block.name)

    def _outputs(self, X: numpy.ndarray, *names: str) -> List[numpy.ndarray]:
        if names not in self._layers:
            internals = self.graph.output.get_internals()
            outputs = [self.graph.cast(internals[f"{name}_output"], "float32") for name in names]
            group = mx.sym.Group(outputs)
            self._layers[names] = Compiled(group, self.graph.arrays, has_winograd=self.has_winograd)
        return self._layers[names](X)


class Compiled:
    """A symbol with its parameters, fused by mxnet: a function of X (N, C, H, W) that returns its outputs as a list.

    Plan and buffers belong to one shape of X and are re-made when it changes. Not for several threads at once.
    """

    def __init__(
        self, symbol: Any, arrays: Mapping[str, Any], backend: Optional[str] = BACKEND, has_winograd: bool = False
    ) -> None:
        fused = symbol.get_backend_symbol(backend) if backend else symbol
        self.names: Sequence[str] = fused.list_inputs()
        self.arrays = arrays
        self.has_winograd = has_winograd and not fused.list_auxiliary_states() and winograd.problem() is None
        self.shape: Optional[Tuple[int, ...]] = None  # that the plan is for
        self._call = mx.nd.CachedOp(fused, [("static_alloc", True), ("static_shape", True)])

    def __call__(self, X: numpy.ndarray) -> List[numpy.ndarray]:
        inputs = {**self.arrays, INPUT: mx.nd.array(X, dtype="float32")}
        as_in_training = self.has_winograd and len(X) > 1  # for one image nothing is gained
        # the operators keep the convolutions that they set up at their first call with a shape
        with winograd.convolutions(as_in_training and X.shape != self.shape):
            with mx.autograd.pause(train_mode=as_in_training):
                outputs = self._call(*(inputs[name] for name in self.names))
            outputs = outputs if isinstance(outputs, list) else [outputs]
            values = [output.asnumpy() for output in outputs]
        self.shape = X.shape
        return values
