"""Every part of a recipe against a computation by hand; runs put down and taken up again, bit by bit."""

import gc
import json
import math
import sys
from dataclasses import replace
from functools import lru_cache

import gluon_resnet as gr
from gluon_resnet.errors import ConfigError, ModelError, RunError
from gluon_resnet.training import accuracy, checkpoint, checkpoint_files, schedules, train
from gluon_resnet.training.checkpoint import Keeper
from gluon_resnet.training.loop import Training
from gluon_resnet.training.randomness import random_states
from gluon_resnet.training.recipe import HAVE_MOMENTUM, Recipe

import mxnet as mx
import numpy
import pytest
from mxnet.gluon import nn

from tests.conftest import array, small_arrays
from tests.full_disk import full_disk

CPU = mx.cpu()


def small_net():
    """Dense, batch norm, dense: weights, biases, gamma and beta; initialized for inputs (N, 1, 2, 3)."""
    numpy.random.seed(0)
    mx.random.seed(0)
    net = nn.HybridSequential()
    net.add(nn.Dense(5, in_units=6), nn.BatchNorm(in_channels=5), nn.Dense(3, in_units=5))
    net.initialize(mx.init.Normal(0.5))
    return net


def batch(seed=0, count=8):
    random = numpy.random.RandomState(seed)
    return array(random.randn(count, 1, 2, 3)), array(random.randint(0, 3, count), "int32")


def values(net):
    mx.nd.waitall()  # mxnet may still be changing the layout of weights, for the prediction before
    return {name: param.data().asnumpy().astype("float64") for name, param in net._collect_params_with_prefix().items()}


def gradients(net):
    return {
        name: param.grad().asnumpy().astype("float64")
        for name, param in net._collect_params_with_prefix().items()
        if param.grad_req != "null"
    }


# Schedules ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "schedule, epoch, expected",
    [
        ("constant", 7, 1),
        ("cosine", 0, 1),
        ("cosine", 5, 0.5),
        ("cosine", 2.5, (1 + math.sqrt(0.5)) / 2),
        ("cosine", 10, 0),
        ("poly", 5, 0.25),
        ("step", 2.99, 1),
        ("step", 3, 0.1),
        ("step", 6, 0.01),
        ("onecycle", 3, 1),
        ("onecycle", 0, 0.04),
        ("onecycle", 10, 1e-4),
        ("onecycle", 1.5, 0.52),
    ],
)
def test_rates_by_hand(schedule, epoch, expected):
    assert schedules.rate(schedule, 2.0, epoch, 10, step_epochs=(3, 6)) == pytest.approx(2 * expected, abs=1e-12)


def test_warm_up_is_a_straight_line_and_the_schedule_has_the_rest():
    rates = [schedules.rate("cosine", 1.0, epoch, 12, warmup_epochs=2) for epoch in (0, 0.5, 1, 2, 7, 12)]
    assert rates == pytest.approx([1e-3, 0.25, 0.5, 1, 0.5, 0], abs=1e-12)


def test_sides_grow_in_a_straight_line_by_multiples_of_4():
    assert [schedules.side(epoch, 20, 28, 3) for epoch in range(1, 6)] == [20, 24, 28, 28, 28]
    assert [schedules.side(epoch, 12, 30, 5) for epoch in range(1, 7)] == [12, 16, 20, 24, 30, 30]  # 12 16.5 21 25.5 30
    assert schedules.side(1, 20, 28, 1) == 28 and [schedules.side(epoch, 21, 22, 9) for epoch in (1, 9)] == [20, 22]


# Optimizers -----------------------------------------------------------------------------------------------------------


