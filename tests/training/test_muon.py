"""Muon's updates against numpy: its singular value decomposition, and the published update in float64."""

import gluon_resnet as gr
from gluon_resnet.training.loop import Training
from gluon_resnet.training.muon import orthogonal
from gluon_resnet.training.recipe import Recipe

import mxnet as mx
import numpy
import pytest

from tests.conftest import array
from tests.training.test_recipe import values

SHAPES = [(16, 72), (72, 16), (32, 32)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_singular_values_are_near_1_and_the_vectors_stay(shape, scale):
    X = (scale * numpy.random.RandomState(0).randn(*shape)).astype("float32")
    found = orthogonal(mx.nd.array(X)).asnumpy()
    U, before, V = numpy.linalg.svd(X, full_matrices=False)
    assert before.max() / before.min() > 1.9  # they were not alike
    along = U.T @ found @ V.T  # diagonal if the singular vectors are the same
    assert along == pytest.approx(numpy.diag(numpy.diag(along)), abs=2e-3)
    assert numpy.diag(along).min() > 0.65 and numpy.diag(along).max() < 1.25


def published(gradient, momentum, buffer):
    """(update, buffer) of a matrix, by the source's listing in float64."""
    buffer = momentum * buffer + gradient
    X = gradient + momentum * buffer
    X = X / (numpy.linalg.norm(X) + 1e-7)
    if len(gradient) > gradient.shape[1]:
        X = X.T
    for _ in range(5):
        A = X @ X.T
        X = 3.4445 * X + (-4.7750 * A + 2.0315 * A @ A) @ X
    if len(gradient) > gradient.shape[1]:
        X = X.T
    return X * max(1, len(gradient) / gradient.shape[1]) ** 0.5, buffer


def small_net():
    """Convolutions whose weights are wide (4, 9) and tall (40, 36), and one that is not 3x3; a batch norm; dense."""
    numpy.random.seed(0)
    mx.random.seed(0)
    net = mx.gluon.nn.HybridSequential()
    net.add(mx.gluon.nn.Conv2D(4, 3, in_channels=1), mx.gluon.nn.BatchNorm(in_channels=4))
    net.add(mx.gluon.nn.Conv2D(40, 3, in_channels=4), mx.gluon.nn.Conv2D(2, 1, in_channels=40))
    net.add(mx.gluon.nn.Flatten(), mx.gluon.nn.Dense(3, in_units=2))
    net.initialize(mx.init.Normal(0.3))
    return net


def test_three_steps_are_the_published_ones(both_modes):
    net = small_net()
    training = Training(net, Recipe(optimizer="muon", momentum=0.8, weight_decay=0.1, muon_lr=0.5), mx.cpu())
    buffers = {name: 0.0 for name in values(net)}
    params = net._collect_params_with_prefix()
    for t in range(3):
        random, before = numpy.random.RandomState(t), values(net)
        X, y = array(random.randn(8, 1, 5, 5)), array(random.randint(0, 3, 8), "int32")
        training.step(X, y, 0.2)
        for name, after in values(net).items():
            if "running" in name:
                continue
            gradient = params[name].grad().asnumpy().astype("float64") / 8
            if name in ("0.weight", "2.weight"):
                matrix = gradient.reshape(len(gradient), -1)
                update, buffers[name] = published(matrix, 0.8, buffers[name])
                expected = before[name] * (1 - 0.5 * 0.2 * 0.1) - 0.5 * 0.2 * update.reshape(gradient.shape)
            else:  # Nesterov's momentum
                gradient = gradient + (0.1 if name.endswith("weight") else 0) * before[name]
                buffers[name] = 0.8 * buffers[name] + gradient
                expected = before[name] - 0.2 * (gradient + 0.8 * buffers[name])
            assert after == pytest.approx(expected, rel=1e-3, abs=3e-5), (name, t)


def test_it_trains_the_3x3_weights_of_a_network_and_the_others_too(np_mode):
    net = gr.get_model("resnet8@narrow")
    net.initialize(mx.init.Xavier())
    training = Training(net, Recipe(optimizer="muon", momentum=0.9, muon_lr=0.1), mx.cpu())
    rates = {name: param.lr_mult for name, param in net._collect_params_with_prefix().items()}
    assert rates["0.weight"] == rates["4.0.conv3.weight"] == 1 and rates["3.0.conv1.weight"] == 0.1  # 5x5, 1x1, 3x3
    random = numpy.random.RandomState(0)
    X, y = array(random.rand(16, 1, 28, 28)), array(random.randint(0, 10, 16), "int32")
    losses = [training.step(X, y, 0.2).loss.asnumpy().item() for _ in range(8)]
    assert losses[-1] < losses[0] / 2
