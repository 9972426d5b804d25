"""The degradation lab's probe against the network by hand, and that training goes on exactly as without it."""

from dataclasses import replace

from gluon_resnet import byhand
from gluon_resnet.data.batches import ArrayBatches
from gluon_resnet.errors import ModelError, RunError
from gluon_resnet.lab import depth
from gluon_resnet.networks import models
from gluon_resnet.networks.layout import layout
from gluon_resnet.networks.specs import parse_model
from gluon_resnet.training import train
from gluon_resnet.training.recipe import Recipe

import mxnet as mx
import numpy
import pytest

from tests.conftest import array, small_arrays

SMALL = replace(parse_model("resnet18"), stage_sizes=(1, 2), stem_channels=8)  # two stages, three blocks


def batch(count=6, size=24):
    random = numpy.random.RandomState(3)
    return random.standard_normal((count, 1, size, size)).astype("float32"), numpy.arange(count) % 10


def network(spec=SMALL, seed=1):
    """(Gluon network, the same parameters by name); statistics and biases are random, too."""
    random = numpy.random.RandomState(seed)
    params = {
        name: (value + 0.1 * abs(random.standard_normal(value.shape))).astype("float32")
        for name, value in byhand.random_params(layout(spec, 1), seed=seed).items()
    }
    net = models.build(spec)
    net.initialize()
    net(array(numpy.zeros((1, 1, 32, 32))))
    for name, param in net._collect_params_with_prefix().items():
        param.set_data(array(params[name]))
    net.hybridize(static_alloc=True, static_shape=True)
    return net, params


def l2(gradients, name):
    return numpy.sqrt(sum((value**2).sum() for key, value in gradients.items() if key.startswith(f"{name}.")))


def rms(values):
    return numpy.sqrt((values.astype(numpy.float64) ** 2).mean())


def two_blocks(name):
    spec = parse_model(name)
    return replace(spec, stage_sizes=(1, 2), stem_channels=8, widths=(8, 16) if spec.block == "basic" else (16, 32))


@pytest.mark.parametrize("name", ["cifar_resnet8", "resnet18@v2", "resnet50@mxnet:C", "resnet34:A", "plain18@keras"])
def test_other_kinds_of_blocks_agree_with_the_network_by_hand(name):
    spec = two_blocks(name)
    net, params = network(spec)
    X, y = batch()
    table = depth.probe(net, X, y)
    double, seen = byhand.ResNet(spec, params, in_channels=1, dtype="float64"), {}
    _, gradients = double.loss_and_gradients(X, y)
    numpy.testing.assert_allclose(table["gradient_norm"], [l2(gradients, name) for name in table["name"]], rtol=1e-3)
    double.forward(X, training=True, watch=lambda layer, Y: seen.update({layer: Y.copy()}))
    blocks = table[table["kind"] == "block"]
    plan = [block for stage in layout(spec, 1).stages for block in stage]
    conv = len(plan[0].body)
    last = f".conv{conv}" if spec.preactivation else f".bn{conv}" if plan[0].adds else ""
    numpy.testing.assert_allclose(blocks["residual_norm"], [rms(seen[block.name + last]) for block in plan], rtol=1e-4)
    numpy.testing.assert_allclose(blocks["input_norm"][1:], [rms(seen[block.name]) for block in plan[:-1]], rtol=1e-4)


def test_gradient_norms_are_those_of_the_network_by_hand_in_float64(both_modes):
    net, params = network()
    X, y = batch()
    table = depth.probe(net, X, y)
    _, gradients = byhand.ResNet(SMALL, params, in_channels=1, dtype="float64").loss_and_gradients(X, y)
    expected = [l2(gradients, name) for name in table["name"]]
    numpy.testing.assert_allclose(table["gradient_norm"], expected, rtol=1e-4)
    assert list(table[table["kind"] == "layer"]["name"]) == [
        "0",
        "4.0.conv1",
        "4.0.conv2",
        "5.0.conv1",
        "5.0.conv2",
        "5.1.conv1",
        "5.1.conv2",
        "7",
    ]
    assert list(table[table["kind"] == "projection"]["name"]) == ["5.0.conv3"]
    assert list(table[table["kind"] == "block"]["stage"]) == [1, 2, 2]
    assert list(table[table["kind"] == "layer"]["position"]) == list(range(1, 9))


