"""Table 1 as the command prints it, against the paper's text and the counts of references.md."""

import csv
import json

import gluon_resnet as gr
from gluon_resnet.instruments.table1 import PAPER, as_text, cifar_table, cifar_text, table1

#: references.md: counted multiply-adds in 10^9.
COUNTED = {
    "ours, stride on the first 1x1": ["1.814", "3.664", "3.858", "7.570", "11.282"],
    "ours, stride on the 3x3": ["1.814", "3.664", "4.089", "7.801", "11.514"],
}


def test_stages_are_the_papers():
    table = table1().set_index("layer")
    assert list(table["output_size"][:6]) == ["112x112", "56x56", "28x28", "14x14", "7x7", "1x1"]
    assert list(table.loc["conv1"][1:]) == ["7x7, 64, stride 2"] * 5
    assert table.loc["conv2_x", "resnet18"] == "[3x3, 64; 3x3, 64] x 2"
    assert table.loc["conv3_x", "resnet34"] == "[3x3, 128; 3x3, 128] x 4"
    assert table.loc["conv4_x", "resnet101"] == "[1x1, 256; 3x3, 256; 1x1, 1024] x 23"
    assert table.loc["conv5_x", "resnet152"] == "[1x1, 512; 3x3, 512; 1x1, 2048] x 3"


def test_multiply_adds_are_those_of_the_references_and_of_the_networks():
    table = table1().set_index("layer")
    for row, expected in COUNTED.items():
        assert [f"{count / 1e9:.3f}" for count in table.loc[row][1:]] == expected
    for name, row, column in [
        ("resnet18@torchvision", "ours, stride on the 3x3", "resnet18"),
        ("resnet50@mxnet", "ours, stride on the first 1x1", "resnet50"),
        ("resnet50@mxnet:A", "ours, first 1x1, shortcut A", "resnet50"),
    ]:
        built = gr.summary(gr.get_model(name), (1, 3, 224, 224))
        assert table.loc[row, column] == gr.totals(built)["multiply_adds"]


def test_the_paper_cuts_or_rounds_what_we_count():
    """1.8, 3.6, 3.8, 7.6, 11.3: each is the count cut off or rounded to one decimal."""
    for printed, count in zip(PAPER.values(), COUNTED["ours, stride on the first 1x1"]):
        assert printed in (count[: count.index(".") + 2], f"{float(count):.1f}")


def test_another_size_of_picture():
    table = table1(64).set_index("layer")
    assert list(table["output_size"][:5]) == ["32x32", "16x16", "8x8", "4x4", "2x2"]
    built = gr.summary(gr.get_model("resnet18@torchvision"), (1, 3, 64, 64))
    assert table.loc["ours, stride on the 3x3", "resnet18"] == gr.totals(built)["multiply_adds"]


def test_the_text_shows_both():
    lines = as_text(table1()).splitlines()
    assert sum("11.282" in line for line in lines) == 1 and any(
        "the paper's" in line and "11.3" in line for line in lines
    )
    assert any("[ 1x1, 1024 ] x 23" in line for line in lines) and max(map(len, lines)) < 140


def test_cifars_parameters_are_table_6s():
    table = cifar_table()
    assert list(table["model"]) == [f"cifar_resnet{depth}" for depth in (20, 32, 44, 56, 110, 1202)]
    for row in table.itertuples():
        decimals = len(row.paper_parameters_1e6.partition(".")[2])
        assert f"{row.parameters / 1e6:.{decimals}f}" == row.paper_parameters_1e6
    assert list(table["parameters_B"] - table["parameters"]) == [16 * 32 + 64 + 32 * 64 + 128] * 6
    assert "269,722" in cifar_text(table) and "8.75" in cifar_text(table)


def test_the_commands_formats(run_cli):
    rows = list(csv.reader(run_cli("table1", "--format", "csv").stdout.splitlines()))
    assert rows[0] == ["layer", "output_size", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152"]
    assert len(rows) == 11
    assert rows[7][2:] == ["1814073344", "3663761408", "3857973248", "7570194432", "11282415616"]
    assert rows[-1][2:] == ["1.8", "3.6", "3.8", "7.6", "11.3"]
    content = json.loads(run_cli("table1", "--cifar", "--format", "json").stdout)
    assert content[0]["parameters"] == 269_722 and content[0]["paper_parameters_1e6"] == "0.27"
    assert "conv5_x" in run_cli("table1").stdout
