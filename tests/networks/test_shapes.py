"""The walk against article 001's printed shapes, the summary against Table 1 and hand counts."""

import json
import re

import gluon_resnet as gr
from gluon_resnet.errors import ShapeError
from gluon_resnet.networks.shapes import parse_shape

import mxnet as mx
import pytest
from mxnet.gluon import nn

from tests.conftest import one_line_error, random_array

ARTICLE_001 = [
    (1, 64, 112, 112),
    (1, 64, 112, 112),
    (1, 64, 112, 112),
    (1, 64, 56, 56),
    (1, 64, 56, 56),
    (1, 128, 28, 28),
    (1, 256, 14, 14),
    (1, 512, 7, 7),
    (1, 512, 1, 1),
    (1, 10),
]
FRESH_NAMES = [
    "conv0",
    "batchnorm0",
    "relu0",
    "pool0",
    "hybridsequential1",
    "hybridsequential2",
    "hybridsequential3",
    "hybridsequential4",
    "pool1",
    "dense0",
]

#: G multiply-adds for one 3x224x224 image: the paper's Table 1 as counted in references.md.
MULTIPLY_ADDS = {
    "resnet18@torchvision": 1.814,
    "resnet34@torchvision": 3.664,
    "resnet50@torchvision": 4.089,
    "resnet101@torchvision": 7.801,
    "resnet152@torchvision": 11.514,
    "resnet50@mxnet": 3.858,
    "resnet101@mxnet": 7.570,
    "resnet152@mxnet": 11.282,
    "resnet50@keras": 3.858,
}


def test_the_articles_walk(both_modes):
    net = gr.resnet18()
    net.initialize()
    table = gr.layer_shapes(net, random_array(1, 1, 224, 224))
    assert list(table["output_shape"]) == ARTICLE_001
    assert list(table["name"]) == [layer.name for layer in net]


def test_the_command_prints_the_walk_with_a_fresh_networks_names(run_cli):
    process = run_cli("shapes", "resnet18", "--input", "1,1,224,224")
    expected = [f"{name} output shape:\t {shape}" for name, shape in zip(FRESH_NAMES, ARTICLE_001)]
    assert process.returncode == 0 and process.stdout.splitlines() == expected


@pytest.mark.parametrize("name", MULTIPLY_ADDS)
def test_multiply_adds_are_table_1s(name):
    net = gr.get_model(name)
    net.initialize(mx.init.Zero())  # faster than random numbers
    table = gr.summary(net, (1, 3, 224, 224))
    assert round(gr.totals(table)["multiply_adds"] / 1e9, 3) == MULTIPLY_ADDS[name]


@pytest.mark.parametrize(
    "depth, rows",
    [
        (1, 10),  # the walk's ten
        (2, 6 + 16),  # stem and head, and 3 + 4 + 6 + 3 blocks
        (3, 6 + 16 * 6 + 4 * 2),
        (None, 6 + 16 * 6 + 4 * 2),
    ],
)  # three convolutions and norms a block, four projections
def test_rows_sum_to_the_same_totals_at_every_depth(both_modes, depth, rows):
    net = gr.resnet50("torchvision")
    net.initialize(mx.init.Zero())  # faster than random numbers
    net.hybridize()
    table = gr.summary(net, random_array(2, 3, 64, 64), depth)
    whole = gr.totals(gr.summary(net, (2, 3, 64, 64)))
    assert gr.totals(table) == whole and whole["parameters"] == 25_557_032
    assert len(table) == rows


def test_summary_by_hand():
    net = nn.HybridSequential()
    net.add(nn.Conv2D(4, kernel_size=3, strides=2), nn.BatchNorm(), nn.Dense(5))
    table = gr.summary(net, (2, 3, 9, 9))
    assert [tuple(row) for row in table.drop(columns=["layer", "type"]).itertuples(index=False)] == [
        ((2, 4, 4, 4), 4 * 27 + 4, 2 * 4 * 16 * 27, 2 * 64 * 4),
        ((2, 4, 4, 4), 8, 0, 2 * 64 * 4),
        ((2, 5), 64 * 5 + 5, 2 * 5 * 64, 2 * 5 * 4),
    ]


def test_a_summary_says_where_a_layer_of_this_suite_is():
    table = gr.summary(gr.resnet18(), (1, 1, 32, 32))
    # the layout's "4.0.conv1" is the first layer of the first stage, a HybridSequential of two blocks
    stages = table[table["layer"].str.startswith("hybridsequential")]
    assert table["place"].iloc[[0, 1, 2, 3, -2, -1]].tolist() == [
        "stem",
        "stem_norm",
        "stem_relu",
        "max_pool",
        "average_pool",
        "classifier",
    ]
    for layer, place in zip(stages["layer"], stages["place"]):
        net, block, name = layer.split(".")
        assert re.fullmatch(rf"stage\d\.block{block}\.{name}", place)
    assert stages["place"].iloc[[0, -1]].tolist() == ["stage1.block0.conv1", "stage4.block1.bn2"]
    opened = gr.summary(gr.get_model("resnet50@v2"), (1, 3, 32, 32), depth=2)["place"]
    assert opened.iloc[:3].tolist() == ["input_norm", "stem", "stem_norm"] and "stage3.block5" in opened.tolist()
    assert opened.is_unique