def test_residuals_are_what_the_network_by_hand_adds_to_a_blocks_input(both_modes):
    net, params = network()
    X, y = batch()
    blocks = depth.probe(net, X, y).set_index("name").loc[["4.0", "5.0", "5.1"]]
    seen = {}
    double = byhand.ResNet(SMALL, params, in_channels=1, dtype="float64")
    double.forward(X, training=True, watch=lambda name, Y: seen.update({name: Y.copy()}))
    inputs = [rms(seen[name]) for name in ("3", "4.0", "5.0")]
    residuals = [rms(seen[name]) for name in ("4.0.bn2", "5.0.bn2", "5.1.bn2")]
    numpy.testing.assert_allclose(blocks["input_norm"], inputs, rtol=1e-5)
    numpy.testing.assert_allclose(blocks["residual_norm"], residuals, rtol=1e-5)
    numpy.testing.assert_allclose(blocks["ratio"], numpy.divide(residuals, inputs), rtol=1e-5)
    assert set(blocks["measured"]) == {"residual"}


def test_a_plain_block_gives_its_output_in_place_of_a_residual():
    spec = replace(SMALL, shortcut="none")
    net, params = network(spec)
    X, y = batch()
    table = depth.probe(net, X, y)
    blocks = table[table["kind"] == "block"].set_index("name")
    seen = {}
    double = byhand.ResNet(spec, params, in_channels=1, dtype="float64")
    double.forward(X, training=True, watch=lambda name, Y: seen.update({name: Y.copy()}))
    assert set(blocks["measured"]) == {"output"} and not (table["kind"] == "projection").any()
    outputs = [rms(seen[name]) for name in ("4.0", "5.0", "5.1")]
    numpy.testing.assert_allclose(blocks["residual_norm"], outputs, rtol=1e-5)
    numpy.testing.assert_allclose(blocks.loc["5.0", "ratio"], rms(seen["5.0"]) / rms(seen["4.0"]), rtol=1e-5)


def test_the_probe_repeats_itself_and_changes_nothing(both_modes):
    net, _ = network()
    X, y = batch()
    with mx.autograd.record():
        net(array(X)).sum().backward()

    def everything():
        mx.nd.waitall()
        return [
            array.asnumpy().copy()
            for param in net.collect_params().values()
            for array in (param.data(), *([param.grad()] if param.grad_req != "null" else []))
        ]

    before, active = everything(), [block._active for block in net]
    first, second = depth.probe(net, X, y), depth.probe(net, X, y)
    assert first.equals(second)
    for one, other in zip(before, everything()):
        numpy.testing.assert_array_equal(one, other)
    assert [block._active for block in net] == active


def test_a_network_just_initialized_gets_the_values_that_its_first_pass_would_give(both_modes):
    X, y = batch()
    values = []
    for first in (lambda net: net(array(X)), lambda net: depth.probe(net, X, y)):
        mx.random.seed(4)
        net = models.build(SMALL)
        net.initialize(mx.init.Xavier())
        net.hybridize()
        first(net)
        values.append([param.data().asnumpy() for param in net.collect_params().values()])
    for one, other in zip(*values):
        numpy.testing.assert_array_equal(one, other)  # running statistics, too: predicting does not move them


def test_dropout_is_left_out_of_the_probe_and_draws_no_random_numbers(np_mode):
    net = models.build(SMALL)
    net._children.popitem()
    net.add(mx.gluon.nn.Dense(10), mx.gluon.nn.Dropout(0.5))  # as article 003's head
    net.initialize()
    X, y = batch()
    assert depth.probe(net, X, y).equals(depth.probe(net, X, y))
    mx.random.seed(5)
    expected = mx.np.random.uniform(size=3).asnumpy()
    mx.random.seed(5)
    depth.probe(net, X, y)
    numpy.testing.assert_array_equal(mx.np.random.uniform(size=3).asnumpy(), expected)
    assert net[-1]._rate == 0.5


