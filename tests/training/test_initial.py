"""Initial values: identities that hand pictures on, blocks that are their shortcuts, a stem that whitens patches."""

from dataclasses import replace

import gluon_resnet as gr
from gluon_resnet.errors import ConfigError, ModelError
from gluon_resnet.networks.layout import layout
from gluon_resnet.training import initial
from gluon_resnet.training.initial import Dirac
from gluon_resnet.training.recipe import Recipe

import mxnet as mx
import numpy
import pytest
from mxnet.gluon import nn

from tests.conftest import array, one_line_error, small_arrays
from tests.training.test_recipe import picture_batches, values

CPU = mx.cpu()


@pytest.mark.parametrize("number, channels", [(4, 4), (6, 4), (3, 4)])
def test_dirac_hands_channels_on(both_modes, number, channels):
    layer = nn.Conv2D(number, kernel_size=3, padding=1, use_bias=False, in_channels=channels)
    layer.initialize(Dirac())
    X = numpy.random.RandomState(0).randn(2, channels, 5, 7).astype("float32")
    Y = layer(array(X)).asnumpy()
    both = min(number, channels)
    assert Y.shape == (2, number, 5, 7) and Y[:, :both] == pytest.approx(X[:, :both], abs=1e-6)
    assert number == both or abs(Y[:, both:] - X[:, : number - both]).max() > 0.1  # the others are Xavier's


def test_with_zero_gamma_every_block_is_its_shortcut(np_mode):
    """relu(0 * F(X) + shortcut(X)), and yet the block learns: its last gamma has a gradient."""
    net = gr.get_model("resnet8@narrow")
    initial.initialize(net, Recipe(zero_gamma=True, dirac=True), CPU)
    X = np_mode.array(numpy.random.RandomState(0).rand(4, 1, 28, 28), dtype="float32")
    stem, (first, *_) = nn.HybridSequential(), (net[place][0] for place in (3, 4, 5))
    stem.add(*(net[place] for place in range(3)))
    before = stem(X)
    assert first(before).asnumpy() == pytest.approx(before.asnumpy(), abs=1e-6)  # the shortcut is the input itself
    with mx.autograd.record():
        loss = (net(X) ** 2).sum()
    loss.backward()
    assert abs(first.bn2.gamma.grad().asnumpy()).max() > 0
    weight = net[4][0].conv1.weight.data().asnumpy()  # (64, 32, 3, 3)
    assert (weight[:32, :, 1, 1] == numpy.eye(32)).all() and abs(weight[:32]).sum() == 32


def patches_of(images, side):
    """All side x side patches of images (N, C, H, W), one a row, cut out one by one."""
    height, width = images.shape[2:]
    return numpy.array(
        [
            image[:, top : top + side, left : left + side].ravel()
            for image in images
            for top in range(height - side + 1)
            for left in range(width - side + 1)
        ],
        dtype="float64",
    )


@pytest.mark.parametrize("number", [32, 50])
def test_a_whitening_stem_has_the_identity_as_the_covariance_of_its_outputs(number):
    """And its filters are numpy's own eigenvectors of the patches' covariance, with both signs."""
    images = small_arrays(train=24)[0][0][:, None] / numpy.float32(255)
    images = images[:, :, :16, :16] + 0.05 * numpy.random.RandomState(0).rand(24, 1, 16, 16).astype("float32")
    stem = replace(layout(gr.parse_model("resnet8@narrow"), 1).stem[0][0], out_channels=number)
    weight = initial.whitening(initial.patch_sums(images, 5), stem)
    assert weight.shape == (number, 1, 5, 5) and weight.dtype == numpy.float32
    assert (weight[number // 2 :] == -weight[: number // 2]).all()
    Y = mx.nd.Convolution(
        mx.nd.array(images), mx.nd.array(weight), kernel=(5, 5), num_filter=number, no_bias=True
    ).asnumpy()
    outputs = Y.transpose(0, 2, 3, 1).reshape(-1, number)[:, : number // 2]
    assert numpy.cov(outputs.astype("float64").T) == pytest.approx(numpy.eye(number // 2), abs=2e-3)
    variances, directions = numpy.linalg.eigh(numpy.cov(patches_of(images, 5).T))
    for i, row in enumerate(weight[: number // 2].reshape(-1, 25), 1):
        assert abs(row @ directions[:, -i]) * variances[-i] ** 0.5 == pytest.approx(1, abs=1e-3)


def test_a_run_whitens_before_its_first_step_and_keeps_the_stem(np_mode):
    net, batches = gr.get_model("resnet8@narrow"), picture_batches(64)
    seen = []
    gr.seed_everything(3)
    first = [X.asnumpy() for X, _ in batches][:2]
    gr.seed_everything(3)
    gr.fit(
        net,
        batches,
        picture_batches(16),
        Recipe(epochs=1, lr=0.1, whiten_batches=2),
        CPU,
        gr.Session([lambda record: seen.append(values(net))]),
    )
    expected = initial.whitening(
        initial.patch_sums(numpy.concatenate(first), 5), layout(gr.parse_model("resnet8@narrow"), 1).stem[0][0]
    )
    assert all(one["0.weight"] == pytest.approx(expected, abs=1e-5) for one in seen)
    assert (seen[0]["1.beta"] != seen[-1]["1.beta"]).any()


def test_refusals(run_cli, tmp_path):
    for model, settings, words in (
        ("resnet18@v2", {"zero_gamma": True}, "zero_gamma is true: resnet18@v2 has blocks without a sum right after"),
        ("plain18", {"zero_gamma": True}, "zero_gamma is true: plain18@d2l has blocks without a sum"),
        ("resnet50@slim", {"zero_gamma": True}, "zero_gamma is true: resnet50@slim has blocks"),
    ):
        plan = layout(gr.parse_model(model), 3)
        with pytest.raises(ConfigError, match=words):
            initial.check(plan, Recipe(**settings))
    with pytest.raises(ConfigError, match="resnet18@torchvision has 64 filters of 9 numbers: .* number up to 18, half"):
        initial.check(
            layout(replace(gr.parse_model("resnet18@torchvision"), stem_kernel=3), 1), Recipe(whiten_batches=5)
        )
    with pytest.raises(ModelError, match="dirac, zero_gamma and whiten_batches need one"):
        gr.fit(nn.Dense(3), [], [], Recipe(dirac=True), CPU)
    words = ("train", "fashion-mnist", "--weights", "x.params", "--set", "dirac=true", "--out", tmp_path / "run")
    assert one_line_error(run_cli(*words)).endswith(
        "weights and dirac: expected one of them, both are what training begins with"
    )
    assert not (tmp_path / "run").exists()
