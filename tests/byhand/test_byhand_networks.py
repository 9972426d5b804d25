"""CIFAR's, plain, pre-activated and article 003's networks by hand against Gluon's; option A against its definition."""

from dataclasses import replace

from gluon_resnet import byhand
from gluon_resnet.byhand.params import norm_params
from gluon_resnet.byhand.resnet import DROPPED
from gluon_resnet.errors import ShapeError
from gluon_resnet.networks.layout import Norm, layout
from gluon_resnet.networks.specs import parse_model

import numpy
import pytest
from mxnet import nd

from tests.byhand.test_byhand_gradients import assert_gradients
from tests.byhand.test_byhand_resnet import by_hand, gluons, gluons_gradients, lively_params
from tests.conftest import relative_error

CIFAR = ["cifar_resnet20:A", "cifar_resnet20:B", "cifar_plain20"]
NARROW = [
    "cifar_resnet20:C",
    "resnet18@v2",
    "resnet50@v2",
    "resnet50@v2:A",
    "resnet50@v2:none",
    "resnet50@slim",
    "resnet50@slim:B",
    "resnet50@slim_fc",
    "plain50@torchvision",
    "resnet18:A",
    "resnet50@keras:C",
    "resnext50_32x4d",
    "wide_resnet50_2",
    "resnet18d",
    "resnet50d",
]


def spec_of(name):
    """The spec of ``name`` with 10 classes; CIFAR's as they are, others with 8 channels after the stem.

    ResNeXt, wide networks and ResNet-D have one block in each stage, and 16 channels if there are groups.
    """
    spec = parse_model(name, 10)
    if name.startswith(("resnext", "wide", "resnet18d", "resnet50d")):
        return replace(spec, stem_channels=16 if spec.groups > 1 else 8, stage_sizes=(1, 1, 1, 1))
    return spec if name in CIFAR else replace(spec, stem_channels=8)


def batch(name, count=2, seed=0):
    """Pictures neither square nor of an even size, and labels: (count, 3, 33, 28) for CIFAR's, else (.., 65, 54)."""
    random = numpy.random.RandomState(seed)
    size = (33, 28) if name.startswith("cifar") else (65, 54)
    return random.standard_normal((count, 3, *size)), random.randint(0, 10, count)


@pytest.mark.parametrize("training", [True, False], ids=["training", "prediction"])
@pytest.mark.parametrize("name", CIFAR + [name for name in NARROW if "slim_fc" not in name])
def test_logits_gradients_and_running_statistics_are_gluons_in_float64(name, training):
    """The fixed gammas are no ones here, and gradients none of what is fixed: both sides have to leave them out."""
    spec, (X, y) = spec_of(name), batch(name)
    params = lively_params(spec)
    gluon_net = gluons(spec, params, X, "float64")
    expected_logits, expected = gluons_gradients(gluon_net, X, y, "float64", training)
    net, logits, gradients = by_hand(spec, params, X, y, "float64", training)
    assert relative_error(logits, expected_logits) < 1e-11
    assert set(gradients) == set(expected)
    largest = max(abs(value).max() for value in expected.values())
    # in training a bias before a batch norm has no gradient but rounding: the smallest are measured by the largest
    assert {
        key: abs(gradients[key] - expected[key]).max() / max(abs(expected[key]).max(), 1e-6 * largest)
        for key in expected
    } == pytest.approx(dict.fromkeys(expected, 0), abs=1e-9)
    nd.waitall()
    theirs = {key: param.data().asnumpy() for key, param in gluon_net._collect_params_with_prefix().items()}
    for key in (key for key in params if "running" in key):
        assert (relative_error(net.params[key], params[key]) > 1e-4) == training
        assert relative_error(net.params[key], theirs[key]) < 1e-6


@pytest.mark.parametrize("name", CIFAR + NARROW)
def test_predictions_in_float32_are_gluons_folded_or_not(name):
    spec, X = spec_of(name), batch(name)[0].astype("float32")
    params = lively_params(spec)
    expected = gluons(spec, params, X, "float32")(nd.array(X)).asnumpy()
    net = byhand.ResNet(spec, params)
    assert relative_error(net.forward(X), expected) < 1e-5
    assert relative_error(net.folded()(X), expected) < 1e-5


@pytest.mark.parametrize("name", CIFAR + NARROW)
def test_the_folded_network_gives_the_logits_of_the_unfolded_for_every_shape_in_turn(name):
    spec = spec_of(name)
    net = byhand.ResNet(spec, lively_params(spec), dtype="float64")
    predict, random = net.folded(), numpy.random.RandomState(0)
    for shape in [(1, 3, 32, 32), (3, 3, 37, 51), (2, 3, 40, 35), (1, 3, 32, 32)]:
        for _ in range(2):  # the second call meets buffers in use
            X = random.standard_normal(shape)
            assert relative_error(predict(X), net.forward(X)) < 1e-11


class Drawn:
    """Random numbers that keep just what ``kept`` (N, num_classes) says."""

    def __init__(self, kept):
        self.kept = kept

    def random_sample(self, shape):
        assert shape == self.kept.shape
        return numpy.where(self.kept, 1.0, 0.0)