def by_hand(name, w, g, state, t, lr, wd):
    """The next value of w, all in float64; ``state`` is kept between calls. From the papers named in optimizers.py."""
    if name == "sgd":
        state["m"] = 0.9 * state.get("m", 0) + (g + wd * w)
        return w - lr * state["m"]
    if name in ("nag", "muon"):
        g = g + wd * w
        state["m"] = 0.9 * state.get("m", 0) + g
        return w - lr * (g + 0.9 * state["m"])
    beta2, epsilon = 0.999, 1e-6 if name == "lamb" else 1e-8
    full = g + wd * w if name == "adam" else g
    state["m"] = 0.9 * state.get("m", 0) + 0.1 * full
    state["v"] = beta2 * state.get("v", 0) + (1 - beta2) * full**2
    m, v = state["m"] / (1 - 0.9**t), state["v"] / (1 - beta2**t)
    if name == "lamb":
        update = m / (numpy.sqrt(v) + epsilon) + wd * w
        norm, length = numpy.linalg.norm(w), numpy.linalg.norm(update)
        return w - lr * (norm / length if norm > 0 and length > 0 else 1) * update
    # MXNet leaves epsilon out of the correction: it is compared with the uncorrected root
    update = m / (numpy.sqrt(v) + epsilon / math.sqrt(1 - beta2**t))
    return w - lr * (update + (wd * w if name == "adamw" else 0))


@pytest.mark.parametrize("name", ["sgd", "nag", "adam", "adamw", "lamb", "muon"])  # muon is nag's without convolutions
def test_optimizers_by_hand(both_modes, name):
    net = small_net()
    made = Recipe(optimizer=name, lr=0.1, weight_decay=0.2, momentum=0.9 if name in HAVE_MOMENTUM else 0)
    training, states = Training(net, made, CPU), {}
    for t in range(1, 4):
        before = values(net)
        X, y = batch(t)
        with mx.autograd.record():
            losses = training.loss(net(X), y)
        losses.backward()
        summed = gradients(net)  # now, as MXNet's adamw_update leaves the rescaled gradient in the array
        training.step(X, y, made.learning_rate((t - 1) / 4))
        found = values(net)
        for key, g in summed.items():
            wd = 0.2 if key.endswith("weight") else 0  # none on biases, gamma and beta
            expected = by_hand(name, before[key], g / len(y), states.setdefault(key, {}), t, 0.1, wd)
            assert found[key] == pytest.approx(expected, rel=2e-4, abs=2e-6), (key, t)


def test_weight_decay_on_everything_only_when_asked():
    for decay_all in (False, True):
        net = small_net()
        training = Training(net, Recipe(weight_decay=0.1, decay_all=decay_all), CPU)
        assert {
            name.rpartition(".")[2]: param.wd_mult
            for name, param in net._collect_params_with_prefix().items()
            if "running" not in name
        } == {"weight": 1, "bias": decay_all, "gamma": decay_all, "beta": decay_all}
        assert training.trainer._optimizer.wd == 0.1


def test_what_an_optimizer_does_not_have_is_refused():
    with pytest.raises(ConfigError, match="optimizer is 'adamax'"):
        Recipe(optimizer="adamax").check()
    with pytest.raises(ConfigError, match="momentum is 0.9: adam has none"):
        Recipe(optimizer="adam", momentum=0.9).check()


# Labels and mixtures --------------------------------------------------------------------------------------------------


def test_the_loss_of_smoothed_labels_by_hand(both_modes):
    net = small_net()
    training = Training(net, Recipe(lr=1e-9, label_smoothing=0.3), CPU)
    X, y = batch()
    with mx.autograd.train_mode():
        y_hat = net(X).asnumpy().astype("float64")
    log_p = y_hat - numpy.log(numpy.exp(y_hat).sum(axis=1, keepdims=True))
    expected = -(log_p * (0.7 * numpy.eye(3)[y.asnumpy()] + 0.1)).sum()
    assert training.step(X, y, 1e-9)[0].asnumpy().item() == pytest.approx(expected, rel=1e-5)


# Averages, gathered gradients, clipping -------------------------------------------------------------------------------


def test_averages_by_hand_and_back(both_modes):
    net = small_net()
    training = Training(net, Recipe(lr=0.5, ema=0.75), CPU)
    expected = values(net)
    for t in range(4):
        training.step(*batch(t), 0.5)
        now = values(net)
        expected = {name: 0.75 * value + 0.25 * now[name] for name, value in expected.items()}
    with training.tested():
        inside = values(net)
    assert all(inside[name] == pytest.approx(value, rel=1e-5, abs=1e-6) for name, value in expected.items())
    assert all((values(net)[name] == now[name]).all() for name in now)
    assert any((inside[name] != now[name]).any() for name in now if name.endswith("weight"))


