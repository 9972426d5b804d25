"""The networks of 6n + 2 layers against the paper's Table 6, a count by hand, and gluoncv's own (with projections)."""

import gluon_resnet as gr
from gluon_resnet.errors import ModelError
from gluon_resnet.networks.cost import network
from gluon_resnet.networks.specs import CIFAR_DEPTHS, get_spec, parse_model

import mxnet as mx
import numpy
import pytest
from mxnet import autograd

from tests.conftest import random_array, relative_error, trainable

#: Millions of parameters in Table 6.
PAPER = {20: 0.27, 32: 0.46, 44: 0.66, 56: 0.85, 110: 1.7}


def _by_hand(depth, channels=3, classes=10):
    """Weights and batch norms of 1 + 6n convolutions and the classifier."""
    n = (depth - 2) // 6
    convs = [
        (channels, 16),
        *[(16, 16)] * 2 * n,
        (16, 32),
        *[(32, 32)] * (2 * n - 1),
        (32, 64),
        *[(64, 64)] * (2 * n - 1),
    ]
    return sum(9 * a * b + 2 * b for a, b in convs) + 64 * classes + classes


@pytest.mark.parametrize("depth", CIFAR_DEPTHS)
@pytest.mark.parametrize("channels", [1, 3])
def test_parameters(depth, channels):
    net = gr.cifar_resnet(depth)
    net.infer_shape(mx.nd.zeros((1, channels, 32, 32)))
    assert trainable(net) == _by_hand(depth, channels)
    if channels == 3:
        digits = 1 if depth == 110 else 2
        assert round(trainable(net) / 1e6, digits) == PAPER[depth]


def test_projections_are_what_gluoncv_has_more():
    net = gr.cifar_resnet(20, shortcut="B")
    net.infer_shape(mx.nd.zeros((1, 3, 32, 32)))
    assert trainable(net) == 272_474  # facts.md, gluoncv's cifar_resnet20_v1
    assert trainable(net) - _by_hand(20) == 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64


def test_multiply_adds_by_hand():
    n = 3
    stages = (
        2 * n * 16 * 16 * 32 * 32,
        (16 * 32 + (2 * n - 1) * 32 * 32) * 16 * 16,
        (32 * 64 + (2 * n - 1) * 64 * 64) * 8 * 8,
    )
    expected = 9 * (3 * 16 * 32 * 32 + sum(stages)) + 640
    assert network(get_spec(20, "cifar"), 3, (32, 32)).total("multiply_adds") == expected
    table = gr.summary(gr.cifar_resnet(20), (1, 3, 32, 32))
    assert gr.totals(table)["multiply_adds"] == expected


def _gluoncv_with_a_relu(original):
    """gluoncv's network with the ReLU after the stem that the paper's has and its author left out."""
    net = mx.gluon.nn.HybridSequential()
    net.add(*original.features[:2], mx.gluon.nn.Activation("relu"), *original.features[2:], original.output)
    return net


@pytest.mark.parametrize("depth", [20, 56])
def test_forward_equals_gluoncvs_but_for_the_stems_relu(depth):
    import gluoncv

    original, ours = gluoncv.model_zoo.get_model(f"cifar_resnet{depth}_v1"), gr.cifar_resnet(depth, shortcut="B")
    X = random_array(3, 3, 32, 32)
    for net in (original, ours):
        net.initialize(mx.init.Xavier())
        net(X)
    theirs, mine = original._collect_params_with_prefix(), ours._collect_params_with_prefix()
    for name, param in theirs.items():
        stage, _, rest = name[len("features.") :].partition(".")
        place = "7" if name.startswith("output") else stage if int(stage) < 2 else str(int(stage) + 1)
        rest = rest.replace("body.0", "conv1").replace("body.1", "bn1")
        rest = rest.replace("body.3", "conv2").replace("body.4", "bn2")
        rest = rest.replace("downsample.0", "conv3").replace("downsample.1", "bn3")
        mine.pop(f"{place}.{rest or name.rpartition('.')[2]}").set_data(param.data())
    assert not mine
    with autograd.train_mode():
        ours(X)
    for param in theirs.values():
        assert param.shape is not None
    expected = _gluoncv_with_a_relu(original)(X).asnumpy()
    assert relative_error(ours(X).asnumpy(), expected) < 1e-5
    assert relative_error(original(X).asnumpy(), expected) > 1e-2


def test_defaults_and_any_depth(both_modes):
    net = gr.cifar_resnet(8, num_classes=4)
    net.initialize()
    assert net(random_array(2, 1, 28, 28)).shape == (2, 4)
    assert net.spec.shortcut == "A" and net.spec.stage_sizes == (1, 1, 1)
    assert gr.parse_model("cifar_resnet1202").stage_sizes == (200, 200, 200)
    assert list(gr.layer_shapes(gr.cifar_resnet(20), (1, 1, 28, 28))["output_shape"]) == [(1, 16, 28, 28)] * 4 + [
        (1, 32, 14, 14),
        (1, 64, 7, 7),
        (1, 64, 1, 1),
        (1, 10),
    ]


def test_plain_has_the_same_parameters():
    names = [set(layout_names(name)) for name in ("cifar_resnet20", "cifar_plain20")]
    assert names[0] == names[1] and gr.cifar_resnet(20, shortcut="none").spec == parse_model("cifar_plain20")


def layout_names(name):
    from gluon_resnet.networks.layout import layout

    return layout(parse_model(name)).params()


@pytest.mark.parametrize("depth", [21, 2, 0, -4, "20", 20.0])
def test_depths_that_are_none(depth):
    with pytest.raises(ModelError, match=r"6n \+ 2 layers") as caught:
        gr.cifar_resnet(depth)
    assert "\n" not in str(caught.value)


def test_an_unknown_shortcut_is_named():
    with pytest.raises(ModelError, match="unknown shortcut 'D': .*known are A, B, C, none"):
        gr.cifar_resnet(20, shortcut="D")


def test_zeros_stand_on_both_sides_in_the_network_too():
    """Stage 2's first block with its branch at 0 hands its input on, between 8 and 8 channels of zeros."""
    net, X = gr.cifar_resnet(8), random_array(2, 3, 16, 16)
    net.initialize(mx.init.Xavier())
    net(X)
    blk = net[4][0]
    blk.conv2.weight.set_data(blk.conv2.weight.data() * 0)
    before = X
    for layer in net[:4]:
        before = layer(before)
    after, before = net[4][0](before).asnumpy(), before.asnumpy()
    assert before.shape == (2, 16, 16, 16) and (before >= 0).all() and before.max() > 0
    assert (after[:, 8:24] == before[:, :, ::2, ::2]).all()
    assert not numpy.delete(after, numpy.s_[8:24], axis=1).any()
