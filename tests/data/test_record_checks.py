"""Record files looked into, verified with damage planted at known bytes, and unpacked."""

import hashlib
import json
import os
import struct
from pathlib import Path

from gluon_resnet.commands.records import records as command
from gluon_resnet.data.record_checks import verify
from gluon_resnet.data.record_files import Settings, pack
from gluon_resnet.data.record_info import info
from gluon_resnet.data.record_unpack import unpack, unpacked_names
from gluon_resnet.data.records import RecordSource
from gluon_resnet.errors import DataError

import numpy
import pytest
from click.testing import CliRunner
from mxnet import recordio
from PIL import Image

from tests.data.test_records import jpeg, left_in, picture, write_pictures, write_records


@pytest.fixture
def packed(tmp_path):
    """18 pictures packed as out_train.rec (14) and out_val.rec (4)."""
    folder = write_pictures(tmp_path / "photos", quality=90)
    pack(folder, tmp_path / "out", Settings(split=0.25))
    return tmp_path


def offsets(path):
    return [int(line.split("\t")[1]) for line in path.with_suffix(".idx").read_text().splitlines()]


def change(path, offset, content):
    """Write ``content`` over the bytes of ``path`` at ``offset``."""
    with open(path, "r+b") as stream:
        stream.seek(offset)
        stream.write(content)


def told(findings, file, index, offset, what):
    """The one finding of this place and kind; the test fails if there is none or another."""
    found = [one for one in findings if (one.file, one.index, one.offset, one.what) == (str(file), index, offset, what)]
    assert len(found) == 1, [one.line() for one in findings]
    return found[0]


def test_nothing_is_wrong_with_a_fresh_pack(packed):
    found = verify([packed / "out_train.rec", packed / "out_val.rec"])
    assert found.wrong == [] and found.records == found.whole == 18


def test_a_damaged_magic_number_is_one_finding_and_the_rest_is_still_read(packed):
    path = packed / "out_train.rec"
    at = offsets(path)[5]
    change(path, at, b"\0\0\0\0")
    found = verify([path])
    assert len(found.wrong) == 1 and found.records == 14 and found.whole == 13
    one = told(found.wrong, path, 5, at, "record damaged")
    assert (one.expected, one.found) == ("the magic number ced7230a", "00000000")


def test_a_wrong_length_is_found_and_the_rest_is_still_read(packed):
    path = packed / "out_train.rec"
    at = offsets(path)
    change(path, at[5] + 4, struct.pack("<I", at[6] - at[5] + 40))
    found = verify([path])
    assert {one.index for one in found.wrong} == {5, 6} and found.records == 14  # record 5 reaches into record 6
    change(path, at[5] + 4, struct.pack("<I", 1 << 28))
    found = verify([path])
    left = path.stat().st_size - at[5]
    assert told(found.wrong, path, 5, at[5], "record cut off").found == f"{left:,} up to the end of the file"
    assert found.whole == 13 and found.records == 14


def test_records_that_are_missing_are_not_told_of_all_that_follow(packed):
    path = packed / "out_train.rec"
    at = offsets(path)
    change(path, at[3], b"\0" * (at[6] - at[3]))
    found = verify([path]).wrong
    lines = [one.line() for one in found]
    assert (
        f"wrong: {path}: record 3 at byte {at[3]}: record damaged: expected the magic number ced7230a, found 00000000"
    ) in lines
    for line in (5, 6):
        index = packed / "out_train.idx"
        assert (
            f"wrong: {index}: index, line {line}: expected offset where a record starts, found offset {at[line - 1]}"
        ) in lines
    assert len(lines) == 5  # and the number of lines, and that of the description


@pytest.mark.parametrize("cut", [1, 40, -4])
def test_a_cut_off_last_record_is_found(packed, cut):
    path = packed / "out_val.rec"
    at, content = offsets(path)[-1], path.read_bytes()
    path.write_bytes(content[:-cut] if cut > 0 else content[: at - cut])  # -4: only the magic number is left of it
    found = verify([path])
    one = told(found.wrong, path, 3, at, "record cut off")
    left = path.stat().st_size - at
    assert one.found == f"{left:,} up to the end of the file"
    assert found.whole == 3


def test_an_empty_file_and_one_that_is_missing(tmp_path):
    (tmp_path / "empty.rec").touch()
    paths = [tmp_path / "empty.rec", tmp_path / "missing.rec", tmp_path]
    found = verify(paths).wrong
    assert [one.file for one in found] == [str(path) for path in paths]
    for one, reason in zip(found, ("empty", "No such file", "directory")):
        assert reason in one.found


