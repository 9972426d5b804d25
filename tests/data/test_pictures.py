"""Batches of pictures against mxnet's own transforms and plain arithmetic; the cache, on disk too; data show."""

import errno
import json
import os
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from gluon_resnet.commands.pictures import data_show
from gluon_resnet.data import images, slots
from gluon_resnet.data.augment import Augment
from gluon_resnet.data.decoded import DecodedPictures, Fit
from gluon_resnet.data.image_folder import load_data_image_folder, open_folder
from gluon_resnet.data.images import IMAGENET, PREPARATIONS, read_image, resize
from gluon_resnet.data.pictures import PictureBatches
from gluon_resnet.data.scan import scan
from gluon_resnet.data.sources import home
from gluon_resnet.errors import ConfigError, DataError

import mxnet as mx
import numpy
import pytest
from click.testing import CliRunner
from PIL import Image

from tests.data.test_image_folder import bird_folder, save_picture

AUGMENT = Augment(crop=(0.3, 1.0), brightness=0.3, saturation=0.3)


class Numbered:
    """A source by hand, as a record file would be one: picture i is all of the grey level i."""

    class_names, where = ["even", "odd"], "numbers"

    def __init__(self, number, size=(20, 30)):
        self.indices, self.size, self.reads = list(range(number)), size, []
        self.labels = numpy.arange(number, dtype=numpy.int32) % 2
        self.names = [str(i) for i in self.indices]

    def __len__(self):
        return len(self.indices)

    def read(self, i):
        self.reads.append(int(i))
        return numpy.full((*self.size, 3), i, numpy.uint8)


def levels(batches):
    """Grey levels of all pictures of one pass, rounded back to whole numbers."""
    return [int(round(float(value) * 255)) for X, _ in batches for value in X.asnumpy()[:, 0, 0, 0]]


def one_pass(batches, seed=0):
    """(X, y) of a whole pass from ``seed`` as NumPy arrays."""
    numpy.random.seed(seed)
    Xs, ys = zip(*((X.asnumpy(), y.asnumpy()) for X, y in batches))
    return numpy.concatenate(Xs), numpy.concatenate(ys)


@pytest.fixture
def folder(tmp_path):
    return bird_folder(tmp_path / "birds")


def test_values_are_those_of_mxnets_to_tensor(folder):
    source = open_folder(folder)
    X, y = next(iter(PictureBatches(source, 20, (20, 24))))
    to_tensor = mx.gluon.data.vision.transforms.ToTensor()
    expected = [to_tensor(mx.nd.array(source.read(i), dtype="uint8")).asnumpy() for i in range(20)]
    assert X.shape == (20, 3, 20, 24) and X.dtype == numpy.float32
    assert abs(X.asnumpy() - numpy.stack(expected)).max() < 1e-6
    assert y.dtype == numpy.int32 and y.asnumpy().tolist() == source.labels.tolist()


def test_enlarging_is_bilinear_without_cropping(folder):
    source = open_folder(folder)
    X, _ = next(iter(PictureBatches(source, 1, (50, 40))))
    expected = mx.image.imresize(mx.nd.array(source.read(0), dtype="uint8"), 40, 50).asnumpy().transpose(2, 0, 1)
    assert abs(X.asnumpy()[0] * 255 - expected).max() <= 1 + 1e-3


def test_a_preparation_gives_its_familys_values():
    source = Numbered(100)
    for family in ("torchvision", "keras"):
        row = PREPARATIONS[family]
        X, _ = PictureBatches(source, 1, 8, preparation=row).batch([90])
        assert X[0, :, 3, 3] == pytest.approx([(90 * row.scale - m) / s for m, s in zip(row.mean, row.std)], rel=1e-5)


