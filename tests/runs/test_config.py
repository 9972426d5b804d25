"""Where a setting comes from, and what is said where one does not fit."""

import json
import shlex

from gluon_resnet.errors import ConfigError
from gluon_resnet.runs import config
from gluon_resnet.runs.fashion_mnist import FashionMnistConfig as Kind

import pandas as pd
import pytest

from tests.conftest import one_line_error


def test_later_ones_win(tmp_path):
    (tmp_path / "run.toml").write_text(
        'lr = 0.1\nmomentum = 0.5\nschedule = "cosine"\nstep_epochs = [3, 5.5]\nresize = 64\n'
    )
    found = config.load(
        Kind, {"lr": 0.2, "resize": None}, tmp_path / "run.toml", ["lr=0.3", "ema=1e-1", "decay_all=true"]
    )
    assert (found.lr, found.momentum, found.schedule, found.step_epochs) == (0.3, 0.5, "cosine", (3.0, 5.5))
    assert (found.resize, found.ema, found.decay_all, found.batch_size) == (None, 0.1, True, 256)


def test_yaml_and_its_numbers_without_a_dot(tmp_path):
    (tmp_path / "run.yaml").write_text("lr: 1e-3\nepochs: 3\nweights: null\n")
    found = config.load(Kind, {}, tmp_path / "run.yaml")
    assert (found.lr, found.epochs, found.weights) == (0.001, 3, None)


@pytest.mark.parametrize(
    "name, text, expected",
    [
        ("a.toml", "lr = ", "a.toml: .*TOML"),
        ("a.yaml", "lr: [", "a.yaml: .*YAML"),
        ("a.yaml", "- 1", "found list"),
        ("a.json", "{}", "expected a config as .toml"),
        ("a.toml", "momentun = 0.9", "unknown setting 'momentun': did you mean momentum"),
        ("a.toml", 'lr = "fast"', "a.toml: lr is 'fast': expected a number"),
        ("a.toml", "epochs = 2.5", "epochs is 2.5: expected a whole"),
        ("a.toml", "step_epochs = 3", "step_epochs is 3"),
        ("a.toml", "freeze_norm = 1", "freeze_norm is 1: expected true or false"),
        ("a.toml", "lr = true", "lr is True"),
    ],
)
def test_files_that_do_not_fit(tmp_path, name, text, expected):
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=expected):
        config.load(Kind, {}, tmp_path / name)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("lr", "expected field=value"),
        ("=3", "expected field=value"),
        ("lrr=3", "--set: unknown setting 'lrr': did you mean lr"),
        ("epochs=many", "--set: epochs is 'many'"),
    ],
)
def test_settings_that_do_not_fit(text, expected):
    with pytest.raises(ConfigError, match=expected):
        config.load(Kind, {}, None, [text])


@pytest.mark.parametrize(
    "name, text, expected",
    [
        ("a.yaml", "epochs: 3\nlr: 2020-13-45\n", "line 2: '2020-13-45' is not a date (month must be in 1..12)"),
        ("a.yaml", "epochs: 2020-02-30T25:00:00\n", "line 1: '2020-02-30T25:00:00' is not a date"),
        ("a.yaml", "lr: !!int foo", "line 1: 'foo' is not a whole number"),
        ("a.yaml", "\n\nlr: !!float foo", "line 3: 'foo' is not a number"),
        ("a.yaml", "decay_all: !!bool foo", "line 1: 'foo' is not true or false"),
        ("a.yaml", "lr: !!timestamp foo", "line 1: 'foo' is not a date"),
        ("a.yaml", "epochs: 1\nstep_epochs: " + "[" * 5000, "line 2: lists nested more than 20 deep"),
        ("a.yaml", "step_epochs:\n" + "".join(" " * i + "-\n" for i in range(400)), "lists nested more than 20 deep"),
        ("a.yml", "epochs: " + "7" * 5000, "line 1: "),
        ("a.yaml", "epochs: 0x" + "f" * 6000, "epochs is a number of 7,2"),
        ("a.yaml", "lr: 1\nepochs: 3\nlr: 2\n", "line 3: 'lr' is set twice"),
        ("a.yaml", "lr: !!map x", "line 1: "),
        ("a.yaml", "epochs: 1\nlr: \0", "line 2: a character '\\x00'"),
        ("a.toml", "epochs = 3\nstep_epochs = " + "[" * 5000, "line 2: lists nested more than 20 deep"),
        ("a.toml", "step_epochs = " + "[\n" * 5000, "line 21: lists nested more than 20 deep"),
        ("a.toml", "epochs = 3\n\nlr = " + "7" * 5000, "line 3: a number of 5,000 digits"),
        ("a.toml", "lr = 1" + "0" * 400, "lr is 1000"),
        ("a.toml", "epochs = 1" + "0" * 400, "epochs is 1000"),
    ],
)
def test_values_that_the_parsers_trip_over(tmp_path, name, text, expected):
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError) as refusal:
        config.load(Kind, {}, tmp_path / name)
    message = str(refusal.value)
    assert message.startswith(f"{tmp_path / name}: {expected}") or f": {expected}" in message, message
    assert "\n" not in message and len(message) < len(str(tmp_path)) + 300


