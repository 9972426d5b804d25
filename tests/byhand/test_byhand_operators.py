"""Every operator by hand against MXNet's, forward and backward, in float32, over drawn shapes, strides and paddings."""

import functools

from gluon_resnet import byhand
from gluon_resnet.byhand.conv import CONVOLUTIONS
from gluon_resnet.errors import ConfigError, ShapeError

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mxnet import autograd, gluon, nd

TOLERANCE = 1e-5  # float32 has 6e-8; sums of a few hundred products in another order cost the rest
drawn = settings(deadline=None, derandomize=True, max_examples=30)


def normal(random, *shape):
    return random.standard_normal(shape).astype("float32")


def assert_close(found, expected, scale=None, tolerance=TOLERANCE):
    """Shapes and dtypes are equal, and no difference is larger than ``tolerance`` of the largest expected number."""
    expected = expected.asnumpy() if isinstance(expected, nd.NDArray) else expected
    assert found.shape == expected.shape and found.dtype == expected.dtype
    if expected.size:
        scale = abs(expected).max() if scale is None else scale
        assert abs(found - expected).max() <= tolerance * scale


def mxnets(operator, dY, *inputs, train_mode=True):
    """MXNet's (Y, [gradient of sum(Y * dY) with respect to each input])."""
    arrays = [nd.array(value, dtype=value.dtype) for value in inputs]
    for value in arrays:
        value.attach_grad()
    with autograd.record(train_mode=train_mode):
        Y = operator(*arrays)
    Y.backward(nd.array(dY, dtype=dY.dtype), train_mode=train_mode)
    return Y, [value.grad for value in arrays]


@st.composite
def convolutions(draw):
    """(X, weight, bias, stride, padding) of a small convolution."""
    KH, KW = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    stride, padding = draw(st.integers(1, 3)), draw(st.integers(0, 3))
    H = draw(st.integers(max(1, KH - 2 * padding), 9))
    W = draw(st.integers(max(1, KW - 2 * padding), 9))
    N, C, num_filters = draw(st.integers(1, 3)), draw(st.integers(1, 4)), draw(st.integers(1, 4))
    random = numpy.random.RandomState(draw(st.integers(0, 999)))
    return (
        normal(random, N, C, H, W),
        normal(random, num_filters, C, KH, KW),
        normal(random, num_filters),
        stride,
        padding,
    )


@pytest.mark.parametrize("way", CONVOLUTIONS)
@drawn
@given(case=convolutions())
def test_each_convolution_and_its_gradients_are_mxnets(way, case):
    X, weight, bias, stride, padding = case
    forward, backward = CONVOLUTIONS[way]
    Y = forward(X, weight, bias, stride=stride, padding=padding)
    dY = normal(numpy.random.RandomState(1), *Y.shape)
    expected, gradients = mxnets(
        lambda X, weight, bias: nd.Convolution(
            X,
            weight,
            bias,
            kernel=weight.shape[2:],
            num_filter=len(bias),
            stride=(stride, stride),
            pad=(padding, padding),
        ),
        dY,
        X,
        weight,
        bias,
    )
    assert_close(Y, expected)
    for found, gradient in zip(backward(dY, X, weight, stride=stride, padding=padding), gradients):
        assert_close(found, gradient, scale=max(1, abs(gradient.asnumpy()).max()))
    without = forward(X, weight, stride=stride, padding=padding)
    assert_close(without, forward(X, weight, 0 * bias, stride=stride, padding=padding))


@drawn
@given(case=convolutions(), dtype=st.sampled_from(["float32", "float64"]))
def test_the_three_convolutions_agree_in_both_dtypes(case, dtype):
    (X, weight, bias), (stride, padding) = (value.astype(dtype) for value in case[:3]), case[3:]
    outputs = [forward(X, weight, bias, stride, padding) for forward, _ in CONVOLUTIONS.values()]
    dY = numpy.random.RandomState(1).standard_normal(outputs[0].shape).astype(dtype)
    gradients = [backward(dY, X, weight, stride, padding) for _, backward in CONVOLUTIONS.values()]
    tolerance = {"float32": TOLERANCE, "float64": 1e-13}[dtype]
    for Y, of_way in zip(outputs[1:], gradients[1:]):
        assert_close(Y, outputs[0], tolerance=tolerance)
        for found, expected in zip(of_way, gradients[0]):
            assert_close(found, expected, scale=max(1, abs(expected).max()), tolerance=tolerance)


@drawn
@given(case=convolutions())
def test_col2im_is_the_adjoint_of_im2col(case):
    X, weight, _, stride, padding = (case[0].astype("float64"),) + case[1:]
    columns = byhand.im2col(X, weight.shape[2:], stride, padding)
    other = numpy.random.RandomState(2).standard_normal(columns.shape)
    back = byhand.col2im(other, X.shape, weight.shape[2:], stride, padding)
    numpy.testing.assert_allclose((columns * other).sum(), (X * back).sum(), rtol=1e-10, atol=1e-10)


