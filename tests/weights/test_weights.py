"""Weight files against the libraries that wrote them, or names and arrays by hand; refusals change nothing."""

import json
import struct
from functools import lru_cache

import gluon_resnet as gr
from gluon_resnet.errors import ModelError, WeightsError
from gluon_resnet.networks.layout import layout
from gluon_resnet.networks.specs import get_spec
from gluon_resnet.weights import read_parameters
from gluon_resnet.weights.names import NAMINGS, names, specs_of

import mxnet as mx
import numpy
import pytest
from gluoncv.model_zoo import get_model as gluoncv_model
from mxnet.gluon.model_zoo import vision
from safetensors.numpy import save_file

from tests.conftest import array, one_line_error, relative_error
from tests.weights.torch_files import Layers


def torchvision_resnet18(num_classes=10):
    """{torchvision's key: array} of a ResNet-18, its keys and shapes written down from torchvision's definition."""
    return {key: values.copy() for key, values in _drawn(num_classes).items()}


@lru_cache(maxsize=1)
def _drawn(num_classes):
    found = Layers(seed=0)
    found.conv("conv1", 64, 3, 7)
    found.bn("bn1", 64)
    channels = 64
    for stage, width in enumerate((64, 128, 256, 512), 1):
        for block in range(2):
            name = f"layer{stage}.{block}"
            found.conv(f"{name}.conv1", width, channels, 3)
            found.bn(f"{name}.bn1", width)
            found.conv(f"{name}.conv2", width, width, 3)
            found.bn(f"{name}.bn2", width)
            if block == 0 and stage > 1:
                found.conv(f"{name}.downsample.0", width, channels, 1)
                found.bn(f"{name}.downsample.1", width)
            channels = width
    found["fc.weight"], found["fc.bias"] = found.random.randn(num_classes, 512) * 0.05, found.random.randn(num_classes)
    return {
        key: numpy.asarray(values, dtype="int64" if "batches" in key else "float32") for key, values in found.items()
    }


@pytest.fixture
def resnet18_file(tmp_path):
    save_file(torchvision_resnet18(), tmp_path / "r18.safetensors")
    return tmp_path / "r18.safetensors"


def parameters(net):
    return {name: param.data().asnumpy() for name, param in net._collect_params_with_prefix().items()}


def test_every_key_of_torchvisions_resnet18_lands_in_its_place(resnet18_file, both_modes):
    tensors = torchvision_resnet18()
    assert len(tensors) == 122  # 62 parameters, 3 buffers for each of 20 batch norms
    net = gr.resnet18("torchvision", 10)
    assert len(gr.load_weights(net, resnet18_file)) == 102
    own = parameters(net)
    assert (own["0.weight"] == tensors["conv1.weight"]).all()
    assert (own["1.running_var"] == tensors["bn1.running_var"]).all()
    assert (own["6.0.conv3.weight"] == tensors["layer3.0.downsample.0.weight"]).all()
    assert (own["6.0.bn3.beta"] == tensors["layer3.0.downsample.1.bias"]).all()
    assert (own["7.1.bn2.gamma"] == tensors["layer4.1.bn2.weight"]).all()
    assert (own["9.bias"] == tensors["fc.bias"]).all()


@lru_cache(maxsize=1)
def gluoncvs(depth, version):
    """(a network of gluoncv whose parameters all tell, a batch, its logits)."""
    theirs = gluoncv_model(f"resnet{depth}_{version}", pretrained=False, classes=7)
    theirs.initialize(mx.init.Xavier())
    X = array(numpy.random.RandomState(0).randn(2, 3, 32, 32))
    theirs.hybridize()
    theirs(X)
    if version == "v2":  # its norms' parameters start at 1 and 0: which of them is which would not show
        for name, param in theirs.collect_params(".*(gamma|beta)").items():
            if param.grad_req != "null":
                low, high = (0.5, 1.0) if name.endswith("gamma") else (-0.1, 0.1)
                param.set_data(mx.nd.random.uniform(low, high, param.shape))
    for name, param in theirs.collect_params(".*running.*").items():
        low, high = (-0.1, 0.1) if name.endswith("mean") else (0.5, 1.5)
        param.set_data(mx.nd.random.uniform(low, high, param.shape))
    return theirs, X, theirs(X).asnumpy()


@pytest.mark.parametrize("way", ["save_parameters", "export"])  # first, so that two tests in turn share a network
@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize("version, family", [("v1b", "torchvision"), ("v1", "mxnet"), ("v2", "v2")])
def test_gluoncvs_files_give_gluoncvs_logits(tmp_path, depth, version, family, way):
    theirs, X, expected = gluoncvs(depth, version)
    if way == "export":
        theirs.export(str(tmp_path / "net"))
        path = tmp_path / "net-0000.params"
    else:
        path = tmp_path / "net.params"
        theirs.save_parameters(str(path))
    found = gr.identify_weights(path)
    assert (found.spec.name, found.spec.num_classes, found.format) == (f"resnet{depth}@{family}", 7, "mxnet")
    net = gr.build(found.spec)
    gr.load_weights(net, path)
    assert relative_error(net(X).asnumpy(), expected) < 1e-5


