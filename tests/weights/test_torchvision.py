"""The .pth for torchvision's class against PyTorch's own files, the by-hand network and hand counts.

make parity loads such files in PyTorch itself: tests/parity/test_exports.py.
"""

import pickle
import zipfile
from collections import OrderedDict

import gluon_resnet as gr
from gluon_resnet.byhand import ResNet
from gluon_resnet.errors import ExportError
from gluon_resnet.networks.specs import parse_model
from gluon_resnet.weights import export as exporting
from gluon_resnet.weights.export import export, export_safetensors
from gluon_resnet.weights.pickles import read_torch
from gluon_resnet.weights.torch_files import write_torch
from gluon_resnet.weights.torchvision import as_torchvision, torchvision_spec

import mxnet as mx
import numpy
import pytest
from safetensors.numpy import load_file

from tests.conftest import ROOT, relative_error
from tests.weights.test_export import random_params, trained

FIXTURE = ROOT / "tests" / "fixtures" / "torch_zip.pth"  # written by PyTorch itself
BASE = (numpy.arange(24, dtype=numpy.float32) / 8).reshape(2, 3, 4)


class Noted(pickle.Unpickler):
    """Python's own reader; torch's functions give a note of their name and arguments."""

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if name.endswith("Storage"):
            return f"{module}.{name}"
        return lambda *args: (f"{module}.{name}", args)

    def persistent_load(self, pid):
        return pid


def noted(path):
    """What the pickle of a torch archive asks for, and the archive's other members without its root folder."""
    with zipfile.ZipFile(path) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
        members = {each[len(name) - len("data.pkl") :]: archive.read(each) for each in archive.namelist()}
        with archive.open(name) as file:
            return Noted(file).load(), members


def test_a_tensor_is_written_as_pytorch_writes_it(tmp_path):
    write_torch(tmp_path / "net.pth", {"plain": BASE})
    (ours, files), (theirs, their_files) = noted(tmp_path / "net.pth"), noted(FIXTURE)
    assert ours["plain"] == theirs["plain"] and type(ours) is type(theirs)
    for member in ("data/0", "version", "byteorder"):
        assert files[member] == their_files[member], member


def test_arrays_come_back_whatever_their_order_in_memory_and_shape(tmp_path):
    arrays = {
        "turned": BASE.transpose(2, 0, 1),
        "scalar": numpy.float32(2.5),
        "empty": numpy.zeros((0, 3), "float32"),
        "long name é": numpy.arange(5, dtype="float32")[::2],
    }
    write_torch(tmp_path / "net.pth", arrays)
    found = read_torch(tmp_path / "net.pth")
    assert list(found) == list(arrays)
    for name, values in arrays.items():
        assert found[name].shape == values.shape and (found[name] == values).all(), name


def test_a_bias_goes_into_the_mean_and_a_norm_that_changes_nothing_is_added():
    spec = parse_model("resnet18@d2l")
    params = random_params(spec, 1)
    twin, values = as_torchvision(spec, params)
    assert twin == parse_model("resnet18@torchvision", 10)
    assert (values["4.0.bn2.running_mean"] == params["4.0.bn2.running_mean"] - params["4.0.conv2.bias"]).all()
    assert (values["5.0.bn3.running_mean"] == -params["5.0.conv3.bias"]).all()
    assert (values["5.0.bn3.gamma"] == numpy.float32(1.000005)).all()  # the root of 1 + 1e-5
    assert (values["5.0.bn3.running_var"] == 1).all() and (values["5.0.bn3.beta"] == 0).all()
    assert not [name for name in values if ".conv" in name and name.endswith("bias")]
    assert "0.bias" in params  # what was given is left alone


@pytest.mark.parametrize("name, channels", [("resnet18@d2l", 1), ("resnet34@d2l", 3), ("resnet34@mxnet", 3)])
def test_torchvisions_network_predicts_the_same_by_hand(name, channels):
    spec = parse_model(name)
    params = random_params(spec, channels)
    twin, values = as_torchvision(spec, params)
    X = numpy.random.RandomState(1).randn(2, channels, 32, 48)
    logits, expected = (
        ResNet(each, arrays, in_channels=channels, dtype="float64").forward(X)
        for each, arrays in ((twin, values), (spec, params))
    )
    assert relative_error(logits, expected) < 1e-6  # float32 parameters


def test_parameters_of_torchvisions_own_kind_are_left_as_they_are(tmp_path):
    net = trained("resnet18@torchvision")
    done = export(net, tmp_path / "net.pth")
    export_safetensors(net, tmp_path / "net.safetensors")
    found, expected = read_torch(tmp_path / "net.pth"), load_file(str(tmp_path / "net.safetensors"))
    assert found.keys() == expected.keys() and all((found[key] == expected[key]).all() for key in expected)
    assert (done.opset, done.size, done.difference) == (None, (tmp_path / "net.pth").stat().st_size, 0)


def test_the_file_of_the_books_network(tmp_path):
    net, path = trained("resnet18@d2l", 1), tmp_path / "net.pth"
    done = export(net, path)
    found = read_torch(path)
    # torchvision's resnet18 by hand: 20 convolutions, each with a batch norm of four arrays, and the classifier
    assert len(found) == 20 + 4 * 20 + 2 and found["conv1.weight"].shape == (64, 1, 7, 7)
    assert found["layer2.0.downsample.1.running_var"].shape == (128,) and found["fc.weight"].shape == (10, 512)
    assert gr.identify_weights(path).description.startswith("resnet18@torchvision, 1 channel(s) in, 10 classes")
    assert done.difference < 1e-5 and "a state dict of torchvision's resnet18, its logits differ" in done.checked


@pytest.mark.parametrize(
    "name, words",
    [
        (
            "resnet50@mxnet",
            r"resnet50@mxnet: torchvision's resnet50 computes something else \(it differs in stride_at\)",
        ),
        ("resnet50@keras", r"differs in stride_at, bn_eps"),
        ("resnet50@keras2016", r"differs in stride_at, bn_eps, pool_padding"),
        ("resnet18@v2", r"differs in preactivation, input_bn, final_bn"),
        ("resnet18@torchvision:C", r"differs in shortcut"),
        ("plain18", r"differs in shortcut"),
        ("cifar_resnet20", r"cifar_resnet20: torchvision has no ResNet-20: write \.onnx, or \.safetensors"),
    ],
)
def test_networks_that_torchvisions_class_cannot_compute(name, words):
    with pytest.raises(ExportError, match=words):
        torchvision_spec(parse_model(name))


def test_a_file_that_computes_something_else_is_refused(tmp_path, monkeypatch):
    def damage(path, tensors):
        write_torch(path, {**tensors, "layer3.0.bn1.running_var": tensors["layer3.0.bn1.running_var"] * 2})

    monkeypatch.setattr(exporting, "write_torch", damage)
    (tmp_path / "net.pth").write_text("what was there before")
    with pytest.raises(ExportError, match="not written: resnet18@torchvision's logits differ from the network's"):
        export(trained("resnet18@d2l", 1), tmp_path / "net.pth")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("net.pth", "what was there before")]


def test_numbers_that_are_not_finite_are_refused(tmp_path):
    net = trained("resnet18@d2l", 1)
    net[9].bias.set_data(mx.nd.full((10,), numpy.nan))
    with pytest.raises(ExportError, match=r"resnet18@d2l: the numbers of parameter 9\.bias are not all finite"):
        export(net, tmp_path / "net.pth")
    assert not list(tmp_path.iterdir())
