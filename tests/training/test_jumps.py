"""Losses that jump, and the gradients that are looked at then; norms by hand."""

import math
import re

import gluon_resnet as gr
from gluon_resnet.errors import DivergedError
from gluon_resnet.training.jumps import Jumps, largest
from gluon_resnet.training.loop import Training

import mxnet as mx
import numpy
import pytest

from ..conftest import array


def unasked():
    raise AssertionError("the gradients are asked for without a jump")


def test_gradients_are_looked_at_only_when_the_loss_is_over_ten_times_its_running_mean(both_modes):
    jumps, gradients = Jumps(), {"0.weight": array([3.0, 4.0]), "0.bias": array([1.0])}
    for loss in (2.0, 1.0, 19.0):  # the means are 2, 1.9 and 3.61 by hand
        jumps.look(loss, "epoch 1, batch 1 of 9, lr 0.1", unasked)
    assert math.isclose(jumps.mean, 0.9 * (0.9 * 2 + 0.1 * 1) + 0.1 * 19) and not jumps.first
    jumps.look(36.2, "epoch 1, batch 4 of 9, lr 0.1", lambda: gradients)
    jumps.look(99.0, "epoch 1, batch 5 of 9, lr 0.1", lambda: gradients)
    said = (
        "the loss is 36.2 at epoch 1, batch 4 of 9, lr 0.1, and the largest gradients are those of 0.weight (norm 5), "
        "0.bias (norm 1)"
    )
    assert jumps.first == said
    assert math.isclose(jumps.mean, 3.61)  # a jump is no part of it


@pytest.mark.parametrize("loss, gradient", [(math.nan, 1.0), (math.inf, math.nan), (99.0, math.inf)])
def test_what_is_not_finite_ends_the_training(loss, gradient):
    jumps = Jumps()
    jumps.look(1.0, "", unasked)
    with pytest.raises(DivergedError) as refusal:
        jumps.look(loss, "epoch 2, batch 3 of 4, lr 7", lambda: {"a": array([5.0]), "b": array([gradient])})
    named = "a (norm 5), b (norm 1)" if gradient == 1 else f"b (norm {gradient}), a (norm 5)"
    assert str(refusal.value) == (
        f"the loss is {loss:.4g} at epoch 2, batch 3 of 4, lr 7, and the largest gradients are those of "
        f"{named}: training diverged; try a smaller learning rate"
    )


def test_gradients_of_a_scaled_loss_may_overflow_and_frozen_networks_have_none():
    jumps = Jumps()
    jumps.look(1.0, "", unasked)
    jumps.look(11.0, "here", lambda: {"a": array([math.inf])}, exact=False)  # such an update is left out
    assert jumps.first == "the loss is 11 at here, and the largest gradients are those of a (norm inf)"
    with pytest.raises(DivergedError, match="^the loss is nan at here: training diverged"):
        Jumps().look(math.nan, "here", dict)


def test_the_largest_gradient_is_that_of_the_largest_norm(both_modes):
    random = numpy.random.RandomState(0)
    values = {name: random.randn(7, 3).astype("float32") * size for name, size in (("a", 1e20), ("b", 1e30), ("c", 1))}
    (name, norm), *others = largest({name: array(value) for name, value in values.items()})
    assert (
        name == "b"
        and [name for name, _ in others] == ["a", "c"]
        and math.isclose(norm, numpy.linalg.norm(values["b"].astype("float64")), rel_tol=1e-6)
    )


def test_a_training_names_the_step_the_rate_and_the_gradient_of_the_mean_loss(np_mode):
    """One Dense layer: the gradient of the bias is the mean of softmax minus one-hot, by hand."""
    net = mx.gluon.nn.Dense(2, in_units=1)
    X, y = array([[1.0], [1.0]]), array([0, 0], "int32")
    net.initialize()
    net.weight.set_data(array([[0.0], [0.0]]))
    net.bias.set_data(array([0.0, 0.0]))
    seen = []
    with Training(net, gr.Recipe(lr=0.5, accumulate=2, epochs=1), mx.cpu()) as training:
        training.step(X, y, 0.5)
        training.step(X, y, 0.5)  # the second of two: the gradients are gathered, and used
        seen.append(training._gradients())
    assert sorted(seen[0]) == ["bias", "weight"]
    assert numpy.allclose(seen[0]["bias"].asnumpy(), [-0.5, 0.5]) and numpy.allclose(net.bias.data(), [0.25, -0.25])


def test_a_run_with_far_too_large_a_rate_says_where_it_jumped(np_mode):
    gr.seed_everything(0)
    random = numpy.random.RandomState(0)
    batches = [(array(random.rand(8, 1, 8, 8)), array(numpy.arange(8) % 2, "int32")) for _ in range(6)]
    net = mx.gluon.nn.HybridSequential()
    net.add(mx.gluon.nn.Conv2D(4, 3), mx.gluon.nn.Flatten(), mx.gluon.nn.Dense(2))
    with pytest.raises(DivergedError) as refusal:
        gr.fit(net, batches, batches, gr.Recipe(epochs=1, lr=1e15), mx.cpu())
    assert re.match(
        r"the loss is \S+ at epoch 1, batch \d of 6, lr 1e\+15, and the largest gradients are those of "
        r"([02]\.\w+ \(norm \S+\)(, )?){3}: training diverged; try a smaller learning rate$",
        str(refusal.value),
    )


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_data_that_are_not_finite_are_told_from_a_rate_that_is_too_large(np_mode, tmp_path, value):
    """The second batch has three such numbers. The loss itself may stay finite: oneDNN's ReLU makes 0 of NaN."""
    gr.seed_everything(0)
    random = numpy.random.RandomState(0)
    images = [random.rand(8, 1, 8, 8) for _ in range(4)]
    net = mx.gluon.nn.HybridSequential()
    net.add(mx.gluon.nn.Conv2D(4, 3), mx.gluon.nn.BatchNorm(), mx.gluon.nn.Activation("relu"), mx.gluon.nn.Dense(2))

    def train(epochs):
        batches = [(array(X), array(numpy.arange(8) % 2, "int32")) for X in images]
        session = gr.Session(keeper=gr.Keeper(tmp_path))
        return gr.fit(net, batches, batches, gr.Recipe(epochs=epochs, lr=0.1), mx.cpu(), session)

    train(1)
    before = sorted(tmp_path.iterdir())
    images[1][3, 0, 4, 5:8] = value
    with pytest.raises(DivergedError) as refusal:
        train(2)
    said = "3 of the 512 numbers of X in train_iter, batch 2 of a pass, are not finite: correct the data"
    assert str(refusal.value).endswith(f": {said}") and "learning rate" not in str(refusal.value)
    assert re.search(r"epoch 1, batch \d of 4, lr 0.1", str(refusal.value)) and refusal.value.result is not None
    assert sorted(tmp_path.iterdir()) == before  # the last good checkpoint is kept