@pytest.mark.parametrize(
    "label, expected", [(3.0, "3"), (-1.0, "-1"), (1.5, "1.5"), (float("nan"), "nan"), (float("inf"), "inf")]
)
def test_a_label_out_of_range_is_found(packed, label, expected):
    path = packed / "out_train.rec"
    at = offsets(path)[2]
    change(path, at + 8 + 4, struct.pack("<f", label))
    one = told(verify([path]).wrong, path, 2, at, "label out of range")
    assert (one.expected, one.found) == ("a whole number from 0 to 2", expected)


def test_without_names_the_number_of_classes_is_asked_for(tmp_path):
    write_records(tmp_path / "a.rec", [(0, jpeg(1)), (7, jpeg(2))])
    assert verify([tmp_path / "a.rec"]).wrong == []
    assert "none of 1, 2, 3, 4, 5, 6" in verify([tmp_path / "a.rec"]).findings[0].found
    assert [one.found for one in verify([tmp_path / "a.rec"], classes=7).wrong] == ["7"]
    write_records(tmp_path / "b.rec", [([1, 2], jpeg(1))])
    assert "2 labels" in verify([tmp_path / "b.rec"]).wrong[0].found


def test_a_truncated_jpeg_in_a_whole_record_is_found(tmp_path):
    write_records(tmp_path / "a.rec", [(0, jpeg(1)), (1, jpeg(2)[:-300]), (0, b"no picture"), (1, b"")])
    found = verify([tmp_path / "a.rec"])
    places = offsets(tmp_path / "a.rec")
    assert "cannot be decoded" in told(found.wrong, tmp_path / "a.rec", 1, places[1], "picture").found
    for index in (2, 3):
        assert "not a picture" in told(found.wrong, tmp_path / "a.rec", index, places[index], "picture").found
    assert len(found.wrong) == 3 and found.whole == 1


def test_an_index_that_is_off_is_found_line_by_line(packed):
    path, index = packed / "out_train.rec", packed / "out_train.idx"
    lines, at = index.read_text().splitlines(), offsets(packed / "out_train.rec")
    index.write_text("\n".join([*lines[:3], f"3\t{at[3] + 4}", *lines[4:]]) + "\n")
    found = verify([path])
    one = told(found.wrong, index, 3, at[3], "index, line 4")
    assert len(found.wrong) == 1 and (one.expected, one.found) == (f"offset {at[3]}", f"offset {at[3] + 4}")
    for wrong, expected in (
        (lines[:-1], "14 lines"),
        ([*lines[:-1], f"0\t{at[-1]}"], "number 0 once"),
        (["x"], "an index"),
    ):
        index.write_text("\n".join(wrong) + "\n")
        assert [one.expected for one in verify([path]).wrong if one.file == str(index)][0].startswith(expected)


def test_a_duplicate_across_the_split_is_found_by_its_bytes_and_by_its_look(tmp_path):
    small = Image.fromarray(picture(3)).resize((56, 42), Image.LANCZOS)
    small.save(tmp_path / "small.jpg", quality=60)
    write_records(tmp_path / "a.rec", [(0, jpeg(1)), (1, jpeg(2)), (0, jpeg(3))])
    small = (tmp_path / "small.jpg").read_bytes()
    write_records(tmp_path / "b.rec", [(0, jpeg(4)), (0, jpeg(2)), (0, small), (1, jpeg(4))])
    found = verify([tmp_path / "a.rec", tmp_path / "b.rec"])
    a, b = offsets(tmp_path / "a.rec"), offsets(tmp_path / "b.rec")
    assert len(found.wrong) == 3
    across, look, inside = found.wrong[0], found.wrong[2], found.wrong[1]
    assert (across.index, across.offset, across.what) == (1, b[1], "duplicate across files")
    first = tmp_path / "a.rec"
    assert across.found == f"the same bytes as {first}, record 1 at byte {a[1]}, labelled 0 here and 1 there"
    assert (inside.index, inside.what) == (3, "duplicate")
    assert f"record 0 at byte {b[0]}, labelled 1 here and 0 there" in inside.found
    assert (look.index, look.what) == (2, "duplicate across files") and look.found.startswith("a perceptual hash ")
    assert look.found.endswith(f"of 64 bits away from {first}, record 2 at byte {a[2]}")
    assert verify([tmp_path / "a.rec"]).wrong == []


