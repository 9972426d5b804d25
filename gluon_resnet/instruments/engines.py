"""One network, several programs that run it: MXNet fused or as it is trained, by hand in NumPy, ONNX Runtime.

    engine = make_engine("byhand", spec, params)          # params: {our parameter name: float32 array}
    engine.logits(X)                                      # X (N, C, H, W) float32 -> (N, num_classes)
    engine.activations(X)                                 # {layer name: array}, in the order they run

Layers have the names of layout.py. A batch norm that a ReLU follows is shown with that ReLU, as Gluon runs the two as
one. The engine "gluon" is fused (training/fused.py), "gluon-plain" is the network as it is trained. Each engine imports
its own library: the one by hand runs without mxnet, and none but onnx needs ONNX Runtime.
"""

import sys
from functools import lru_cache
from typing import Any, Dict, List, Optional, Sequence, Set

import numpy

from ..byhand import ResNet
from ..errors import BackendError, ConfigError, ModelError
from ..machine import system
from ..networks.layout import Layout, input_channels, layout, stem_kinds
from ..networks.specs import ResNetSpec

Arrays = Dict[str, numpy.ndarray]  # by layer or by parameter


def mean_logits(engine: Any, X: numpy.ndarray, views: int = 1) -> numpy.ndarray:
    """Logits (N, num_classes) for X (N, C, H, W); with 2 ``views``, means over an image and its mirror image."""
    logits = engine.logits(X)
    return (logits + engine.logits(numpy.ascontiguousarray(X[:, :, :, ::-1]))) / 2 if views == 2 else logits


def watched_layers(plan: Layout) -> List[str]:
    """Names of the layers that every engine can show, in the order they run, the shortcut's before the sum.

    The stem's batch norm is shown with its ReLU, which is a child of the network.
    """
    places = plan.places
    stem = [kind for stem in stem_kinds(plan.spec) for kind in (stem, f"{stem}_relu")]
    names = [places[kind] for kind in ("input_norm", *stem, "max_pool") if kind in places]
    for stage in plan.stages:
        for block in stage:
            names += [layer.name for layer in block.layers()] + [block.name]
    return names + [
        places[kind] for kind in ("final_norm", "final_relu", "average_pool", "classifier") if kind in places
    ]


def shown_as(plan: Layout, layer: str) -> str:
    """The watched layer that shows the output of ``layer``: itself, but for the stem's batch norm its ReLU."""
    relus = {plan.places.get(f"{kind}_norm"): plan.places.get(f"{kind}_relu") for kind in stem_kinds(plan.spec)}
    return relus.get(layer) or layer


def _with_relu(plan: Layout) -> Set[str]:
    """Names of the batch norms inside blocks that a ReLU follows: all but the body's last; pre-activated all."""
    return {
        norm.name
        for stage in plan.stages
        for block in stage
        for _, norm in (block.body if block.preactivation else block.body[:-1])
        if norm is not None
    }


