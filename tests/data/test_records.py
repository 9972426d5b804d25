"""Record files: read back by MXNet's own two readers, compared with their folder, interrupted and refused."""

import io
import json
import os
import resource
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gluon_resnet.commands.records import records as command
from gluon_resnet.data import record_files
from gluon_resnet.data.augment import Augment
from gluon_resnet.data.image_folder import open_folder, open_parts
from gluon_resnet.data.images import read_image
from gluon_resnet.data.pictures import PictureBatches
from gluon_resnet.data.record_files import Settings, in_order, pack
from gluon_resnet.data.recordio import MAGIC_BYTES, RecordFile
from gluon_resnet.data.records import RecordSource
from gluon_resnet.errors import ConfigError, DataError

import mxnet as mx
import numpy
import pytest
from click.testing import CliRunner
from mxnet import recordio
from mxnet.gluon.data.vision import ImageRecordDataset
from PIL import Image

from tests.conftest import ROOT

CLASSES = ("ash", "beech", "elm")


def picture(seed, height=48, width=64):
    """Soft blotches, uint8 (height, width, 3); every seed its own."""
    few = numpy.random.RandomState(seed).randint(0, 255, (6, 8, 3), dtype=numpy.uint8)
    return numpy.asarray(Image.fromarray(few).resize((width, height), Image.BICUBIC))


def write_pictures(folder, each=6, suffix=".jpg", **options):
    """``each`` pictures of every class in ``folder``."""
    for label, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for number in range(each):
            Image.fromarray(picture(100 * label + number)).save(folder / name / f"{number:04d}{suffix}", **options)
    return folder


@pytest.fixture
def photos(tmp_path):
    """18 small JPEGs in three classes."""
    return write_pictures(tmp_path / "photos", quality=90)


def left_in(folder):
    return sorted(path.name for path in folder.iterdir())


def invoke(*words):
    return CliRunner(mix_stderr=False).invoke(command, [str(word) for word in words])


def test_mxnets_readers_see_the_same_pictures_and_labels(tmp_path):
    folder = write_pictures(tmp_path / "photos", suffix=".png")
    pack(folder, tmp_path / "out", Settings(lossless=True))
    source = RecordSource(tmp_path / "out.rec")
    expected = [picture(100 * label + number) for label in range(3) for number in range(6)]
    labels = [label for label in range(3) for _ in range(6)]
    assert source.labels.tolist() == labels and source.labels.dtype == numpy.int32
    assert all((source.read(i) == image).all() for i, image in enumerate(expected))
    dataset = ImageRecordDataset(str(tmp_path / "out.rec"))
    assert len(dataset) == 18
    for (X, y), image, label in zip((dataset[i] for i in range(18)), expected, labels):
        assert (X.asnumpy() == image).all() and y == label
    batches = mx.io.ImageRecordIter(
        path_imgrec=str(tmp_path / "out.rec"),
        path_imgidx=str(tmp_path / "out.idx"),
        batch_size=6,
        data_shape=(3, 48, 64),
        preprocess_threads=1,
    )
    found = [(X, y) for batch in batches for X, y in zip(batch.data[0].asnumpy(), batch.label[0].asnumpy())]
    assert [y for _, y in found] == labels
    assert all((image.transpose(2, 0, 1) == X).all() for (X, _), image in zip(found, expected))


def test_pixels_of_jpegs_agree_between_the_readers(photos, tmp_path):
    pack(photos, tmp_path / "out")
    source, dataset = RecordSource(tmp_path / "out.rec"), ImageRecordDataset(str(tmp_path / "out.rec"))
    for i in range(len(source)):
        assert abs(source.read(i).astype(int) - dataset[i][0].asnumpy()).max() <= 2