def test_a_description_that_differs_is_found(packed):
    path, description = packed / "out_val.rec", packed / "out.json"
    content = json.loads(description.read_text())
    records = content["parts"]["val"]["records"]
    records[1]["sha256"], records[2]["width"] = "0" * 64, 65
    records[3]["label"] = (records[3]["label"] + 1) % 3
    records[3]["name"] = records[0]["name"]
    description.write_text(json.dumps(content))
    found, at = verify([path]).wrong, offsets(path)
    assert told(found, path, 1, at[1], f"sha256 of {records[1]['name']}").expected == "0" * 64 + " as in out.json"
    assert told(found, path, 2, at[2], f"size of {records[2]['name']}").expected == "(48, 65) as in out.json"
    told(found, path, 3, at[3], f"label of {records[3]['name']}")
    assert len(found) == 3
    twice = told(verify([path]).findings, description, None, None, f"name {records[0]['name']}")
    assert (twice.found, twice.severity) == ("2", "warning")  # a CSV may name one file in two classes
    records[1]["sha256"] = "1" * 64
    del records[3]
    description.write_text(json.dumps(content))
    assert told(verify([path]).wrong, description, None, None, "description").found == "3"
    description.write_text("{")
    assert told(verify([path]).wrong, path, None, None, "description").found.startswith(
        f"{description}: cannot be read"
    )


def test_every_changed_byte_that_matters_is_found_and_none_stops_the_check(packed):
    path, random = packed / "out_val.rec", numpy.random.RandomState(0)
    whole, places = path.read_bytes(), offsets(path)
    lengths = [record["bytes"] for record in json.loads((packed / "out.json").read_text())["parts"]["val"]["records"]]
    # of each record: magic number, length, kind and label, then after two numbers (16 bytes) the picture
    matters = [
        place
        for start, length in zip(places, lengths)
        for place in (*range(start, start + 16), *range(start + 32, start + 32 + length))
    ]
    heads = [place for start in places for place in range(start, start + 16)]
    for place in [*heads, *random.choice(matters, 80).tolist()]:
        damaged = bytearray(whole)
        damaged[place] ^= random.randint(1, 256)
        path.write_bytes(damaged)
        assert verify([path]).wrong, place
    path.write_bytes(whole)
    assert not verify([path]).wrong


def test_names_that_are_not_utf8_go_in_and_out(packed):
    name = os.fsdecode(b"\xff.jpg")
    (packed / "photos" / "elm" / name).write_bytes(jpeg(7))
    pack(packed / "photos", packed / "odd")
    assert f"elm/{name}" in RecordSource(packed / "odd.rec").names
    assert unpack(packed / "odd.rec", packed / "copy") == 19
    assert (packed / "copy" / "elm" / name).read_bytes() == jpeg(7)
    content = json.loads((packed / "odd.json").read_text())
    next(record for record in content["parts"]["all"]["records"] if record["name"] == f"elm/{name}")["width"] = 3
    (packed / "odd.json").write_text(json.dumps(content))
    shown = CliRunner().invoke(command, ["verify", str(packed / "odd.rec")])
    assert shown.exit_code == 1 and "size of elm/?.jpg: expected (48, 3)" in shown.output


def test_classes_out_of_balance_are_a_warning_only(tmp_path):
    write_records(tmp_path / "a.rec", [(0, jpeg(seed)) for seed in range(4)] + [(1, jpeg(9))])
    found = verify([tmp_path / "a.rec"])
    assert found.wrong == [] and [one.what for one in found.findings] == ["balance"]
    assert found.findings[0].found == "4 of class 0, 1 of class 1"
    write_records(tmp_path / "a.rec", [(0, jpeg(1)), (0, jpeg(2)), (1, jpeg(3)), (9, jpeg(4))] + [(0, jpeg(5))])
    assert [one.what for one in verify([tmp_path / "a.rec"], classes=2).findings] == ["label out of range"]


def test_the_exit_status_of_verify_and_its_lines(packed):
    files = [str(packed / "out_train.rec"), str(packed / "out_val.rec")]
    good = CliRunner().invoke(command, ["verify", *files])
    assert good.exit_code == 0
    assert good.output.splitlines()[-1].startswith("18 of 18 pictures whole in 2 files: 0 wrong, 1 warning")
    at = offsets(Path(files[1]))[1]
    change(files[1], at + 8 + 4, struct.pack("<f", 99))
    bad = CliRunner().invoke(command, ["verify", *files])
    assert bad.exit_code == 1
    assert (
        f"wrong: {files[1]}: record 1 at byte {at}: label out of range: expected a whole number from 0 to 2, found 99"
    ) in bad.output.splitlines()
    as_json = json.loads(CliRunner().invoke(command, ["verify", "--json", *files]).output)
    assert as_json["wrong"] == 2 and as_json["records"] == 18 and as_json["findings"][0]["offset"] == at


