"""The fused network against the network as it is trained, for every family and shortcut of the table."""

import json
from dataclasses import replace

import gluon_resnet as gr
from gluon_resnet.instruments.engines import GluonEngine, flat, make_engine, watched_layers
from gluon_resnet.instruments.gradcam import grad_cam
from gluon_resnet.instruments.microscope import shows_first
from gluon_resnet.networks.families import ROWS, family_depths
from gluon_resnet.networks.layout import layout
from gluon_resnet.networks.specs import SHORTCUTS, get_spec
from gluon_resnet.training import fused, winograd
from gluon_resnet.training.fused import FusedNetwork, shown_layers

import mxnet as mx
import numpy
import pytest

from tests.conftest import relative_error, with_onednn_log
from tests.instruments.test_microscope import random_params

#: the families; of ResNeXt one, as the others differ in numbers alone
KINDS = [family for family in ROWS if family not in ("resnext_32x8d", "resnext_64x4d")]
#: the shallowest network of each family, and a bottleneck of those that have both kinds of block
SMALL = [
    (depth, family) for family in KINDS for depth in sorted({family_depths(family)[0], 50} & {*family_depths(family)})
]
CASES = [
    (depth, family, shortcut)
    for depth, family in SMALL
    for shortcut in (SHORTCUTS if depth < 50 or family in ("torchvision", "v2", "slim") else [None])
]


def small(depth, family, shortcut=None, in_channels=3):
    spec = replace(get_spec(depth, family, 7, shortcut), stem_channels=16)
    params = random_params(spec, in_channels)
    for name in params:  # a negative gamma turns the sign of a folded filter
        if name.endswith("gamma"):
            params[name][::3] *= -1
    return spec, params


def images(*shape, seed=1):
    return numpy.random.RandomState(seed).randn(*shape).astype("float32")


@pytest.mark.parametrize("depth, family, shortcut", CASES)
def test_logits_are_those_of_the_network_as_it_is_trained(depth, family, shortcut):
    spec, params = small(depth, family, shortcut)
    X = images(2, 3, 32, 33)
    expected = GluonEngine(spec, params).logits(X)
    assert relative_error(FusedNetwork(layout(spec, 3), params)(X), expected) < 1e-5


@pytest.mark.parametrize("family", ["torchvision", "v2", "cifar", "slim"])
def test_numpy_mode_makes_no_difference_and_shapes_may_change(family, both_modes):
    spec, params = small(family_depths(family)[0], family)
    engine, byhand = make_engine("gluon", spec, params), make_engine("byhand", spec, params)
    assert type(engine).__name__ == "FusedEngine"
    for shape in ((3, 3, 32, 32), (1, 3, 32, 32), (2, 3, 40, 48), (3, 3, 32, 32)):
        assert relative_error(engine.logits(images(*shape)), byhand.logits(images(*shape))) < 1e-4


@pytest.mark.parametrize("depth, family", SMALL)
def test_the_layers_that_are_left_are_those_of_the_network_as_it_is_trained(depth, family):
    spec, params = small(depth, family)
    plain, X = GluonEngine(spec, params), images(2, 3, 33, 36)
    engine = make_engine("gluon", spec, params)
    expected, found = plain.activations(X), flat(engine.network.activations(X), plain.plan)
    assert tuple(found) == shown_layers(plain.plan)
    assert set(found) < set(watched_layers(plain.plan))
    assert [name for name in found if relative_error(found[name], expected[name]) > 1e-5] == []
    assert relative_error(engine.features(X), plain.features(X)) < 1e-5


def test_every_convolution_takes_the_sum_and_the_relu_after_it_with_it():
    spec, params = small(50, "torchvision")
    graph = fused.Graph(layout(spec, 3), params)
    kinds = [node["op"] for node in json.loads(graph.output.get_backend_symbol("MKLDNN").tojson())["nodes"]]
    counts = {kind: kinds.count(kind) for kind in set(kinds) - {"null"}}
    # 53 convolutions: the stem, 3 for each of 16 blocks, 4 projections
    assert counts == {"_sg_mkldnn_conv": 53, "Pooling": 2, "_sg_mkldnn_fully_connected": 1}


def test_one_grey_image_and_no_learned_statistics():
    spec = replace(get_spec(18, "d2l"), stem_channels=16)
    params = random_params(spec, 1)
    for name, values in params.items():
        values[...] = {"running_mean": 0, "running_var": 1, "gamma": 1, "beta": 0}.get(name.rpartition(".")[2], values)
    X = images(1, 1, 32, 32)
    assert relative_error(make_engine("gluon", spec, params).logits(X), GluonEngine(spec, params).logits(X)) < 1e-5


