"""The benchmark of cost by depth with the workers' measurements made up."""

import json

from gluon_resnet.benchmarks import depth, turns
from gluon_resnet.errors import ConfigError

import numpy
import pytest

from tests.benchmarks.made_up import BOUNDS, environments, measurement


@pytest.fixture
def workers(monkeypatch):
    """A list of (worker, network, task); this suite trains 50 and predicts 200 examples a second, PyTorch 100."""
    asked = []

    def run(python, worker, settings, environ):
        if worker == "bounds.py":
            return BOUNDS
        asked.append((worker, settings["model"], settings["task"]))
        return measurement(100 if worker == "pytorch.py" else 50 if settings["task"] == "train" else 200)

    monkeypatch.setattr(turns, "run_worker", run)
    return asked


def lines_of(text):
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| Res")]


def test_each_network_has_a_line_for_training_and_one_for_predicting(tmp_path, workers):
    folder = environments(tmp_path / "peers", "torch")
    text = depth.depth(2, 3, 32, tmp_path / "out", folder, depths=(18, 50), say=lambda line: None)
    one_round = [
        (worker, f"resnet{number}@d2l", task)
        for number in (18, 50)
        for task, ours in (("train", "cost.py"), ("predict", "engines.py"))
        for worker in (ours, "pytorch.py")
    ]
    assert workers == one_round * 2
    rows = lines_of(text)
    assert [(row[0], row[3]) for row in rows] == [
        (f"ResNet-{number}", task) for number in (18, 50) for task in ("training", "predicting")
    ]
    # ResNet-18's parameters are the article's; 50 and 100 examples a second are 20 and 10 ms
    assert rows[0][1] == "11,178,378" and rows[0][4] == "20.00 (20.00-20.00)" and rows[0][6] == "10.00 (10.00-10.00)"
    assert "**PyTorch channels_last** 2.00x" in rows[0][8] and "**gluon-resnet** 2.00x" in rows[1][8]
    stored = json.loads((tmp_path / "out" / "depth.json").read_text())
    work = stored["measured"]["gluon-resnet, ResNet-18, train"][0]["flops_an_example"]
    assert work == 3 * stored["measured"]["gluon-resnet, ResNet-18, predict"][0]["flops_an_example"]
    assert (tmp_path / "out" / "depth.png").is_file() and (tmp_path / "out" / "depth.md").read_text() == text + "\n"


def test_without_pytorch_nothing_is_made_up(tmp_path, workers):
    text = depth.depth(1, 3, 32, tmp_path / "out", tmp_path / "none", depths=(18,), say=lambda line: None)
    assert [row[6:9] for row in lines_of(text)] == [["absent", "absent", "not measured"]] * 2
    assert "Absent: PyTorch (no " in text


def test_all_networks_get_the_same_images(tmp_path):
    settings = depth.write_inputs(tmp_path, (18,), 32, 2)["ResNet-18, train"]
    assert numpy.load(settings["images"]).shape == (32, 1, 32, 32) and settings["batches"] == 4
    with numpy.load(settings["params"]) as stored:
        assert stored["0.weight"].shape == (64, 1, 7, 7)
    with pytest.raises(ConfigError, match="steps is 0"):
        depth.depth(1, 0, 32, tmp_path / "out")
