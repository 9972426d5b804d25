"""The blocks against article 001's shapes, against d2l's own Residual and against a by-hand computation."""

import gluon_resnet as gr

import mxnet as mx
import numpy
import pytest
from mxnet import autograd
from mxnet.gluon import nn

from tests.conftest import array, random_array, relative_error, there_and_back


def test_residual_keeps_the_shape(both_modes):
    blk = gr.Residual(3)
    blk.initialize()
    assert blk(random_array(4, 3, 6, 6)).shape == (4, 3, 6, 6)


def test_residual_halves_the_picture(both_modes):
    blk = gr.Residual(6, use_1x1conv=True, strides=2)
    blk.initialize()
    assert blk(random_array(4, 3, 6, 6)).shape == (4, 6, 3, 3)


@pytest.mark.parametrize("stride_at", [0, 1])
def test_bottleneck_shapes(both_modes, stride_at):
    blk = gr.Bottleneck(32, use_1x1conv=True, strides=2, stride_at=stride_at)
    blk.initialize()
    assert blk(random_array(2, 8, 10, 10)).shape == (2, 32, 5, 5)
    assert blk.conv1.weight.shape == (8, 8, 1, 1) and blk.conv2.weight.shape == (8, 8, 3, 3)
    strides = [conv._kwargs["stride"] for conv in (blk.conv1, blk.conv2)]
    assert strides == ([(2, 2), (1, 1)], [(1, 1), (2, 2)])[stride_at]


def test_bottleneck_wants_a_multiple_of_four():
    with pytest.raises(gr.GluonResNetError, match="30.*multiple of 4"):
        gr.Bottleneck(30)


def _copy_by_order(source, target):
    """Copy parameters by their names inside the blocks."""
    source, target = source._collect_params_with_prefix(), target._collect_params_with_prefix()
    assert set(source) == set(target)
    for name, param in source.items():
        target[name].set_data(param.data())


@pytest.mark.parametrize("project", [False, True])
@pytest.mark.parametrize("hybridize", [False, True])
def test_residual_equals_d2ls_forward_and_backward(np_mode, project, hybridize):
    from d2l import mxnet as d2l

    args = (5, True, 2) if project else (3,)
    ours, theirs = gr.Residual(*args), d2l.Residual(*args)
    X = random_array(4, 3, 8, 8)
    results = []
    for blk in (theirs, ours):
        blk.initialize(mx.init.Normal(0.3))
        blk(X)
    _copy_by_order(theirs, ours)
    if hybridize:
        ours.hybridize(static_alloc=True, static_shape=True)
    for blk in (theirs, ours):
        x = X.copy()
        x.attach_grad()
        Y = there_and_back(blk, x)
        grads = {
            name: param.grad().asnumpy()
            for name, param in blk._collect_params_with_prefix().items()
            if param.grad_req != "null"
        }
        results.append((Y.asnumpy(), x.grad.asnumpy(), grads, blk.bn1.running_mean.data().asnumpy()))
    (Y, dX, grads, mean), (our_Y, our_dX, our_grads, our_mean) = results
    assert relative_error(our_Y, Y) < 1e-5
    assert relative_error(our_dX, dX) < 1e-4
    assert relative_error(our_mean, mean) < 1e-5
    for name, grad in grads.items():
        if name.endswith("conv1.bias") or name.endswith("conv2.bias"):
            continue  # a bias before a batch norm has gradient 0: both are rounding noise
        assert relative_error(our_grads[name], grad) < 1e-4, name


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("hybridize", [False, True])
def test_batchnorm_with_relu_by_hand(both_modes, training, hybridize):
    X = numpy.random.RandomState(1).randn(4, 3, 5, 5).astype("float32") * 2 + 1
    bn = gr.BatchNorm(with_relu=True, epsilon=1e-3)
    bn.initialize()
    bn(array(X))
    gamma, beta = numpy.array([1.5, -0.5, 2], "float32"), numpy.array([0.3, -0.2, 0.1], "float32")
    bn.gamma.set_data(array(gamma))
    bn.beta.set_data(array(beta))
    if hybridize:
        bn.hybridize()
    if training:
        with autograd.train_mode():
            Y = bn(array(X))
        mean, var = X.mean(axis=(0, 2, 3)), X.var(axis=(0, 2, 3))
    else:
        Y = bn(array(X))
        mean, var = numpy.zeros(3), numpy.ones(3)
    shape = (1, 3, 1, 1)
    normed = (X - mean.reshape(shape)) / numpy.sqrt(var.reshape(shape) + 1e-3)
    expected = normed * gamma.reshape(shape) + beta.reshape(shape)
    assert (expected < -0.1).any()  # there is something for the ReLU to do
    assert relative_error(Y.asnumpy(), numpy.maximum(expected, 0)) < 1e-5


def test_without_a_fused_operator_the_result_is_the_same(both_modes, monkeypatch):
    """What a GPU runs: batch norm and ReLU as two operators."""
    blk, X = gr.Residual(4), random_array(2, 4, 6, 6)
    blk.initialize(mx.init.Normal(0.3))
    fused = blk(X).asnumpy()
    monkeypatch.setattr(gr.BatchNorm, "_can_fuse", lambda self: False)
    assert relative_error(blk(X).asnumpy(), fused) < 1e-6


def test_other_types_than_float32(both_modes):
    """oneDNN's fused operator takes float32 alone; for others the block runs the two."""
    blk, X = gr.Residual(4), random_array(2, 4, 6, 6)
    blk.initialize(mx.init.Normal(0.3))
    expected = blk(X).asnumpy()
    blk.cast("float64")
    found = blk(X.astype("float64")).asnumpy()
    assert found.dtype == numpy.float64 and relative_error(found, expected) < 1e-5


def test_symbols_without_a_device_use_only_operators_that_every_device_has():
    blk = gr.Residual(4)
    ops = {node for node in blk(mx.sym.var("data")).tojson().split('"') if "Norm" in node}
    assert "BatchNorm" in ops and not any("WithReLU" in op for op in ops)


@pytest.mark.parametrize("block", [gr.Residual, gr.Bottleneck])
@pytest.mark.parametrize("first_block", [False, True])
def test_resnet_block(both_modes, block, first_block):
    stage = gr.resnet_block(16, 3, first_block=first_block, block=block)
    assert isinstance(stage, nn.HybridSequential) and len(stage) == 3
    stage.initialize()
    X = random_array(2, 16, 8, 8)
    assert stage(X).shape == ((2, 16, 8, 8) if first_block else (2, 16, 4, 4))
    projection = "conv3" if block is gr.Residual else "conv4"
    projects = [getattr(blk, projection) is not None for blk in stage]
    assert projects == [not first_block or block is gr.Bottleneck, False, False]
