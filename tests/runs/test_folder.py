"""The end of a run: whatever happens there, the training is not lost."""

import json
import os
import subprocess
import sys
from datetime import datetime

from gluon_resnet import files
from gluon_resnet.errors import RunError
from gluon_resnet.runs import folder as runs
from gluon_resnet.training import curves
from gluon_resnet.training.checkpoint import Keeper

import pytest

from tests.conftest import CommandLine, one_line_error, small_arrays, write_idx_folder
from tests.full_disk import full_disk

pytestmark = pytest.mark.usefixtures("plain_curves")
CHECKPOINTS = [f"checkpoint-00000{number}.{kind}" for number in (1, 2) for kind in ("npz", "sha256")]
FILES = ["config.json", "curves.png", "env.json", "files.csv.gz", "history.csv", "net.params", "result.json"]


def train(run_cli, data, out, epochs=2):
    settings = ("--model", "resnet8@narrow", "--no-resize", "--batch-size", 64, "--epochs", epochs)
    return run_cli("train", "fashion-mnist", *settings, "--unverified", "--data", data, "--out", out)


def resume(run_cli, out):
    return run_cli("train", "fashion-mnist", "--resume", out)


def results(folder):
    """(parameters, result without the memory, history) of a run folder; all are the same after a kill and a resume."""
    result = json.loads((folder / "result.json").read_text())
    del result["peak_memory_bytes"]
    times = {name: value for name, value in result.items() if "sec" in name or name == "others_cores"}
    history = [line.split(",")[:7] for line in (folder / "history.csv").read_text().splitlines()]
    return (folder / "net.params").read_bytes(), {n: v for n, v in result.items() if n not in times}, history


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_idx_folder(tmp_path_factory.mktemp("idx") / "small", small_arrays(128, 32))


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """A run of two epochs that nothing interrupted."""
    out = tmp_path_factory.mktemp("whole") / "run"
    assert train(CommandLine(), data, out).returncode == 0
    return out


class Killed(BaseException):
    """Ends the process at once, as SIGKILL would: nothing catches it."""


def test_a_run_killed_between_any_two_steps_of_its_end_is_not_lost(run_cli, data, whole, tmp_path, monkeypatch):
    out = tmp_path / "run"
    replace, remove = os.replace, Keeper.remove
    there = {}
    for step in ("net.params", "result.json", "curves.png", "checkpoints"):

        def killed(source, target, step=step):
            if os.path.basename(target) == step:
                raise Killed
            replace(source, target)

        def killed_at_last(keeper):
            raise Killed

        with monkeypatch.context() as patch:
            # in the first round it is trained, from then on it is resumed at its very end
            patch.setattr(files.os, "replace", replace if step == "checkpoints" else killed)
            patch.setattr(Keeper, "remove", killed_at_last if step == "checkpoints" else remove)
            with pytest.raises(Killed):
                (train(run_cli, data, out) if step == "net.params" else resume(run_cli, out))
        there[step] = sorted(os.listdir(out))
    assert "net.params" not in there["net.params"] and "result.json" not in there["net.params"]
    assert "net.params" in there["result.json"] and "result.json" not in there["result.json"]
    assert "result.json" in there["curves.png"] and "curves.png" not in there["curves.png"]
    assert there["checkpoints"] == [*CHECKPOINTS, *FILES]
    done = resume(run_cli, out)
    assert done.returncode == 0, done.stderr
    assert f"resuming {out} after its last epoch: its results are written" in done.stdout
    assert sorted(os.listdir(out)) == FILES and results(out) == results(whole)
    assert "the run is finished" in one_line_error(resume(run_cli, out))


def test_a_disk_that_is_full_at_the_end_is_one_line_and_the_run_goes_on_later(
    run_cli, data, whole, tmp_path, monkeypatch
):
    out, finish = tmp_path / "run", runs.RunFolder.finish
    size = (whole / "net.params").stat().st_size

    def without_room(folder, summary, net=None):
        with full_disk(size - 1000):
            return finish(folder, summary, net)

    with monkeypatch.context() as patch:
        patch.setattr(runs.RunFolder, "finish", without_room)
        done = train(run_cli, data, out)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    line = done.stderr.splitlines()[-1]
    assert f"{out}/net.params: cannot be written (" in line
    assert line.endswith(f"the last checkpoint is whole: make room, then go on with --resume {out}")
    assert sorted(os.listdir(out)) == [*CHECKPOINTS, "config.json", "env.json", "files.csv.gz", "history.csv"]
    assert resume(run_cli, out).returncode == 0
    assert sorted(os.listdir(out)) == FILES and results(out) == results(whole)


