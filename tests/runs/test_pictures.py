"""Training on a reader's own pictures, from the command line to the run folder; from folders and from record files."""

import json
import os
import shutil

from gluon_resnet.errors import ConfigError
from gluon_resnet.runs import config
from gluon_resnet.runs.pictures import PicturesConfig

import mxnet as mx
import numpy
import pytest
from PIL import Image

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


SMALL = ("--model", "resnet8@narrow", "--image-size", 32, "--batch-size", 4, "--epochs", 2)


def params(folder):
    return {name: values.asnumpy() for name, values in mx.npx.load(str(folder / "net.params")).items()}


def test_a_run_from_end_to_end_and_its_command_again(birds, tmp_path, run_cli, np_mode):
    import shlex

    done = run_cli(
        "train",
        "pictures",
        birds,
        *SMALL,
        "--set",
        "random_crop=[0.5, 1]",
        "--set",
        "flip=0.5",
        "--out",
        tmp_path / "one",
    )
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
    tuned = run_cli(
        "train",
        "pictures",
        birds,
        *SMALL,
        "--out",
        tmp_path / "tuned",
        "--new-head",
        "--weights",
        tmp_path / "first" / "net.params",
        "--set",
        "freeze_stages=4",
        "--set",
        "freeze_norm=true",
        "--set",
        "keep_best=true",
    )
    assert tuned.returncode == 0, tuned.stderr
    one, two = params(tmp_path / "first"), params(tmp_path / "tuned")
    assert {name.partition(".")[0] for name in one if (one[name] != two[name]).any()} == {"7"}
    assert (tmp_path / "tuned" / "best.params").exists()


def test_refusals(birds, tmp_path, refusal):
    (tmp_path / "one" / "only").mkdir(parents=True)
    for i in range(6):
        Image.new("RGB", (40, 40), (i * 20, 0, 0)).save(tmp_path / "one" / "only" / f"{i}.png")
    for words, expected in (
        ((tmp_path / "none",), "none"),
        ((tmp_path / "one",), "one class"),
        ((tmp_path / "a.rec",), "records pack"),
        ((), "a folder, a CSV or a .rec file is needed"),
        ((birds, "--new-head"), "goes with --weights"),
        ((birds, "--set", "random_crop=[2, 3]"), "crop is (2.0, 3.0)"),
        ((birds, "--optimizer", "adams"), "optimizer"),
        ((birds, "--set", "cache_mb=-1"), "cache_mb is -1"),
        ((birds, "--precision", "float16"), "float16 is for GPUs; the device is cpu(0)"),
        ((birds, "--set", "freeze_stages=7"), "freeze_stages is 7"),
    ):
        assert expected in refusal("train", "pictures", *words, "--out", tmp_path / "run"), words
        assert not (tmp_path / "run").exists()


def test_the_config_of_a_run_survives_its_file():
    settings = ["random_crop=[0.3, 1]", "step_epochs=[2]", "weights=a.pth"]
    made = config.load(PicturesConfig, {"data": "birds"}, None, settings)
    assert made.random_crop == (0.3, 1.0) and made.step_epochs == (2.0,)
    assert config.make(PicturesConfig, json.loads(json.dumps(made.__dict__))) == made
    with pytest.raises(ConfigError, match="random_crop is"):
        config.load(PicturesConfig, {}, None, ["random_crop=0.3"])


