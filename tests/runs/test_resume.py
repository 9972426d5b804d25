"""--resume alone, in a folder that is in use, and with one field altered in checkpoint, config.json or history.csv."""

import csv
import hashlib
import json
import os
import shutil

from gluon_resnet.runs.lock import alone_in
from gluon_resnet.training import checkpoint, checkpoint_files

import numpy
import pytest

from tests.conftest import CommandLine, one_line_error, small_arrays, write_idx_folder
from tests.runs.test_data_list import SMALL, Killed, write_birds

pytestmark = pytest.mark.usefixtures("plain_curves")


def killed_after(saves, *words, cwd):
    """A run that is killed after so many checkpoints."""
    save, count = checkpoint.save, []

    def killed(*args):
        save(*args)
        count.append(1)
        if len(count) == saves:
            raise Killed

    checkpoint.save = killed
    try:
        with pytest.raises(Killed):
            CommandLine()("train", *words, cwd=cwd)
    finally:
        checkpoint.save = save


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A folder with digits/ and run/, a run on them that was killed in the middle of its second epoch."""
    folder = tmp_path_factory.mktemp("begun")
    write_idx_folder(folder / "digits", small_arrays(64, 32))
    words = ("--model", "resnet8@narrow", "--no-resize", "--batch-size", 16, "--epochs", 2, "--unverified")
    rest = ("--set", "momentum=0.9", "--set", "ema=0.9", "--set", "checkpoint_seconds=0")
    killed_after(7, "fashion-mnist", *words, "--data", "digits", "--out", "run", *rest, cwd=folder)
    return folder


@pytest.fixture
def run(begun, tmp_path):
    """A copy of the run, to be altered."""
    shutil.copytree(begun / "run", tmp_path / "run")
    return tmp_path / "run"


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def refused(run_cli, run):
    """The line that --resume prints; the test fails if it has written anything."""
    before = bytes_of(run)
    line = one_line_error(run_cli("train", "--resume", run))
    assert bytes_of(run) == before
    return line


def test_resume_needs_no_kind(run, run_cli, tmp_path):
    shutil.copytree(run, tmp_path / "other")
    one, two = run_cli("train", "--resume", run), run_cli("train", "fashion-mnist", "--resume", tmp_path / "other")
    assert (one.returncode, two.returncode) == (0, 0), one.stderr + two.stderr
    assert f"resuming {run} at epoch 2, after batch 2" in one.stdout
    assert (run / "net.params").read_bytes() == (tmp_path / "other" / "net.params").read_bytes()
    assert sorted(path.name for path in run.iterdir())[0] == "config.json"  # no checkpoint, no lock


def test_resume_and_a_kind(run, run_cli):
    line = one_line_error(run_cli("train", "pictures", "--resume", run))
    assert line.endswith(f"a run of another kind, fashion-mnist: resume it with: gluon-resnet train --resume {run}")
    line = one_line_error(run_cli("train", "--resume", run, "fashion-mnist"))
    assert "--resume RUN needs no fashion-mnist" in line
    assert "No such option" in one_line_error(run_cli("train", "--resume", run, "--lr", 1))
    assert "Resume a run" in run_cli("train").stdout + run_cli("train").stderr


def test_a_run_on_pictures_needs_no_kind_either_and_ends_as_one_that_was_not_killed(run_cli, tmp_path):
    write_birds(tmp_path / "photos")
    whole = run_cli("train", "pictures", "photos", *SMALL, "--out", "whole", cwd=tmp_path)
    assert whole.returncode == 0, whole.stderr
    more = ("--set", "checkpoint_seconds=0")
    killed_after(6, "pictures", "photos", *SMALL, "--out", "run", *more, cwd=tmp_path)
    done = run_cli("train", "--resume", tmp_path / "run")
    assert done.returncode == 0 and f"resuming {tmp_path / 'run'} at epoch 2, after batch 1" in done.stdout, done.stdout
    assert (tmp_path / "run" / "net.params").read_bytes() == (tmp_path / "whole" / "net.params").read_bytes()


def test_a_run_under_way_is_refused_to_a_second_process(run, run_cli):
    with alone_in(run):
        line = one_line_error(run_cli("train", "--resume", run))
    assert f"{run}: process {os.getpid()} on " in line and "is at work in this run: wait for it, or end it" in line


def test_three_checkpoints_are_kept_or_as_many_as_keep_says(run, begun, run_cli, tmp_path):
    assert [path.name for path in checkpoint_files.checkpoints(run)] == [f"checkpoint-00000{n}.npz" for n in (7, 6, 5)]
    words = ("--model", "resnet8@narrow", "--no-resize", "--batch-size", 16, "--epochs", 1, "--unverified", "--keep", 1)
    rest = ("--data", begun / "digits", "--out", tmp_path / "one", "--set", "checkpoint_seconds=0")
    killed_after(3, "fashion-mnist", *words, *rest, cwd=tmp_path)
    kept = sorted(path.name for path in (tmp_path / "one").glob("checkpoint*"))
    assert kept == ["checkpoint-000003.npz", "checkpoint-000003.sha256"]
    assert "0 is not in the range" in one_line_error(run_cli("train", "fashion-mnist", "--keep", 0))
    assert "keep is 0: expected a whole number of at least 1" in one_line_error(
        run_cli("train", "fashion-mnist", "--set", "keep=0")
    )


def test_a_damaged_newest_checkpoint_is_named_once_and_the_run_ends_as_if_nothing_had_happened(run, run_cli, tmp_path):
    shutil.copytree(run, tmp_path / "undisturbed")
    assert run_cli("train", "--resume", tmp_path / "undisturbed").returncode == 0
    (run / "checkpoint-000007.npz").write_bytes((run / "checkpoint-000007.npz").read_bytes()[:-1])
    done = run_cli("train", "--resume", run)
    assert done.returncode == 0, done.stderr
    [line] = [line for line in done.stdout.splitlines() if "damaged checkpoint" in line]
    assert line.startswith(f"{run}/checkpoint-000007.npz: damaged checkpoint (its SHA-256 is ")
    assert line.endswith("not the one in checkpoint-000007.sha256): the one before is taken")
    assert f"resuming {run} at epoch 2, after batch 1" in done.stdout
    assert (run / "net.params").read_bytes() == (tmp_path / "undisturbed" / "net.params").read_bytes()
    history = [(folder / "history.csv").read_text().splitlines() for folder in (run, tmp_path / "undisturbed")]
    assert [row.split(",")[:8] for row in history[0]] == [row.split(",")[:8] for row in history[1]]


SETTINGS = {
    "batch_size": 8,
    "resize": 32,
    "seed": 3,
    "optimizer": "nag",
    "momentum": 0.5,
    "lr": 0.06,
    "epochs": 3,
    "schedule": "cosine",
    "model": "resnet18",
    "limit": 32,
    "norm_batches": 0,
    "flip": True,
    "ema": 0.5,
}


@pytest.mark.parametrize("name", SETTINGS)
def test_another_setting_in_config_json_is_one_line(run, run_cli, name):
    content = json.loads((run / "config.json").read_text())
    before = content["config"][name]
    content["config"][name] = SETTINGS[name]
    (run / "config.json").write_text(json.dumps(content))
    line = refused(run_cli, run)
    if name == "model":
        assert "config.json: its network is not the resnet18@d2l for 10 classes that its settings name" in line
    else:
        said = f"config.json: {name} is {SETTINGS[name]!r}: it was {before!r} when the checkpoint was written"
        assert line.endswith(f"{said}; put that back, or train a new run")


@pytest.mark.parametrize(
    "path, value, words",
    [
        (["version"], 7, "version 7 of the layout: expected 1"),
        (["kind"], "pictures", "unknown setting"),
        (["kind"], 3, "kind is 3: expected a text"),
        (["started_in"], 3, "started_in is 3: expected a text"),
        (["title"], [], r"title is []: expected a text"),
        (["command"], None, "command is None: expected a text"),
        (["network"], None, "no network that this version knows"),
        (["network", "num_classes"], 9, "its network is not the resnet8@narrow for 10 classes"),
        (["network", "family"], "x", "no network that this version knows"),
        (["config"], 3, "not the config of a run"),
        (["config", "lr"], "fast", "lr is 'fast': expected a number"),
        (["config", "precision"], "float64", "precision is 'float64'"),
        (["config", "epochs"], -1, "epochs is -1: expected a whole number"),
        (["config", "colour"], 1, "unknown setting 'colour'"),
        (["config", "verify"], True, "idx"),
    ],
    ids=lambda value: ".".join(value) if isinstance(value, list) else None,
)
def test_any_other_entry_of_config_json_is_one_line(run, run_cli, path, value, words):
    content = json.loads((run / "config.json").read_text())
    place = content
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    (run / "config.json").write_text(json.dumps(content))
    assert words in refused(run_cli, run)


@pytest.mark.parametrize("content", ["", "{", "[]", "3", '{"version": 1}', "[" * 100_000, "\0", '"' + "x" * 99])
def test_another_text_in_config_json_is_one_line(run, run_cli, content):
    (run / "config.json").write_text(content)
    assert "config.json" in refused(run_cli, run) or "not a run folder that can be read" in refused(run_cli, run)


def alter(run, change):
    """Change arrays and note of the newest checkpoint, and write a right hash next to it."""
    arrays, note = checkpoint.read(run)
    arrays = dict(arrays)
    change(arrays, note)
    arrays["note"] = numpy.frombuffer(json.dumps(note).encode(), dtype=numpy.uint8)
    checkpoint_files.write(run, arrays, keep=1)  # no other is left to go on from


def setting(*path, to):
    def change(arrays, note):
        place = note
        for name in path[:-1]:
            place = place[name]
        if to is None:
            del place[path[-1]]
        else:
            place[path[-1]] = to

    return change


BIAS, WEIGHT = "parameter/7.bias", "parameter/7.weight"


def array(name, to):
    def change(arrays, note):
        if to is None:
            del arrays[name]
        else:
            arrays[name] = to(arrays[name]) if name in arrays else to(arrays[BIAS])

    return change


@pytest.mark.parametrize(
    "change, words",
    [
        (setting("at", to=None), "its note has no at: expected a JSON object"),
        (setting("done", to=None), "its note has no done: expected a list"),
        (setting("counts", to=None), "its note has no counts"),
        (setting("now", to=None), "its note has no now"),
        (setting("at", "batch", to=9999), "the checkpoint is at batch 9,999 of an epoch, which has 4"),
        (setting("at", "batch", to=-1), "at.batch is -1: expected a whole number of at least 0"),
        (setting("at", "batch", to="two"), "at.batch is 'two': expected a whole number"),
        (setting("at", "batch", to=True), "at.batch is True: expected a whole number"),
        (setting("at", "epoch", to=0), "at.epoch is 0: expected a whole number of at least 1"),
        (setting("at", "epoch", to=2**70), "at.epoch is 118059"),
        (setting("at", "epoch", to=1), "its note has 1 epoch done and is at epoch 1"),
        (setting("at", "loss", to="low"), "at.loss is 'low': expected a number"),
        (setting("at", "loss", to=float("nan")), "at.loss is nan"),
        (setting("at", "correct", to=1000.0), "at.correct is 1000.0: expected at most the"),
        (setting("at", to=[]), "its note's at is []: expected a JSON object"),
        (setting("done", 0, "loss", to=None), "its note has no done[0].loss"),
        (setting("done", 0, "test_acc", to=2.0), "done[0].test_acc is 2.0: expected a number from 0 to 1"),
        (setting("done", 0, "colour", to=1), "expected the record of an epoch"),
        (setting("done", to=[]), "its note has 0 epochs done and is at epoch 2"),
        (setting("counts", "updates", to=-3), "counts.updates is -3"),
        (setting("counts", "by_parameter", to={}), "the checkpoint's counts of updates are not those of this training"),
        (setting("counts", "by_parameter", "7.bias", to=1.5), "by_parameter is {"),
        (setting("now", "numpy", 2, to=9999), "its note's now: expected the states of NumPy's and Python's random"),
        (setting("start", "numpy", 1, to=[1, 2]), "its note's start: expected the states"),
        (setting("start", "python", 1, to=["a"] * 625), "its note's start: expected the states"),
        (setting("scale", to={"factor": 2.0, "good": 1}), "the checkpoint is of another precision"),
        (setting("scale", to={"factor": 0, "good": 1}), "scale.factor is 0: expected a number from 1 to 2^24"),
        (setting("version", to=9), "version 9 of the format: expected 2"),
        (setting("run", "settings", "seed", to=1), "seed is 0: it was 1 when the checkpoint was written"),
        (setting("run", "data", to="0" * 64), "digits (the folder given): other images, labels or parts than those"),
        (setting("run", "kind", to="x"), "its kind: it was another"),
        (setting("history", to="0" * 64), "history.csv: not as it was when the checkpoint was written"),
        (setting("history", to=7), "its note's history is 7"),
        (array(BIAS, None), "parameters and averages are not those of this training, such as parameter/7.bias"),
        (array("parameter/more", lambda bias: bias), "such as parameter/more, which the checkpoint alone has"),
        (array(BIAS, lambda bias: bias[:1]), "parameter/7.bias is float32 (1,): expected float32 (10,)"),
        (array(WEIGHT, lambda weight: weight.T.copy()), "parameter/7.weight is float32 ("),
        (array(BIAS, lambda bias: bias.astype("float64")), "parameter/7.bias is float64 (10,): expected float32"),
        (array(BIAS, lambda bias: bias.astype("int32")), "parameter/7.bias: int32: expected real numbers"),
        (array(BIAS, lambda bias: bias * numpy.nan), "parameter/7.bias: 10 of 10 numbers are not finite"),
        (array("average/7.bias", lambda bias: bias / 0 + numpy.inf), "average/7.bias: 10 of 10 numbers are not finite"),
        (array("average/7.bias", lambda bias: bias[:1]), "average/7.bias is float32 (1,)"),
        (array("average/7.bias", None), "such as average/7.bias, which the training alone has"),
        (array("optimizer/7.bias/0", lambda state: state[:1]), "optimizer/7.bias/0 is float32 (1,)"),
        (array("optimizer/7.bias/0", None), "states of the optimizer are not those of this training"),
        (array("optimizer/7.bias/1", lambda bias: bias), "such as optimizer/7.bias/1, which the checkpoint alone has"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_any_field_of_a_checkpoint_altered_is_one_line_though_its_hash_is_right(run, run_cli, change, words):
    alter(run, change)
    line = refused(run_cli, run)
    assert words in line


def test_other_images_under_the_same_names_are_refused_though_their_list_is_gone(begun, run_cli, tmp_path):
    shutil.copytree(begun, tmp_path / "all")
    run = tmp_path / "all" / "run"
    written = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**written, "started_in": str(tmp_path / "all")}))
    (run / "files.csv.gz").unlink()
    write_idx_folder(tmp_path / "all" / "digits", small_arrays(64, 32, seed=8))
    assert "digits (the folder given): other images, labels or parts than those that the run" in refused(run_cli, run)


def rows(run):
    with open(run / "history.csv", newline="") as stream:
        return list(csv.reader(stream))


def write_rows(run, table):
    with open(run / "history.csv", "w", newline="") as stream:
        csv.writer(stream).writerows(table)


def cell(line, column, value):
    def change(table):
        table[line - 1][table[0].index(column)] = value

    return change


def without(column):
    def change(table):
        place = table[0].index(column)
        for row in table:
            del row[place]

    return change


@pytest.mark.parametrize(
    "change, words",
    [
        (cell(1, "loss", "losses"), "damaged: expected the columns epoch, batch"),
        (cell(2, "loss", "low"), "damaged: line 2: loss is 'low': expected a number"),
        (cell(3, "epoch", "1.5"), "damaged: line 3: epoch is '1.5': expected a whole number of at least 1"),
        (cell(3, "batch", ""), "damaged: line 3: batch is 'nan'"),
        (cell(3, "batch", "1"), "damaged: line 3: epoch 1, batch 1: expected a later one"),
        (cell(2, "loss", "inf"), "damaged: line 2: loss is 'inf'"),
        (cell(2, "test_acc", "high"), "damaged: line 2: test_acc is 'high'"),
        (cell(2, "lr", "fast"), "damaged: line 2: lr is 'fast': expected a number"),
        (cell(2, "loss", "0.25"), "not as it was when the checkpoint was written: copy the run folder again, or"),
        (cell(5, "test_acc", "0.25"), "not as it was when the checkpoint was written"),
        (cell(3, "lr", "0.25"), "not as it was when the checkpoint was written"),
        (without("lr"), "not as it was when the checkpoint was written"),
        (lambda table: table.pop(2), "not as it was when the checkpoint was written"),
        (lambda table: table[1].append("7"), "damaged: "),
        (lambda table: table.clear(), "damaged: "),
    ],
)
def test_any_field_of_history_csv_altered_is_one_line(run, run_cli, change, words):
    table = rows(run)
    change(table)
    write_rows(run, table)
    line = refused(run_cli, run)
    assert "history.csv: " + words in line and line.endswith("or remove this file to go on without it")


def test_without_a_history_the_run_goes_on_and_says_so(run, run_cli):
    (run / "history.csv").unlink()
    done = run_cli("train", "--resume", run)
    assert done.returncode == 0, done.stderr
    assert f"{run}/history.csv: no such file: the history of the run begins here" in done.stdout
    assert [row[:2] for row in rows(run)[1:]] == [["2", "3"], ["2", "4"]]


def test_a_run_begun_by_a_version_without_learning_rates_goes_on(run, run_cli):
    """Its history.csv has no column lr, and the hash in its checkpoint is that of such a text."""
    table = [row[: rows(run)[0].index("lr")] for row in rows(run)]
    write_rows(run, table)
    line = refused(run_cli, run)
    assert "not as it was when the checkpoint was written" in line
    before = [row for row in table if row[:1] != ["2"] or int(row[1]) < 2]
    text = "".join(",".join(row) + "\n" for row in before)
    alter(run, setting("history", to=hashlib.sha256(text.encode()).hexdigest()))
    done = run_cli("train", "--resume", run)
    assert done.returncode == 0 and "at epoch 2, after batch 2" in done.stdout, done.stderr
    place = rows(run)[0].index("lr")
    assert [row[place] for row in rows(run)[1:]] == [""] * (len(before) - 1) + ["", "0.05", "0.05"]


def test_the_checkpoint_of_an_older_version_is_taken_without_a_hash(run, run_cli, tmp_path):
    shutil.copytree(run, tmp_path / "undisturbed")
    assert run_cli("train", "--resume", tmp_path / "undisturbed").returncode == 0
    arrays, note = checkpoint.read(run)
    note = {name: value for name, value in note.items() if name not in ("history", "run")}
    checkpoint_files.remove(run)
    text = numpy.frombuffer(json.dumps({**note, "version": 1}).encode(), dtype=numpy.uint8)
    numpy.savez(str(run / "checkpoint.npz"), note=text, **arrays)
    content = json.loads((run / "config.json").read_text())
    del content["config"]["keep"]  # a setting that it did not have
    (run / "config.json").write_text(json.dumps(content))
    done = run_cli("train", "--resume", run)
    assert done.returncode == 0 and "at epoch 2, after batch 2" in done.stdout, done.stderr
    assert (run / "net.params").read_bytes() == (tmp_path / "undisturbed" / "net.params").read_bytes()
    assert not list(run.glob("checkpoint*"))