def test_a_disk_without_room_for_the_last_checkpoint_still_gets_the_parameters(run_cli, data, whole, tmp_path):
    out = tmp_path / "run"
    with full_disk((whole / "net.params").stat().st_size):  # the checkpoint is larger: it has JSON, too
        done = train(run_cli, data, out, 1)
    assert done.returncode == 0, done.stderr
    assert sorted(os.listdir(out)) == FILES
    assert json.loads((out / "result.json").read_text())["status"] == "finished"


def test_curves_that_cannot_be_drawn_are_a_note(run_cli, data, tmp_path, monkeypatch):
    def stumble(*args, **kwargs):
        raise ValueError("ParseException: Expected end of text, found '$'")

    monkeypatch.setattr(curves, "draw_curves", stumble)
    done = train(run_cli, data, tmp_path / "run", 1)
    assert done.returncode == 0, done.stderr
    note = "note: curves.png was not written (ParseException: Expected end of text, found '$'); the run is complete"
    assert note in done.stdout
    assert sorted(os.listdir(tmp_path / "run")) == [name for name in FILES if name != "curves.png"]
    assert json.loads((tmp_path / "run" / "result.json").read_text())["status"] == "finished"


def test_what_a_killed_run_left_half_written_is_no_file_of_the_run_and_goes_when_it_is_resumed(
    run_cli, data, tmp_path, monkeypatch
):
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(Keeper, "remove", lambda keeper: None)
        assert train(run_cli, data, out, 1).returncode == 0
    for name in ("checkpoint.npz", "checkpoint-000007.npz", "checkpoint-000007.sha256", "net.params"):
        (out / f".{name}.0123abcd{os.path.splitext(name)[1]}").write_bytes(b"half")
    (out / ".of_the_user").write_bytes(b"theirs")
    done = resume(run_cli, out)
    assert f"run folder: {out} ({', '.join(FILES)})" in done.stdout
    assert sorted(os.listdir(out)) == [".of_the_user", *FILES]


@pytest.mark.parametrize("umask, file_mode, folder_mode", [(0o077, 0o600, 0o700), (0o022, 0o644, 0o755)])
def test_the_umask_says_who_may_read(tmp_path, umask, file_mode, folder_mode):
    before = os.umask(umask)
    try:
        with files.written_whole(tmp_path / "one.txt") as temporary:
            temporary.write_text("1")
        with files.folder_written_whole(tmp_path / "folder") as folder:
            (folder / "two.txt").write_text("2")
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    assert modes == {"one.txt": file_mode, "folder": folder_mode, "two.txt": file_mode}


def test_runs_of_one_second_have_folders_of_their_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    noon = datetime(2026, 11, 28, 12)
    names = [str(runs.default_folder("resnet18@d2l-birds", noon)) for _ in range(3)]
    first = "runs/20261128-120000-resnet18@d2l-birds"
    assert names == [first, f"{first}-2", f"{first}-3"] and sorted(os.listdir("runs")) == sorted(
        os.path.basename(name) for name in names
    )
    (tmp_path / "file" / "here").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "file" / "here")
    (tmp_path / "file" / "here" / "runs").touch()
    with pytest.raises(RunError, match=r"runs/20261128-120000-a: cannot be written .Not a directory."):
        runs.default_folder("a", noon)


def test_a_closed_standard_error_and_output_change_nothing(data, tmp_path):
    """As ``gluon-resnet ... >&- 2>&-`` in a shell."""
    words = [
        "train",
        "fashion-mnist",
        "--model",
        "resnet8@narrow",
        "--no-resize",
        "--batch-size",
        "64",
        "--epochs",
        "1",
    ]
    command = [sys.executable, "-m", "gluon_resnet", *words, "--unverified", "--data", data, "--out", tmp_path / "run"]
    script = tmp_path / "script"  # bash reads it through the first number that is free: that of the closed stream
    script.write_text('#!/bin/bash\nexec "$@"\n')
    script.chmod(0o755)
    done = subprocess.run(["sh", "-c", 'exec "$@" >&- 2>&-', "sh", script, *map(str, command)], timeout=120)
    assert done.returncode == 0 and sorted(os.listdir(tmp_path / "run")) == FILES
    assert json.loads((tmp_path / "run" / "config.json").read_text())["kind"] == "fashion-mnist"
