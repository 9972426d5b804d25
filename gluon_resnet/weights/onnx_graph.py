"""An ONNX model straight from a network's plain description; nothing here needs mxnet.

    >>> from gluon_resnet.networks.layout import layout
    >>> spec = get_spec(18, "torchvision")
    >>> params = {name: numpy.zeros(shape, "float32") for name, shape in layout(spec).params().items()}
    >>> [(node.op_type, node.name) for node in to_onnx(spec, params).graph.node][:4]
    [('Conv', '0'), ('BatchNormalization', '1'), ('Relu', '2'), ('MaxPool', '3')]

A node and the value it computes bear the name of the layer: of ResNet-18 "0" to "3" the stem, "4.0.conv1", "4.0.bn1"
and "4.0.relu1" the inside of a block, "4.0.sum" its sum, "4.0" what it returns, "8" the pooling; the last node, here
the classifier "9", computes "logits". Option A's shortcut is "4.0.sampled", max pooling with a window of 1x1, and
"4.0.padded". So the value behind any layer can be asked for: add its name to ``model.graph.output``. Parameters are
initializers under the layout's names, and no graph inputs, as which mxnet's own converter lists every one. Source of
the operators: https://github.com/onnx/onnx/blob/main/docs/Operators.md
"""

import numpy
from onnx import TensorProto, helper, numpy_helper

from ..errors import ExportError
from ..networks.layout import Conv, layout
from ..version import VERSION

OPSET = 13  # has every operator used here; read by onnxruntime since 1.7 (2021)
IR_VERSION = 7  # the file format that came with opset 13
INPUT, OUTPUT = "input", "logits"


class _Graph:
    """Nodes in the order they run, and their parameters; conv, norm, block and node return the name of their value."""

    def __init__(self, params):
        self.params, self.nodes, self.initializers = dict(params), [], []

    def node(self, operator, name, *inputs, output=None, **attributes):
        output = output or name
        self.nodes.append(helper.make_node(operator, list(inputs), [output], name=name, **attributes))
        return output

    def take(self, layer):
        """The names of the layer's parameters, which become initializers."""
        self.initializers += [
            numpy_helper.from_array(numpy.ascontiguousarray(self.params[name]), name) for name in layer.params
        ]
        return list(layer.params)

    def conv(self, X, layer):
        return self.node(
            "Conv",
            layer.name,
            X,
            *self.take(layer),
            kernel_shape=[layer.kernel] * 2,
            strides=[layer.stride] * 2,
            pads=[layer.padding] * 4,
        )

    def norm(self, X, layer):
        if not layer.scale:  # gamma counts as 1 whatever the parameter holds
            self.params[f"{layer.name}.gamma"] = numpy.ones(layer.channels, "float32")
        return self.node("BatchNormalization", layer.name, X, *self.take(layer), epsilon=layer.eps)

    def pair(self, X, conv, norm):
        """The convolution and the batch norm behind it, where there is one."""
        X = self.conv(X, conv)
        return X if norm is None else self.norm(X, norm)

    def pool(self, name, X, kernel, stride, padding):
        return self.node("MaxPool", name, X, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[padding] * 4)

    def block(self, X, block):
        """relu(body(X) + shortcut(X)); of a pre-activated block the sum as it is, of a plain one no sum."""
        Y, X_projected = self.body(X, block)
        if block.adds:
            Y = self.node("Add", f"{block.name}.sum", Y, self.shortcut(X, X_projected, block))
        return self.node("Identity" if block.preactivation else "Relu", block.name, Y)

    def body(self, X, block):
        """(the last convolution's or batch norm's output, what a projection takes)."""
        Y = X
        for i, (conv, norm) in enumerate(block.body):
            if block.preactivation:
                Y = self.node("Relu", f"{block.name}.relu{i + 1}", self.norm(Y, norm))
                X = Y if i == 0 else X
                Y = self.conv(Y, conv)
            else:
                Y = self.node("Relu", f"{block.name}.relu{i}", Y) if i > 0 else Y
                Y = self.pair(Y, conv, norm)
        return Y, X

    def shortcut(self, X, X_projected, block):
        """What is added to the body's output."""
        if block.shortcut is not None:
            return self.pair(X_projected, *block.shortcut)
        if block.pad is None:
            return X
        if block.pad.stride > 1:
            X = self.pool(f"{block.name}.sampled", X, 1, block.pad.stride, 0)
        if block.pad.before == block.pad.after == 0:
            return X
        name, sides = f"{block.name}.padded", [0, block.pad.before, 0, 0, 0, block.pad.after, 0, 0]
        self.initializers.append(numpy_helper.from_array(numpy.array(sides, "int64"), f"{name}.sides"))
        return self.node("Pad", name, X, f"{name}.sides")

    def head(self, X, described):
        """Pooled features to logits: a matrix, with article 003's ReLU behind it or not, or a 1x1 convolution."""
        places, classifier = described.places, described.classifier
        X = self.node("GlobalAveragePool", places["average_pool"], X)
        if isinstance(classifier, Conv):
            self.node("Flatten", places["flatten"], self.conv(X, classifier), output=OUTPUT, axis=1)
            return
        X = self.node("Flatten", f"{places['average_pool']}.flat", X, axis=1)
        relu = places.get("head_relu")
        X = self.node("Gemm", classifier.name, X, *self.take(classifier), output=None if relu else OUTPUT, transB=1)
        if relu:
            self.node("Relu", relu, X, output=OUTPUT)


def check_params(expected, params):
    """Raise ExportError unless ``params`` has just the names and shapes of ``expected``, all in float32."""
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


def to_onnx(spec, params, in_channels=3):
    """The network of ``spec`` as an onnx.ModelProto: "input" (batch, in_channels, height, width) to "logits".

    The logits are (batch, num_classes); all is float32. ``params`` is {parameter name of the layout: float32 array}.
    Batch, height and width are free; the batch norms use their running statistics. Raises ExportError where a parameter
    is missing, unknown, or of another shape or type.
    """
    described = layout(spec, in_channels)
    check_params(described.params(), params)
    graph = _Graph(params)
    places, X = described.places, INPUT
    if described.input_norm is not None:
        X = graph.norm(X, described.input_norm)
    X = graph.pair(X, *described.stem)
    if described.stem[1] is not None:
        X = graph.node("Relu", places["stem_relu"], X)
    if described.pool_padding is not None:
        X = graph.pool(places["max_pool"], X, 3, 2, described.pool_padding)
    for stage in described.stages:
        for block in stage:
            X = graph.block(X, block)
    if described.final_norm is not None:
        X = graph.node("Relu", places["final_relu"], graph.norm(X, described.final_norm))
    graph.head(X, described)
    free = ["batch", in_channels, "height", "width"]
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
    helper.set_model_props(model, {"producer": f"gluon-resnet {VERSION}", "model": spec.name})
    return model
