"""Record files as other tools write them: written by mxnet.recordio, read by its own readers for comparison."""

import re
import struct

from gluon_resnet.data.record_checks import verify
from gluon_resnet.data.record_files import Settings, pack
from gluon_resnet.data.record_info import info
from gluon_resnet.data.record_parts import open_record_parts, validation_file
from gluon_resnet.data.recordio import RecordFile, read_index
from gluon_resnet.data.records import RecordSource, wild_labels
from gluon_resnet.errors import DataError
from gluon_resnet.runs.opening import fits, open_pictures
from gluon_resnet.runs.pictures import PicturesConfig

import mxnet as mx
import numpy
import pytest
from mxnet import recordio
from mxnet.gluon.data.vision import ImageRecordDataset

from tests.data.test_records import jpeg, write_pictures, write_records


def numbered(path, labels, seed=0):
    """A record file of these ``labels``, as im2rec writes it: every picture its own."""
    write_records(path, [(label, jpeg(seed + i)) for i, label in enumerate(labels)])
    return path


def test_an_array_of_one_label_is_that_label(tmp_path):
    """im2rec --pack-label: flag 1, and the label after the header; mx.io.ImageRecordIter reads it so, too."""
    write_records(tmp_path / "a.rec", [([float(i % 3)], jpeg(i)) for i in range(6)])
    content = (tmp_path / "a.rec").read_bytes()
    assert struct.unpack_from("<IfQQf", content, 8 + 0)[0] == 1
    source = RecordSource(tmp_path / "a.rec")
    assert source.labels.tolist() == [0, 1, 2, 0, 1, 2] and source.stored(4) == jpeg(4)
    theirs = mx.io.ImageRecordIter(path_imgrec=str(tmp_path / "a.rec"), batch_size=6, data_shape=(3, 48, 64))
    assert next(iter(theirs)).label[0].asnumpy().tolist() == source.labels.tolist()
    assert verify([tmp_path / "a.rec"]).wrong == [] and verify([tmp_path / "a.rec"]).whole == 6
    write_records(tmp_path / "b.rec", [([1.0, 2.0], jpeg())])
    with pytest.raises(DataError, match="an array of 2 labels"):
        RecordSource(tmp_path / "b.rec")
    writer = recordio.MXIndexedRecordIO(str(tmp_path / "c.idx"), str(tmp_path / "c.rec"), "w")
    writer.write_idx(0, struct.pack("<IfQQ", 1, 0, 0, 0))
    writer.close()
    with pytest.raises(DataError, match="24 bytes, fewer than the 28"):
        RecordSource(tmp_path / "c.rec")


def test_a_file_without_an_index_is_walked_and_an_index_can_be_written(tmp_path, run_cli):
    path = numbered(tmp_path / "a.rec", [0, 1, 2, 0, 1, 2])
    with_index = RecordSource(path)
    index = (tmp_path / "a.idx").read_text()
    (tmp_path / "a.idx").unlink()
    without = RecordSource(path)
    assert without.labels.tolist() == with_index.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert [without.stored(i) for i in range(6)] == [jpeg(i) for i in range(6)]
    checked = verify([path])
    assert checked.wrong == [] and checked.whole == 6
    assert f"records index {path} writes it" in checked.findings[0].line()
    done = run_cli("records", "index", path)
    assert (done.returncode, done.stdout) == (0, f"{tmp_path / 'a.idx'}: 6 records\n")
    assert (tmp_path / "a.idx").read_text() == index  # mxnet's own, byte for byte
    dataset = ImageRecordDataset(str(path))
    assert [int(dataset[i][1]) for i in range(6)] == [0, 1, 2, 0, 1, 2]
    assert "already there" in run_cli("records", "index", path).stderr
    assert run_cli("records", "index", path, "--overwrite").returncode == 0
    (tmp_path / "a.idx").unlink()
    path.write_bytes(path.read_bytes()[:-20])
    assert "up to the end of the file" in run_cli("records", "index", path).stderr
    assert not (tmp_path / "a.idx").exists()


def test_records_cut_at_the_magic_number_are_one_record_each(tmp_path):
    magic = b"\x0a\x23\xd7\xce"
    writer = recordio.MXIndexedRecordIO(str(tmp_path / "a.idx"), str(tmp_path / "a.rec"), "w")
    for number, content in enumerate([b"x" * 40, magic * 5, b"abcd" + magic + b"e", b""]):
        writer.write_idx(number, content)
    writer.close()
    with RecordFile(tmp_path / "a.rec") as file:
        assert list(file.offsets()) == [offset for _, offset in read_index(tmp_path / "a.idx")]


@pytest.mark.parametrize(
    "training, others, validation",
    [
        ("birds_train", ["birds_val", "birds_test", "frogs_val"], "birds_val"),
        ("train", ["val", "birds_val"], "val"),
        ("train", ["test"], "test"),
        ("imagenet1k-train", ["imagenet1k-val"], "imagenet1k-val"),
        ("train_480_q90", ["val_480_q90", "val_256"], "val_480_q90"),
        ("Train", ["Valid"], "Valid"),
        ("birds", ["birds_val"], None),
        ("train", ["retrieval"], None),
        ("val", ["train"], None),
    ],
)
def test_the_validation_part_is_found_by_its_name(tmp_path, training, others, validation):
    for name in (training, *others):
        (tmp_path / f"{name}.rec").touch()
    found = validation_file(tmp_path / f"{training}.rec")
    assert found == (validation and tmp_path / f"{validation}.rec")


def open_parts(path, **settings):
    config = PicturesConfig(data=str(path), image_size=32, **settings)
    return open_pictures(config, fits(config), (False, False))