@pytest.mark.parametrize("shuffle, augment", [(False, None), (True, None), (True, Augment())])
def test_folder_and_record_file_give_the_same_batches_for_one_seed(photos, tmp_path, shuffle, augment):
    pack(photos, tmp_path / "out", Settings(split=0.25, seed=7))
    pair = dict(zip(("train", "val"), open_parts(photos, 0.25, 7)))
    for part, folder_source in pair.items():
        passes = []
        for source in (folder_source, RecordSource(tmp_path / f"out_{part}.rec")):
            batches = PictureBatches(source, 4, 32, augment=augment, shuffle=shuffle)
            numpy.random.seed(11)
            passes.append([(X.asnumpy(), y.asnumpy()) for _ in range(2) for X, y in batches])
        assert len(passes[0]) == len(passes[1]) == 2 * -(-len(folder_source) // 4)
        for (X, y), (other_X, other_y) in zip(*passes):
            assert (other_X == X).all() and (y == other_y).all()
        if shuffle and part == "train":
            assert (passes[0][0][0] != passes[0][len(passes[0]) // 2][0]).any()


def test_names_labels_and_order_are_the_folders(photos, tmp_path):
    folder = open_folder(photos)
    pack(photos, tmp_path / "out")
    source = RecordSource(tmp_path / "out.rec")
    assert source.names == folder.names and source.class_names == folder.class_names == list(CLASSES)
    part = source.subset([17, 0, 5])
    assert part.names == [folder.names[i] for i in (17, 0, 5)] and part.labels.tolist() == [2, 0, 0] and len(part) == 3
    assert (part.read(0) == read_image(photos / folder.names[17])).all() and part.where == str(tmp_path / "out.rec")


def test_small_plain_jpegs_are_stored_byte_for_byte(photos, tmp_path):
    Image.open(photos / "ash" / "0000.jpg").convert("L").save(photos / "ash" / "grey.jpg")
    done = pack(photos, tmp_path / "out", Settings(size=48))
    source = RecordSource(tmp_path / "out.rec")
    assert done.kept == len(source) == 19
    assert all(source.stored(i) == (photos / name).read_bytes() for i, name in enumerate(source.names))


def test_larger_pictures_are_shrunk_by_areas_to_the_shorter_side(photos, tmp_path):
    for path in photos.glob("*/*.jpg"):
        path.unlink()
    image = picture(1)
    Image.fromarray(image).save(photos / "ash" / "wide.png")
    Image.fromarray(image.transpose(1, 0, 2)).save(photos / "elm" / "high.png")
    pack(photos, tmp_path / "out", Settings(size=24, lossless=True))
    source = RecordSource(tmp_path / "out.rec")
    areas = image.reshape(24, 2, 32, 2, 3).mean((1, 3))
    assert source.read(0).shape == (24, 32, 3) and abs(source.read(0) - areas).max() <= 0.5 + 1e-9
    assert source.read(1).shape == (32, 24, 3) and abs(source.read(1) - areas.transpose(1, 0, 2)).max() <= 0.5 + 1e-9
    told = json.loads((tmp_path / "out.json").read_text())["parts"]["all"]["records"]
    assert [(one["height"], one["width"], one["kept"]) for one in told] == [(24, 32, False), (32, 24, False)]


@pytest.mark.parametrize("lossless", [False, True])
def test_every_other_kind_of_picture_is_encoded_so_that_all_readers_see_it(photos, tmp_path, lossless):
    base, exif = Image.fromarray(picture(5)), Image.Exif()
    exif[0x0112] = 6  # a quarter turn, which mx.io.ImageRecordIter sees and ImageRecordDataset does not
    sixteen = Image.fromarray(picture(9)[:, :, 0].astype(numpy.uint16) * 257)
    rgba = base.convert("RGBA")
    rgba.putalpha(128)
    kinds = {
        "turned.jpg": (base, {"exif": exif}),
        "cmyk.jpg": (base.convert("CMYK"), {}),
        "16.png": (sixteen, {}),
        "alpha.png": (rgba, {}),
        "palette.gif": (base.quantize(200, dither=Image.Dither.NONE), {}),
        "plain.bmp": (base, {}),
        "web.webp": (base, {}),
    }
    for name, (image, options) in kinds.items():
        image.save(photos / "ash" / name, **options)
    pack(photos, tmp_path / "out", Settings(lossless=lossless, quality=100), webp=True)
    source, dataset = RecordSource(tmp_path / "out.rec"), ImageRecordDataset(str(tmp_path / "out.rec"))
    seen, most = 0, 0 if lossless else 8  # steps of colour lose 6 as JPEG; a picture turned would be far beyond
    for i, name in enumerate(source.names):
        if name.split("/")[1] in kinds:
            seen += 1
            assert source.stored(i).startswith(b"\x89PNG" if lossless else b"\xff\xd8")
            expected = read_image(photos / name).astype(int)
            for found in (source.read(i), dataset[i][0].asnumpy()):
                assert found.shape == expected.shape and abs(found - expected).mean() <= most, name
    assert seen == 7


def test_the_number_of_threads_changes_no_byte(photos, tmp_path):
    for jobs in (1, 5):
        (tmp_path / f"j{jobs}").mkdir()
        pack(photos, tmp_path / f"j{jobs}" / "out", Settings(split=0.3, size=40), jobs=jobs)
    names = left_in(tmp_path / "j1")
    assert names == ["out.json", "out_train.idx", "out_train.rec", "out_val.idx", "out_val.rec"]
    assert names == left_in(tmp_path / "j5")
    assert all((tmp_path / "j1" / name).read_bytes() == (tmp_path / "j5" / name).read_bytes() for name in names)


def test_results_come_in_order_whichever_thread_is_first():
    def late(number):
        time.sleep(0.02 * (number % 3 == 0))
        return number

    assert list(in_order(late, range(20), 4)) == list(range(20))


def test_a_bad_picture_is_reported_and_left_out_or_stops_the_packing(photos, tmp_path):
    whole = (photos / "elm" / "0003.jpg").read_bytes()
    (photos / "elm" / "0003.jpg").write_bytes(whole[: len(whole) // 2])
    refused = invoke("pack", photos, tmp_path / "out", "--strict")
    assert isinstance(refused.exception, DataError) and "elm/0003.jpg" in str(refused.exception)
    assert left_in(tmp_path) == ["photos"]
    done = invoke("pack", photos, tmp_path / "out", "--split", "0.25", "--seed", "3")
    assert done.exit_code == 0, done.exception
    assert "left out: elm/0003.jpg: damaged" in done.stderr and len(done.stderr.splitlines()) == 2
    assert [one["file"] for one in json.loads((tmp_path / "out.json").read_text())["left_out"]] == ["elm/0003.jpg"]
    train, val, _ = open_parts(photos, 0.25, 3)
    assert RecordSource(tmp_path / "out_train.rec").names == train.names
    assert RecordSource(tmp_path / "out_val.rec").names == val.names and len(train) + len(val) == 17


def test_a_folder_that_is_split_already_gives_its_two_parts(tmp_path):
    write_pictures(tmp_path / "photos" / "train", 3)
    write_pictures(tmp_path / "photos" / "val", 1)
    done = pack(tmp_path / "photos", tmp_path / "out.rec")
    assert [(path.name, count) for path, count, _ in done.files] == [("out_train.rec", 9), ("out_val.rec", 3)]
    assert RecordSource(tmp_path / "out_val.rec").names[0] == "val/ash/0000.jpg"


def test_what_is_there_is_kept_unless_overwritten(photos, tmp_path):
    out = tmp_path / "out"
    pack(photos, out)
    before = (tmp_path / "out.rec").read_bytes()
    with pytest.raises(DataError, match="out.rec: already there"):
        pack(photos, out, Settings(split=0.5))
    pack(photos, out, Settings(split=0.5), overwrite=True)
    assert left_in(tmp_path) == ["out.json", "out_train.idx", "out_train.rec", "out_val.idx", "out_val.rec", "photos"]
    pack(photos, out, overwrite=True)
    assert left_in(tmp_path) == ["out.idx", "out.json", "out.rec", "photos"]
    assert (tmp_path / "out.rec").read_bytes() == before


def test_an_interruption_leaves_nothing_new_and_what_was_there(photos, tmp_path, monkeypatch):
    pack(photos, tmp_path / "out")
    before = {name: (tmp_path / name).read_bytes() for name in ("out.rec", "out.idx", "out.json")}
    encode = record_files.encode
    for error in (KeyboardInterrupt, RuntimeError):

        def stop(path, settings, error=error):
            if path.name == "0004.jpg":
                raise error("enough")
            return encode(path, settings)

        monkeypatch.setattr(record_files, "encode", stop)
        with pytest.raises(error):
            pack(photos, tmp_path / "new")
        with pytest.raises(error):
            pack(photos, tmp_path / "out", Settings(split=0.5), overwrite=True)
    monkeypatch.setattr(record_files, "encode", encode)
    assert left_in(tmp_path) == ["out.idx", "out.json", "out.rec", "photos"]
    replace, moves = os.replace, []

    def stop_at_the_fifth(source, target):
        moves.append(target)
        if len(moves) == 5:  # three old files are aside, one new file is in its place
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(record_files.os, "replace", stop_at_the_fifth)
    with pytest.raises(KeyboardInterrupt):
        pack(photos, tmp_path / "out", Settings(size=8), overwrite=True)
    assert left_in(tmp_path) == ["out.idx", "out.json", "out.rec", "photos"]
    assert all((tmp_path / name).read_bytes() == content for name, content in before.items())


SLOW = """
import sys, time
import gluon_resnet
from gluon_resnet import cli
from gluon_resnet.commands.records import records
from gluon_resnet.data import record_files
encode = record_files.encode
def slow(path, settings):
    time.sleep(0.5)
    return encode(path, settings)
record_files.encode = slow
cli.cli.add_command(records)
cli.main(["records", "pack", sys.argv[1], sys.argv[2]])
"""


def test_ctrl_c_removes_what_was_begun(photos, tmp_path):
    # under nohup, say, Ctrl-C is ignored, and a process started there would inherit that
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, str(photos), str(tmp_path / "out")],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        until = time.monotonic() + 60
        while not list(tmp_path.glob(".out.*/out.rec")):
            assert time.monotonic() < until and process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130 and complaint.splitlines()[-1] == "stopped by Ctrl-C"
    assert left_in(tmp_path) == ["photos"]


@pytest.mark.parametrize("missing", ["the second half", "the last bytes"])
def test_a_full_disk_is_noticed_and_leaves_nothing(photos, tmp_path, missing):
    size = pack(photos, tmp_path / "out").files[0][2]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2 if missing == "the second half" else size - 4, hard))
    try:
        with pytest.raises(DataError, match="new: cannot be written"):
            pack(photos, tmp_path / "new")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert left_in(tmp_path) == ["out.idx", "out.json", "out.rec", "photos"]


def test_a_picture_longer_than_a_record_may_be_is_refused(photos, tmp_path, monkeypatch):
    longest = max(path.stat().st_size for path in photos.glob("*/*"))
    monkeypatch.setattr(record_files, "LONGEST", 24 + longest)
    pack(photos, tmp_path / "out")
    monkeypatch.setattr(record_files, "LONGEST", 24 + longest - 1)
    with pytest.raises(DataError, match=f"expected at most {longest - 1:,}, the most a record holds"):
        pack(photos, tmp_path / "new")


def test_places_and_settings_that_do_not_work(photos, tmp_path):
    with pytest.raises(DataError, match="cannot be written"):
        pack(photos, tmp_path / "nowhere" / "out")
    for wrong in ({"size": 0}, {"quality": 101}, {"split": 1.0}):
        with pytest.raises(ConfigError, match="expected"):
            Settings(**wrong)
    with pytest.raises(ConfigError, match="expected what to call the record file"):
        pack(photos, ".")
    with pytest.raises(ConfigError, match="holds 0 back"):
        pack(photos, tmp_path / "out", Settings(split=0.01))
    assert left_in(tmp_path) == ["photos"]


def test_records_that_hold_the_magic_number_are_read_as_mxnet_reads_them(tmp_path):
    random = numpy.random.RandomState(0)
    contents = [
        b"",
        b"x",
        MAGIC_BYTES,
        MAGIC_BYTES * 3,
        b"ab" + MAGIC_BYTES,
        b"abcd" + MAGIC_BYTES + b"e",
        b"1234" * 9 + MAGIC_BYTES * 2 + b"5",
        *(random.bytes(length) for length in (7, 4096, 70000)),
    ]
    writer = recordio.MXIndexedRecordIO(str(tmp_path / "a.idx"), str(tmp_path / "a.rec"), "w")
    offsets = []
    for number, content in enumerate(contents):
        offsets.append(writer.tell())
        writer.write_idx(number, content)
    writer.close()
    with RecordFile(tmp_path / "a.rec") as file:
        assert list(file.walk()) == list(zip(offsets, contents))
        starts = [offset for offset in (file.next_magic(place) for place in [-1] + offsets) if offset is not None]
    assert starts == offsets


@pytest.mark.parametrize("seed", range(6))
def test_records_with_the_magic_number_in_them_are_read_as_mxnet_wrote_them(tmp_path, seed):
    random, magic = numpy.random.RandomState(seed), b"\x0a\x23\xd7\xce"
    writer = recordio.MXRecordIO(str(tmp_path / "a.rec"), "w")
    contents = [b"", b"x", magic, magic * 3, b"x" + magic, b"xxxx" + magic + b"y", magic[:3]]
    contents += [b"".join([magic, b"a", b"bc", b"defg"][k] for k in random.randint(4, size=30)) for _ in range(40)]
    for content in contents:
        writer.write(content)
    writer.close()
    assert [content for _, content in RecordFile(tmp_path / "a.rec").walk()] == contents


def test_a_source_may_be_read_by_many_threads_at_once(photos, tmp_path):
    pack(photos, tmp_path / "out")
    source = RecordSource(tmp_path / "out.rec")
    expected = [source.read(i) for i in range(18)]
    indices = numpy.random.RandomState(0).randint(18, size=400).tolist()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(source.read, indices))
    assert all((image == expected[i]).all() for i, image in zip(indices, found))


def write_records(path, entries):
    """A record file as im2rec writes it: an index, no .json; ``entries`` are (label, bytes)."""
    writer = recordio.MXIndexedRecordIO(str(path.with_suffix(".idx")), str(path), "w")
    for number, (label, content) in enumerate(entries):
        writer.write_idx(number, recordio.pack(recordio.IRHeader(0, label, number, 0), content))
    writer.close()


def jpeg(seed=0):
    stream = io.BytesIO()
    Image.fromarray(picture(seed)).save(stream, "JPEG")
    return stream.getvalue()


def test_a_file_of_others_has_numbered_classes(tmp_path):
    write_records(tmp_path / "a.rec", [(2, jpeg(1)), (0, jpeg(2))])
    (tmp_path / "a.json").write_text('{"images": []}')  # somebody else's
    source = RecordSource(tmp_path / "a.rec")
    assert source.class_names == ["class 0", "class 1", "class 2"] and source.labels.tolist() == [2, 0]
    assert source.names == ["class 2/000000", "class 0/000001"] and source.read(1).shape == (48, 64, 3)


def test_files_that_do_not_fit_together_are_refused(photos, tmp_path):
    pack(photos, tmp_path / "out")
    whole = (tmp_path / "out.json").read_text()
    for wrong, match in (
        (whole.replace('"label": 2', '"label": 1'), "do not fit"),
        (whole[:300], "out.json: cannot be read"),
        (whole.replace('"version": 1', '"version": 9'), "version 9"),
        (whole.replace("parts", "p"), "part 'all'"),
        (whole.replace('"name": "ash/0000.jpg"', '"name": 3'), "part 'all'"),
    ):
        (tmp_path / "out.json").write_text(wrong)
        with pytest.raises(DataError, match=match):
            RecordSource(tmp_path / "out.rec")
    (tmp_path / "out.json").unlink()
    (tmp_path / "out.idx").write_text("0\t0\n1\t4\n")
    with pytest.raises(DataError, match="its index has a record at byte 4: expected none before byte"):
        RecordSource(tmp_path / "out.rec")
    (tmp_path / "out.idx").write_text("")
    with pytest.raises(DataError, match="its index has no line"):
        RecordSource(tmp_path / "out.rec")
    (tmp_path / "out.idx").write_text("0\n")
    with pytest.raises(DataError, match="out.idx: line 1: expected a number, a tab"):
        RecordSource(tmp_path / "out.rec")
    for label, match in ((0.5, "found 0.5"), (-1, "found -1"), (float("nan"), "found nan"), ([1, 2], "of 2 labels")):
        write_records(tmp_path / "b.rec", [(label, jpeg())])
        with pytest.raises(DataError, match=match):
            RecordSource(tmp_path / "b.rec")


def test_a_damaged_picture_is_named_when_it_is_read(tmp_path):
    write_records(tmp_path / "a.rec", [(0, jpeg()), (1, jpeg()[:-200])])
    source = RecordSource(tmp_path / "a.rec")
    assert source.read(0).shape == (48, 64, 3)
    with pytest.raises(DataError, match="a.rec: class 1/000001 at byte .*cannot be decoded"):
        source.read(1)


@pytest.mark.real
def test_the_bird_photos_give_the_same_batches_from_folder_and_record_file(tmp_path):
    real = os.environ.get("GLUON_RESNET_REAL_DATA")
    if not real:
        pytest.skip("GLUON_RESNET_REAL_DATA is not set: no real photographs here")
    real = Path(real) / "bird_photos"
    pack(real, tmp_path / "birds", Settings(split=0.2))
    train, val, _ = open_parts(real)
    for folder, name in ((train, "train"), (val, "val")):
        source = RecordSource(tmp_path / f"birds_{name}.rec")
        assert source.names == folder.names
        for i in range(0, len(source), 10):
            assert (source.read(i) == folder.read(i)).all()
