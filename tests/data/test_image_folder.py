"""Folders and CSV files against Keras's own lists (scripts/parity/keras_split.py made them), and what is refused."""

import json
import os
from pathlib import Path

from gluon_resnet.data.image_folder import (
    FolderSource,
    list_pictures,
    load_data_bird_photos,
    load_data_image_folder,
    open_folder,
    open_parts,
    split_indices,
)
from gluon_resnet.data.scan import scan
from gluon_resnet.errors import ConfigError, DataError

import numpy
import pytest
from PIL import Image

from scripts.parity.keras_split import CASES, digest, make_folder
from tests.conftest import ROOT

GOLDEN = json.loads((ROOT / "tests" / "golden" / "keras_split.json").read_text())["cases"]


def save_picture(path, seed=0, size=(24, 20)):
    """A noisy picture of ``size`` = (width, height), another one for every seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = numpy.random.RandomState(seed).randint(0, 256, (5, 6, 3), dtype=numpy.uint8)
    Image.fromarray(coarse).resize(size, Image.BICUBIC).save(path)
    return path


def bird_folder(folder, classes=("cockatoo", "grebe"), number=10, suffix="png"):
    """``number`` pictures in a folder for each class."""
    for c, name in enumerate(classes):
        for i in range(number):
            save_picture(folder / name / f"{i:02d}.{suffix}", seed=100 * c + i)
    return folder


def problems(source, kind):
    """Files of the findings of this kind."""
    return [problem.file for problem in source.problems if problem.problem == kind]


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: "-".join(str(value) for value in list(case.values())[:3]))
def test_the_files_held_back_are_keras_own(tmp_path, case):
    make_folder(tmp_path, CASES[case["case"]][0])
    source = open_folder(tmp_path)
    parts = split_indices(len(source), case["validation_split"], case["seed"])
    training, validation = (source.subset(part) for part in parts)
    assert source.class_names == case["class_names"]
    assert validation.names == case["validation"]
    assert (len(training), digest(training.names)) == (case["training"], case["training_digest"])
    for part in (training, validation):
        assert [name.split("/")[0] for name in part.names] == [part.class_names[label] for label in part.labels]


def test_article_000s_565_photos_become_452_and_113(tmp_path):
    make_folder(tmp_path, CASES["article-000"][0])
    assert [len(part) for part in split_indices(len(open_folder(tmp_path)), 0.2, 123)] == [452, 113]


@pytest.mark.parametrize(
    "number, share, seed, words",
    [
        (10, 0, 1, "share between 0 and 1"),
        (10, 1.0, 1, "share"),
        (4, 0.2, 1, "4 pictures"),
        (10, 0.2, -1, "seed is -1"),
        (10, 0.2, 2**32, "seed"),
        (1, 0.9, 1, "1 picture holds 0"),
    ],
)
def test_impossible_splits(number, share, seed, words):
    with pytest.raises(ConfigError, match=words):
        split_indices(number, share, seed)


def test_a_csv_of_the_same_pictures_has_the_same_split(tmp_path):
    names = CASES["article-000"][0]
    make_folder(tmp_path, names)
    shuffled = numpy.random.RandomState(0).permutation(names)
    lines = [f"{name},{name.split('/')[0]}\n" for name in shuffled]
    (tmp_path / "photos.csv").write_text("path,label\n" + "".join(lines))
    found, expected = open_folder(tmp_path / "photos.csv"), open_folder(tmp_path)
    assert found.names == expected.names and found.class_names == expected.class_names
    assert (found.labels == expected.labels).all()


def test_csv_columns_may_be_called_otherwise_and_numbers_are_sorted_as_numbers(tmp_path):
    lines = [f"{i},{i}.jpg,{i % 11},{'train' if i % 2 else 'valid'}\n" for i in range(22)]
    (tmp_path / "a.csv").write_text("\ufeffid,FilePaths,labels,data set\n" + "".join(lines) + "9,x.jpg,3,test\n")
    source = open_folder(tmp_path / "a.csv")
    assert source.class_names == [str(c) for c in range(11)]
    assert sorted(zip(source.parts, source.names))[0] == ("training", "1.jpg") and len(source) == 22
    assert problems(source, "part not used") == ["split test"]


def test_a_csv_without_names_of_columns_and_its_odd_lines(tmp_path):
    (tmp_path / "a.csv").write_text("b/1.jpg,b\nb/2.jpg,b\n\nb/1.jpg,b\nb/1.jpg,c\n,c\nb/3.jpg,\n")
    source = open_folder(tmp_path / "a.csv")
    assert source.names == ["b/1.jpg", "b/2.jpg", "b/1.jpg"] and source.labels.tolist() == [0, 0, 1]
    assert problems(source, "picture named twice") == ["line 4"]
    assert problems(source, "line without path or label") == ["line 6", "line 7"]


@pytest.mark.parametrize(
    "content, words",
    [
        (b"caf\xe9,b\n", "not UTF-8"),
        (b"", "not a CSV file"),
        (b"a,b,c\n1,2,3\n", "found a, b, c"),
        (b'path,label\n"a,b\n', "not a CSV file"),
        (b"path,label\n", "no picture"),
        (b"path,label,split\na.jpg,b,train\n", "expected train and val"),
    ],
)
def test_bad_csv_files(tmp_path, content, words):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(DataError, match=words):
        open_folder(tmp_path / "a.csv")


def test_folders_that_are_split_already(tmp_path):
    for seed, name in enumerate(
        ("Train/b/1.png", "Train/b/2.png", "Train/a/1.png", "valid/a/9.png", "valid/z/1.png", "test/a/1.png")
    ):
        save_picture(tmp_path / name, seed)
    source = open_folder(tmp_path)
    assert source.class_names == ["a", "b"]
    assert list(zip(source.names, source.labels, source.parts)) == [
        ("Train/a/1.png", 0, "training"),
        ("Train/b/1.png", 1, "training"),
        ("Train/b/2.png", 1, "training"),
        ("valid/a/9.png", 0, "validation"),
    ]
    assert problems(source, "part not used") == ["test/"]
    assert problems(source, "class without training pictures") == ["valid/z/"]
    assert problems(source, "class without validation pictures") == ["Train/b/"]
    training, validation, _ = open_parts(tmp_path, 0.99, 5)
    assert len(training) == 3 and validation.names == ["valid/a/9.png"]


def test_what_is_in_no_class_or_no_picture_is_told(tmp_path):
    make_folder(
        tmp_path,
        [
            "a/1.jpg",
            "a/.DS_Store",
            "a/Thumbs.db",
            "a/x.webp",
            "a/deep/2.jpg",
            "b/1.jpg",
            "empty/readme.txt",
            "3.jpg",
            "labels.txt",
            ".git/x.jpg",
        ],
    )
    (tmp_path / "a" / "link").symlink_to(tmp_path / "b")
    source = open_folder(tmp_path)
    assert source.names == ["a/1.jpg", "a/deep/2.jpg", "b/1.jpg"] and source.class_names == ["a", "b", "empty"]
    assert {kind: problems(source, kind) for kind in {problem.problem for problem in source.problems}} == {
        "not a picture file": ["labels.txt", "a/.DS_Store", "a/Thumbs.db", "empty/readme.txt"],
        ".webp picture": ["a/x.webp"],
        "nested folder": ["a/deep/"],
        "in no class": ["3.jpg"],
        "hidden folder": [".git/"],
        "link to a folder": ["a/link/"],
        "empty class": ["empty/"],
    }
    assert open_folder(tmp_path, (".jpg", ".webp")).names[1] == "a/x.webp"


def test_a_folder_inside_a_class_that_cannot_be_read_is_told(tmp_path, monkeypatch):
    make_folder(tmp_path, ["a/1.jpg", "a/locked/2.jpg", "b/1.jpg"])
    real = os.scandir

    def scandir(path):  # the tests may run as root, whom no permission stops
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    source = open_folder(tmp_path)
    assert source.names == ["a/1.jpg", "b/1.jpg"]
    assert problems(source, "folder that cannot be read") == ["a/locked/"]


def test_one_class_is_suspect_and_no_class_is_refused(tmp_path):
    make_folder(tmp_path, ["one/birds/1.jpg", "none/1.jpg", "none/2.jpg", "empty/a/notes.txt"])
    assert problems(open_folder(tmp_path / "one"), "only one class") == ["birds/"]
    for name, words in (
        ("none", "no class: .* no folder and 2 pictures"),
        ("empty", "no picture: .* found a/ without"),
        ("missing", "no such folder"),
        ("none/1.jpg", "a file: expected a folder"),
    ):
        path = tmp_path / name
        with pytest.raises(DataError, match=words) as refusal:
            list_pictures(path)
        assert str(path) in str(refusal.value) and "\n" not in str(refusal.value)


def test_names_that_are_not_utf8_can_be_read_and_told(tmp_path):
    name = os.fsdecode(b"caf\xe9.png")
    for path in (tmp_path / "a" / name, tmp_path / "鳥" / "é.png"):
        save_picture(path)
    source = open_folder(tmp_path)
    assert source.names == [f"a/{name}", "鳥/é.png"] and source.read(0).shape == (20, 24, 3)
    (tmp_path / "a" / name).write_bytes(b"")
    report = scan(open_folder(tmp_path))
    assert report.left_out == {f"a/{name}"}
    assert "a/caf?.png: expected" in "\n".join(report.lines())
    assert report.as_dict()["problems"][0]["file"] == "a/caf?.png"


def test_the_source_reads_what_it_names_and_subsets_keep_it_together(tmp_path):
    source = open_folder(bird_folder(tmp_path))
    assert isinstance(source, FolderSource) and len(source) == 20 and source.where == str(tmp_path)
    assert source.labels.dtype == numpy.int32 and source.labels.tolist() == [0] * 10 + [1] * 10
    part = source.subset(numpy.array([12, 3]))
    assert part.names == ["grebe/02.png", "cockatoo/03.png"] and part.labels.tolist() == [1, 0]
    assert (part.read(1) == numpy.asarray(Image.open(tmp_path / "cockatoo" / "03.png"))).all()
    (tmp_path / "grebe" / "02.png").write_bytes(b"damaged since")
    with pytest.raises(DataError, match="grebe/02.png"):
        part.read(0)


def test_a_damaged_file_moves_no_other_to_the_other_part(tmp_path):
    before = open_parts(bird_folder(tmp_path), 0.3, 123)
    name = before[1].names[2]
    (tmp_path / name).write_bytes(b"")
    training, validation, report = open_parts(tmp_path, 0.3, 123)
    assert training.names == before[0].names
    assert validation.names == [other for other in before[1].names if other != name]
    assert report.left_out == {name}


def test_loading_says_what_is_left_out_or_stops_when_strict(tmp_path):
    bird_folder(tmp_path)
    said = []
    train_iter, val_iter = load_data_image_folder(tmp_path, 4, 16, 0.25, say=said.append)
    assert said == [] and (train_iter.num_examples, val_iter.num_examples) == (15, 5)
    assert train_iter.class_names == ["cockatoo", "grebe"] and train_iter.shuffle and not val_iter.shuffle
    (tmp_path / "grebe" / "03.png").write_bytes(b"")
    (tmp_path / "grebe" / "04.png").write_bytes(b"text")
    train_iter, val_iter = load_data_image_folder(tmp_path, 4, 16, 0.25, say=said.append)
    assert train_iter.num_examples + val_iter.num_examples == 18
    assert len(said) == 1 and "18 of 20 pictures usable; left out: empty file (1), not a picture (1)" in said[0]
    with pytest.raises(DataError, match="empty file: grebe/03.png.*the first of 2 findings; strict"):
        load_data_image_folder(tmp_path, 4, 16, 0.25, strict=True)


def test_a_part_without_a_usable_picture_is_refused(tmp_path):
    bird_folder(tmp_path)
    _, validation, _ = open_parts(tmp_path, 0.1, 123)
    for name in validation.names:
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(DataError, match="2 pictures for validation, none of them usable"):
        open_parts(tmp_path, 0.1, 123)


def test_bird_photos_have_article_000s_settings(tmp_path):
    train_iter, val_iter = load_data_bird_photos(bird_folder(tmp_path))
    assert (train_iter.batch_size, train_iter.size) == (8, (224, 224))
    assert (train_iter.num_examples, val_iter.num_examples) == (16, 4)
    X, y = next(iter(train_iter))
    assert X.shape == (8, 3, 224, 224) and y.shape == (8,)


@pytest.mark.real
def test_the_real_bird_photos():
    folder = os.environ.get("GLUON_RESNET_REAL_DATA")
    if not folder:
        pytest.skip("GLUON_RESNET_REAL_DATA is not set: no real photographs here")
    training, validation, report = open_parts(Path(folder) / "bird_photos")
    assert (len(training), len(validation)) == (192, 48) and len(training.class_names) == 4
    assert not report.has_findings, report.summary()
