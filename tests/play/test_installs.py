"""Lines and commands that install packages: what is skipped, and what is not."""

import os
import subprocess
import sys

from gluon_resnet.editions import notes
from gluon_resnet.play import installs

import pytest


@pytest.fixture(autouse=True)
def said(monkeypatch):
    """The notes of a test."""
    notes.forget()
    texts = []
    monkeypatch.setattr(notes, "listeners", [lambda kind, text: texts.append(text)])
    return texts


@pytest.mark.parametrize(
    "line",
    [
        "!pip install d2l",
        "  %pip install -q d2l",
        "!pip3.8 -q install d2l",
        "!{sys.executable} -m pip install mxnet",
        "!/usr/bin/python3 -m pip install mxnet",
        "!sudo apt-get -qq install graphviz",
        "!apt update && apt install x",
        "!cd gluon-cv && pip install -e .",
        "!$PYTHON -m pip install mxnet",
        "%conda install -y mxnet",
        "%sx pip install mxnet",
    ],
)
def test_a_line_that_installs_is_skipped(line, said):
    indent = line[: len(line) - len(line.lstrip())]
    assert installs.without_installs([line + "\n"]) == [indent + "pass\n"]
    assert said == [f"skipped: {line.strip()}"]


@pytest.mark.parametrize("line", ["!ls pip", "pip_list = 1", "x = 'pip install d2l'", "!nvidia-smi", "# pip", "uv = 2"])
def test_any_other_line_stays(line, said):
    assert installs.without_installs([line + "\n"]) == [line + "\n"] and said == []


def test_a_line_that_goes_on_and_a_cell_of_bash(said):
    lines = ["%%capture\n", "!pip install mxnet \\\n", "    d2l \\\n", "    -q\n", "x = 1\n"]
    assert installs.without_installs(lines) == ["%%capture\n", "pass\n", "\n", "\n", "x = 1\n"]
    lines = ["\n", "%%bash\n", "if true; then\n", "  pip install d2l\n", "fi\n"]
    assert installs.without_installs(lines) == ["\n", "%%bash\n", "if true; then\n", "  :\n", "fi\n"]
    assert said == ["skipped: !pip install mxnet \\", "skipped: pip install d2l"]


def test_commands_that_python_starts(tmp_path, monkeypatch, said):
    monkeypatch.setattr(os, "system", os.system)  # put back after the test
    monkeypatch.setattr(subprocess.Popen, "__init__", subprocess.Popen.__init__)
    (tmp_path / "pip").write_text("#!/bin/sh\necho ran\n")
    (tmp_path / "pip").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert subprocess.check_output(["pip", "install", "x"], text=True) == "ran\n"
    installs.forbid()
    assert subprocess.check_output(["pip", "install", "x"], text=True) == ""
    assert subprocess.run("pip install x", shell=True, capture_output=True, text=True).stdout == ""
    assert subprocess.check_call([sys.executable, "-m", "pip", "install", "x"]) == 0
    assert os.system("pip install x") == 0 and os.popen("pip -q install x").read() == ""
    assert subprocess.check_output(["pip", "list"], text=True) == "ran\n"
    assert said[0] == "skipped: pip install x" and "skipped: os.system('pip install x')" in said
