"""An ONNX model straight from a network's plain description; nothing here needs mxnet.

    >>> from gluon_resnet.networks.layout import layout
    >>> spec = get_spec(18, "torchvision")
    >>> params = {name: numpy.zeros(shape, "float32") for name, shape in layout(spec).params().items()}
    >>> [(node.op_type, node.name) for node in to_onnx(spec, params).graph.node][:4]
    [('Conv', '0'), ('BatchNormalization', '1'), ('Relu', '2'), ('MaxPool', '3')]

A node and the value it computes have the name of the layer: in ResNet-18 "0" to "3" are the stem, "4.0.conv1",
"4.0.bn1" and "4.0.relu1" are inside a block, "4.0.sum" is its sum, "4.0" its output, "8" the pooling; the last node,
here the classifier "9", computes "logits". Option A's shortcut is "4.0.sampled", max pooling with a window of 1x1, and
"4.0.padded"; ResNet-D's begins with the means "4.0.pooled". So the output of any layer can be had by adding its name to
``model.graph.output``. Parameters are initializers under the layout's names. They are not graph inputs, too, as in the
models of mxnet's own converter. Source of the operators: https://github.com/onnx/onnx/blob/main/docs/Operators.md
"""

from typing import Any, List, Mapping, Optional, Tuple

import numpy
from onnx import TensorProto, helper, numpy_helper

from ..errors import ExportError
from ..networks.layout import Block, Conv, Layout, Norm, layout, stem_kinds
from ..networks.specs import ResNetSpec
from ..version import VERSION

OPSET = 13  # has every operator used here; read by onnxruntime since 1.7 (2021)
IR_VERSION = 7  # the file format that came with opset 13
INPUT, OUTPUT = "input", "logits"


class _Graph:
    """Nodes in the order they run, and their parameters. The methods take and return names of values."""

    def __init__(self, params: Mapping[str, numpy.ndarray]) -> None:
        self.params = dict(params)
        self.nodes: List[Any] = []
        self.initializers: List[Any] = []

    def node(self, operator: str, name: str, *inputs: str, output: Optional[str] = None, **attributes: Any) -> str:
        output = output or name
        self.nodes.append(helper.make_node(operator, list(inputs), [output], name=name, **attributes))
        return output

    def take(self, layer: Any) -> List[str]:
        """The names of the layer's parameters, which become initializers."""
        self.initializers += [
            numpy_helper.from_array(numpy.ascontiguousarray(self.params[name]), name) for name in layer.params
        ]
        return list(layer.params)

    def conv(self, X: str, layer: Conv) -> str:
        groups: Any = {"group": layer.groups} if layer.groups > 1 else {}
        return self.node(
            "Conv",
            layer.name,
            X,
            *self.take(layer),
            kernel_shape=[layer.kernel] * 2,
            strides=[layer.stride] * 2,
            pads=[layer.padding] * 4,
            **groups,
        )

    def norm(self, X: str, layer: Norm) -> str:
        if not layer.scale:  # gamma counts as 1 whatever the parameter holds
            self.params[f"{layer.name}.gamma"] = numpy.ones(layer.channels, "float32")
        return self.node("BatchNormalization", layer.name, X, *self.take(layer), epsilon=layer.eps)

    def pair(self, X: str, conv: Conv, norm: Optional[Norm]) -> str:
        """The convolution and the batch norm after it, if any."""
        X = self.conv(X, conv)
        return X if norm is None else self.norm(X, norm)

    def pool(self, name: str, X: str, kernel: int, stride: int, padding: int) -> str:
        return self.node("MaxPool", name, X, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[padding] * 4)

    def block(self, X: str, block: Block) -> str:
        """relu(body(X) + shortcut(X)); of a pre-activated block the sum as it is, of a plain one no sum."""
        Y, X_projected = self.body(X, block)
        if block.adds:
            Y = self.node("Add", f"{block.name}.sum", Y, self.shortcut(X, X_projected, block))
        return self.node("Identity" if block.preactivation else "Relu", block.name, Y)

    def body(self, X: str, block: Block) -> Tuple[str, str]:
        """(the last convolution's or batch norm's output, what a projection takes)."""
        Y = X
        for i, (conv, norm) in enumerate(block.body):
            if block.preactivation:
                assert norm is not None  # each pre-activated convolution has one
                Y = self.node("Relu", f"{block.name}.relu{i + 1}", self.norm(Y, norm))
                X = Y if i == 0 else X
                Y = self.conv(Y, conv)
            else:
                Y = self.node("Relu", f"{block.name}.relu{i}", Y) if i > 0 else Y
                Y = self.pair(Y, conv, norm)
        return Y, X

    def shortcut(self, X: str, X_projected: str, block: Block) -> str:
        """What is added to the body's output."""
        if block.shortcut is not None:
            return self.pair(self.pooled(X_projected, block) if block.pooled else X_projected, *block.shortcut)
        if block.pad is None:
            return X
        if block.pad.stride > 1:
            X = self.pool(f"{block.name}.sampled", X, 1, block.pad.stride, 0)
        if block.pad.before == block.pad.after == 0:
            return X
        name, sides = f"{block.name}.padded", [0, block.pad.before, 0, 0, 0, block.pad.after, 0, 0]
        self.initializers.append(numpy_helper.from_array(numpy.array(sides, "int64"), f"{name}.sides"))
        return self.node("Pad", name, X, f"{name}.sides")

    def pooled(self, X: str, block: Block) -> str:
        """The means of 2x2 windows; at an odd border, of what there is of them."""
        name = f"{block.name}.pooled"
        return self.node("AveragePool", name, X, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1, count_include_pad=0)

    def head(self, X: str, plan: Layout) -> None:
        """Pooled features to logits: a matrix, with article 003's ReLU after it or without, or a 1x1 convolution."""
        places, classifier = plan.places, plan.classifier
        X = self.node("GlobalAveragePool", places["average_pool"], X)
        if isinstance(classifier, Conv):
            self.node("Flatten", places["flatten"], self.conv(X, classifier), output=OUTPUT, axis=1)
            return
        X = self.node("Flatten", f"{places['average_pool']}.flat", X, axis=1)
        relu = places.get("head_relu")
        X = self.node("Gemm", classifier.name, X, *self.take(classifier), output=None if relu else OUTPUT, transB=1)
        if relu:
            self.node("Relu", relu, X, output=OUTPUT)