class GluonEngine:
    """The Gluon network as it is trained, on a GPU if there is one."""

    def __init__(self, spec: ResNetSpec, params: Arrays) -> None:
        import mxnet as mx

        from ..devices import try_gpu
        from ..networks.models import build
        from ..weights import set_parameters

        self.mx, self.device, self.plan = mx, try_gpu(), layout(spec, input_channels(spec, params))
        self.array = mx.np.array if mx.util.is_np_array() else mx.nd.array
        self.params, self.net = params, build(spec)
        self.net.initialize(ctx=self.device)
        set_parameters(self.net, params)
        self.net.hybridize(static_alloc=True, static_shape=True)

    def _input(self, X: numpy.ndarray) -> Any:
        return self.array(X, ctx=self.device)

    def logits(self, X: numpy.ndarray) -> numpy.ndarray:
        """(N, num_classes) float32 for X (N, C, H, W)."""
        return self.net(self._input(X)).asnumpy()

    def features(self, X: numpy.ndarray) -> numpy.ndarray:
        """The last feature maps (N, K, h, w), which the average pooling takes."""
        A = self._input(X)
        for layer in list(self.net)[: int(self.plan.places["average_pool"])]:
            A = layer(A)
        return A.asnumpy()

    def activations(self, X: numpy.ndarray) -> Arrays:
        """{layer name: array} of every layer of :func:`watched_layers`."""
        from ..networks.blocks import blocks_by_name
        from ..networks.shapes import watched

        blocks = blocks_by_name(self.net)
        names = watched_layers(self.plan)
        with watched(self.net, [blocks[name] for name in names]) as seen:
            self.net(self._input(X)).wait_to_read()
        outputs = {id(block): Y for block, _, Y in seen}
        return flat({name: outputs[id(blocks[name])].asnumpy() for name in names}, self.plan)

    def gradients(self, X: numpy.ndarray, y: Sequence[int]) -> Arrays:
        """{parameter name: float64 array}: gradients of the mean cross-entropy of X against the classes y (N,).

        Batch norm is as in inference. In float64 no ReLU is so near 0 that rounding decides. ``use_global_stats`` is
        set because ``autograd.record(train_mode=False)`` does not give the gradient through a batch norm of mxnet
        1.9.1.
        """
        from ..networks.blocks import blocks_by_name
        from ..networks.models import build
        from ..weights import set_parameters

        nn, net = self.mx.gluon.nn, build(self.plan.spec)
        net.initialize(ctx=self.device)
        net.cast("float64")
        X = self.array(X, ctx=self.device, dtype="float64")
        with self.mx.autograd.predict_mode():
            net(X)
        set_parameters(net, self.params)
        for block in blocks_by_name(net).values():
            if isinstance(block, nn.BatchNorm):
                block._kwargs.update(use_global_stats=True)
            elif isinstance(block, nn.Dropout):
                block._rate = 0
        loss_function = self.mx.gluon.loss.SoftmaxCrossEntropyLoss()
        with self.mx.autograd.record():
            loss = loss_function(net(X), self.array(y, ctx=self.device, dtype="float64")).mean()
        loss.backward()
        return {
            name: param.grad().asnumpy()
            for name, param in net._collect_params_with_prefix().items()
            if param.grad_req != "null" and name not in self.plan.fixed()
        }


class FusedEngine:
    """The network for predicting alone, on a CPU (training/fused.py); its gradients are the trained one's."""

    precision = "float32"

    def __init__(self, spec: ResNetSpec, params: Arrays) -> None:
        from ..training.fused import FusedNetwork

        self.plan, self.params = layout(spec, input_channels(spec, params)), params
        self.network = FusedNetwork(self.plan, params, self.precision)
        self._plain: Optional[GluonEngine] = None  # made when it is asked for

    @property
    def plain(self) -> GluonEngine:
        """The engine of the network as it is trained."""
        self._plain = self._plain or GluonEngine(self.plan.spec, self.params)
        return self._plain

    @property
    def net(self) -> Any:
        """The Gluon network with the same parameters."""
        return self.plain.net

    def logits(self, X: numpy.ndarray) -> numpy.ndarray:
        """(N, num_classes) float32 for X (N, C, H, W)."""
        return self.network(X)

    def features(self, X: numpy.ndarray) -> numpy.ndarray:
        """The last feature maps (N, K, h, w), which the average pooling takes."""
        return self.network.features(X)

    def activations(self, X: numpy.ndarray) -> Arrays:
        """{layer name: array} of every layer of :func:`watched_layers`.

        Those that fusing leaves out, such as a convolution before its batch norm, are the plain network's.
        """
        return {**self.plain.activations(X), **flat(self.network.activations(X), self.plan)}

    def gradients(self, X: numpy.ndarray, y: Sequence[int]) -> Arrays:
        """{parameter name: float64 array}, as :meth:`GluonEngine.gradients`, by the network as it is trained."""
        return self.plain.gradients(X, y)


class Bfloat16Engine(FusedEngine):
    """The fused network with bfloat16 numbers between its stem and its pooling, which keep 8 of float32's 24 bits.

    Raises ConfigError on a processor that does not multiply such numbers itself.
    """

    precision = "bfloat16"

    def __init__(self, spec: ResNetSpec, params: Arrays) -> None:
        from ..training import fused

        problem = fused.unsuitable()
        if problem is None and not system.onednn_may_use("avx512_bf16"):
            problem = "this processor has no avx512_bf16, or DNNL_MAX_CPU_ISA keeps oneDNN from it"
        if problem:
            raise ConfigError(f"engine bfloat16: {problem}: take the engine gluon")
        super().__init__(spec, params)

    def activations(self, X: numpy.ndarray) -> Arrays:
        """{layer name: float32 array} of the layers that fusing leaves."""
        return flat(self.network.activations(X), self.plan)


@lru_cache(maxsize=None)  # said once in a process
def _say(line: str) -> None:
    print(f"gluon_resnet: {line}", file=sys.stderr, flush=True)


