"""CIFAR's, plain, pre-activated and article 003's networks as ONNX: onnxruntime against Gluon, nodes by hand."""

from dataclasses import replace

from gluon_resnet.networks.layout import Norm, layout
from gluon_resnet.networks.specs import parse_model
from gluon_resnet.weights import identify_weights, onnx_graph, read_network
from gluon_resnet.weights.export import export, parameters

import numpy
import onnx
import pytest
from safetensors.numpy import load_file

from tests.conftest import random_array, relative_error
from tests.weights.test_export import random_params, run, trained

#: name -> (stem channels, image's channels)
NETWORKS = {
    "cifar_resnet20": (16, 3),
    "cifar_resnet20:B": (16, 1),
    "cifar_resnet20:C": (8, 3),
    "cifar_plain20": (16, 3),
    "resnet18@v2": (16, 3),
    "resnet50@v2": (16, 3),
    "resnet50@v2:A": (16, 3),
    "plain50@v2": (16, 3),
    "resnet50@slim": (16, 3),
    "resnet50@slim_fc": (16, 1),
    "resnet18:A": (16, 1),
    "plain34@torchvision": (16, 3),
    "resnext50_32x4d": (16, 3),
    "resnet18d": (16, 1),
}


def operators(spec, in_channels=3):
    """{kind of node: how many} of the model of ``spec``, made thinner, checked by onnx."""
    spec = replace(spec, stem_channels=16)
    model = onnx_graph.to_onnx(spec, random_params(spec, in_channels), in_channels)
    onnx.checker.check_model(model, full_check=True)
    names = [node.name for node in model.graph.node]
    assert len(names) == len(set(names))
    kinds = [node.op_type for node in model.graph.node]
    return {kind: kinds.count(kind) for kind in set(kinds)}


@pytest.mark.parametrize("name", NETWORKS)
def test_onnxruntime_computes_the_networks_logits(tmp_path, name):
    stem_channels, channels = NETWORKS[name]
    net, path = trained(name, channels, stem_channels), tmp_path / "net.onnx"
    assert export(net, path).difference < 1e-5
    for shape in [(1, channels, 32, 32), (3, channels, 45, 38)]:
        X = random_array(*shape, seed=5)
        (logits,) = run(path, X.asnumpy())
        assert logits.shape == (shape[0], net.spec.num_classes)
        assert relative_error(logits, net(X).asnumpy()) < 1e-5


def test_option_a_is_a_max_pooling_and_a_pad():
    assert operators(parse_model("cifar_resnet20")) == {
        "Conv": 19,
        "BatchNormalization": 19,
        "Relu": 19,
        "MaxPool": 2,
        "Pad": 2,
        "Add": 9,
        "GlobalAveragePool": 1,
        "Flatten": 1,
        "Gemm": 1,
    }
    model = onnx_graph.to_onnx(parse_model("cifar_resnet20"), random_params(parse_model("cifar_resnet20"), 3))
    nodes = {node.name: node for node in model.graph.node}
    sides = {value.name: onnx.numpy_helper.to_array(value).tolist() for value in model.graph.initializer}
    pad = nodes["5.0.padded"]
    assert sides[pad.input[1]] == [0, 16, 0, 0, 0, 16, 0, 0] and list(pad.input)[0] == "5.0.sampled"
    pool = {each.name: list(each.ints) for each in nodes["5.0.sampled"].attribute}
    assert (pool["kernel_shape"], pool["strides"], pool["pads"]) == ([1, 1], [2, 2], [0, 0, 0, 0])


