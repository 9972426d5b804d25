"""The held-out images: shares by hand and as scikit-learn counts them, the seed, impossible numbers."""

from gluon_resnet.data.hold_out import split
from gluon_resnet.errors import ConfigError

import numpy
import pytest
from sklearn.model_selection import train_test_split


def test_equal_classes_give_equal_shares_and_nothing_is_lost():
    labels = numpy.random.RandomState(1).permutation(numpy.arange(60_000) % 10)
    kept, held = split(labels, 5000)
    assert numpy.bincount(labels[held]).tolist() == [500] * 10
    assert sorted([*kept, *held]) == list(range(60_000))
    assert (numpy.diff(kept) > 0).all() and (numpy.diff(held) > 0).all()  # the order of the files
    assert abs(held.mean() - 30_000) < 1000 and abs(numpy.diff(held).mean() - 12) < 1  # from everywhere


def test_unequal_classes_have_the_shares_that_scikit_learn_gives():
    labels = numpy.repeat([3, 5, 8], [50, 30, 23])  # 20.39, 12.23, 9.38 of 42: the one left over goes to class 3
    _, held = split(labels, 42)
    assert numpy.bincount(labels[held])[[3, 5, 8]].tolist() == [21, 12, 9]
    _, theirs = train_test_split(numpy.arange(103), test_size=42, stratify=labels, random_state=0)
    assert numpy.bincount(labels[held]).tolist() == numpy.bincount(labels[theirs]).tolist()


def test_the_seed_decides_and_nothing_else():
    labels = numpy.arange(200) % 10
    numpy.random.seed(1)
    _, first = split(labels, 20, seed=0)
    numpy.random.seed(2)
    before = numpy.random.get_state()[1].copy()
    _, again = split(labels, 20, seed=0)
    assert first.tolist() == again.tolist() and (numpy.random.get_state()[1] == before).all()
    assert first.tolist() != split(labels, 20, seed=1)[1].tolist()
    # NumPy's own shuffle of the 20 images of each class, one class after another
    random = numpy.random.RandomState(0)
    places = [random.permutation(20)[:2] for _ in range(10)]
    assert first.tolist() == sorted(10 * place + c for c, two in enumerate(places) for place in two)


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (40, "hold_out is 40: expected fewer than the 40 pictures of the training part"),
        (
            5,
            "hold_out is 5: expected one picture or more of each of the 10 classes, found none of class 5",
        ),
        (39, "one picture or more of each class to be left to train on, found none of class 0: hold out fewer"),
        (0, "hold_out is 0: expected a whole number of at least 1"),
        (-1, "hold_out is -1: expected a whole number of at least 1"),
    ],
)
def test_what_cannot_be_held_out(number, message):
    with pytest.raises(ConfigError) as caught:
        split(numpy.arange(40) % 10, number)
    assert message in str(caught.value) and "\n" not in str(caught.value)
