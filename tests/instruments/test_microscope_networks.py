"""The three engines layer by layer on CIFAR's, pre-activated, plain and article 003's networks; Grad-CAM; freezing."""

from dataclasses import replace

import gluon_resnet as gr
from gluon_resnet.instruments import ENGINES, microscope
from gluon_resnet.instruments.engines import make_engine, shown_as, watched_layers
from gluon_resnet.instruments.gradcam import grad_cam
from gluon_resnet.networks.layout import Norm, layout
from gluon_resnet.networks.specs import parse_model
from gluon_resnet.training.optimizers import frozen_prefixes, make_trainer, prepare_parameters
from gluon_resnet.training.recipe import Recipe

import numpy
import pytest
from mxnet import autograd, gluon

from tests.conftest import array, random_array, relative_error
from tests.instruments.test_microscope import random_params

#: name -> (stem channels, layers whose damage is looked for)
NETWORKS = {
    "cifar_resnet20": (16, ("0", "1", "3.1.conv2", "4.0.bn1", "5.2.bn2", "7")),
    "resnet18@v2": (16, ("0", "2", "5.0.bn1", "6.0.conv3", "8.1.bn2", "9", "12")),
    "resnet50@slim": (16, ("0", "2.0.bn1", "3.0.conv3", "6", "9")),
    "resnet50@slim_fc": (16, ("0", "9")),
    "cifar_plain20": (8, ("0", "4.0.conv1")),
    "cifar_resnet20:C": (8, ("3.1.conv3", "5.0.bn3")),
    "resnext50_32x4d": (16, ("4.0.conv2", "5.1.bn2")),
    "resnet18d": (16, ("3", "7", "11.0.conv3", "13.0.bn3")),
}


@pytest.fixture(scope="module", params=list(NETWORKS))
def case(request):
    stem_channels, layers = NETWORKS[request.param]
    spec = replace(parse_model(request.param, 10), stem_channels=stem_channels)
    params = random_params(spec, 3)
    X = numpy.random.RandomState(1).randn(2, 3, 38, 44).astype("float32")
    return spec, params, X, {name: make_engine(name, spec, params) for name in ENGINES}, layers


@pytest.mark.parametrize("a, b", [("gluon-plain", "byhand"), ("gluon-plain", "onnx")])
def test_all_layers_agree_in_all_engines(case, a, b):
    spec, params, X, engines, _ = case
    found, plan = microscope.look(engines[a], engines[b], X), layout(spec)
    assert list(found.table["layer"]) == watched_layers(plan)
    assert found.first is None and 0 < found.table["relative"].max() < 1e-4
    last = found.activations[0][plan.classifier.name]
    logits = numpy.maximum(last, 0) if spec.head == "dense_dropout" else last
    for engine in (engines[a], engines[b]):
        assert relative_error(engine.logits(X), logits) < 1e-5


def test_every_layer_is_watched_or_shown_as_the_relu_behind_it(case):
    spec = case[0]
    plan = layout(spec)
    watched = watched_layers(plan)
    assert len(watched) == len(set(watched))
    assert {shown_as(plan, layer.name) for layer in plan.layers()} <= set(watched)
    shown = {layer.name: shown_as(plan, layer.name) for layer in plan.layers()}
    assert {name: where for name, where in shown.items() if name != where} == (
        {
            plan.places[f"{stem}_norm"]: plan.places[f"{stem}_relu"]
            for stem in ("stem", "stem2", "stem3")
            if f"{stem}_norm" in plan.places
        }
    )


def test_gradients_of_two_engines_agree_in_float64(case):
    spec, params, X, engines, _ = case
    found = microscope.look(engines["gluon-plain"], engines["byhand"], X[:1], gradients=True, y=[3])
    gradients = found.table[found.table["kind"] == "gradient"]
    plan = layout(spec)
    assert sorted(gradients["layer"]) == sorted(
        name for name in plan.params() if "running" not in name and name not in plan.fixed()
    )
    largest = gradients["largest"].max()
    assert (gradients["absolute"] < 1e-10 * numpy.maximum(gradients["largest"], 1e-6 * largest)).all()