def test_a_network_without_a_layout_has_no_places():
    longer, shorter = gr.resnet18(), nn.HybridSequential()
    longer.add(nn.Activation("relu"))  # no longer what its spec says
    shorter.add(*list(gr.resnet18())[:3])
    for net in (longer, shorter):
        assert "place" not in gr.summary(net, (1, 1, 32, 32)).columns


def test_a_hybridized_network_stays_compiled():
    net, X = gr.resnet18(), random_array(1, 1, 32, 32)
    net.initialize()
    net.hybridize()
    net(X)
    compiled = net._cached_op
    gr.summary(net, X)
    net(X)
    assert net._active and net._cached_op is compiled


def test_networks_that_are_not_sequential():
    net = mx.gluon.model_zoo.vision.resnet18_v1()
    table = gr.layer_shapes(net, (1, 3, 64, 64))
    assert list(table["output_shape"])[-1] == (1, 1000)
    assert gr.totals(gr.summary(net, (1, 3, 224, 224)))["parameters"] == 11_689_512  # references.md
    assert round(gr.totals(gr.summary(net, (1, 3, 224, 224)))["multiply_adds"] / 1e9, 3) == 1.814


@pytest.mark.parametrize("text", ["1,3", "", "1,3,a,224", "1,3,0,224", "1,3,-224,224", "1,3,224,224,1", "1.5,3,8,8"])
def test_shapes_that_are_none(text):
    with pytest.raises(ShapeError, match="four positive whole numbers"):
        parse_shape(text)


def test_a_shape_that_a_layer_cannot_take(both_modes):
    with pytest.raises(ShapeError, match=r"pool\d+ cannot take an input of shape \(1, 64, 1, 1\)") as caught:
        gr.layer_shapes(gr.resnet18("keras2016"), (1, 3, 1, 1))
    assert "\n" not in str(caught.value)


def test_the_wrong_number_of_channels():
    net = gr.resnet18()
    gr.layer_shapes(net, (1, 1, 32, 32))
    with pytest.raises(ShapeError, match="number of channels") as caught:
        gr.layer_shapes(net, (1, 3, 32, 32))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name, shape, last, multiply_adds",
    [
        (
            "cifar_resnet20",
            (1, 1, 28, 28),
            (1, 10),
            9 * (16 * 28**2 + 6 * 16 * 16 * 28**2 + (512 + 5 * 1024) * 14**2 + (2048 + 5 * 4096) * 7**2) + 640,
        ),
        (
            "plain34@torchvision",
            (1, 3, 224, 224),
            (1, 1000),
            3_663_761_408 - (64 * 128 * 28**2 + 128 * 256 * 14**2 + 256 * 512 * 7**2),
        ),
    ],
)
def test_networks_without_projections(name, shape, last, multiply_adds):
    """Counted by hand: what a projection costs is in no row."""
    table = gr.summary(gr.get_model(name), shape)
    assert table["output_shape"].iloc[-1] == last and gr.totals(table)["multiply_adds"] == multiply_adds


def test_cifars_default_input_is_32x32(run_cli):
    lines = run_cli("shapes", "cifar_resnet20").stdout.splitlines()
    assert lines[0].endswith("(1, 16, 32, 32)") and lines[-1].endswith("(1, 10)") and len(lines) == 8


def test_summary_formats(run_cli):
    args = ("summary", "resnet50@torchvision", "--input", "1,3,224,224", "--depth", "1")
    text = run_cli(*args).stdout
    assert "25,557,032 parameters, 4.089 G multiply-adds" in text and len(text.splitlines()) == 2 + 10 + 1 + 2
    csv = run_cli(*args, "--format", "csv").stdout.splitlines()
    assert csv[0] == "layer,place,type,output_shape,parameters,multiply_adds,output_bytes" and len(csv) == 11
    content = json.loads(run_cli(*args, "--format", "json").stdout)
    assert content["totals"]["parameters"] == sum(row["parameters"] for row in content["layers"]) == 25_557_032
    assert content["layers"][0] == {
        "layer": "conv0",
        "place": "stem",
        "type": "Conv2D",
        "output_shape": [1, 64, 112, 112],
        "parameters": 9408,
        "multiply_adds": 118_013_952,
        "output_bytes": 3_211_264,
    }


def test_arrays_of_another_rank_and_shapes_beyond_memory():
    with pytest.raises(ShapeError, match="cannot take an input of shape"):
        gr.layer_shapes(gr.resnet18(), random_array(3, 3))
    with pytest.raises(ShapeError):
        gr.layer_shapes(gr.resnet18(), (1, 3, 2_000_000, 2_000_000))