def test_gathered_gradients_are_those_of_the_larger_batch(both_modes):
    def plain():
        net = nn.HybridSequential()
        net.add(nn.Dense(5, in_units=6), nn.Dense(3, in_units=5))  # no batch norm, which sees the batches apart
        mx.random.seed(3)
        net.initialize(mx.init.Normal(0.5))
        return net

    X, y = batch(count=12)
    one, two = plain(), plain()
    whole = Training(one, Recipe(lr=0.3, momentum=0.9), CPU)
    parts = Training(two, Recipe(lr=0.3, momentum=0.9, accumulate=3), CPU)
    for _ in range(2):
        whole.step(X, y, 0.3)
        for i in range(3):
            before = values(two)
            parts.step(X[4 * i : 4 * i + 4], y[4 * i : 4 * i + 4], 0.3)
            assert i == 2 or all((values(two)[name] == before[name]).all() for name in before)
    assert all(values(two)[name] == pytest.approx(value, rel=1e-5, abs=1e-6) for name, value in values(one).items())


def test_a_clipped_update_has_the_length_asked_for(both_modes):
    net = small_net()
    before = values(net)
    training = Training(net, Recipe(lr=2.0, clip=1e-3), CPU)
    training.step(*batch(), 2.0)
    after = values(net)
    moved = math.sqrt(sum(((after[name] - before[name]) ** 2).sum() for name in before if "running" not in name))
    assert moved == pytest.approx(2.0 * 1e-3, rel=1e-3)


@pytest.mark.parametrize("ema", [0.0, 0.75])
def test_lookahead_by_hand(both_modes, ema):
    """After every third update the parameters go back to a quarter of the way that they have made."""
    net, plain = small_net(), small_net()
    training = Training(net, Recipe(lr=0.5, lookahead=3, lookahead_share=0.25, ema=ema), CPU)
    training_of_plain = Training(plain, Recipe(lr=0.5), CPU)
    slow = values(net)
    for t in range(1, 8):
        training.step(*batch(t), 0.5)
        training_of_plain.step(*batch(t), 0.5)
        now, fast = values(net), values(plain)
        if t % 3 == 0:
            slow = {name: slow[name] + 0.25 * (fast[name] - slow[name]) for name in slow if "running" not in name}
            for name, value in slow.items():
                assert now[name] == pytest.approx(value, rel=1e-4, abs=1e-6), (name, t)
                plain._collect_params_with_prefix()[name].set_data(array(value))  # it goes on from there
        else:
            assert all(now[name] == pytest.approx(fast[name], rel=1e-4, abs=1e-6) for name in fast), t


def test_batch_norms_biases_have_their_own_rate(both_modes):
    net, other = small_net(), small_net()
    before = values(net)
    Training(net, Recipe(lr=0.1, bias_lr=8.0), CPU).step(*batch(), 0.1)
    Training(other, Recipe(lr=0.1), CPU).step(*batch(), 0.1)
    for name, value in values(net).items():
        times = 8 if name == "1.beta" else 1
        assert value - before[name] == pytest.approx(times * (values(other)[name] - before[name]), rel=1e-3, abs=1e-6)


def test_the_mean_over_an_image_and_its_mirror_image_by_hand(both_modes):
    """And the record of the last epoch has it, with its own clock; those before have not."""
    net, (X, y) = small_net(), batch(count=12)
    logits = [net(array(seen)).asnumpy() for seen in (X.asnumpy(), X.asnumpy()[:, :, :, ::-1].copy())]
    correct = ((logits[0] + logits[1]).argmax(axis=1) == y.asnumpy()).mean()
    found, loss = accuracy.evaluate(net, [(X[:8], y[:8]), (X[8:], y[8:])], CPU, views=2)
    mean = (logits[0] + logits[1]).astype("float64") / 2
    log_p = mean - numpy.log(numpy.exp(mean).sum(axis=1, keepdims=True))
    assert found == pytest.approx(correct) and accuracy.evaluate(net, [(X, y)], views=2)[0] == pytest.approx(correct)
    assert loss == pytest.approx(-log_p[range(12), y.asnumpy()].mean(), rel=1e-5)


