"""The networks by hand against Gluon's: logits, gradients of all parameters, running statistics; and one another's."""

import subprocess
import sys
from dataclasses import replace

import gluon_resnet as gr
from gluon_resnet import byhand
from gluon_resnet.byhand.folded import fold
from gluon_resnet.errors import ConfigError, ModelError, ShapeError
from gluon_resnet.networks.layout import layout
from gluon_resnet.networks.specs import get_spec, parse_model

import numpy
import pytest
from mxnet import autograd, gluon, init, nd

from tests.conftest import ROOT, relative_error


def spec_of(name, narrow=False):
    """The spec of ``name``; if ``narrow`` with 16 channels after the stem, not 64: the same layers, faster."""
    return replace(parse_model(name), stem_channels=16) if narrow else parse_model(name)


def lively_params(spec, in_channels=3, seed=1):
    """Parameters in which no bias, scale or running statistic is at its starting value.

    The last batch norm of each body is weak, as in a trained network: otherwise the sums grow until softmax is 0 or 1.
    """
    described = layout(spec, in_channels)
    last = {f"{block.body[-1][1].name}.gamma" for stage in described.stages for block in stage if block.body[-1][1]}
    params, random = byhand.random_params(described, "float64", seed), numpy.random.RandomState(seed)
    for key, value in params.items():
        if key.endswith(("gamma", "running_var")):
            params[key] = random.uniform(0.5, 1.5, value.shape) * (0.2 if key in last else 1)
        elif value.ndim == 1:
            params[key] = random.standard_normal(value.shape) / 10
    return params


def gluons(spec, params, X, dtype):
    """The Gluon network of ``spec`` in ``dtype`` with these parameters."""
    net = gr.build(spec)
    net.initialize(init.Zero())
    net(nd.array(X, dtype="float32"))
    net.cast(dtype)
    for key, param in net._collect_params_with_prefix().items():
        param.set_data(nd.array(params[key], dtype=dtype))
    return net


def gluons_gradients(net, X, y, dtype, training):
    """(logits, {name: gradient}) of the mean cross-entropy, the batch norms in training or not."""
    with autograd.record(train_mode=training):
        logits = net(nd.array(X, dtype=dtype))
        loss = gluon.loss.SoftmaxCrossEntropyLoss()(logits, nd.array(y)).mean()
    loss.backward(train_mode=training)
    return logits.asnumpy(), {
        key: param.grad().asnumpy()
        for key, param in net._collect_params_with_prefix().items()
        if param.grad_req != "null" and key not in layout(net.spec).fixed()
    }


def batch(count=2, size=64, seed=0):
    random = numpy.random.RandomState(seed)
    return random.standard_normal((count, 3, size, size)), random.randint(0, 10, count)


def by_hand(spec, params, X, y, dtype, training):
    """(net, logits, gradients)."""
    net = byhand.ResNet(spec, params, dtype=dtype)
    logits = net.forward(X, training)
    return net, logits, net.backward(byhand.cross_entropy_backward(logits, y))


@pytest.mark.parametrize("training", [True, False], ids=["training", "prediction"])
def test_resnet50s_logits_gradients_and_running_statistics_are_gluons_in_float64(training):
    """1e-10 of the largest entry of each gradient is rounding through fifty layers, and nothing else."""
    spec, (X, y) = spec_of("resnet50@torchvision", narrow=True), batch()
    params = lively_params(spec)
    gluon_net = gluons(spec, params, X, "float64")
    expected_logits, expected = gluons_gradients(gluon_net, X, y, "float64", training)
    net, logits, gradients = by_hand(spec, params, X, y, "float64", training)
    assert relative_error(logits, expected_logits) < 1e-12
    assert list(gradients) == [key for key in layout(net.spec).params() if "running" not in key]
    assert set(gradients) == set(expected) and len(expected) == 161
    assert {key: relative_error(gradients[key], expected[key]) for key in expected} == pytest.approx(
        dict.fromkeys(expected, 0), abs=1e-10
    )
    nd.waitall()
    for key, param in gluon_net._collect_params_with_prefix().items():
        if param.grad_req == "null":  # running statistics; MXNet moves them in its backward pass
            assert (relative_error(net.params[key], params[key]) > 1e-3) == training
            # 1e-6: MXNet keeps the momentum as a float32, so that 1 - 0.9 is off by 2.4e-7 of itself
            assert relative_error(net.params[key], param.data().asnumpy()) < 1e-6


def test_resnet50_in_float32_predicts_what_gluon_predicts_and_its_gradients_are_the_float64_ones():
    """Half of the gradients to 1e-5, rounding; all to 1e-3: rounding may turn a ReLU with an input near 0 on or off.

    (Gluon itself cannot go back in prediction mode here: oneDNN has no backward pass for BatchNormReLU in it.)
    """
    spec, (X, y) = spec_of("resnet50@torchvision", narrow=True), batch()
    params = lively_params(spec)
    _, logits, gradients = by_hand(spec, params, X, y, "float32", False)
    _, _, expected = by_hand(spec, params, X, y, "float64", False)
    assert relative_error(logits, gluons(spec, params, X, "float32")(nd.array(X)).asnumpy()) < 1e-5
    errors = [relative_error(gradients[key], expected[key]) for key in expected]
    assert numpy.median(errors) < 1e-5 and max(errors) < 1e-3


