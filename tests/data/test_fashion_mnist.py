"""Reading idx files: right ones, and every way in which they can be wrong."""

import os

import gluon_resnet as gr
from gluon_resnet.data import fashion_mnist, sources
from gluon_resnet.errors import DataError

import numpy
import pytest

from tests.conftest import REAL_HOME, idx, one_line_error, small_arrays, write_idx_folder


def test_arrays_come_back_as_they_were_written(small_folder):
    (images, labels), (test_images, test_labels), where = fashion_mnist.load_arrays(small_folder, verify=False)
    (expected, expected_labels), (expected_test, _) = small_arrays()
    assert images.dtype == labels.dtype == numpy.uint8
    assert (images == expected).all() and (labels == expected_labels).all() and (test_images == expected_test).all()
    assert str(small_folder) in where


def test_the_iterators_are_d2ls(small_folder, np_mode):
    train_iter, test_iter = gr.load_data_fashion_mnist(256, resize=32, data_dir=small_folder, verify=False)
    shapes = [(X.shape, str(X.dtype), y.shape, str(y.dtype)) for X, y in train_iter]
    assert shapes == [((count, 1, 32, 32), "float32", (count,), "int32") for count in (256, 256, 128)]
    assert len(train_iter) == 3 and len(test_iter) == 1
    X, y = next(iter(test_iter))
    assert isinstance(X, np_mode.ndarray) and float(X.min()) >= 0 and float(X.max()) <= 1
    assert (y.asnumpy() == numpy.arange(160) % 10).all()  # the test part keeps its order


def test_limit_keeps_the_first_training_pictures(small_folder):
    train_iter, test_iter = gr.load_data_fashion_mnist(100, data_dir=small_folder, limit=30, verify=False)
    assert (train_iter.num_examples, test_iter.num_examples) == (30, 160)
    assert (train_iter.images == small_arrays()[0][0][:30]).all()


GOOD = idx(numpy.zeros((5, 28, 28)))


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "not an idx file.*found nothing"),
        (b"PK\x03\x04", "not an idx file.*504b0304"),
        (b"\x00\x00\x0d\x03" + GOOD[4:], "not an idx file"),
        (GOOD[:10], "truncated idx header: expected 16 bytes, found 10"),
        (GOOD[:-1], r"truncated idx file: shape \(5, 28, 28\) needs 3,936 bytes, found 3,935"),
        (GOOD + b"x", "too long idx file"),
    ],
)
def test_idx_bytes_that_are_wrong(content, words):
    with pytest.raises(DataError, match="(?s)/x/images: " + words):
        fashion_mnist.parse_idx(content, "/x/images")


def damaged(folder, name, change):
    path = folder / name
    path.write_bytes(change(path.read_bytes()))
    return folder


@pytest.mark.parametrize(
    "name, change, words",
    [
        ("train-labels-idx1-ubyte", lambda content: idx(numpy.arange(639) % 10), "639 labels for 640 pictures"),
        (
            "t10k-labels-idx1-ubyte",
            lambda content: content[: 8 + 41] + b"\x0b" + content[8 + 42 :],
            "label 11 at index 41",
        ),
        ("t10k-images-idx3-ubyte", lambda content: idx(numpy.arange(160) % 10), "expected pictures"),
        ("train-images-idx3-ubyte", lambda content: content[:1000], "truncated idx file"),
    ],
)
def test_parts_that_do_not_fit(small_folder, name, change, words):
    damaged(small_folder, name, change)
    with pytest.raises(DataError, match=words) as caught:
        fashion_mnist.load_arrays(small_folder, verify=False)
    assert str(small_folder) in str(caught.value)


@pytest.mark.parametrize(
    "prepare, words",
    [
        (lambda folder: "/nowhere/at/all", "/nowhere/at/all: no such folder"),
        (
            lambda folder: (folder / "t10k-images-idx3-ubyte").unlink(),
            "t10k-images-idx3-ubyte (or t10k-images-idx3-ubyte.gz) is missing",
        ),
        (lambda folder: None, "train-images-idx3-ubyte: 501,776 bytes where 47,040,016 were expected"),
        (
            lambda folder: damaged(
                folder, "train-images-idx3-ubyte", lambda content: content + bytes(47_040_016 - len(content))
            ),
            "wrong SHA-256 of the decompressed bytes: expected c59f468a",
        ),
    ],
)
def test_the_command_line_says_what_is_wrong(run_cli, small_folder, prepare, words):
    folder = prepare(small_folder) or small_folder
    folder = folder if isinstance(folder, str) else small_folder
    for command in (("data", "fashion-mnist"), ("train", "fashion-mnist", "--out", small_folder / "run")):
        assert words in one_line_error(run_cli(*command, "--data", folder))
    assert not (small_folder / "run").exists()


def test_a_damaged_gzip(run_cli, tmp_path):
    folder = write_idx_folder(tmp_path / "zipped", small_arrays(), gzipped=True)
    damaged(folder, "train-images-idx3-ubyte.gz", lambda content: content[:-100])
    process = run_cli("data", "fashion-mnist", "--data", folder)
    assert "train-images-idx3-ubyte.gz: damaged gzip file" in one_line_error(process)


@pytest.fixture
def full_data(monkeypatch):
    """The real Fashion-MNIST where this machine has it cached; fetching is not a test's business."""
    monkeypatch.setenv("GLUON_RESNET_HOME", str(REAL_HOME))
    if sources.load_local(fashion_mnist.FASHION_MNIST) is None:
        pytest.skip("Fashion-MNIST is not cached: gluon-resnet data fashion-mnist fetches it")


def test_the_full_data(full_data):
    (images, labels), (test_images, test_labels), _ = fashion_mnist.load_arrays()
    assert images.shape == (60_000, 28, 28) and test_images.shape == (10_000, 28, 28)
    assert (numpy.bincount(labels) == 6000).all() and (numpy.bincount(test_labels) == 1000).all()
    assert round(images.mean() / 255, 4) == 0.2860 and round(images.std() / 255, 4) == 0.3530  # the widely used ones
    assert labels[0] == 9  # the first picture is an ankle boot


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(run_cli, small_folder):
    (small_folder / "train-images-idx3-ubyte").chmod(0)
    process = run_cli("data", "fashion-mnist", "--data", small_folder)
    assert "cannot be read: Permission denied" in one_line_error(process)
