"""Exported files against other readers: onnxruntime's logits and Gluon's, safetensors' own reader and hand counts."""

import json
import struct
from dataclasses import replace

import gluon_resnet as gr
from gluon_resnet.errors import ExportError
from gluon_resnet.networks.layout import layout
from gluon_resnet.networks.specs import parse_model
from gluon_resnet.weights import export as exporting
from gluon_resnet.weights import onnx_graph
from gluon_resnet.weights.export import export, export_onnx, export_safetensors, parameters

import mxnet as mx
import numpy
import onnx
import onnxruntime
import pytest
from safetensors.numpy import load_file

from tests.conftest import array, random_array, relative_error

NETWORKS = [
    ("resnet18", 1),
    ("resnet50@torchvision", 3),
    ("resnet50@mxnet", 3),
    ("resnet50@keras", 3),
    ("resnet50@keras2016", 3),
]


def random_params(spec, in_channels, seed=0):
    """Parameters that hide nothing: no bias, shift, mean or variance is at its default."""
    random, params = numpy.random.default_rng(seed), {}
    for name, shape in layout(spec, in_channels).params().items():
        values = random.standard_normal(shape, "float32") * (
            (2 / numpy.prod(shape[1:])) ** 0.5 if len(shape) > 1 else 0.3
        )
        if name.endswith(("gamma", "running_var")):
            values = random.uniform(0.5, 1.5, shape)
        params[name] = values.astype("float32")
    return params


def trained(name, in_channels=3, stem_channels=64):
    """The Gluon network of ``name`` with :func:`random_params`; fewer stem channels make all of it thinner."""
    net = gr.build(replace(parse_model(name), stem_channels=stem_channels))
    net.initialize(mx.init.Zero())  # faster than random numbers
    net(random_array(1, in_channels, 32, 32))
    values = random_params(net.spec, in_channels)
    for key, param in net._collect_params_with_prefix().items():
        param.set_data(array(values[key]))
    return net


def run(model, X, *outputs):
    """What onnxruntime computes for X; ``outputs`` are values inside the graph, or the logits."""
    model = onnx.load(str(model))
    for name in outputs:
        model.graph.output.append(onnx.ValueInfoProto(name=name))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(list(outputs) or ["logits"], {"input": X})


@pytest.mark.parametrize("name, channels", NETWORKS)
def test_onnxruntime_computes_the_networks_logits(tmp_path, name, channels):
    net, path = trained(name, channels, 64 if "18" in name else 16), tmp_path / "net.onnx"
    done = export(net, path)
    assert (done.path, done.opset, done.size) == (path, 13, path.stat().st_size) and done.difference < 1e-4
    for shape in [(1, channels, 64, 64), (3, channels, 32, 64)]:
        X = random_array(*shape, seed=5)
        (logits,) = run(path, X.asnumpy())
        assert logits.shape == (shape[0], net.spec.num_classes)
        assert relative_error(logits, net(X).asnumpy()) < 1e-4
    assert [file.name for file in tmp_path.iterdir()] == ["net.onnx"]


def test_parameters_are_whole_while_a_prediction_is_under_way():
    for _ in range(6):  # without waiting, about half of the first reads were wrong
        net = gr.get_model("resnet18@torchvision")
        net.initialize()
        net(mx.nd.zeros((1, 3, 64, 64)))
        at_once = parameters(net)
        mx.nd.waitall()
        for name, param in net._collect_params_with_prefix().items():
            assert (at_once[name] == param.data().asnumpy()).all(), name


def test_the_file_in_both_array_modes(both_modes, tmp_path):
    net = trained("resnet18", 1, 16)
    net.hybridize(static_alloc=True, static_shape=True)
    assert export_onnx(net, tmp_path / "net.onnx").difference < 1e-4


@pytest.mark.parametrize("name", ["resnet18", "resnet50@keras2016"])
def test_a_value_inside_the_graph_is_the_layers_output(tmp_path, name):
    net, X = trained(name, stem_channels=16), random_array(2, 3, 64, 64)
    export(net, tmp_path / "net.onnx")
    values = dict(
        zip(
            ["2", "3", "4.0", "6.1", "7.1", "8"],
            run(tmp_path / "net.onnx", X.asnumpy(), "2", "3", "4.0", "6.1", "7.1", "8"),
        )
    )
    for i, layer in enumerate(net):
        for j, block in enumerate(layer if 4 <= i < 8 else [layer]):
            X = block(X)
            found = values.pop(f"{i}.{j}" if 4 <= i < 8 else str(i), None)
            if found is not None:
                assert found.shape == X.shape and relative_error(found, X.asnumpy()) < 1e-4
    assert not values