@pytest.mark.parametrize("preparation", [None, IMAGENET])
def test_crop_takes_the_middle_of_the_picture_resized_by_its_shorter_side(tmp_path, preparation):
    ramp = numpy.broadcast_to(numpy.arange(512)[None, :, None] // 2, (300, 512, 3)).astype(numpy.uint8)
    (tmp_path / "a").mkdir()
    Image.fromarray(ramp).save(tmp_path / "a" / "1.png")
    preparation = preparation and replace(preparation, mean=(0.0,), std=(1.0,))
    X, _ = PictureBatches(open_folder(tmp_path), 1, 112, crop=True, preparation=preparation).batch([0])
    # the shorter side goes from 300 to 128, the longer one from 512 to 218; 112 of those, from (218 - 112) // 2 = 53 on
    expected = (numpy.arange(112) + 53 + 0.5) * 512 / 218 / 2
    assert X.shape == (1, 3, 112, 112) and abs(X[0, 0, 50] * 255 - expected).max() < 1.5
    squeezed, _ = PictureBatches(open_folder(tmp_path), 1, 112).batch([0])
    assert abs(squeezed[0, 0, 50] * 255 - (numpy.arange(112) + 0.5) * 512 / 112 / 2).max() < 2.5


def test_every_pass_shows_each_picture_once_in_an_order_that_the_seed_decides():
    batches = PictureBatches(Numbered(50), 16, 8, shuffle=True)
    numpy.random.seed(3)
    first, second = levels(batches), levels(batches)
    assert sorted(first) == sorted(second) == list(range(50)) and first != second != list(range(50))
    numpy.random.seed(3)
    assert [levels(batches), levels(batches)] == [first, second]
    assert first == [int(i) for i in numpy.random.RandomState(3).permutation(50)]
    assert levels(PictureBatches(Numbered(50), 16, 8)) == list(range(50))


def test_pictures_stay_with_their_labels_and_the_last_batch_holds_what_is_left():
    batches = PictureBatches(Numbered(50), 16, 8, shuffle=True)
    assert [len(y) for _, y in batches] == [16, 16, 16, 2] and len(batches) == 4 and batches.num_examples == 50
    for X, y in batches:
        assert (numpy.round(X.asnumpy()[:, 1, 2, 3] * 255) % 2 == y.asnumpy()).all()


@pytest.mark.parametrize("augment", [None, AUGMENT, Augment(crop=None, flip=0.5)])
def test_threads_cache_and_disk_change_nothing(folder, augment):
    source = open_folder(folder)
    X, y = one_pass(PictureBatches(source, 6, 32, augment, shuffle=True, workers=1))
    for options in (
        dict(workers=5),
        dict(cache=False),
        dict(cache_bytes=0),
        dict(cache_bytes=0, workers=3),
        dict(cache_bytes=8 * 37 * 37 * 3, workers=3),
    ):
        again, labels = one_pass(PictureBatches(source, 6, 32, augment, shuffle=True, **options))
        assert (again == X).all() and (labels == y).all(), options
    other, _ = one_pass(PictureBatches(source, 6, 32, augment, shuffle=True), seed=1)
    assert (other != X).any()


def test_what_the_caller_draws_between_batches_changes_nothing(folder):
    batches = PictureBatches(open_folder(folder), 1, 32, AUGMENT, shuffle=True)
    expected, _ = one_pass(batches)
    numpy.random.seed(0)
    for i, (X, _) in enumerate(batches):
        assert (X.asnumpy()[0] == expected[i]).all()
        numpy.random.seed(99)


def test_augmented_pictures_change_from_pass_to_pass_and_plain_ones_do_not(folder):
    source = open_folder(folder)
    numpy.random.seed(0)
    for augment, differs in ((AUGMENT, True), (None, False)):
        batches = PictureBatches(source, 20, 32, augment)
        first, second = (next(iter(batches))[0].asnumpy() for _ in range(2))
        assert first.shape == (20, 3, 32, 32) and (first != second).any() == differs


def test_crops_are_cut_out_of_a_larger_cached_picture(folder):
    assert PictureBatches(open_folder(folder), 4, 224, AUGMENT).picture(0).shape == (256, 256, 3)
    assert PictureBatches(open_folder(folder), 4, 224, Augment(crop=None)).picture(0).shape == (224, 224, 3)


def test_loading_augments_training_only_and_shares_the_memory(folder):
    memory = 20 * 16 * 16 * 3
    train_iter, val_iter = load_data_image_folder(folder, 4, 16, 0.25, augment=AUGMENT, cache_bytes=memory)
    assert train_iter.augment is AUGMENT and val_iter.augment is None
    # the training part is kept larger than its images are in the end
    assert train_iter.decoded.disk_bytes and not val_iter.decoded.disk_bytes
    assert train_iter.decoded.in_memory == memory * 15 // 20 // (18 * 18 * 3) < 15
    assert train_iter.report is val_iter.report and len(train_iter.report.usable) == 20


def test_each_picture_is_decoded_once():
    source = Numbered(30)
    batches = PictureBatches(source, 7, 8, shuffle=True, workers=3)
    for _ in range(3):
        list(batches)
    assert sorted(source.reads) == list(range(30))
    uncached = PictureBatches(source, 7, 8, cache=False)
    list(uncached), list(uncached)
    assert len(source.reads) == 90


class Numpys:
    """A source by hand: ``images`` as they are."""

    class_names, where = ["all"], "arrays"

    def __init__(self, images):
        self.images, self.labels = images, numpy.zeros(len(images), numpy.int32)

    def __len__(self):
        return len(self.images)

    def read(self, i):
        return self.images[i]


def spilled(source, size=(10, 12), in_memory=0):
    """All images of ``source`` kept at ``size``, of which ``in_memory`` and a bit fit into memory."""
    nbytes = size[0] * size[1] * 3
    decoded = DecodedPictures(source, Fit(size), in_memory * nbytes + nbytes - 1)
    for i in range(len(source)):
        decoded.keep(i, source.read(i))
    assert decoded.kept.all()
    return decoded


def deleted_files(below):
    """Open files without a name that this process has in the folder ``below``."""
    links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return [link for link in links if str(below) in os.readlink(link) and os.readlink(link).endswith("(deleted)")]


def test_what_does_not_fit_into_memory_lies_in_a_file_that_has_no_name(folder):
    source = open_folder(folder)
    decoded = spilled(source, in_memory=5)
    assert decoded.in_memory == 5 and len(decoded) == 20
    expected = [resize(source.read(i), 10, 12) for i in range(20)]
    source.read = None  # nothing is decoded again
    assert all((decoded.read(i) == expected[i]).all() for i in (3, 5, 19))
    part = decoded.subset([7, 2]).subset([1, 0])
    assert len(part) == 2 and (part.read(1) == expected[7]).all() and part.source.names[1] == source.names[7]
    [file] = deleted_files(home())
    assert list((home() / "pictures").iterdir()) == []
    # its room was reserved, and a plain look at the file finds the pixels of image 5 + k at k times their size
    assert os.stat(file).st_size == decoded.disk_bytes == 15 * 10 * 12 * 3
    pixels = numpy.fromfile(file, numpy.uint8).reshape(15, 10, 12, 3)
    assert (pixels == numpy.stack(expected[5:])).all()
    del decoded, part
    assert deleted_files(home()) == []


def test_many_threads_read_and_write_the_disk_at_once():
    noise = numpy.random.RandomState(0).randint(256, size=(40, 10, 12, 3), dtype=numpy.uint8)
    decoded = DecodedPictures(Numpys(noise), Fit((10, 12)), memory=0)
    order = numpy.random.RandomState(1).randint(40, size=2000).tolist()
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(decoded.read, order))
    assert (numpy.stack(results) == noise[order]).all()


