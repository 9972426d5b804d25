"""bfloat16 blocks against computations by hand on rounded numbers; float16's loss scaling, on a CPU; refusals."""

import gluon_resnet as gr
from gluon_resnet.errors import ConfigError, DivergedError
from gluon_resnet.machine import system
from gluon_resnet.networks import layers
from gluon_resnet.training import checkpoint, loop, precision
from gluon_resnet.training.precision import LossScale
from gluon_resnet.training.randomness import random_states
from gluon_resnet.training.recipe import Recipe

import mxnet as mx
import numpy
import pytest

from tests.conftest import array, random_array, relative_error, small_arrays

native = pytest.mark.skipif(not precision.is_native(), reason="this processor does not multiply bfloat16")


def rounded(values):
    """float32 rounded to the nearest bfloat16 (ties to even), by its bits."""
    bits = numpy.ascontiguousarray(values, dtype=numpy.float32).view(numpy.uint32).astype(numpy.uint64)
    bits += 0x7FFF + ((bits >> 16) & 1)
    return (bits.astype(numpy.uint32) & numpy.uint32(0xFFFF0000)).view(numpy.float32)


@native
@pytest.mark.parametrize("hybridize", [False, True])
def test_a_convolution_by_hand(both_modes, hybridize):
    conv = gr.Conv2D(32, kernel_size=1, use_bias=False)
    conv.initialize(mx.init.Normal(1))
    X = numpy.random.RandomState(0).randn(4, 64, 5, 5).astype("float32")
    conv(array(X))
    conv.precision = "bfloat16"
    if hybridize:
        conv.hybridize()
    found = layers.cast(mx.nd, conv(array(X)), "float32").asnumpy()
    W = conv.weight.data().asnumpy()[:, :, 0, 0]
    exact = numpy.einsum("oi,nihw->nohw", rounded(W).astype("float64"), rounded(X).astype("float64"))
    assert found.dtype == numpy.float32
    assert (abs(found - exact) <= 2.0**-8 * abs(exact) + 1e-4).all()  # the sum itself is rounded to 8 bits once
    in_float32 = numpy.einsum("oi,nihw->nohw", W.astype("float64"), X.astype("float64"))
    assert relative_error(found, in_float32) > 1e-4  # it did compute in bfloat16


@native
@pytest.mark.parametrize("with_relu", [False, True])
def test_batch_norm_by_hand(both_modes, with_relu):
    bn = gr.BatchNorm(with_relu=with_relu)
    bn.initialize()
    X = numpy.random.RandomState(1).randn(8, 16, 6, 6).astype("float32") * 3 + 1
    bn(array(X))
    bn.precision = "bfloat16"
    with mx.autograd.record():
        Y = layers.cast(mx.nd, bn(layers.cast(mx.nd, array(X), "bfloat16")), "float32")
    Y.backward()  # MXNet moves the running statistics here
    found = Y.asnumpy()
    exact = rounded(X).astype("float64")
    mean, var = exact.mean((0, 2, 3), keepdims=True), exact.var((0, 2, 3), keepdims=True)
    exact = (exact - mean) / numpy.sqrt(var + 1e-5)
    assert (abs(found - (exact.clip(0) if with_relu else exact)) <= 2.0**-8 * abs(exact) + 1e-3).all()
    assert bn.running_mean.data().asnumpy() == pytest.approx(0.1 * mean.ravel(), rel=1e-4, abs=1e-5)


@native
def test_blocks_hand_on_bfloat16_and_the_last_one_float32(both_modes):
    stage = gr.resnet_block(16, 3, first_block=True)
    stage.initialize()
    X = random_array(2, 16, 8, 8)
    in_float32 = stage(X).asnumpy()
    gr.set_precision(stage, "bfloat16")
    assert [block.out_precision for block in stage] == ["bfloat16", "bfloat16", "float32"]
    found = stage(X)
    assert found.dtype in (numpy.float32, "float32")
    assert 1e-5 < relative_error(found.asnumpy(), in_float32) < 0.05
    gr.set_precision(stage, "float32")
    assert (stage(X).asnumpy() == in_float32).all()


