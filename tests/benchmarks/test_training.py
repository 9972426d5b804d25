"""The training benchmark with the workers' measurements made up; the worker of this suite runs for real, small."""

import json
import os
import subprocess
import sys

from gluon_resnet import byhand
from gluon_resnet.benchmarks import peers, processes, training, turns
from gluon_resnet.data import fashion_mnist
from gluon_resnet.errors import BackendError, ConfigError
from gluon_resnet.machine import env
from gluon_resnet.networks.specs import parse_model

import numpy
import pytest

from tests.benchmarks.made_up import BOUNDS, cells, environments, measurement
from tests.conftest import one_line_error, small_arrays, write_idx_folder

FEW = "This machine's own bounds, measured in the same run: matrix product, float32 200 GFLOP/s (200-200)"


@pytest.fixture
def small_data(tmp_path, small_is_published, monkeypatch):
    """The small images instead of Fashion-MNIST, also for a worker."""
    folder = write_idx_folder(tmp_path / "data", small_arrays())
    load = fashion_mnist.load_arrays
    monkeypatch.setattr(fashion_mnist, "load_arrays", lambda *_, **__: load(folder))
    return folder


@pytest.fixture
def workers(monkeypatch):
    """A list of (worker, way, python, had OMP_NUM_THREADS) that are asked; rates are 50, PyTorch's bfloat16 100."""
    asked = []

    def run(python, worker, settings, environ):
        if worker == "bounds.py":
            return BOUNDS
        asked.append((worker, settings.get("way"), python, "OMP_NUM_THREADS" in environ))
        if worker == "pytorch.py" and "eager" in settings["way"]:
            raise BackendError("pytorch.py failed with python: no such thing")
        loss = {} if worker == "d2l_own.py" else {"first_loss": 2.5}
        return measurement(100 if "bfloat16" in settings.get("way", "") else 50, **loss)

    for module in (turns, training):
        monkeypatch.setattr(module, "run_worker", run)
    monkeypatch.setattr(training, "is_native", lambda: False)
    monkeypatch.setattr(training.winograd, "unsuitable", lambda: "not here")
    return asked


def test_programs_alternate_and_the_files_are_written(tmp_path, workers, small_data):
    folder = environments(tmp_path / "peers", "torch")
    text = training.train(2, 8, 16, 32, tmp_path / "out", folder, say=lambda line: None)
    torch = [way.way for way in peers.TRAINING if way.peer == "torch"]
    assert [way for worker, way, *_ in workers if worker == "pytorch.py"] == torch + torch[1:]  # eager failed once
    ours = [worker for worker, *_ in workers if worker != "pytorch.py"]
    assert ours == ["ours.py", "d2l_own.py"] * 2 + ["all_images.py"]
    assert {python for worker, _, python, _ in workers if worker == "pytorch.py"} == {str(folder / "torch/bin/python")}
    prepared = "OMP_NUM_THREADS" in env.prepare().variables
    assert not prepared or not any(threads for *_, threads in workers)  # all start with their own defaults
    rows = cells(text)
    assert rows["PyTorch channels_last bfloat16"][6] == "**PyTorch channels_last bfloat16** 2.00x (2.00-2.00)"
    assert rows["d2l 1.0.3 train_ch6"][6] == "even, 1.00x (1.00-1.00)" and FEW in text
    assert "Absent: TensorFlow (no " in text and "PyTorch eager (pytorch.py failed" in text
    assert (tmp_path / "out" / "train.md").read_text() == text + "\n"
    assert (tmp_path / "out" / "train.png").read_bytes()[:4] == b"\x89PNG"
    stored = json.loads((tmp_path / "out" / "train.json").read_text())
    assert stored["measured"]["gluon-resnet"][1]["examples"] == 100 and stored["benchmark"] == "train"
    assert stored["bounds"]["jpeg_per_sec"] == [900.0, 900.0] and "PyTorch eager" in stored["absent"]


def test_another_network_trains_on_random_images_without_d2l(tmp_path, workers):
    text = training.train(1, 8, 2, 32, tmp_path, tmp_path / "none", model="resnet18@torchvision", say=lambda line: None)
    assert [worker for worker, *_ in workers] == ["ours.py"]
    assert text.startswith("# resnet18@torchvision, 3x32x32, batch size 2: training speed\n")
    assert "random images" in text and "70,000" not in text
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"train-resnet18@torchvision.{ending}" for ending in ("json", "md", "png")
    ]


def test_random_images_are_the_same_for_all_programs(tmp_path):
    settings = training.write_inputs(tmp_path, 2, 32, 5, "resnet18@torchvision")
    X, y = numpy.load(settings["images"]), numpy.load(settings["labels"])
    with numpy.load(settings["uint8"]) as stored:  # this suite's loader makes float32 of them by itself
        images, labels = stored["images"], stored["labels"]
    assert X.shape == (2, 3, 32, 32) and numpy.allclose(X, images.transpose(0, 3, 1, 2) / 255, atol=1e-6)
    assert list(y) == list(labels) and set(y) <= set(range(1000))
    assert settings["plan"]["stem"][0]["in_channels"] == 3 and settings["plan"]["classifier"]["units"] == 1000


