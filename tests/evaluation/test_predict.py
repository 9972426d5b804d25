"""Predicting many images: the same table as at once, and never more than a few inputs held."""

import os
import weakref

from gluon_resnet.data.images import PREPARATIONS
from gluon_resnet.errors import DataError
from gluon_resnet.evaluation.predict import BATCH, image_files, look, predict, predict_files

import numpy
import pandas as pd
import pytest
from PIL import Image

LABELS = ["red", "green", "blue"]


class MeanColour:
    """An engine whose logits are the mean of each channel; it looks whether earlier inputs are still held."""

    def __init__(self):
        self.before, self.sizes, self.held = [], [], []

    def logits(self, X):
        self.held.append(sum(each() is not None for each in self.before))
        self.before.append(weakref.ref(X if X.base is None else X.base))
        self.sizes.append(len(X))
        return X.mean(axis=(2, 3))


@pytest.fixture
def paths(tmp_path):
    random = numpy.random.RandomState(0)
    for i in range(2 * BATCH + 3):
        Image.fromarray(random.randint(0, 256, (40, 50, 3)).astype("uint8")).save(tmp_path / f"{i:02}.png")
    return sorted(tmp_path.glob("*.png"))


def test_inputs_are_let_go_one_batch_after_the_other(paths):
    engine, preparation = MeanColour(), PREPARATIONS["cifar"]
    table, views = predict_files(engine, paths, preparation, LABELS, top=2)
    assert views is None and engine.sizes == [BATCH, BATCH, 3]
    assert engine.held == [0, 0, 0]
    seen, X = look(paths, preparation)
    assert table.equals(predict(MeanColour(), X, LABELS, paths, top=2))
    assert table["image"].tolist() == [str(path) for path in paths for _ in range(2)]
    again, views = predict_files(MeanColour(), paths, preparation, LABELS, top=2, keep_views=True)
    assert again.equals(table) and (views == seen).all()


def test_a_missing_image_is_found_before_the_first_prediction(paths, tmp_path):
    for wrong in (tmp_path / "missing.png", tmp_path):
        engine = MeanColour()
        with pytest.raises(DataError, match=f"{wrong}: "):
            predict_files(engine, [*paths, wrong], PREPARATIONS["cifar"], LABELS, top=1)
        assert engine.sizes == []


def test_what_cannot_be_read_of_a_folder_is_left_out_if_asked_and_all_of_it_is_an_error(paths, tmp_path):
    told, damaged, whole = [], [], [str(path) for path in paths]
    bad = [*whole[:BATCH], whole[BATCH + 1]]  # a whole batch, and one of the next
    for path in bad:
        (tmp_path / path).write_bytes(b"damaged")
    assert image_files([tmp_path]) == whole
    table, _ = predict_files(
        MeanColour(), whole, PREPARATIONS["cifar"], LABELS, top=1, damaged=damaged, tell=told.append
    )
    assert [line.partition(":")[0] for line in damaged] == bad and sum(told) == len(whole)
    assert table["image"].tolist() == [path for path in whole if path not in bad]
    assert table["rank"].dtype == "int64" and table["probability"].dtype == "float64"
    with pytest.raises(DataError, match=f"{whole[0]}: "):
        predict_files(MeanColour(), whole, PREPARATIONS["cifar"], LABELS, top=1)
    with pytest.raises(DataError, match=rf"{whole[0]}: .*; nor can any other of 2 pictures be read"):
        predict_files(MeanColour(), bad[:2], PREPARATIONS["cifar"], LABELS, top=1, damaged=[])


def test_a_folder_that_may_not_be_read_is_told(paths, tmp_path, monkeypatch):
    def refused(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(DataError, match=f"{tmp_path}: cannot be read .Permission denied.: check its permissions"):
        image_files([tmp_path])


def test_channels_that_no_image_has(paths):
    with pytest.raises(DataError, match=r"takes images of 4 channels: expected 1 \(grey\) or 3 \(colour\)"):
        look(paths, PREPARATIONS["cifar"], 4)


def test_one_image_is_a_table_too(paths):
    table, _ = predict_files(MeanColour(), paths[:1], PREPARATIONS["cifar"], LABELS, top=3)
    assert isinstance(table, pd.DataFrame) and sorted(table["label"]) == sorted(LABELS)
