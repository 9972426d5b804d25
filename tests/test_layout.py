"""The plain description of every network against the Gluon network that models.py builds."""
import pytest

import gluon_resnet as gr
from gluon_resnet.blocks import blocks_by_name
from gluon_resnet.layout import Conv, layout
from gluon_resnet.specs import model_names, parse_model


@pytest.mark.parametrize("name", model_names())
def test_names_and_shapes_are_the_networks_own(name):
    net = gr.get_model(name)
    gr.layer_shapes(net, (1, 3, 32, 32))
    own = {key: param.shape for key, param in net._collect_params_with_prefix().items()}
    assert layout(parse_model(name)).params() == own


@pytest.mark.parametrize("name", ["resnet18", "resnet50@torchvision", "resnet50@keras2016"])
def test_strides_paddings_and_eps_are_the_networks_own(name):
    net = gr.get_model(name)
    gr.layer_shapes(net, (1, 3, 64, 64))
    layers = blocks_by_name(net)
    for layer in layout(net.spec).layers():
        kwargs = getattr(layers[layer.name], "_kwargs", None)
        if isinstance(layer, Conv):
            assert (kwargs["kernel"], kwargs["stride"], kwargs["pad"]) == (
                (layer.kernel,) * 2, (layer.stride,) * 2, (layer.padding,) * 2)
            assert kwargs["no_bias"] is not layer.bias
        elif hasattr(layer, "eps"):
            assert kwargs["eps"] == layer.eps
    assert layers["3"]._kwargs["pad"] == (net.spec.pool_padding,) * 2
