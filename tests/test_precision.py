"""bfloat16 blocks against computations by hand on rounded numbers; refusals."""
import mxnet as mx
import numpy
import pytest

import gluon_resnet as gr
from gluon_resnet import blocks, precision, system
from gluon_resnet.errors import ConfigError
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
    found = blocks.cast(mx.nd, conv(array(X)), "float32").asnumpy()
    W = conv.weight.data().asnumpy()[:, :, 0, 0]
    exact = numpy.einsum("oi,nihw->nohw", rounded(W).astype("float64"), rounded(X).astype("float64"))
    assert found.dtype == numpy.float32
    assert (abs(found - exact) <= 2.0 ** -8 * abs(exact) + 1e-4).all()  # the sum itself is rounded to 8 bits once
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
        Y = blocks.cast(mx.nd, bn(blocks.cast(mx.nd, array(X), "bfloat16")), "float32")
    Y.backward()  # MXNet moves the running statistics here
    found = Y.asnumpy()
    exact = rounded(X).astype("float64")
    mean, var = exact.mean((0, 2, 3), keepdims=True), exact.var((0, 2, 3), keepdims=True)
    exact = (exact - mean) / numpy.sqrt(var + 1e-5)
    assert (abs(found - (exact.clip(0) if with_relu else exact)) <= 2.0 ** -8 * abs(exact) + 1e-3).all()
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
    (images, labels), _ = small_arrays(train=320)
    batches, losses = gr.ArrayBatches(images, labels, 32), {}
    for kind in ("float32", "bfloat16", "float32"):
        gr.seed_everything(0)
        net = gr.resnet18()
        result = gr.fit(net, batches, batches, 2, 0.05, mx.cpu(), precision=kind)
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


def test_refusals(monkeypatch):
    net = gr.resnet18()
    with pytest.raises(ConfigError, match="precision is 'float8'"):
        gr.set_precision(net, "float8")
    with pytest.raises(ConfigError, match="none of this suite's blocks"):
        gr.set_precision(mx.gluon.nn.Dense(3), "bfloat16")
    with pytest.raises(ConfigError, match=r"for CPUs; the device is gpu\(0\)"):
        gr.set_precision(net, "bfloat16", mx.gpu(0))
    monkeypatch.setattr(system, "cpu", lambda: {"instruction_sets": ["avx2"]})
    with pytest.raises(ConfigError, match="would be slower in bfloat16"):
        gr.set_precision(net, "bfloat16")