def test_the_system_may_write_less_than_it_is_given(monkeypatch):
    noise, pwrite = numpy.random.RandomState(0).randint(256, size=(3, 10, 12, 3), dtype=numpy.uint8), os.pwrite
    monkeypatch.setattr(slots.os, "pwrite", lambda fd, content, offset: pwrite(fd, content[:100], offset))
    decoded = spilled(Numpys(noise))
    assert all((decoded.read(i) == noise[i]).all() for i in range(3))


@pytest.mark.parametrize(
    "end, status",
    [
        ("raise ValueError", 1),
        ("os.kill(os.getpid(), signal.SIGINT); time.sleep(9)", -2),
        ("os.kill(os.getpid(), signal.SIGKILL)", -9),
        ("pass", 0),
    ],
)
def test_nothing_stays_on_the_disk_however_the_process_ends(folder, end, status):
    script = (
        f"import os, signal, time, gluon_resnet as gr\nfrom pathlib import Path\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # ignored under nohup
        f"train, val = gr.load_data_image_folder({str(folder)!r}, 4, 16, cache_bytes=0)\n"
        f"assert train.decoded.disk_bytes > 0\nprint('spilled', flush=True)\n{end}\n"
    )
    done = subprocess.run([sys.executable, "-c", script], text=True, capture_output=True)
    assert done.stdout == "spilled\n" and done.returncode == status, done.stderr
    assert list((home() / "pictures").iterdir()) == []


