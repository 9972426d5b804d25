"""ResNeXt, wide networks and ResNet-D: what torchvision and timm publish, gluoncv's and d2l's own code."""

import json
from dataclasses import replace

import gluon_resnet as gr
from gluon_resnet import byhand
from gluon_resnet.errors import ModelError, ShapeError
from gluon_resnet.instruments.reconcile import compare, groups
from gluon_resnet.networks.cost import network
from gluon_resnet.networks.layout import layout
from gluon_resnet.training import winograd
from gluon_resnet.weights.names import names

import mxnet as mx
import numpy
import pytest
from d2l import mxnet as d2l
from gluoncv.model_zoo import resnetv1b, resnext
from mxnet import autograd, gluon

from tests.conftest import ROOT, array, relative_error
from tests.weights.test_export import random_params

#: name -> (trainable parameters, 10^9 multiply-adds for 224x224): num_params and _ops of torchvision's weights; for
#: ResNet-D and resnext101_32x4d the parameters of timm's own networks
PUBLISHED = {
    "resnext50_32x4d": (25_028_904, 4.23),
    "resnext101_32x8d": (88_791_336, 16.414),
    "resnext101_64x4d": (83_455_272, 15.46),
    "wide_resnet50_2": (68_883_240, 11.398),
    "wide_resnet101_2": (126_886_696, 22.753),
    "resnext101_32x4d": (44_177_704, None),
    "resnet18d": (11_708_744, None),
    "resnet34d": (21_816_904, None),
    "resnet50d": (25_576_264, None),
    "resnet101d": (44_568_392, None),
    "resnet152d": (60_212_040, None),
}
#: {key: shape} of the state dicts of torchvision 0.28 and timm 1.0.31, without num_batches_tracked
KEYS = json.loads((ROOT / "tests" / "golden" / "torch_keys.json").read_text())


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_and_multiply_adds_are_the_published_ones(name):
    parameters, work = PUBLISHED[name]
    counted = network(gr.parse_model(name))
    assert counted.total("parameters") == parameters
    assert work is None or round(counted.total("multiply_adds") / 1e9, 3) == work


def test_a_summary_counts_what_the_layout_does():
    for name in ("resnext50_32x4d", "resnet18d"):
        spec = replace(gr.parse_model(name), stem_channels=16, stage_sizes=(1, 1, 1, 1))
        counted, table = network(spec, 3, (33, 47)), gr.totals(gr.summary(gr.build(spec), (1, 3, 33, 47)))
        assert {key: counted.total(key) for key in ("parameters", "multiply_adds")}.items() <= table.items()


@pytest.mark.parametrize("name", KEYS)
def test_keys_and_shapes_are_those_of_torchvision_and_timm(name):
    plan = layout(gr.parse_model(name))
    shapes = plan.params()
    assert {key: list(shapes[ours]) for ours, (key, _) in names("torchvision", plan).items()} == KEYS[name]


def lively(net, X):
    """``net`` of gluoncv with parameters and running statistics at random."""
    net.initialize(mx.init.Xavier())
    net(X)
    for name, param in net.collect_params(".*running.*").items():
        param.set_data(mx.nd.random.uniform(*((-0.1, 0.1) if name.endswith("mean") else (0.5, 1.5)), param.shape))
    return net


def test_resnet_d_gives_the_logits_of_gluoncvs_v1d(tmp_path):
    X = mx.nd.array(numpy.random.RandomState(0).randn(2, 3, 41, 54))  # planes of odd sizes, where means take in less
    v1d = dict(deep_stem=True, avg_down=True, classes=6)  # as resnet50_v1d has it
    theirs = lively(resnetv1b.ResNetV1b(resnetv1b.BasicBlockV1b, [2, 2, 2, 2], **v1d), X)
    theirs.save_parameters(str(tmp_path / "net.params"))
    found = gr.identify_weights(tmp_path / "net.params")
    assert (found.spec.name, found.spec.num_classes, found.naming) == ("resnet18d", 6, "gluoncv-v1b")
    net = gr.get_model("resnet18d", 6)
    gr.load_weights(net, tmp_path / "net.params")
    assert relative_error(net(array(X.asnumpy())).asnumpy(), theirs(X).asnumpy()) < 1e-5


def test_resnext_gives_the_logits_of_gluoncvs():
    """Its layers are made in the same order, but for a block's shortcut, as in tests/networks/test_models.py."""
    X = mx.nd.array(numpy.random.RandomState(0).randn(2, 3, 64, 48))
    theirs = lively(resnext.ResNext([1, 1, 1, 1], 32, 4, classes=6), X)
    ours = gr.build(replace(gr.parse_model("resnext50_32x4d", 6), stage_sizes=(1, 1, 1, 1)))
    ours.initialize()
    ours(array(X.asnumpy()))
    own, copied = ours._collect_params_with_prefix(), 0
    plan = layout(ours.spec)
    for name, param in theirs._collect_params_with_prefix().items():
        _, child, *rest = name.split(".")
        if name.startswith("output"):
            key = f"{plan.classifier.name}.{child}"
        elif len(rest) == 1:  # features.0 is the convolution, features.1 its norm
            key = f"{child}.{rest[0]}"
        else:
            block, part, number, end = rest
            shortcut = part == "downsample"
            kind = "bn" if end in ("gamma", "beta", "running_mean", "running_var") else "conv"
            key = f"{child}.{block}.{kind}{4 if shortcut else int(number) // 3 + 1}.{end}"
        own[key].set_data(array(param.data().asnumpy()))
        copied += 1
    assert copied == len(own)
    assert relative_error(ours(array(X.asnumpy())).asnumpy(), theirs(X).asnumpy()) < 1e-5