def test_the_model_is_valid_and_its_parameters_are_no_inputs():
    spec = parse_model("resnet50@keras")
    model = onnx_graph.to_onnx(spec, random_params(spec, 3))
    onnx.checker.check_model(model, full_check=True)
    assert [value.name for value in model.graph.input] == ["input"]
    assert [value.name for value in model.graph.output] == ["logits"]
    assert {value.name for value in model.graph.initializer} == set(layout(spec).params())
    assert (model.ir_version, model.opset_import[0].version) == (7, 13)
    assert {entry.key: entry.value for entry in model.metadata_props} == {
        "producer": f"gluon-resnet {gr.__version__}",
        "model": "resnet50@keras",
    }
    names = [node.name for node in model.graph.node]
    assert len(names) == len(set(names)) and {"0", "1", "2", "3", "4.0.conv4", "7.2.bn3", "7.2", "8", "9"} <= set(names)
    operators = [node.op_type for node in model.graph.node]  # 16 blocks of three convolutions, four of them projecting
    assert {kind: operators.count(kind) for kind in set(operators)} == {
        "Conv": 1 + 48 + 4,
        "BatchNormalization": 1 + 48 + 4,
        "Relu": 1 + 48,
        "MaxPool": 1,
        "Add": 16,
        "GlobalAveragePool": 1,
        "Flatten": 1,
        "Gemm": 1,
    }


@pytest.mark.parametrize("part", ["5.0.bn2.running_var", "9.bias", "epsilon"])
def test_a_file_that_computes_something_else_is_refused(tmp_path, monkeypatch, part):
    build = onnx_graph.to_onnx

    def wrong(spec, params, *others):
        if part == "epsilon":
            model = build(spec, params, *others)
            for node in model.graph.node:
                for attribute in node.attribute:
                    if attribute.name == "epsilon":
                        attribute.f = 0.01
            return model
        return build(spec, {**params, part: params[part] * numpy.float32(1.5)}, *others)

    monkeypatch.setattr(onnx_graph, "to_onnx", wrong)
    (tmp_path / "net.onnx").write_text("what was there before")
    with pytest.raises(ExportError, match="not written: onnxruntime's logits differ") as caught:
        export(trained("resnet18", stem_channels=16), tmp_path / "net.onnx")
    assert "\n" not in str(caught.value)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("net.onnx", "what was there before")]