def test_info_counts_by_hand(packed, tmp_path):
    source = RecordSource(packed / "out_train.rec")
    Image.fromarray(picture(1, 80, 90)).save(packed / "photos" / "elm" / "large.png")
    pack(packed / "photos", packed / "all", Settings(size=60, lossless=True))
    content = info(packed / "all.rec")
    assert content["records"] == 19 and content["formats"] == {"JPEG": 18, "PNG": 1}
    assert [tuple(one.values()) for one in content["classes"]] == [(0, "ash", 6), (1, "beech", 6), (2, "elm", 7)]
    assert content["shorter_side"] == {"lowest": 48, "median": 48, "highest": 60}
    assert content["width"] == {"lowest": 64, "median": 64, "highest": 68} and content["settings"]["size"] == 60
    assert content["bytes"] == (packed / "all.rec").stat().st_size
    shown = CliRunner().invoke(command, ["info", str(packed / "out_train.rec")]).output
    for label, name in enumerate(("ash", "beech", "elm")):
        assert f"class {label}, {name}: {(source.labels == label).sum()}" in shown.splitlines()
    assert json.loads(CliRunner().invoke(command, ["info", "--json", str(packed / "all.rec")]).output) == content
    write_records(tmp_path / "b.rec", [(0, b"no picture")])
    with pytest.raises(DataError, match="header cannot be read"):
        info(tmp_path / "b.rec")


def test_unpacking_gives_back_what_was_packed(packed):
    for part, count in (("train", 14), ("val", 4)):
        assert unpack(packed / f"out_{part}.rec", packed / "copy") == count
    originals = {path.relative_to(packed / "photos"): path.read_bytes() for path in (packed / "photos").glob("*/*")}
    assert {path.relative_to(packed / "copy"): path.read_bytes() for path in (packed / "copy").glob("*/*")} == originals
    with pytest.raises(DataError, match="already there.*nothing was unpacked"):
        unpack(packed / "out_val.rec", packed / "copy")
    write_records(packed / "b.rec", [(1, jpeg(1))])
    shown = CliRunner().invoke(command, ["unpack", str(packed / "b.rec"), str(packed / "other")]).output
    assert shown == f"1 picture in {packed / 'other'}\n"
    assert (packed / "other" / "class 1" / "000000.jpg").read_bytes() == jpeg(1)


@pytest.mark.parametrize(
    "name, target",
    [
        ("../evil.jpg", "evil.jpg"),
        ("{}/../../evil.jpg", "evil.jpg"),
        ("/tmp/evil.jpg", "evil.jpg"),
        ("..", "picture"),
        ("", "picture"),
        ("a\0b", "a_b"),
        ("a\\..\\evil.jpg", "evil.jpg"),
        ("link/evil.jpg", "evil.jpg"),
        ("C:\\birds\\{}\\old\\1.jpg", "old/1.jpg"),
        ("x/" + "é" * 140 + ".jpg", "é" * 98 + ".jpg"),
    ],
)
def test_a_name_that_is_no_path_becomes_one_in_its_class(packed, name, target):
    folder = packed / "safe" / "copy"
    folder.mkdir(parents=True)
    (folder / "link").symlink_to(packed / "safe")
    content = json.loads((packed / "out.json").read_text())
    label = content["parts"]["val"]["records"][3]["label"]
    content["parts"]["val"]["records"][3]["name"] = name.format(content["class_names"][label])
    (packed / "out.json").write_text(json.dumps(content))
    assert unpack(packed / "out_val.rec", folder) == 4
    path = folder / content["class_names"][label] / target
    assert path.read_bytes() == RecordSource(packed / "out_val.rec").stored(3)
    assert left_in(packed / "safe") == ["copy"] and set(left_in(folder)) <= {"link", "ash", "beech", "elm"}


def test_a_class_folder_that_is_a_link_leads_nowhere(packed):
    folder = packed / "safe" / "copy"
    folder.mkdir(parents=True)
    for name in ("ash", "beech", "elm"):
        (folder / name).symlink_to(packed / "photos")
    with pytest.raises(DataError, match="leads out of .*nothing was unpacked"):
        unpack(packed / "out_val.rec", folder)
    assert left_in(packed / "photos") == ["ash", "beech", "elm"]