def test_a_full_disk_is_one_line_with_what_to_do(folder, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(slots.os, "posix_fallocate", full)
    with pytest.raises(DataError, match=r"cannot be kept there \(No space left on device\); make room") as refusal:
        PictureBatches(open_folder(folder), 4, 16, cache_bytes=0)
    assert str(home() / "pictures") in str(refusal.value) and "cache=False" in str(refusal.value)
    assert list((home() / "pictures").iterdir()) == []
    PictureBatches(open_folder(folder), 4, 16, cache_bytes=0, cache=False)


def test_a_disk_that_fills_up_meanwhile_is_one_line_too(folder, monkeypatch):
    batches = PictureBatches(open_folder(folder), 4, 16, cache_bytes=0)

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left")

    monkeypatch.setattr(slots.os, "pwrite", full)
    with pytest.raises(DataError, match=r"cannot be kept there \(No space left\); make room"):
        list(batches)
    with pytest.raises(DataError, match=r"cannot be kept there \(No space left\); make room"):
        load_data_image_folder(folder, 4, 16, cache_bytes=0)


@pytest.fixture
def decoded(monkeypatch):
    """Names of the files that are decoded from here on, one for each time."""
    names, decode = [], images._decode

    def counted(file, name, *notes):
        names.append(Path(name).name)
        return decode(file, name, *notes)

    monkeypatch.setattr(images, "_decode", counted)
    return names


@pytest.mark.parametrize("cache_bytes", [None, 0, 4 * 18 * 18 * 3])
def test_what_the_scan_has_decoded_is_not_decoded_again(folder, decoded, cache_bytes):
    (folder / "grebe" / "bad.png").write_bytes((folder / "grebe" / "03.png").read_bytes()[:-40])
    found = load_data_image_folder(folder, 4, 16, 0.25, augment=AUGMENT, cache_bytes=cache_bytes, say=lambda line: None)
    passes = [one_pass(part) for part in found * 2]
    assert sorted(decoded) == sorted([f"{i:02d}.png" for i in range(10)] * 2 + ["bad.png"])
    plain = load_data_image_folder(folder, 4, 16, 0.25, augment=AUGMENT, cache=False, say=lambda line: None)
    for (X, y), part in zip(passes, plain * 2):
        again, labels = one_pass(part)
        assert (again == X).all() and (y == labels).all()
    report = scan(open_folder(folder))
    assert found[0].report.problems == report.problems and found[0].report.pictures.equals(report.pictures)


def test_a_picture_damaged_since_the_scan_is_named(folder):
    batches = PictureBatches(open_folder(folder), 4, 16)
    (folder / "grebe" / "07.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="grebe/07.png"):
        list(batches)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("batches", "pictures"))]


def test_leaving_early_ends_the_threads(folder):
    for _ in PictureBatches(open_folder(folder), 1, 16):
        break
    import gc

    gc.collect()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("batches", "pictures"))]


def test_array_types(both_modes):
    X, y = next(iter(PictureBatches(Numbered(8), 4, 8)))
    kind = mx.np.ndarray if both_modes == "numpy arrays" else mx.nd.NDArray
    assert type(X) is kind and type(y) is kind