def train_small(tmp_path, log, epochs=2):
    """(parameters, log) of a small training run with a depth log or without."""
    mx.random.seed(0)
    numpy.random.seed(0)
    (images, labels), (test_images, test_labels) = small_arrays(96, 32)
    net = models.build(SMALL)
    X, y = test_images[:8, None].astype("float32") / 255, test_labels[:8]
    made = depth.DepthLog(net, X, y, tmp_path) if log else None
    train_iter, test_iter = ArrayBatches(images, labels, 32, shuffle=False), ArrayBatches(test_images, test_labels, 32)
    train.fit(
        net,
        train_iter,
        test_iter,
        Recipe(epochs=epochs, lr=0.05, winograd=False),
        mx.cpu(),
        train.Session(listeners=[made] if log else []),
    )
    return [param.data().asnumpy() for param in net.collect_params().values()], made, net


def test_the_log_probes_at_initialization_and_after_each_epoch_and_leaves_training_as_it_is(np_mode, tmp_path):
    without, _, _ = train_small(tmp_path, log=False)
    learned, log, net = train_small(tmp_path, log=True)
    for one, other in zip(without, learned):
        numpy.testing.assert_array_equal(one, other)
    table = depth.read(tmp_path / "depth.csv")
    assert sorted(set(table["epoch"])) == [0, 1, 2] and len(table) == 3 * 12
    now = depth.probe(net, *log.batch)
    last = table[table["epoch"] == 2]
    numpy.testing.assert_allclose(last["gradient_norm"], now["gradient_norm"], rtol=1e-5)  # as trained, in six digits
    first = table[table["epoch"] == 0]
    assert not numpy.allclose(first["gradient_norm"], last["gradient_norm"], rtol=0.01)
    assert "forward" not in vars(net)


def test_epoch_zero_is_probed_on_the_initial_parameters(np_mode, tmp_path):
    _, log, _ = train_small(tmp_path, log=True, epochs=1)
    mx.random.seed(0)
    numpy.random.seed(0)
    net = models.build(SMALL)
    net.initialize(mx.init.Xavier(), force_reinit=True)
    net(mx.np.zeros((1, 1, 28, 28)))
    at_start = log.table[log.table["epoch"] == 0]
    numpy.testing.assert_allclose(depth.probe(net, *log.batch)["gradient_norm"], at_start["gradient_norm"], rtol=1e-4)


def test_a_resumed_run_keeps_the_rows_of_epochs_done(np_mode, tmp_path):
    _, log, net = train_small(tmp_path, log=True)
    again = depth.DepthLog(net, *log.batch, tmp_path)
    again._add(2)
    again._add(3)
    table = depth.read(tmp_path / "depth.csv")
    assert list(table.groupby("epoch").size()) == [12] * 4 and "forward" not in vars(net)


def test_figures_have_a_line_an_arm_and_a_row_a_moment():
    X, y = batch()
    tables = {
        name: depth.probe(network(replace(SMALL, shortcut=shortcut))[0], X, y)
        for name, shortcut in (("plain", "none"), ("residual", "B"))
    }
    left, right = depth.draw(tables).axes
    assert [len(axes.lines) for axes in (left, right)] == [2, 2] and left.get_yscale() == "log"
    numpy.testing.assert_array_equal(
        left.lines[0].get_ydata(), tables["plain"].query("kind == 'layer'")["gradient_norm"]
    )
    names = [text.get_text() for text in right.get_legend().get_texts()]
    assert names == ["plain: |output| / |X|", "residual: |F(X)| / |X|"]
    logs = {name: depth.pd.concat([table.assign(epoch=0), table.assign(epoch=4)]) for name, table in tables.items()}
    titles = [axes.get_title() for axes in depth.draw(logs).axes]
    assert titles == [
        f"{what} {when}"
        for when in ("at initialization", "after epoch 4")
        for what in ("gradients of each layer's parameters", "blocks")
    ]


def test_what_cannot_be_probed_is_said_in_one_line(tmp_path):
    X, y = batch()
    with pytest.raises(ModelError, match="has no spec"):
        depth.probe(mx.gluon.nn.Dense(3), X, y)
    with pytest.raises(ModelError, match="call net.initialize"):
        depth.probe(models.build(SMALL), X, y)
    (tmp_path / "depth.csv").write_text("a,b\n1,2\n")
    with pytest.raises(RunError, match="expected the columns epoch, kind"):
        depth.DepthLog(models.build(SMALL), X, y, tmp_path)
