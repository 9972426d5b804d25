"""quantize, and predict, evaluate and microscope with the engines int8 and bfloat16, from the command line."""

import gluon_resnet as gr
from gluon_resnet.data import images as preparations
from gluon_resnet.evaluation import calibration
from gluon_resnet.instruments import int8_files
from gluon_resnet.networks.specs import parse_model
from gluon_resnet.training import precision

import numpy
import pytest
from PIL import Image

from tests.conftest import one_line_error
from tests.instruments.test_microscope import random_params

MODEL = "cifar_resnet20:B"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Weights of a small network, and pictures in folders of two classes."""
    folder = tmp_path_factory.mktemp("quantizing")
    spec = parse_model(MODEL)
    net = gr.build(spec)
    gr.set_parameters(net, random_params(spec))
    gr.export(net, folder / "net.safetensors")
    random = numpy.random.RandomState(0)
    for name in ("a/0.png", "a/1.png", "a/2.jpg", "b/3.png", "b/4.png"):
        (folder / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.randint(0, 256, (40, 44, 3)).astype("uint8")).save(folder / "photos" / name)
    return folder


@pytest.fixture
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return folder


NETWORK = (MODEL, "--weights", "net.safetensors")
PREDICT = ("predict", "photos/a/0.png", "photos/b/4.png", "--labels", "labels.txt", "--top", "1")


def classes(done):
    assert done.returncode == 0, done.stderr
    return [line.split() for line in done.stdout.splitlines()[2:4]]


def test_quantize_then_predict_with_the_file(here, run_cli):
    (here / "labels.txt").write_text("\n".join(f"c{i}" for i in range(10)))
    done = run_cli("quantize", *NETWORK, "--calibrate", "photos", "--out", "net.int8", "--layers")
    assert done.returncode == 0 and done.stderr == "", done.stderr
    lines = done.stdout.splitlines()
    size = (here / "net.int8").stat().st_size
    assert lines[0] == f"{MODEL} from net.safetensors in net.int8: {size:,} bytes, calibrated on 5 images (naive)"
    assert lines[1].startswith("the same class as float32 for ") and " of 5 images, largest difference" in lines[1]
    assert "stage1.block0.bn1" in done.stdout and "largest relative difference" in lines[-1]
    content = int8_files.read(here / "net.int8")
    assert content.calibration.images == 5 and content.calibration.size == (32, 32)

    exact = classes(run_cli(*PREDICT, "--model", MODEL, "--weights", "net.safetensors"))
    done = run_cli(*PREDICT, "--weights", "net.int8")
    assert done.stdout.splitlines()[-1] == f"{MODEL} from net.int8, engine int8"
    assert [row[:3] for row in classes(done)] == [row[:3] for row in exact]
    for int8, gluon in zip(classes(done), exact):
        assert float(int8[3]) == pytest.approx(float(gluon[3]), abs=0.1)
    again = run_cli(
        *PREDICT, "--model", MODEL, "--weights", "net.safetensors", "--engine", "int8", "--calibrate", "photos"
    )
    assert classes(again) == classes(done)
    assert classes(run_cli(*PREDICT, "--weights", "net.int8", "--engine", "gluon")) == exact


def test_the_microscope_takes_the_short_engines(here, run_cli):
    found = run_cli(
        *("microscope", "photos/a/0.png", "--model", MODEL, "--weights", "net.safetensors", "--a", "gluon"),
        *("--b", "int8", "--calibrate", "photos", "--tolerance", "0.2"),
    )
    assert found.returncode == 0, found.stdout
    assert "none past 0.2" in found.stdout


@pytest.mark.skipif(not precision.is_native(), reason="no avx512_bf16")
def test_predict_with_bfloat16(here, run_cli):
    (here / "labels.txt").write_text("\n".join(f"c{i}" for i in range(10)))
    network = ("--model", MODEL, "--weights", "net.safetensors")
    short, exact = classes(run_cli(*PREDICT, *network, "--engine", "bfloat16")), classes(run_cli(*PREDICT, *network))
    assert [row[:3] for row in short] == [row[:3] for row in exact]


def test_record_files_and_csv_files_calibrate_as_their_pictures_do(here, run_cli):
    assert run_cli("records", "pack", "photos", "packed").returncode == 0
    rows = [f"photos/{name},{name[0]}" for name in ("a/0.png", "a/1.png", "a/2.jpg", "b/3.png", "b/4.png")]
    (here / "photos.csv").write_text("\n".join(["path,label", *rows]) + "\n")
    of_files, of_records, of_csv = (
        numpy.concatenate(list(calibration.picture_batches(path, preparations.PREPARATIONS["cifar"], 3)()))
        for path in ("photos", "packed.rec", "photos.csv")
    )
    assert of_files.shape == (5, 3, 32, 32) and (of_csv == of_files).all()
    # packed as JPEG of quality 95
    assert abs(numpy.sort(of_records.mean(axis=(1, 2, 3))) - numpy.sort(of_files.mean(axis=(1, 2, 3)))).max() < 0.05


@pytest.mark.parametrize(
    "args, expected",
    [
        (("--calibrate", "none"), "none: no such folder or file: expected images to calibrate on"),
        (("--calibrate", "empty"), "empty: no picture to calibrate on: expected files named .jpg"),
        (("--calibrate", "single"), "single: 1 picture to calibrate on: expected 4 or more"),
        (("--calibrate", "photos", "--images", "2"), "photos: 2 pictures to calibrate on: expected 4 or more"),
        (("--calibrate", "damaged"), "damaged/3.png: is not a picture in one of these formats"),
    ],
)
def test_pictures_that_cannot_calibrate(here, run_cli, args, expected):
    for name, count in (("empty", 0), ("single", 1), ("damaged", 3)):
        (here / name).mkdir(exist_ok=True)
        for i in range(count):
            (here / name / f"{i}.png").write_bytes((here / "photos/a/0.png").read_bytes())
    (here / "damaged/3.png").write_bytes(b"not a picture")
    line = one_line_error(run_cli("quantize", *NETWORK, *args, "--out", "bad.int8"))
    assert line.startswith(f"gluon-resnet: {expected}")
    assert not (here / "bad.int8").exists()


@pytest.mark.parametrize(
    "args, expected",
    [
        (("--weights", "net.safetensors", "--engine", "int8"), "--engine int8 needs --calibrate DIR with images, or"),
        (("--weights", "net.safetensors", "--calibrate", "photos"), "--calibrate goes with the engine int8"),
        (
            ("--weights", "of_64.int8", "--size", "32"),
            "of_64.int8: calibrated on images of 64 pixels: expected the same",
        ),
        (("--weights", "cut.int8"), "cut.int8: damaged, or no file of gluon-resnet quantize"),
    ],
)
def test_predictions_that_are_refused(here, run_cli, args, expected):
    if not (here / "of_64.int8").exists():
        done = run_cli("quantize", *NETWORK, "--calibrate", "photos", "--size", "64", "--out", "of_64.int8")
        assert done.returncode == 0, done.stderr
        (here / "cut.int8").write_bytes((here / "of_64.int8").read_bytes()[:-100])
    model = ("--model", MODEL) if "net.safetensors" in args else ()
    assert one_line_error(run_cli("predict", "photos/a/0.png", *model, *args)).startswith(f"gluon-resnet: {expected}")


def test_a_file_that_is_not_named_int8(here, run_cli):
    line = one_line_error(run_cli("quantize", *NETWORK, "--calibrate", "photos", "--out", "net.onnx"))
    assert line == "gluon-resnet: net.onnx: unknown suffix '.onnx': expected .int8"
    line = one_line_error(run_cli("quantize", *NETWORK, "--calibrate", "photos", "--out", "none/net.int8"))
    assert line == "gluon-resnet: none/net.int8: no such folder: expected one that exists"
