"""The commands about trained weights, as a reader types them: what they print, leave behind and refuse."""

from gluon_resnet import cli
from gluon_resnet.networks.layout import layout
from gluon_resnet.networks.specs import get_spec
from gluon_resnet.weights.names import names

import numpy
import onnxruntime
import pandas as pd
import pytest
from PIL import Image
from safetensors.numpy import save_file

from tests.conftest import one_line_error
from tests.instruments.test_microscope import random_params


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with a ResNet-18 of 4 classes in torchvision's names, two pictures and labels."""
    folder = tmp_path_factory.mktemp("files")
    spec = get_spec(18, "torchvision", 4)
    params = random_params(spec)
    table = names("torchvision", layout(spec))
    save_file({key: params[ours] for ours, (key, _) in table.items()}, folder / "net.safetensors")
    random = numpy.random.RandomState(0)
    for name in ("a.png", "b.jpg"):
        Image.fromarray(random.randint(0, 255, (70, 90, 3), dtype=numpy.uint8)).save(folder / name)
    (folder / "labels.txt").write_text("\n".join(["ash", "beech", "cedar", "elm"]))
    (folder / "short.txt").write_text("ash\n")
    return folder


def call(*words):
    """(exit status, nothing) of the command line run in this process."""
    try:
        cli.main([str(word) for word in words])
    except SystemExit as end:
        return end.code or 0
    return 0


@pytest.mark.parametrize("engine", ["gluon", "byhand", "onnx"])
def test_predict_prints_a_table_and_draws(files, tmp_path, capsys, engine):
    assert (
        call(
            "predict",
            files / "a.png",
            files / "b.jpg",
            "--model",
            "resnet18",
            "--weights",
            files / "net.safetensors",
            "--labels",
            files / "labels.txt",
            "--size",
            64,
            "--engine",
            engine,
            "--save",
            tmp_path / "p.png",
        )
        == 0
    )
    lines = capsys.readouterr().out.splitlines()
    rows = [line.split() for line in lines[2:10]]
    assert [row[0] for row in (rows[0], rows[4])] == [str(files / "a.png"), str(files / "b.jpg")]
    assert {row[-2] for row in rows[:4]} == {"ash", "beech", "cedar", "elm"}
    assert sum(float(row[-1]) for row in rows[:4]) == pytest.approx(1, abs=2e-3)
    assert f"resnet18@torchvision from {files / 'net.safetensors'}, engine {engine}" in lines
    assert Image.open(tmp_path / "p.png").size[0] > 800


def test_the_microscopes_exit_status_says_whether_they_differ(files, tmp_path, capsys):
    common = (
        "microscope",
        files / "a.png",
        "--model",
        "resnet18",
        "--weights",
        files / "net.safetensors",
        "--size",
        64,
    )
    assert call(*common, "--b", "onnx", "--every") == 0
    assert "none past 0.0001" in capsys.readouterr().out
    assert call(*common, "--tolerance", "1e-12") == 1
    assert call(*common, "--plant", "5.1.bn1", "--layer", "5.1.bn1", "--save", tmp_path / "m.png") == 0
    assert "planted in 5.1.bn1 of engine b: found" in capsys.readouterr().out
    assert (tmp_path / "m.png").stat().st_size > 10000
    assert call(*common, "--plant", "5.1.bn1", "--tolerance", 10) == 1
    assert "NOT found" in capsys.readouterr().out


def test_export_leaves_a_file_that_a_runtime_runs(files, tmp_path, capsys):
    assert call("export", "resnet18", "--weights", files / "net.safetensors", "--out", tmp_path / "net.onnx") == 0
    assert "opset 13" in capsys.readouterr().out
    X = numpy.random.RandomState(0).randn(3, 3, 48, 48).astype("float32")
    assert onnxruntime.InferenceSession(str(tmp_path / "net.onnx")).run(None, {"input": X})[0].shape == (3, 4)
    assert (
        call("export", "resnet18", "--weights", files / "net.safetensors", "--out", tmp_path / "again.safetensors") == 0
    )
    assert call("reconcile", "--weights", tmp_path / "again.safetensors") == 0
    assert "resnet18@torchvision, 3 channel(s) in, 4 classes" in capsys.readouterr().out


def test_reconcile_in_text_csv_and_a_picture(tmp_path, capsys):
    assert call("reconcile", "resnet50@torchvision", "resnet50@keras", "--save", tmp_path / "r.png") == 0
    assert "parameters: 25,557,032 -> 25,583,592 (+26,560)" in capsys.readouterr().out
    assert (tmp_path / "r.png").stat().st_size > 10000
    assert call("reconcile", "resnet50@torchvision", "resnet50@keras", "--format", "csv") == 0
    (tmp_path / "r.csv").write_text(capsys.readouterr().out)
    table = pd.read_csv(tmp_path / "r.csv")
    assert table["parameters"].sum() == 26560 and len(table) == 106


def test_shapes_and_summary_take_the_network_from_the_weights(files, capsys):
    assert call("shapes", "resnet18", "--weights", files / "net.safetensors", "--input", "1,3,64,64") == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("(1, 4)")
    assert call("summary", "resnet18", "--weights", files / "net.safetensors", "--depth", 1) == 0
    assert f"{11689512 - 996 * 513:,} parameters" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words, expected",
    [
        (
            ("predict", "a.png", "--weights", "net.safetensors", "--model", "resnet18@keras"),
            "take the model resnet18@torchvision",
        ),
        (("predict", "a.png", "--weights", "net.safetensors", "--model", "resnet34"), "holds resnet18@torchvision"),
        (
            ("predict", "a.png", "--weights", "net.safetensors", "--model", "resnet18", "--labels", "short.txt"),
            "1 label: expected 4",
        ),
        (("predict", "labels.txt", "--weights", "net.safetensors", "--model", "resnet18"), "not a picture"),
        (("predict", "a.png", "--weights", "a.png"), "not a weight file"),
        (
            ("microscope", "a.png", "--weights", "net.safetensors", "--model", "resnet18", "--plant", "4.9.conv1"),
            "no layer '4.9.conv1'",
        ),
        (
            (
                "microscope",
                "a.png",
                "--weights",
                "net.safetensors",
                "--model",
                "resnet18",
                "--b",
                "onnx",
                "--gradients",
            ),
            "has none",
        ),
        (("export", "resnet18", "--weights", "net.safetensors", "--out", "net.pt"), "unknown suffix '.pt'"),
        (("export", "resnet18", "--out", "net.onnx"), "--weights FILE is needed"),
        (("reconcile", "resnet50"), "1 network: expected two"),
        (("reconcile", "resnet50", "resnet50@kerras"), "did you mean keras?"),
        (("reconcile", "resnet50", "resnet50@keras2016", "--input", "3,1,1"), "layer 3 cannot take"),
        (("reconcile", "resnet50", "resnet18", "--input", "3,0,1"), "four positive whole numbers"),
        (("shapes", "resnet18", "--weights", "missing.h5"), "missing.h5"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(files, run_cli, words, expected):
    before = sorted(files.iterdir())
    assert expected in one_line_error(run_cli(*words, cwd=files))
    assert sorted(files.iterdir()) == before