def test_views_are_tested_after_the_last_epoch_on_a_clock_of_their_own(np_mode):
    made, test_iter = Recipe(epochs=2, lr=0.05, test_views=2), picture_batches(16)
    net = small_resnet()
    result = gr.fit(net, picture_batches(), test_iter, made, CPU)
    first, last = result.epochs
    assert (first.views_acc, first.views_seconds, first.side) == (None, None, 28)
    assert last.views_acc == accuracy.evaluate(net, test_iter, CPU, views=2)[0] and last.views_seconds > 0
    assert result.summary()["views_acc"] == last.views_acc


# Freezing and the head ------------------------------------------------------------------------------------------------


def small_resnet():
    """Eight layers: what holds of stopping and going on holds at every depth."""
    return gr.get_model("resnet8@narrow")


def picture_batches(size=64):
    (images, labels), _ = small_arrays(train=size)
    return gr.ArrayBatches(images, labels, 16, shuffle=True)


@pytest.mark.parametrize("count, still", [(1, ("0.", "1.")), (3, ("0.", "1.", "3.", "4."))])
def test_frozen_stages_stay_with_their_statistics(np_mode, count, still):
    net = small_resnet()
    gr.layer_shapes(net, (1, 1, 28, 28))
    before = values(net)
    gr.fit(
        net,
        picture_batches(),
        picture_batches(16),
        Recipe(epochs=1, lr=0.1, freeze_stages=count),
        CPU,
        gr.Session(initialize=False),
    )
    after = values(net)
    for name in before:
        changed = (before[name] != after[name]).any()
        assert changed != name.startswith(still), name


def test_frozen_norms_keep_everything_and_the_rest_learns(np_mode):
    net = small_resnet()
    gr.layer_shapes(net, (1, 1, 28, 28))
    before = values(net)
    gr.fit(
        net,
        picture_batches(),
        picture_batches(16),
        Recipe(epochs=1, lr=0.05, freeze_norm=True),
        CPU,
        gr.Session(initialize=False),
    )
    after = values(net)
    for name in before:
        if name.rpartition(".")[2] in ("gamma", "beta", "running_mean", "running_var"):
            assert (before[name] == after[name]).all(), name
        elif name.endswith("weight"):
            assert (before[name] != after[name]).any(), name


def test_the_heads_own_rate(np_mode):
    moved = []
    for head_lr in (1.0, 10.0):
        gr.seed_everything(0)
        net = small_resnet()
        gr.layer_shapes(net, (1, 1, 28, 28))
        before = values(net)
        training = Training(net, Recipe(lr=1e-3, head_lr=head_lr), CPU)
        (images, labels), _ = small_arrays(train=16)
        training.step(mx.np.array(images[:, None] / 255.0, dtype="float32"), mx.np.array(labels, dtype="int32"), 1e-3)
        after = values(net)
        moved.append({name: abs(after[name] - before[name]).max() for name in ("7.weight", "5.0.conv2.weight")})
    assert moved[1]["7.weight"] == pytest.approx(10 * moved[0]["7.weight"], rel=1e-3)
    assert moved[1]["5.0.conv2.weight"] == moved[0]["5.0.conv2.weight"]


def test_refusals():
    for settings, match in (
        ({"ema": 1.0}, "ema is 1.0"),
        ({"label_smoothing": -0.1}, "label_smoothing"),
        ({"accumulate": 0}, "accum"),
        ({"schedule": "cosin"}, "schedule is 'cosin'"),
        ({"momentum": 2}, "momentum is 2"),
        ({"lr": 0}, "lr is 0"),
        ({"test_views": 3}, "test_views is 3: expected 1, or 2 for a mirror image"),
        ({"lookahead_share": 0}, "lookahead_share is 0: expected above 0 and up to 1"),
    ):
        with pytest.raises(ConfigError, match=match):
            Recipe(**settings).check()
    with pytest.raises(ModelError, match="head_lr, freeze_stages and whiten_batches need one"):
        Training(small_net(), Recipe(head_lr=2), CPU)
    with pytest.raises(ConfigError, match="freeze_stages is 9"):
        Training(gr.resnet18(), Recipe(freeze_stages=9), CPU)


