"""A finished run leads on: its last line names commands that run, and other programs can use what they write."""

import csv
import io
import json
import re
import shlex
from dataclasses import replace

from gluon_resnet.data.images import CAFFE, IMAGENET
from gluon_resnet.runs.network import network_of_run
from gluon_resnet.text import wrapped

import numpy
import onnxruntime
import pytest
import scipy.special
from PIL import Image
from safetensors import safe_open

from tests.conftest import CommandLine, one_line_error, small_arrays, write_idx_folder

CLASSES = ("bee eater", "鹭, grey")
SMALL = ("--model", "resnet8@narrow", "--image-size", 32, "--batch-size", 8, "--epochs", 1)


@pytest.fixture(scope="module")
def birds(tmp_path_factory):
    """A folder of 2 classes x 6 images of 32x32, which colours tell apart."""
    folder, random = tmp_path_factory.mktemp("birds") / "photos", numpy.random.RandomState(0)
    for c, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for i in range(6):
            image = random.randint(0, 80, (32, 32, 3))
            image[:, :, c] += 120
            Image.fromarray(image.astype("uint8")).save(folder / name / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def trained(birds, tmp_path_factory):
    """(run folder, what its training printed); the folder's name has to be quoted for a shell."""
    out = tmp_path_factory.mktemp("runs") / "birds' run"
    done = CommandLine()("train", "pictures", birds, *SMALL, "--out", out)
    assert done.returncode == 0, done.stderr
    return out, done.stdout


def predictions(done):
    """The rows of a CSV that a command printed."""
    assert done.returncode == 0, done.stderr
    return list(csv.DictReader(io.StringIO(done.stdout)))


def test_the_last_line_names_commands_that_run(trained, birds, run_cli, tmp_path):
    run, printed = trained
    lines = printed.splitlines()[-3:]
    assert lines[-1].startswith("next: gluon-resnet evaluate ")
    commands = [line.partition(": ")[2] for line in lines]
    assert [command.split()[1] for command in commands] == ["predict", "export", "evaluate"]
    assert wrapped("\n".join(lines), 40) == "\n".join(lines)  # a terminal's own breaks are not copied
    for command in commands:
        words = [str(birds) if word == "PICTURES" else word for word in shlex.split(command)[1:]]
        assert str(run) in words
        done = run_cli(*words, cwd=tmp_path)
        assert done.returncode == 0 and done.stdout, done.stderr
    assert [path.name for path in tmp_path.glob("*.onnx")] == ["birds' run.onnx"]


def test_the_name_alone_of_a_run_folder_is_recognised(trained, run_cli, tmp_path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "birds").symlink_to(trained[0])
    for command in (("evaluate", "birds"), ("runs", "show", "birds")):
        assert "did you mean runs/birds?" in one_line_error(run_cli(*command, cwd=tmp_path))


def test_a_folder_in_use_is_refused_before_the_images_are_looked_at(trained, run_cli, tmp_path):
    done = run_cli("train", "pictures", tmp_path, *SMALL, "--out", trained[0])  # a folder without any image
    assert "not empty; name a new folder with --out" in one_line_error(done)


def test_a_run_that_was_stopped_or_diverged_leads_to_no_evaluation(birds, run_cli, tmp_path):
    done = run_cli("train", "pictures", birds, *SMALL, "--lr", 1e30, "--out", tmp_path / "run")
    assert done.returncode == 2 and "next:" not in done.stdout


def test_an_onnx_file_has_all_that_a_prediction_needs(trained, birds, run_cli, tmp_path):
    run, _ = trained
    done = run_cli("export", "--run", run, "--out", tmp_path / "net.onnx")
    assert done.returncode == 0, done.stderr
    assert "metadata: class_names, image_size, resize, channels, scale, mean, std" in done.stdout
    session = onnxruntime.InferenceSession(str(tmp_path / "net.onnx"), providers=["CPUExecutionProvider"])
    known = session.get_modelmeta().custom_metadata_map
    names, mean, std = (json.loads(known[name]) for name in ("class_names", "mean", "std"))
    assert names == list(CLASSES) and (known["image_size"], known["channels"], known["resize"]) == ("32", "RGB", "null")
    files = sorted(birds.glob("*/*.png"))
    X = numpy.stack([numpy.asarray(Image.open(file)) for file in files]) * float(known["scale"])
    X = ((X - mean) / std).transpose(0, 3, 1, 2).astype("float32")
    probabilities = scipy.special.softmax(session.run(["logits"], {"input": X})[0], axis=1)
    rows = predictions(run_cli("predict", birds, "--run", run, "--format", "csv"))
    assert [row["file"] for row in rows] == [str(file) for file in files]
    assert [row["class"] for row in rows] == [names[best] for best in probabilities.argmax(axis=1)]
    assert [float(row["probability"]) for row in rows] == pytest.approx(probabilities.max(axis=1), abs=1e-4)


@pytest.mark.parametrize(
    "preparation, resize, channels, mean, std",
    [
        (IMAGENET.at(112), "128", "RGB", [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        (CAFFE, "null", "BGR", [103.939, 116.779, 123.68], [1.0, 1.0, 1.0]),
    ],
)
def test_size_mean_and_deviation_of_published_preparations(trained, preparation, resize, channels, mean, std):
    known = replace(network_of_run(trained[0]), preparation=preparation).metadata
    assert (known["resize"], known["channels"]) == (resize, channels)
    assert (json.loads(known["mean"]), json.loads(known["std"])) == (mean, std)
    assert float(known["scale"]) == (1.0 if channels == "BGR" else 1 / 255)


def test_weights_of_a_grey_run_have_the_metadata_too(run_cli, tmp_path):
    data = write_idx_folder(tmp_path / "data", small_arrays(20, 10))
    words = ("--model", "resnet8@narrow", "--no-resize", "--batch-size", 10, "--epochs", 1, "--unverified")
    done = run_cli("train", "fashion-mnist", *words, "--data", data, "--out", tmp_path / "run")
    assert done.returncode == 0 and "next: gluon-resnet evaluate " in done.stdout.splitlines()[-1]
    done = run_cli("export", "--run", tmp_path / "run", "--out", tmp_path / "net.safetensors")
    assert done.returncode == 0, done.stderr
    with safe_open(str(tmp_path / "net.safetensors"), "numpy") as file:
        known = file.metadata()
    assert json.loads(known["class_names"]) == [str(digit) for digit in range(10)]
    assert (known["image_size"], known["channels"], known["mean"], known["std"]) == ("28", "grey", "[0.0]", "[1.0]")
    assert known["gluon_resnet"] == "resnet8@narrow"


def test_a_folder_is_one_row_an_image_and_what_cannot_be_read_is_named(trained, birds, run_cli, tmp_path):
    run, _ = trained
    photos = tmp_path / "new"
    for name in ("b.png", "a/2.png", "a/10.png", ".hidden/1.png", ".4.png"):
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        (photos / name).write_bytes((birds / CLASSES[len(name) % 2] / "0.png").read_bytes())
    (photos / "notes.txt").write_text("no picture")
    (photos / "damaged.png").write_bytes(b"damaged")
    done = run_cli("predict", photos, "--run", run, "--format", "csv", "--top", 2, "--engine", "byhand")
    rows = predictions(done)
    assert [row["file"] for row in rows] == [str(photos / name) for name in ("a/10.png", "a/2.png", "b.png")]
    assert list(rows[0]) == ["file", "class", "probability", "class_2", "probability_2"]
    for row in rows:
        assert {row["class"], row["class_2"]} == set(CLASSES)
        assert float(row["probability"]) + float(row["probability_2"]) == pytest.approx(1, abs=1e-5)
        assert float(row["probability"]) >= 0.5
    assert f"left out: {photos}/damaged.png: is not a picture" in done.stderr
    one = predictions(run_cli("predict", photos / "b.png", "--run", run, "--format", "csv", "--engine", "byhand"))
    assert one == [{name: rows[2][name] for name in ("file", "class", "probability")}]
    text = run_cli("predict", photos, "--run", run, "--engine", "byhand").stdout
    assert len(re.findall(r"^\S+\.png ", text, re.M)) == 3 and f"from {run}, engine byhand" in text


@pytest.mark.parametrize(
    "words, expected",
    [
        (("export", "--out", "a.onnx"), "a network is needed: MODEL with --weights FILE, or --run RUN"),
        (("export", "resnet18", "--out", "a.onnx"), "--weights imagenet for published ones, or --run RUN: an"),
        (
            ("export", "resnet18", "--run", "RUN", "--out", "a.onnx"),
            "--run takes the run's own network: leave out model",
        ),
        (("export", "--run", "none", "--out", "a.onnx"), "none: no such run folder"),
        (("microscope", "a.png"), "--weights imagenet for published ones: an untrained"),
        (("predict", "empty", "--run", "RUN"), "empty: no picture: expected files such as .jpg"),
        (("predict", "damaged", "--run", "RUN"), "a.png: is not a picture"),
        (("evaluate", "empty"), "not a run folder that can be read (it has no config.json): expected one that"),
        (("runs", "show", "empty"), "(it has no config.json): expected one that gluon-resnet train has written; list"),
        (("train", "--resume", "empty"), "(it has no config.json)"),
        (
            ("train", "fashion-mnist", "--resume", "RUN"),
            "expected a run of fashion-mnist, found a run of another kind, p",
        ),
    ],
)
def test_refusals(trained, refusal, tmp_path, monkeypatch, words, expected):
    monkeypatch.chdir(tmp_path)
    for name in ("empty", "damaged"):
        (tmp_path / name).mkdir()
    (tmp_path / "damaged" / "a.png").write_bytes(b"damaged")
    line = refusal(*(trained[0] if word == "RUN" else word for word in words))
    assert expected in line and "Errno" not in line
    assert not (tmp_path / "a.onnx").exists()