@native
def test_a_network_trains_alike_and_comes_back(np_mode):
    (images, labels), _ = small_arrays(train=64)
    batches, losses = gr.ArrayBatches(images, labels, 16), {}
    for kind in ("float32", "bfloat16", "float32"):
        gr.seed_everything(0)
        net = gr.resnet18()
        gr.set_precision(net, kind, mx.cpu())
        result = gr.fit(net, batches, batches, gr.Recipe(epochs=1, lr=0.05), mx.cpu())
        losses.setdefault(kind, []).append(result.epochs[0].loss)
        assert all(numpy.dtype(param.dtype) == numpy.float32 for param in net.collect_params().values())
    assert losses["float32"][0] == losses["float32"][1] != losses["bfloat16"][0]
    assert losses["bfloat16"][0] == pytest.approx(losses["float32"][0], rel=0.3)
    X = random_array(2, 1, 28, 28)
    net.hybridize()
    before = net(X).asnumpy()
    gr.set_precision(net, "bfloat16")
    assert 0 < relative_error(net(X).asnumpy(), before) < 0.1
    gr.set_precision(net, "float32")
    assert (net(X).asnumpy() == before).all()


def small_training(monkeypatch, scaled, **recipe):
    """A Training of a small network in float32, with its loss scaled or not; the same first parameters for all."""
    monkeypatch.setattr(loop, "make_loss_scale", lambda net: LossScale() if scaled else None)
    gr.seed_everything(0)
    net = gr.get_model("resnet8@narrow", num_classes=3)
    net.initialize(mx.init.Xavier())
    net(batch(0)[0])  # now is when the parameters get their values
    training = loop.Training(net, Recipe(lr=0.01, momentum=0.9, **recipe), mx.cpu())
    return training


def batch(seed, high=1.0):
    random = numpy.random.RandomState(seed)
    return array(random.rand(4, 1, 32, 32) * high), array(random.randint(3, size=4), "int32")


def values(training):
    return {name: param.data().asnumpy() for name, param in training.net._collect_params_with_prefix().items()}


@pytest.mark.parametrize("recipe", [{}, {"accumulate": 2, "ema": 0.5, "weight_decay": 0.01}, {"clip": 0.01}])
def test_a_scaled_loss_changes_nothing_in_float32(both_modes, monkeypatch, recipe):
    found = []
    for scaled in (False, True):
        training = small_training(monkeypatch, scaled, **recipe)
        losses = [training.step(*batch(seed), 0.01)[0].asnumpy() for seed in range(4)]
        found.append((losses, values(training)))
    assert found[0][0] == found[1][0]  # a power of 2 costs no digit
    for name, value in found[0][1].items():  # the norm that is clipped has 1e-8 added, which makes a little difference
        assert abs(value - found[1][1][name]).max() <= (1e-6 if "clip" in recipe else 0), name


def test_an_update_with_infinite_gradients_is_left_out_and_halves_the_factor(np_mode, monkeypatch):
    training, plain = (small_training(monkeypatch, scaled, accumulate=2) for scaled in (True, False))
    for one in (training, plain):
        one.step(*batch(0), 0.01), one.step(*batch(1), 0.01)
    before, factor = values(training), training.scale.factor
    X, y = batch(2)
    training.scale.factor = 2.0**140  # past float32, as 2^16 may be past float16
    training.step(X, y, 0.01), training.step(*batch(3), 0.01)
    assert training.scale.factor == 2.0**139 and training.scale.good == 0 and training.gathered == 0
    after = values(training)
    assert all((before[name] == after[name]).all() for name in before if "running" not in name)
    training.scale.factor = factor
    plain.net(X)
    for one in (training, plain):
        one.step(*batch(4), 0.01), one.step(*batch(5), 0.01, last=True)
    for name, param in plain.net._collect_params_with_prefix().items():  # nothing of the bad gradients is left
        if "running" not in name:
            assert (param.data().asnumpy() == values(training)[name]).all(), name


