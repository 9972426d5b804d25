"""Whole networks written down under other libraries' names, run by their own definitions, against what is loaded here.

``make parity`` does the same with the live libraries.
"""

from functools import lru_cache

import gluon_resnet as gr
from gluon_resnet import byhand
from gluon_resnet.errors import WeightsError

import h5py
import mxnet as mx
import numpy
import pytest
from gluoncv.model_zoo import get_model as gluoncv_model
from safetensors.numpy import save_file

from tests.conftest import array, relative_error


def test_torchvisions_names_give_the_logits_of_gluoncvs_v1b(tmp_path):
    theirs = gluoncv_model("resnet50_v1b", pretrained=False, classes=6)
    theirs.initialize(mx.init.Xavier())
    X = array(numpy.random.RandomState(0).randn(2, 3, 64, 64))
    theirs(X)
    for name, param in theirs.collect_params(".*running.*").items():
        param.set_data(mx.nd.random.uniform(*((-0.1, 0.1) if name.endswith("mean") else (0.5, 1.5)), param.shape))
    renamed = {"gamma": "weight", "beta": "bias"}  # the one thing in which v1b's names are not torchvision's
    tensors = {}
    for name, param in theirs._collect_params_with_prefix().items():
        head, _, part = name.rpartition(".")
        tensors[f"{head}.{renamed.get(part, part)}"] = param.data().asnumpy()
    save_file(tensors, tmp_path / "torchvision.safetensors")
    net = gr.get_model("resnet50@torchvision", 6)
    gr.load_weights(net, tmp_path / "torchvision.safetensors")
    assert relative_error(net(X).asnumpy(), theirs(X).asnumpy()) < 1e-5


class KerasResNet50:
    """keras.applications' ResNet50 as its source defines it, on NHWC images, from {"layer/variable": array}."""

    def __init__(self, weights):
        self.weights = weights

    def conv(self, X, name, stride=1, padding=0):
        kernel = self.weights[f"{name}/kernel"]  # (H, W, in, out)
        X = numpy.pad(X, ((0, 0), (padding,) * 2, (padding,) * 2, (0, 0)))
        size = kernel.shape[0]
        height, width = ((side - size) // stride + 1 for side in X.shape[1:3])
        Y = sum(
            X[:, i : i + stride * height : stride, j : j + stride * width : stride] @ kernel[i, j]
            for i in range(size)
            for j in range(size)
        )
        return Y + self.weights[f"{name}/bias"]

    def norm(self, X, name):
        gamma, beta, mean, var = (
            self.weights[f"{name}/{part}"] for part in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        return (X - mean) / numpy.sqrt(var + 1.001e-5) * gamma + beta

    def block(self, X, name, stride, projects):
        shortcut = self.norm(self.conv(X, f"{name}_0_conv", stride), f"{name}_0_bn") if projects else X
        Y = numpy.maximum(self.norm(self.conv(X, f"{name}_1_conv", stride), f"{name}_1_bn"), 0)
        Y = numpy.maximum(self.norm(self.conv(Y, f"{name}_2_conv", padding=1), f"{name}_2_bn"), 0)
        return numpy.maximum(self.norm(self.conv(Y, f"{name}_3_conv"), f"{name}_3_bn") + shortcut, 0)

    def __call__(self, X):
        Y = numpy.maximum(self.norm(self.conv(X, "conv1_conv", 2, 3), "conv1_bn"), 0)
        Y = byhand.max_pool(Y.transpose(0, 3, 1, 2), kernel=3, stride=2, padding=1).transpose(0, 2, 3, 1)
        for stage, blocks in enumerate((3, 4, 6, 3), 2):
            for i in range(1, blocks + 1):
                Y = self.block(Y, f"conv{stage}_block{i}", 2 if i == 1 and stage > 2 else 1, projects=i == 1)
        return Y.mean((1, 2)) @ self.weights["predictions/kernel"] + self.weights["predictions/bias"]


@lru_cache(maxsize=None)
def keras_weights(classes=5):
    """{"layer/variable": float32 array} of Keras's ResNet50, shapes written down from its definition."""
    random, found = numpy.random.default_rng(0), {}

    def conv(name, size, into, out):
        kernel = random.standard_normal((size, size, into, out), "float32")
        found[f"{name}_conv/kernel"] = kernel * numpy.float32(numpy.sqrt(1 / (size * size * into)))
        found[f"{name}_conv/bias"] = random.standard_normal(out) * 0.1
        for part, low, high in (
            ("gamma", 0.7, 1.3),
            ("beta", -0.1, 0.1),
            ("moving_mean", -0.1, 0.1),
            ("moving_variance", 0.7, 1.3),
        ):
            found[f"{name}_bn/{part}"] = random.uniform(low, high, out)

    conv("conv1", 7, 3, 64)
    into = 64
    for stage, (width, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3)), 2):
        for i in range(1, blocks + 1):
            name = f"conv{stage}_block{i}"
            if i == 1:
                conv(f"{name}_0", 1, into, 4 * width)
            conv(f"{name}_1", 1, into, width)
            conv(f"{name}_2", 3, width, width)
            conv(f"{name}_3", 1, width, 4 * width)
            into = 4 * width
    found["predictions/kernel"], found["predictions/bias"] = (
        random.standard_normal((2048, classes)) * 0.02,
        random.standard_normal(classes),
    )
    return {key: values.astype("float32") for key, values in found.items()}


def write_h5(path, weights):
    """As Keras 2 writes weights: a group a layer with its names, and below it layer/variable:0."""
    layers = list(dict.fromkeys(key.partition("/")[0] for key in weights))
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in layers]
        for layer in layers:
            keys = [key for key in weights if key.startswith(f"{layer}/")]
            group = file.create_group(layer)
            group.attrs["weight_names"] = [f"{key}:0".encode() for key in keys]
            for key in keys:
                group.create_dataset(f"{key}:0", data=weights[key])


def test_kerass_file_gives_the_logits_of_its_definition(tmp_path):
    weights = keras_weights()
    write_h5(tmp_path / "keras.h5", weights)
    X = numpy.random.RandomState(1).randn(2, 3, 64, 64).astype("float32")
    expected = KerasResNet50({key: values.astype("float64") for key, values in weights.items()})(
        X.transpose(0, 2, 3, 1)
    )
    found = gr.identify_weights(tmp_path / "keras.h5")
    assert (found.spec.name, found.spec.num_classes) == ("resnet50@keras", 5)
    net = gr.build(found.spec)
    gr.load_weights(net, tmp_path / "keras.h5")
    assert relative_error(net(array(X)).asnumpy(), expected) < 1e-5


@pytest.mark.parametrize("missing", ["conv4_block3_2_conv/bias", "conv1_bn/gamma"])
def test_an_h5_file_with_a_missing_variable_or_layer(tmp_path, missing):
    for whole_layer in (False, True):
        layer = missing.partition("/")[0]
        weights = {
            key: values
            for key, values in keras_weights().items()
            if key != missing and not (whole_layer and key.startswith(f"{layer}/"))
        }
        write_h5(tmp_path / "keras.h5", weights)
        with pytest.raises(WeightsError, match=f"nearest is resnet50@keras .*{layer}/.* missing") as refusal:
            gr.identify_weights(tmp_path / "keras.h5")
        assert "\n" not in str(refusal.value)