def test_names_that_are_not_utf_8_are_printable_from_end_to_end(birds, tmp_path, run_cli, refusal):
    """As unzip leaves Chinese names on Linux: 照片 and 麻雀 in GBK."""
    root = os.fsencode(tmp_path) + b"/" + "照片".encode("gbk")
    for name, folder in (("麻雀".encode("gbk"), "auk"), (b"coot", "coot")):
        os.makedirs(root + b"/" + name)
        for i in range(8):
            target = root + b"/" + name + b"/" + "白鹭".encode("gbk") + b"%d.jpg" % i
            shutil.copy(birds / folder / f"{i}.jpg", target)
    settings = ("--model", "resnet8@narrow", "--image-size", 32, "--epochs", 1)
    photos = os.fsdecode(root)
    assert "run: a name that is not UTF-8, which mxnet cannot open; name another folder with --out" in refusal(
        "train", "pictures", photos, *settings, "--out", f"{photos}-run"
    )
    assert "a name that is not UTF-8, which mxnet cannot open" in refusal("records", "pack", birds, f"{photos}-packed")
    done = run_cli("train", "pictures", os.path.basename(photos), *settings, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    [run] = (tmp_path / "runs").iterdir()
    assert run.name.endswith("resnet8@narrow-__Ƭ")  # d5 d5 are no characters in UTF-8, c6 ac happens to be one
    assert (run / "labels.txt").read_text(encoding="utf-8") == "coot\n??ȸ\n" and (run / "net.params").exists()
    done = run_cli("evaluate", run, "--part", "all", "--save", tmp_path / "report")
    assert done.returncode == 0, done.stderr
    for name in ("classes", "confusion", "predictions"):
        assert "??ȸ" in (tmp_path / "report" / f"{name}.csv").read_text(encoding="utf-8")
    params = shutil.copy(run / "net.params", f"{photos}.params")
    for words in (("predict", birds / "auk" / "0.jpg"), ("export", "resnet8@narrow", "--out", tmp_path / "a.onnx")):
        assert "which mxnet cannot open; rename it" in refusal(*words, "--weights", params)
    for words in (("runs", "show", run), ("runs", "list", tmp_path / "runs"), ("runs", "report", run)):
        done = run_cli(*words)
        assert done.returncode == 0, done.stderr


def test_predict_takes_a_run_with_its_names(birds, tmp_path, run_cli):
    done = run_cli("train", "pictures", birds, *SMALL, "--epochs", 4, "--lr", 0.003, "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    told = run_cli(
        "predict", birds / "auk" / "0.jpg", birds / "coot" / "1.jpg", "--run", tmp_path / "run", "--engine", "byhand"
    )
    assert told.returncode == 0, told.stderr
    labels = {" ".join(line.split()[-4:-1]).split(".jpg ")[-1] for line in told.stdout.splitlines()[2:8]}
    assert all(any(name in label for label in labels) for name in ("auk", "bee eater", "coot"))
    assert "takes the run's own network and pictures: leave out weights" in one_line_error(
        run_cli("predict", birds / "auk" / "0.jpg", "--run", tmp_path / "run", "--weights", "x.h5")
    )
    assert "no such run folder" in one_line_error(
        run_cli("predict", birds / "auk" / "0.jpg", "--run", tmp_path / "none")
    )


@pytest.mark.parametrize("settings", [("reading=exact",), ("random_crop=[0.5, 1]", "crop=true", "cache_mb=0")])
def test_a_whole_run_decodes_each_file_once_and_so_does_its_evaluation(birds, tmp_path, np_mode, monkeypatch, settings):
    from gluon_resnet.data import image_folder, images, reading, scan
    from gluon_resnet.evaluation import evaluate
    from gluon_resnet.runs.network import network_of_run
    from gluon_resnet.runs.pictures import train_pictures

    decoded, decode = [], images._decode
    monkeypatch.setattr(images, "_decode", lambda file, name, *to: decoded.append(str(name)) or decode(file, name, *to))
    for module in (scan, image_folder):  # the fast reading's, of which nothing goes through Pillow here
        monkeypatch.setattr(
            module, "read_least", lambda path, *to: decoded.append(str(path)) or reading.read_least(path, *to)
        )
    every = sorted(map(str, birds.glob("*/*.jpg")))
    chosen = config.load(
        PicturesConfig,
        {"data": str(birds), "model": "resnet8@narrow", "image_size": 32, "batch_size": 8, "epochs": 2},
        None,
        settings,
    )
    train_pictures(
        chosen, str(tmp_path / "run"), say=lambda line: None, make_listener=lambda epochs: lambda record: None
    )
    assert sorted(decoded) == every and len(every) == 24
    run = network_of_run(tmp_path / "run")
    for data, part, count in ((None, "validation", 4), (None, "all", 24), (birds, "all", 24)):
        decoded.clear()
        examples = evaluate.open_examples(run, data, part)
        assert examples.notes == []
        evaluate.evaluate_run(run, examples)
        examples.picture(0)
        assert sorted(decoded) == every and len(examples) == count


def test_damaged_records_are_told_and_left_out_before_training_or_stop_it(birds, tmp_path, np_mode):
    from gluon_resnet.data.record_files import Settings, pack
    from gluon_resnet.data.recordio import read_index
    from gluon_resnet.errors import DataError
    from gluon_resnet.runs.opening import fits, open_pictures

    pack(birds, tmp_path / "one")
    pack(birds, tmp_path / "two", Settings(split=0.25))
    for name, i in (("one", 5), ("two_val", 2)):
        place = read_index(tmp_path / f"{name}.idx")[i][1] + 200
        content = bytearray((tmp_path / f"{name}.rec").read_bytes())
        content[place : place + 400] = bytes(400)
        (tmp_path / f"{name}.rec").write_bytes(content)
    for name, bad, left in (("one", "auk/5.jpg", 23), ("two_train", None, 23)):
        chosen = PicturesConfig(data=str(tmp_path / f"{name}.rec"), image_size=32, validation_split=0.25)
        *whole, notes = open_pictures(chosen, fits(chosen), (False, False))
        assert notes == [] and sum(map(len, whole)) == 24  # nothing decoded, nothing found
        bad = bad or whole[1].source.names[2]
        *parts, notes = open_pictures(chosen, fits(chosen))
        assert sum(map(len, parts)) == left and [part.source.names for part in parts] == [
            [name for name in part.source.names if name != bad] for part in whole
        ]
        [line] = notes
        assert "1 damaged picture of" in line and f"left out: {bad}: expected a whole picture, found one that" in line
        for part in parts:
            assert part.kept.all() and (part.read(0) == fits(chosen)[0](part.source.read(0))).all()
        strict = PicturesConfig(data=chosen.data, image_size=32, validation_split=0.25, strict=True)
        with pytest.raises(DataError, match="1 damaged picture of .*the first: " + bad):
            open_pictures(strict, fits(strict))
