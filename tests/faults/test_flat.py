"""Long runs: resident memory stays flat within 2 %, descriptors and threads stay as many as they were."""

import json
import os
import statistics
import subprocess
import sys

import pytest

from tests.conftest import ROOT, small_arrays, write_idx_folder
from tests.runs.test_data_list import write_birds

pytestmark = pytest.mark.faults


def assert_flat(words, cwd, epochs):
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.flat", *map(str, words)],
        cwd=str(cwd),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout.splitlines()[-1])
    assert len(rows) == epochs
    fifth = epochs // 5
    early, late = (
        [statistics.median(column) for column in zip(*part)] for part in (rows[fifth : 2 * fifth], rows[-fifth:])
    )
    print(
        f"{early[0] / 2**20:.1f} MiB, then {late[0] / 2**20:.1f} MiB; descriptors and threads {early[1:]}, {late[1:]}"
    )
    assert abs(late[0] / early[0] - 1) < 0.02, [row[0] for row in rows[:: fifth // 4 or 1]]
    assert late[1:] == early[1:]


def test_ten_thousand_steps(tmp_path):
    write_idx_folder(tmp_path / "digits", small_arrays(800, 32))
    words = (
        "--model",
        "resnet8@narrow",
        "--resize",
        8,
        "--batch-size",
        4,
        "--epochs",
        50,
        "--unverified",
        "--data",
        "digits",
    )
    assert_flat(("train", "fashion-mnist", *words, "--set", "norm_batches=2", "--out", "run"), tmp_path, 50)


def test_two_hundred_epochs_of_pictures(tmp_path):
    write_birds(tmp_path / "photos")
    words = ("--model", "resnet8@narrow", "--image-size", 32, "--batch-size", 4, "--epochs", 200, "--lr", 0.001)
    assert_flat(("train", "pictures", "photos", *words, "--set", "flip=0.5", "--out", "run"), tmp_path, 200)
