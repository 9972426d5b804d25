"""The inference benchmark's arithmetic and files with measurements made up; its workers for real, on small pictures."""

import json
import os
import sys
from pathlib import Path

import gluon_resnet as gr
from gluon_resnet import byhand
from gluon_resnet.benchmarks import inference
from gluon_resnet.benchmarks.processes import run_worker
from gluon_resnet.errors import BackendError, ConfigError
from gluon_resnet.networks.layout import layout
from gluon_resnet.networks.specs import parse_model

import numpy
import pytest


def measurement(seconds, **more):
    return {
        "version": "numpy 1.23.5",
        "threads": 2,
        "peak_memory_bytes": 2**30,
        "median_seconds": seconds,
        "logits": [0.0, 2.0],
        "others_cores": 0.0,
        **more,
    }


@pytest.mark.parametrize("name", ["resnet18@d2l", "resnet50@torchvision", "resnet50@keras2016", "resnet34@mxnet"])
def test_multiply_adds_are_those_of_the_summary(name):
    for size in (32, 97):
        rows = gr.summary(gr.get_model(name), (1, 3, size, size))
        assert inference.multiply_adds(parse_model(name), size) == gr.totals(rows)["multiply_adds"]


def test_the_ways_alternate_and_the_loops_are_extrapolated(tmp_path, monkeypatch):
    asked = []

    def run(python, worker, settings, environ):
        asked.append((python, settings["way"], settings["repeats"]))
        if settings["way"] == "loops":
            return {**measurement(2.0, multiply_adds=1_000_000), "logits": None, "threads": 1}
        return measurement({"pytorch": 0.1, "folded": 0.15}.get(settings["way"], 0.4))

    def run_without_logits(*arguments):
        return {key: value for key, value in run(*arguments).items() if value is not None}

    monkeypatch.setattr(inference, "run_worker", run_without_logits)
    text = inference.inference(2, 8, "python-with-torch", tmp_path / "out", say=lambda line: None)
    ways = ["loops", "vectorised", "im2col", "folded", "gluon", "pytorch"]
    assert [way for _, way, _ in asked] == ways * 2
    assert [repeats for _, _, repeats in asked[:6]] == [8, 2, 4, 8, 8, 8]
    assert [python == "python-with-torch" for python, _, _ in asked[:6]] == [False] * 5 + [True]
    lines = [[cell.strip() for cell in line.split("|")[1:]] for line in text.splitlines() if "|" in line]
    rows = {line[0]: line[1:] for line in lines}
    # 4,089,184,256 multiply-adds at 2 s a million
    assert rows["NumPy, nested loops"][2] == "8,178,369 *" and rows["NumPy, nested loops"][5] == "81,783.69x"
    assert rows["NumPy, im2col, folded"][2] == "150.0" and rows["NumPy, im2col, folded"][5] == "1.50x"
    assert rows["PyTorch eager"][5] == "1.00x" and "extrapolated by multiply-adds" in text
    assert (tmp_path / "out" / "inference.md").read_text() == text + "\n"
    stored = json.loads((tmp_path / "out" / "inference.json").read_text())
    assert stored["measured"]["NumPy, im2col, folded"][1]["median_seconds"] == 0.15 and stored["rounds"] == 2


def test_without_pytorch_the_ratio_is_not_made_up():
    table = inference.table({"Gluon hybridized": [{**measurement(0.2), "seconds_a_picture": 0.2}]})
    assert list(table["time over PyTorch eager's"]) == ["not measured"]


@pytest.mark.parametrize("logits", [[0.0, 2.001], [0.0, float("nan")]])
def test_times_of_different_networks_are_not_reported(logits):
    with pytest.raises(BackendError, match="logits of 'b' and 'a' differ"):
        inference.disagreement({"a": [measurement(1)], "b": [measurement(1, logits=logits)]})


def test_a_folder_that_cannot_be_written_and_no_rounds(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be written"):
        inference.inference(1, 1, None, tmp_path / "file" / "out")
    with pytest.raises(ConfigError, match="rounds is 0"):
        inference.inference(0, 1, None, tmp_path)


def test_the_workers_predict_the_same_logits_with_all_threads(tmp_path):
    spec = parse_model("resnet50@torchvision")
    params = byhand.random_params(layout(spec))
    numpy.savez(tmp_path / "params.npz", **params)
    settings = {"model": spec.name, "size": 40, "params": str(tmp_path / "params.npz"), "warm_up": 1, "repeats": 2}
    X = numpy.random.RandomState(0).standard_normal((1, 3, 40, 40)).astype("float32")
    expected = byhand.ResNet(spec, params, conv="vectorised").forward(X)[0]
    wheel = (Path(numpy.__file__).parent.parent / "numpy.libs").exists()
    environ = {**os.environ, "OMP_NUM_THREADS": "1"}  # OpenBLAS takes its threads from here, too
    for way in ("folded", "gluon"):
        found = run_worker(sys.executable, "byhand.py", {**settings, "way": way}, environ)
        assert len(found["times"]) == 2 and min(found["times"]) <= found["median_seconds"]
        # NumPy compiled on the spot, as on Python 3.13, has no OpenBLAS and no threads
        assert found["threads"] == (1 if way == "gluon" or wheel else None)
        assert abs(numpy.array(found["logits"]) - expected).max() < 1e-5 * abs(expected).max()


def test_the_worker_counts_what_the_nested_loops_did():
    found = run_worker(sys.executable, "byhand.py", {"way": "loops"}, dict(os.environ))
    assert found["multiply_adds"] == 16 * 16 * 16 * 64 * 9 and found["median_seconds"] > 0
