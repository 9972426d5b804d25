"""Parameters as users of Gluon write them after fine-tuning: the logits of gluoncv's and the zoo's own networks."""

import gluon_resnet as gr
from gluon_resnet.errors import WeightsError

import mxnet as mx
import numpy
import pytest
from gluoncv.model_zoo import get_model as gluoncv_model
from mxnet.gluon import nn
from mxnet.gluon.model_zoo import vision

from tests.conftest import array, relative_error


def trained(net, side=32):
    """The network with parameters and running statistics other than those it starts with, and its logits of X."""
    X = array(numpy.random.RandomState(0).randn(2, 3, side, side))
    net.initialize(mx.init.Xavier())
    net(X)
    for name, param in net.collect_params().items():
        learned = name.endswith(("gamma", "beta")) and param.grad_req != "null"
        if learned or name.endswith(("running_mean", "running_var")):
            low, high = (-0.1, 0.1) if name.endswith(("beta", "mean")) else (0.5, 1.0)
            param.set_data(mx.nd.random.uniform(low, high, param.shape))
    net.hybridize()
    return X, net(X).asnumpy()


def d2ls_fine_tuning():
    """A new network takes the features of a trained one: the exported names have two prefixes."""
    before, net = vision.resnet18_v1(classes=9), vision.resnet18_v1(classes=4)
    net.features = before.features
    return net


def gluoncvs_tutorial(version, head):
    net = gluoncv_model(f"resnet18_{version}", pretrained=False, classes=9)
    with net.name_scope():  # the new layer is dense1
        setattr(net, head, nn.Dense(4, in_units=512))
    return net


def without_a_scope():
    """The new layer's name has no prefix, and the number of all dense layers made so far."""
    net = gluoncv_model("resnet18_v1b", pretrained=False, classes=9)
    net.fc = nn.Dense(4, in_units=512)
    return net


def features_and_a_layer():
    net = nn.HybridSequential()
    net.add(vision.resnet18_v1(classes=9).features, nn.Dense(4))
    return net


EXPORTED, SAVED, COLLECTED = "exported-0000.params", "saved.params", "collected.params"
NETWORKS = {
    "d2l": (d2ls_fine_tuning, "resnet18@mxnet", [EXPORTED, SAVED, COLLECTED]),
    "gluoncv v1b": (lambda: gluoncvs_tutorial("v1b", "fc"), "resnet18@torchvision", [EXPORTED]),
    "gluoncv v2": (lambda: gluoncvs_tutorial("v2", "output"), "resnet18@v2", [EXPORTED]),
    "no scope": (without_a_scope, "resnet18@torchvision", [COLLECTED]),
    "features and a layer": (features_and_a_layer, "resnet18@mxnet", [EXPORTED, SAVED]),
}


def same_logits(path, name, X, expected, form="mxnet"):
    found = gr.identify_weights(path)
    assert (found.spec.name, found.spec.num_classes, found.format) == (name, expected.shape[1], form)
    net = gr.build(found.spec)
    gr.load_weights(net, path)
    assert relative_error(net(X).asnumpy(), expected) < 1e-5


@pytest.mark.parametrize("case", NETWORKS)
def test_exported_and_saved_after_fine_tuning(tmp_path, case):
    make, name, files = NETWORKS[case]
    theirs = make()
    X, expected = trained(theirs)
    theirs.export(str(tmp_path / "exported"))
    theirs.save_parameters(str(tmp_path / "saved.params"))
    theirs.collect_params().save(str(tmp_path / "collected.params"))
    for file in files:
        same_logits(tmp_path / file, name, X, expected)


