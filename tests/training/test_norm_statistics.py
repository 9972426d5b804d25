"""Batch norm's statistics re-estimated before testing: against sums by hand, and without a trace elsewhere."""

import shlex
from dataclasses import asdict, replace

import gluon_resnet as gr
from gluon_resnet.errors import ConfigError
from gluon_resnet.runs import fashion_mnist, kinds, launch
from gluon_resnet.runs import folder as runs
from gluon_resnet.runs.network import read_config
from gluon_resnet.training import norm_statistics
from gluon_resnet.training.recipe import Recipe

import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon import nn

from tests.conftest import array
from tests.training.test_recipe import picture_batches, small_resnet, values

CPU = mx.cpu()


class Batches:
    """Batches in an order drawn anew from NumPy's generator at each pass; counts those taken."""

    def __init__(self, pictures):
        self.pictures, self.taken = pictures, 0

    def __iter__(self):
        for i in np.random.permutation(len(self.pictures)):
            self.taken += 1
            yield mx.np.array(self.pictures[i]), mx.np.zeros(len(self.pictures[i]))


def norm():
    net = nn.HybridSequential()
    net.add(nn.BatchNorm(in_channels=3))
    net.initialize()
    net.hybridize(static_alloc=True, static_shape=True)
    return net


def statistics(net):
    return net[0].running_mean.data().asnumpy().copy(), net[0].running_var.data().asnumpy().copy()


def test_they_are_the_moving_average_over_the_batches(np_mode):
    random = np.random.RandomState(0)
    pictures = [random.normal(loc=i, scale=1 + i, size=(8, 3, 4, 4)).astype("float32") for i in range(5)]
    net, batches = norm(), Batches(pictures)
    np.random.seed(3)
    order = np.random.RandomState(3).permutation(5)[:4]
    mean, var = np.zeros(3), np.ones(3)
    for i in order:  # mxnet keeps nine tenths; its variance is the batch's own, divided by the count
        mean = 0.9 * mean + 0.1 * pictures[i].mean(axis=(0, 2, 3))
        var = 0.9 * var + 0.1 * pictures[i].var(axis=(0, 2, 3))
    with norm_statistics.fresh(net, batches, 4, CPU):
        found = statistics(net)
    assert batches.taken == 4
    for ours, by_hand in zip(found, (mean, var)):
        np.testing.assert_allclose(ours, by_hand, rtol=1e-5)
    assert all((one == two).all() for one, two in zip(statistics(net), found))  # they stay
    # nobody sees that some were drawn
    assert (np.random.permutation(5) == np.random.RandomState(3).permutation(5)).all()


def test_few_batches_are_repeated_until_little_of_the_old_statistics_is_left(np_mode):
    """The first trials of a newcomer: 8 batches an epoch, of which each moves the initial values by a tenth."""
    random = np.random.RandomState(0)
    pictures = [random.normal(loc=3, scale=2, size=(8, 3, 4, 4)).astype("float32") for _ in range(3)]
    net, batches = norm(), Batches(pictures)
    with norm_statistics.fresh(net, batches, 20, CPU):
        (mean, var), everything = statistics(net), np.concatenate(pictures)
    assert batches.taken == norm_statistics.REPEATED
    np.testing.assert_allclose(mean, everything.mean(axis=(0, 2, 3)), rtol=0.05)  # 0.9^40 of 0 is left, 1.5 %
    np.testing.assert_allclose(var, everything.var(axis=(0, 2, 3)), rtol=0.05)
    once = iter([(array(X), None) for X in pictures])  # cannot be repeated
    with norm_statistics.fresh(norm(), once, 20, CPU):
        pass


def test_nothing_else_changes_and_a_stop_takes_them_back(np_mode):
    net = small_resnet()
    gr.layer_shapes(net, (1, 1, 28, 28))
    before = values(net)
    with norm_statistics.fresh(net, picture_batches(64), 0, CPU):
        assert all((values(net)[name] == value).all() for name, value in before.items())
    stopped = []
    with norm_statistics.fresh(net, picture_batches(64), 2, CPU, stop=lambda: bool(stopped)):
        changed = {name for name, value in values(net).items() if (value != before[name]).any()}
        assert changed == {name for name in before if "running_" in name}
        stopped.append(True)
    assert all((values(net)[name] == value).all() for name, value in before.items())


def with_gradients(net, pictures):
    """Running statistics after a pass in which mxnet updates them itself, in its gradients."""
    for X in pictures:
        with mx.autograd.record():
            y_hat = net(array(X))
        y_hat.backward()
    return {name: value for name, value in values(net).items() if "running_" in name}


def plain(net):
    """The same network as a block that is not hybrid."""
    outer = nn.Sequential()
    outer.add(net)
    return outer