def test_the_network_as_it_is_trained_and_its_gradients_are_there_too():
    spec, params = small(18, "torchvision")
    engine, X = make_engine("gluon", spec, params), images(1, 3, 32, 32)
    assert relative_error(engine.net(mx.nd.array(X)).asnumpy(), engine.logits(X)) < 1e-5
    expected = make_engine("byhand", spec, params).gradients(X, [2])
    found = engine.gradients(X, [2])
    assert found.keys() == expected.keys() and relative_error(found["0.weight"], expected["0.weight"]) < 1e-9


@pytest.mark.parametrize("family", ["torchvision", "v2", "slim_fc"])
def test_grad_cam_of_the_engine_is_that_of_the_network(family, both_modes):
    spec, params = small(family_depths(family)[0], family)
    engine, X = make_engine("gluon", spec, params), images(2, 3, 64, 64)
    seen, expected = grad_cam(engine, X), grad_cam(engine.net, X)
    assert seen.maps.shape == expected.maps.shape and relative_error(seen.maps, expected.maps) < 1e-4


def test_without_onednn_the_engine_is_the_plain_one_and_says_so_once(monkeypatch, capsys):
    monkeypatch.setenv("MXNET_MKLDNN_ENABLED", "0")
    spec, params = small(18, "torchvision")
    engines = [make_engine("gluon", spec, params) for _ in range(2)]
    assert [type(engine) for engine in engines] == [GluonEngine] * 2
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "gluon_resnet: the network is not fused: MXNET_MKLDNN_ENABLED=0 turns oneDNN off; the engine gluon is "
        "gluon-plain"
    ]


def test_a_gpu_has_no_fusion():
    assert fused.unsuitable(mx.gpu(0)) == "the fusion is for CPUs" and fused.unsuitable(mx.cpu(1)) is None


def test_the_microscope_sees_every_layer_and_those_of_the_fused_network_as_it_computes_them():
    spec, params = small(18, "torchvision")
    X, damaged = images(1, 3, 32, 32), gr.plant(spec, params, "5.0.conv2")
    engine, byhand = make_engine("gluon", spec, params), make_engine("byhand", spec, params)
    found = gr.microscope(engine, byhand, X)
    assert list(found.table["layer"]) == watched_layers(layout(spec)) and found.first is None
    found = gr.microscope(engine, make_engine("byhand", spec, damaged), X)
    assert found.first == shows_first(spec, "5.0.conv2", found) == "5.0.conv2"
    engine.network = FusedNetwork(layout(spec, 3), damaged)
    found = gr.microscope(engine, byhand, X)
    assert found.first == "5.0"  # damage to the fused network shows where it has a layer


#: predicts 1, 9 and again 1 and 9 images of 56x56 with a network whose planes are 14x14 to 2x2
PREDICTIONS = """
from gluon_resnet.training.fused import FusedNetwork
from tests.instruments.test_fused import images, small
from gluon_resnet.instruments.engines import GluonEngine
from gluon_resnet.networks.layout import layout
from tests.conftest import relative_error
spec, params = small(50, "torchvision")
network, plain = FusedNetwork(layout(spec, 3), params), GluonEngine(spec, params)
for count in (1, 9, 1, 9):
    X = images(count, 3, 56, 56)
    print("fused", flush=True)
    logits = network(X)
    print("plain", flush=True)
    print("error", relative_error(logits, plain.logits(X)), flush=True)
"""


@pytest.mark.skipif(winograd.problem() is not None, reason=f"no Winograd here: {winograd.problem()}")
def test_batches_are_predicted_with_winograds_convolutions_and_their_sums():
    printed = with_onednn_log(PREDICTIONS)
    passes = [part.split("plain\n") for part in printed.split("fused\n")[1:]]
    counts = [(part.count(",jit_wino"), "wino" in plain) for part, plain in passes]
    # In stage 2 are 32 channels of 7x7, and 9 * (49 - 6 * 4) > 200; its first block's convolution has stride 2. Stage 1
    # has too few channels, stages 3 and 4 too small planes.
    assert counts == [(0, False), (3, False)] * 2
    assert all(float(line.split()[1]) < 1e-5 for line in printed.splitlines() if line.startswith("error"))
