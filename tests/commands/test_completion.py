"""Completion in a shell: what the Tab key finds, asked as bash asks, and typed into bash itself."""

import json
import os
import shutil
import subprocess
import sys

from gluon_resnet.commands.completion import VARIABLE

import pexpect
import pytest

from tests.conftest import ROOT

bash = pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")


@pytest.fixture
def program(tmp_path):
    """Path of a program gluon-resnet; the folder has two run folders in runs/ and one elsewhere."""
    path = tmp_path / "bin" / "gluon-resnet"
    path.parent.mkdir()
    path.write_text(f'#!/bin/sh\nexec {sys.executable} -m gluon_resnet "$@"\n')
    path.chmod(0o755)
    for name in ("runs/2026-01-first", "runs/2026-02-second", "elsewhere/third"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "config.json").touch()
    (tmp_path / "runs" / "no-run").mkdir()
    return path


@bash
def test_the_function_of_bash_finds_commands(program, tmp_path):
    script = f"""PATH={program.parent}:$PATH
eval "$({VARIABLE}=bash_source gluon-resnet)"
COMP_LINE="gluon-resnet tra"; COMP_POINT=${{#COMP_LINE}}
_gluon_resnet_completion gluon-resnet 2> /dev/null; echo "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "--norc", "-c", script], text=True, capture_output=True)
    assert done.stdout.strip() == "train transcript", done.stderr


#: the typed line, and what completes its last word for an unspecified shell
FOUND = {
    "train fash": ["fashion-mnist"],
    "train fashion-mnist --re": ["--resize", "--resume"],
    "train fashion-mnist --set patience": ["patience=", "patience_metric="],
    "train fashion-mnist --set schedule=c": ["schedule=constant", "schedule=cosine"],
    "train fashion-mnist --set decay_all=": ["decay_all=true", "decay_all=false"],
    "train fashion-mnist --set momentum=": ["momentum=0.0"],
    "train pictures --set random": ["random_crop="],
    "train pictures --model cifar_resnet": [f"cifar_resnet{depth}" for depth in (20, 32, 44, 56, 110)],
    "shapes resnet10": ["resnet101", "resnet101d"],
    "reconcile resnet50 resnet50@ker": ["resnet50@keras", "resnet50@keras2016"],
    "evaluate ": ["runs/2026-02-second", "runs/2026-01-first"],
    "predict a.png --run runs/2026-01": ["runs/2026-01-first"],
    "runs compare runs/2026-01-first elsewhere/": ["elsewhere/third"],
    "train --resume runs/no": [],  # folders, which the shell itself completes
}
CODE = """
import json, sys
from click.shell_completion import ShellComplete
from gluon_resnet.cli import cli
found = {}
for line in json.loads(sys.argv[1]):
    *words, incomplete = line.split(" ")
    items = ShellComplete(cli, {}, "gluon-resnet", "X").get_completions(words, incomplete)
    found[line] = [item.value for item in items if item.type == "plain"]
print(json.dumps([found, [name for name in ("mxnet", "pandas", "matplotlib") if name in sys.modules]]))
"""


def test_networks_runs_and_settings_are_found_without_mxnet(program, tmp_path):
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-c", CODE, json.dumps(list(FOUND))]
    done = subprocess.run(words, cwd=str(tmp_path), env=environ, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [FOUND, []]


@bash
@pytest.mark.parametrize(
    "typed, completed",
    [
        ("shapes resnet18@to", "shapes resnet18@torchvision "),
        ("train fashion-mnist --set momen", "train fashion-mnist --set momentum="),  # no blank after it
        ("train fashion-mnist --set schedule=cos", "train fashion-mnist --set schedule=cosine "),
    ],
)
def test_bash_types_the_rest(program, tmp_path, typed, completed):
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PS1": "> ", "TERM": "dumb", "INPUTRC": "/dev/null"}
    environ["PATH"] = f"{program.parent}:{environ['PATH']}"
    shell = pexpect.spawn(
        "bash", ["--norc", "--noprofile"], cwd=str(tmp_path), env=environ, encoding="utf-8", timeout=600, echo=False
    )
    try:
        shell.sendline(
            f'eval "$({VARIABLE}=bash_source gluon-resnet)"; bind "set enable-bracketed-paste off"; echo re""ady'
        )
        shell.expect("ready")
        shell.send(f"gluon-resnet {typed}\t|\x01echo '\x05'\r")  # after Tab a mark; then the line as a text
        shell.expect(r"\n?gluon-resnet ([^\r\n']*)\|\r?\n")
        assert shell.match[1] == completed
    finally:
        shell.close(force=True)