def _gluon_engine(spec: ResNetSpec, params: Arrays) -> Any:
    """The fused engine, or the plain one on a GPU and where there is no fusion, which is said once."""
    from ..devices import try_gpu
    from ..training import fused

    device = try_gpu()
    problem = fused.unsuitable(device)
    if problem is None:
        return FusedEngine(spec, params)
    if device.device_type == "cpu":
        _say(f"the network is not fused: {problem}; the engine gluon is gluon-plain")
    return GluonEngine(spec, params)


class ByhandEngine:
    """The network in NumPy alone."""

    def __init__(self, spec: ResNetSpec, params: Arrays) -> None:
        self.plan = layout(spec, input_channels(spec, params))
        self.net = ResNet(spec, params, in_channels=input_channels(spec, params))
        self._folded: Any = None  # made when logits are asked for

    def logits(self, X: numpy.ndarray) -> numpy.ndarray:
        """(N, num_classes) float32 for X (N, C, H, W), with batch norm folded into the weights."""
        if self._folded is None:
            self._folded = self.net.folded()
        return self._folded(X)

    def activations(self, X: numpy.ndarray) -> Arrays:
        """{layer name: array} of every layer of :func:`watched_layers`."""
        outputs: Arrays = {}
        self.net.forward(X, watch=lambda name, Y: outputs.__setitem__(name, Y.copy()))
        return _shown(outputs, self.plan)

    def gradients(self, X: numpy.ndarray, y: Sequence[int]) -> Arrays:
        """{parameter name: float64 array}, as :meth:`GluonEngine.gradients`."""
        net = ResNet(self.plan.spec, self.net.params, in_channels=self.net.in_channels, dtype="float64")
        return net.loss_and_gradients(X, numpy.asarray(y), training=False)[1]


class OnnxEngine:
    """The exported network in ONNX Runtime."""

    def __init__(self, spec: ResNetSpec, params: Arrays) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise BackendError(f"the engine onnx needs onnxruntime ({error}); run: gluon-resnet doctor") from None
        from ..weights.onnx_graph import to_onnx

        self.runtime, self.plan = onnxruntime, layout(spec, input_channels(spec, params))
        self.model = to_onnx(spec, params, input_channels(spec, params))
        self.session = self._start(self.model)

    def _start(self, model: Any) -> Any:
        options = self.runtime.SessionOptions()
        options.log_severity_level = 3
        return self.runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def logits(self, X: numpy.ndarray) -> numpy.ndarray:
        """(N, num_classes) float32 for X (N, C, H, W)."""
        return self.session.run(None, {"input": X})[0]

    def activations(self, X: numpy.ndarray) -> Arrays:
        """{layer name: array} of every layer of :func:`watched_layers`."""
        import onnx

        from ..weights.onnx_graph import OUTPUT

        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        names = watched_layers(self.plan)
        # the value of a classifier that nothing follows is called "logits"
        asked = [*names[:-1], OUTPUT] if self.plan.spec.head == "dense" else names
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in asked if name != OUTPUT)
        return _shown(dict(zip(names, self._start(model).run(asked, {"input": X}))), self.plan)


def _shown(outputs: Arrays, plan: Layout) -> Arrays:
    """The outputs of the watched layers, in order: batch norms with the ReLU after them, if any; vectors flat."""
    with_relu = _with_relu(plan)
    shown = {name: outputs[name] for name in watched_layers(plan)}
    return flat({name: numpy.maximum(Y, 0) if name in with_relu else Y for name, Y in shown.items()}, plan)


def flat(outputs: Arrays, plan: Layout) -> Arrays:
    """``outputs`` with pooled features and logits as (N, C)."""
    ends = plan.places["average_pool"], plan.classifier.name
    return {**outputs, **{name: outputs[name].reshape(len(outputs[name]), -1) for name in ends}}


def make_engine(name: str, spec: ResNetSpec, params: Arrays) -> Any:
    """The engine ``name``, one of ENGINES or "bfloat16", for a spec and its parameters {name: float32 array}.

    Raises ModelError for another name, BackendError if onnxruntime is not installed, ConfigError if the processor
    does not multiply bfloat16 numbers. The engine int8 is quantized.Int8Engine, which needs a calibration.
    """
    makers = {
        "gluon": _gluon_engine,
        "gluon-plain": GluonEngine,
        "byhand": ByhandEngine,
        "onnx": OnnxEngine,
        "bfloat16": Bfloat16Engine,
    }
    if name == "int8":
        raise ModelError(
            "engine 'int8' needs a calibration: instruments.quantized.Int8Engine(spec, params, calibration)"
        )
    if name not in makers:
        raise ModelError(f"engine '{name}': expected one of {', '.join(makers)}")
    return makers[name](spec, params)
