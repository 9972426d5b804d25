"""Drawings say what the networks are: shapes and parameters as built, structure as in the paper.

And they can be read: nothing overlaps, nothing leaves its box, both languages have the same boxes.
"""

import functools
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import namedtuple
from dataclasses import replace
from itertools import combinations

import gluon_resnet as gr
from gluon_resnet import cli
from gluon_resnet.drawing.canvas import text_width, wrap
from gluon_resnet.drawing.words import PHRASES, Words
from gluon_resnet.errors import ConfigError, ModelError, RunError, ShapeError
from gluon_resnet.networks.layout import children

import matplotlib
import pytest
from PIL import ImageFont

from tests.conftest import ROOT, trainable

SVG = "{http://www.w3.org/2000/svg}"
#: Table 1 of the paper, and section 4.2 for CIFAR-10
PAPER_BLOCKS = {
    "resnet18": (2, 2, 2, 2),
    "resnet34": (3, 4, 6, 3),
    "resnet50": (3, 4, 6, 3),
    "resnet101": (3, 4, 23, 3),
    "resnet152": (3, 8, 36, 3),
    "cifar_resnet20": (3, 3, 3),
    "cifar_resnet110": (18, 18, 18),
}
PUBLISHED = {
    "resnet18@torchvision": 11689512,
    "resnet34@torchvision": 21797672,
    "resnet50@torchvision": 25557032,
    "resnet101@torchvision": 44549160,
    "resnet152@torchvision": 60192808,
    "resnet50@mxnet": 25575912,
    "resnet50@keras": 25583592,
    "resnet18": 11178378,
    "resnext50_32x4d": 25028904,
    "resnet50d": 25576264,
}
BLOCKS = [dict(kind=kind) for kind in ("residual", "bottleneck", "plain", "v2", "bottleneck_v2")]
BLOCKS += [dict(kind=kind, use_1x1conv=True, strides=2) for kind in ("residual", "bottleneck", "v2", "bottleneck_v2")]
BLOCKS += [dict(kind=kind, shortcut=option) for kind in ("residual", "bottleneck", "v2") for option in "ABC"]
BLOCKS += [
    dict(kind="bottleneck", family="resnext_32x4d", use_1x1conv=True, strides=2),
    dict(kind="residual", family="resnet_d", use_1x1conv=True, strides=2),
    dict(kind="bottleneck", family="keras", use_1x1conv=True, strides=2, X=(128, 1024, 28, 28)),
    dict(kind="bottleneck", family="slim", shortcut="A"),
    dict(kind="bottleneck", family="slim", shortcut="A", num_channels=256, strides=2),
]

Text = namedtuple("Text", "words left right top bottom bold size colour y")