@pytest.mark.parametrize(
    "text, expected",
    [
        ("lr=" + "7" * 5000, ": a number of 5,000 digits"),
        ("step_epochs=" + "[" * 5000, ": lists nested more than 20 deep"),
        ("lr=2020-13-45", "--set: lr is '2020-13-45': expected a number"),
        ("lr=1" + "0" * 400, "--set: lr is 1000"),
        ("step_epochs=[1", "--set: step_epochs is '[1': expected numbers such as [5,8]"),
        ("limit=[1", "--set: limit is '[1': expected a whole number or none"),
        ("lr=0.1\nmomentum=0.9", r"--set: lr is '0.1\nmomentum=0.9': expected a number"),
    ],
)
def test_settings_that_the_parser_trips_over(run_cli, text, expected):
    line = one_line_error(run_cli("train", "fashion-mnist", "--set", text))
    assert expected in line and len(line) < 300


def test_a_file_that_begins_as_those_of_windows_do(tmp_path):
    for name, text in (("a.toml", "lr = 0.25"), ("a.yaml", "lr: 0.25")):
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + text.encode())
        assert config.load(Kind, {}, tmp_path / name).lr == 0.25


def test_the_written_command_gives_the_same_config():
    made = config.load(
        Kind, {"lr": 0.3, "resize": 64}, None, ["schedule=step", "step_epochs=[2, 4]", "ema=0.9", "freeze_norm=true"]
    )
    words = shlex.split(made.command())
    again = [words[i + 1] for i, word in enumerate(words) if word == "--set"]
    assert config.load(Kind, {"lr": 0.3, "resize": 64}, None, again) == made
    assert config.make(Kind, json.loads(json.dumps({**made.__dict__}))) == made


def test_a_stopped_run_is_resumed_from_the_command_line(tmp_path, small_folder, run_cli, plain_curves):
    more = "flip = true\nalternate = true\ngrow_from = 20\ntest_views = 2\n"
    (tmp_path / "run.toml").write_text(f'momentum = 0.9\nmixup = 0.2\nschedule = "onecycle"\nema = 0.5\n{more}')
    common = (
        "train",
        "fashion-mnist",
        "--model",
        "resnet8@narrow",
        "--no-resize",
        "--data",
        small_folder,
        "--unverified",
        "--batch-size",
        16,
        "--limit",
        64,
        "--config",
        tmp_path / "run.toml",
        "--set",
        "checkpoint_seconds=0",
    )
    whole = run_cli(*common, "--epochs", 2, "--out", tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr
    # killed in its second epoch, as a machine that goes down would
    code = (
        "import sys, os\nfrom gluon_resnet import cli\n"
        "from gluon_resnet.training import checkpoint\nsave, calls = checkpoint.save, []\n"
        "def die(*args):\n    save(*args)\n    calls.append(1)\n    if len(calls) == 6: os._exit(9)\n"
        "checkpoint.save = die\ncli.main(sys.argv[1:])\n"
    )
    import subprocess
    import sys

    dead = subprocess.run(
        [sys.executable, "-c", code, *map(str, common), "--epochs", "2", "--out", str(tmp_path / "dead")],
        capture_output=True,
    )
    assert dead.returncode == 9 and not (tmp_path / "dead" / "result.json").exists()
    again = run_cli("train", "fashion-mnist", "--resume", tmp_path / "dead")
    assert again.returncode == 0, again.stderr
    assert f"resuming {tmp_path / 'dead'} at epoch 2, after batch" in again.stdout
    assert (tmp_path / "whole" / "net.params").read_bytes() == (tmp_path / "dead" / "net.params").read_bytes()
    results = [json.loads((tmp_path / name / "result.json").read_text()) for name in ("whole", "dead")]
    for key in ("loss", "test_acc", "views_acc", "examples"):
        assert results[0][key] == results[1][key]
    history = pd.read_csv(tmp_path / "dead" / "history.csv")
    assert set(zip(history["epoch"], history["side"])) == {(1, 20), (2, 28)}
    ends = [
        [line.split(",")[:7] for line in (tmp_path / name / "history.csv").read_text().splitlines()]
        for name in ("whole", "dead")
    ]
    assert ends[0] == ends[1]
    assert "the run is finished" in one_line_error(run_cli("train", "fashion-mnist", "--resume", tmp_path / "dead"))
    assert "leave out lr" in one_line_error(run_cli("train", "fashion-mnist", "--resume", tmp_path / "dead", "--lr", 1))
    assert "not a run folder" in one_line_error(run_cli("train", "fashion-mnist", "--resume", tmp_path))
