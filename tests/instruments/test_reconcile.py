"""Comparisons against the summary of the Gluon networks themselves, published totals, and sums done by hand."""

import io
import itertools
import subprocess
import sys
from dataclasses import replace
from functools import lru_cache

import gluon_resnet as gr
from gluon_resnet.errors import RunError, ShapeError
from gluon_resnet.instruments.reconcile import NUMBERS, as_text, compare, groups
from gluon_resnet.instruments.reconcile_plot import draw, figure
from gluon_resnet.networks.cost import network
from gluon_resnet.networks.families import FAMILIES
from gluon_resnet.networks.layout import children, layout
from gluon_resnet.networks.specs import model_names, parse_model

import mxnet as mx
import numpy
import pandas as pd
import pytest
from matplotlib.image import imread

#: Trainable parameters of every published row of references.md; the first row's images have one channel.
PUBLISHED = {
    ("resnet18@d2l", 1): 11_178_378,
    ("resnet50@torchvision", 3): 25_557_032,
    ("resnet50@mxnet", 3): 25_575_912,
    ("resnet50@keras", 3): 25_583_592,
    ("resnet50@keras2016", 3): 25_583_592,
    ("resnet18@torchvision", 3): 11_689_512,
    ("resnet34@torchvision", 3): 21_797_672,
    ("resnet101@torchvision", 3): 44_549_160,
    ("resnet152@torchvision", 3): 60_192_808,
}
#: Billions of multiply-adds for 3x224x224, of the same file.
MULTIPLY_ADDS = {
    "resnet18@torchvision": 1.814,
    "resnet34@torchvision": 3.664,
    "resnet50@torchvision": 4.089,
    "resnet101@torchvision": 7.801,
    "resnet152@torchvision": 11.514,
    "resnet50@mxnet": 3.858,
    "resnet101@mxnet": 7.570,
    "resnet152@mxnet": 11.282,
}
PAIRS = [
    ("resnet50@torchvision", "resnet50@keras"),
    ("resnet50@keras", "resnet50@keras2016"),
    ("resnet18", "resnet18@torchvision"),
    ("resnet18@torchvision", "resnet50@torchvision"),
    ("resnet50@mxnet", "resnet101@mxnet"),
    ("resnet50@torchvision", "resnet34"),
    ("resnet18@keras2016", "resnet18@mxnet"),
    ("cifar_resnet20:A", "cifar_resnet20:B"),
    ("resnet50@slim", "resnet50@torchvision"),
    ("resnet50@v2", "resnet50@torchvision"),
    ("resnet18:C", "plain18"),
    ("resnet50@slim_fc", "cifar_resnet20"),
]
#: One network of every family, block and shortcut.
SAMPLE = [
    *(f"resnet{depth}@{family}" for family in FAMILIES for depth in (18, 50)),
    "resnet50@slim",
    "resnet50@slim_fc",
    "cifar_resnet20",
    "cifar_resnet32:B",
    "cifar_resnet20:C",
    "cifar_plain20",
    "resnet50@v2:A",
    "plain18@d2l",
]


def specs(a, b):
    return parse_model(a), parse_model(b)


def sums(table):
    return {number: int(table[number].sum()) for number in NUMBERS}


@pytest.mark.parametrize("name, channels", PUBLISHED)
def test_parameters_are_the_published_ones(name, channels):
    assert network(parse_model(name), channels).total("parameters") == PUBLISHED[name, channels]


@pytest.mark.parametrize("name", MULTIPLY_ADDS)
def test_multiply_adds_are_the_published_ones(name):
    assert round(network(parse_model(name)).total("multiply_adds") / 1e9, 3) == MULTIPLY_ADDS[name]


@lru_cache(maxsize=None)
def gluons_totals(name, size):
    """The totals of the Gluon network's summary; some networks are in several pairs."""
    net = gr.get_model(name)
    net.initialize(mx.init.Zero())  # faster than random numbers
    return gr.totals(gr.summary(net, (1, 3, *size)))


@pytest.mark.parametrize("a, b", PAIRS)
def test_rows_stages_and_groups_sum_to_what_the_gluon_networks_differ_by(a, b):
    size = (75, 64)  # neither square nor a multiple of 32
    found = [gluons_totals(name, size) for name in (a, b)]
    comparison = compare(*specs(a, b), size=size)
    expected = {number: found[1][number] - found[0][number] for number in NUMBERS}
    assert any(expected.values())
    assert sums(comparison.table) == sums(comparison.stages()) == sums(groups(comparison)) == expected
    for net, total in zip((comparison.a, comparison.b), found):
        assert {number: net.total(number) for number in NUMBERS} == {number: total[number] for number in NUMBERS}


