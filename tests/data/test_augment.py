"""Augmentation against plain arithmetic and against the shares that it promises."""

from gluon_resnet.data.augment import Augment
from gluon_resnet.errors import ConfigError

import numpy
import pytest

IMAGE = numpy.random.RandomState(0).randint(0, 256, (40, 60, 3), dtype=numpy.uint8)
NOTHING = dict(crop=None, flip=0.0)


def test_switched_off_it_changes_nothing():
    assert (Augment(**NOTHING)(IMAGE, 40, 60, 7) == IMAGE).all()


def test_one_seed_gives_one_picture_and_another_seed_another():
    augment = Augment(brightness=0.3, contrast=0.3, saturation=0.3)
    first, again, other = (augment(IMAGE, 32, 32, seed) for seed in (1, 1, 2))
    assert first.shape == (32, 32, 3) and first.dtype == numpy.uint8
    assert (first == again).all() and (first != other).any()


def test_numpys_global_generator_is_left_alone():
    numpy.random.seed(5)
    expected = numpy.random.uniform()
    numpy.random.seed(5)
    Augment(brightness=0.5)(IMAGE, 8, 8, 1)
    assert numpy.random.uniform() == expected


def test_the_flip_swaps_left_and_right_as_often_as_asked():
    flipped = [(Augment(crop=None, flip=0.3)(IMAGE, 40, 60, seed) == IMAGE[:, ::-1]).all() for seed in range(1000)]
    assert abs(numpy.mean(flipped) - 0.3) < 4 * (0.3 * 0.7 / 1000) ** 0.5  # four standard deviations
    assert (Augment(crop=None, flip=1.0)(IMAGE, 40, 60, 0) == IMAGE[:, ::-1]).all()


def draw(augment, height, width, number=2000):
    """(top, left, height, width) of many crops, four arrays."""
    random = numpy.random.RandomState(0)
    return numpy.array([augment.draw_crop(height, width, random) for _ in range(number)]).T


def test_crops_lie_inside_and_keep_to_area_and_ratio():
    top, left, height, width = draw(Augment(crop=(0.2, 0.6), ratio=(0.5, 2.0)), 200, 300)
    assert (top >= 0).all() and (left >= 0).all() and (top + height <= 200).all() and (left + width <= 300).all()
    area, ratio = height * width / 60000, width / height
    assert area.min() > 0.195 and area.max() < 0.605 and ratio.min() > 0.48 and ratio.max() < 2.05
    assert (top == 0).any() and (top + height == 200).any() and (left + width == 300).any()


def test_all_areas_are_equally_likely_and_a_ratio_is_as_likely_as_its_inverse():
    _, _, height, width = draw(Augment(crop=(0.2, 0.45), ratio=(0.5, 2.0)), 400, 400)  # each of these fits
    area, ratio = height * width / 160000, numpy.log(width / height)
    for values, low, high in ((area, 0.2, 0.45), (ratio, -numpy.log(2), numpy.log(2))):
        deviation = (high - low) / 12**0.5  # of a uniform distribution
        assert abs(values.mean() - (low + high) / 2) < 4 * deviation / 2000**0.5
        assert abs(values.std() / deviation - 1) < 0.05


def test_a_crop_that_never_fits_leaves_the_whole_picture():
    narrow = Augment(crop=(0.9, 1.0), ratio=(20.0, 20.0))
    assert narrow.draw_crop(100, 100, numpy.random.RandomState(0)) == (0, 0, 100, 100)


def test_the_crop_that_is_drawn_is_the_crop_that_is_shown():
    augment = Augment(crop=(0.3, 0.5), flip=0.0)
    ramp = numpy.zeros((64, 64, 3), numpy.uint8)
    ramp[:, :, 0], ramp[:, :, 1] = 4 * numpy.arange(64)[None], 4 * numpy.arange(64)[:, None]
    for seed in range(10):
        top, left, height, width = augment.draw_crop(64, 64, numpy.random.RandomState(seed))
        found = augment(ramp, 16, 16, seed).astype(float)
        columns = 4 * (left + (numpy.arange(16) + 0.5) * width / 16 - 0.5)
        rows = 4 * (top + (numpy.arange(16) + 0.5) * height / 16 - 0.5)
        assert abs(found[:, :, 0] - columns).max() < 3 and abs(found[:, :, 1] - rows[:, None]).max() < 3


def factor_of(seed, strength):
    """The factor that ``seed`` draws for the only colour change in force: the second number, behind the flip's."""
    random = numpy.random.RandomState(seed)
    random.uniform()
    return random.uniform(1 - strength, 1 + strength)


GREY = IMAGE.astype(float) @ [0.299, 0.587, 0.114]  # ITU-R BT.601


@pytest.mark.parametrize(
    "name, ground",
    [("brightness", numpy.zeros(1)), ("contrast", numpy.round(GREY.mean())[None]), ("saturation", GREY[:, :, None])],
)
def test_colours_are_blends_by_hand(name, ground):
    factors = set()
    for seed in range(8):
        factor = factor_of(seed, 0.4)
        expected = (ground + factor * (IMAGE - ground)).clip(0, 255)
        found = Augment(**NOTHING, **{name: 0.4})(IMAGE, 40, 60, seed)
        assert abs(found - expected).max() <= 2
        factors.add(factor)
    assert min(factors) < 0.9 and max(factors) > 1.1


@pytest.mark.parametrize(
    "kwargs, words",
    [
        (dict(crop=(0, 1)), "crop"),
        (dict(crop=(0.5, 0.4)), "crop"),
        (dict(crop=(0.5, 1.2)), "crop"),
        (dict(ratio=(0, 1)), "ratio"),
        (dict(flip=1.5), "flip is 1.5"),
        (dict(brightness=-0.1), "brightness"),
        (dict(contrast=2), "contrast"),
        (dict(saturation=2), "saturation"),
    ],
)
def test_impossible_settings(kwargs, words):
    with pytest.raises(ConfigError, match=words):
        Augment(**kwargs)
