"""Every backward function by hand against central differences of its forward function, in float64."""

from functools import partial

from gluon_resnet import byhand
from gluon_resnet.byhand.conv import CONVOLUTIONS
from gluon_resnet.networks.specs import parse_model

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

STEP = 1e-5
drawn = settings(deadline=None, derandomize=True, max_examples=12)


def central_differences(function, X, entries=None, step=STEP):
    """(function(X + step) - function(X - step)) / (2 step) for each entry of X (changed and restored), or some."""
    flat, slopes = X.reshape(-1), []
    for i in range(X.size) if entries is None else entries:
        kept = flat[i]
        flat[i] = kept + step
        above = function()
        flat[i] = kept - step
        below = function()
        flat[i] = kept
        slopes.append((above - below) / (2 * step))
    return numpy.array(slopes)


def assert_gradients(forward, backward, *inputs):
    """backward(dY) gives, for each of ``inputs``, the slopes of sum(forward() * dY)."""
    dY = numpy.random.RandomState(5).standard_normal(forward().shape)
    found = backward(dY)
    found = found if isinstance(found, tuple) else (found,)
    assert len(found) == len(inputs)
    for gradient, value in zip(found, inputs):
        expected = central_differences(lambda: (forward() * dY).sum(), value)
        # the differences' own error: STEP^2 from the third derivative, 1e-16 / STEP from rounding
        largest = max(1, abs(expected).max())
        numpy.testing.assert_allclose(gradient.reshape(-1), expected, rtol=1e-6, atol=1e-7 * largest)


def apart(random, *shape):
    """Numbers that lie at least 0.1 from each other and from 0, in any order: no tie or kink within a step."""
    size = int(numpy.prod(shape))
    return ((random.permutation(size) - size // 2 + 0.5) / 5).reshape(shape)


@pytest.mark.parametrize("way", CONVOLUTIONS)
@drawn
@given(
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
    size=st.tuples(st.integers(3, 5), st.integers(3, 5)),
    seed=st.integers(0, 999),
)
def test_convolutions(way, kernel, stride, padding, size, seed):
    random, (forward, backward) = numpy.random.RandomState(seed), CONVOLUTIONS[way]
    X, weight, bias = (random.standard_normal(shape) for shape in ((2, 2) + size, (2, 2) + kernel, 2))
    assert_gradients(
        lambda: forward(X, weight, bias, stride, padding),
        lambda dY: backward(dY, X, weight, stride, padding),
        X,
        weight,
        bias,
    )


@drawn
@given(
    shape=st.tuples(st.integers(2, 3), st.integers(1, 3), st.integers(2, 3), st.integers(1, 3)),
    seed=st.integers(0, 999),
    eps=st.sampled_from([1e-5, 1e-3]),
)
def test_batch_norm_in_training_and_in_prediction(shape, seed, eps):
    random = numpy.random.RandomState(seed)
    X, gamma, beta = random.standard_normal(shape), random.uniform(0.5, 2, shape[1]), random.standard_normal(shape[1])
    _, mean, var = byhand.batch_norm_training(X, gamma, beta, eps)
    kept = X.copy()
    assert_gradients(
        lambda: byhand.batch_norm_training(X, gamma, beta, eps)[0],
        lambda dY: byhand.batch_norm_training_backward(dY, kept, gamma, mean, var, eps),
        X,
        gamma,
        beta,
    )
    mean, var = mean / 2, var * 2  # running statistics are not the batch's
    assert_gradients(
        lambda: byhand.batch_norm_inference(X, gamma, beta, mean, var, eps),
        lambda dY: byhand.batch_norm_inference_backward(dY, X, gamma, mean, var, eps),
        X,
        gamma,
        beta,
    )


@drawn
@given(
    kernel=st.integers(1, 3),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
    seed=st.integers(0, 999),
    size=st.tuples(st.integers(3, 6), st.integers(3, 6)),
)
def test_poolings_and_relu(kernel, stride, padding, seed, size):
    X, padding = apart(numpy.random.RandomState(seed), 2, 2, *size), min(padding, kernel - 1)
    for kind in ("max", "avg"):
        forward, backward = getattr(byhand, f"{kind}_pool"), getattr(byhand, f"{kind}_pool_backward")
        assert_gradients(
            partial(forward, X, kernel, stride, padding), lambda dY, f=backward: f(dY, X, kernel, stride, padding), X
        )
    assert_gradients(lambda: byhand.global_avg_pool(X), lambda dY: byhand.global_avg_pool_backward(dY, X), X)
    assert_gradients(lambda: byhand.relu(X), lambda dY: byhand.relu_backward(dY, X), X)


@drawn
@given(N=st.integers(1, 4), D=st.integers(1, 5), K=st.integers(2, 5), seed=st.integers(0, 999))
def test_linear_softmax_and_cross_entropy(N, D, K, seed):
    random = numpy.random.RandomState(seed)
    X, weight, bias = random.standard_normal((N, D)), random.standard_normal((K, D)), random.standard_normal(K)
    assert_gradients(
        lambda: byhand.linear(X, weight, bias), lambda dY: byhand.linear_backward(dY, X, weight), X, weight, bias
    )
    logits, y = byhand.linear(X, weight, bias), random.randint(0, K, N)
    assert_gradients(lambda: byhand.softmax(logits), lambda dY: byhand.softmax_backward(dY, logits), logits)
    expected = central_differences(lambda: byhand.cross_entropy(logits, y), logits)
    numpy.testing.assert_allclose(byhand.cross_entropy_backward(logits, y).reshape(-1), expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", ["resnet18@d2l", "resnet50@keras2016"])
def test_a_whole_networks_gradients(name, training):
    """The largest entry of a few gradients, the image's included; steps so small that they cross no ReLU's kink."""
    net = byhand.ResNet(parse_model(name, num_classes=4), in_channels=1, dtype="float64", seed=3)
    random = numpy.random.RandomState(0)
    X, y = random.standard_normal((2, 1, 40, 36)), numpy.array([1, 3])
    _, gradients = net.loss_and_gradients(X, y, training=training)
    last = net.layout.stages[-1][-1].body[-1][1].name
    checked = {
        "0.weight": net.params["0.weight"],
        "4.0.conv1.bias": net.params["4.0.conv1.bias"],
        f"{last}.gamma": net.params[f"{last}.gamma"],
        "9.weight": net.params["9.weight"],
    }
    gradients, checked = {**gradients, "X": net.dX.copy()}, {**checked, "X": X}
    if training:
        del checked["4.0.conv1.bias"]  # batch norm takes the mean off again: its gradient is 0 but for rounding
        assert abs(gradients["4.0.conv1.bias"]).max() < 1e-10 * abs(gradients["4.0.bn1.beta"]).max()
    for key, value in checked.items():
        at = int(abs(gradients[key]).argmax())
        expected = central_differences(lambda: byhand.cross_entropy(net.forward(X, training), y), value, [at], 1e-8)
        assert gradients[key].reshape(-1)[at] == pytest.approx(expected[0], rel=1e-4), key
