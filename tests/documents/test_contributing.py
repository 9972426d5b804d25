"""The worked examples of docs/extending.md, followed to the letter on a copy of the package.

A block in the language "diff" changes the file named last before it, "python" and "markdown" blocks are new files, and
lines that begin with "$ " are run; the output is compared with the one shown.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT, small_arrays, write_idx_folder
from tests.documents.document_reader import assert_shown
from tests.documents.documents import blocks, commands
from tests.documents.test_documents import EXAMPLES

PARTS = ("gluon_resnet", "experiments", "book", "chapters", "tests", "scripts", "docs", "pyproject.toml")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "_build", "results", "executed", "notebooks", "fixtures")


def small_is_published(path, arrays, cache):
    """Change the table of Fashion-MNIST's files at ``path``, so that drawn images in the cache pass for it."""
    text = path.read_text()
    for file in write_idx_folder(cache / "fashion-mnist", arrays).iterdir():
        content = file.read_bytes()
        entry = f'DataFile("{file.name}", {len(content)}, "{hashlib.sha256(content).hexdigest()}")'
        text, count = re.subn(rf'DataFile\(\s*"{file.name}",\s+[\d_]+,\s+"\w+",?\s*\)', entry, text)
        assert count == 1, file.name
    path.write_text(text)


@pytest.fixture
def copy(tmp_path):
    """A copy of what an example touches, with a few drawn images as Fashion-MNIST."""
    folder = tmp_path / "copy"
    folder.mkdir()
    for name in PARTS:
        part = ROOT / name
        if part.is_dir():
            shutil.copytree(str(part), str(folder / name), ignore=LEFT_OUT)
        else:
            shutil.copy(str(part), str(folder / name))
    small_is_published(folder / "gluon_resnet" / "data" / "fashion_mnist.py", small_arrays(80, 20), tmp_path / "home")
    return folder


def edit(path, changes):
    """Apply a diff block, lines that begin with " ", "-" or "+", at the one place that has its old lines."""
    lines = changes.splitlines()
    assert all(line[:1] in (" ", "-", "+") for line in lines), changes
    old = "\n".join(line[1:] for line in lines if line[0] != "+") + "\n"
    new = "\n".join(line[1:] for line in lines if line[0] != "-") + "\n"
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{path.name}: these lines are in it {text.count(old)} times, expected once:\n{old}"
    path.write_text(text.replace(old, new), encoding="utf-8")


def run(command, folder):
    """Run a command in the copy, as a reader would in the checkout; what it prints."""
    (words,) = command.parts
    programs = {"gluon-resnet": [sys.executable, "-m", "gluon_resnet"], ".venv/bin/python": [sys.executable]}
    assert words[0] in programs, f"no way to run '{command.text}': expected one of {', '.join(programs)}"
    done = subprocess.run(
        [*programs[words[0]], *words[1:]],
        cwd=str(folder),
        text=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(folder)},
        timeout=600,
    )
    assert done.returncode == 0, (command.text, done.stdout, done.stderr)
    return done.stdout


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_works_as_printed(example, copy):
    steps = [block for block in blocks(ROOT / "docs" / "extending.md") if block.heading == example]
    shown = 0
    for block in steps:
        if block.language == "diff":
            edit(copy / block.about, block.text)
        elif block.language in ("python", "markdown"):
            path = copy / block.about
            assert path.parent.is_dir() and not path.exists() and not (ROOT / block.about).exists(), block.about
            path.write_text(block.text, encoding="utf-8")
        else:
            assert block.language == "", block.title
            for command in commands(block):
                assert_shown(command, run(command, copy))
                shown += bool(command.output)
    assert shown
    assert not (ROOT / "runs" / "experiments" / "momentum").exists()  # the copy was worked in