def test_a_difference_in_the_second_batch_alone_is_refused(tmp_path, monkeypatch):
    own = exporting._logits
    monkeypatch.setattr(exporting, "_logits", lambda net, X: own(net, X) * (1.001 if len(X) == 3 else 1))
    with pytest.raises(ExportError, match="by 1.0e-03 of the largest, expected at most 1e-04"):
        export(trained("resnet18", 1, 16), tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


def test_logits_that_are_not_finite_are_refused(tmp_path):
    net = trained("resnet18", stem_channels=16)
    net[9].bias.set_data(array(numpy.full(10, numpy.nan)))
    with pytest.raises(ExportError, match="not all finite"):
        export(net, tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


def test_safetensors_has_every_key_and_shape_of_torchvisions_resnet18(tmp_path):
    net = trained("resnet18@torchvision")
    done = export(net, tmp_path / "net.safetensors")
    content = load_file(str(tmp_path / "net.safetensors"))
    # By hand: a stem, 4 stages of 2 blocks of 2 convolutions, 3 projections; a batch norm after each; a classifier.
    norm = ("weight", "bias", "running_mean", "running_var")
    expected = {
        "conv1.weight": (64, 3, 7, 7),
        **{f"bn1.{part}": (64,) for part in norm},
        "fc.weight": (1000, 512),
        "fc.bias": (1000,),
    }
    for stage, (before, width) in enumerate([(64, 64), (64, 128), (128, 256), (256, 512)], 1):
        for block in range(2):
            for i in (1, 2):
                first = before if (block, i) == (0, 1) else width
                expected[f"layer{stage}.{block}.conv{i}.weight"] = (width, first, 3, 3)
                expected.update({f"layer{stage}.{block}.bn{i}.{part}": (width,) for part in norm})
        if stage > 1:
            expected[f"layer{stage}.0.downsample.0.weight"] = (width, before, 1, 1)
            expected.update({f"layer{stage}.0.downsample.1.{part}": (width,) for part in norm})
    assert {key: value.shape for key, value in content.items()} == expected
    trainable = [key for key in expected if "running" not in key]
    assert len(trainable) == 62 and sum(content[key].size for key in trainable) == 11_689_512  # torchvision's own count
    pairs = {
        "conv1.weight": "0.weight",
        "layer2.0.downsample.1.running_var": "5.0.bn3.running_var",
        "layer4.1.bn2.bias": "7.1.bn2.beta",
        "layer1.1.conv2.weight": "4.1.conv2.weight",
        "fc.bias": "9.bias",
    }
    own = parameters(net)
    assert all((content[key] == own[name]).all() for key, name in pairs.items())
    assert (done.opset, done.size, done.difference) == (None, (tmp_path / "net.safetensors").stat().st_size, 0)


def test_safetensors_header_and_biases_of_other_families(tmp_path):
    net = trained("resnet18", 1, 16)
    export_safetensors(net, tmp_path / "net.safetensors")
    content = (tmp_path / "net.safetensors").read_bytes()
    header = json.loads(content[8 : 8 + struct.unpack("<Q", content[:8])[0]])
    assert header["__metadata__"] == {"format": "pt", "gluon_resnet": "resnet18@d2l"}
    assert header["layer2.0.downsample.0.bias"]["shape"] == [32] and header["conv1.bias"]["dtype"] == "F32"
    assert header["conv1.weight"]["shape"] == [16, 1, 7, 7]
    assert not [key for key in header if "downsample.1" in key]  # this family's projection has no batch norm


@pytest.mark.parametrize("suffix", [".onnx", ".safetensors", ".pth"])
def test_where_nothing_can_be_written(tmp_path, suffix):
    net = trained("resnet18", 1)
    (tmp_path / "file").write_text("not a folder")
    (tmp_path / f"folder{suffix}").mkdir()
    net_file = f"net{suffix}"
    for path in (tmp_path / "missing" / net_file, tmp_path / "file" / net_file, tmp_path / f"folder{suffix}"):
        with pytest.raises(ExportError, match="cannot be written") as caught:
            export(net, path)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", f"folder{suffix}"]


@pytest.mark.parametrize("name", ["net.pt", "net", "net.onnx.gz"])
def test_an_unknown_suffix_names_the_known_ones(tmp_path, name):
    with pytest.raises(ExportError, match=r"expected \.onnx, \.safetensors or \.pth"):
        export(gr.resnet18(), tmp_path / name)


def test_networks_that_cannot_be_exported(tmp_path):
    path = tmp_path / "net.onnx"
    with pytest.raises(ExportError, match="resnet18@d2l: parameter 0.weight has no value yet"):
        export(gr.resnet18(), path)
    waiting = gr.resnet18()
    waiting.initialize()
    with pytest.raises(ExportError, match="pass an image through it"):
        export(waiting, path)
    foreign = mx.gluon.nn.Dense(2)
    with pytest.raises(ExportError, match="has no spec"):
        export(foreign, path)
    fast = trained("resnet18", 1, 16)
    fast[4][0].conv1.precision = "bfloat16"
    with pytest.raises(ExportError, match=r"set_precision\(net, 'float32'\) first"):
        export(fast, path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda params: params.pop("4.0.bn1.gamma"), "parameter 4.0.bn1.gamma is missing"),
        (lambda params: params.update({"4.0.bn9.gamma": params["1.gamma"]}), "4.0.bn9.gamma is not one of the network"),
        (
            lambda params: params.update({"0.weight": params["0.weight"][:, :1]}),
            r"0.weight is float32 of shape \(64, 1,",
        ),
        (lambda params: params.update({"9.bias": params["9.bias"].astype("float64")}), "9.bias is float64"),
    ],
)
def test_parameters_that_do_not_fit_the_spec(change, words):
    spec = parse_model("resnet18")
    params = random_params(spec, 3)
    change(params)
    with pytest.raises(ExportError, match=words):
        onnx_graph.to_onnx(spec, params)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_a_network_that_computes_in_fewer_bits_is_refused(precision, tmp_path):
    net = trained("resnet18", 1, 64)
    net[4][0].conv1.precision = precision
    with pytest.raises(ExportError, match=f"resnet18@d2l computes in {precision}, the file would compute in float32"):
        export(net, tmp_path / "net.onnx")
    assert not (tmp_path / "net.onnx").exists()
