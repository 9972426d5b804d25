"""The operations of a training against published counts, the bound of this machine, and both in a table."""

import json
from types import SimpleNamespace

from gluon_resnet.benchmarks import bounds
from gluon_resnet.errors import RunError
from gluon_resnet.lab import table, work
from gluon_resnet.networks.cost import training_operations
from gluon_resnet.networks.specs import parse_model
from gluon_resnet.runs.kinds import FASHION_MNIST, PICTURES, FashionMnistConfig, PicturesConfig

import pandas as pd
import pytest

from tests.lab.test_experiment import content, seed

#: multiply-adds of one image of 3x224x224 that torchvision publishes with its weights ("_ops", in G)
TORCHVISION = {"resnet18": 1.814, "resnet50": 4.089, "resnet152": 11.514}


def test_operations_are_six_times_the_published_multiply_adds_of_each_image():
    for name, published in TORCHVISION.items():
        counted = training_operations(parse_model(f"{name}@torchvision", 1000), 3, {(224, 224): 1000})
        assert counted / (6 * 1000 * 1e9) == pytest.approx(published, abs=6e-4), name


def run_of(history, kind=FASHION_MNIST, **config):
    configs = {FASHION_MNIST: FashionMnistConfig, PICTURES: PicturesConfig}
    made = configs[kind](**config)
    return SimpleNamespace(history=pd.DataFrame(history), kind=kind, config=made, spec=parse_model(made.model, 10))


def test_the_last_row_of_each_epoch_says_how_many_images_it_was():
    history = {"epoch": [1, 1, 2, 2], "batch": [1, 2, 1, 2], "examples": [16, 30, 16, 30]}
    spec = parse_model("resnet18", 10)
    assert work.operations(run_of(history, resize=96)) == training_operations(spec, 1, {(96, 96): 60})
    assert work.operations(run_of(history, resize=None)) == training_operations(spec, 1, {(28, 28): 60})
    stopped = {name: values[:3] for name, values in history.items()}
    assert work.operations(run_of(stopped, resize=None)) == training_operations(spec, 1, {(28, 28): 46})
    on_pictures = work.operations(run_of(history, PICTURES, model="resnet18@torchvision", image_size=224))
    assert on_pictures == training_operations(parse_model("resnet18@torchvision", 10), 3, {(224, 224): 60})
    assert work.operations(run_of([])) is None


def test_images_that_grow_are_counted_at_the_size_they_had():
    history = {"epoch": [1, 2, 3], "batch": [2, 2, 2], "examples": [30, 30, 40], work.SIZE: [20, 24, float("nan")]}
    sizes = [training_operations(parse_model("resnet18", 10), 1, {(side, side): 1}) for side in (20, 24, 28)]
    assert len(set(sizes)) == 3
    assert work.operations(run_of(history, resize=None)) == 30 * sizes[0] + 30 * sizes[1] + 40 * sizes[2]


def test_a_machine_does_no_more_than_its_bound_and_not_nothing():
    assert 0.05 < bounds.float32_gflops(128) < 1e5


def test_the_bound_is_noted_for_the_runs_that_follow_and_no_others(tmp_path, monkeypatch):
    rates = [200.0, 150.0]
    monkeypatch.setattr(bounds, "float32_gflops", lambda side: rates.pop(0))
    one, two = SimpleNamespace(name="a-seed0"), SimpleNamespace(name="a-seed1")
    work.measure_bounds([], tmp_path)
    assert work.read_bounds(tmp_path) == {} and len(rates) == 2
    work.measure_bounds([one, two], tmp_path)
    work.measure_bounds([two], tmp_path)  # the second was interrupted, and the machine is another now
    assert work.read_bounds(tmp_path) == {"a-seed0": 200.0, "a-seed1": 150.0}
    (tmp_path / work.NAME).write_text("[1")
    with pytest.raises(RunError, match="bounds.json: damaged .*: remove it"):
        work.read_bounds(tmp_path)


def test_the_seconds_at_the_bound_by_hand():
    run = run_of({"epoch": [1], "batch": [2], "examples": [1000]}, resize=None)
    counted = work.of_run(run, 200.0)
    assert counted["bound_seconds"] == pytest.approx(counted["operations"] / 200e9)
    assert work.of_run(run, None)["bound_seconds"] is None
    known = {"operations": 3e12, "sgemm_gflops": 200.0, "bound_seconds": 15.0}
    arms = {"a": {"0": seed(0.9, 0.9, **known), "1": seed(0.9, 0.9, **{**known, "train_seconds": 70.0})}}
    made = content(arms=arms)
    assert table.work_table(made).to_dict("records") == [
        {
            "arm": "a",
            "training (TFLOP)": "3.000",
            "training (s)": "60.0",  # 50 and 70
            "sgemm (GFLOP/s)": "200.0",
            "at that rate (s)": "15.0",
            "share of the bound": "25.0%",
            "testing (s)": "13.0",
        }
    ]
    assert len(table.work_table(content())) == 0  # a results file of before
    json.dumps(made)