def test_if_this_suite_fails_nothing_is_written(tmp_path, monkeypatch, workers, small_data):
    monkeypatch.setattr(training, "ways_here", lambda model: [peers.Way("gluon-resnet", "pytorch.py", "eager")])
    with pytest.raises(BackendError, match="no such thing"):
        training.train(1, 8, 16, 32, tmp_path / "out", tmp_path / "none", say=lambda line: None)
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("kind, loss, fits", [("float32", 2.5005, 1), ("float32", 2.51, 0), ("bfloat16", 2.51, 1)])
def test_rates_of_different_networks_are_not_reported(kind, loss, fits):
    measured = {
        "gluon-resnet": [measurement(1, first_loss=2.5)],
        "d2l": [measurement(1)],
        "b": [measurement(1, first_loss=loss, precision=kind)],
    }
    if fits:
        assert training.disagreement(measured) == pytest.approx(0.0002 if kind == "float32" else 0)
    else:
        with pytest.raises(BackendError, match="the first loss of 'b' is 2.51 and that of 'gluon-resnet' 2.5"):
            training.disagreement(measured)


def test_what_all_begin_with_is_in_the_order_of_the_files(tmp_path, small_data):
    settings = training.write_inputs(tmp_path, 4, 32, 5)
    (images, labels), _, _ = fashion_mnist.load_arrays()
    X = numpy.load(settings["images"])
    assert X.shape == (4, 1, 32, 32) and X.dtype == "float32" and 0 <= X.min() < X.max() <= 1
    assert list(numpy.load(settings["labels"])) == list(labels[:4])
    assert abs(X.mean() - images[:4].mean() / 255) < 0.01
    json.dumps(settings)  # they travel as JSON


def test_the_worker_of_this_suite_reports_the_loss_by_hand_of_the_first_batch(tmp_path, small_data):
    settings = training.write_inputs(tmp_path, 4, 32, 5)
    environ = {**os.environ, "OMP_NUM_THREADS": "1"}
    code = (
        "import sys, runpy; from gluon_resnet.data import fashion_mnist as f; load = f.load_arrays\n"
        f"f.load_arrays = lambda *a, **k: load({str(small_data)!r}, verify=False)\n"
        "sys.argv = sys.argv[1:]; sys.path[:0] = sys.argv[2:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    told = json.dumps({**settings, "way": "float32", "precision": "float32"})
    words = [str(processes.WORKERS / "ours.py"), told, str(processes.WORKERS), str(processes.MACHINE)]
    done = subprocess.run([sys.executable, "-c", code, *words], stdout=subprocess.PIPE, text=True, env=environ)
    found = json.loads(done.stdout.splitlines()[-1])
    with numpy.load(settings["params"]) as stored:
        net = byhand.ResNet(parse_model(training.MODEL), dict(stored.items()), in_channels=1)
    X, y = (numpy.load(settings[name]) for name in ("images", "labels"))
    assert found["first_loss"] == pytest.approx(net.loss_and_gradients(X, y)[0], rel=1e-5)
    assert found["examples"] == 12  # of five batches of four, two are not timed


def test_a_worker_that_fails_and_a_folder_that_cannot_be_written(tmp_path):
    with pytest.raises(BackendError, match="ours.py failed"):
        processes.run_worker(sys.executable, "ours.py", {}, dict(os.environ))
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be written"):
        training.train(1, 5, 1, 32, tmp_path / "file" / "out")
    with pytest.raises(ConfigError, match="batches is 0"):
        training.train(1, 0, 1, 32, tmp_path / "out")


def test_the_timer_leaves_the_first_two_batches_out(monkeypatch):
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]\nimport common\nnow = [0.0]\n"
        "common.time.perf_counter = lambda: now[0]\n"
        "timed = common.Timed([([0], [0] * 10)] * 5, lambda: None)\n"
        "for _ in timed:\n    now[0] += 2\n"
        "next(iter(timed))  # a batch of a pass that does not end, as training/statistics_hint.py takes\n"
        "print(timed.examples, timed.seconds)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(processes.WORKERS), str(processes.MACHINE)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["30", "6.0"]


@pytest.mark.parametrize("name", ["memory", "removed_names"])
def test_what_workers_of_other_programs_import_needs_nothing_of_the_package(name):
    code = f"import sys; sys.path[:0] = sys.argv[1:]; import {name}; print('gluon_resnet' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, str(processes.MACHINE)], stdout=subprocess.PIPE, text=True)
    assert (done.returncode, done.stdout) == (0, "False\n")


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