@functools.lru_cache(maxsize=None)
def font(bold):
    """DejaVu Sans, of the usual sans-serif fonts the widest, as matplotlib brings it along."""
    return ImageFont.truetype(f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans{'-Bold' if bold else ''}.ttf", 100)


@functools.lru_cache(maxsize=None)
def measured(words, bold):
    """Width of a text in em; Chinese characters and punctuation are one wide each."""
    latin = "".join(character for character in words if character < "\u2000")
    return font(bold).getlength(latin) / 100 + len(words) - len(latin)


def texts(svg):
    """Every text of an SVG, with the box that it fills."""
    found = []
    for element in ET.fromstring(svg).iter(f"{SVG}text"):
        size, bold = float(element.get("font-size")), element.get("font-weight") == "bold"
        x, y, width = float(element.get("x")), float(element.get("y")), measured(element.text, bold) * size
        left = x - width * {"start": 0, "middle": 0.5, "end": 1}[element.get("text-anchor")]
        found.append(
            Text(element.text, left, left + width, y - 0.76 * size, y + 0.2 * size, bold, size, element.get("fill"), y)
        )
    return found


def boxes(svg):
    """Every rectangle: (left, top, right, bottom, fill)."""
    rects = [
        [float(rect.get(name)) for name in ("x", "y", "width", "height")] + [rect.get("fill")]
        for rect in ET.fromstring(svg).iter(f"{SVG}rect")
    ]
    return [(x, y, x + width, y + height, fill) for x, y, width, height, fill in rects]


def luminance(colour):
    """WCAG's relative luminance of "#rrggbb"."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def check_readable(svg):
    """No text overlaps another or leaves its box, none is small, and all contrast with their background."""
    root, rects, found = ET.fromstring(svg), boxes(svg), texts(svg)
    width, height = float(root.get("width")), float(root.get("height"))
    assert root.get("viewBox").split() == ["0", "0", root.get("width"), root.get("height")] and width <= 375 < height
    assert found and rects
    for left, top, right, bottom, _ in rects:
        assert left >= 0 and top >= 0 and right <= width and bottom <= height
    for text in found:
        assert text.size >= 12, text
        middle, centre = text.y - 0.36 * text.size, (text.left + text.right) / 2
        around = [box for box in rects if box[0] <= centre <= box[2] and box[1] <= middle <= box[3]]
        left, top, right, bottom, fill = min(around, key=lambda box: (box[2] - box[0]) * (box[3] - box[1]))
        assert left <= text.left and text.right <= right and top <= text.top and text.bottom <= bottom, text
        assert contrast(text.colour, fill) >= 4.5, (text, fill)
    for one, other in combinations(found, 2):
        assert (
            one.right <= other.left or other.right <= one.left or one.bottom <= other.top or other.bottom <= one.top
        ), (one, other)


def check_pair(make):
    """Both languages of a drawing: readable, named, described, the same boxes; the English one."""
    english, chinese = make(lang="en"), make(lang="zh")
    for drawing, lang in ((english, "en"), (chinese, "zh-Hans")):
        check_readable(drawing.svg)
        root = ET.fromstring(drawing.svg)
        assert root.tag == f"{SVG}svg" and root.get("role") == "img"
        assert root.get("{http://www.w3.org/XML/1998/namespace}lang") == lang
        title, desc = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
        assert root.get("aria-labelledby").split() == [title.get("id"), desc.get("id")]
        assert (title.text, desc.text) == (drawing.title, drawing.desc) and len(desc.text) > 100
        assert ".." not in desc.text and "。。" not in desc.text and "{" not in drawing.svg
    assert boxes(english.svg) == boxes(chinese.svg)
    assert english.svg.isascii() or set(re.findall(r"[^\x00-\x7f]", english.svg)) == {"×"}
    assert not re.search("convolution|parameters|shortcut|stride|Stage", chinese.svg)
    return english


def written_shapes(drawing):
    """The shapes in a drawing, from the top down."""
    from_above = sorted(texts(drawing.svg), key=lambda text: text.y)
    found = [re.search(r"\((\d+(?:, \d+)+)\)", text.words) for text in from_above]
    return [tuple(map(int, match[1].split(", "))) for match in found if match]


def rows(drawing, begin, end):
    """The rows of convolutions between two texts, each with its badges: [["1×1, 64", "bias"], ...]."""
    found = texts(drawing.svg)
    top, bottom = (next(text.y for text in found if text.words == words) for words in (begin, end))
    inside = [text for text in found if top < text.y < bottom and text.right < 220]
    heads = [text for text in inside if re.fullmatch(r"\d+×\d+, \d+", text.words)]
    return [
        [head.words] + [text.words for text in inside if text is not head and abs(text.y - head.y) < 3]
        for head in sorted(heads, key=lambda text: text.y)
    ]


@pytest.mark.parametrize(
    "name",
    [
        *gr.model_names(),
        "resnet34@torchvision:A",
        "resnet50@keras:C",
        "plain50@keras",
        "resnet50@v2:A",
        "cifar_resnet20:B",
        "cifar_resnet1202",
    ],
)
def test_every_network_of_the_table_draws_itself(name):
    drawing = check_pair(functools.partial(gr.draw, name))
    spec = gr.parse_model(name)
    assert drawing.title.startswith(spec.name) and texts(drawing.svg)[0].words == spec.name


@pytest.mark.parametrize("settings", BLOCKS, ids=lambda settings: "-".join(map(str, settings.values())))
def test_every_block_draws_itself(settings):
    check_pair(functools.partial(gr.draw_block, **settings))


def test_large_batches_and_pictures_leave_no_box():
    check_pair(functools.partial(gr.draw, "resnet152@keras", (256, 3, 1024, 1024)))
    check_pair(functools.partial(gr.draw_block, "bottleneck", "A", X=(256, 1024, 112, 112)))


@pytest.mark.parametrize(
    "name, X",
    [
        ("resnet18", (2, 1, 96, 96)),
        ("resnet50@keras2016", (1, 3, 75, 64)),
        ("resnet50@slim", (1, 3, 64, 64)),
        ("resnet50@slim_fc", (1, 3, 64, 64)),
        ("resnet18@v2", (1, 3, 64, 64)),
        ("plain18", (1, 3, 50, 33)),
        ("cifar_resnet20", (1, 3, 32, 32)),
        ("resnet8@narrow", (5, 1, 28, 28)),
        ("resnet18d", (1, 3, 33, 45)),
    ],
)
def test_shapes_and_parameters_are_those_of_the_built_network(name, X, np_mode):
    net = gr.get_model(name)
    drawing = gr.draw(net, X)
    kinds = children(net.spec)
    table = gr.summary(net, X, depth=1)
    walk = gr.layer_shapes(net, X)["output_shape"].tolist()
    last = [kind for kind in kinds if kind.startswith("stem") and "_" not in kind][-1]
    shown = [
        shape
        for kind, shape in zip(kinds, walk)
        if kind in (last, "max_pool", "average_pool") or kind.startswith("stage")
    ]
    assert written_shapes(drawing) == [X, *shown, walk[-1]]
    parameters = dict(zip(kinds, table["parameters"]))
    stages = [parameters.pop(kind) for kind in kinds if kind.startswith("stage")]
    stem = sum(parameters.pop(kind) for kind in kinds[: kinds.index("stage1")])
    counts = [
        int(text.words.split()[0].replace(",", "")) for text in texts(drawing.svg) if text.words.endswith(" parameters")
    ]
    assert counts == [gr.totals(table)["parameters"], stem, *stages, sum(parameters.values())]


@pytest.mark.parametrize("name, published", PUBLISHED.items())
def test_totals_are_the_published_ones(name, published):
    drawing = gr.draw(name)
    assert f"{published:,} parameters" in [text.words for text in texts(drawing.svg)]
    assert f"{published:,} parameters" in drawing.desc


def test_multiply_adds_tell_the_two_places_of_the_stride_apart():
    # the paper's Table 1 counted exactly: 3.858 with the stride on the first 1x1, 4.089 with it on the 3x3
    counted = {"resnet50@keras": "3.858", "resnet50@torchvision": "4.089", "resnet18@torchvision": "1.814"}
    for name, work in counted.items():
        assert f"{work} G multiply-adds a picture" in [text.words for text in texts(gr.draw(name).svg)]


@pytest.mark.parametrize("model, sizes", PAPER_BLOCKS.items())
def test_the_blocks_of_the_stages_are_the_papers(model, sizes):
    words = [text.words for text in sorted(texts(gr.draw(model).svg), key=lambda text: text.y)]
    assert [int(text.split()[0]) for text in words if re.fullmatch(r"\d+ blocks?", text)] == list(sizes)
    assert any(text.endswith(f": {', '.join(map(str, sizes))}") for text in words)
    runs = [re.fullmatch(r"blocks? (\d+)(?: to (\d+))?", text) for text in words]
    named = [[int(number) for number in run.groups() if number] for run in runs if run]
    # each stage's blocks are all named, from 1 on: block 1, blocks 2 to 23
    ends = [run[-1] for run, following in zip(named, [*named[1:], [1]]) if following[0] == 1]
    assert ends == list(sizes) and all(run[0] in (1, before[-1] + 1) for before, run in zip(named, named[1:]))


@pytest.mark.parametrize(
    "family, first, bias",
    [
        ("keras", [["1×1, 128", "stride 2", "bias"], ["3×3, 128", "bias"], ["1×1, 512", "bias"]], True),
        ("mxnet", [["1×1, 128", "stride 2", "bias"], ["3×3, 128"], ["1×1, 512", "bias"]], False),
        ("torchvision", [["1×1, 128"], ["3×3, 128", "stride 2"], ["1×1, 512"]], False),
    ],
)
def test_stride_and_biases_stand_where_the_family_has_them(family, first, bias):
    drawing = gr.draw(f"resnet50@{family}")
    found = rows(drawing, "Stage 2", "Stage 3")
    assert found == first + [[word for word in row if word != "stride 2"] for row in first]
    lane = [text.words for text in texts(drawing.svg) if text.left > 220]
    assert lane.count("projection") == 4 and lane.count("identity") == 4 and lane.count("stride 2") == 3
    assert ("bias" in lane[lane.index("projection") : lane.index("identity")]) == bias


def test_slim_halves_in_the_last_block_of_a_stage_but_the_last_stage():
    drawing = gr.draw("resnet50@slim")
    body = [["1×1, 128"], ["3×3, 128"], ["1×1, 512", "bias"]]
    halving = [body[0], ["3×3, 128", "stride 2"], body[2]]
    assert rows(drawing, "Stage 2", "Stage 3") == body + body + halving
    assert not any("stride 2" in row for row in rows(drawing, "Stage 4", "Head"))
    lane = [text.words for text in texts(drawing.svg)]
    counted = {words: lane.count(words) for words in ("zero padding", "+256 channels", "subsampling", "projection")}
    assert counted == {"zero padding": 4, "+256 channels": 1, "subsampling": 3, "projection": 0}


def test_a_network_of_no_table_draws_itself_too():
    spec = gr.slim_spec([{"depth": 128, "num_class": 1}, {"depth": 512, "num_class": 5}], num_classes=7)
    drawing = check_pair(functools.partial(gr.draw, spec, (1, 1, 64, 64)))
    assert "(1, 7)" in drawing.desc and "1 block" in [text.words for text in texts(drawing.svg)]
    other = replace(gr.get_spec(34, "torchvision"), stage_sizes=(1, 2, 7, 1, 3), shortcut="C", num_classes=3)
    drawing = check_pair(functools.partial(gr.draw, other))
    assert written_shapes(drawing)[-3:] == [(1, 1024, 4, 4), (1, 1024, 1, 1), (1, 3)]
    assert [text.words for text in texts(drawing.svg)].count("projection") == 1 + 2 + 2 + 1 + 2


def layers(drawing):
    """The layers of the body of the one block in a drawing, from the top down."""
    names = re.compile(r"(\d×\d convolution)|batch norm|ReLU")
    return [
        text.words
        for text in sorted(texts(drawing.svg), key=lambda text: text.y)
        if names.fullmatch(text.words) and text.right < 220
    ]


def test_layers_of_a_block_come_in_the_order_they_run():
    conv, small, norm, relu = "3×3 convolution", "1×1 convolution", "batch norm", "ReLU"
    assert layers(gr.draw_block("residual")) == [conv, norm, relu, conv, norm, relu]
    assert layers(gr.draw_block("plain")) == [conv, norm, relu, conv, norm, relu]
    assert layers(gr.draw_block("bottleneck")) == [small, norm, relu, conv, norm, relu, small, norm, relu]
    assert layers(gr.draw_block("v2")) == [norm, relu, conv, norm, relu, conv]
    assert layers(gr.draw_block("bottleneck_v2")) == [norm, relu, small, norm, relu, conv, norm, relu, small]
    assert layers(gr.draw_block("bottleneck", family="slim")) == [small, norm, relu, conv, norm, relu, small, relu]


@pytest.mark.parametrize(
    "block, X, settings",
    [
        (lambda: gr.Residual(3), (4, 3, 6, 6), dict(kind="residual")),
        (
            lambda: gr.Residual(6, use_1x1conv=True, strides=2),
            (4, 3, 6, 6),
            dict(kind="residual", use_1x1conv=True, num_channels=6, strides=2),
        ),
        (
            lambda: gr.Residual(128, shortcut="A", in_channels=64, strides=2),
            (1, 64, 9, 7),
            dict(kind="residual", shortcut="A", num_channels=128, strides=2),
        ),
        (lambda: gr.Residual(16, shortcut="none"), (1, 16, 8, 8), dict(kind="plain")),
        (
            lambda: gr.Bottleneck(512, use_1x1conv=True, strides=2, shortcut_bn=True),
            (1, 256, 14, 14),
            dict(kind="bottleneck", family="keras", use_1x1conv=True, strides=2),
        ),
        (
            lambda: gr.ResidualV2(32, strides=2, shortcut="B", in_channels=16),
            (1, 16, 8, 8),
            dict(kind="v2", shortcut="B", num_channels=32, strides=2),
        ),
        (
            lambda: gr.BottleneckV2(64, shortcut="C", in_channels=32),
            (1, 32, 8, 8),
            dict(kind="bottleneck_v2", shortcut="C", num_channels=64),
        ),
    ],
)
def test_shapes_and_parameters_of_a_block_are_those_of_the_class(block, X, settings, np_mode):
    block, drawing = block(), gr.draw_block(X=X, **settings)
    block.initialize()
    Y = block(np_mode.zeros(X))
    assert [text.words for text in texts(drawing.svg) if text.words[:3] in ("X (", "Y (")] == [
        f"X {X}",
        f"Y {tuple(Y.shape)}",
    ]
    assert f"{trainable(block):,} parameters" in [text.words for text in texts(drawing.svg)]


def test_the_three_options_where_the_shape_changes_and_where_it_stays():
    # section 4.1 of the paper; A has no parameters on the shortcut, C has some everywhere
    kinds = {
        "A": ["every 2nd row", "identity"],
        "B": ["projection P", "identity"],
        "C": ["projection P", "projection P"],
    }
    for option, expected in kinds.items():
        words = [text.words for text in texts(gr.draw_block("residual", option).svg)]
        assert [word for word in words if word in ("every 2nd row", "projection P", "identity")] == expected
        assert words.count("where the shape changes") == words.count("where the shape stays") == 1
    assert {"32 of zeros", "64 of X"} <= {text.words for text in texts(gr.draw_block("residual", "A").svg)}


def test_a_projection_of_v2_begins_behind_the_first_relu():
    def forks(drawing):
        """Heights of the fork and of the first convolution."""
        dots = [circle for circle in ET.fromstring(drawing.svg).iter(f"{SVG}circle") if circle.get("r") == "3"]
        relu = min(text.y for text in texts(drawing.svg) if text.words == "ReLU")
        return float(dots[0].get("cy")), relu

    fork, relu = forks(gr.draw_block("v2", use_1x1conv=True, strides=2))
    assert fork > relu
    for kind, settings in (("v2", {}), ("v2", {"shortcut": "A", "strides": 2}), ("residual", {"use_1x1conv": True})):
        fork, relu = forks(gr.draw_block(kind, **settings))
        assert fork < relu


def test_a_notebook_is_handed_both_languages_and_the_names_inside_do_not_clash():
    drawing, other = gr.draw("resnet18"), gr.draw("resnet34")
    bundle = drawing._repr_mimebundle_()
    assert bundle == {"image/svg+xml": drawing.svg, "image/svg+xml+zh": gr.draw("resnet18", lang="zh").svg}
    assert gr.draw("resnet18", lang="zh")._repr_mimebundle_()["image/svg+xml"] == bundle["image/svg+xml+zh"]
    found = re.findall(r' id="([^"]+)"', "".join([*bundle.values(), other.svg]))
    assert len(found) == len(set(found)) == 6
    assert repr(drawing) == "<Drawing: resnet18@d2l for an input of shape (1, 1, 224, 224)>"


def test_a_drawing_is_saved_whole_or_not_at_all(tmp_path):
    drawing = gr.draw("resnet18", lang="zh")
    drawing.save(tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_bytes().decode("utf-8") == drawing.svg
    (tmp_path / "folder.svg").mkdir()
    for path in ("a.png", "a", "nowhere/a.svg", "folder.svg"):
        with pytest.raises(RunError):
            drawing.save(tmp_path / path)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "home") == ["a.svg", "folder.svg"]


@pytest.mark.parametrize(
    "error, words, make",
    [
        (ModelError, "did you mean resnet50", lambda: gr.draw("resnet51@keras")),
        (ModelError, "int", lambda: gr.draw(50)),
        (ShapeError, "larger height and width", lambda: gr.draw("resnet50@keras2016", (1, 3, 3, 3))),
        (ShapeError, "four positive whole numbers", lambda: gr.draw("resnet18", (3, 224, 224))),
        (ShapeError, "four positive whole numbers", lambda: gr.draw("resnet18", (1, 3, 0, 224))),
        (ShapeError, "four positive whole numbers", lambda: gr.draw("resnet18", "1,3,224,224")),
        (ConfigError, "en or zh", lambda: gr.draw("resnet18", lang="de")),
        (ModelError, "did you mean bottleneck", lambda: gr.draw_block("botleneck")),
        (ModelError, "no residual blocks", lambda: gr.draw_block("residual", family="slim")),
        (ModelError, "no v2 blocks", lambda: gr.draw_block("v2", family="keras")),
        (ModelError, "no residual blocks", lambda: gr.draw_block("residual", family="v2")),
        (ModelError, "unknown family", lambda: gr.draw_block("residual", family="kers")),
        (ModelError, "A, B, C", lambda: gr.draw_block("residual", "D")),
        (ModelError, "no shortcut", lambda: gr.draw_block("plain", "B")),
        (ShapeError, "one of them", lambda: gr.draw_block("residual", "B", use_1x1conv=True)),
        (ShapeError, "use_1x1conv=True", lambda: gr.draw_block("residual", strides=2)),
        (ShapeError, "multiple of 4", lambda: gr.draw_block("bottleneck", use_1x1conv=True, num_channels=6)),
        (ShapeError, "expected no fewer", lambda: gr.draw_block("residual", "A", num_channels=6)),
        (ConfigError, "1 or 2", lambda: gr.draw_block("residual", "B", strides=3)),
        (ConfigError, "at least 1", lambda: gr.draw_block("residual", "B", num_channels=0)),
        (ConfigError, "en or zh", lambda: gr.draw_block("residual", lang="fr")),
    ],
)
def test_what_cannot_be_drawn_says_why(error, words, make):
    with pytest.raises(error, match=words) as raised:
        make()
    assert "\n" not in str(raised.value)


def test_widths_are_estimated_from_above():
    for phrase in PHRASES.values():
        for words in [*phrase, "25,583,592", "(256, 2048, 28, 28)", "Y = relu(F(X) + P(X))"]:
            for bold in (False, True):
                assert text_width(words, 12, bold) >= measured(words, bold) * 12, (words, bold)


def test_lines_end_between_words_and_hold_all_of_them():
    for phrase in PHRASES.values():
        english, chinese = wrap(Words(*phrase), 12, 200)
        assert " ".join(english) == phrase[0]
        assert "".join(chinese).replace(" ", "") == phrase[1].replace(" ", "")
        assert all(text_width(line, 12) <= 200 for line in [*english, *chinese] if " " in line)
        assert not any(line[0] in "，。：；" for line in chinese)


def test_the_command_writes_what_the_library_draws(tmp_path, capsys):
    cli.main(["draw", "resnet50@keras", "--input", "1,3,64,64", "--lang", "zh", "--classes", "4"])
    expected = gr.draw(gr.parse_model("resnet50@keras", 4), (1, 3, 64, 64), "zh").svg
    assert tuple(capsys.readouterr()) == (expected, "")
    cli.main(["draw", "cifar_resnet56:B", "--save", str(tmp_path / "x.svg")])
    assert tuple(capsys.readouterr()) == (f"picture in {tmp_path / 'x.svg'}\n", "")
    assert (tmp_path / "x.svg").read_text(encoding="utf-8") == gr.draw("cifar_resnet56:B").svg


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["resnt50"], "did you mean resnet50"),
        (["resnet50@kera"], "did you mean keras"),
        (["resnet50", "--input", "1,3,x,5"], "four positive whole numbers"),
        (["resnet50@slim", "--input", "1,3,2,2"], "larger height and width"),
        (["resnet18", "--save", "x.png"], ".svg"),
        (["resnet18", "--save", "nowhere/x.svg"], "cannot be written"),
        (["resnet18", "--lang", "de"], "'en', 'zh'"),
    ],
)
def test_the_command_fails_in_one_line(arguments, words, tmp_path, refusal, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    assert words in refusal("draw", *arguments) and sorted(tmp_path.iterdir()) == before


def test_a_drawing_needs_no_mxnet():
    code = (
        "import sys, gluon_resnet.drawing as d; d.draw('resnet50@keras'); d.draw_block('v2'); "
        "sys.exit('mxnet' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=os.environ).returncode == 0