# The end, and going on ------------------------------------------------------------------------------------------------


def test_patience_ends_a_run_that_gets_no_better(np_mode, tmp_path):
    result = gr.fit(small_resnet(), picture_batches(), picture_batches(16), Recipe(epochs=9, lr=1e-12, patience=2), CPU)
    assert result.ended_early and len(result.epochs) == 3  # the first is the best, then two without a better one


@pytest.mark.parametrize("metric, epochs", [("test_acc", 5), ("test_loss", 3)])
def test_patience_goes_by_the_metric_that_is_asked_for(np_mode, monkeypatch, metric, epochs):
    """Accuracies that rise from epoch to epoch, while the loss is lowest after the first."""
    series = iter([(0.1, 1.0), (0.2, 1.5), (0.3, 1.2), (0.4, 2.0), (0.5, 3.0)])
    monkeypatch.setattr(train, "evaluate", lambda *_, **options: next(series))
    made = Recipe(epochs=5, lr=0.01, patience=2, patience_metric=metric)
    result = gr.fit(small_resnet(), picture_batches(16), picture_batches(16), made, CPU)
    assert len(result.epochs) == epochs and result.ended_early == (epochs < 5)


@pytest.mark.parametrize("metric, best", [("test_acc", 3), ("test_loss", 1)])
def test_the_best_parameters_are_those_of_the_metric_that_is_asked_for(np_mode, monkeypatch, tmp_path, metric, best):
    """Accuracies that rise from epoch to epoch, while the loss is lowest after the first."""
    series, seen, net = iter([(0.1, 1.0), (0.2, 1.5), (0.3, 1.2)]), [], small_resnet()
    monkeypatch.setattr(train, "evaluate", lambda *_, **options: next(series))
    made = Recipe(epochs=3, lr=0.01, patience_metric=metric)
    keep = gr.Session([lambda record: seen.append(values(net))], keeper=Keeper(tmp_path, keep_best=True))
    gr.fit(net, picture_batches(16), picture_batches(16), made, CPU, keep)
    fresh, last_of_epoch = small_resnet(), seen[1::2]  # one record of the only batch, one after the test
    fresh.load_parameters(str(tmp_path / "best.params"))
    assert all((values(fresh)[name] == value).all() for name, value in last_of_epoch[best - 1].items())


def test_a_run_that_patience_ends_by_the_loss_is_ended_when_it_is_taken_up_again(np_mode, monkeypatch, tmp_path):
    series = iter([(0.1, 1.0), (0.2, 1.5), (0.3, 1.2)])
    monkeypatch.setattr(train, "evaluate", lambda *_, **options: next(series))
    made = Recipe(patience=2, patience_metric="test_loss")
    run(tmp_path, made, epochs=9)
    _, result = run(tmp_path, made, resume=True, epochs=9)
    assert result.ended_early and len(result.epochs) == 3


def test_patience_by_an_unknown_metric_is_refused():
    with pytest.raises(ConfigError, match="^patience_metric is 'val_loss': expected one of test_acc, test_loss$"):
        Recipe(patience_metric="val_loss").check()


def test_a_checkpoint_of_an_older_version_is_resumed(np_mode, tmp_path):
    whole, expected = whole_run(Recipe())
    run(tmp_path, Recipe(), stop_after=7)  # in the second epoch
    arrays, note = checkpoint.read(tmp_path)
    assert (note.pop("history"), note.pop("run")) == (None, None)
    note["version"] = 1
    assert [one.pop("test_loss") for one in note["done"]] == [expected.epochs[0].test_loss]
    arrays["note"] = numpy.frombuffer(json.dumps(note).encode(), dtype=numpy.uint8)
    checkpoint_files.remove(tmp_path)
    numpy.savez(str(tmp_path / "checkpoint.npz"), **arrays)
    again, result = run(tmp_path, Recipe(), resume=True)
    assert all((whole[name] == value).all() for name, value in values(again).items())
    assert [one.test_loss for one in result.epochs] == [None, expected.last.test_loss]


