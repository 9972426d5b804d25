"""The plain description of every network against the Gluon network that models.py builds."""

import gluon_resnet as gr
from gluon_resnet.networks.blocks import blocks_by_name
from gluon_resnet.networks.layout import Conv, Norm, layout
from gluon_resnet.networks.shapes import watched
from gluon_resnet.networks.specs import model_names, parse_model

import mxnet as mx
import pytest

#: Every row of the table, and rows with another shortcut than their family's own.
OTHERS = [
    f"{name}:{shortcut}"
    for name in ("resnet18", "resnet50@torchvision", "resnet50@slim", "resnet18@v2", "resnet50@v2", "cifar_resnet20")
    for shortcut in ("A", "B", "C", "none")
]


#: Deep networks of rows whose shallower ones are tested.
DEEP = ("resnext101_", "wide_resnet101_2", "resnet101d", "resnet152d")


@pytest.mark.parametrize(
    "name",
    [
        *(name for name in model_names() if not name.startswith(DEEP)),
        *OTHERS,
        "cifar_resnet8",
        "plain34@torchvision",
    ],
)
def test_names_and_shapes_are_the_networks_own(name):
    net, plan = gr.get_model(name), layout(parse_model(name), 1)
    net.infer_shape(mx.nd.zeros((1, 1, 32, 32)))
    own = net._collect_params_with_prefix()
    assert plan.params() == {key: param.shape for key, param in own.items()}
    norms = [layer.name for layer in plan.layers() if isinstance(layer, Norm)]
    layers = blocks_by_name(net)
    fixed = {f"{norm}.gamma" for norm in norms if layers[norm]._kwargs["fix_gamma"]}
    fixed |= {f"{norm}.beta" for norm in norms if own[f"{norm}.beta"].grad_req == "null"}
    assert plan.fixed() == fixed


@pytest.mark.parametrize(
    "name",
    [
        "resnet18",
        "resnet50@torchvision",
        "resnet50@keras2016",
        "resnet50@slim",
        "resnet18@v2",
        "resnet50@v2",
        "cifar_resnet20",
        "cifar_resnet20:B",
        "resnet50@slim:C",
        "resnext50_32x4d",
        "resnet18d",
    ],
)
def test_strides_paddings_and_eps_are_the_networks_own(name):
    net = gr.get_model(name)
    gr.layer_shapes(net, (1, 3, 64, 64))
    layers, plan = blocks_by_name(net), layout(net.spec)
    for layer in plan.layers():
        kwargs = getattr(layers[layer.name], "_kwargs", None)
        if isinstance(layer, Conv):
            assert (kwargs["kernel"], kwargs["stride"], kwargs["pad"]) == (
                (layer.kernel,) * 2,
                (layer.stride,) * 2,
                (layer.padding,) * 2,
            )
            assert kwargs["num_group"] == layer.groups
            assert kwargs["no_bias"] is not layer.bias
        elif isinstance(layer, Norm):
            assert kwargs["eps"] == layer.eps
    for block in (block for stage in plan.stages for block in stage):
        assert (layers[block.name].pad, layers[block.name].adds) == (block.pad, block.adds)
        assert (layers[block.name].pool is not None) == block.pooled
    if plan.pool_padding is not None:
        assert layers[plan.places["max_pool"]]._kwargs["pad"] == (plan.pool_padding,) * 2


@pytest.mark.parametrize("name", ["resnet18", "cifar_resnet20", "resnet50@v2", "resnet50@slim", "resnet50@slim_fc"])
def test_places_are_the_networks_children(name):
    net = gr.get_model(name)
    places = layout(net.spec).places
    kinds = {
        "input_norm": "InputNorm",
        "stem": "Conv2D",
        "stem_norm": "BatchNorm",
        "stem_relu": "Activation",
        "max_pool": "MaxPool2D",
        "final_norm": "BatchNorm",
        "final_relu": "Activation",
        "average_pool": "GlobalAvgPool2D",
        "classifier": "Conv2D" if name.endswith("slim") else "Dense",
        "flatten": "Flatten",
        "head_relu": "Activation",
        "dropout": "Dropout",
    }
    assert [kinds.get(kind, "HybridSequential") for kind in places] == [type(child).__name__ for child in net]
    assert list(places.values()) == list(net._children)


def test_layers_come_in_the_order_they_run():
    """By the shapes walk: the layers with parameters as the network calls them, projections after the body."""
    for name in ("resnet18", "resnet18@v2", "cifar_resnet8", "resnet50@slim"):
        net, plan = gr.get_model(name), layout(parse_model(name))
        layers = blocks_by_name(net)
        gr.layer_shapes(net, (1, 3, 32, 32))
        projections = {
            layer.name for stage in plan.stages for block in stage for layer in block.shortcut or () if layer
        }
        with watched(net, [layers[layer.name] for layer in plan.layers()]) as seen:
            net(mx.nd.zeros((1, 3, 32, 32)))
        ran = [id(layer) for layer, _, _ in seen]
        described = [layer.name for layer in plan.layers() if layer.name not in projections]
        assert [id(layers[name]) for name in described] == [
            layer for layer in ran if layer not in {id(layers[name]) for name in projections}
        ]