@pytest.mark.parametrize(
    "kwargs, words",
    [
        (dict(batch_size=0), "batch_size is 0"),
        (dict(batch_size=True), "True"),
        (dict(image_size=0), "image_size is 0"),
        (dict(image_size=(1, 2, 3)), "image_size"),
        (dict(image_size="224"), "224"),
        (dict(workers=0), "workers"),
        (dict(image_size=(8, 9), crop=True), "a square"),
        (dict(source=Numbered(0)), "no pictures"),
        (dict(cache_bytes=-1), "cache_bytes"),
    ],
)
def test_impossible_batches(kwargs, words):
    with pytest.raises(ConfigError, match=words):
        PictureBatches(**{"source": Numbered(3), "batch_size": 2, "image_size": 8, **kwargs})


def test_threads_that_read_at_once_leave_pillow_as_it_was(folder):
    from concurrent.futures import ThreadPoolExecutor

    from PIL import ImageFile

    whole = save_picture(folder / "grebe" / "large.png", 5, (300, 300))
    cut = folder / "grebe" / "cut.png"
    cut.write_bytes(whole.read_bytes()[:-300])
    ImageFile.LOAD_TRUNCATED_IMAGES = True  # as gluoncv does
    try:
        with ThreadPoolExecutor(8) as pool:
            for found in [pool.submit(read_image, path) for path in [whole, cut] * 40]:
                assert found.exception() is None or "cut.png" in str(found.exception())
            refused = sum(isinstance(pool.submit(read_image, cut).exception(), DataError) for _ in range(20))
        assert refused == 20 and ImageFile.LOAD_TRUNCATED_IMAGES is True
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False


def show(*args):
    """What ``data show`` prints; the exception itself where there is one."""
    result = CliRunner().invoke(data_show, [str(arg) for arg in args], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_data_show_says_what_is_in_the_folder(folder, tmp_path):
    (folder / "grebe" / "bad.png").write_bytes(b"")
    text = show(folder, "--split", "0.25", "--seed", 7, "--size", 32, "--save", tmp_path / "grid.png")
    assert re.search(r"grebe +11 +\d+ +\d+ +1\n", text) and re.search(r"total +21 +\d+ +\d+ +1\n", text)
    assert "21 pictures" in text and "sizes: 24x20 (20); width 24 to 24, median 24; height 20 to 20" in text
    assert "X (8, 3, 32, 32) float32" in text and "y (8,) int32" in text and "article 000 prints (8, 32, 32, 3)" in text
    assert "left out, empty file: 1" in text and "grebe/bad.png: expected a picture, found 0 bytes" in text
    with Image.open(tmp_path / "grid.png") as image:
        assert image.format == "PNG" and image.size[0] > image.size[1] > 300


def test_data_show_in_json(folder):
    found = json.loads(show(folder, "--format", "json", "--size", 16, "--batch-size", 3))
    assert (found["pictures"], found["training"], found["validation"]) == (20, 16, 4)
    assert [row["class"] for row in found["classes"]] == ["cockatoo", "grebe"]
    for row in found["classes"]:
        assert row["pictures"] == row["training"] + row["validation"] == 10 and row["left_out"] == 0
    assert found["batch"]["X"] == [3, 3, 16, 16] and found["formats"] == {"PNG RGB": 20}
    assert found["report"]["problems"] == []


def test_data_show_takes_a_csv_and_stops_when_strict(folder, tmp_path):
    lines = [f"{name}/{i:02d}.png,{name}\n" for name in ("grebe", "cockatoo") for i in range(10)]
    (folder / "photos.csv").write_text("path,label\n" + "".join(lines) + "grebe/none.png,grebe\n")
    assert "21 pictures" in show(folder / "photos.csv", "--size", 16)
    with pytest.raises(DataError, match="missing file: grebe/none.png"):
        show(folder / "photos.csv", "--size", 16, "--strict")
