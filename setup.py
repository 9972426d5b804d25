"""Puts files of the checkout into the wheel, inside the package; everything else is in pyproject.toml.

gluon_resnet/files.py finds them in gluon_resnet/from_checkout. An editable install runs from the checkout itself.
"""

import shutil
import subprocess
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent

#: What commands read: the experiments and their results, and the pins that `gluon-resnet doctor` compares.
FILES = (
    "experiments/*.py",
    "experiments/results/*.json",
    "requirements.txt",
    "requirements-cu112.txt",
    "constraints.txt",
)


def commit():
    """The checkout's commit, in the form of gluon_resnet/machine/system.py; None outside a checkout or without git."""
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        return None
    words = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    return subprocess.run(words, stdout=subprocess.PIPE, text=True).stdout.strip() or None


class BuildWithFiles(build_py):
    """build_py that adds the folder from_checkout to the package."""

    def run(self):
        if self.editable_mode:
            return super().run()
        package = Path(self.build_lib) / "gluon_resnet"
        shutil.rmtree(str(package), ignore_errors=True)  # an earlier build may have left files that are gone by now
        super().run()
        folder = package / "from_checkout"
        for pattern in FILES:
            for path in sorted(ROOT.glob(pattern)):
                target = folder / path.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(str(path), str(target))
        built_from = commit()
        if built_from:
            (folder / "COMMIT").write_text(built_from + "\n")


setup(cmdclass={"build_py": BuildWithFiles})
