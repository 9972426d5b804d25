"""Where a setting comes from, and what is said where one does not fit."""

import json
import shlex

from gluon_resnet.errors import ConfigError
from gluon_resnet.runs import config
from gluon_resnet.runs.fashion_mnist import FashionMnistConfig as Kind

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


def test_the_written_command_gives_the_same_config():
    made = config.load(
        Kind, {"lr": 0.3, "resize": 64}, None, ["schedule=step", "step_epochs=[2, 4]", "ema=0.9", "freeze_norm=true"]
    )
    words = shlex.split(made.command())
    again = [words[i + 1] for i, word in enumerate(words) if word == "--set"]
    assert config.load(Kind, {"lr": 0.3, "resize": 64}, None, again) == made
    assert config.make(Kind, json.loads(json.dumps({**made.__dict__}))) == made


def test_a_stopped_run_is_resumed_from_the_command_line(tmp_path, small_folder, run_cli):
    (tmp_path / "run.toml").write_text('momentum = 0.9\nmixup = 0.2\nschedule = "onecycle"\nema = 0.5\n')
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
        64,
        "--limit",
        256,
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
    for key in ("loss", "test_acc", "examples"):
        assert results[0][key] == results[1][key]
    ends = [
        [line.split(",")[:7] for line in (tmp_path / name / "history.csv").read_text().splitlines()]
        for name in ("whole", "dead")
    ]
    assert ends[0] == ends[1]
    assert "the run is finished" in one_line_error(run_cli("train", "fashion-mnist", "--resume", tmp_path / "dead"))
    assert "leave out lr" in one_line_error(run_cli("train", "fashion-mnist", "--resume", tmp_path / "dead", "--lr", 1))
    assert "not a run folder" in one_line_error(run_cli("train", "fashion-mnist", "--resume", tmp_path))
