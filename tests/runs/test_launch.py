"""The train command from end to end: what it prints, the run folder it leaves, and how it fails."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time

import gluon_resnet as gr
from gluon_resnet import cli, files
from gluon_resnet.errors import RunError
from gluon_resnet.runs import folder as runs

import mxnet as mx
import pandas as pd
import pytest
from PIL import Image

from tests.conftest import one_line_error, small_arrays, write_idx_folder

FILES = ["config.json", "curves.png", "env.json", "files.csv.gz", "history.csv", "net.params", "result.json"]
SMALL = ("--no-resize", "--batch-size", "16", "--limit", "64", "--unverified")


@pytest.fixture
def small_folder(tmp_path):
    """80 and 40 images: fewer than other tests', as these train ResNet-18."""
    return write_idx_folder(tmp_path / "small", small_arrays(80, 40))


@pytest.fixture
def finished(run_cli, small_folder, tmp_path):
    """A finished run of two epochs: (process, run folder)."""
    out = tmp_path / "runs" / "one"
    return run_cli("train", "fashion-mnist", *SMALL, "--epochs", 2, "--data", small_folder, "--out", out), out


def test_a_run_from_end_to_end(finished, small_folder, run_cli, tmp_path, np_mode):
    process, out = finished
    assert process.returncode == 0, process.stderr
    lines = process.stdout.splitlines()
    assert lines[0] == (
        "resnet18@d2l on Fashion-MNIST: the first 64 of 80 training pictures at 28x28, "
        "batch size 16, lr 0.05, seed 0, on cpu(0)"
    )
    assert lines[2].startswith("tests: batch-norm statistics are re-estimated from 4 training batches before each")
    assert lines[4] == "conv0 output shape:\t (1, 64, 14, 14)" and lines[13] == "dense0 output shape:\t (1, 10)"
    assert [line.split(":")[0] for line in lines[14:16]] == ["epoch 1/2", "epoch 2/2"]
    assert re.match(r"loss .* test acc", lines[16]) and "on cpu(0)" in lines[17] and "end to end" in lines[18]
    assert lines[19] == f"run folder: {out} ({', '.join(FILES)})"
    assert "\r" not in process.stderr  # no bar is drawn into a log
    assert sorted(os.listdir(out)) == FILES

    result = json.loads((out / "result.json").read_text())
    assert result["status"] == "finished" and result["examples"] == 128
    assert lines[16] == "loss {loss:.3f}, train acc {train_acc:.3f}, test acc {test_acc:.3f}".format(**result)
    assert result["peak_memory_bytes"] > 100e6
    history = pd.read_csv(out / "history.csv")
    assert list(history[history["test_acc"].notna()]["epoch"]) == [1, 2]
    for name in ("test_acc", "test_loss"):
        assert history[name].iloc[-1] == pytest.approx(result[name], abs=1e-5)
    assert f"test acc {result['test_acc']:.3f}, test loss {result['test_loss']:.3f}, " in lines[15]
    env = json.loads((out / "env.json").read_text())
    assert mx.__version__ in env["versions"].values() and env["threads"]["threads"] >= 1 and env["cpu"]["model"]
    assert Image.open(out / "curves.png").size[0] > 600

    again = tmp_path / "again"  # the command in the config makes the same run
    command = json.loads((out / "config.json").read_text())["command"]
    assert command.startswith("gluon-resnet train fashion-mnist --model resnet18")
    assert run_cli(*shlex.split(command)[1:], "--out", again).returncode == 0
    networks = []
    for folder in (out, again):
        net = gr.resnet18()
        net.load_parameters(str(folder / "net.params"))
        networks.append({name: param.data().asnumpy() for name, param in net._collect_params_with_prefix().items()})
    assert all((networks[0][name] == networks[1][name]).all() for name in networks[0])


def test_other_models_and_sizes(run_cli, small_folder, tmp_path):
    process = run_cli(
        "train",
        "fashion-mnist",
        "--model",
        "resnet50@keras",
        "--resize",
        32,
        "--batch-size",
        4,
        "--limit",
        8,
        "--epochs",
        1,
        "--unverified",
        "--data",
        small_folder,
        "--out",
        tmp_path / "run",
    )
    assert process.returncode == 0, process.stderr
    assert "resnet50@keras on Fashion-MNIST: the first 8 of 80 training pictures at 32x32" in process.stdout
    assert "(1, 2048, 1, 1)" in process.stdout