def test_the_factor_doubles_after_2000_good_updates_up_to_its_end(both_modes):
    scale, good, bad = LossScale(), [random_array(3), random_array(2, 2)], [random_array(3), array([1, numpy.nan])]
    factors = []
    for _ in range(4005):
        assert scale.accept(good)
        factors.append(scale.factor)
    assert [factors[i] for i in (1998, 1999, 3998, 3999)] == [2.0**16, 2.0**17, 2.0**17, 2.0**18]
    assert scale.good == 5
    assert not scale.accept(bad) and (scale.factor, scale.good) == (2.0**17, 0)
    assert not scale.accept([array([-numpy.inf])]) and scale.factor == 2.0**16
    scale.factor, scale.good = scale.largest, scale.patience - 1
    assert scale.accept(good) and scale.factor == 2.0**24
    scale.factor = 1.0
    with pytest.raises(DivergedError, match="however little the loss is scaled"):
        scale.accept(bad)


def test_a_hidden_infinity_is_found_among_many_arrays(np_mode):
    gradients = [random_array(2) for _ in range(450)]
    assert LossScale().accept(gradients)
    for place in (0, 199, 200, 449):
        assert not LossScale().accept(gradients[:place] + [array([numpy.inf])] + gradients[place + 1 :])


def test_a_checkpoint_keeps_the_factor(np_mode, monkeypatch, tmp_path):
    training = small_training(monkeypatch, True)
    training.step(*batch(0), 0.01)
    training.scale.factor, training.scale.good = 512.0, 77
    start = {"at": {"epoch": 1, "batch": 0}, "start": random_states(), "done": []}
    checkpoint.save(tmp_path, training, start)
    other = small_training(monkeypatch, True)
    checkpoint.restore(other, *checkpoint.read(tmp_path))
    assert other.scale.state() == {"factor": 512.0, "good": 77}


@pytest.mark.parametrize("model", ["resnet18@d2l", "resnet50@keras"])
def test_in_float16_the_blocks_pass_on_float16_and_all_parameters_are_float32(model, monkeypatch):
    net = gr.get_model(model, num_classes=3)
    monkeypatch.setattr(precision, "_check", lambda *args: None)  # no card here: the graph's types, nothing run
    assert precision.make_loss_scale(net) is None
    gr.set_precision(net, "float16")
    assert isinstance(precision.make_loss_scale(net), LossScale)
    graph = net(mx.sym.var("data"))
    inside = graph.get_internals()
    _, types, _ = inside.infer_type(data="float32")
    types = {name: numpy.dtype(kind).name for name, kind in zip(inside.list_outputs(), types)}
    given, results, running = graph.infer_type(data="float32")
    assert {numpy.dtype(kind).name for kind in given + results + running} == {"float32"}
    outputs = [kind for name, kind in types.items() if "_fwd_output" in name]
    assert outputs.count("float16") > outputs.count("float32") > 0 and set(outputs) == {"float16", "float32"}
    convolutions = {name: kind for name, kind in types.items() if "conv" in name and name.endswith("fwd_output")}
    stem = [name for name, kind in convolutions.items() if kind == "float32"]
    assert len(convolutions) in (20, 53) and len(stem) == 1, convolutions


def test_refusals(monkeypatch):
    net = gr.resnet18()
    with pytest.raises(ConfigError, match="precision is 'float8'"):
        gr.set_precision(net, "float8")
    for kind in ("bfloat16", "float16"):
        with pytest.raises(ConfigError, match=f"none of this suite's blocks: {kind} needs them"):
            gr.set_precision(mx.gluon.nn.Dense(3), kind)
    for device, words in ((None, "a CPU"), (mx.cpu(), r"cpu\(0\)")):
        with pytest.raises(ConfigError, match=f"float16 is for GPUs; the device is {words}, where .* take bfloat16"):
            gr.set_precision(net, "float16", device)
    assert precision.make_loss_scale(net) is None
    with pytest.raises(ConfigError, match=r"for CPUs; the device is gpu\(0\)"):
        gr.set_precision(net, "bfloat16", mx.gpu(0))
    monkeypatch.setattr(system, "cpu", lambda: {"instruction_sets": ["avx2"]})
    with pytest.raises(ConfigError, match="would be slower in bfloat16"):
        gr.set_precision(net, "bfloat16")
