"""Networks of plain blocks as one graph: which are taken, and that what differs is not."""

from gluon_resnet.editions import compiled

import mxnet as mx
import numpy
import pytest
from mxnet import autograd, gluon
from mxnet.gluon import nn

from tests.conftest import array, random_array
from tests.editions.test_d2l import small_resnet

LOSS = gluon.loss.SoftmaxCrossEntropyLoss()


def batch():
    return random_array(8, 1, 28, 28), array([0, 1, 2, 3, 4, 5, 6, 7], "int32")


def gradients(net, params, X, y):
    with autograd.record():
        loss = LOSS(net(X), y)
    loss.backward()
    return {name: param.grad().asnumpy() for name, param in params.items() if param.grad_req != "null"}


def test_the_graph_shares_parameters_and_gives_the_same_gradients(np_mode):
    X, y = batch()
    net = small_resnet()
    net.initialize(mx.init.Xavier())
    graph, reason = compiled.fast(net, X, y, LOSS)
    assert reason == "" and isinstance(graph, gluon.SymbolBlock)
    params = dict(net.collect_params().items())
    assert all(param is params[name] for name, param in graph.collect_params().items())
    ours, theirs = (gradients(one, params, X, y) for one in (graph, net))
    assert len(ours) == 6 * 2 + 5 * 2 + 2  # convolutions, batch norms, the dense layer
    for name, values in theirs.items():
        numpy.testing.assert_allclose(ours[name], values, rtol=1e-3, atol=1e-5)


def test_running_statistics_are_as_before(np_mode):
    X, y = batch()
    net = small_resnet()
    net.initialize(mx.init.Xavier())
    net(X)
    before = {name: param.data().asnumpy() for name, param in net.collect_params().items() if param.grad_req == "null"}
    compiled.fast(net, X, y, LOSS)
    assert len(before) == 5 * 2  # mean and variance
    for name, values in before.items():
        assert (net.collect_params()[name].data().asnumpy() == values).all()


class OwnNorm(nn.Block):
    """Batch norm from scratch, as the books write it."""

    def __init__(self, num_features):
        super().__init__()
        self.gamma = self.params.get("gamma", shape=(1, num_features, 1, 1), init=mx.init.One())
        self.moving_mean = mx.np.zeros((1, num_features, 1, 1))

    def forward(self, X):
        mean = X.mean(axis=(0, 2, 3), keepdims=True)
        self.moving_mean = 0.9 * self.moving_mean + 0.1 * mean
        return self.gamma.data() * (X - (mean if autograd.is_training() else self.moving_mean))


class OwnDropout(nn.Block):
    """Halves its input in training: another graph than outside it."""

    def forward(self, X):
        return X * 0.5 if autograd.is_training() else X


class Branch(nn.Block):
    """Looks at the values."""

    def forward(self, X):
        return X if float(X.sum()) > 0 else -X


@pytest.mark.parametrize(
    "block, reason",
    [
        (lambda: OwnNorm(4), "OwnNorm has parameters of its own, in a plain nn.Block"),
        (OwnDropout, "outputs or gradients differ from the network's own"),
        (Branch, "its forward needs arrays"),
    ],
)
def test_what_a_graph_cannot_hold_stays_as_it_is(np_mode, block, reason):
    X, y = batch()
    net = nn.Sequential()
    net.add(nn.Conv2D(4, kernel_size=3), block(), nn.Dense(10))
    net.initialize()
    same, why = compiled.fast(net, X, y, LOSS)
    assert same is net and why.startswith(reason)


def test_a_network_with_hooks_stays_as_it_is(np_mode):
    net = small_resnet()
    net[0].register_forward_hook(lambda block, inputs, output: None)
    assert compiled.unsuitable(net) == "Conv2D has hooks"
    assert compiled.unsuitable(lambda X: X) == "it is a function, not a Gluon network"


def test_mxnets_functions_are_put_back(np_mode):
    before = mx.npx.relu
    net = nn.Sequential()
    net.add(Branch())
    compiled.fast(net, *batch(), LOSS)
    assert mx.npx.relu is before