def test_what_each_kind_of_network_is_made_of():
    assert operators(parse_model("cifar_plain20")) == {
        "Conv": 19,
        "BatchNormalization": 19,
        "Relu": 19,
        "GlobalAveragePool": 1,
        "Flatten": 1,
        "Gemm": 1,
    }
    # 16 blocks of 3 convolutions; norms: before and after the stem, 48, at the end; a bare projection in each stage
    found = operators(parse_model("resnet50@v2"))
    counts = [found[kind] for kind in ("Conv", "BatchNormalization", "Relu", "Add")]
    assert counts == [1 + 48 + 4, 1 + 1 + 48 + 1, 1 + 48 + 1, 16]
    # two norms a block and one at the end; four stages pad, three of them subsample; one pooling is the stem's
    assert operators(parse_model("resnet50@slim")) == {
        "Conv": 1 + 48 + 1,
        "BatchNormalization": 2 * 16 + 1,
        "Relu": 3 * 16 + 1,
        "MaxPool": 1 + 3,
        "Pad": 4,
        "Add": 16,
        "GlobalAveragePool": 1,
        "Flatten": 1,
    }
    found = operators(parse_model("resnet50@slim_fc"))
    assert (found["Gemm"], found["Relu"], found["Conv"]) == (1, 3 * 16 + 2, 1 + 48)


@pytest.mark.parametrize("name", ["cifar_resnet20", "resnet18@v2", "resnet50@slim"])
def test_a_value_inside_the_graph_is_the_layers_output(tmp_path, name):
    net, X = trained(name, stem_channels=16), random_array(2, 3, 40, 36)
    export(net, tmp_path / "net.onnx")
    places = layout(net.spec).places
    kinds = ("stem", "stem_relu", "max_pool", "final_relu", "average_pool")
    wanted = [places[kind] for kind in kinds if kind in places]
    wanted += [block.name for stage in layout(net.spec).stages for block in stage]
    values, number = dict(zip(wanted, run(tmp_path / "net.onnx", X.asnumpy(), *wanted))), 0
    for i, layer in enumerate(net):
        is_stage = str(i) in {place for kind, place in places.items() if kind.startswith("stage")}
        for j, block in enumerate(layer if is_stage else [layer]):
            X = block(X)
            found = values.get(f"{i}.{j}" if is_stage else str(i))
            if found is not None:
                number += 1
                assert found.shape == X.shape and relative_error(found, X.asnumpy()) < 1e-5
    assert number == len(values)


def test_a_fixed_gamma_is_written_as_one():
    spec = parse_model("resnet50@slim")
    params = random_params(spec, 3)
    model = onnx_graph.to_onnx(spec, params)
    written = {value.name: onnx.numpy_helper.to_array(value) for value in model.graph.initializer}
    for norm in (layer for layer in layout(spec).layers() if isinstance(layer, Norm)):
        expected = params[f"{norm.name}.gamma"] if norm.scale else numpy.ones(norm.channels)
        assert (written[f"{norm.name}.gamma"] == expected).all()


@pytest.mark.parametrize(
    "name",
    ["cifar_resnet20", "cifar_plain20", "resnet50@v2", "resnet50@slim", "resnet50@slim_fc", "resnet18@torchvision:C"],
)
def test_safetensors_are_read_back_as_the_same_network(tmp_path, name):
    net = trained(name, stem_channels=parse_model(name).stem_channels)
    export(net, tmp_path / "net.safetensors")
    assert identify_weights(tmp_path / "net.safetensors").spec == net.spec
    spec, params = read_network(tmp_path / "net.safetensors", name)
    own = parameters(net)
    assert spec == net.spec and set(params) == set(own)
    assert all((params[key] == values).all() for key, values in own.items())


def test_a_cifar_networks_safetensors_have_the_names_of_torchvisions_layers(tmp_path):
    export(trained("cifar_resnet20:B", stem_channels=16), tmp_path / "net.safetensors")
    keys = set(load_file(str(tmp_path / "net.safetensors")))
    assert {
        "conv1.weight",
        "bn1.running_mean",
        "layer1.2.conv2.weight",
        "layer2.0.downsample.0.weight",
        "layer3.0.downsample.1.bias",
        "fc.bias",
    } <= keys