def test_resnet50_trains_in_float32_as_gluon_does():
    """Logits agree to 1e-5, gradients only to 5 % of the whole gradient's length.

    Of millions of ReLUs one or two have an input so near 0 that rounding decides whether they are on, and in training
    one of them moves gradients by up to percents (Gluon's float32 against its float64, too). The float64 test is the
    sharp one.
    """
    spec, (X, y) = spec_of("resnet50@torchvision", narrow=True), batch(count=4)
    params = lively_params(spec)
    expected_logits, expected = gluons_gradients(gluons(spec, params, X, "float32"), X, y, "float32", True)
    _, logits, gradients = by_hand(spec, params, X, y, "float32", True)
    assert relative_error(logits, expected_logits) < 1e-5
    found, gluons_own = (numpy.concatenate([one[key].ravel() for key in expected]) for one in (gradients, expected))
    assert numpy.linalg.norm(found - gluons_own) < 0.05 * numpy.linalg.norm(gluons_own)
    assert numpy.median([relative_error(gradients[key], expected[key]) for key in expected]) < 0.05


@pytest.mark.parametrize(
    "name, narrow",
    [
        ("resnet18@d2l", False),
        ("resnet34@torchvision", True),
        ("resnet50@mxnet", True),
        ("resnet50@keras", True),
        ("resnet50@d2l", True),
        ("resnet18@keras2016", True),
        ("resnet50@keras2016", True),
        ("resnet101@mxnet", True),
        ("resnet152@torchvision", True),
    ],
)
def test_every_family_and_depth_predicts_what_gluon_predicts_folded_or_not(name, narrow):
    spec, X = spec_of(name, narrow), batch(size=32)[0].astype("float32")
    params = lively_params(spec)
    expected = gluons(spec, params, X, "float32")(nd.array(X)).asnumpy()
    net = byhand.ResNet(spec, params)
    assert relative_error(net.forward(X), expected) < 1e-5
    assert relative_error(net.folded()(X), expected) < 1e-5


def test_the_ways_to_convolve_give_one_networks_gradients():
    X, y = numpy.random.RandomState(0).standard_normal((2, 1, 32, 32)), numpy.array([0, 3])
    runs = [
        byhand.ResNet(get_spec(18, "keras", 4), in_channels=1, dtype="float64", conv=conv).loss_and_gradients(X, y)
        for conv in ("im2col", "vectorised")
    ]
    (loss, gradients), (other_loss, other) = runs
    assert loss == pytest.approx(other_loss, rel=1e-10)
    largest = max(abs(value).max() for value in gradients.values())
    assert all(abs(gradients[key] - other[key]).max() < 1e-10 * largest for key in gradients)


@pytest.mark.parametrize("name", ["resnet18@d2l", "resnet50@torchvision", "resnet50@keras2016"])
def test_the_folded_network_gives_the_logits_of_the_unfolded_for_every_shape_in_turn(name):
    spec = spec_of(name, narrow=True)
    net = byhand.ResNet(spec, lively_params(spec), dtype="float64")
    predict, random = net.folded(), numpy.random.RandomState(0)
    for shape in [(1, 3, 64, 64), (3, 3, 33, 47), (2, 3, 50, 35), (1, 3, 64, 64)]:
        for _ in range(2):  # the second call meets buffers in use
            X = random.standard_normal(shape)
            assert relative_error(predict(X), net.forward(X)) < 1e-12


def test_folding_is_the_convolution_with_scaled_weights_and_a_shifted_bias():
    conv, bn = layout(parse_model("resnet50@keras")).stages[0][0].body[0]
    params = {key: numpy.full(shape, 2.0) for key, shape in {**conv.params, **bn.params}.items()}
    params.update({"4.0.bn1.running_mean": numpy.full(64, 5.0), "4.0.bn1.running_var": numpy.full(64, 4 - bn.eps)})
    weight, bias = fold(conv, bn, params)
    assert numpy.allclose(weight, 2.0) and numpy.allclose(bias, 2 + 1.0 * (2 - 5))  # gamma / sqrt(4) is 1
    assert fold(conv, None, params)[1].tolist() == [2.0] * 64


@pytest.mark.parametrize("name, size", [("resnet18@torchvision", 32), ("cifar_resnet20", 28)])
def test_the_loss_falls_along_the_gradient(name, size):
    net = byhand.ResNet(parse_model(name, 10), in_channels=1)
    random = numpy.random.RandomState(0)
    X, y = random.standard_normal((8, 1, size, size)).astype("float32"), numpy.arange(8)
    losses = []
    for _ in range(4):
        loss, gradients = net.loss_and_gradients(X, y)
        losses.append(loss)
        for key, gradient in gradients.items():
            net.params[key] -= 0.01 * gradient
    assert losses == sorted(losses, reverse=True) and losses[-1] < 0.8 * losses[0]


