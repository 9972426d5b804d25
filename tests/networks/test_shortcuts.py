"""Options A, B, C and none: zero padding against NumPy and numerical gradients, parameters against sums by hand."""

import gluon_resnet as gr
from gluon_resnet.errors import ModelError, ShapeError
from gluon_resnet.networks.layout import Pad, block_plan, layout, plan_shortcut
from gluon_resnet.networks.specs import DEPTHS, get_spec, parse_model
from gluon_resnet.training import precision

import mxnet as mx
import numpy
import pytest
from mxnet import autograd

from tests.conftest import array, both_ways, random_array, relative_error, there_and_back

#: (channels in, channels out, stride): in sixteens (oneDNN's Concat), off them, odd, and with nothing to pad
CHANGES = [(32, 64, 2), (16, 32, 2), (3, 8, 2), (64, 256, 1), (8, 8, 2), (5, 6, 1)]


def _padded(X, out_channels, stride):
    """Option A by hand: every stride-th place, zeros on both sides of the channels."""
    N, C, H, W = X.shape
    Y = numpy.zeros((N, out_channels, (H + stride - 1) // stride, (W + stride - 1) // stride), X.dtype)
    for c in range(C):
        for i in range(Y.shape[2]):
            for j in range(Y.shape[3]):
                Y[:, (out_channels - C) // 2 + c, i, j] = X[:, c, i * stride, j * stride]
    return Y


def _only_the_shortcut(block, num_channels, X, **options):
    """A block whose branch gives 0, so that what comes out is the ReLU of its shortcut alone."""
    blk = block(num_channels, shortcut="A", in_channels=X.shape[1], **options)
    blk.initialize(mx.init.Xavier())
    blk(array(X))
    last = blk.conv2 if isinstance(blk, gr.Residual) else blk.conv3
    last.weight.set_data(last.weight.data() * 0)
    return blk


@pytest.mark.parametrize("in_channels, out_channels, stride", CHANGES)
@pytest.mark.parametrize("block", [gr.Residual, gr.Bottleneck])
def test_zero_padding_is_numpys_both_ways(both_modes, block, in_channels, out_channels, stride):
    if block is gr.Bottleneck and out_channels % 4:
        out_channels += 4 - out_channels % 4
    X = numpy.random.RandomState(0).randn(2, in_channels, 7, 6).astype("float32")
    expected = numpy.maximum(_padded(X, out_channels, stride), 0)
    mask = numpy.zeros_like(X)
    mask[:, :, ::stride, ::stride] = X[:, :, ::stride, ::stride] > 0
    blk = _only_the_shortcut(block, out_channels, X, strides=stride)
    for hybridize in (False, True):
        blk.hybridize(hybridize)
        x = array(X)
        x.attach_grad()
        with autograd.record():
            Y = blk(x)
        Y.backward()
        assert (Y.asnumpy() == expected).all()
        assert (x.grad.asnumpy() == mask).all()


@pytest.mark.parametrize("block", [gr.Residual, gr.Bottleneck, gr.ResidualV2, gr.BottleneckV2])
@pytest.mark.parametrize("in_channels, out_channels", [(4, 8), (32, 64)])
def test_gradients_through_zero_padding_are_the_numerical_ones(both_modes, block, in_channels, out_channels):
    blk = block(out_channels, strides=2, shortcut="A", in_channels=in_channels)
    blk.initialize(mx.init.Normal(0.3))
    random = numpy.random.RandomState(1)
    X, weights = random.randn(3, in_channels, 6, 6), random.randn(3, out_channels, 3, 3)
    blk(array(X))
    blk.cast("float64")

    def loss(x):
        with autograd.record():
            Y = (blk(x) * array(weights, "float64")).sum()
        return Y

    x = array(X, "float64")
    x.attach_grad()
    loss(x).backward()
    gradient = x.grad.asnumpy()
    for _ in range(5):
        step = random.randn(*X.shape)
        ends = [float(loss(array(X + sign * 1e-6 * step, "float64")).asnumpy()) for sign in (1, -1)]
        assert (ends[0] - ends[1]) / 2e-6 == pytest.approx((gradient * step).sum(), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("block", [gr.Residual, gr.Bottleneck])
def test_a_plain_block_is_its_branch_alone(both_modes, block):
    """With the branch at 0, nothing at all comes out: no shortcut was added."""
    X = numpy.random.RandomState(0).randn(2, 8, 6, 6).astype("float32")
    blk = block(8, shortcut="none")
    blk.initialize(mx.init.Xavier())
    assert abs(blk(array(X)).asnumpy()).max() > 0
    last = blk.conv2 if block is gr.Residual else blk.conv3
    last.weight.set_data(last.weight.data() * 0)
    assert (blk(array(X)).asnumpy() == 0).all()


def test_c_projects_in_a_block_that_changes_nothing():
    for block, number in ((gr.Residual, 3), (gr.Bottleneck, 4)):
        assert getattr(block(8, shortcut="C"), f"conv{number}") is not None
        for shortcut in ("A", "B", "none"):
            assert getattr(block(8, shortcut=shortcut), f"conv{number}") is None


def test_an_option_beside_use_1x1conv_and_too_many_channels_are_refused():
    with pytest.raises(ShapeError, match="expected one of them"):
        gr.Residual(8, use_1x1conv=True, shortcut="A")
    with pytest.raises(ShapeError, match="zeros cannot take 16 channels to 8"):
        gr.Residual(8, shortcut="A", in_channels=16)
    with pytest.raises(ModelError, match="expected one of A, B, C, none"):
        gr.Residual(8, shortcut="D")


def test_which_shortcut_a_block_has():
    assert plan_shortcut("A", 64, 128, 2) == ("pad", Pad(2, 32, 32))
    assert plan_shortcut("A", 5, 8, 1) == ("pad", Pad(1, 1, 2))
    assert plan_shortcut("A", 64, 64, 2) == ("pad", Pad(2, 0, 0))
    assert [plan_shortcut(option, 64, 64, 1)[0] for option in "ABC"] == ["identity", "identity", "project"]
    assert [plan_shortcut(option, 64, 64, 2)[0] for option in "BC"] == ["project", "project"]
    assert plan_shortcut("none", 64, 128, 2) == ("none", None)


def _parameters(spec):
    """Trainable parameters by the layout, which test_layout.py holds against the networks."""
    plan = layout(spec)
    return sum(
        int(numpy.prod(shape))
        for name, shape in plan.params().items()
        if "running" not in name and name not in plan.fixed()
    )


@pytest.mark.parametrize("depth", DEPTHS)
def test_what_each_option_costs_by_hand(depth):
    """A projection is in x out weights and a batch norm's 2 x out; torchvision's have no bias."""
    block, sizes = DEPTHS[depth]
    widths = [64, 128, 256, 512] if block == "basic" else [256, 512, 1024, 2048]
    changed = [(a, b) for a, b in zip([64, *widths], widths) if a != b]
    only_b = sum(a * b + 2 * b for a, b in changed)
    everywhere = sum((w * w + 2 * w) * (size - (block == "bottleneck" or w > 64)) for w, size in zip(widths, sizes))
    found = {option: _parameters(get_spec(depth, "torchvision", shortcut=option)) for option in ("A", "B", "C", "none")}
    # references.md
    published = {18: 11_689_512, 34: 21_797_672, 50: 25_557_032, 101: 44_549_160, 152: 60_192_808}[depth]
    assert found == {"A": published - only_b, "B": published, "C": published + everywhere, "none": published - only_b}


@pytest.mark.parametrize(
    "name",
    [
        "resnet18:A",
        "resnet18@torchvision:C",
        "plain18",
        "cifar_resnet20",
        "cifar_resnet20:B",
        "resnet50@slim",
        "resnet18@v2",
        "resnet18@v2:A",
        "resnet18@v2:none",
    ],
)
def test_imperative_and_hybridized_agree_in_training(both_modes, name):
    """Also a guard: mxnet's Concat would end the process in the backward pass of cifar_resnet20's first padding."""
    net, X = gr.get_model(name, 7), random_array(4, 3, 32, 32)
    net.initialize(mx.init.Xavier())
    net(X)
    first = net[int(layout(net.spec).places["stage1"])][0].conv1.weight
    results = both_ways(net, X, first)
    assert results[0][0].shape == (4, 7) and abs(results[0][1]).max() > 0
    assert relative_error(results[1][0], results[0][0]) < 1e-5
    assert relative_error(results[1][1], results[0][1]) < 1e-3


def test_where_the_picture_is_halved():
    assert [[stride for _, _, stride in stage] for stage in block_plan(parse_model("resnet18"))] == [[1, 1]] + [
        [2, 1]
    ] * 3
    assert [[stride for _, _, stride in stage] for stage in block_plan(parse_model("resnet50@slim"))] == [
        [1, 1, 2],
        [1, 1, 1, 2],
        [1] * 5 + [2],
        [1, 1, 1],
    ]
    assert [stage[0] for stage in block_plan(parse_model("cifar_resnet20"))] == [(16, 16, 1), (16, 32, 2), (32, 64, 2)]


@pytest.mark.skipif(not precision.is_native(), reason="this processor does not multiply bfloat16")
@pytest.mark.parametrize("name", ["cifar_resnet8", "resnet18:A", "plain18", "resnet18@v2"])
def test_bfloat16_passes_through_every_kind_of_block(both_modes, name):
    net, X, results = gr.get_model(name, 7), random_array(4, 3, 48, 48), []
    mx.random.seed(0)
    net.initialize(mx.init.Xavier())
    net(X)
    stem = net[int(layout(net.spec).places["stem"])].weight
    for numbers in ("float32", "bfloat16"):
        precision.set_precision(net, numbers)
        net.hybridize(static_alloc=True, static_shape=True)
        Y = there_and_back(net, X)
        results.append((Y.asnumpy(), stem.grad().asnumpy()))
    (Y, gradient), (short_Y, short_gradient) = results
    assert short_Y.dtype == numpy.float32 and 0 < relative_error(short_Y, Y) < 0.05
    cosine = (gradient * short_gradient).sum() / numpy.linalg.norm(gradient) / numpy.linalg.norm(short_gradient)
    assert cosine > 0.6  # gradients of untrained networks, most of all of plain ones, feel every rounding
