"""Engines against each other, planted damage found in each, predictions on real images if there are any."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from gluon_resnet.errors import ConfigError, ModelError
from gluon_resnet.evaluation.predict import predict, softmax
from gluon_resnet.instruments import ENGINES, microscope
from gluon_resnet.instruments.engines import make_engine, watched_layers
from gluon_resnet.networks.layout import Norm, layout
from gluon_resnet.networks.specs import parse_model

import numpy
import pytest

from tests.figures import assert_curves_in_the_frame_and_legends_outside


def random_params(spec, in_channels=3, seed=0):
    """Parameters with which activations neither vanish nor grow; running statistics are not the default ones."""
    random, plan, params = numpy.random.RandomState(seed), layout(spec, in_channels), {}
    for layer in plan.layers():
        for name, shape in layer.params.items():
            part = name.rpartition(".")[2]
            if part in ("gamma", "running_var"):
                values = random.uniform(0.5, 1.0, shape) * (0.5 if part == "gamma" and isinstance(layer, Norm) else 1)
            elif part == "weight":
                values = random.randn(*shape) * numpy.sqrt(2 / numpy.prod(shape[1:]))
            else:
                values = random.randn(*shape) * 0.1
            params[name] = values.astype("float32")
    return params


@pytest.fixture(scope="module", params=["resnet18", "resnet50@keras2016"])
def case(request):
    spec = replace(parse_model(request.param, 10), stem_channels=16)  # all the layers, a quarter of the channels
    in_channels = 1 if spec.family == "d2l" else 3
    params = random_params(spec, in_channels)
    X = numpy.random.RandomState(1).randn(2, in_channels, 64, 64).astype("float32")
    return spec, params, X, {name: make_engine(name, spec, params) for name in ENGINES}


@pytest.mark.parametrize("a, b", [("gluon-plain", "byhand"), ("gluon-plain", "onnx"), ("byhand", "onnx")])
def test_all_layers_agree_in_all_engines(case, a, b):
    spec, params, X, engines = case
    found = microscope.look(engines[a], engines[b], X)
    assert list(found.table["layer"]) == watched_layers(layout(spec))
    places = found.table.set_index("layer")["place"]
    assert places["4.0.conv1"] == "stage1.block0.conv1" and places["5.1"] == "stage2.block1" and places["0"] == "stem"
    assert found.first is None and not found.table["past"].any()
    assert 0 < found.table["relative"].max() < 1e-4
    logits = [engine.logits(X) for engine in (engines[a], engines[b])]
    assert abs(logits[0] - logits[1]).max() < 1e-4 * abs(logits[0]).max()
    assert abs(logits[0] - found.activations[0]["9"]).max() < 1e-4 * abs(logits[0]).max()


def test_gradients_of_two_engines_agree_in_float64(case):
    spec, params, X, engines = case
    found = microscope.look(engines["gluon-plain"], engines["byhand"], X[:1], gradients=True, y=[3])
    gradients = found.table[found.table["kind"] == "gradient"]
    trained = [name for name in layout(spec, X.shape[1]).params() if "running" not in name]
    assert sorted(gradients["layer"]) == sorted(trained)
    assert gradients["layer"].iloc[0].startswith("9.") and gradients["layer"].iloc[-1].startswith("0.")
    assert gradients["place"].iloc[0].startswith("classifier.") and gradients["place"].iloc[-1].startswith("stem.")
    # the biases before a batch norm with running statistics have a gradient too, so all count
    assert gradients["relative"].max() < 1e-10


@pytest.mark.parametrize("engine", [name for name in ENGINES if name != "gluon"])  # fused, a ReLU can hide it
def test_planted_damage_is_found_where_it_is(case, engine):
    spec, params, X, engines = case
    a = engines["byhand" if engine.startswith("gluon") else "gluon-plain"]
    for layer in ("0", "1", "4.1.conv2", "5.0.bn1", "6.0.conv3", "9"):
        damaged = microscope.plant(spec, params, layer)
        assert [name for name in params if (params[name] != damaged[name]).any()] == [
            f"{layer}.{'gamma' if 'bn' in layer or layer == '1' else 'weight'}"
        ]
        found = microscope.look(a, make_engine(engine, spec, damaged), X)
        assert found.first == microscope.shows_first(spec, layer, found), layer
        assert f"{found.first} is the first past" in microscope.as_text(found)


def test_the_numbers_of_a_row_by_hand():
    class Engine:
        def __init__(self, Y):
            self.Y = Y

        def activations(self, X):
            return {"a": numpy.float32([[2, -4]]), "b": self.Y}

    table = microscope.look(Engine(numpy.float32([[1, 8]])), Engine(numpy.float32([[1, 6]])), None, tolerance=0.1).table
    assert table.iloc[1][["largest", "absolute", "relative"]].tolist() == [8, 2, 0.25]
    assert table["past"].tolist() == [False, True] and table["place"].tolist() == ["", ""]  # not of this suite
    nan = microscope.look(Engine(numpy.float32([[1, 8]])), Engine(numpy.float32([[1, numpy.nan]])), None)
    assert nan.first == "b"


def test_refusals(case):
    spec, params, X, engines = case
    with pytest.raises(ConfigError, match="ONNX Runtime has none"):
        microscope.look(engines["gluon-plain"], engines["onnx"], X, gradients=True)
    with pytest.raises(ModelError, match="no layer '4.0' with parameters"):
        microscope.plant(spec, params, "4.0")
    found = microscope.look(engines["byhand"], engines["byhand"], X)
    assert found.table["absolute"].max() == 0
    with pytest.raises(ModelError, match="no feature maps of '9'"):
        microscope.draw(found, ("a", "b"), "9")
    with pytest.raises(ModelError, match="engine 'torch'"):
        make_engine("torch", spec, params)


def test_the_drawing_has_the_layers_and_the_maps(case, tmp_path):
    spec, params, X, engines = case
    found = microscope.look(
        engines["byhand"], make_engine("byhand", spec, microscope.plant(spec, params, "5.1.conv1")), X
    )
    figure = microscope.draw(found, ("x", "y"), "5.1.conv1", num_maps=4)
    figure.savefig(tmp_path / "m.png")
    depth, maps = figure.subfigs
    assert len(depth.axes[0].lines[0].get_ydata()) == len(found.table)
    assert len(maps.axes) == 12
    weight = params["5.1.conv1.weight"]
    channel = abs(weight).reshape(len(weight), -1).sum(1).argmax()
    assert maps.axes[0].get_title() == f"channel {channel}"
    assert_curves_in_the_frame_and_legends_outside(figure)
    assert "5.1.conv1" in [text.get_text() for text in depth.axes[0].texts]


def test_softmax_and_the_table_by_hand():
    class Engine:
        def logits(self, X):
            return numpy.float32([[0, numpy.log(3), -numpy.inf], [1000, 0, 1000]])

    assert softmax([[1000.0, 1000.0]]).tolist() == [[0.5, 0.5]]
    table = predict(Engine(), numpy.zeros((2, 1)), ["a", "b", "c"], ["p", "q"], top=2)
    assert table["label"].tolist() == ["b", "a", "a", "c"] and table["rank"].tolist() == [1, 2, 1, 2]
    assert table["probability"].tolist() == pytest.approx([0.75, 0.25, 0.5, 0.5])
    with pytest.raises(ConfigError, match="top is 4"):
        predict(Engine(), numpy.zeros((2, 1)), ["a", "b", "c"], ["p", "q"], top=4)


@pytest.fixture(scope="module")
def real():
    """The folder of the real data."""
    if not os.environ.get("GLUON_RESNET_REAL_DATA"):
        pytest.skip("GLUON_RESNET_REAL_DATA is not set")
    return os.environ["GLUON_RESNET_REAL_DATA"]


@pytest.fixture(scope="module")
def real_weights(real, tmp_path_factory):
    """The file of a trained ResNet-50."""
    weights = tmp_path_factory.mktemp("weights") / "resnet50.safetensors"
    subprocess.run(
        [
            sys.executable,
            Path(real, "weights/expand_weights.py"),
            Path(real, "weights/pqf_resnet50_large.npz"),
            weights,
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return weights


@pytest.mark.real
@pytest.mark.parametrize("engine", ENGINES)
def test_the_tiger_cats_and_the_samoyeds(real, real_weights, tmp_path, engine, run_cli):
    expected = {
        "tiger_cat_256.png": [("tiger cat", 0.389), ("tabby", 0.270), ("lynx", 0.155)],
        "tiger_cat_1600.jpg": [("tiger cat", 0.346), ("tabby", 0.340), ("Egyptian cat", 0.202)],
        "samoyed_1546.jpg": [("Samoyed", 0.719), ("Pomeranian", 0.077), ("Eskimo dog", 0.042)],
        "samoyed_hidden_500.jpg": [("Samoyed", 0.965), ("Great Pyrenees", 0.015), ("Arctic fox", 0.010)],
    }
    done = run_cli(
        "predict",
        *(Path(real, "images", name) for name in expected),
        "--weights",
        real_weights,
        "--engine",
        engine,
        "--top",
        3,
        "--save",
        tmp_path / "p.png",
    )
    assert done.returncode == 0, done.stderr
    rows = [line.rsplit(None, 1) for line in done.stdout.splitlines()[2:14]]
    for line, (label, probability) in zip(rows, sum(expected.values(), [])):
        assert line[0].endswith(label) and float(line[1]) == pytest.approx(probability, abs=0.05)
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
