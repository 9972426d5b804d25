"""The table of networks: names, defaults, errors; what is published about it is checked in test_models.py."""
import pytest

import gluon_resnet as gr
from gluon_resnet.errors import ModelError
from gluon_resnet.specs import DEPTHS, FAMILIES


def test_every_depth_has_the_layers_of_its_name():
    for depth, (block, sizes) in DEPTHS.items():
        assert depth == sum(sizes) * {"basic": 2, "bottleneck": 3}[block] + 2  # the stem and the classifier


def test_every_name_parses_to_its_own_spec():
    assert len(gr.model_names()) == len(DEPTHS) * len(FAMILIES) == 25
    for name in gr.model_names():
        assert gr.parse_model(name).name == name


@pytest.mark.parametrize("name, family, classes", [("resnet18", "d2l", 10), ("ResNet50@Keras", "keras", 1000),
                                                   ("resnet101@torchvision", "torchvision", 1000)])
def test_defaults(name, family, classes):
    spec = gr.parse_model(name)
    assert (spec.family, spec.num_classes) == (family, classes)
    assert gr.parse_model(name, 4).num_classes == 4


def test_stage_channels_are_table_1s():
    assert gr.parse_model("resnet34").stage_channels == (64, 128, 256, 512)
    assert gr.parse_model("resnet101").stage_channels == (256, 512, 1024, 2048)


@pytest.mark.parametrize("name, words", [
    ("resnet19", "unknown model 'resnet19': did you mean resnet18"), ("resnet5", "did you mean resnet50"),
    ("vgg", "unknown model 'vgg': known are resnet18"), ("resnet50@kears", "unknown family 'kears': did you mean keras"),
    ("resnet50@", "unknown family ''"), ("", "unknown model ''")])
def test_unknown_names_suggest_the_nearest(name, words):
    with pytest.raises(ModelError) as caught:
        gr.parse_model(name)
    assert words in str(caught.value)


@pytest.mark.parametrize("classes", [0, -1, 2.5, True, "10"])
def test_number_of_classes(classes):
    with pytest.raises(ModelError, match="at least 1"):
        gr.get_spec(18, num_classes=classes)