def test_watching_names_every_layer_in_order_and_changes_nothing():
    net, X = byhand.ResNet(parse_model("resnet18@d2l"), in_channels=1), numpy.ones((1, 1, 64, 48), "float32")
    seen = {}
    logits = net.forward(X, watch=lambda name, Y: seen.__setitem__(name, Y.shape))
    assert list(seen)[:10] == ["0", "1", "2", "3", "4.0.conv1", "4.0.bn1", "4.0.conv2", "4.0.bn2", "4.0", "4.1.conv1"]
    assert [layer.name for layer in net.layout.layers() if layer.name not in seen] == []
    assert seen["0"] == seen["2"] == (1, 64, 32, 24) and seen["3"] == (1, 64, 16, 12)
    assert seen["5.0.conv3"] == seen["5.0"] == (1, 128, 8, 6) and seen["8"] == (1, 512, 1, 1) and seen["9"] == (1, 10)
    assert numpy.array_equal(logits, net.forward(X))


def test_one_seed_gives_one_network_and_he_variance():
    first, again, other = (byhand.ResNet(parse_model("resnet18"), seed=seed).params for seed in (4, 4, 5))
    assert all(numpy.array_equal(first[key], again[key]) for key in first)
    assert not numpy.array_equal(first["0.weight"], other["0.weight"])
    assert first["7.1.conv2.weight"].std() == pytest.approx((2 / (512 * 9)) ** 0.5, rel=0.01)
    assert first["7.1.conv2.weight"].dtype == numpy.float32


def broken(change):
    params = byhand.random_params(layout(parse_model("resnet18")))
    change(params)
    return params


@pytest.mark.parametrize(
    "make, error, message",
    [
        (
            lambda: byhand.ResNet(parse_model("resnet18"), broken(lambda params: params.pop("4.0.bn1.beta"))),
            ModelError,
            r"resnet18@d2l.: parameter 4.0.bn1.beta \(64,\) is missing: 109 given, 110 expected",
        ),
        (
            lambda: byhand.ResNet(parse_model("resnet18"), broken(lambda params: params.update(fc=1))),
            ModelError,
            "parameter fc is unexpected",
        ),
        (
            lambda: byhand.ResNet(parse_model("resnet18", 7), broken(lambda params: None)),
            ShapeError,
            r"parameter 9.weight has shape \(10, 512\): expected \(7, 512\)",
        ),
        (
            lambda: byhand.ResNet(parse_model("resnet18"), conv="fft"),
            ConfigError,
            "conv is 'fft': expected one of loops",
        ),
        (lambda: byhand.ResNet(parse_model("resnet18"), dtype="float16"), ConfigError, "dtype is 'float16'"),
        (
            lambda: byhand.ResNet(parse_model("resnet18")).forward(numpy.ones((1, 1, 64, 64))),
            ShapeError,
            r"X has shape \(1, 1, 64, 64\): expected \(N, 3, H, W\)",
        ),
        (
            lambda: byhand.ResNet(parse_model("resnet18")).folded()(numpy.ones((3, 64, 64))),
            ShapeError,
            r"expected \(N, 3, H, W\)",
        ),
        (
            lambda: byhand.ResNet(parse_model("resnet18@keras2016")).forward(numpy.ones((1, 3, 4, 4))),
            ShapeError,
            "smaller than the window of 3x3",
        ),
        (
            lambda: byhand.ResNet(parse_model("resnet18")).backward(numpy.ones((1, 10))),
            ConfigError,
            "backward before forward",
        ),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(make, error, message):
    with pytest.raises(error, match=message) as raised:
        make()
    assert "\n" not in str(raised.value)


def test_the_callers_parameters_are_never_changed():
    params = byhand.random_params(layout(get_spec(18, "d2l"), 1))
    kept = {key: value.copy() for key, value in params.items()}
    net = byhand.ResNet(get_spec(18, "d2l"), params, in_channels=1)
    net.loss_and_gradients(numpy.random.RandomState(0).standard_normal((2, 1, 32, 32)), numpy.array([1, 2]))
    assert all(numpy.array_equal(params[key], kept[key]) for key in kept)
    assert not numpy.array_equal(net.params["1.running_mean"], kept["1.running_mean"])


def test_nothing_by_hand_imports_mxnet():
    code = (
        "import sys, gluon_resnet.byhand as byhand, numpy as np\n"
        "from gluon_resnet.networks.specs import get_spec\n"
        "net = byhand.ResNet(get_spec(18, 'd2l'), in_channels=1)\n"
        "loss, gradients = net.loss_and_gradients(np.ones((2, 1, 32, 32)), np.array([0, 1]))\n"
        "assert net.folded()(np.ones((1, 1, 32, 32))).shape == (1, 10) and len(gradients) == 76\n"
        "print('mxnet' not in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=str(ROOT), stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout.strip() == "True"
