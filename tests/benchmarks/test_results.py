"""The arithmetic of the benchmarks' tables, checked by hand on measurements made up."""

from gluon_resnet.benchmarks import results

import pytest

from tests.benchmarks.made_up import measurement


def series(*rates, **more):
    return [measurement(rate, **more) for rate in rates]


MEASURED = {
    "gluon-resnet": series(90, 100, 130, flops_an_example=1e9),
    "d2l": series(30, 25, 26),
    "even": series(80, 120, 110),
    "gluon-resnet, bfloat16": series(200, 210, 190, precision="bfloat16", flops_an_example=1e9),
    "fast": series(400, 420, 399, precision="bfloat16"),
}


def test_ratios_are_taken_round_by_round_and_the_winner_is_bold_whoever_it_is():
    # 90/30, 100/25, 130/26 = 3, 4, 5: the ratio of the medians would be 100/26
    assert results.faster(MEASURED, "d2l") == "**gluon-resnet** 4.00x (3.00-5.00)"
    # 200/400, 210/420, 190/399 = 0.5, 0.5, 0.476...: against the row of the same precision
    assert results.faster(MEASURED, "fast") == "**fast** 2.00x (2.00-2.10)"
    assert results.faster(MEASURED, "even") == "even, 1.12x (0.83-1.18)"
    assert results.faster(MEASURED, "gluon-resnet") == "-"


def test_a_precision_that_this_suite_lacks_is_compared_with_its_first_row():
    measured = {"gluon-resnet": series(50), "OpenVINO int8": series(100, precision="int8")}
    assert results.faster(measured, "OpenVINO int8") == "**OpenVINO int8** 2.00x (2.00-2.00)"
    assert results.faster({"PyTorch": series(5)}, "PyTorch") == "not measured"


def test_the_table():
    table = results.table(MEASURED, {"float32_gflops": [190, 200, 250], "bfloat16_gflops": [400]}, "trainer")
    assert list(table["trainer"]) == list(MEASURED)
    assert list(table["examples/s (median)"]) == ["100.0", "26.0", "110.0", "200.0", "400.0"]
    assert (table["lowest"][1], table["highest"][1], table["peak MiB"][1]) == ("25.0", "30.0", 1024)
    # 100 examples of 1 GFLOP a second of 200; 200 of 400 in bfloat16; unknown without a count or a bound
    assert list(table["of the bound"]) == ["0.50", "-", "-", "0.50", "-"]
    assert list(results.table(MEASURED)["of the bound"]) == ["-"] * 5
    times = results.table(MEASURED, milliseconds=True)
    assert (times["ms an example (median)"][0], times["lowest"][0], times["highest"][0]) == ("10.0", "7.7", "11.1")


def test_the_fastest_of_each_precision_is_named():
    assert results.winners(MEASURED) == "Fastest of all **fast**, in float32 **even**, in bfloat16 **fast**."
    assert results.winners({"gluon-resnet": series(5)}) == "Fastest in float32 **gluon-resnet**."


def test_bounds_and_absent_rows_in_words():
    text = results.bounds_text({"float32_gflops": [190, 200, 250], "jpeg_per_sec": [1000]})
    assert "matrix product, float32 200 GFLOP/s (190-250)" in text
    assert "bfloat16: not measured here" in text and "1,000 pictures/s (1,000-1,000)" in text
    absent = {"PyTorch eager": "no a; make bench installs it", "OpenVINO": "b", "PyTorch compile": "no a; make bench"}
    assert results.absent_text(absent)[1] == "Absent: PyTorch eager (no a; make bench installs it)."
    same = results.absent_text({"PyTorch eager": "no a", "PyTorch compile": "no a"})
    assert same == ["", "Absent: PyTorch eager, PyTorch compile (no a)."] and results.absent_text({}) == []


def test_the_bars_have_the_medians_and_the_spread():
    axes = results.bars(MEASURED, "train").axes[0]
    assert [bar.get_width() for bar in axes.patches] == [100, 26, 110, 200, 400]
    assert [label.get_text() for label in axes.get_yticklabels()] == list(MEASURED)
    lines = axes.collections[0].get_segments()
    assert [tuple(line[:, 0]) for line in lines][:2] == [(90, 130), (25, 30)]


@pytest.mark.parametrize("cores, text", [([0.1, 0.25, None], "0.25"), ([None], "unknown")])
def test_others_cores(cores, text):
    assert results.others_cores([measurement(1, others_cores=core) for core in cores]) == text
