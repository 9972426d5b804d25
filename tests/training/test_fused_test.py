"""Tests between epochs with the fused network: the same numbers as the plain network's, and when it is not taken."""

import gluon_resnet as gr
from gluon_resnet.training import fused, fused_test
from gluon_resnet.training.accuracy import evaluate
from gluon_resnet.training.batches import Taken

import mxnet as mx
import numpy
import pytest

from tests.conftest import array


def _batches(net, shape=(8, 1, 32, 32), number=3):
    random = numpy.random.RandomState(1)
    pairs = [(array(random.rand(*shape)), array(random.randint(0, 10, shape[0]))) for _ in range(number)]
    return Taken(pairs, "test_iter", net)


def _network(name="cifar_resnet20"):
    net = gr.get_model(name)
    net.initialize(mx.init.Xavier())
    gr.layer_shapes(net, (1, 1, 32, 32))
    return net


def test_a_long_test_gives_the_plain_networks_accuracy_and_loss(both_modes, monkeypatch):
    monkeypatch.setattr(fused_test, "WORTH", 1)
    net = _network()
    batches = _batches(net)
    for running in (param for name, param in net._collect_params_with_prefix().items() if "running_" in name):
        running.set_data(array(numpy.random.RandomState(2).rand(*running.shape) + 0.5))
    network = fused_test.network_for(net, batches, mx.cpu())
    (accuracy, loss), (expected_accuracy, expected_loss) = (evaluate(n, batches, mx.cpu()) for n in (network, net))
    assert isinstance(network.network, fused.FusedNetwork)
    assert accuracy == expected_accuracy and loss == pytest.approx(expected_loss, rel=1e-5)


def test_each_epoch_is_tested_with_the_parameters_it_ended_with(monkeypatch):
    net, made = _network(), []
    batches = list(_batches(net).batches)
    monkeypatch.setattr(fused_test, "WORTH", 1)
    build = fused.FusedNetwork
    monkeypatch.setattr(fused, "FusedNetwork", lambda *args: made.append(1) or build(*args))
    result = gr.fit(net, batches, batches, gr.Recipe(epochs=2, lr=0.1), mx.cpu())
    assert len(made) == 2
    assert result.last.test_loss == pytest.approx(evaluate(net, Taken(batches, "test_iter", net))[1], rel=1e-5)


def test_what_is_not_fused():
    net = _network()
    short = fused_test.network_for(net, _batches(net), mx.cpu())
    short(array(numpy.zeros((8, 1, 32, 32))))
    assert short.network is net  # 25 images of 32x32 are done before a network is fused
    once = Taken((pair for pair in _batches(net).batches), "test_iter", net)
    assert fused_test.network_for(net, once, mx.cpu()) is net  # nobody knows how many batches there are
    other = mx.gluon.nn.Dense(10)
    assert fused_test.network_for(other, _batches(other), mx.cpu()) is other
    net.add(mx.gluon.nn.Activation("relu"))
    assert fused_test.network_for(net, _batches(net), mx.cpu()) is net
