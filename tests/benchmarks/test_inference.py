"""The inference benchmark's arithmetic and files with measurements made up; its workers for real, on small pictures."""

import json
import os
import sys
from pathlib import Path

import gluon_resnet as gr
from gluon_resnet import byhand
from gluon_resnet.benchmarks import inference, peers, processes, turns
from gluon_resnet.benchmarks.processes import run_worker
from gluon_resnet.errors import BackendError, ConfigError, ModelError
from gluon_resnet.networks.specs import parse_model

import mxnet as mx
import numpy
import pytest

from tests.benchmarks.made_up import BOUNDS, cells, environments, measurement
from tests.conftest import one_line_error


@pytest.mark.parametrize("name", ["resnet18@d2l", "resnet50@torchvision", "resnet50@keras2016", "resnet34@mxnet"])
def test_multiply_adds_are_those_of_the_summary(name):
    net = gr.get_model(name)
    net.initialize(mx.init.Zero())  # faster than random numbers
    for size in (32, 97):
        rows = gr.summary(net, (1, 3, size, size))
        assert inference.multiply_adds(parse_model(name), size) == gr.totals(rows)["multiply_adds"]


def test_the_ways_alternate_and_each_batch_size_has_a_table(tmp_path, monkeypatch):
    asked = []

    def run(python, worker, settings, environ):
        if worker == "bounds.py":
            return {**BOUNDS, "bfloat16_gflops": None}
        asked.append((worker, settings["way"], settings["batch_size"], settings["repeats"]))
        more = {"logits": [0.0, 2.0 + 1e-5 * (worker == "pytorch.py") + 0.1 * (settings["way"] == "int8")]}
        if settings["way"] == "loops":
            more = {"multiply_adds": 2_359_296, "extrapolated": True}
        return measurement({"loops": 0.01, "folded": 5, "int8": 80}.get(settings["way"], 10), **more)

    monkeypatch.setattr(turns, "run_worker", run)
    ours = inference.engine_ways(("gluon", "byhand", "onnx"))
    monkeypatch.setattr(inference, "engine_ways", lambda: ours)
    folder = environments(tmp_path / "peers", "openvino")
    python = str(folder / "openvino" / "bin" / "python")  # any file
    text = inference.inference(
        2, 8, tmp_path / "out", folder, python, (1, 4), "resnet18@d2l", 32, say=lambda line: None
    )
    first = [(way, batch, repeats) for _, way, batch, repeats in asked[: len(asked) // 2]]
    assert asked[: len(asked) // 2] == asked[len(asked) // 2 :]
    assert first[:5] == [("loops", 1, 8), ("vectorised", 1, 2), ("im2col", 1, 4), ("folded", 1, 8), ("gluon", 1, 8)]
    assert ("gluon", 4, 2) in first and ("int8", 4, 2) in first and ("loops", 4, 8) not in first
    one, four = (cells(part) for part in text.split("## Batch size ")[1:])
    assert one["NumPy, nested loops"][4] == "100,000.0 *" and one["NumPy, im2col, folded"][4] == "200.0"
    assert one["NumPy, im2col, folded"][7] == "**gluon-resnet** 2.00x (2.00-2.00)"
    assert one["PyTorch eager"][1:3] == ["5e-06", "mxnet 1.9.1"]
    assert four["OpenVINO int8"][0:2] == ["int8", "5e-02"] and "**OpenVINO int8** 8.00x" in four["OpenVINO int8"][7]
    assert "extrapolated by multiply-adds: the loops ran on 2,359,296 of" in text
    assert (
        "Absent: TensorFlow (no " in text
        and "Absent: ONNX Runtime (no " in text
        and "matrix product, bfloat16: not measured here" in text
    )
    assert (tmp_path / "out" / "inference.md").read_text() == text + "\n"
    assert (tmp_path / "out" / "inference.png").is_file()
    stored = json.loads((tmp_path / "out" / "inference.json").read_text())
    assert len(stored["measured"]["NumPy, im2col, folded, batch 1"]) == 2 and stored["batch_sizes"] == [1, 4]


def test_engines_of_this_suite_are_rows_of_their_precision():
    ways = inference.engine_ways(("gluon", "gluon-plain", "int8", "byhand", "onnx"))
    assert [(way.row, way.way, way.precision) for way in ways] == [
        ("gluon-resnet", "gluon", "float32"),
        ("gluon-resnet, gluon-plain", "gluon-plain", "float32"),
        ("gluon-resnet, int8", "int8", "int8"),
    ]


@pytest.mark.parametrize("logits", [[0.0, 2.001], [0.0, float("nan")]])
def test_times_of_different_networks_are_not_reported(logits):
    measured = {"a": [measurement(1, logits=[0.0, 2.0])], "b": [measurement(1, logits=logits)]}
    with pytest.raises(BackendError, match="logits of 'b' and 'a' differ"):
        inference.disagreement(measured)
    measured["b"][0]["precision"] = "int8"  # its difference is in the table
    assert inference.disagreement(measured) == 0


def test_what_cannot_be_measured_is_refused(tmp_path, run_cli):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be written"):
        inference.inference(1, 1, tmp_path / "file" / "out")
    with pytest.raises(ConfigError, match="rounds is 0"):
        inference.inference(0, 1, tmp_path)
    with pytest.raises(ModelError, match="resnet50@v2: the peers' workers build"):
        inference.inference(1, 4, tmp_path, model="resnet50@v2", size=32)
    for value in ("0", "1,", "a", "1,-2"):
        line = one_line_error(run_cli("bench", "inference", "--batch-sizes", value))
        assert f"{value}: expected whole numbers of at least 1, such as 1,32" in line


def test_the_workers_predict_the_same_logits_with_all_threads(tmp_path):
    shared = inference.write_inputs(tmp_path, "resnet18@torchvision", 40, 2)
    settings = {**shared, "warm_up": 1, "repeats": 2}
    with numpy.load(shared["params"]) as stored:
        params = dict(stored.items())
    X = numpy.load(shared["images"])
    assert X.shape == (2, 3, 40, 40)
    expected = byhand.ResNet(parse_model("resnet18@torchvision"), params, conv="vectorised").forward(X)[0]
    wheel = (Path(numpy.__file__).parent.parent / "numpy.libs").exists()
    environ = {**os.environ, "OMP_NUM_THREADS": "1"}  # OpenBLAS takes its threads from here, too
    for worker, way, batch_size in (("byhand.py", "folded", 1), ("engines.py", "gluon", 2)):
        found = run_worker(sys.executable, worker, {**settings, "way": way, "batch_size": batch_size}, environ)
        assert len(found["times"]) == 2 and min(found["times"]) <= found["median_seconds"]
        assert found["examples_per_sec"] == pytest.approx(batch_size / found["median_seconds"])
        # NumPy compiled on the spot, as on Python 3.13, has no OpenBLAS and no threads
        assert found["threads"] == (1 if way == "gluon" or wheel else None)
        assert abs(numpy.array(found["logits"]) - expected).max() < 1e-5 * abs(expected).max()


def test_the_worker_counts_what_the_nested_loops_did():
    found = run_worker(sys.executable, "byhand.py", {"way": "loops", "flops_an_example": 2e9}, dict(os.environ))
    assert found["multiply_adds"] == 16 * 16 * 16 * 64 * 9 and found["median_seconds"] > 0
    # a network of 1e9 multiply-adds takes 1e9 / 2359296 times as long
    assert 1 / found["examples_per_sec"] == pytest.approx(found["median_seconds"] * 1e9 / 2_359_296)


def test_the_bounds_of_this_machine():
    small = {"side": 256, "bytes": 2**20, "pictures": 2}
    found = run_worker(sys.executable, "bounds.py", small, dict(os.environ))
    assert set(found) == set(BOUNDS) and all(value is None or value > 0 for value in found.values())
    assert found["float32_gflops"] is not None


def test_pythons_of_the_peers(tmp_path):
    folder = environments(tmp_path / "peers", "torch", "onnxruntime")
    found, absent = peers.pythons(folder)
    assert found == {
        None: sys.executable,
        "torch": str(folder / "torch" / "bin" / "python"),
        "onnxruntime": str(folder / "onnxruntime" / "bin" / "python"),
    }
    assert set(absent) == {"tensorflow", "openvino"} and "make bench installs it" in absent["openvino"]
    assert peers.pythons(folder, "mine")[0]["torch"] == "mine"


def test_every_part_of_the_requirements_is_a_peer():
    text = (processes.WORKERS.parents[2] / "requirements-bench.txt").read_text()
    assert [line[3:-1] for line in text.splitlines() if line.startswith("# [")] == list(peers.PEERS)
