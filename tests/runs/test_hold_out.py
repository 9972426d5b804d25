"""Runs that are tested on a hold-out: their images, their texts, resuming, and looks at the test part."""

import json

from gluon_resnet.data.hold_out import split
from gluon_resnet.evaluation import evaluate
from gluon_resnet.runs import fashion_mnist
from gluon_resnet.runs.fashion_mnist import FashionMnistConfig
from gluon_resnet.runs.network import network_of_run

import numpy
import pandas as pd
import pytest

from tests.conftest import CommandLine, one_line_error, small_arrays, write_idx_folder
from tests.runs.test_resume import killed_after

pytestmark = pytest.mark.usefixtures("plain_curves")
ARRAYS = small_arrays(80, 40)
WORDS = ("--model", "resnet8@narrow", "--no-resize", "--batch-size", 16, "--epochs", 2, "--limit", 48, "--unverified")
HELD = ("--hold-out", 20, "--set", "norm_batches=0")


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """(a folder with digits/ and run/, what the run printed): a run that holds out 20 of 80 images."""
    folder = tmp_path_factory.mktemp("held")
    write_idx_folder(folder / "digits", ARRAYS)
    finished = CommandLine()("train", "fashion-mnist", *WORDS, "--data", "digits", *HELD, "--out", "run", cwd=folder)
    assert finished.returncode == 0, finished.stderr
    return folder, finished.stdout


def of_json(path):
    return json.loads(path.read_text())


def test_the_held_out_images_take_the_place_of_the_test_part_and_are_not_trained_on(done, np_mode):
    folder, _ = done
    config = FashionMnistConfig(resize=None, limit=48, hold_out=20, data=str(folder / "digits"), verify=False)
    (images, labels), _ = ARRAYS
    for seed in (0, 7):  # of the training: it changes nothing
        job = fashion_mnist.job(FashionMnistConfig(**{**vars(config), "seed": seed}))
        kept, held = split(labels, 20)
        assert (job.test_iter.images == images[held]).all() and job.test_iter.labels.tolist() == labels[held].tolist()
        assert (job.train_iter.images == images[kept[:48]]).all() and job.train_iter.num_examples == 48
        assert job.tested_on == "hold-out (20 training images)"
    other = fashion_mnist.job(FashionMnistConfig(**{**vars(config), "hold_out_seed": 1}))
    assert (other.test_iter.images != job.test_iter.images).any()
    plain = fashion_mnist.job(FashionMnistConfig(**{**vars(config), "hold_out": 0}))
    assert plain.tested_on == "test (40 images)" and (plain.train_iter.images == images[:48]).all()


def test_what_is_printed_and_kept_says_which_part_it_was(done, run_cli):
    folder, printed = done
    lines = printed.splitlines()
    assert "the first 48 of 60 training pictures at 28x28, 20 more held out, batch size 16" in lines[0]
    assert "tests: on the hold-out (20 training images); the test part is not looked at" in lines
    assert sum("hold-out acc 0." in line for line in lines) == 3 and "test acc" not in printed
    assert sum("hold-out loss " in line for line in lines) == 2 and "test loss" not in printed
    result, written = of_json(folder / "run" / "result.json"), of_json(folder / "run" / "config.json")
    assert result["tested_on"] == written["tested_on"] == "hold-out (20 training images)"
    assert (written["config"]["hold_out"], written["config"]["hold_out_seed"]) == (20, 0)
    assert "--hold-out 20 " in written["command"] + " "
    listed = run_cli("runs", "list", folder)
    assert "Fashion-MNIST, hold-out" in listed.stdout
    page = run_cli("runs", "report", folder / "run", "--out", folder / "page.html")
    text = (folder / "page.html").read_text(encoding="utf-8")
    assert page.returncode == 0 and "hold-out accuracy" in text and "test accuracy" not in text


def test_the_command_of_the_run_makes_it_again(done, run_cli, tmp_path):
    folder, _ = done
    command = of_json(folder / "run" / "config.json")["command"].split()[1:]
    assert run_cli(*command, "--out", tmp_path / "again").returncode == 0
    assert (tmp_path / "again" / "net.params").read_bytes() == (folder / "run" / "net.params").read_bytes()