def test_gradients_in_float32_are_those_by_hand_with_winograds_convolutions_allowed():
    """mxnet's one operator of batch norm and ReLU stops next to small groups, or its gradients are wrong."""
    spec = replace(gr.parse_model("resnext50_32x4d", 10), stage_sizes=(1, 1))
    params = random_params(spec, 3)
    net, X, y = gr.build(spec), numpy.random.RandomState(1).randn(8, 3, 32, 32).astype("float32"), numpy.arange(8)
    net.initialize()
    net(array(X))
    own = net._collect_params_with_prefix()
    for name, values in params.items():
        own[name].set_data(array(values))
    net.hybridize(static_alloc=True, static_shape=True)
    with winograd.convolutions():
        with autograd.record():
            loss = gluon.loss.SoftmaxCrossEntropyLoss()(net(array(X)), array(y)).mean()
        loss.backward()
        found = {name: param.grad().asnumpy() for name, param in own.items() if param.grad_req != "null"}
    expected_loss, expected = byhand.ResNet(spec, params, dtype="float64").loss_and_gradients(X, y)
    assert float(loss.asnumpy()) == pytest.approx(expected_loss, rel=1e-5)
    assert found.keys() == expected.keys()
    # one number next to 0 on the other side of a ReLU moves a gradient by about a thousandth
    largest = max(abs(value).max() for value in expected.values())
    assert max(abs(found[name] - expected[name]).max() for name in expected) < 0.01 * largest


@pytest.mark.parametrize("arguments", [(32, 16, 1), (32, 4, 0.5, True, 2), (32, 12, 1)])
def test_the_block_of_the_book_is_d2ls(arguments, np_mode):
    """Shapes as chapter 8.6 of d2l 1.0 prints them; the logits of d2l 1.0.3's own block with the same parameters."""
    theirs, ours = d2l.ResNeXtBlock(*arguments), gr.ResNeXtBlock(*arguments)
    X = mx.np.random.normal(size=(4, 32, 24, 24))
    for block in (theirs, ours):
        block.initialize(mx.init.Xavier())
        block(X)
    own = ours._collect_params_with_prefix()
    for name, param in theirs._collect_params_with_prefix().items():
        assert own[name].shape == param.shape, name
        own.pop(name).set_data(param.data())
    assert not own
    strides = arguments[4] if len(arguments) > 4 else 1
    assert ours(X).shape == (4, 32, 24 // strides, 24 // strides)
    assert relative_error(ours(X).asnumpy(), theirs(X).asnumpy()) < 1e-5


def test_the_block_in_the_book_prints_its_shape(np_mode):
    from gluon_resnet import d2l as ours

    for library in (gr, ours):
        blk = library.ResNeXtBlock(32, 16, 1)
        blk.initialize()
        assert blk(ours.randn(4, 32, 96, 96)).shape == (4, 32, 96, 96)


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: gr.ResNeXtBlock(32, 5, 1), "the 32 channels of the 3x3 convolution cannot be divided into 6 groups"),
        (lambda: gr.ResNeXtBlock(32, 64, 1), "groups is 64, .* into 0 groups; expected a divisor of 32"),
        (lambda: gr.ResNeXtBlock(32, 0, 1), "groups is 0: expected a whole number of at least 1"),
        (lambda: gr.ResNeXtBlock(32, 16, 0.01), r"num_channels \* bot_mul is 0: expected a whole number of at least 1"),
        (lambda: gr.Bottleneck(64, groups=3), "groups is 3: expected a divisor of the 3x3 convolution's 16 channels"),
        (lambda: gr.Bottleneck(64, width=0), "width is 0: expected a whole number of at least 1"),
        (
            lambda: byhand.grouped(byhand.conv2d_im2col, numpy.ones((1, 4, 3, 3)), numpy.ones((6, 2, 1, 1)), groups=3),
            "groups is 3: expected a divisor of X's 4 channels and of the 6 filters",
        ),
    ],
)
def test_groups_that_do_not_divide_are_one_line(make, words):
    with pytest.raises(ShapeError, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_groups_of_no_channel_are_one_line():
    spec = replace(gr.parse_model("resnext50_32x4d"), stem_channels=8)
    with pytest.raises(ModelError, match="32 channels in the family resnext_32x4d: .* expected at least 64 channels"):
        layout(spec)


def test_what_makes_the_networks_differ():
    """By reconcile: ResNet-D has two more convolutions in the stem, and means in front of three projections."""
    found = groups(compare(gr.parse_model("resnet50@torchvision"), gr.parse_model("resnet50d")))
    whats = found.set_index("what")
    assert whats.loc["only in b", "layers"].sum() == 2 + 2 + 3
    assert found["parameters"].sum() == 25_576_264 - 25_557_032
    found = groups(compare(gr.parse_model("resnet50@torchvision"), gr.parse_model("resnext50_32x4d")))
    grouped = found[found["what"] == "groups"]
    assert grouped[["a", "b", "layers"]].values.tolist() == [["1", "32", 16]]
    assert found["parameters"].sum() == 25_028_904 - 25_557_032