def check_params(expected: Mapping[str, Tuple[int, ...]], params: Mapping[str, numpy.ndarray]) -> None:
    """Raise ExportError unless ``params`` has exactly the names and shapes of ``expected``, all in float32."""
    for name in [*expected, *params]:
        if name not in params or name not in expected:
            raise ExportError(
                f"parameter {name} is {'missing' if name in expected else 'not one of the network'}: "
                f"expected the {len(expected)} names of layout(spec).params(), found {len(params)}"
            )
        value = params[name]
        if tuple(value.shape) != expected[name] or value.dtype != numpy.float32:
            raise ExportError(
                f"parameter {name} is {value.dtype} of shape {tuple(value.shape)}: expected float32 of "
                f"shape {expected[name]}; check the network's spec and its input channels"
            )


def to_onnx(
    spec: ResNetSpec,
    params: Mapping[str, numpy.ndarray],
    in_channels: int = 3,
    metadata: Optional[Mapping[str, str]] = None,
) -> Any:
    """The network of ``spec`` as an onnx.ModelProto: "input" (batch, in_channels, height, width) to "logits".

    The logits are (batch, num_classes); all is float32. Batch, height and width are free; the batch norms use their
    running statistics.

    Args:
        spec: the network.
        params: {parameter name of the layout: float32 array}.
        in_channels: channels of its input.
        metadata: further entries of the model's metadata.

    Raises:
        ExportError: a parameter is missing, unknown, or of another shape or type.
    """
    plan = layout(spec, in_channels)
    check_params(plan.params(), params)
    graph = _Graph(params)
    places, X = plan.places, INPUT
    if plan.input_norm is not None:
        X = graph.norm(X, plan.input_norm)
    for kind, (conv, norm) in zip(stem_kinds(spec), plan.stem):
        X = graph.pair(X, conv, norm)
        if norm is not None:
            X = graph.node("Relu", places[f"{kind}_relu"], X)
    if plan.pool_padding is not None:
        X = graph.pool(places["max_pool"], X, 3, 2, plan.pool_padding)
    for stage in plan.stages:
        for block in stage:
            X = graph.block(X, block)
    if plan.final_norm is not None:
        X = graph.node("Relu", places["final_relu"], graph.norm(X, plan.final_norm))
    graph.head(X, plan)
    free: List[Any] = ["batch", in_channels, "height", "width"]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            spec.name,
            [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, free)],
            [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", spec.num_classes])],
            initializer=graph.initializers,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="gluon-resnet",
        producer_version=VERSION,
    )
    helper.set_model_props(model, {"producer": f"gluon-resnet {VERSION}", "model": spec.name, **(metadata or {})})
    return model
