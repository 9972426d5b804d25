"""A run remembers its files: evaluated and resumed, it takes the same ones, or says what has changed."""

import csv
import gzip
import hashlib
import json
import os
import shutil

from gluon_resnet.errors import RunError
from gluon_resnet.report import page as report
from gluon_resnet.runs import data_list
from gluon_resnet.runs.table import read_run
from gluon_resnet.training import checkpoint

import numpy
import pandas as pd
import pytest
from PIL import Image

from tests.conftest import CommandLine, one_line_error, small_arrays, write_idx_folder

pytestmark = pytest.mark.usefixtures("plain_curves")
SMALL = ("--model", "resnet8@narrow", "--image-size", 32, "--batch-size", 4, "--epochs", 2, "--lr", 0.01)


def photograph(path, c, seed):
    random = numpy.random.RandomState(seed)
    image = random.randint(0, 120, (6, 5, 3)).repeat(8, axis=0).repeat(8, axis=1)
    image[:, :, c] += 100
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image.astype("uint8")).save(path)


def write_birds(folder):
    for c, name in enumerate(("auk", "coot")):
        for i in range(10):
            photograph(folder / name / f"{i}.png", c, 10 * c + i)
    return folder


class Killed(BaseException):
    """As SIGKILL."""


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A folder with photos/ and run/, a run on them that was killed in its second epoch, after a checkpoint."""
    folder, save = tmp_path_factory.mktemp("begun"), checkpoint.save
    write_birds(folder / "photos")

    def killed(*args):
        save(*args)
        raise Killed

    checkpoint.save = killed
    try:
        with pytest.raises(Killed):
            CommandLine()("train", "pictures", "photos", *SMALL, "--out", "run", cwd=folder)
    finally:
        checkpoint.save = save
    return folder


@pytest.fixture
def copy(begun, tmp_path):
    """Its folder again, to be changed; where the run was started is still the first one."""
    shutil.copytree(begun, tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy" / "photos")
    shutil.copytree(begun / "photos", tmp_path / "copy" / "photos")
    written = json.loads((tmp_path / "copy" / "run" / "config.json").read_text())
    written.update(data=str(tmp_path / "copy" / "photos"), started_in=str(tmp_path / "copy"))
    (tmp_path / "copy" / "run" / "config.json").write_text(json.dumps(written))
    return tmp_path / "copy"


def rows(run):
    """files.csv.gz, read with Python's own modules."""
    with gzip.open(run / "files.csv.gz", "rt", encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_list_has_every_file_with_its_size_and_sha256(begun):
    listed = rows(begun / "run")
    assert sorted(row["name"] for row in listed) == sorted(f"{c}/{i}.png" for c in ("auk", "coot") for i in range(10))
    assert [row["part"] for row in listed] == ["training"] * 16 + ["validation"] * 4
    for row in listed:
        content = (begun / "photos" / row["name"]).read_bytes()
        assert (int(row["bytes"]), row["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
        assert row["class"] == row["name"].split("/")[0]


def test_a_resumed_run_goes_on_with_its_own_pictures_and_from_any_folder(copy, run_cli, tmp_path):
    shutil.copytree(copy / "run", copy / "undisturbed")
    first = run_cli("train", "pictures", "--resume", copy / "undisturbed", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    for name in ("auk/00.png", "coot/zz.png", "auk/5b.png"):
        photograph(copy / "photos" / name, 0, 77)
    again = run_cli("train", "pictures", "--resume", copy / "run", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "changed since the run began with 20 pictures: 3 new (such as auk/00.png): the run goes on" in again.stdout
    assert (copy / "run" / "net.params").read_bytes() == (copy / "undisturbed" / "net.params").read_bytes()

    done = run_cli("evaluate", copy / "run", "--save", copy / "report")
    assert done.returncode == 0, done.stderr
    assert "3 new (such as auk/00.png); of the run's pictures, only those that are there unaltered" in done.stderr
    held_back = [row["name"] for row in rows(copy / "run") if row["part"] == "validation"]
    assert list(pd.read_csv(copy / "report" / "predictions.csv")["name"]) == held_back
    test_acc = json.loads((copy / "run" / "result.json").read_text())["test_acc"]
    assert json.loads((copy / "report" / "metrics.json").read_text())["top1"] == test_acc

    trained = [row["name"] for row in rows(copy / "run") if row["part"] == "training"]
    told = run_cli("predict", "--run", copy / "run", *(copy / "photos" / name for name in (held_back[0], trained[3])))
    assert told.returncode == 0, told.stderr
    assert f"the run was trained on 1 of 2 pictures, such as {copy / 'photos' / trained[3]}" in told.stderr

    os.remove(copy / "photos" / held_back[0])
    photograph(copy / "photos" / held_back[1], 1, 99)
    (copy / "photos").rename(copy / "moved")
    shutil.rmtree(copy / "report")
    done = run_cli(
        "evaluate", copy / "run", "--data", copy / "moved", "--part", "validation", "--save", copy / "report"
    )
    found = f"1 gone (such as {held_back[0]}), 3 new (such as auk/00.png), 1 altered (such as {held_back[1]})"
    assert f"with 20 pictures: {found}" in done.stderr
    assert list(pd.read_csv(copy / "report" / "predictions.csv")["name"]) == held_back[2:]
    others = write_birds(copy / "others")
    for folder in list(others.iterdir()):
        folder.rename(others / f"other {folder.name}")
    other = run_cli("evaluate", copy / "run", "--data", others, "--part", "validation")
    assert "classes unknown to the run" in one_line_error(other)


@pytest.mark.parametrize(
    "change, found",
    [
        (lambda photos: (photos / "auk" / "3.png").unlink(), "1 gone (such as auk/3.png)"),
        (lambda photos: photograph(photos / "coot" / "4.png", 0, 5), "1 altered (such as coot/4.png)"),
        (lambda photos: (photos / "auk").rename(photos / "zebra"), "10 gone (such as "),
        (lambda photos: (photos / "auk" / "3.png").write_bytes(b"no picture"), "1 altered (such as auk/3.png)"),
    ],
    ids=["a picture gone", "a picture replaced", "a class renamed", "a picture damaged"],
)
def test_a_run_that_could_not_be_the_same_is_refused_before_anything_is_written(copy, run_cli, change, found):
    change(copy / "photos")
    before = bytes_of(copy / "run")
    line = one_line_error(run_cli("train", "pictures", "--resume", copy / "run"))
    assert found in line and f"the run {copy / 'run'} began with: put them back, or train a new run" in line
    assert bytes_of(copy / "run") == before


@pytest.mark.parametrize(
    "alter, words",
    [
        (lambda table: table.replace({"part": {"validation": "training"}}), "none of the run's validation pictures"),
        (lambda table: table.sort_values("name"), "photos: other images, labels or parts than those that the run"),
        (lambda table: table.assign(part=[*table["part"][-4:], *table["part"][:-4]]), "photos: other images, labels"),
        (lambda table: table.replace({"class": {"auk": "owl"}}), "config.json: class names auk, coot: expected all"),
    ],
    ids=["all trained on", "another order", "other parts", "another class"],
)
def test_a_list_that_was_altered_is_refused(copy, run_cli, alter, words):
    table = alter(data_list.read(copy / "run").table)
    data_list.write(table, copy / "run")
    before = bytes_of(copy / "run")
    assert words in one_line_error(run_cli("train", "--resume", copy / "run"))
    assert bytes_of(copy / "run") == before


def test_an_older_run_without_a_list_is_split_again_and_its_classes_are_compared(copy, run_cli):
    (copy / "run" / "files.csv.gz").unlink()
    photograph(copy / "photos" / "dodo" / "0.png", 1, 1)
    before = bytes_of(copy / "run")
    line = one_line_error(run_cli("train", "pictures", "--resume", copy / "run"))
    assert "photos: classes auk, coot, dodo: expected those that the run" in line and "began with, auk, coot;" in line
    assert bytes_of(copy / "run") == before
    shutil.rmtree(copy / "photos" / "dodo")
    assert run_cli("train", "pictures", "--resume", copy / "run").returncode == 0
    assert run_cli("evaluate", copy / "run").returncode == 0


def test_the_report_says_how_many_files_are_listed(begun):
    text = report.page(read_run(begun / "run"))
    assert f"<code>{begun / 'photos'}</code> (16 training and 4 validation files, listed in files.csv.gz)." in text


def test_records_and_csv_files_are_remembered_too(begun, tmp_path, run_cli):
    packed = run_cli("records", "pack", begun / "photos", tmp_path / "birds")
    assert packed.returncode == 0, packed.stderr
    lines = [f"{begun / 'photos' / c / str(i)}.png,{c}" for c in ("auk", "coot") for i in range(10)]
    (tmp_path / "birds.csv").write_text("\n".join(["path,label", *lines, ""]))
    for data in ("birds.rec", "birds.csv"):
        run = tmp_path / f"run-{data}"
        done = run_cli("train", "pictures", tmp_path / data, *SMALL, "--epochs", 1, "--out", run)
        assert done.returncode == 0, done.stderr
        listed = rows(run)
        assert len(listed) == 20 and all(len(row["sha256"]) == 64 and int(row["bytes"]) > 100 for row in listed)
        first = run_cli("evaluate", run)
        assert first.returncode == 0 and "changed since" not in first.stderr, first.stderr
    (tmp_path / "birds.csv").write_text("\n".join(["path,label", *lines[:-1], lines[-1].replace(",coot", ",auk"), ""]))
    done = run_cli("evaluate", tmp_path / "run-birds.csv", "--part", "all")
    assert "1 gone (such as" in done.stderr and "1 new (such as" in done.stderr and "19 pictures" in done.stdout
    for name in ("birds.rec", "birds.idx", "birds.json"):
        (tmp_path / name).unlink()
    photograph(tmp_path / "photos" / "auk" / "0.png", 0, 500)
    for c in ("auk", "coot"):
        for i in range(1, 10):
            (tmp_path / "photos" / c).mkdir(exist_ok=True)
            shutil.copy(begun / "photos" / c / f"{i}.png", tmp_path / "photos" / c)
    assert run_cli("records", "pack", tmp_path / "photos", tmp_path / "birds").returncode == 0
    done = run_cli("evaluate", tmp_path / "run-birds.rec", "--part", "all")
    assert "1 gone (such as coot/0.png), 1 altered (such as auk/0.png)" in done.stderr and "18 pictures" in done.stdout


def test_unverified_images_of_fashion_mnist_that_have_changed_are_refused(tmp_path, run_cli):
    data, run = write_idx_folder(tmp_path / "idx", small_arrays(64, 32)), tmp_path / "run"
    settings = ("--model", "resnet8@narrow", "--no-resize", "--batch-size", 32, "--epochs", 1, "--unverified")
    assert run_cli("train", "fashion-mnist", *settings, "--data", "idx", "--out", "run", cwd=tmp_path).returncode == 0
    assert run_cli("evaluate", run).returncode == 0  # from another folder than the one that "idx" is in
    write_idx_folder(data, small_arrays(64, 32, seed=8))
    line = one_line_error(run_cli("evaluate", run))
    assert "2 altered (such as train): expected the images that the run" in line


def test_a_hundred_thousand_names_take_less_than_ten_megabytes_and_every_name_is_read_back(tmp_path):
    odd = ['a,"b"\n\r;c.png', "NA", "", "null", "1.0", "caf\udce9.png", "照片.jpg", " x "]
    names = odd + [f"n{i % 1000:08d}/n{i % 1000:08d}_{i}.JPEG" for i in range(100_000)]
    keys = [(name, f"class {i % 1000}") for i, name in enumerate(names)]
    digests = [hashlib.sha256(b"%d" % i).hexdigest() for i in range(len(names))]  # cannot be compressed
    facts = {key: (100_000 + i, digest) for i, (key, digest) in enumerate(zip(keys, digests))}
    data_list.write(data_list.make({"training": keys[:80_000], "validation": keys[80_000:]}, facts), tmp_path)
    assert (tmp_path / "files.csv.gz").stat().st_size < 10e6
    again = data_list.read(tmp_path)
    assert again.keys("training") == keys[:80_000] and again.keys("validation") == keys[80_000:]
    assert again.facts() == facts


@pytest.mark.parametrize(
    "content", [b"", b"no gzip", gzip.compress(b"a,b\n1,2\n", mtime=0), gzip.compress(b"x" * 999, mtime=0)[:-9]]
)
def test_a_damaged_list_is_one_line(tmp_path, content):
    (tmp_path / "files.csv.gz").write_bytes(content)
    with pytest.raises(RunError, match="files.csv.gz: damaged .*expected the files that the run was trained on"):
        data_list.read(tmp_path)
