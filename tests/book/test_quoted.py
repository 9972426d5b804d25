"""Numbers that chapters and the README quote are those of the document that they come from."""

import re

from tests.conftest import ROOT


def text(name):
    return " ".join((ROOT / name).read_text(encoding="utf-8").split())


def test_an_epoch_of_the_article_takes_as_long_in_chapter_2_as_in_the_guide():
    guide = text("docs/training.md")
    rate = re.search(r"(\d+\.\d) examples/sec on cpu", guide)[1]
    seconds = re.search(r"seconds of training and of testing \(here (\d+) and \d+\)", guide)[1]
    assert abs(60_000 / float(seconds) - float(rate)) < 1
    assert f"one such epoch took {seconds} s, at {rate} examples a second" in text("chapters/02-resnet18.md")
    assert f"这样的一轮用了 {seconds} 秒，即每秒 {rate} 个样本" in text("chapters/zh/02-resnet18.md")
    assert f"on two cores of an Intel Xeon | {rate} examples/s |" in text("README.md")


def test_bfloat16_is_as_fast_in_chapter_8_as_in_the_benchmarks():
    """The first two tables of the document: of an AMD EPYC, then of an Intel Xeon."""
    document = text("docs/benchmarks.md")
    medians = {
        row: [
            float(found)
            for found in re.findall(rf"\| {row} \|(?: b?float\d+ \| mxnet 1\.9\.1 \| 2 \|)? (\d+\.\d)", document)[:2]
        ]
        for row in ("gluon-resnet", "gluon-resnet, bfloat16")
    }
    epyc, xeon = (short / whole for short, whole in zip(medians["gluon-resnet, bfloat16"], medians["gluon-resnet"]))
    chapter = text("chapters/08-fast.md")
    assert f"bfloat16 is {epyc:.2f} times as fast as float32" in chapter
    assert f"it is {xeon:.2f} times as fast" in chapter
