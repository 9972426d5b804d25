"""Data sets from folders that the reader names: found, packed, unpacked, and what is missing said in one line."""

import hashlib
import tarfile
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

from gluon_resnet import d2l, d2lzh
from gluon_resnet.editions import datasets, images, notes
from gluon_resnet.errors import DataError

import mxnet as mx
import numpy
import pytest
from mxnet import gluon
from PIL import Image


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    notes.forget()
    monkeypatch.setattr(notes, "listeners", [])


@pytest.fixture
def hotdog(tmp_path, monkeypatch):
    """A folder as the fine-tuning chapter expects it, with one picture in each class and part."""
    folder = tmp_path / "dogs"
    for part in ("train", "test"):
        for label in ("hotdog", "not-hotdog"):
            path = folder / part / label / "1.png"
            path.parent.mkdir(parents=True)
            Image.new("RGB", (8, 6), (200, 100, 50)).save(path)
    monkeypatch.setenv("GLUON_RESNET_DATA_HOTDOG", str(folder))
    return folder


def test_the_readers_folder_is_used_as_it_is(hotdog):
    assert d2l.download_extract("hotdog") == str(hotdog)


def test_an_archive_that_a_chapter_unpacks_itself_is_packed(hotdog, tmp_path):
    path = d2l.download("http://d2l-data.s3-accelerate.amazonaws.com/hotdog.zip", str(tmp_path))
    with zipfile.ZipFile(path) as package:
        assert sorted(package.namelist()) == [
            f"hotdog/{part}/{label}/1.png" for part in ("test", "train") for label in ("hotdog", "not-hotdog")
        ]
        assert package.read("hotdog/train/hotdog/1.png") == (hotdog / "train/hotdog/1.png").read_bytes()


def test_what_is_missing_is_said(hotdog, monkeypatch):
    (hotdog / "test" / "hotdog" / "1.png").unlink()
    with pytest.raises(
        DataError, match=r"no test/hotdog/\*.png in this folder; expected train/hotdog/\*.png, .*hotdog.zip"
    ):
        d2l.download_extract("hotdog")
    monkeypatch.setenv("GLUON_RESNET_DATA_HOTDOG", "/nowhere/at/all")
    with pytest.raises(DataError, match="GLUON_RESNET_DATA_HOTDOG=/nowhere/at/all: no such folder"):
        d2l.download_extract("hotdog")


def test_without_a_folder_and_a_host_one_line_says_what_to_name(tmp_path, monkeypatch):
    monkeypatch.setitem(d2l.DATA_HUB, "banana-detection", ("http://127.0.0.1:9/banana-detection.zip", "0" * 40))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as error:
        d2l.download_extract("banana-detection")
    assert "127.0.0.1:9 cannot be reached" in str(error.value) and "\n" not in str(error.value)
    assert "bananas_train/label.csv" in str(error.value) and "GLUON_RESNET_DATA_BANANA_DETECTION" in str(error.value)
    with pytest.raises(DataError, match="has no 'hotdogs': did you mean hotdog?"):
        d2l.download("hotdogs")


@pytest.fixture
def server(tmp_path):
    """A host with the files of the folder it gives."""
    folder = tmp_path / "host"
    folder.mkdir()
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    handler.log_message = lambda *args: None
    host = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=host.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{host.server_port}", folder
    host.shutdown()
    thread.join()
    host.server_close()


def test_a_host_that_is_there_is_asked_once_and_its_file_checked(server, tmp_path, monkeypatch):
    address, folder = server
    with tarfile.open(folder / "made.tar.gz", "w:gz") as package:
        (tmp_path / "note.txt").write_text("a note")
        package.add(tmp_path / "note.txt", "made/note.txt")
    sha1 = hashlib.sha1((folder / "made.tar.gz").read_bytes()).hexdigest()
    work = tmp_path / "book" / "chapter"
    work.mkdir(parents=True)
    monkeypatch.chdir(work)
    monkeypatch.setitem(d2l.DATA_HUB, "made", (f"{address}/made.tar.gz", sha1))
    assert (work / d2l.download_extract("made") / "note.txt").read_text() == "a note"
    (folder / "made.tar.gz").write_bytes(b"something else")
    assert d2l.download("made") == "../data/made.tar.gz"  # kept, not asked for again
    with pytest.raises(DataError, match="another file than the book's"):
        datasets.downloaded(f"{address}/made.tar.gz", str(tmp_path / "new"), sha1)
    assert list((tmp_path / "new").iterdir()) == []