def test_article_003s_dense_head_in_training_is_gluons_for_the_same_dropped_numbers():
    name = "resnet50@slim_fc"
    spec, (X, y) = spec_of(name), batch(name, count=4)
    params = lively_params(spec)
    dropped_logits, expected = gluons_gradients(gluons(spec, params, X, "float64"), X, y, "float64", True)
    net = byhand.ResNet(spec, params, dtype="float64")
    net._random = Drawn(numpy.ones((4, 10), dtype=bool))
    doubled = net.forward(X, training=True)
    assert (doubled >= 0).all() and (doubled > 0).any()
    kept = dropped_logits > 0  # where ReLU gave 0 it does not matter
    assert 0 < kept.sum() < (doubled > 0).sum()
    numpy.testing.assert_allclose(dropped_logits[kept], doubled[kept], rtol=1e-10)
    net = byhand.ResNet(spec, params, dtype="float64")
    net._random = Drawn(kept)
    _, gradients = net.loss_and_gradients(X, y)
    assert set(gradients) == set(expected)
    largest = max(abs(value).max() for value in expected.values())
    assert max(abs(gradients[key] - expected[key]).max() for key in expected) < 1e-9 * largest


def test_dropout_keeps_half_and_one_seed_drops_the_same():
    spec, (X, _) = spec_of("resnet50@slim_fc"), batch("resnet50@slim_fc", count=8)
    spec = replace(spec, num_classes=200)
    outputs = [byhand.ResNet(spec, dtype="float64", seed=seed).forward(X, training=True) for seed in (1, 1, 2)]
    assert numpy.array_equal(outputs[0], outputs[1]) and not numpy.array_equal(outputs[0], outputs[2])
    net = byhand.ResNet(spec, dtype="float64", seed=1)
    net._random = Drawn(numpy.ones((8, 200), dtype=bool))
    positive = net.forward(X, training=True) > 0
    assert (outputs[0] > 0).sum() / positive.sum() == pytest.approx(1 - DROPPED, abs=0.1)
    assert numpy.array_equal(net.forward(X), net.forward(X))


@pytest.mark.parametrize("stride, before, after", [(2, 8, 8), (1, 3, 3), (2, 0, 0), (2, 1, 2)])
@pytest.mark.parametrize("size", [(6, 4), (5, 7)])
def test_option_a_is_every_second_number_between_channels_of_zeros(stride, before, after, size):
    random = numpy.random.RandomState(0)
    X = random.standard_normal((2, 4, *size))
    Y = byhand.pad_shortcut(X, stride, before, after)
    assert Y.shape == (2, before + 4 + after, -(-size[0] // stride), -(-size[1] // stride))
    for c in range(Y.shape[1]):
        for h in range(Y.shape[2]):
            for w in range(Y.shape[3]):
                inside = before <= c < before + 4
                expected = X[:, c - before, h * stride, w * stride] if inside else 0
                assert (Y[:, c, h, w] == expected).all()
    assert_gradients(
        lambda: byhand.pad_shortcut(X, stride, before, after),
        lambda dY: byhand.pad_shortcut_backward(dY, X, stride, before, after),
        X,
    )
    with pytest.raises(ShapeError, match="pad_shortcut_backward: dY has shape"):
        byhand.pad_shortcut_backward(Y[:, :-1], X, stride, before, after)
    with pytest.raises(ShapeError, match="pad_shortcut: X has shape"):
        byhand.pad_shortcut(X[0], stride, before, after)


@pytest.mark.parametrize("name", ["cifar_resnet20", "resnet18@v2", "resnet50@slim", "resnet50@slim_fc"])
def test_watching_names_every_layer_and_child_and_changes_nothing(name):
    spec, (X, _) = spec_of(name), batch(name)
    net, seen = byhand.ResNet(spec), {}
    logits = net.forward(X, watch=lambda name, Y: seen.__setitem__(name, Y.shape))
    assert [layer.name for layer in net.layout.layers() if layer.name not in seen] == []
    children = {
        place
        for kind, place in net.places.items()
        if not kind.startswith("stage") and kind not in ("flatten", "head_relu", "dropout")
    }
    assert children <= set(seen)
    assert {block.name for stage in net.layout.stages for block in stage} <= set(seen)
    assert seen[net.places["average_pool"]][2:] == (1, 1) and seen[net.places["classifier"]] == (2, 10)
    assert numpy.array_equal(logits, net.forward(X))


def test_a_fixed_gamma_counts_as_one_whatever_the_file_holds():
    plan = layout(parse_model("resnet50@slim"))
    norms = [layer for layer in plan.layers() if isinstance(layer, Norm)]
    assert {norm.scale for norm in norms} == {True, False}
    for norm in norms:
        params = {key: numpy.full(shape, 3.0) for key, shape in norm.params.items()}
        gamma, *others = norm_params(norm, params)
        assert (gamma == (3 if norm.scale else 1)).all() and all((values == 3).all() for values in others)
    trained = byhand.trainable_names(plan)
    assert f"{norms[0].name}.gamma" not in trained and f"{norms[0].name}.beta" in trained
