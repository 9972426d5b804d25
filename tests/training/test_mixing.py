"""Erased parts and mixed images against what the papers say of them, counted by hand."""

from gluon_resnet.errors import ConfigError
from gluon_resnet.training import mixing
from gluon_resnet.training.recipe import Recipe

import numpy
import pytest


def test_soft_labels_by_hand():
    assert (
        mixing.soft_labels([2, 0], 4, 0.2).tolist()
        == numpy.float32([[0.05, 0.05, 0.85, 0.05], [0.85, 0.05, 0.05, 0.05]]).tolist()
    )


ALL = Recipe(mixup=0.3, cutmix=1.0, fmix=1.0)


@pytest.mark.parametrize("seed", range(20))
def test_mixtures_by_hand(seed):
    X = numpy.random.RandomState(seed).rand(4, 2, 9, 7).astype("float32")
    labels = mixing.soft_labels([0, 1, 2, 1], 3)
    partners, share, where = drawn = mixing.draw_mix(ALL, 4, 9, 7, numpy.random.RandomState(seed))
    mixed, mixed_labels = mixing.mix(X, drawn), mixing.mix(labels, drawn)
    assert mixed.dtype == mixed_labels.dtype == numpy.float32
    assert sorted(partners) == [0, 1, 2, 3] and 0 <= share <= 1
    assert mixed_labels.sum(axis=1) == pytest.approx(1)
    for i, partner in enumerate(partners):
        if where is None:
            assert mixed[i] == pytest.approx(share * X[i] + (1 - share) * X[partner], abs=1e-6)
        else:
            own = (mixed[i] == X[i]).all(axis=0)
            assert (own | (mixed[i] == X[partner]).all(axis=0)).all()
            if partner != i:
                assert own.mean() == pytest.approx(share)
        assert mixed_labels[i] == pytest.approx(share * labels[i] + (1 - share) * labels[partner], abs=1e-6)


def test_a_recipe_with_three_ways_to_mix_takes_each():
    drawn = [mixing.draw_mix(ALL, 4, 9, 7, numpy.random.RandomState(seed))[2] for seed in range(20)]
    assert {type(where) for where in drawn} == {type(None), tuple, numpy.ndarray}
    assert mixing.draw_mix(Recipe(), 4, 9, 7) is None


def test_fmixs_noise_falls_with_the_third_power_of_the_frequency():
    """The mean power of each frequency, from 400 draws, as numpy's transform finds it."""
    random = numpy.random.RandomState(0)
    power = numpy.mean([abs(numpy.fft.fft2(mixing.grey_noise(28, 28, random))) ** 2 for _ in range(400)], axis=0)
    frequency = numpy.hypot(numpy.fft.fftfreq(28)[:, None], numpy.fft.fftfreq(28))[1:14, 1:14]
    slope, _ = numpy.polyfit(numpy.log(frequency).ravel(), numpy.log(power[1:14, 1:14]).ravel(), 1)
    assert slope == pytest.approx(-2 * 3, abs=0.1)  # power is the square of the amplitude


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_fmixs_mask_has_the_share_of_the_pixels_in_few_patches(share):
    mask = mixing.fourier_mask(share, 28, 28, numpy.random.RandomState(1))
    assert abs(mask.sum() - share * 28 * 28) <= 0.5
    changes = (mask[1:] != mask[:-1]).sum() + (mask[:, 1:] != mask[:, :-1]).sum()
    single = 2 * share * (1 - share) * 2 * 28 * 27  # changes of a mask drawn pixel by pixel
    assert changes <= single / 4


def test_random_erasing_is_the_papers():
    """Areas of 2 to 40 %, heights of 0.3 to 3.3 widths, anywhere, filled with noise of the images' range."""
    random = numpy.random.RandomState(0)
    X = numpy.full((2000, 2, 40, 50), 0.5, dtype="float32")
    X[:, :, 0, 0], X[:, :, 0, 1] = 0.0, 1.0  # the range
    Y = mixing.erase(Recipe(erase=0.5), X, random)
    changed = (Y != X).any(axis=1)  # (N, H, W)
    erased = changed.any(axis=(1, 2))
    assert erased.mean() == pytest.approx(0.5, abs=0.04)
    rows, columns = changed[erased].any(axis=2).sum(axis=1), changed[erased].any(axis=1).sum(axis=1)
    assert (changed[erased].sum(axis=(1, 2)) >= rows * columns - 2).all()  # whole rectangles; noise may be 0 or 1
    area, ratio = rows * columns / (40 * 50), rows / columns
    assert area.min() > 0.015 and area.max() < 0.42 and area.mean() == pytest.approx(0.2, abs=0.02)
    assert ratio.min() > 0.25 and ratio.max() < 3.7 and (ratio > 1).mean() > 0.6  # uniform in height / width
    assert changed.any(axis=0).all()  # every pixel is erased in some image
    noise = Y[numpy.broadcast_to(changed[:, None], Y.shape)]
    assert noise.min() >= 0 and noise.max() <= 1 and noise.std() == pytest.approx(1 / 12**0.5, abs=0.01)


def test_cutout_by_hand():
    X = numpy.ones((500, 1, 12, 10), dtype="float32")
    Y = mixing.erase(Recipe(cutout=4), X, numpy.random.RandomState(0))
    black = Y[:, 0] == 0
    heights, widths = black.any(axis=2).sum(axis=1), black.any(axis=1).sum(axis=1)
    assert (black.sum(axis=(1, 2)) == heights * widths).all()
    assert set(heights) == set(widths) == {2, 3, 4}  # the middle is in the image, up to half of the square outside
    assert (X == 1).all() and black.any(axis=0).all()


def test_a_picture_too_flat_for_any_rectangle_stays():
    boxes = mixing.draw_rectangles(5, 1, 5000, numpy.random.RandomState(0))
    assert (boxes[:, 0] == boxes[:, 1]).all() and (boxes[:, 2] == boxes[:, 3]).all()


def test_refusals():
    for settings, line in (
        ({"erase": 1.5}, "erase is 1.5: expected a probability from 0 to 1"),
        ({"cutout": -1}, "cutout is -1: expected at least 0"),
        ({"fmix": -0.5}, "fmix is -0.5: expected at least 0"),
    ):
        with pytest.raises(ConfigError, match=line):
            Recipe(**settings).check()