@st.composite
def norms(draw):
    """(X, gamma, beta, running mean, running variance, eps), a dozen numbers a channel at least."""
    N, C, H, W = draw(st.integers(2, 4)), draw(st.integers(1, 5)), draw(st.integers(2, 6)), draw(st.integers(3, 6))
    random = numpy.random.RandomState(draw(st.integers(0, 999)))
    X = normal(random, N, C, H, W) * 2 + 1
    var = random.uniform(0.5, 2, C).astype("float32")
    return (
        X,
        1 + normal(random, C) / 4,
        normal(random, C),
        normal(random, C),
        var,
        draw(st.sampled_from([1e-5, 1.001e-5, 1e-3])),
    )


def mxnets_norm(X, gamma, beta, mean, var, eps, dY, train_mode):
    """MXNet's (Y, gradients of X, gamma, beta) and the running statistics, which its backward pass moves."""
    mean, var = nd.array(mean), nd.array(var)
    norm = functools.partial(nd.BatchNorm, moving_mean=mean, moving_var=var, eps=eps, momentum=0.9, fix_gamma=False)
    Y, gradients = mxnets(norm, dY, X, gamma, beta, train_mode=train_mode)
    nd.waitall()
    return Y, gradients, mean, var


@drawn
@given(case=norms())
def test_batch_norm_in_training_and_its_running_statistics_are_mxnets(case):
    X, gamma, beta, running_mean, running_var, eps = case
    dY = normal(numpy.random.RandomState(1), *X.shape)
    Y, mean, var = byhand.batch_norm_training(X, gamma, beta, eps)
    expected, gradients, after_mean, after_var = mxnets_norm(*case, dY, train_mode=True)
    assert_close(Y, expected)
    for found, gradient in zip(byhand.batch_norm_training_backward(dY, X, gamma, mean, var, eps), gradients):
        assert_close(found, gradient, scale=max(1, abs(gradient.asnumpy()).max()))
    assert_close(byhand.updated_running(running_mean, mean), after_mean, scale=1)
    assert_close(byhand.updated_running(running_var, var), after_var)


@drawn
@given(case=norms())
def test_batch_norm_in_prediction_is_mxnets(case):
    X, gamma, beta, mean, var, eps = case
    dY = normal(numpy.random.RandomState(1), *X.shape)
    expected, gradients, after_mean, _ = mxnets_norm(*case, dY, train_mode=False)
    assert_close(byhand.batch_norm_inference(X, gamma, beta, mean, var, eps), expected)
    for found, gradient in zip(byhand.batch_norm_inference_backward(dY, X, gamma, mean, var, eps), gradients):
        assert_close(found, gradient, scale=max(1, abs(gradient.asnumpy()).max()))
    assert_close(mean, after_mean)


@st.composite
def poolings(draw):
    """(X, kernel, stride, padding); whole numbers, so that many windows have several largest ones."""
    kernel, stride = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    padding = draw(st.integers(0, kernel - 1))
    H, W = (draw(st.integers(max(1, kernel - 2 * padding), 9)) for _ in range(2))
    random = numpy.random.RandomState(draw(st.integers(0, 999)))
    X = random.randint(-3, 2, size=(draw(st.integers(1, 2)), draw(st.integers(1, 3)), H, W)).astype("float32")
    return X, kernel, stride, padding


@pytest.mark.parametrize("kind", ["max", "avg"])
@drawn
@given(case=poolings())
def test_poolings_are_mxnets_and_the_first_of_equal_maxima_takes_the_gradient(kind, case):
    X, kernel, stride, padding = case
    forward, backward = getattr(byhand, f"{kind}_pool"), getattr(byhand, f"{kind}_pool_backward")
    Y = forward(X, kernel, stride, padding)
    dY = normal(numpy.random.RandomState(1), *Y.shape)
    expected, (gradient,) = mxnets(
        lambda X: nd.Pooling(
            X, kernel=(kernel, kernel), stride=(stride, stride), pad=(padding, padding), pool_type=kind
        ),
        dY,
        X,
    )
    assert_close(Y, expected, scale=3)
    assert_close(backward(dY, X, kernel, stride, padding), gradient, scale=max(1, abs(dY).max()))


@drawn
@given(shape=st.tuples(*(st.integers(1, 6) for _ in range(4))), seed=st.integers(0, 999))
def test_relu_global_pooling_and_linear_are_mxnets(shape, seed):
    random = numpy.random.RandomState(seed)
    X = normal(random, *shape)
    X[random.uniform(size=shape) < 0.2] = 0  # zeros: the kink
    dY = normal(random, *shape)
    expected, (gradient,) = mxnets(functools.partial(nd.Activation, act_type="relu"), dY, X)
    assert_close(byhand.relu(X), expected)
    assert_close(byhand.relu_backward(dY, X), gradient)
    dY = normal(random, *shape[:2], 1, 1)
    expected, (gradient,) = mxnets(lambda X: nd.Pooling(X, global_pool=True, pool_type="avg", kernel=(1, 1)), dY, X)
    assert_close(byhand.global_avg_pool(X), expected, scale=1)
    assert_close(byhand.global_avg_pool_backward(dY, X), gradient)
    X, weight, bias = X.reshape(shape[0], -1), normal(random, 5, X[0].size), normal(random, 5)
    dY = normal(random, shape[0], 5)
    expected, gradients = mxnets(lambda *inputs: nd.FullyConnected(*inputs, num_hidden=5), dY, X, weight, bias)
    assert_close(byhand.linear(X, weight, bias), expected)
    for found, gradient in zip(byhand.linear_backward(dY, X, weight), gradients):
        assert_close(found, gradient, scale=max(1, abs(gradient.asnumpy()).max()))