def test_torchvisions_resnet50_against_keras_by_hand():
    comparison = compare(*specs("resnet50@torchvision", "resnet50@keras"))
    # One bias an output channel: the stem's 64; w, w and 4w in a block of width w; 4w in a stage's projection.
    biases = 64 + sum(blocks * 6 * width + 4 * width for blocks, width in zip((3, 4, 6, 3), (64, 128, 256, 512)))
    # The first 1x1 of stages 2 to 4 has a quarter of the positions: 28x28 for 56x56, 256 to 128 channels, and so on.
    fewer = sum(
        (size**2 - (size // 2) ** 2) * channels * channels // 2 for size, channels in ((56, 256), (28, 512), (14, 1024))
    )
    assert biases == 26_560 == 25_583_592 - 25_557_032
    assert sums(comparison.table) == {"parameters": biases, "multiply_adds": -fewer}
    found = groups(comparison).drop(columns="where")
    assert list(found.itertuples(index=False, name=None)) == [
        ("bias", "no", "yes", 53, biases, 0),
        ("eps", "1e-05", "1.001e-05", 53, 0, 0),
        ("stride", "1", "2", 3, 0, -fewer),
        ("stride", "2", "1", 3, 0, 0),
    ]
    places = comparison.table.set_index("layer")["place"]
    assert places["5.0.conv1"] == "stage2.block0.conv1" and places["7.0.shortcut.bn"] == "stage4.block0.shortcut.bn"
    rows = comparison.table.drop(columns="place").set_index("layer")
    assert list(rows.loc["5.0.conv1"]) == ["stride, bias", "1, no", "2, yes", 128, -(56**2 - 28**2) * 256 * 128]
    assert list(rows.loc["7.0.shortcut.bn"]) == ["eps", "1e-05", "1.001e-05", 0, 0]
    assert len(rows) == 53 + 53 and "3" not in rows.index and "9" not in rows.index


def test_pooling_without_padding_shows_where_it_is_and_where_it_is_felt():
    found = groups(compare(*specs("resnet50@keras", "resnet50@keras2016")))
    # 1x1, 3x3, 1x1 and the projection of stage 1 over 56 ** 2 or 55 ** 2 positions; then 28x28 for both.
    weights = 64 * 64 + 9 * 64 * 64 + 64 * 256 + 64 * 256 + 2 * (256 * 64 + 9 * 64 * 64 + 64 * 256)
    assert list(found.drop(columns="where").itertuples(index=False, name=None)) == [
        ("eps", "1.001e-05", "0.001", 53, 0, 0),
        ("padding", "1", "0", 1, 0, 0),
        ("input size", "56x56", "55x55", 10, 0, -(56**2 - 55**2) * weights),
    ]
    assert list(found["where"])[1] == "3"


def test_a_missing_batch_norm_a_missing_shortcut_and_layers_of_one_network_only():
    rows = compare(*specs("resnet18", "resnet18@torchvision")).table.drop(columns="place").set_index("layer")
    assert list(rows.loc["6.0.shortcut.bn"]) == ["batch norm", "no", "yes", 2 * 256, 0]
    assert list(rows.loc["9"]) == ["classes", "10", "1000", 990 * 513, 990 * 512]
    rows = (
        compare(*specs("resnet18@torchvision", "resnet50@torchvision")).table.drop(columns="place").set_index("layer")
    )
    assert list(rows.loc["4.0.shortcut.conv"])[:4] == ["shortcut", "identity", "projection", 64 * 256]
    assert list(rows.loc["4.0.conv1"])[:4] == ["kernel, padding", "3x3, 1", "1x1, 0", 64 * 64 - 9 * 64 * 64]
    assert list(rows.loc["4.0.conv3"])[:4] == ["only in b", "-", "conv 1x1 64 to 256", 64 * 256]
    assert list(rows.loc["4.2.bn2"])[:4] == ["only in b", "-", "batch norm 64", 128]
    rows = compare(*specs("resnet101@mxnet", "resnet50@mxnet")).table
    assert set(rows["what"]) == {"only in a"} and set(rows["b"]) == {"-"}
    assert [rows["layer"].iloc[0], rows["layer"].iloc[-1]] == ["6.6.conv1", "6.22.bn3"] and len(rows) == 17 * 6


def test_shortcuts_by_hand():
    def kinds(a, b, size=(32, 32)):
        table = groups(compare(*specs(a, b), size=size))
        return list(table[["what", "a", "b", "layers", *NUMBERS]].itertuples(index=False, name=None))

    # a projection 16 to 32 on 16x16 and one 32 to 64 on 8x8, with scale and shift of its batch norm
    weights, work = 16 * 32 + 32 * 64, 16 * 32 * 16**2 + 32 * 64 * 8**2
    assert kinds("cifar_resnet20", "cifar_resnet20:B") == [
        ("shortcut", "zero padding", "projection", 4, weights + 2 * (32 + 64), work)
    ]
    assert kinds("cifar_resnet20:B", "cifar_plain20") == [
        ("shortcut", "identity", "none", 7, 0, 0),
        ("shortcut", "projection", "none", 4, -weights - 2 * (32 + 64), -work),
    ]
    assert kinds("cifar_resnet20:B", "cifar_resnet20:C")[0][:4] == ("shortcut", "identity", "projection", 2 * 7)
    rows = (
        compare(*specs("cifar_resnet20", "cifar_plain20"), size=(32, 32)).table.drop(columns="place").set_index("layer")
    )
    assert list(rows.loc["4.0.shortcut"]) == ["shortcut", "zero padding", "none", 0, 0] and len(rows) == 9


def test_article_003s_resnet50_against_torchvisions_by_hand():
    found = groups(compare(*specs("resnet50@slim", "resnet50@torchvision")))
    rows = {tuple(row[:3]): tuple(row[3:6]) for row in found.itertuples(index=False, name=None)}
    assert rows["scale", "1", "learned"][:2] == (32, 2 * sum(n * w for n, w in zip((3, 4, 6, 3), (64, 128, 256, 512))))
    assert rows["batch norm", "no", "yes"][0] == 1 + 16  # after the stem and the blocks' last convolutions
    assert rows["final norm", "yes", "no"] == (1, -2 * 2048, 0) and rows["head", "conv 1x1", "dense"] == (1, 0, 0)
    assert rows["shortcut", "subsampling", "identity"] == (3, 0, 0)
    assert rows["shortcut", "zero padding", "projection"][0] == 2 * 4
    assert list(found[(found["what"] == "stride") & (found["a"] == "2")]["where"]) == ["2.2.conv2 3.3.conv2 4.5.conv2"]


def test_pre_activation_is_a_batch_norm_in_front():
    comparison = compare(*specs("resnet18@torchvision", "resnet18@v2"))
    assert comparison.table.set_index("layer").loc[["b's 0", "b's 9"], "place"].tolist() == ["input_norm", "final_norm"]
    found = groups(comparison)
    rows = {tuple(row[:3]): tuple(row[3:6]) for row in found.itertuples(index=False, name=None)}
    assert found.set_index("what").loc[["input norm", "final norm"], "where"].tolist() == ["b's 0", "b's 9"]
    # a block's first norm is as wide as its input: half as wide where the channels double
    assert rows["batch norm", "after", "before"] == (16, -2 * (64 + 128 + 256), 0)
    assert rows["input norm", "no", "yes"] == (1, 0, 0) and rows["final norm", "no", "yes"] == (1, 2 * 512, 0)
    assert rows["batch norm", "yes", "no"] == (3, -2 * (128 + 256 + 512), 0)


@pytest.mark.parametrize("a, b", PAIRS)
def test_the_other_way_round_every_number_is_negated(a, b):
    forth, back = (compare(*specs(*pair)) for pair in ((a, b), (b, a)))
    names = [[name.replace("shortcut.conv", "shortcut") for name in each.table["layer"]] for each in (forth, back)]
    if children(forth.a.spec) == children(forth.b.spec):  # otherwise the names are those of the first network
        assert names[0] == names[1]
    else:
        assert names[0] != names[1] and len(names[0]) == len(names[1])
    assert (forth.table[NUMBERS] == -back.table[NUMBERS]).all().all()
    swapped = {"only in a": "only in b", "only in b": "only in a"}
    assert list(forth.table["what"].replace(swapped)) == list(back.table["what"])
    assert list(forth.table["a"]) == list(back.table["b"]) and list(forth.table["b"]) == list(back.table["a"])


@pytest.mark.parametrize("name", model_names())
def test_a_network_against_itself_is_an_empty_table(name):
    comparison = compare(*specs(name, name))
    assert list(comparison.table.columns) == ["layer", "place", "what", "a", "b", "parameters", "multiply_adds"]
    assert len(comparison.table) == len(groups(comparison)) == 0 and sums(comparison.table) == dict.fromkeys(NUMBERS, 0)
    assert ": 0 of " in as_text(comparison, full=True).splitlines()[0]


def test_every_pair_of_a_sample_sums_exactly_and_every_layer_is_counted_once():
    nets = {name: network(parse_model(name), size=(64, 64)) for name in SAMPLE}
    for net in nets.values():  # the layout's own layers, the pooling and shortcuts without parameters
        plan = layout(net.spec)
        bare = sum(block.pad is not None or not block.adds for stage in plan.stages for block in stage)
        assert len(net.layers) == len(list(plan.layers())) + net.spec.pool + bare
    for a, b in itertools.combinations(nets, 2):
        comparison = compare(*specs(a, b), size=(64, 64))
        expected = {number: nets[b].total(number) - nets[a].total(number) for number in NUMBERS}
        assert sums(comparison.table) == sums(groups(comparison)) == expected, (a, b)
        assert comparison.table["layer"].is_unique


def test_the_text_says_the_point_and_lists_all_rows_only_in_full():
    comparison = compare(*specs("resnet50@torchvision", "resnet50@keras"))
    short, full = as_text(comparison), as_text(comparison, full=True)
    lines = short.splitlines()
    assert lines[0] == (
        "a: resnet50@torchvision, b: resnet50@keras, one picture of 3x224x224: 106 of 108 layers differ"
    )
    assert lines[-2:] == [
        "parameters: 25,557,032 -> 25,583,592 (+26,560)",
        "multiply-adds: 4,089,184,256 -> 3,857,973,248 (-231,211,008)",
    ]
    assert len(lines) == 2 + 2 + 4 + 1 + 2 and len(full.splitlines()) == len(lines) + 1 + 2 + 106
    assert "7.2.conv2" not in short.replace("... 7.2.conv2", "") and "7.2.conv2" in full


def test_the_csv_reads_back_as_the_same_table():
    table = compare(*specs("resnet18", "resnet50@keras2016")).table
    again = pd.read_csv(io.StringIO(table.to_csv(index=False)), dtype={"layer": str, "a": str, "b": str})
    pd.testing.assert_frame_equal(again, table)


def test_pictures_that_are_too_small():
    with pytest.raises(ShapeError, match="layer 3 cannot take an input of 1x1: give a larger height and width"):
        compare(*specs("resnet50@keras", "resnet50@keras2016"), size=(2, 2))


def test_the_picture_marks_what_differs(tmp_path):
    comparison = compare(*specs("resnet18", "resnet50@torchvision"))
    picture = figure(comparison)
    texts = [text.get_text() for text in picture.axes[0].texts]
    assert {"a: resnet18@d2l", "b: resnet50@torchvision", "stage 3\n6.2 to 6.5", "3x3, 128, /2, bias"} <= set(texts)
    assert texts.count("no such block") == 4 and texts.count("7x7, 64, /2") == 1
    # Of stages 1 to 4: blocks 0 and 1 lack the third convolution and its batch norm, block 0 of 2 to 4 a batch norm.
    assert texts.count("none") == 4 * 2 * 2 + 3
    kinds = [text.get_text() for text in picture.legends[0].get_texts()]
    assert kinds == ["bias", "stride", "padding", "batch norm", "shortcut", "kernel or channels", "only in one"]
    parameters, work = ([bar.get_width() for bar in axes.patches] for axes in picture.axes[1:])
    assert [sum(parameters), sum(work)] == list(sums(comparison.table).values())
    draw(comparison, tmp_path / "differences.png")
    assert imread(str(tmp_path / "differences.png")).shape[2] == 4
    assert [file.name for file in tmp_path.iterdir()] == ["differences.png"]


def test_the_picture_of_networks_whose_children_are_counted_differently():
    picture = figure(compare(*specs("resnet50@slim", "resnet50@v2")))
    texts = [text.get_text() for text in picture.axes[0].texts]
    assert {"stage 2\nblock 1 to 2", "subsampling", "zero padding", "1x1, 512, /2"} <= set(texts)
    assert "conv 1x1 2048 to 1000" in texts and "dense 2048 to 1000" in texts
    assert texts.count("bn, eps 1e-05, no scale") == 1  # before v2's stem
    texts = [text.get_text() for text in figure(compare(*specs("cifar_resnet20", "cifar_plain20"))).axes[0].texts]
    assert texts.count("identity") == texts.count("no shortcut") - 2 == 3 and texts.count("zero padding, /2") == 2
    assert "stage 1\n3.0 to 3.2" in texts


def test_the_picture_of_two_equal_networks_has_no_colour():
    picture = figure(compare(*specs("resnet18", "resnet18")))
    assert not picture.legends
    assert all(not patch.get_fill() for patch in picture.axes[0].patches)
    with pytest.raises(RunError, match="cannot be written"):
        draw(compare(*specs("resnet18", "resnet18")), "/nowhere/differences.png")


def test_thinner_networks_differ_in_channels_everywhere():
    wide = parse_model("resnet18@torchvision")
    comparison = compare(wide, replace(wide, stem_channels=16))
    assert set(groups(comparison)["what"]) == {"in channels", "channels"}
    assert len(comparison.table) == 20 + 20 + 1 and sums(comparison.table) == sums(groups(comparison))
    assert numpy.less(comparison.table["parameters"], 0).all()


def test_comparing_needs_no_mxnet():
    code = (
        "import sys; from gluon_resnet.instruments.reconcile import as_text, compare; "
        "from gluon_resnet.networks.specs import get_spec; as_text(compare(get_spec(18), get_spec(50))); "
        "sys.exit('mxnet' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0
