"""Pre-activation networks against MXNet's zoo and gluoncv, parameter for parameter, and against the count by hand."""

import gluon_resnet as gr

import mxnet as mx
import numpy
import pytest
from mxnet import autograd

from tests.conftest import random_array, relative_error, there_and_back, trainable

DEPTHS = (18, 34, 50, 101, 152)


def _copy(original, ours, depth):
    """Every parameter of the zoo's network into ours by name; the test fails if one is left over on either side."""
    projection = "conv3" if depth < 50 else "conv4"
    theirs, mine = original._collect_params_with_prefix(), ours._collect_params_with_prefix()
    for name, param in theirs.items():
        renamed = name.replace("features.", "").replace("downsample", projection).replace("output.", "12.")
        mine.pop(renamed).set_data(param.data())
    assert not mine


def _compared(original, depth):
    """(outputs of the original, ours, ours hybridized) on one batch, with the original's parameters."""
    ours, X = gr.get_model(f"resnet{depth}@v2"), random_array(2, 3, 64, 64)
    for net, init in ((original, mx.init.Xavier()), (ours, mx.init.Zero())):  # ours are copied from the original
        net.initialize(init)
        net(X)
    with autograd.train_mode():  # running statistics that are not 0 and 1
        original(X)
    _copy(original, ours, depth)
    expected, found = original(X).asnumpy(), ours(X).asnumpy()
    ours.hybridize(static_alloc=True, static_shape=True)
    assert gr.totals(gr.summary(ours, (1, 3, 32, 32)))["parameters"] == trainable(original)
    return expected, found, ours(X).asnumpy()


@pytest.mark.parametrize("depth", DEPTHS)
def test_forward_equals_the_zoos(depth):
    expected, *found = _compared(mx.gluon.model_zoo.vision.get_resnet(2, depth), depth)
    assert expected.std() > 0
    for Y in found:
        assert relative_error(Y, expected) < 1e-5


@pytest.mark.parametrize("depth", [18, 50])
def test_forward_equals_gluoncvs(depth):
    import gluoncv

    expected, *found = _compared(gluoncv.model_zoo.get_model(f"resnet{depth}_v2", pretrained=False), depth)
    for Y in found:
        assert relative_error(Y, expected) < 1e-5


@pytest.mark.parametrize("block, depth", [(gr.ResidualV2, 18), (gr.BottleneckV2, 50)])
def test_gradients_equal_the_zoos(block, depth):
    """One block, with a projection and a stride, in training."""
    from mxnet.gluon.model_zoo.vision import resnet

    original = (resnet.BasicBlockV2 if depth == 18 else resnet.BottleneckV2)(16, 2, True, 8)
    ours = block(16, strides=2, shortcut="B", in_channels=8)
    X, results = random_array(4, 8, 10, 10), []
    for blk in (original, ours):
        blk.initialize(mx.init.Normal(0.3))
        blk(X)
    theirs, mine = original._collect_params_with_prefix(), ours._collect_params_with_prefix()
    for name, param in theirs.items():
        mine[name.replace("downsample", "conv3" if depth == 18 else "conv4")].set_data(param.data())
    for blk in (original, ours):
        x = X.copy()
        x.attach_grad()
        Y = there_and_back(blk, x)
        results.append(
            (Y.asnumpy(), x.grad.asnumpy(), blk.conv1.weight.grad().asnumpy(), blk.bn1.gamma.grad().asnumpy())
        )
    for expected, found in zip(*results):
        assert relative_error(found, expected) < 1e-4


def test_the_pictures_own_norm_has_statistics_and_learns_nothing_else():
    """In the zoo's network the statistics stay as they were: nothing before it has a gradient."""
    X = random_array(64, 3, 32, 32) * 5 + 3
    for net, norm in ((mx.gluon.model_zoo.vision.resnet18_v2(), "features.0"), (gr.get_model("resnet18@v2"), "0")):
        net.initialize(mx.init.Xavier())
        for hybridize in (False, True):
            net.hybridize(hybridize)
            with autograd.record():
                Y = net(X)
            Y.backward()
            trainer = mx.gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1, "wd": 0.1})
            trainer.step(1)
        params = {name: param.data().asnumpy() for name, param in net._collect_params_with_prefix().items()}
        mean, steps = X.asnumpy().mean(axis=(0, 2, 3)), 2
        expected = numpy.zeros(3) if "features" in norm else mean * (1 - 0.9**steps)
        assert params[f"{norm}.running_mean"] == pytest.approx(expected, rel=1e-4)
        with autograd.train_mode():
            assert (net(X).asnumpy() != 0).any()
        assert (params[f"{norm}.beta"] == 0).all()
    net(X).wait_to_read()
    assert (net[0].gamma.data().asnumpy() == 1).all()
