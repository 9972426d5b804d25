"""Death and power cuts at every call of a save: the loader gives the checkpoint before or the new one, not neither."""

import json
import os
import subprocess
import sys
from collections import Counter

from tests.conftest import ROOT
from tests.faults.deaths import NEW, OLD, power_cuts


def test_death_before_and_after_every_call_of_a_save_leaves_the_old_or_the_new_checkpoint(tmp_path):
    """In a process of its own that has no mxnet, and so can fork the ones that die."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.deaths", str(tmp_path)],
        cwd=str(ROOT),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    kinds = Counter(kind for _, kind, *_ in rows)
    # each twice: two files created, then opened to be written, and opened, synced and renamed; the folder after each;
    # one checkpoint with its hash removed
    assert kinds["create"] == 8 and kinds["fsync"] == kinds["open"] == 8 and kinds["replace"] == kinds["unlink"] == 4
    assert kinds["write"] > 40
    renamed = next(i for i, row in enumerate(rows) if row[1:3] == ["replace", ".checkpoint-000003.npz.TEMPORARY.npz"])
    half = len(rows) // 2
    for i, (_, _, _, found, after, files, left) in enumerate(rows):
        is_new = i > renamed if i < half else i - half >= renamed
        assert (found, after, files, left) == (NEW if is_new else OLD, NEW + 1, 4, []), rows[i]


def test_a_power_cut_at_any_call_leaves_the_old_or_the_new_checkpoint(tmp_path):
    found = power_cuts(tmp_path)
    assert set(found) == {OLD, NEW} and sum(found.values()) > 300
    assert set(power_cuts(tmp_path / "one", keep=1)) == {1, 2}


def test_without_fsync_a_power_cut_would_leave_neither(tmp_path, monkeypatch):
    """So the disk of these tests can lose what it should be able to lose."""
    from gluon_resnet import files

    monkeypatch.setattr(files, "sync", lambda path: None)
    assert "neither" in power_cuts(tmp_path, keep=1)