def test_what_a_csv_names_is_unpacked_by_class_and_verified(packed):
    """Kaggle's way: one folder of pictures, the classes in a CSV, which may be elsewhere and name a picture twice."""
    (packed / "lists").mkdir()
    for row, (name, source) in enumerate((("FINCH", "ash"), ("HERON", "beech"), ("a/b", "elm"))):
        for i in range(2):
            line = f"../photos/{source}/000{i}.jpg,{name}\n"
            with open(packed / "lists" / "up.csv", "a") as stream:
                stream.write(("" if row or i else "path,label\n") + line)
    with open(packed / "lists" / "up.csv", "a") as stream:
        stream.write(f"{packed}/photos/beech/0000.jpg,FINCH\n")
    done = pack(packed / "lists" / "up.csv", packed / "csv")
    assert [count for _, count, _ in done.files] == [7] and verify([packed / "csv.rec"]).wrong == []
    assert unpack(packed / "csv.rec", packed / "back") == 7
    expected = {
        "FINCH/0000.jpg": "ash/0000.jpg",
        "FINCH/0000-2.jpg": "beech/0000.jpg",
        "FINCH/0001.jpg": "ash/0001.jpg",
        "HERON/0000.jpg": "beech/0000.jpg",
        "HERON/0001.jpg": "beech/0001.jpg",
        "a_b/0000.jpg": "elm/0000.jpg",
        "a_b/0001.jpg": "elm/0001.jpg",
    }
    found = {str(path.relative_to(packed / "back")): path.read_bytes() for path in (packed / "back").glob("*/*")}
    originals = {target: (packed / "photos" / name).read_bytes() for target, name in expected.items()}
    assert sorted(found) == sorted(expected) and sorted(found.values()) == sorted(originals.values())
    assert all(found[name] == originals[name] for name in found if name[:8] != "FINCH/00" or name[8:] == "01.jpg")


def test_names_of_unpacked_pictures():
    classes = ["cat", "cat", "cat", ".dog", "cat", "cat"]
    names = ["train/cat/1.jpg", "x/cat/1.jpg", "cat//1.jpg", "x/.dog/1.jpg", "1.jpg", "cat/deep/cat/1.jpg"]
    folders = ["cat", "cat", "cat", "_.dog", "cat", "cat"]
    assert unpacked_names(names, classes, folders) == [
        "train/cat/1.jpg",
        "cat/1.jpg",
        "cat/1-2.jpg",
        "_.dog/1.jpg",
        "cat/1-3.jpg",
        "cat/deep/cat/1.jpg",
    ]


def test_a_picture_is_not_called_like_a_folder_of_another():
    names, classes = ["cat/1", "cat/1/2", "cat/1-2", "3/x", "3"], ["cat", "cat", "cat", "3", "3"]
    assert unpacked_names(names, classes, classes) == ["cat/1-2", "cat/1/2", "cat/1-2-2", "3/x", "3/3"]


def test_bytes_that_are_not_the_described_ones_are_not_unpacked(packed):
    path = packed / "out_val.rec"
    at = offsets(path)[0]
    expected = hashlib.sha256(RecordSource(path).stored(0)).hexdigest()
    change(path, at + 8 + 24 + 100, b"\x01\x02\x03")
    with pytest.raises(DataError, match=f"expected the bytes with SHA-256 {expected}"):
        unpack(path, packed / "copy")
    assert not (packed / "copy").exists()


def test_a_picture_appears_whole_or_not_at_all(packed, monkeypatch):
    write, names = Path.write_bytes, []

    def fail_at_the_third(path, content):
        names.append(path)
        if len(names) == 3:
            write(path, content[:10])
            raise OSError(28, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", fail_at_the_third)
    with pytest.raises(DataError, match="No space left on device.; 2 of 14 were unpacked"):
        unpack(packed / "out_train.rec", packed / "copy")
    source = RecordSource(packed / "out_train.rec")
    found = [path.relative_to(packed / "copy").as_posix() for path in (packed / "copy").glob("*/*")]
    assert sorted(found) == sorted(source.names[:2])


def test_recordio_itself_agrees_with_the_offsets_in_the_findings(packed):
    """mxnet's own reader finds, at every offset of the index, the record that verify numbers so."""
    path = packed / "out_train.rec"
    reader, source = recordio.MXIndexedRecordIO(str(path.with_suffix(".idx")), str(path), "r"), RecordSource(path)
    for number in range(14):
        header, content = recordio.unpack(reader.read_idx(number))
        assert header.id == number and header.label == source.labels[number] and content == source.stored(number)
        assert (numpy.asarray(source.read(number)).shape) == (48, 64, 3)
    reader.close()
