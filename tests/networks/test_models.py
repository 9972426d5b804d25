"""Networks against published parameter counts and against gluoncv's and the MXNet zoo's own code."""

import gluon_resnet as gr

import mxnet as mx
import numpy
import pytest
from mxnet import autograd

from tests.conftest import both_ways, random_array, relative_error, trainable

#: Published or counted by the libraries themselves (references.md; keras: summary() of keras.applications).
PARAMETERS = {
    "resnet18@d2l": 11_178_378,
    "resnet18@torchvision": 11_689_512,
    "resnet34@torchvision": 21_797_672,
    "resnet50@torchvision": 25_557_032,
    "resnet101@torchvision": 44_549_160,
    "resnet152@torchvision": 60_192_808,
    "resnet50@mxnet": 25_575_912,
    "resnet50@keras": 25_583_592,
    "resnet101@keras": 44_601_832,
    "resnet152@keras": 60_268_520,
    "resnet50@keras2016": 25_583_592,
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_the_published_ones(name):
    net = gr.get_model(name)
    net.initialize(mx.init.Zero())  # faster than random numbers
    gr.layer_shapes(net, (1, 1 if "d2l" in name else 3, 32, 32))
    assert trainable(net) == PARAMETERS[name]


def test_keras_with_running_statistics():
    """25,636,712 is what Keras's summary() gives in all: with the running means and variances."""
    net = gr.resnet50(family="keras")
    gr.layer_shapes(net, (1, 3, 32, 32))
    assert sum(int(numpy.prod(param.shape)) for param in net.collect_params().values()) == 25_636_712


def _original(name):
    """The network that ``name`` re-implements, from the library that published it."""
    depth, family = name[len("resnet") :].split("@")
    if family == "mxnet":
        return mx.gluon.model_zoo.vision.get_resnet(1, int(depth))
    import gluoncv

    return gluoncv.model_zoo.get_model(f"resnet{depth}_v1b", pretrained=False)


def _copy(original, ours):
    """Copy every parameter of ``original`` into ``ours``, block by block; the test fails if one is left over."""

    def blocks(net, wanted):
        found = []

        def look(block):
            if type(block).__name__ in wanted:
                found.append(block)
            else:
                for child in block._children.values():
                    look(child)

        look(net)
        return found

    def layers(block, skip=()):
        flat = []

        def look(part):
            if part in skip:
                return
            if part._reg_params:
                flat.append(part)
            for child in part._children.values():
                look(child)

        look(block)
        convs = [layer for layer in flat if "Conv" in type(layer).__name__]
        norms = [layer for layer in flat if "BatchNorm" in type(layer).__name__]
        dense = [layer for layer in flat if type(layer).__name__ == "Dense"]
        return convs, norms, dense

    theirs = blocks(original, ("BasicBlockV1", "BottleneckV1", "BasicBlockV1b", "BottleneckV1b"))
    mine = blocks(ours, ("Residual", "Bottleneck"))
    assert len(theirs) == len(mine)
    groups = [(layers(their), layers(my)) for their, my in zip(theirs, mine)]
    groups.append((layers(original, skip=theirs), layers(ours, skip=mine)))  # the stem and the classifier
    copied = 0
    for their_kinds, my_kinds in groups:
        for their_layers, my_layers in zip(their_kinds, my_kinds):
            assert len(their_layers) == len(my_layers)
            for their, my in zip(their_layers, my_layers):
                assert set(their._reg_params) == set(my._reg_params)
                for key, param in their._reg_params.items():
                    if param is not None:
                        my._reg_params[key].set_data(param.data())
                        copied += 1
    assert copied == len(original.collect_params().keys()) == len(ours.collect_params().keys())


ORIGINALS = [f"resnet{depth}@{family}" for family in ("torchvision", "mxnet") for depth in (18, 34, 50, 101, 152)]


@pytest.mark.parametrize("name", ORIGINALS)
def test_forward_equals_the_published_network(name):
    original, ours = _original(name), gr.get_model(name)
    X = random_array(2, 3, 64, 64)
    for net, init in ((original, mx.init.Xavier()), (ours, mx.init.Zero())):  # ours are copied from the original
        net.initialize(init, force_reinit=True)
        net(X)
    with autograd.train_mode():  # running statistics that are not 0 and 1
        original(X)
    _copy(original, ours)
    expected = original(X).asnumpy()
    assert expected.std() > 0
    assert relative_error(ours(X).asnumpy(), expected) < 1e-5
    ours.hybridize(static_alloc=True, static_shape=True)
    assert relative_error(ours(X).asnumpy(), expected) < 1e-5


@pytest.mark.parametrize("name", ["resnet18", "resnet50@keras"])
def test_imperative_and_hybridized_agree_in_training(both_modes, name):
    net, X = gr.get_model(name, 7), random_array(4, 2, 64, 64)
    net.initialize(mx.init.Xavier())
    net(X)
    results = both_ways(net, X, net[4][0].conv1.weight)
    assert results[0][0].shape == (4, 7)
    assert relative_error(results[1][0], results[0][0]) < 1e-5
    assert relative_error(results[1][1], results[0][1]) < 1e-4


def test_input_channels_come_from_the_first_input():
    for channels in (1, 3, 5):
        net = gr.resnet18()
        gr.layer_shapes(net, (1, channels, 32, 32))
        assert net[0].weight.shape == (64, channels, 7, 7)


def test_a_batch_of_another_size_behind_the_compiled_one(both_modes):
    net, X = gr.resnet18(), random_array(6, 1, 32, 32)
    net.initialize(mx.init.Xavier())
    expected = net(X).asnumpy()
    net.hybridize(static_alloc=True, static_shape=True)
    net(X)
    assert relative_error(net(X[:2]).asnumpy(), expected[:2]) < 1e-5
    assert relative_error(net(X).asnumpy(), expected) < 1e-5
