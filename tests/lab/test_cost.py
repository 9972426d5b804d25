"""What depth costs: one network measured for real, small; the arithmetic and the figure with made-up measurements."""

from gluon_resnet import byhand
from gluon_resnet.errors import BackendError, ConfigError, ModelError, ShapeError
from gluon_resnet.lab import cost
from gluon_resnet.networks.layout import Conv, layout
from gluon_resnet.networks.specs import parse_model

import numpy
import pytest


def one(milliseconds, peak, others=0.1, parameters=1000, multiply_adds=2 * 10**9):
    return {
        "median_seconds": milliseconds / 1000,
        "peak_memory_bytes": peak,
        "others_cores": others,
        "threads": 2,
        "winograd": True,
        "parameters": parameters,
        "multiply_adds": multiply_adds,
    }


def test_one_network_is_measured_in_processes_of_its_own():
    said = []
    large = numpy.ones(2**27)  # a GiB here: a child's ru_maxrss would begin with it
    table = cost.measure(**cost.TINY, say=said.append)
    del large
    row = table.iloc[0]
    spec = parse_model("resnet18")
    plan = layout(spec, in_channels=1)
    shapes = [shape for name, shape in plan.params().items() if byhand.is_trainable(name)]
    assert row["parameters"] == sum(int(numpy.prod(shape)) for shape in shapes)
    assert row["parameters"] == 11_178_378  # references.md
    sizes = {}
    net = byhand.ResNet(spec, in_channels=1)
    net.forward(numpy.zeros((1, 1, 28, 28)), watch=lambda name, Y: sizes.update({name: Y.shape}))
    work = (
        sum(
            int(numpy.prod(sizes[layer.name])) * layer.in_channels * layer.kernel**2
            for layer in plan.layers()
            if isinstance(layer, Conv)
        )
        + 512 * 10
    )
    assert row["multiply_adds"] == work
    assert row["train_ms"] > 0 and row["predict_ms"] > 0
    for peak in (row["train_peak_bytes"], row["predict_peak_bytes"]):
        assert 2 * 4 * 11_178_378 < peak < 2**30  # weights and gradients, and not what this process has
    runs = table.attrs["measured"]["resnet18"]
    assert [len(runs["train"]), len(runs["predict"])] == [1, 1] and len(runs["train"][0]["times"]) == 2
    assert [line.split(":")[1].strip() for line in said] == ["resnet18", "resnet18"] and "MiB" in said[0]


def test_networks_take_turns_and_medians_count(monkeypatch):
    asked = []
    times = {
        ("resnet18", "train"): [30, 10, 22],
        ("resnet18", "predict"): [3, 9, 6],
        ("resnet50", "train"): [90, 70, 80],
        ("resnet50", "predict"): [7, 8, 9],
    }

    def run(python, worker, settings, environ):
        asked.append((settings["model"], settings["way"]))
        turn = asked.count(asked[-1]) - 1
        found = one(times[asked[-1]][turn], peak=100 + turn)
        found.pop("others_cores")
        return found

    monkeypatch.setattr(cost, "run_worker", run)
    table = cost.measure(("resnet18", "resnet50"), (1, 28, 28), batch_size=10, steps=1, rounds=3).set_index("model")
    order = [("resnet18", "train"), ("resnet18", "predict"), ("resnet50", "train"), ("resnet50", "predict")]
    assert asked == order * 3
    assert list(table["train_ms"]) == [2.2, 8] and list(table["predict_ms"]) == [0.6, 0.8]  # milliseconds a picture
    assert table.loc["resnet18", ["train_ms_low", "train_ms_high"]].tolist() == [1, 3]
    assert list(table["train_peak_bytes"]) == [102, 102] and list(table["rounds"]) == [3, 3]


def test_the_busiest_neighbour_of_any_round_is_reported():
    measured = {
        "a": {"train": [one(1, 1, 0.2), one(1, 1, 1.5)], "predict": [one(1, 1, None), one(1, 1, 0.3)]},
        "b": {"train": [one(1, 1, None)], "predict": [one(1, 1, None)]},
    }
    others = cost.table(measured, batch_size=1).set_index("model")["others_cores"]
    assert others["a"] == 1.5 and numpy.isnan(others["b"])


def test_the_figure_has_times_with_their_spread_and_memory_over_multiply_adds():
    measured = {
        name: {
            "train": [one(ms, 2**30, multiply_adds=work), one(ms * 2, 2**29, multiply_adds=work)],
            "predict": [one(ms / 3, 2**28, multiply_adds=work)] * 2,
        }
        for name, ms, work in (("resnet34", 60, 4 * 10**9), ("resnet18", 30, 2 * 10**9))
    }
    times, memory = cost.draw(cost.table(measured, batch_size=10)).axes
    line = times.containers[0].lines[0]
    numpy.testing.assert_allclose(line.get_xydata(), [[2, 4.5], [4, 9]])
    numpy.testing.assert_allclose(memory.lines[0].get_xydata(), [[2, 1024], [4, 1024]])
    assert [text.get_text() for text in memory.texts] == ["resnet18", "resnet34"]
    assert "ms" in times.get_ylabel() and "MiB" in memory.get_ylabel() and "multiply-adds" in times.get_xlabel()


@pytest.mark.parametrize(
    "settings, error, words",
    [
        (dict(models=()), ConfigError, "no models"),
        (dict(models=("resnet18", "resnet18")), ConfigError, "named twice"),
        (dict(models=("resnet19",)), ModelError, "resnet19"),
        (dict(shape=(1, 28)), ShapeError, "four positive whole numbers"),
        (dict(batch_size=0), ConfigError, "batch_size is 0"),
        (dict(rounds=0), ConfigError, "rounds is 0"),
    ],
)
def test_settings_that_cannot_be_measured_are_refused_before_anything_runs(settings, error, words, monkeypatch):
    monkeypatch.setattr(cost, "run_worker", lambda *_: pytest.fail("a process was started"))
    with pytest.raises(error, match=words) as caught:
        cost.measure(**{**cost.TINY, **settings})
    assert "\n" not in str(caught.value)


def test_a_process_that_fails_is_named(monkeypatch):
    monkeypatch.setattr(cost.sys, "executable", "/bin/false")
    with pytest.raises(BackendError, match="cost.py failed"):
        cost.compare(("resnet18",), (1, 28, 28), 1, 1, 1, lambda line: None)
