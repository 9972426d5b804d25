"""The commands of documents that install the suite, checked without installing: options, files, extras, images."""

import argparse
import json
import os
import re
import subprocess
import sys

from gluon_resnet import doctor
from gluon_resnet.data import fashion_mnist
from gluon_resnet.version import VERSION

import tomli

from tests.conftest import ROOT

WHEEL = re.compile(rf"(dist/)?gluon_resnet-{re.escape(VERSION)}-py3-none-any\.whl\[([\w,]+)\]")


def check_installable(name):
    """Fail unless pip can install ``name``: this folder, its wheel with known extras, or what setup.sh has."""
    wheel = WHEEL.fullmatch(name)
    if wheel:
        content = tomli.loads((ROOT / "pyproject.toml").read_text())
        extras = content["tool"]["setuptools"]["dynamic"]["optional-dependencies"]
        assert set(wheel[2].split(",")) <= set(extras), name
    elif name not in (".", "uv"):
        script = (ROOT / "scripts" / "setup.sh").read_text()
        assert re.search(rf"{re.escape(name)}(\s|$)", script), name


#: pip's own parser, in a process of its own: pip brings its own copies of modules that mxnet imports
PARSE = """
import json, sys
from pip._internal.commands import create_command
options, names = create_command(sys.argv[1]).parse_args(sys.argv[2:])
print(json.dumps([[*options.requirements, *options.constraints], [*getattr(options, "editables", []), *names]]))
"""


def uv_options(words):
    """What is in the words of a uv command: the options that the documents use, and the rest."""
    parser = argparse.ArgumentParser(prog="uv", add_help=False)
    parser.add_argument("-q", action="store_true")
    parser.add_argument("--no-deps", action="store_true")
    parser.add_argument("--python")
    parser.add_argument("--from")
    parser.add_argument("rest", nargs=argparse.REMAINDER)
    return parser.parse_args(words)


class Installing:
    """The methods of a Reader for these commands; the reader also has run_gluon_resnet."""

    image = None

    def run_pip(self, words, output=()):
        """``pip install`` or ``pip wheel``: read by pip's own parser; its files exist."""
        assert words[0] in ("install", "wheel"), words
        done = subprocess.run([sys.executable, "-c", PARSE, *words], text=True, capture_output=True)
        assert done.returncode == 0, done.stderr
        files, names = json.loads(done.stdout)
        for name in files:
            assert (ROOT / name).is_file(), name
        for name in names:
            check_installable(name)

    def run_uv(self, words, output=()):
        """``uv venv``, ``uv pip install`` or ``uv tool install``."""
        command = 1 if words[0] == "venv" else 2
        assert words[:command] in (["venv"], ["pip", "install"], ["tool", "install"]), words
        (name,) = uv_options(words[command:]).rest
        if words[0] != "venv":
            check_installable(name)

    def run_uvx(self, words, output=()):
        """``uvx --from WHEEL gluon-resnet ...``: the command is run from the checkout."""
        options = uv_options(words)
        check_installable(vars(options)["from"])
        assert options.rest[0] == "gluon-resnet"
        return self.run_gluon_resnet(options.rest[1:])

    def run_docker(self, words, output=()):
        """``docker build`` of the Dockerfile, and ``docker run`` of its image: the command is run from the checkout."""
        if words[0] == "build":
            assert words[1] == "-t" and words[3:] == ["."] and (ROOT / "Dockerfile").is_file(), words
            self.image = words[2]
            return ""
        assert words[:5] == ["run", "--rm", "-it", self.image, "gluon-resnet"], words
        return self.run_gluon_resnet(words[5:])

    def run_gluon_bin_gluon_resnet(self, words, output=()):
        """``gluon/bin/gluon-resnet``: of the environment that a notebook's cell has made."""
        return self.run_gluon_resnet(words)

    def run_apt_get(self, words, output=()):
        """``apt-get``: packages that the suite looks for, or that doctor names."""
        known = {"download": [fashion_mnist.FASHION_MNIST.debian_package], "install": doctor.DEBIAN_PACKAGES.values()}
        assert words[1:] and set(words[1:]) <= set(known[words[0]]), words

    def run_eval(self, words, output=()):
        """``eval "$(... gluon-resnet)"``: click has a script for this shell."""
        shell = re.fullmatch(r"\$\(_GLUON_RESNET_COMPLETE=(\w+)_source gluon-resnet\)", words[0])[1]
        self.completion(shell)

    def run_GLUON_RESNET_COMPLETE_fish_source(self, words, output=()):
        """The same for fish."""
        assert words == ["gluon-resnet", "|", "source"]
        self.completion("fish")

    def completion(self, shell):
        """The script that makes ``shell`` complete the command."""
        done = subprocess.run(
            [sys.executable, "-m", "gluon_resnet"],
            text=True,
            capture_output=True,
            env={**os.environ, "_GLUON_RESNET_COMPLETE": f"{shell}_source"},
        )
        assert done.returncode == 0 and f"{shell}_complete" in done.stdout, done.stderr