def test_a_pair_trains_and_validates_and_parts_decides_otherwise(tmp_path):
    numbered(tmp_path / "train.rec", [0, 1, 2] * 4)
    numbered(tmp_path / "val.rec", [0, 1, 2], 50)
    numbered(tmp_path / "more.rec", [2, 1, 0, 0, 1, 2], 80)
    training, validation, notes = open_parts(tmp_path / "train.rec")
    assert (len(training), len(validation)) == (12, 3) and notes == [
        f"{tmp_path}: train.rec trains and val.rec validates"
    ]
    training, validation, notes = open_parts(tmp_path / "train.rec", parts="train.rec,more.rec")
    assert (len(training), len(validation)) == (12, 6)
    for parts in ("classes", "train.rec"):
        training, validation, notes = open_parts(tmp_path / "train.rec", parts=parts, validation_split=0.25)
        assert (len(training), len(validation), notes) == (9, 3, [])
    numbered(tmp_path / "valid.rec", [0, 1, 2])
    (tmp_path / "val.rec").rename(tmp_path / "val_old.rec")
    assert validation_file(tmp_path / "train.rec") == tmp_path / "valid.rec"
    (tmp_path / "valid.rec").rename(tmp_path / "Val.rec")
    (tmp_path / "val_old.rec").rename(tmp_path / "val.rec")
    with pytest.raises(DataError, match="Val.rec and val.rec are named like its validation part.*--parts train.rec,"):
        open_parts(tmp_path / "train.rec")


def test_a_pack_whose_validation_part_is_gone_is_not_split_in_silence(tmp_path):
    pack(write_pictures(tmp_path / "photos"), tmp_path / "out", Settings(split=0.25))
    assert len(open_record_parts(tmp_path / "out_train.rec")[1]) == 4
    (tmp_path / "out_val.rec").unlink()
    with pytest.raises(DataError, match="out_val.rec: cannot be read.*--parts classes splits out_train.rec"):
        open_record_parts(tmp_path / "out_train.rec")
    assert open_record_parts(tmp_path / "out_train.rec", "classes")[1] is None


def test_a_part_may_lack_the_last_class_and_that_is_said(tmp_path):
    numbered(tmp_path / "a_train.rec", [0, 1, 2] * 3)
    numbered(tmp_path / "a_val.rec", [0, 1], 50)
    training, validation, notes = open_parts(tmp_path / "a_train.rec")
    assert training.source.class_names == validation.source.class_names == ["class 0", "class 1", "class 2"]
    assert len(notes) == 2 and f"{tmp_path / 'a_val.rec'}: suspect: empty class (1)" in notes[1]
    pack(write_pictures(tmp_path / "photos"), tmp_path / "b_train", Settings(size=48))
    with pytest.raises(
        DataError, match="a_val.rec: classes class 0, class 1: expected those of b_train.rec, ash, beech"
    ):
        open_record_parts(tmp_path / "b_train.rec", "b_train.rec,a_val.rec")


def test_labels_from_one_are_said_and_strict_stops_at_them(tmp_path):
    numbered(tmp_path / "a.rec", [1, 2, 3] * 4)
    _, _, [note] = open_parts(tmp_path / "a.rec")
    assert "suspect: empty class (1)" in note and "found none of class 0" in note and "from 1 to 3" in note
    assert "number the labels from 0" in note
    with pytest.raises(DataError, match="found none of class 0"):
        open_parts(tmp_path / "a.rec", strict=True)
    numbered(tmp_path / "b.rec", [0, 1, 2, 0, 1, 30])
    _, _, [note] = open_parts(tmp_path / "b.rec")
    assert "empty class (27)" in note and "to 30 in record 5 only" in note


@pytest.mark.parametrize(
    "labels, wild",
    [
        ([0, 1, 2, 200_000_000, 0, 1], [3]),
        ([0, 1, 5000, 2], [2]),
        ([0, 9_000_000, 1, 17_672_687], [1, 3]),
        ([1_000_000, 1_000_001], [0, 1]),
        ([0, 1, 2, 30], []),
        ([999, 3, 500], []),
        (list(range(0, 20_000, 10)), []),
        ([2**31 - 1, 0], [0]),
    ],
)
def test_wild_labels_are_those_above_a_large_gap(labels, wild):
    assert wild_labels(labels).tolist() == wild


def test_one_wild_label_is_one_line(tmp_path, refusal):
    path = numbered(tmp_path / "a.rec", [0, 1, 2, 0, 1, 2e8, 0, 1, 2])
    offset = read_index(tmp_path / "a.idx")[5][1]
    line = f"label 200000000 of record 5 at byte {offset}: expected the number of a class, from 0 without large gaps"
    for words in (("train", "pictures", path), ("records", "info", path), ("records", "unpack", path, tmp_path / "x")):
        assert line in refusal(*words) and "the others have 3 classes, up to 2" in refusal(*words)
    [wrong] = verify([path]).wrong
    assert (wrong.index, wrong.offset, wrong.what, wrong.found) == (5, offset, "label out of range", "200000000")
    assert len(verify([path]).findings) == 1  # not a word on the 199,999,997 classes below it


def test_raw_pixels_are_told_by_their_bytes(tmp_path):
    write_records(tmp_path / "a.rec", [(i % 2, numpy.full(3 * 8 * 8, 65 + i, numpy.uint8).tobytes()) for i in range(4)])
    with pytest.raises(DataError, match=re.escape("found 192 bytes that begin with b'AAAAAAAA'")) as refused:
        info(tmp_path / "a.rec")
    assert "raw pixels are not read" in str(refused.value) and "BytesIO" not in str(refused.value)
    config = PicturesConfig(data=str(tmp_path / "a.rec"), image_size=32, validation_split=0.5)
    with pytest.raises(DataError, match="found one that is not a picture in one of these formats"):
        open_pictures(config, fits(config))