@pytest.mark.parametrize(
    "args, words",
    [
        (("shapes", "resnet20"), "unknown model 'resnet20': did you mean cifar_resnet20?"),
        (("shapes", "resnet50@kerras"), "did you mean keras?"),
        (("shapes", "cifar_resnet21"), "did you mean cifar_resnet20?"),
        (("summary", "plain18:A"), "a plain network has no shortcuts"),
        (("shapes", "resnet18", "--input", "1,3"), "four positive whole numbers"),
        (("shapes", "resnet18@keras2016", "--input", "1,3,1,1"), "cannot take an input"),
        (("summary", "resnet18", "--depth", "0"), "0 is not in the range"),
        (("summary", "resnet18", "--format", "xml"), "'xml' is not one of"),
        (("shapes", "resnet18", "--classes", "0"), "not in the range"),
        (("shapes",), "Missing argument 'MODEL'"),
        (("shaeps",), "no command 'shaeps': did you mean gluon-resnet shapes?"),
    ],
)
def test_what_a_user_can_mistype_is_one_line(run_cli, args, words):
    assert words in one_line_error(run_cli(*args))


class Twice(nn.HybridBlock):
    """Calls a convolution of 4 channels, stride 2, and then the same again."""

    def __init__(self, child):
        super().__init__()
        self.again = child

    def hybrid_forward(self, F, X):
        return self.again(self.again(X))


def halving():
    return nn.Conv2D(4, kernel_size=3, strides=2, padding=1, in_channels=4)


#: of one convolution 4 -> 4 of 3x3 with a bias, on 9x9 and then 5x5 pixels: shapes, parameters, multiply-adds
BY_HAND = [((2, 4, 5, 5), 4 * 36 + 4, 2 * 4 * 25 * 36), ((2, 4, 3, 3), 0, 2 * 4 * 9 * 36)]


def numbers(table):
    return [tuple(row) for row in table[["output_shape", "parameters", "multiply_adds"]].itertuples(index=False)]


@pytest.mark.parametrize("hybridize", [False, True])
def test_a_layer_that_is_called_twice_has_a_row_a_call(both_modes, hybridize):
    net = Twice(halving())
    net.initialize()
    if hybridize:
        net.hybridize()
    table = gr.summary(net, (2, 4, 9, 9))
    assert numbers(table) == BY_HAND and table["layer"].nunique() == 1
    assert table["output_bytes"].tolist() == [2 * 4 * 25 * 4, 2 * 4 * 9 * 4]
    assert gr.layer_shapes(net, (2, 4, 9, 9))["output_shape"].tolist() == [(2, 4, 5, 5), (2, 4, 3, 3)]


def test_a_block_of_layers_that_is_called_twice():
    body = nn.HybridSequential()
    body.add(halving(), nn.Activation("relu"))
    net = nn.HybridSequential()
    net.add(Twice(body), nn.Dense(3))
    open_, closed = gr.summary(net, (2, 4, 9, 9)), gr.summary(net, (2, 4, 9, 9), depth=2)
    dense = ((2, 3), 4 * 9 * 3 + 3, 2 * 3 * 36)
    relus = [(shape, 0, 0) for shape, _, _ in BY_HAND]
    assert numbers(open_) == [BY_HAND[0], relus[0], BY_HAND[1], relus[1], dense]
    assert numbers(closed) == [*BY_HAND, dense]
    # of both calls together: the shape that comes out at the end
    both = ((2, 4, 3, 3), BY_HAND[0][1], BY_HAND[0][2] + BY_HAND[1][2])
    assert numbers(gr.summary(net, (2, 4, 9, 9), depth=1)) == [both, dense]


def test_a_layer_with_two_names_and_one_in_two_blocks():
    layer, net = halving(), nn.HybridSequential()
    net.add(layer, layer)
    table = gr.summary(net, (2, 4, 9, 9))
    assert numbers(table) == BY_HAND
    assert gr.layer_shapes(net, (2, 4, 9, 9))["output_shape"].tolist() == [(2, 4, 5, 5), (2, 4, 3, 3)]
    outer, blocks = nn.HybridSequential(), [nn.HybridSequential(), nn.HybridSequential()]
    for block in blocks:
        block.add(layer)
    outer.add(*blocks)
    assert numbers(gr.summary(outer, (2, 4, 9, 9))) == numbers(gr.summary(outer, (2, 4, 9, 9), depth=1)) == BY_HAND
    assert gr.summary(outer, (2, 4, 9, 9))["layer"].tolist() == [f"{block.name}.0" for block in blocks]


def test_two_names_in_a_block_that_is_no_sequential():
    class Both(nn.HybridBlock):
        def __init__(self, layer):
            super().__init__()
            self.first = self.second = layer

        def hybrid_forward(self, F, X):
            return self.second(self.first(X))

    assert gr.layer_shapes(Both(halving()), (2, 4, 9, 9))["output_shape"].tolist() == [(2, 4, 5, 5), (2, 4, 3, 3)]