def test_cifar10_has_the_pixels_of_its_files(tmp_path, monkeypatch):
    random = numpy.random.RandomState(0)
    content = random.randint(0, 256, (6, 3073)).astype(numpy.uint8)
    for row, name in zip(content, datasets.by_name("CIFAR10").files):
        (tmp_path / name).write_bytes(row.tobytes())
    monkeypatch.setenv("GLUON_RESNET_DATA_CIFAR10", str(tmp_path))
    X, y = images.cifar10_arrays(train=True)
    assert X.shape == (5, 32, 32, 3) and y.tolist() == content[:5, 0].tolist()
    assert X[3, 2, 7].tolist() == [content[3, 1 + plane * 1024 + 2 * 32 + 7] for plane in range(3)]
    # mxnet's own reader of these files, as a second opinion
    own, labels = gluon.data.vision.CIFAR10._read_batch(gluon.data.vision.CIFAR10, str(tmp_path / "test_batch.bin"))
    ours, our_labels = images.cifar10_arrays(train=False)
    assert (ours == own).all() and our_labels.tolist() == labels.tolist()


def test_voc_is_read_and_cropped(tmp_path, monkeypatch):
    for name in ("ImageSets/Segmentation", "JPEGImages", "SegmentationClass"):
        (tmp_path / name).mkdir(parents=True)
    for part in ("train", "val"):
        (tmp_path / "ImageSets" / "Segmentation" / f"{part}.txt").write_text("one\n")
    Image.new("RGB", (20, 10), (9, 9, 9)).save(tmp_path / "JPEGImages" / "one.jpg")
    label = numpy.zeros((10, 20, 3), numpy.uint8)
    label[:, 10:] = (128, 0, 0)  # aeroplane, the first class after the background
    Image.fromarray(label).save(tmp_path / "SegmentationClass" / "one.png")
    monkeypatch.setenv("GLUON_RESNET_DATA_VOC2012", str(tmp_path))
    table = mx.nd.zeros(256**3)
    table[128 * 256 * 256] = 1
    data = d2lzh.VOCSegDataset(True, (10, 20), d2lzh.download_voc_pascal(), table)
    X, y = data[0]
    assert X.shape == (3, 10, 20) and y[:, :10].sum() == 0 and (y[:, 10:] == 1).sum() == 100
    whole = data.normalize_image(mx.nd.full((4, 5, 3), 9, dtype="uint8"))  # as fcn.md calls it
    assert (whole.transpose((2, 0, 1)) == X[:, :4, :5]).min() == 1
    assert [one.shape for one in data.filter([whole, mx.nd.ones((10, 21, 3))])] == [(10, 21, 3)]
    numpy.testing.assert_allclose(
        X[:, 0, 0].asnumpy(), (9 / 255 - numpy.array(d2lzh.MEAN)) / d2lzh.DEVIATION, rtol=1e-4
    )


def test_a_file_under_the_name_that_its_own_site_gives_it(tmp_path, monkeypatch):
    for name in ("train.csv", "test.csv"):  # as Kaggle has them
        (tmp_path / name).write_text(name)
    monkeypatch.setenv("GLUON_RESNET_DATA_HOUSE_PRICES", str(tmp_path))
    for part in ("train", "test"):
        path = datasets.downloaded(f"http://host/kaggle_house_pred_{part}.csv", str(tmp_path / "cache"))
        assert path == str(tmp_path / f"{part}.csv")


def test_the_first_editions_archives_are_packed_of_the_same_folder(tmp_path, monkeypatch):
    for name in ("trainLabels.csv", "train/1.png", "train/2.png", "test/1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    monkeypatch.setenv("GLUON_RESNET_DATA_CIFAR10_TINY", str(tmp_path))
    packed = {}
    for name in ("train_tiny.zip", "test_tiny.zip", "trainLabels.csv.zip", "kaggle_cifar10_tiny.zip"):
        with zipfile.ZipFile(datasets.downloaded(f"../data/kaggle_cifar10/{name}", str(tmp_path / "cache"))) as opened:
            packed[name] = opened.namelist()
    inside = "kaggle_cifar10_tiny"
    assert packed == {
        "train_tiny.zip": ["train/1.png", "train/2.png"],
        "test_tiny.zip": ["test/1.png"],
        "trainLabels.csv.zip": ["trainLabels.csv"],
        "kaggle_cifar10_tiny.zip": [
            f"{inside}/{name}" for name in ("test/1.png", "train/1.png", "train/2.png", "trainLabels.csv")
        ],
    }