def test_the_best_epochs_parameters_are_kept(np_mode, tmp_path):
    seen, net = [], small_resnet()

    def note(record):
        if record.test_acc is not None:
            seen.append((record.test_acc, values(net)))

    gr.seed_everything(1)
    gr.fit(
        net,
        picture_batches(128),
        picture_batches(32),
        gr.Recipe(epochs=3, lr=0.05),
        CPU,
        gr.Session(listeners=[note], keeper=Keeper(tmp_path, keep_best=True)),
    )
    best = max(range(3), key=lambda i: seen[i][0])
    fresh = small_resnet()
    fresh.load_parameters(str(tmp_path / "best.params"))
    assert all((values(fresh)[name] == value).all() for name, value in seen[best][1].items())


#: the note of a checkpoint before the first step, without the generators' present states
START = {"at": {"epoch": 1, "batch": 0}, "start": random_states(), "done": []}
EVERYTHING = dict(
    momentum=0.9,
    schedule="onecycle",
    mixup=0.4,
    cutmix=1.0,
    fmix=1.0,
    erase=0.5,
    cutout=6,
    label_smoothing=0.1,
    ema=0.9,
    accumulate=2,
    clip=1.0,
    weight_decay=1e-3,
)
#: what the fastest recipes have
SPEEDY = dict(optimizer="muon", momentum=0.9, bias_lr=8.0, lookahead=3, dirac=True, zero_gamma=True, whiten_batches=2)


def run(folder, made, stop_after=None, resume=False, epochs=2):
    """Train; stop after so many records in all; or go on from the folder's checkpoint. (net, Result).

    An epoch has 5 records: one of each batch, and one after the test.
    """
    gr.seed_everything(99 if resume else 5)  # what the generators hold on resuming must not matter
    net, count = small_resnet(), []
    gr.layer_shapes(net, (1, 1, 28, 28))
    keeper = Keeper(folder, resume=checkpoint.read(folder) if resume else None)
    result = gr.fit(
        net,
        picture_batches(64),
        picture_batches(16),
        replace(made, epochs=epochs, lr=0.05),
        CPU,
        gr.Session(
            listeners=[count.append],
            stop=lambda: stop_after is not None and len(count) >= stop_after,
            keeper=keeper,
            initialize=not resume,
        ),
    )
    return net, result


@lru_cache(maxsize=None)
def whole_run(made):
    """(parameters, Result) of a run that never stops; the same for every test of a recipe."""
    net, result = run(None, made)
    return values(net), result


@pytest.mark.parametrize(
    "settings",
    [{}, {"optimizer": "adam"}, EVERYTHING, {"norm_batches": 3}, SPEEDY],
    ids=["sgd", "adam", "everything", "fresh statistics", "speedy"],
)
@pytest.mark.parametrize("stop_after", [2, 4, 5, 9])  # within an epoch, before its test, and right after that
def test_a_resumed_run_ends_bit_by_bit_as_one_that_never_stopped(np_mode, tmp_path, settings, stop_after):
    made = Recipe(**settings)
    whole, expected = whole_run(made)
    _, part = run(tmp_path, made, stop_after)
    assert part.stopped
    again, result = run(tmp_path, made, resume=True)
    found = values(again)
    assert all((whole[name] == found[name]).all() for name in whole)
    assert [(r.epoch, r.batch, r.loss, r.train_acc, r.test_acc) for r in result.epochs] == [
        (r.epoch, r.batch, r.loss, r.train_acc, r.test_acc) for r in expected.epochs
    ]


@pytest.mark.parametrize("optimizer", ["sgd", "nag", "adam", "adamw", "lamb", "muon"])
def test_a_recipe_run_again_gives_the_same_bits(np_mode, optimizer):
    """Testing between epochs has oneDNN keep weights in another layout for a while: no update may differ."""
    made = Recipe(optimizer=optimizer, weight_decay=0.01, momentum=0.9 if optimizer in HAVE_MOMENTUM else 0)
    first, *others = (values(run(None, made)[0]) for _ in range(4))
    assert all((first[name] == other[name]).all() for other in others for name in first)