def test_a_run_that_was_killed_ends_as_one_that_was_not(done, run_cli, tmp_path):
    folder, _ = done
    more = ("--set", "checkpoint_seconds=0", "--out", tmp_path / "run")
    killed_after(5, "fashion-mnist", *WORDS, "--data", folder / "digits", *HELD, *more, cwd=tmp_path)
    config = tmp_path / "run" / "config.json"
    whole = config.read_text()
    config.write_text(whole.replace('"hold_out_seed": 0', '"hold_out_seed": 1'))
    line = one_line_error(run_cli("train", "--resume", tmp_path / "run"))
    assert "hold_out_seed is 1: it was 0 when the checkpoint was written" in line
    config.write_text(whole)
    assert run_cli("train", "--resume", tmp_path / "run").returncode == 0
    assert (tmp_path / "run" / "net.params").read_bytes() == (folder / "run" / "net.params").read_bytes()
    one, two = (of_json(path / "result.json") for path in (tmp_path / "run", folder / "run"))
    assert [one[name] for name in ("test_acc", "test_loss")] == [two[name] for name in ("test_acc", "test_loss")]


def test_evaluate_takes_the_test_part_and_says_how_often_it_was_looked_at(done, run_cli):
    folder, _ = done
    held = run_cli("evaluate", folder / "run", "--part", "hold-out", "--format", "json")
    result = of_json(folder / "run" / "result.json")
    assert json.loads(held.stdout)["part"] == "hold-out" and held.stderr == ""
    assert json.loads(held.stdout)["top1"] == pytest.approx(result["test_acc"], abs=1e-9)
    first = run_cli("evaluate", folder / "run", "--format", "json")
    assert "the test part: this is the run's first look at it" in first.stderr
    assert json.loads(first.stdout)["part"] == "test"
    all_of_it = run_cli("evaluate", folder / "run", "--part", "all")
    assert "the test part: looked at once before, first on 20" in all_of_it.stderr
    noted = pd.read_csv(folder / "run" / "test_looks.csv")["test_acc"].tolist()
    assert noted == [pytest.approx(json.loads(first.stdout)["top1"])] * 2  # of the test part alone, both times
    assert "this look was not noted" not in all_of_it.stderr
    (folder / "run" / "test_looks.csv").write_text("nonsense\n1\n")
    damaged = run_cli("evaluate", folder / "run")
    assert damaged.returncode == 0 and "this look was not noted" in damaged.stderr and "top-1" in damaged.stdout


def test_the_parts_of_such_a_run_have_no_image_in_common(done, np_mode):
    folder, _ = done
    run = network_of_run(folder / "run")
    names = {part: evaluate.open_examples(run, part=part).names for part in ("training", "hold-out", "validation")}
    kept, held = split(ARRAYS[0][1], 20)
    assert names["training"] == [f"train/{i:05d}" for i in kept[:48]]
    assert names["hold-out"] == [f"train/{i:05d}" for i in held]
    assert names["validation"] == [f"test/{i:05d}" for i in range(40)]
    together = evaluate.open_examples(run, part="all")
    assert len(together) == 48 + 20 + 40 and together.part == "hold-out+test+training"
    assert (together.X([50]) == ARRAYS[0][0][held[2]].astype("float32") / numpy.float32(255)).all()
    elsewhere = evaluate.open_examples(run, folder / "digits")
    assert elsewhere.part == "validation" and len(elsewhere) == 40  # other data: nothing of them was held out


def test_refusals(done, refusal, tmp_path):
    folder, _ = done
    train = ("train", "fashion-mnist", *WORDS, "--data", folder / "digits", "--out", tmp_path / "no")
    assert "hold_out is 80: expected fewer than the 80 pictures" in refusal(*train, "--hold-out", 80)
    assert "hold_out is 9: expected one picture or more of each of the 10" in refusal(*train, "--hold-out", 9)
    assert "-5 is not in the range x>=1" in refusal(*train, "--hold-out", -5)
    assert "hold_out is -5: expected a whole number of at least 0" in refusal(*train, "--set", "hold_out=-5")
    assert "hold_out_seed is 4294967296: expected at most" in refusal(*train, "--set", "hold_out_seed=4294967296")
    assert not (tmp_path / "no").exists()
    assert "expected a run with --hold-out, on its own data" in refusal(
        "evaluate", folder / "run", "--part", "hold-out", "--data", folder / "digits"
    )