@pytest.mark.parametrize(
    "settings, said",
    [
        (
            (),
            "tests: batch-norm statistics are re-estimated from 4 training batches before each "
            "(--set norm_batches=0: as the textbook tests)",
        ),
        (("--set", "norm_batches=0"), None),
        (
            ("--set", "norm_batches=3", "--set", "ema=0.9"),
            "tests: norm_batches=3 is without effect, ema averages batch norm's statistics, too",
        ),
        (
            ("--set", "freeze_norm=true"),
            "tests: norm_batches=20 is without effect, freeze_norm keeps batch norm's statistics",
        ),
    ],
)
def test_a_run_says_how_it_is_tested(run_cli, small_folder, tmp_path, settings, said):
    process = run_cli(
        "train",
        "fashion-mnist",
        "--model",
        "resnet8@narrow",
        *SMALL,
        "--epochs",
        1,
        *settings,
        "--data",
        small_folder,
        "--out",
        tmp_path / "run",
    )
    assert process.returncode == 0, process.stderr
    assert [line for line in process.stdout.splitlines() if line.startswith("tests:")] == ([said] if said else [])


def wait_for(condition, process, seconds=60):
    end = time.time() + seconds
    while time.time() < end and process.poll() is None:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come to that")


def test_ctrl_c_keeps_what_there_is(small_folder, tmp_path):
    out, log = tmp_path / "run", tmp_path / "log"
    command = [
        sys.executable,
        "-m",
        "gluon_resnet",
        "train",
        "fashion-mnist",
        "--model",
        "resnet8@narrow",
        "--epochs",
        "1000",
        *SMALL,
        "--data",
        str(small_folder),
        "--out",
        str(out),
    ]
    with open(log, "w") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, text=True)
        try:
            wait_for(lambda: (out / "history.csv").exists(), process)
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 130
        finally:
            process.kill()
    text = log.read_text()
    assert "stopping after this batch" in text
    assert re.search(r"stopped by Ctrl-C after epoch \d+, batch \d+ of 4; what there is was kept", text)
    assert f"run folder: {out}" in text and "Traceback" not in text
    others = sorted(set(os.listdir(out)) - {path.name for path in out.glob("checkpoint-*")})
    assert others == FILES and 1 <= len(list(out.glob("checkpoint-*.npz"))) <= 3
    assert json.loads((out / "result.json").read_text())["status"] == "stopped"


def test_a_run_that_diverges_ends_in_one_line(run_cli, small_folder, tmp_path):
    out = tmp_path / "run"
    settings = (*SMALL, "--lr", "1e30", "--epochs", 1)
    process = run_cli("train", "fashion-mnist", *settings, "--data", small_folder, "--out", out)
    assert process.returncode == 2 and "Traceback" not in process.stderr
    assert re.search(
        r"^gluon-resnet: the loss is (nan|inf) at epoch 1.*smaller learning rate.*the run so far is in",
        process.stderr.splitlines()[-1],
    )
    assert json.loads((out / "result.json").read_text())["status"] == "diverged" and "net.params" not in os.listdir(out)


@pytest.mark.parametrize("content", [{}, {"config": ["resnet18"]}, {"config": None}])
def test_a_folder_without_a_config_is_not_taken_up(run_cli, tmp_path, content):
    folder = runs.RunFolder(tmp_path / "run", content)
    line = one_line_error(run_cli("train", "fashion-mnist", "--resume", folder.path))
    assert f"{folder.path / 'config.json'}: not the config of a run" in line


def test_lr_that_is_no_number_writes_nothing(run_cli, small_folder, tmp_path):
    process = run_cli(
        "train", "fashion-mnist", *SMALL, "--lr", "nan", "--data", small_folder, "--out", tmp_path / "run"
    )
    assert "lr is nan" in one_line_error(process) and not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "args, words",
    [
        (("--batch-size", "0"), "0 is not in the range x>=1"),
        (("--epochs", "0"), "not in the range"),
        (("--lr", "0"), "not in the range"),
        (("--resize", "0"), "not in the range"),
        (("--limit", "0"), "not in the range"),
        (("--model", "resnet17"), "unknown model 'resnet17': did you mean"),
        (("--model", "resnet18@torch"), "unknown family 'torch': did you mean torchvision?"),
        (("--model", "resnet18@keras2016", "--resize", "4"), "cannot take an input of shape (1, 64, 2, 2)"),
        (("--lr", "fast"), "'fast' is not a valid float"),
        (("--gpu",), "No such option"),
    ],
)
def test_bad_settings_are_one_line_and_write_nothing(run_cli, small_folder, tmp_path, args, words):
    out = tmp_path / "run"
    process = run_cli("train", "fashion-mnist", "--data", small_folder, "--unverified", "--out", out, *args)
    assert words in one_line_error(process) and not out.exists()


def test_unverified_without_a_folder(run_cli):
    assert "--unverified goes with --data" in one_line_error(run_cli("train", "fashion-mnist", "--unverified"))