@pytest.mark.parametrize("file", ["net.params", "net.npz"])
def test_mxnet_2s_archive(tmp_path, file):
    """MXNet 2 writes what NumPy's savez does, under the names that save_parameters has."""
    theirs = vision.resnet18_v1(classes=5)
    X, expected = trained(theirs)
    arrays = {name: param.data().asnumpy() for name, param in theirs._collect_params_with_prefix().items()}
    with open(tmp_path / file, "wb") as out:
        numpy.savez(out, **arrays)
    same_logits(tmp_path / file, "resnet18@mxnet", X, expected, "npz")
    content = (tmp_path / file).read_bytes()
    for part in (30, len(content) // 2, len(content) - 10):
        (tmp_path / file).write_bytes(content[:part])
        with pytest.raises(WeightsError, match="damaged|without one data.pkl") as refusal:
            gr.identify_weights(tmp_path / file)
        assert "\n" not in str(refusal.value)
    with open(tmp_path / file, "wb") as out:
        numpy.savez(out, a=numpy.array([{}], dtype=object))
    with pytest.raises(WeightsError, match="no arrays of numbers"):
        gr.identify_weights(tmp_path / file)


def test_the_features_alone_with_a_new_head(tmp_path):
    theirs = vision.resnet18_v1(classes=5)
    trained(theirs)
    theirs.features.save_parameters(str(tmp_path / "features.params"))
    with pytest.raises(WeightsError, match="output.weight and 1 more are missing; all but the head fits"):
        gr.identify_weights(tmp_path / "features.params")
    net = gr.get_model("resnet18@mxnet", 3)
    assert len(gr.load_weights(net, tmp_path / "features.params", new_head=True)) == 100
    assert (net[0].weight.data().asnumpy() == theirs.features[0].weight.data().asnumpy()).all()


class WithAHead(nn.HybridBlock):
    """A network inside another one that takes its features; or, with ``on_top``, its classes."""

    def __init__(self, on_top):
        super().__init__()
        self.base, self.head, self.on_top = vision.resnet18_v1(classes=9), nn.Dense(3), on_top

    def hybrid_forward(self, F, x):
        return self.head(self.base(x) if self.on_top else self.base.features(x))


@pytest.mark.parametrize("on_top", [False, True])
def test_a_network_with_its_own_head_and_another_one_is_one_network(tmp_path, both_modes, on_top):
    """Saved without NumPy mode, read with and without it, as a training is in NumPy mode."""
    active = mx.util.is_np_array()
    mx.npx.reset_np()
    theirs = WithAHead(on_top)
    theirs.initialize()
    theirs.base(mx.nd.ones((1, 3, 32, 32)))  # the head that is not used is saved, too
    theirs(mx.nd.ones((1, 3, 32, 32)))
    theirs.save_parameters(str(tmp_path / "saved.params"))
    expected = theirs.base.features[0].weight.data().asnumpy()
    if active:
        mx.npx.set_np()
    with pytest.raises(WeightsError, match="head.weight and 1 more are not part of it; all but the head fits"):
        gr.identify_weights(tmp_path / "saved.params")
    net = gr.get_model("resnet18@mxnet", 4)
    assert len(gr.load_weights(net, tmp_path / "saved.params", new_head=True)) == 100
    assert (net[0].weight.data().asnumpy() == expected).all() and mx.util.is_np_array() == active


@pytest.mark.parametrize("name", ["cifar_resnet20_v1", "cifar_resnet20_v2"])
def test_gluoncvs_cifar_networks_are_named(tmp_path, name):
    """Version 1 has the paper's shapes, but no ReLU after the first norm: it is not to be taken for the paper's."""
    theirs = gluoncv_model(name, pretrained=False, classes=4)
    assert not isinstance(theirs.features[2], nn.Activation)
    theirs.initialize()
    theirs.hybridize()
    theirs(mx.nd.zeros((1, 3, 32, 32)))
    theirs.save_parameters(str(tmp_path / "saved.params"))
    theirs.export(str(tmp_path / "exported"))
    for file in ("saved.params", "exported-0000.params"):
        with pytest.raises(WeightsError, match="gluoncv's CIFAR networks are not read: cifar_resnet.*_v1 has no ReLU"):
            gr.identify_weights(tmp_path / file)
        with pytest.raises(WeightsError, match="gluoncv's CIFAR networks are not read"):
            gr.load_weights(gr.get_model("cifar_resnet20:B", 4), tmp_path / file, new_head=True)