@pytest.mark.parametrize("engine", ["byhand", "onnx"])
def test_planted_damage_is_found_where_it_is(case, engine):
    spec, params, X, engines, layers = case
    plan = layout(spec)
    norms = {layer.name: layer for layer in plan.layers() if isinstance(layer, Norm)}
    for layer in layers:
        damaged = microscope.plant(spec, params, layer)
        changed = [name for name in params if (params[name] != damaged[name]).any()]
        fixed = layer in norms and not norms[layer].scale
        assert changed == [f"{layer}.{'running_var' if fixed else 'gamma' if layer in norms else 'weight'}"]
        found = microscope.look(engines["gluon-plain"], make_engine(engine, spec, damaged), X)
        assert found.first == microscope.shows_first(spec, layer, found), layer


@pytest.mark.parametrize("count, expected", [(0, ""), (1, "0. 1."), (2, "0. 1. 3."), (4, "0. 1. 3. 4. 5.")])
def test_frozen_parts_of_cifars_three_stages(count, expected):
    assert frozen_prefixes(layout(parse_model("cifar_resnet20")), count) == expected.split()


def test_frozen_parts_are_where_the_children_are():
    expected = {"resnet18": "0. 1. 4.", "resnet18@v2": "0. 1. 2. 5.", "resnet50@slim": "0. 2."}
    for name, prefixes in expected.items():
        assert frozen_prefixes(layout(parse_model(name)), 2) == prefixes.split()
    with pytest.raises(gr.errors.ConfigError, match="freeze_stages is 5: expected 0 to 4"):
        frozen_prefixes(layout(parse_model("cifar_resnet20")), 5)


@pytest.mark.parametrize("name, still", [("cifar_resnet20", "0. 1. 3."), ("resnet18@v2", "0. 1. 2. 5.")])
def test_frozen_stages_neither_learn_nor_move_their_statistics(name, still):
    net = gr.build(replace(parse_model(name, 4), stem_channels=8))
    X, y = random_array(4, 3, 32, 32), array([0, 1, 2, 3])
    gr.layer_shapes(net, X)
    recipe = Recipe(freeze_stages=2)
    prepare_parameters(net, recipe)
    trainer = make_trainer(net, recipe)
    before = {key: param.data().asnumpy() for key, param in net._collect_params_with_prefix().items()}
    with autograd.record():
        loss = gluon.loss.SoftmaxCrossEntropyLoss()(net(X), y).mean()
    loss.backward()
    trainer.step(1)
    after = {key: param.data().asnumpy() for key, param in net._collect_params_with_prefix().items()}
    moved = {key for key in before if (after[key] != before[key]).any()}
    assert moved == {key for key in before if not key.startswith(tuple(still.split()))}


@pytest.mark.parametrize("name", ["cifar_resnet20", "resnet18@v2", "resnet50@slim", "resnet50@slim_fc"])
def test_grad_cams_gradient_is_the_central_difference_at_the_last_feature_maps(name, np_mode):
    spec = replace(parse_model(name, 4), stem_channels=8)
    params = random_params(spec, 3)
    engine = make_engine("gluon-plain", spec, params)
    X = numpy.random.RandomState(0).randn(2, 3, 64, 64).astype("float32")
    seen = grad_cam(engine, X, numpy.array([1, 2]))
    plan, weight = layout(spec), params[f"{layout(spec).classifier.name}.weight"]
    assert relative_error(seen.logits, engine.activations(X)[plan.classifier.name]) < 1e-5
    A = engine.activations(X)[plan.places.get("final_relu", plan.stages[-1][-1].name)]  # (N, K, h, w)
    # after A come only the mean over places and a matrix: the gradient at each place is weight / places
    alpha = weight.reshape(4, -1)[[1, 2]] / A[0, 0].size
    expected = numpy.maximum(numpy.einsum("nk,nkhw->nhw", alpha, A), 0)
    assert relative_error(seen.maps, expected) < 1e-5