def test_a_folder_that_has_something_in_it(run_cli, small_folder):
    process = run_cli("train", "fashion-mnist", *SMALL, "--data", small_folder, "--out", small_folder)
    assert "not empty; name a new folder with --out" in one_line_error(process)
    assert len(os.listdir(small_folder)) == 4


def test_output_that_cannot_be_written(run_cli, small_folder, tmp_path):
    (tmp_path / "file").touch()
    process = run_cli("train", "fashion-mnist", *SMALL, "--data", small_folder, "--out", tmp_path / "file" / "run")
    assert "cannot be written (Not a directory)" in one_line_error(process)


def test_no_network_is_one_line(run_cli, tmp_path):
    """As on a machine without the data, a way to a mirror, or apt-get."""
    code = (
        "import sys\nfrom gluon_resnet import cli\nfrom gluon_resnet.data import fashion_mnist, fetch, sources\n"
        "table = vars(fashion_mnist.FASHION_MNIST)\n"
        "fashion_mnist.FASHION_MNIST = sources.DataSet(**{**table, 'mirrors': ('https://127.0.0.1:9',), "
        "'debian_folder': '/nowhere'})\n"
        "fetch.shutil.which = lambda program: None\ncli.main(['data', 'fashion-mnist'])"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    line = one_line_error(process)
    assert "127.0.0.1:9: ConnectionError" in line and "apt-get install dataset-fashion-mnist" in line


def test_a_library_that_mxnet_lacks_is_one_line(capsys, monkeypatch):
    def load(*args, **kwargs):
        raise OSError("libcudnn.so.8: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(cli.cli, "main", load)
    with pytest.raises(SystemExit) as caught:
        cli.main(["shapes", "resnet18"])
    error = capsys.readouterr().err
    assert caught.value.code == 2 and error.count("\n") == 1
    assert "libcudnn.so.8" in error and "gluon-resnet doctor" in error


def test_written_whole_leaves_no_half_file(tmp_path):
    path = tmp_path / "own" / "result.json"
    path.parent.mkdir()
    path.write_text("before")
    with pytest.raises(ZeroDivisionError), files.written_whole(path) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "before" and os.listdir(path.parent) == ["result.json"]


def test_a_disk_that_is_full_is_named(tmp_path, monkeypatch):
    folder = runs.RunFolder(tmp_path / "run", {})

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(RunError, match="result.json: cannot be written .No space left on device"):
        folder.finish({})
    assert sorted(os.listdir(tmp_path / "run")) == ["config.json", "env.json"]


def test_help_is_instant_and_imports_no_mxnet(run_cli):
    code = (
        "import sys\nfrom gluon_resnet import cli\ntry:\n    cli.main(['--help'])\nexcept SystemExit:\n    pass\n"
        "assert not {'mxnet', 'pandas', 'matplotlib'} & set(sys.modules), 'too much imported'"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    assert "Train a network" in process.stdout


def test_a_run_starts_from_the_weights_of_another(tmp_path, small_folder, run_cli, np_mode):
    common = (
        "train",
        "fashion-mnist",
        "--model",
        "resnet8@narrow",
        "--no-resize",
        "--data",
        small_folder,
        "--unverified",
        "--limit",
        32,
        "--batch-size",
        32,
        "--epochs",
        1,
        "--set",
        "norm_batches=0",
    )
    first = run_cli(*common, "--out", tmp_path / "first")
    assert first.returncode == 0, first.stderr
    again = run_cli(*common, "--lr", 1e-9, "--out", tmp_path / "again", "--weights", tmp_path / "first" / "net.params")
    assert again.returncode == 0, again.stderr
    one, two = (mx.npx.load(str(tmp_path / name / "net.params")) for name in ("first", "again"))
    assert all(abs(one[key].asnumpy() - two[key].asnumpy()).max() < 1e-6 for key in one if "running" not in key)
    headless = run_cli(
        *common, "--lr", 1e-9, "--out", tmp_path / "head", "--new-head", "--weights", tmp_path / "first" / "net.params"
    )
    assert headless.returncode == 0, headless.stderr
    three = mx.npx.load(str(tmp_path / "head" / "net.params"))
    assert abs(one["7.weight"].asnumpy() - three["7.weight"].asnumpy()).max() > 1e-3
    assert abs(one["5.0.conv2.weight"].asnumpy() - three["5.0.conv2.weight"].asnumpy()).max() < 1e-6
    command = json.loads((tmp_path / "head" / "config.json").read_text())["command"]
    assert "--new-head" in command and "--weights" in command
    wrong = run_cli(
        *common, "--model", "resnet34", "--out", tmp_path / "wrong", "--weights", tmp_path / "first" / "net.params"
    )
    assert "holds resnet8@narrow" in one_line_error(wrong) and not (tmp_path / "wrong").exists()