def test_the_names_that_mxnet_gives_layers_do_not_matter(np_mode):
    """They count on through a process; sorted, batchnorm10 comes before batchnorm9."""
    with mx.name.NameManager():  # counts from 0
        first, second = (values(run(None, Recipe(**EVERYTHING))[0]) for _ in range(2))
    assert all((first[name] == second[name]).all() for name in first)


def test_a_run_that_was_killed_goes_on_from_its_last_checkpoint(np_mode, tmp_path):
    whole, _ = whole_run(Recipe(momentum=0.9))
    gr.seed_everything(5)
    net, seen = small_resnet(), []
    gr.layer_shapes(net, (1, 1, 28, 28))

    def die(record):
        seen.append(record)
        if len(seen) == 8:
            raise MemoryError

    with pytest.raises(MemoryError):
        gr.fit(
            net,
            picture_batches(64),
            picture_batches(16),
            Recipe(epochs=2, lr=0.05, momentum=0.9),
            CPU,
            gr.Session(listeners=[die], keeper=Keeper(tmp_path, seconds=0)),
        )
    again, _ = run(tmp_path, Recipe(momentum=0.9), resume=True)
    found = values(again)
    assert all((whole[name] == found[name]).all() for name in whole)


@pytest.mark.parametrize("settings", [{"ema": 0.9}, {"patience": 1}], ids=["averages", "patience"])
def test_the_checkpoint_of_the_last_epoch_gives_the_whole_result(np_mode, tmp_path, settings):
    made, epochs = Recipe(**settings), 9 if "patience" in settings else 2
    whole, expected = run(tmp_path, made, epochs=epochs)
    again, result = run(tmp_path, made, resume=True, epochs=epochs)
    one, two = (net._collect_params_with_prefix() for net in (whole, again))
    assert all((one[name].data().asnumpy() == two[name].data().asnumpy()).all() for name in one)
    assert result.summary() == expected.summary() and result.ended_early == bool(made.patience)


def test_a_full_disk_is_one_error_and_the_checkpoint_before_stays(np_mode, tmp_path, monkeypatch):
    net, _ = run(None, Recipe(), epochs=1)
    training, ignored = Training(net, Recipe(), CPU), []
    checkpoint.save(tmp_path, training, START)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    size = len(before["checkpoint-000001.npz"])
    monkeypatch.setattr(sys, "unraisablehook", ignored.append)
    for room in (0, 1000, size // 2, size - 1000, size - 1):
        with full_disk(room), pytest.raises(RunError, match=r"02.npz: cannot be written \(File too large\)"):
            checkpoint.save(tmp_path, training, START)
        gc.collect()
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert ignored == []


def test_parameters_that_do_not_fit_on_the_disk_are_never_half_there(both_modes, tmp_path):
    net = small_resnet()
    gr.layer_shapes(net, (1, 1, 28, 28))
    checkpoint.save_parameters(net, tmp_path / "whole.params")
    size = (tmp_path / "whole.params").stat().st_size
    for less in (size, size - 100, size // 2, 4096, 100, 1):
        with full_disk(size - less), pytest.raises(RunError, match=r"net.params: cannot be written .*full\?$"):
            checkpoint.save_parameters(net, tmp_path / "net.params")
        assert [path.name for path in tmp_path.iterdir()] == ["whole.params"]
    with full_disk(size):
        checkpoint.save_parameters(net, tmp_path / "net.params")
    assert (tmp_path / "net.params").read_bytes() == (tmp_path / "whole.params").read_bytes()


def test_checkpoints_that_cannot_be_taken_up(np_mode, tmp_path):
    with pytest.raises(RunError, match="no such file"):
        checkpoint.read(tmp_path)
    run(tmp_path, Recipe(), epochs=2)
    with pytest.raises(ConfigError, match="this run of 1 epoch is done: nothing to resume"):
        run(tmp_path, Recipe(), resume=True, epochs=1)
    for path in tmp_path.glob("*.npz"):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(RunError, match="damaged checkpoint .its SHA-256 is .*, and so is the one before: expected"):
        checkpoint.read(tmp_path)
