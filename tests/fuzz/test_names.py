"""A name from outside, of a file, class, label or record, is shown: no terminal obeys it, nor does a page or a path."""

import hashlib
import io
import json
import os
import re
import shutil
import sys

from gluon_resnet import text
from gluon_resnet.data.image_folder import open_folder
from gluon_resnet.data.records import RecordSource
from gluon_resnet.errors import DataError
from gluon_resnet.networks.layout import layout
from gluon_resnet.networks.specs import get_spec
from gluon_resnet.weights.names import names

import numpy
import pytest
from PIL import Image
from safetensors.numpy import save_file
from tqdm import tqdm

from tests.instruments.test_microscope import random_params
from tests.report.test_report import page
from tests.report.test_report import picture_run as made_run

#: a title of the window, a colour, a single-byte CSI, a turned direction, HTML, and what would be another line
NAME = "x\x1b]0;owned\x07\x1b[31m<img src=x onerror=alert(1)>\u202egpj\x9b2J\r\nclass 9"
SHOWN = r"x\u001b]0;owned\u0007\u001b[31m<img src=x onerror=alert(1)>\u202egpj\u009b2J\u000d\u000aclass 9"
OUT = "../../../../" + NAME


def obeyed(printed):
    """What a terminal would obey in ``printed``: control characters but the ends of lines, and turned directions."""
    return re.findall("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", printed)


def test_the_characters_by_hand():
    assert text.one_line(NAME) == SHOWN
    assert text.printable("a\tb\nc\x1b[0m\u2028\udcff") == "a\tb\nc\\u001b[0m\\u2028?"
    assert (
        text.printable("Gr\xfc\xdfe \u4f60\u597d \U0001f469\u200d\U0001f52c")
        == "Gr\xfc\xdfe \u4f60\u597d \U0001f469\u200d\U0001f52c"
    )
    assert json.loads(f'"{text.printable(chr(0x9B))}"') == "\x9b"


def test_a_progress_bar_moves_the_cursor_and_its_title_does_not():
    stream = io.StringIO()
    for _ in tqdm(range(2), desc=NAME, file=text.Terminal(stream), ascii=True, mininterval=0):
        pass
    assert stream.getvalue().startswith("\r") and obeyed(stream.getvalue().replace("\r", "")) == []
    stream = io.StringIO()
    for move in ("\r", "\n\n", "\x1b[A\x1b[A", "\x1b[A!", "!\r"):
        text.Terminal(stream).write(move)
    assert stream.getvalue() == "\r\n\n\x1b[A\x1b[A\\u001b[A!!\\u000d"


def test_a_table_keeps_its_lines():
    assert text.table([[NAME, 1]], headers=["a", "b"]).splitlines()[2:] == [f"{SHOWN}  1"]


@pytest.fixture
def photos(tmp_path):
    """Two classes, one with a hostile name, of pictures with hostile names; one of them is damaged."""
    random, folder = numpy.random.RandomState(0), tmp_path / "photos"
    for label in (NAME, "ash"):
        (folder / label).mkdir(parents=True)
        for i in range(4):
            pixels = random.randint(0, 255, (32, 32, 3), dtype=numpy.uint8)
            Image.fromarray(pixels).save(folder / label / f"{NAME}{i}.png")
    (folder / "ash" / f"{NAME}0.png").write_bytes(b"nothing")
    return folder


def test_data_show(photos, run_cli):
    shown = run_cli("data", "show", photos, "--split", "0.5", "--size", "32", "--full")
    assert shown.returncode == 0 and obeyed(shown.stdout + shown.stderr) == []
    assert SHOWN in shown.stdout and f"ash/{SHOWN}0.png" in shown.stdout
    assert sum(line.startswith("class 9") for line in shown.stdout.splitlines()) == 0
    found = json.loads(run_cli("data", "show", photos, "--split", "0.5", "--size", "32", "--format", "json").stdout)
    assert text.printable(NAME) in [row["class"] for row in found["classes"]]


