"""Pairs of near images against all distances computed one by one, and the tables of an audit."""

import itertools

from gluon_resnet.audit import counts, duplicates
from gluon_resnet.data.fashion_mnist import parse_idx
from gluon_resnet.data.idx import as_idx
from gluon_resnet.errors import ConfigError

import numpy
import pytest

from tests.conftest import idx


@pytest.fixture
def images():
    """40 images of 6x5, some a little changed, some copied."""
    random = numpy.random.RandomState(0)
    images = random.randint(0, 256, (40, 6, 5)).astype("uint8")
    images[7] = images[30] = images[3]
    images[12] = images[20]
    images[12, 0, 0] ^= 3
    images[35] = images[3]
    images[35, 2, 2] ^= 16
    return images


@pytest.mark.parametrize("block", [7, 1000])
@pytest.mark.parametrize("distance", [2, 16, 16.5, 350])
def test_near_pairs_are_those_of_all_distances(images, distance, block, monkeypatch):
    monkeypatch.setattr(duplicates, "BLOCK", block)
    told = []
    table = duplicates.near_pairs(images, distance, told.append)
    flat = images.reshape(40, -1).astype(float)
    expected = {
        (i, j): float(numpy.sqrt(((flat[i] - flat[j]) ** 2).sum()))
        for i, j in itertools.combinations(range(40), 2)
        if ((flat[i] - flat[j]) ** 2).sum() < distance**2
    }
    # copies are paired with the first one alone
    expected = {pair: far for pair, far in expected.items() if not set(pair) & {7, 30} or pair in ((3, 7), (3, 30))}
    found = {(row.i, row.j): row.distance for row in table.itertuples()}
    assert set(found) == set(expected) and len(table) == len(found) >= 2
    assert [found[pair] for pair in sorted(found)] == pytest.approx([expected[pair] for pair in sorted(expected)])
    assert list(table["distance"]) == sorted(table["distance"])
    assert sum(told) == 40


def test_a_distance_that_says_nothing(images, monkeypatch):
    for wrong in (0, -1, numpy.nan, numpy.inf):
        with pytest.raises(ConfigError, match="expected a number above 0, such as 250"):
            duplicates.near_pairs(images, wrong)
    monkeypatch.setattr(duplicates, "MOST", 100)
    with pytest.raises(ConfigError, match="distance is 5000: more than 100 pairs of images are nearer"):
        duplicates.near_pairs(images, 5000)


def test_pairs_by_part_and_their_counts(images):
    names = numpy.array([f"class {i % 3}" for i in range(40)])
    table = duplicates.by_part(duplicates.near_pairs(images, 20), names, (25, 15), ("train", "test"))
    assert table.drop(columns="distance").values.tolist() == [
        ["train", 3, "train", 7, "class 0", "class 1"],
        ["train", 3, "test", 5, "class 0", "class 0"],
        ["train", 12, "train", 20, "class 0", "class 2"],
        ["train", 3, "test", 10, "class 0", "class 2"],
    ]
    assert counts.of_pairs(table) == {
        "identical": {"train": 1, "test": 0, "across": 1, "labels differ": 1},
        "near": {"train": 1, "test": 0, "across": 1, "labels differ": 2},
    }


def test_idx_files_are_those_by_hand():
    images = numpy.arange(24, dtype="uint8").reshape(2, 3, 4)
    for values in (images, numpy.array([3, 1], "uint8")):
        assert as_idx(values) == idx(values)
        assert (parse_idx(as_idx(values), "x") == values).all()
