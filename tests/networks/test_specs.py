"""The table of networks: names, defaults, errors; what is published about it is checked in test_models.py."""

import gluon_resnet as gr
from gluon_resnet.errors import ModelError
from gluon_resnet.networks.families import by_family, images_of
from gluon_resnet.networks.layout import layout
from gluon_resnet.networks.specs import DEPTHS, ModelName

import pytest


def test_every_depth_has_the_layers_of_its_name():
    for depth, (block, sizes) in DEPTHS.items():
        assert depth == sum(sizes) * {"basic": 2, "bottleneck": 3}[block] + 2  # the stem and the classifier


def test_every_name_parses_to_its_own_spec():
    # five published families and v2 in five depths, slim with two heads in three, the narrow and the early one, three
    # fine ones, plain, ResNeXt in three kinds, wide, ResNet-D, and CIFAR's with and without shortcuts
    others = 2 + 1 + 1 + 2 + 5
    assert len(gr.model_names()) == len(set(gr.model_names())) == 5 * 6 + 3 * 2 + 2 + 3 + 5 + others + 2 * 5
    for name in gr.model_names():
        assert gr.parse_model(name).name == name


def test_shortcuts_in_names():
    for name in gr.model_names():
        spec = gr.parse_model(name)
        for shortcut in "ABC":
            if spec.shortcut != "none":
                other = gr.parse_model(f"{name}:{shortcut.lower()}")
                assert other == gr.get_spec(spec.depth, spec.family, shortcut=shortcut)
                assert gr.parse_model(other.name) == other and (other.name == name) == (other == spec)
        plain = gr.parse_model(f"{name}:none")
        assert gr.parse_model(plain.name) == plain and plain.shortcut == "none"
        own = spec.family.startswith(("resnext", "wide", "resnet_d"))  # whose names have no word for it
        assert plain.name == f"{name}:none" if own else "plain" in plain.name
    assert gr.parse_model("resnet34@torchvision:none") == gr.parse_model("Plain34@torchvision:NONE")
    assert gr.parse_model("cifar_resnet20:a").name == "cifar_resnet20"
    assert gr.parse_model("cifar_resnet20:B").name[-2:] == ":B"


@pytest.mark.parametrize(
    "name, parts",
    [
        ("resnet18", ("resnet18", None, None)),
        (" ResNet50@Keras ", ("resnet50", "keras", None)),
        ("plain34@torchvision:NONE", ("plain34", "torchvision", "none")),
        ("cifar_resnet20:b", ("cifar_resnet20", None, "b")),
        ("resnet18@", ("resnet18", "", None)),  # given, and empty
        ("resnet18:", ("resnet18", None, "")),
    ],
)
def test_a_name_is_taken_apart_and_put_together(name, parts):
    taken = ModelName.parse(name)
    assert (taken.model, taken.family, taken.shortcut) == parts
    assert str(taken) == name.strip().lower() and ModelName.parse(str(taken)) == taken


def test_a_family_says_what_its_images_are():
    shapes = {family: (images_of(family).channels, images_of(family).side) for family in ("d2l", "narrow", "cifar")}
    assert shapes == {"d2l": (1, 224), "narrow": (1, 28), "cifar": (3, 32)}
    assert images_of("torchvision").preparation == images_of("mxnet").preparation != images_of("keras").preparation


def test_a_help_text_names_the_families_that_differ():
    classes = {gr.parse_model(name).family: gr.parse_model(name).num_classes for name in gr.model_names()}
    assert by_family(classes.get) == "10 for d2l, cifar, narrow, early and fine, 1000 otherwise"
    assert (
        by_family(lambda family: images_of(family).side) == "32 for cifar, 28 for narrow, early and fine, 224 otherwise"
    )


@pytest.mark.parametrize(
    "name, family, classes",
    [
        ("resnet18", "d2l", 10),
        ("resnet8", "narrow", 10),
        ("resnet14", "fine", 10),
        ("ResNet50@Keras", "keras", 1000),
        ("resnet101@torchvision", "torchvision", 1000),
        ("cifar_resnet56", "cifar", 10),
        ("plain34", "d2l", 10),
        ("resnet152@slim", "slim", 1000),
    ],
)
def test_defaults(name, family, classes):
    spec = gr.parse_model(name)
    assert (spec.family, spec.num_classes) == (family, classes)
    assert gr.parse_model(name, 4).num_classes == 4


def test_stage_channels_are_table_1s():
    assert gr.parse_model("resnet34").stage_channels == (64, 128, 256, 512)
    assert gr.parse_model("resnet101").stage_channels == (256, 512, 1024, 2048)
    assert gr.parse_model("cifar_resnet110").stage_channels == (16, 32, 64)


@pytest.mark.parametrize(
    "name, words",
    [
        ("resnet19", "unknown model 'resnet19': did you mean resnet18"),
        ("resnet5", "did you mean resnet50"),
        ("vgg", "unknown model 'vgg': known are resnet18"),
        ("resnet50@kears", "unknown family 'kears': did you mean keras"),
        ("resnet50@", "unknown family ''"),
        ("", "unknown model ''"),
        ("resnet20", "did you mean cifar_resnet20?"),
        ("plain19", "did you mean plain18?"),
        ("resnet18@slim", "the family slim has resnet50, resnet101, resnet152"),
        ("cifar_resnet21", "did you mean cifar_resnet20? CIFAR's networks have 6n + 2 layers"),
        ("cifar_resnet31", "did you mean cifar_resnet32?"),
        ("cifar_plian20", "did you mean cifar_plain20?"),
        ("resnet18@cifar", "whose names are cifar_resnet20"),
        ("cifar_resnet20@d2l", "without @"),
        ("resnext50_32x4", "did you mean resnext50_32x4d?"),
        ("resnext50_32x4d@keras", "networks whose names are resnext50_32x4d, resnext101_32x4d, without @"),
        ("resnet50@wide", "the family wide has networks whose names are wide_resnet50_2, wide_resnet101_2, without @"),
        ("wide_resnet34_2", "did you mean wide_resnet50_2?"),
        ("resnet18:D", "unknown shortcut 'd': known are A, B, C, none"),
        ("resnet18:", "unknown shortcut ''"),
        ("plain34:B", "a plain network has no shortcuts; write plain34 alone"),
    ],
)
def test_unknown_names_suggest_the_nearest(name, words):
    with pytest.raises(ModelError) as caught:
        gr.parse_model(name)
    assert words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("classes", [0, -1, 2.5, True, "10"])
def test_number_of_classes(classes):
    with pytest.raises(ModelError, match="at least 1"):
        gr.get_spec(18, num_classes=classes)


@pytest.mark.parametrize(
    "name, sides, channels",
    [
        ("resnet8@narrow", (14, 7, 4), (32, 64, 128)),
        ("resnet8@early", (7, 4, 2), (32, 64, 128)),
        ("resnet14@fine", (28, 14, 7), (32, 64, 128)),
        ("resnet18@fine", (28, 14, 7, 4), (32, 64, 128, 256)),
    ],
)
def test_the_maps_of_the_networks_for_28x28_by_hand(name, sides, channels):
    plan, side = layout(gr.parse_model(name), 1), 28
    stem, found = plan.stem[0][0], []
    side = (side + 2 * stem.padding - stem.kernel) // stem.stride + 1
    for stage in plan.stages:
        for conv, _ in stage[0].body:
            side = -(-side // conv.stride)  # 3x3 with one pixel around it
        found.append(side)
    assert tuple(found) == sides and gr.parse_model(name).stage_channels == channels
    assert all(conv.stride == 1 for stage in plan.stages for block in stage[1:] for conv, _ in block.body)