def test_records(photos, run_cli, tmp_path):
    out = tmp_path / "birds"
    packed = run_cli("records", "pack", photos, out)
    assert packed.returncode == 0 and obeyed(packed.stdout + packed.stderr) == []
    content = json.loads(out.with_suffix(".json").read_text())
    assert NAME in content["class_names"]
    content["class_names"] = [OUT, "/ash"]
    records = content["parts"]["all"]["records"]
    for i, record in enumerate(records):
        record["name"] = f"{OUT}/../{NAME}{i % 2}.png"
    records[0]["sha256"] = "0" * 64
    out.with_suffix(".json").write_text(json.dumps(content))
    shown = run_cli("records", "info", out.with_suffix(".rec"))
    assert shown.returncode == 0 and obeyed(shown.stdout) == [] and SHOWN in shown.stdout
    verified = run_cli("records", "verify", out.with_suffix(".rec"))
    assert verified.returncode == 1 and obeyed(verified.stdout) == [] and SHOWN in verified.stdout
    refused = run_cli("records", "unpack", out.with_suffix(".rec"), tmp_path / "copy")
    assert refused.returncode == 2 and obeyed(refused.stderr) == [] and refused.stderr.count("\n") == 1
    records[0]["sha256"] = hashlib.sha256(RecordSource(out.with_suffix(".rec")).stored(0)).hexdigest()
    out.with_suffix(".json").write_text(json.dumps(content))
    shutil.rmtree(tmp_path / "copy", ignore_errors=True)
    before = sorted(os.listdir(tmp_path))
    unpacked = run_cli("records", "unpack", out.with_suffix(".rec"), tmp_path / "copy")
    assert unpacked.returncode == 0, unpacked.stderr
    assert sorted(os.listdir(tmp_path)) == sorted([*before, "copy"])
    paths = [str(path.relative_to(tmp_path / "copy")) for path in (tmp_path / "copy").rglob("*")]
    assert len([path for path in paths if path.endswith(".png")]) == len(records)
    assert obeyed("".join(paths)) == []


def test_predict_and_errors(tmp_path, run_cli):
    spec = get_spec(20, "cifar", 2)
    params = random_params(spec)
    save_file(
        {key: params[own] for own, (key, _) in names("torchvision", layout(spec)).items()}, tmp_path / "net.safetensors"
    )
    Image.new("RGB", (40, 40), "red").save(tmp_path / f"{NAME}.png")
    (tmp_path / "labels.txt").write_text(f"{NAME.replace(chr(10), '').replace(chr(13), '')}\nash\n", encoding="utf-8")
    words = [
        "--model",
        "cifar_resnet20",
        "--weights",
        tmp_path / "net.safetensors",
        "--labels",
        tmp_path / "labels.txt",
    ]
    shown = run_cli("predict", tmp_path / f"{NAME}.png", *words)
    assert shown.returncode == 0, shown.stderr
    assert obeyed(shown.stdout + shown.stderr) == [] and f"{SHOWN}.png" in shown.stdout
    for command in (
        ("predict", tmp_path / f"{NAME}.jpg", *words),
        ("records", "info", tmp_path / NAME),
        ("transcript", tmp_path / NAME),
        ("train", "pictures", tmp_path / NAME),
        ("shapes", NAME),
    ):
        failed = run_cli(*command)
        assert failed.returncode == 2 and obeyed(failed.stderr) == [] and failed.stdout == "", command
        assert failed.stderr.count("\n") == 1 and "\\u001b]0;owned\\u0007" in failed.stderr, failed.stderr


def test_the_streams_are_given_back(run_cli):
    before = sys.stdout, sys.stderr
    run_cli("shapes", NAME)
    assert (sys.stdout, sys.stderr) == before


def test_a_refusal_in_python_is_one_line(tmp_path):
    with pytest.raises(DataError) as refused:
        open_folder(tmp_path / NAME)
    assert obeyed(str(refused.value)) == [] and SHOWN in str(refused.value)


def test_a_page(tmp_path):
    found = page(made_run(tmp_path / "run", [NAME, "ash"], data=f"photos/{NAME}"))
    assert not found.all("img") and "onerror" not in str(found.elements)
    assert r"x\u001b]0;owned\u0007\u001b[31m<img src=x onerror=alert(1)>" in found.text
    assert obeyed(found.text.replace("\xa0", " ")) == []