@drawn
@given(N=st.integers(1, 5), K=st.integers(2, 9), size=st.sampled_from([1, 30, 1000]), seed=st.integers(0, 999))
def test_softmax_and_cross_entropy_are_mxnets_for_small_and_large_logits(N, K, size, seed):
    random = numpy.random.RandomState(seed)
    logits, y, dY = normal(random, N, K) * numpy.float32(size), random.randint(0, K, N), normal(random, N, K)
    expected, (gradient,) = mxnets(nd.softmax, dY, logits)
    assert_close(byhand.softmax(logits), expected)
    assert_close(byhand.softmax_backward(dY, logits), gradient, scale=1)
    # in float64: MXNet's float32 logarithm (oneDNN's) is itself off by 1e-5
    loss, (gradient,) = mxnets(
        lambda logits: gluon.loss.SoftmaxCrossEntropyLoss()(logits, nd.array(y)),
        numpy.full(N, 1 / N),
        logits.astype("float64"),
    )
    assert byhand.cross_entropy(logits, y) == pytest.approx(float(loss.mean().asscalar()), rel=1e-6, abs=1e-6)
    assert_close(byhand.cross_entropy_backward(logits, y), gradient.astype("float32"), scale=1)


def test_cross_entropy_neither_overflows_nor_takes_the_logarithm_of_zero():
    logits = numpy.array([[1e4, 0, -1e4], [-1e4, 0, 1e4]], dtype="float32")
    with numpy.errstate(over="raise", invalid="raise", divide="raise"):
        assert byhand.softmax(logits).tolist() == [[1, 0, 0], [0, 0, 1]]
        assert byhand.cross_entropy(logits, numpy.array([2, 2])) == 1e4  # (20000 + 0) / 2
        assert byhand.cross_entropy_backward(logits, numpy.array([2, 2])).tolist() == [[0.5, 0, -0.5], [0, 0, 0]]


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda X: byhand.conv2d_loops(X[0], X), ShapeError, r"X has shape \(3, 8, 8\): expected \(N, C, H, W\)"),
        (
            lambda X: byhand.conv2d_vectorised(X, X[:, :2]),
            ShapeError,
            r"weight has shape \(2, 2, 8, 8\): expected \(2, 3, 8, 8\)",
        ),
        (lambda X: byhand.conv2d_im2col(X, X, X[0, 0, 0]), ShapeError, r"bias has shape \(8,\): expected \(2,\)"),
        (lambda X: byhand.conv2d_im2col(X[:, :, :2], X), ShapeError, "image is 2x8, padded by 0: smaller than the"),
        (
            lambda X: byhand.conv2d_im2col(X, X, stride=0),
            ConfigError,
            "stride is 0: expected a whole number of at least 1",
        ),
        (lambda X: byhand.conv2d_im2col_backward(X, X, X), ShapeError, r"dY has shape .* expected \(2, 2, 1, 1\)"),
        (lambda X: byhand.col2im(X[0], X.shape, (3, 3)), ShapeError, r"columns has shape .* expected \(2, 27, 36\)"),
        (
            lambda X: byhand.batch_norm_training(X, X[0, 0, 0], X[0, 0, 0]),
            ShapeError,
            r"gamma has shape \(8,\): expected \(3,\)",
        ),
        (lambda X: byhand.max_pool(X, 2, 1, 2), ConfigError, "padding is 2: expected less than the kernel of 2"),
        (lambda X: byhand.max_pool(X, 9, 1), ShapeError, "smaller than the window of 9x9"),
        (lambda X: byhand.global_avg_pool(X[0]), ShapeError, r"expected \(N, C, H, W\)"),
        (
            lambda X: byhand.linear(X[0, 0], X[0, 0, :, :3], X[0, 0, 0]),
            ShapeError,
            r"weight has shape \(8, 3\): expected \(8, 8\)",
        ),
        (lambda X: byhand.relu_backward(X[0], X), ShapeError, "dY has shape"),
        (lambda X: byhand.cross_entropy(X[0, 0], numpy.arange(7)), ShapeError, r"y has shape \(7,\): expected \(8,\)"),
        (lambda X: byhand.cross_entropy(X[0, 0], numpy.arange(1, 9)), ShapeError, "y has the label 8: expected 0 to 7"),
        (
            lambda X: byhand.cross_entropy(X[0, 0], X[0, 0, 0]),
            ShapeError,
            "y is of dtype float64: expected whole numbers",
        ),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(call, error, message):
    with pytest.raises(error, match=message) as raised:
        call(numpy.zeros((2, 3, 8, 8)))
    assert "\n" not in str(raised.value)
