"""An ONNX model straight from a network's plain description; nothing here needs mxnet.

    >>> from gluon_resnet.layout import layout
    >>> spec = get_spec(18, "torchvision")
    >>> params = {name: numpy.zeros(shape, "float32") for name, shape in layout(spec).params().items()}
    >>> [(node.op_type, node.name) for node in to_onnx(spec, params).graph.node][:4]
    [('Conv', '0'), ('BatchNormalization', '1'), ('Relu', '2'), ('MaxPool', '3')]

A node and the value it computes bear the name of the layer: "0" to "3" the stem, "4.0.conv1", "4.0.bn1" and
"4.0.relu1" the inside of a block, "4.0.sum" its sum, "4.0" what it returns, "8" the pooling; the classifier "9"
computes "logits". So the value behind any layer can be asked for: add its name to ``model.graph.output``. Parameters
are initializers under the layout's names, and no graph inputs, as which mxnet's own converter lists every one.
Source of the operators: https://github.com/onnx/onnx/blob/main/docs/Operators.md
"""
import numpy
from onnx import TensorProto, helper, numpy_helper

from .errors import ExportError
from .layout import layout
from .version import VERSION

OPSET = 13  # has every operator used here; read by onnxruntime since 1.7 (2021)
IR_VERSION = 7  # the file format that came with opset 13
INPUT, OUTPUT = "input", "logits"


class _Graph:
    """Nodes in the order they run, and their parameters; conv, norm, block and node return the name of their value."""

    def __init__(self, params):
        self.params, self.nodes, self.initializers = params, [], []

    def node(self, operator, name, *inputs, output=None, **attributes):
        output = output or name
        self.nodes.append(helper.make_node(operator, list(inputs), [output], name=name, **attributes))
        return output

    def take(self, layer):
        """The names of the layer's parameters, which become initializers."""
        self.initializers += [numpy_helper.from_array(numpy.ascontiguousarray(self.params[name]), name)
                              for name in layer.params]
        return list(layer.params)

    def conv(self, X, layer):
        return self.node("Conv", layer.name, X, *self.take(layer), kernel_shape=[layer.kernel] * 2,
                         strides=[layer.stride] * 2, pads=[layer.padding] * 4)

    def norm(self, X, layer):
        return self.node("BatchNormalization", layer.name, X, *self.take(layer), epsilon=layer.eps)

    def block(self, X, block):
        """relu(body(X) + shortcut(X))."""
        Y = X
        for i, (conv, norm) in enumerate(block.body):
            Y = self.norm(self.conv(Y, conv), norm)
            if i < len(block.body) - 1:
                Y = self.node("Relu", f"{block.name}.relu{i + 1}", Y)
        if block.shortcut is not None:
            conv, norm = block.shortcut
            X = self.conv(X, conv)
            X = X if norm is None else self.norm(X, norm)
        return self.node("Relu", block.name, self.node("Add", f"{block.name}.sum", Y, X))


def check_params(expected, params):
    """Raise ExportError unless ``params`` has just the names and shapes of ``expected``, all in float32."""
    for name in [*expected, *params]:
        if name not in params or name not in expected:
            raise ExportError(f"parameter {name} is {'missing' if name in expected else 'not one of the network'}: "
                              f"expected the {len(expected)} names of layout(spec).params(), found {len(params)}")
        value = params[name]
        if tuple(value.shape) != expected[name] or value.dtype != numpy.float32:
            raise ExportError(f"parameter {name} is {value.dtype} of shape {tuple(value.shape)}: expected float32 of "
                              f"shape {expected[name]}; check the network's spec and its input channels")


def to_onnx(spec, params, in_channels=3):
    """The network of ``spec`` as an onnx.ModelProto: "input" (batch, in_channels, height, width) to "logits".

    The logits are (batch, num_classes); all is float32. ``params`` is {parameter name of the layout: float32 array}.
    Batch, height and width are free; the batch norms use their running statistics. Raises ExportError where a parameter
    is missing, unknown, or of another shape or type.
    """
    described = layout(spec, in_channels)
    check_params(described.params(), params)
    graph = _Graph(params)
    conv, norm = described.stem
    X = graph.node("Relu", "2", graph.norm(graph.conv(INPUT, conv), norm))
    X = graph.node("MaxPool", "3", X, kernel_shape=[3, 3], strides=[2, 2], pads=[described.pool_padding] * 4)
    for stage in described.stages:
        for block in stage:
            X = graph.block(X, block)
    pool = str(4 + len(described.stages))
    X = graph.node("Flatten", f"{pool}.flat", graph.node("GlobalAveragePool", pool, X), axis=1)
    classifier = described.classifier
    graph.node("Gemm", classifier.name, X, *graph.take(classifier), output=OUTPUT, transB=1)
    free = ["batch", in_channels, "height", "width"]
    model = helper.make_model(
        helper.make_graph(graph.nodes, spec.name,
                          [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, free)],
                          [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", classifier.units])],
                          initializer=graph.initializers),
        opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION,
        producer_name="gluon-resnet", producer_version=VERSION)
    helper.set_model_props(model, {"producer": f"gluon-resnet {VERSION}", "model": spec.name})
    return model
