"""The benchmark's arithmetic and files, with the workers' measurements made up; one worker is run for real, small."""

import json
import os
import subprocess
import sys

from gluon_resnet.benchmarks import processes, training
from gluon_resnet.errors import BackendError, ConfigError
from gluon_resnet.machine import env

import pytest

from tests.conftest import one_line_error


def measurement(rate, threads=1):
    return {
        "examples": 100,
        "seconds": 100 / rate,
        "examples_per_sec": rate,
        "version": "mxnet 1.9.1",
        "threads": threads,
        "peak_memory_bytes": 2**30,
    }


def test_medians_and_ratio():
    table = training.table(
        {
            "gluon-resnet": [measurement(rate, 2) for rate in (90, 100, 130)],
            "d2l": [measurement(rate) for rate in (20, 40, 25)],
        }
    )
    assert list(table["examples/s (median)"]) == [100, 25]
    assert list(table["gluon-resnet is faster by"]) == ["1.00x", "4.00x"]
    assert (table["lowest"][1], table["highest"][1], table["peak MiB"][1]) == (20, 40, 1024)


def test_programs_alternate_and_the_files_are_written(tmp_path, monkeypatch):
    asked = []

    def run(python, worker, settings, environ):
        asked.append((worker, "OMP_NUM_THREADS" in environ))
        return {"rows": [{"network": "ResNet-18", "batch_size": 32}]} if worker == "depths.py" else measurement(50)

    monkeypatch.setattr(training, "run_worker", run)
    monkeypatch.setattr(training, "is_native", lambda: False)
    monkeypatch.setattr(training.winograd, "unsuitable", lambda: "not here")
    text = training.train(2, 8, 256, 96, None, True, tmp_path / "out", say=lambda line: None)
    assert [worker for worker, _ in asked] == ["ours.py", "d2l_own.py"] * 2 + ["all_images.py", "depths.py"]
    prepared = "OMP_NUM_THREADS" in env.prepare().variables
    assert not prepared or not any(threads for _, threads in asked)  # all start with their own defaults
    assert (tmp_path / "out" / "train.md").read_text() == text + "\n" and "1.00x" in text
    assert json.loads((tmp_path / "out" / "train.json").read_text())["measured"]["gluon-resnet"][1]["examples"] == 100


def test_a_worker_that_fails_and_a_folder_that_cannot_be_written(tmp_path):
    with pytest.raises(BackendError, match="ours.py failed"):
        processes.run_worker(sys.executable, "ours.py", {}, dict(os.environ))
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be written"):
        training.train(1, 5, 1, 32, None, False, tmp_path / "file" / "out")


def test_the_timer_leaves_the_first_two_batches_out(monkeypatch):
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]\nimport common\nnow = [0.0]\n"
        "common.time.perf_counter = lambda: now[0]\n"
        "timed = common.Timed([([0], [0] * 10)] * 5, lambda: None)\n"
        "for _ in timed:\n    now[0] += 2\nprint(timed.examples, timed.seconds)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(processes.WORKERS), str(processes.MACHINE)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["30", "6.0"]


DOCUMENT = (
    "# Speed\n\n<!-- bench train: begin -->\nold\n<!-- bench train: end -->\n\nby hand\n"
    "<!-- bench pictures: begin -->\n<!-- bench pictures: end -->\n"
)


def test_a_document_gets_the_table_between_its_own_marks(tmp_path):
    path = tmp_path / "benchmarks.md"
    path.write_text(DOCUMENT)
    processes.update_document(path, "train", "# Title\n\n| a |\n\n## Part", "2026-11-27")
    new = "\n### Title\n\n| a |\n\n#### Part\n\nMeasured on 2026-11-27.\n"
    assert path.read_text() == DOCUMENT.replace("\nold\n", new)
    processes.update_document(path, "train", "# Title\n\n| a |\n\n## Part", "2026-11-27")
    assert path.read_text() == DOCUMENT.replace("\nold\n", new)  # again: the same


@pytest.mark.parametrize("content", ["# Speed\n", "<!-- bench train: begin -->\n", None])
def test_a_document_without_marks_is_refused_before_anything_is_measured(run_cli, tmp_path, content):
    path = tmp_path / "benchmarks.md"
    if content is not None:
        path.write_text(content)
    words = one_line_error(run_cli("bench", "train", "--docs", str(path), "--out", str(tmp_path / "out")))
    assert str(path) in words and not (tmp_path / "out").exists()
