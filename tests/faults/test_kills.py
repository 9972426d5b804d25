"""SIGKILL at 50 random moments over one run, half of them inside a save: it ends as one that nobody disturbed."""

import os
import random
import subprocess
import sys
import time

import pytest

from tests.conftest import ROOT, small_arrays, write_idx_folder

KILLS, CALLS_OF_A_SAVE = 50, 500
WORDS = ("--model", "resnet8@narrow", "--no-resize", "--batch-size", 16, "--epochs", 24, "--unverified")
RECIPE = ("momentum=0.9", "schedule=onecycle", "ema=0.9", "mixup=0.2", "checkpoint_seconds=0", "accumulate=2")


def start(call, *words):
    command = [sys.executable, "-m", "tests.faults.kills", str(call), *map(str, words)]
    return subprocess.Popen(
        command,
        cwd=str(ROOT),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def first_checkpoint(out, process):
    """Wait until there is one that was not there before, or the process has ended."""
    before = {path.name for path in out.glob("checkpoint-*.npz")}
    while process.poll() is None and {path.name for path in out.glob("checkpoint-*.npz")} <= before:
        time.sleep(0.01)


@pytest.mark.faults
def test_a_run_killed_fifty_times_ends_bit_by_bit_as_one_that_was_not(tmp_path):
    write_idx_folder(tmp_path / "digits", small_arrays(128, 32))
    settings = [word for setting in RECIPE for word in ("--set", setting)]
    new = ("train", "fashion-mnist", *WORDS, *settings, "--data", tmp_path / "digits", "--out")
    out, choice, kills, inside = tmp_path / "killed", random.Random(7), 0, 0
    words = (*new, out)
    while kills < KILLS:
        in_a_save = kills % 2 == 0
        process = start(choice.randint(1, 3 * CALLS_OF_A_SAVE) if in_a_save else 0, *words)
        if not in_a_save:
            first_checkpoint(out, process)
            time.sleep(choice.uniform(0, 0.25))
            process.kill()
        printed = process.communicate()[0]
        assert process.returncode == -9, printed
        assert (out / "checkpoint-000001.npz").exists() or "resuming" in printed or not kills, printed
        assert "Traceback" not in printed and "damaged" not in printed, printed
        kills, inside = kills + 1, inside + in_a_save
        newest = max(out.glob("checkpoint-*.npz"), default=None)
        print(f"kill {kills}{' inside a save' if in_a_save else ''}: {newest and newest.stem}", flush=True)
        words = ("train", "--resume", out) if list(out.glob("checkpoint-*.npz")) else (*new, restarted(out))
    last = start(0, "train", "--resume", out)
    assert "run folder:" in last.communicate()[0] and last.returncode == 0
    whole = start(0, *new, tmp_path / "whole")
    assert "run folder:" in whole.communicate()[0] and whole.returncode == 0
    assert (out / "net.params").read_bytes() == (tmp_path / "whole" / "net.params").read_bytes()
    assert sorted(path.name for path in out.iterdir()) == sorted(path.name for path in (tmp_path / "whole").iterdir())
    print(f"{kills} kills survived, {inside} of them inside a save")


def restarted(out):
    """The folder of a run that was killed before its first checkpoint, free for a new one."""
    out.rename(out.with_name(f"{out.name}-{time.time_ns()}"))
    return out