def two_norms_of_another_kind():
    """Another momentum and epsilon, no scale, an axis that is not the channels', and one that is frozen."""
    net = nn.HybridSequential()
    net.add(
        nn.BatchNorm(momentum=0.6, epsilon=0.1, scale=False),
        nn.Conv2D(4, 3),
        nn.BatchNorm(use_global_stats=True),
        nn.Flatten(),
        nn.BatchNorm(axis=1),
        nn.Dense(10),
    )
    return net


@pytest.mark.parametrize(
    "make, has_graph",
    [
        (small_resnet, True),
        (lambda: gr.get_model("resnet18@v2"), True),
        (two_norms_of_another_kind, True),
        (lambda: plain(small_resnet()), False),
    ],
    ids=["ResNet", "pre-activation", "other norms", "plain block"],
)
def test_they_are_what_mxnets_gradients_make_them(both_modes, make, has_graph):
    pictures = [np.random.RandomState(i).normal(i, 1 + i, (4, 1, 12, 12)).astype("float32") for i in range(3)]
    net, found = make(), {}
    gr.seed_everything(0)
    net.initialize(mx.init.Xavier())
    net.hybridize()
    net(array(pictures[0]))
    try:
        norm_statistics.Moments(net, array(pictures[0]))
        assert has_graph
    except ValueError as error:
        assert not has_graph and str(error) == f"{net.name} is not hybrid"
    before = values(net)
    with norm_statistics.fresh(net, [(array(X), None) for X in pictures], 3, CPU):
        found = values(net)
    for name, value in before.items():
        net._collect_params_with_prefix()[name].set_data(array(value))
    expected = with_gradients(net, pictures)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=2e-5, atol=2e-6, err_msg=name)
        assert "running_" in name and ((found[name] == before[name]).all() == (value == before[name]).all())
    assert all((found[name] == value).all() for name, value in before.items() if name not in expected)


def test_a_training_that_asks_for_it_is_tested_with_them(np_mode):
    """A rate so high that the statistics lag: testing as usual and with fresh ones must differ, training must not."""
    losses, nets = [], []
    for count in (0, 4):
        gr.seed_everything(0)
        nets.append(small_resnet())
        result = gr.fit(
            nets[-1], picture_batches(128), picture_batches(64), Recipe(epochs=2, lr=0.2, norm_batches=count), CPU
        )
        losses.append([(record.loss, record.train_acc) for record in result.epochs])
    assert losses[0] == losses[1]
    usual, fresh = (values(net) for net in nets)
    differing = {name for name in usual if (usual[name] != fresh[name]).any()}
    assert differing == {name for name in usual if "running_" in name}


def test_gathered_gradients_do_not_see_them(np_mode):
    """With accumulate, gradients add up: those of the passes for the statistics have to go."""
    trained = []
    for count in (0, 3):
        gr.seed_everything(0)
        net = small_resnet()
        gr.fit(
            net,
            picture_batches(96),
            picture_batches(32),
            Recipe(epochs=2, lr=0.05, accumulate=2, norm_batches=count),
            CPU,
        )
        trained.append({name: value for name, value in values(net).items() if "running_" not in name})
    assert all((trained[0][name] == trained[1][name]).all() for name in trained[0])


@pytest.mark.parametrize("settings", [{"ema": 0.9}, {"freeze_norm": True}])
def test_where_statistics_are_not_the_trainings_own_nothing_is_taken_anew(np_mode, settings):
    nets = []
    for count in (0, 3):
        gr.seed_everything(0)
        nets.append(small_resnet())
        gr.fit(
            nets[-1],
            picture_batches(96),
            picture_batches(32),
            Recipe(epochs=1, lr=0.2, norm_batches=count, **settings),
            CPU,
        )
    usual, other = (values(net) for net in nets)
    assert all((usual[name] == other[name]).all() for name in usual)


def test_the_commands_default_and_what_turns_it_off():
    """The command tests with fresh statistics, train_ch6's recipe as the textbook does; averages need nothing else."""
    made = fashion_mnist.FashionMnistConfig()
    assert (made.norm_batches, Recipe().norm_batches) == (20, 0)
    off = replace(made, norm_batches=0)
    off.check()
    assert shlex.split(off.command())[-2:] == ["--set", "norm_batches=0"]
    replace(made, ema=0.99).check()


def test_a_run_of_a_version_without_it_is_resumed_without_it(tmp_path, monkeypatch):
    """A run whose config does not name norm_batches was tested as the textbook tests, and is resumed and shown so."""
    config = asdict(fashion_mnist.FashionMnistConfig(lr=0.3))
    del config["norm_batches"]
    folder = runs.RunFolder(tmp_path / "run", {"config": config})
    seen = []
    monkeypatch.setattr(fashion_mnist, "train", lambda config, **others: seen.append(config))
    launch.resume(kinds.FASHION_MNIST, folder.path)
    assert (seen[0].norm_batches, seen[0].lr, seen[0].resize) == (0, 0.3, 96)
    assert read_config(folder.path)[1] == seen[0]


def test_refusals():
    with pytest.raises(ConfigError, match="norm_batches is -1: expected at least 0"):
        Recipe(norm_batches=-1).check()
