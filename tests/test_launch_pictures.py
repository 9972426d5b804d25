"""Training on a reader's own pictures, from the command line to the run folder; from folders and from record files."""
import json

import mxnet as mx
import numpy
import pytest
from PIL import Image

from gluon_resnet import config
from gluon_resnet.errors import ConfigError
from gluon_resnet.launch_pictures import PicturesConfig
from tests.conftest import one_line_error


@pytest.fixture(scope="module")
def birds(tmp_path_factory):
    """A folder of 3 classes x 8 pictures that colours tell apart."""
    folder, random = tmp_path_factory.mktemp("birds") / "photos", numpy.random.RandomState(0)
    for c, name in enumerate(("auk", "bee eater", "coot")):
        (folder / name).mkdir(parents=True)
        for i in range(8):
            image = random.randint(0, 80, (48, 40, 3))
            image[:, :, c] += 120
            Image.fromarray(image.astype("uint8")).save(folder / name / f"{i}.jpg", quality=95)
    return folder


SMALL = ("--model", "resnet18@torchvision", "--image-size", 32, "--batch-size", 4, "--epochs", 2)


def params(folder):
    return {name: values.asnumpy() for name, values in mx.npx.load(str(folder / "net.params")).items()}


def test_a_run_from_end_to_end_and_its_command_again(birds, tmp_path, run_cli, np_mode):
    import shlex
    done = run_cli("train", "pictures", birds, *SMALL, "--set", "random_crop=[0.5, 1]", "--set", "flip=0.5", "--out", tmp_path / "one")
    assert done.returncode == 0, done.stderr
    assert "20 training and 4 validation pictures of 3 classes at 32x32" in done.stdout
    assert (tmp_path / "one" / "labels.txt").read_text() == "auk\nbee eater\ncoot\n"
    written = json.loads((tmp_path / "one" / "config.json").read_text())
    assert written["class_names"] == ["auk", "bee eater", "coot"]
    again = run_cli(*shlex.split(written["command"])[1:], "--out", tmp_path / "two")
    assert again.returncode == 0, again.stderr
    one, two = params(tmp_path / "one"), params(tmp_path / "two")
    assert all((one[name] == two[name]).all() for name in one)


def test_record_files_train_as_the_folder_does(birds, tmp_path, run_cli, np_mode):
    packed = run_cli("records", "pack", birds, tmp_path / "birds", "--split", 0.2, "--seed", 123)
    assert packed.returncode == 0, packed.stderr
    results = []
    for source, name in ((birds, "folder"), (tmp_path / "birds_train.rec", "records")):
        done = run_cli("train", "pictures", source, *SMALL, "--set", "flip=0.5", "--out", tmp_path / name)
        assert done.returncode == 0, done.stderr
        results.append(params(tmp_path / name))
    assert all((results[0][name] == results[1][name]).all() for name in results[0])


def test_fine_tuning_leaves_what_is_frozen(birds, tmp_path, run_cli, np_mode):
    first = run_cli("train", "pictures", birds, *SMALL, "--epochs", 1, "--out", tmp_path / "first")
    assert first.returncode == 0, first.stderr
    tuned = run_cli("train", "pictures", birds, *SMALL, "--out", tmp_path / "tuned", "--weights", tmp_path / "first" / "net.params",
                    "--new-head", "--set", "freeze_stages=5", "--set", "freeze_norm=true", "--set", "keep_best=true")
    assert tuned.returncode == 0, tuned.stderr
    one, two = params(tmp_path / "first"), params(tmp_path / "tuned")
    assert {name.partition(".")[0] for name in one if (one[name] != two[name]).any()} == {"9"}
    assert (tmp_path / "tuned" / "best.params").exists()


def test_refusals(birds, tmp_path, run_cli):
    (tmp_path / "one" / "only").mkdir(parents=True)
    for i in range(6):
        Image.new("RGB", (40, 40), (i * 20, 0, 0)).save(tmp_path / "one" / "only" / f"{i}.png")
    for words, expected in (((tmp_path / "none",), "none"), ((tmp_path / "one",), "one class"), ((tmp_path / "a.rec",), "records pack"),
                            ((), "a folder, a CSV or a .rec file is needed"), ((birds, "--new-head"), "goes with --weights"),
                            ((birds, "--set", "random_crop=[2, 3]"), "crop is (2.0, 3.0)"), ((birds, "--optimizer", "adams"), "optimizer"),
                            ((birds, "--set", "freeze_stages=7"), "freeze_stages is 7")):
        assert expected in one_line_error(run_cli("train", "pictures", *words, "--out", tmp_path / "run")), words
        assert not (tmp_path / "run").exists()


def test_the_config_of_a_run_survives_its_file():
    made = config.load(PicturesConfig, {"data": "birds"}, None, ["random_crop=[0.3, 1]", "step_epochs=[2]", "weights=a.pth"])
    assert made.random_crop == (0.3, 1.0) and made.step_epochs == (2.0,)
    assert config.make(PicturesConfig, json.loads(json.dumps(made.__dict__))) == made
    with pytest.raises(ConfigError, match="random_crop is"):
        config.load(PicturesConfig, {}, None, ["random_crop=0.3"])


def test_predict_takes_a_run_with_its_names(birds, tmp_path, run_cli):
    done = run_cli("train", "pictures", birds, *SMALL, "--epochs", 4, "--lr", 0.003, "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    told = run_cli("predict", birds / "auk" / "0.jpg", birds / "coot" / "1.jpg", "--run", tmp_path / "run", "--engine", "byhand")
    assert told.returncode == 0, told.stderr
    labels = {" ".join(line.split()[-4:-1]).split(".jpg ")[-1] for line in told.stdout.splitlines()[2:8]}
    assert all(any(name in label for label in labels) for name in ("auk", "bee eater", "coot"))
    assert "takes the run's own network and pictures: leave out weights" in one_line_error(
        run_cli("predict", birds / "auk" / "0.jpg", "--run", tmp_path / "run", "--weights", "x.h5"))
    assert "no such run folder" in one_line_error(run_cli("predict", birds / "auk" / "0.jpg", "--run", tmp_path / "none"))