@pytest.mark.parametrize("make, family", [(vision.resnet34_v1, "mxnet"), (vision.resnet34_v2, "v2")])
def test_the_model_zoos_own_network(tmp_path, make, family):
    theirs = make(classes=5)
    theirs.initialize()
    X = array(numpy.random.RandomState(0).randn(1, 3, 64, 64))
    expected = theirs(X).asnumpy()
    theirs.save_parameters(str(tmp_path / "zoo.params"))
    assert gr.identify_weights(tmp_path / "zoo.params").spec.name == f"resnet34@{family}"
    net = gr.resnet34(family, 5)
    gr.load_weights(net, tmp_path / "zoo.params")
    assert relative_error(net(X).asnumpy(), expected) < 1e-5


@pytest.mark.parametrize("name", ["resnet18", "resnet50@keras", "cifar_resnet20", "resnet18@v2", "resnet50@slim"])
def test_our_own_files_in_both_array_modes(tmp_path, both_modes, name):
    net = gr.get_model(name, 4)
    gr.layer_shapes(net, (1, 1, 32, 32))
    net.save_parameters(str(tmp_path / "net.params"))
    mx.npx.reset_np()
    fresh = gr.get_model(name, 4)
    gr.load_weights(fresh, tmp_path / "net.params")
    expected = parameters(net)
    assert all((values == expected[key]).all() for key, values in parameters(fresh).items())
    found = gr.identify_weights(tmp_path / "net.params")
    assert (found.spec.family, found.in_channels) == (net.spec.family, 1)


def test_prefixes_of_other_tools_and_other_number_types_are_taken_off(tmp_path, resnet18_file):
    tensors = {
        f"module._orig_mod.{key}": values.astype("f8" if values.dtype == "f4" else values.dtype)
        for key, values in torchvision_resnet18().items()
    }
    save_file(tensors, tmp_path / "prefixed.safetensors")
    spec = get_spec(18, "torchvision", 10)
    expected, found = (read_parameters(path, spec) for path in (resnet18_file, tmp_path / "prefixed.safetensors"))
    assert all((found[key] == values).all() and found[key].dtype == numpy.float32 for key, values in expected.items())


def test_bfloat16_safetensors_by_hand(tmp_path):
    tensors = torchvision_resnet18()
    header, body = {}, b""
    for key, values in tensors.items():
        bits = (values.astype("float32").view("uint32") >> 16).astype("uint16").tobytes()  # cut off, not rounded
        header[key] = {"dtype": "BF16", "shape": list(values.shape), "data_offsets": [len(body), len(body) + len(bits)]}
        body += bits
    text = json.dumps(header).encode()
    (tmp_path / "bf16.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + body)
    found = read_parameters(tmp_path / "bf16.safetensors", get_spec(18, "torchvision", 10))
    error = abs(found["0.weight"] - tensors["conv1.weight"])
    assert error.max() > 0 and (error <= 2.0**-7 * abs(tensors["conv1.weight"])).all()


@pytest.mark.parametrize("naming", list(NAMINGS))
def test_a_naming_has_one_key_for_every_parameter(naming):
    for spec in specs_of(naming):
        if spec.depth in (34, 101, 32, 44, 56):  # like those before them
            continue
        plan = layout(spec)
        table = names(naming, plan)
        assert list(table) == list(plan.params())
        assert len({key for key, _ in table.values()}) == len(table)


def test_article_000s_names_letter_by_letter():
    table = names("article-000", layout(get_spec(50, "keras2016")))
    assert table["0.weight"] == ("conv1/kernel", (3, 2, 0, 1))
    assert table["1.running_var"][0] == "bn_conv1/moving_variance"
    assert table["4.0.conv1.weight"][0] == "2a_conv_block_conv1/kernel"
    assert table["4.0.conv4.bias"][0] == "2a_conv_block_res_conv/bias"
    assert table["4.0.bn4.gamma"][0] == "2a_conv_block_res_bn/gamma"
    assert table["6.5.bn3.beta"][0] == "4f_identity_block_bn3/beta"
    assert table["9.weight"] == ("fc1000/kernel", (1, 0))


# Refusals -------------------------------------------------------------------------------------------------------------


def refused(tmp_path, change, model="resnet18@torchvision", match="", **options):
    """Load a changed torchvision file: WeightsError in one line that names it, and a network as it was before."""
    tensors = torchvision_resnet18()
    change(tensors)
    path = tmp_path / "changed.safetensors"
    save_file(tensors, path)
    net = gr.get_model(model, 10)
    gr.layer_shapes(net, (1, options.pop("channels", 3), 32, 32))
    before = parameters(net)
    with pytest.raises(WeightsError, match=match) as refusal:
        gr.load_weights(net, path, **options)
    assert str(path) in str(refusal.value) and "\n" not in str(refusal.value)
    assert all((values == before[key]).all() for key, values in parameters(net).items())


def test_a_missing_key(tmp_path):
    refused(
        tmp_path,
        lambda tensors: tensors.pop("layer2.1.conv2.weight"),
        match=r"resnet18@torchvision \(torchvision names\), but layer2.1.conv2.weight is missing",
    )


def test_a_key_too_many(tmp_path):
    refused(tmp_path, lambda tensors: tensors.update(extra=numpy.zeros(3, "f4")), match="extra is not part of it")


def test_another_shape(tmp_path):
    refused(
        tmp_path,
        lambda tensors: tensors.update({"layer1.0.conv1.weight": numpy.zeros((64, 64, 1, 1), "f4")}),
        match=r"layer1.0.conv1.weight has shape \(64, 64, 1, 1\): expected \(64, 64, 3, 3\)",
    )


def test_another_family_depth_or_input(tmp_path):
    refused(
        tmp_path,
        lambda tensors: None,
        "resnet18@keras",
        r"holds resnet18@torchvision .* take the model resnet18@torchvision",
    )
    refused(
        tmp_path, lambda tensors: None, "resnet34@torchvision", "holds resnet18@torchvision .* the network is resnet34"
    )
    refused(tmp_path, lambda tensors: None, channels=1, match="takes 3 channels: expected 1")


def test_numbers_that_are_not_finite(tmp_path):
    refused(
        tmp_path,
        lambda tensors: tensors["bn1.bias"].__setitem__(3, numpy.nan),
        match="bn1.bias holds numbers that are not",
    )


def test_a_head_of_another_size_is_replaced_only_when_asked(resnet18_file):
    net = gr.resnet18("torchvision", 4)
    with pytest.raises(WeightsError, match="its head has 10 classes, the network 4: .*--new-head"):
        gr.load_weights(net, resnet18_file)
    gr.layer_shapes(net, (1, 3, 32, 32))
    head = parameters(net)["9.weight"]
    assert len(gr.load_weights(net, resnet18_file, new_head=True)) == 100
    assert (parameters(net)["9.weight"] == head).all()
    assert (parameters(net)["0.weight"] == torchvision_resnet18()["conv1.weight"]).all()


def test_damaged_files_of_every_format(tmp_path, resnet18_file):
    net = gr.resnet18("torchvision", 10)
    gr.load_weights(net, resnet18_file)
    net.save_parameters(str(tmp_path / "r18.params"))
    for path in (resnet18_file, tmp_path / "r18.params"):
        content = path.read_bytes()
        for part in (3, 12, 100, len(content) // 2, len(content) - 1):
            damaged = tmp_path / f"damaged{path.suffix}"
            damaged.write_bytes(content[:part])
            with pytest.raises(WeightsError, match="damaged"):
                gr.identify_weights(damaged)


def test_what_is_no_weight_file(tmp_path):
    (tmp_path / "cat.jpg").write_bytes(b"\xff\xd8\xff\xe0 a picture")
    (tmp_path / "empty.pth").write_bytes(b"")
    save_file({"a": numpy.zeros(2, "f4")}, tmp_path / "other.safetensors")
    for name, match in (
        ("cat.jpg", "not a weight file"),
        ("empty.pth", "empty"),
        ("other.safetensors", "no ResNet of this suite"),
        ("missing.h5", "No such file"),
        (".", "Is a directory"),
    ):
        with pytest.raises(WeightsError, match=match):
            gr.identify_weights(tmp_path / name)


def test_another_librarys_network(resnet18_file):
    with pytest.raises(ModelError, match="not a network of this suite"):
        gr.load_weights(vision.resnet18_v1(), resnet18_file)


def test_the_command_line_says_it_in_one_line(tmp_path, run_cli, resnet18_file):
    (tmp_path / "labels.txt").write_text("one\ntwo\n")
    picture = tmp_path / "p.png"
    from PIL import Image

    Image.new("RGB", (40, 40)).save(picture)
    assert "10" in one_line_error(
        run_cli(
            "predict", picture, "--model", "resnet18", "--weights", resnet18_file, "--labels", tmp_path / "labels.txt"
        )
    )
    assert "take the model resnet18@torchvision" in one_line_error(
        run_cli("predict", picture, "--model", "resnet18@keras", "--weights", resnet18_file)
    )
    (tmp_path / "cut.safetensors").write_bytes(resnet18_file.read_bytes()[:5000])
    assert "damaged or cut off" in one_line_error(
        run_cli("predict", picture, "--weights", tmp_path / "cut.safetensors")
    )
