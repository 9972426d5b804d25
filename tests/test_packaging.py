"""The requirements files agree, the scripts find a Python, and the archive holds nothing large."""

import os
import re
import shutil
import stat
import subprocess
import sys
from importlib import metadata

from gluon_resnet.doctor import read_pins

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT

PYTHONS = ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13"]


def pins(name, python):
    """{package: version} of a requirements file on Linux with a version of Python."""
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.1",
        "extra": "",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "os_name": "posix",
    }
    return read_pins(ROOT / name, environment)


@pytest.mark.parametrize("python", PYTHONS)
def test_the_two_builds_differ_in_mxnet_and_cudas_libraries_alone(python):
    cpu, gpu = pins("requirements.txt", python), pins("requirements-cu112.txt", python)
    assert cpu.pop("mxnet") == gpu.pop("mxnet-cu112") == "1.9.1"
    assert {name: version for name, version in gpu.items() if not name.startswith("nvidia-")} == cpu
    assert len([name for name in gpu if name.startswith("nvidia-")]) == 9


@pytest.mark.parametrize("python", PYTHONS)
def test_the_pins_asked_for(python):
    found = pins("requirements.txt", python)
    assert found["gluoncv"] == "0.10.5.post0"
    old = python in ("3.8", "3.9", "3.10", "3.11")
    assert found["numpy"] == ("1.23.5" if old else "1.26.4") and (found.get("d2l") == "1.0.3") == old
    assert {"pandas", "matplotlib"} <= set(found)


def test_every_requirement_is_pinned_and_agrees_with_the_constraints():
    for name in (
        "requirements.txt",
        "requirements-cu112.txt",
        "requirements-dev.txt",
        "requirements-below.txt",
        "constraints.txt",
    ):
        for line in (ROOT / name).read_text().splitlines():
            assert not line or line.startswith("#") or "==" in line.split(";")[0], (name, line)
    for python in PYTHONS:
        found = pins("constraints.txt", python)
        constraints = {name.lower(): version for name, version in found.items()}
        for file in ("requirements.txt", "requirements-dev.txt", "requirements-below.txt"):
            for name, version in pins(file, python).items():
                assert constraints[name.lower()] == version, (python, name)


def needs(distribution, extra):
    """{(package, extra or "")} that an installed package needs on this machine, by its own metadata."""
    found = [Requirement(line) for line in distribution.requires or ()]
    found = [each for each in found if not each.marker or each.marker.evaluate({"extra": extra})]
    return {(canonicalize_name(each.name), name) for each in found for name in ("", *each.extras)}


def test_exactly_the_packages_that_come_along_are_pinned_for_the_wheel():
    python = "{}.{}".format(*sys.version_info)
    direct = {canonicalize_name(name) for name in pins("requirements.txt", python)}
    below = {canonicalize_name(name) for name in pins("requirements-below.txt", python)}
    installed = {canonicalize_name(each.metadata["Name"]): each for each in metadata.distributions()}
    found, new = set(), {(name, "") for name in direct}
    while new:
        found |= new
        new = {needed for name, extra in new for needed in needs(installed[name], extra)} - found
    assert below.isdisjoint(direct)
    assert {name for name, _ in found} - direct - {"setuptools"} == below  # before Python 3.12 every setuptools fits


def find_python(*args, programs, tmp_path, **environ):
    """Run scripts/find-python.sh with nothing but ``programs`` on the path (and sh's own)."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, script in programs.items():
        path = folder / name
        path.write_text(script)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return subprocess.run(
        [shutil.which("sh"), str(ROOT / "scripts" / "find-python.sh"), *args],
        capture_output=True,
        text=True,
        env={"PATH": str(folder), "HOME": str(tmp_path), **environ},
    )


def stand_in(version, venv=True):
    """A program that answers as a Python of ``version``."""
    return (
        f'#!/bin/sh\ncase "$2" in\n*version_info*) echo {version} ;;\n*ensurepip*) exit {0 if venv else 1} ;;\n'
        f"*executable*) echo found-{version} ;;\nesac\n"
    )


@pytest.mark.parametrize(
    "programs, found",
    [
        ({"python3.11": stand_in("3.11"), "python3.12": stand_in("3.12")}, "found-3.11"),
        ({"python3.13": stand_in("3.13")}, "found-3.13"),
        ({"python3": stand_in("3.9")}, "found-3.9"),
        ({"python3.11": stand_in("3.11", venv=False), "python3.12": stand_in("3.12")}, "found-3.12"),
    ],
)
def test_a_python_is_found(tmp_path, programs, found):
    assert find_python(programs=programs, tmp_path=tmp_path).stdout.strip() == found


def test_the_users_choice_comes_first(tmp_path):
    process = find_python(
        programs={"python3.11": stand_in("3.11"), "mine": stand_in("3.8")}, tmp_path=tmp_path, PYTHON="mine"
    )
    assert process.stdout.strip() == "found-3.8"


def test_a_choice_that_does_not_serve_is_said(tmp_path):
    process = find_python(
        programs={"python3.11": stand_in("3.11"), "mine": stand_in("3.7")}, tmp_path=tmp_path, PYTHON="mine"
    )
    assert process.returncode == 1 and "PYTHON=mine is no Python 3.8 to 3.13" in process.stderr


def test_one_version_asked_for(tmp_path):
    process = find_python(
        "3.12", programs={"python3.11": stand_in("3.11"), "python3": stand_in("3.12")}, tmp_path=tmp_path
    )
    assert process.stdout.strip() == "found-3.12"


@pytest.mark.parametrize(
    "programs, words",
    [
        ({}, "no Python 3.8 to 3.13 found: run 'apt-get install python3 python3-venv'"),
        ({"python3": stand_in("3.14"), "python3.7": stand_in("3.7")}, "no Python 3.8 to 3.13 found"),
        (
            {"python3": stand_in("3.11", venv=False)},
            "cannot make virtual environments: run 'apt-get install python3-venv'",
        ),
    ],
)
def test_no_python_is_one_line(tmp_path, programs, words):
    process = find_python(programs=programs, tmp_path=tmp_path)
    assert process.returncode == 1 and process.stdout == ""
    assert words in process.stderr and process.stderr.count("\n") == 1


@pytest.mark.skipif(not (ROOT / ".git").exists() or not shutil.which("git"), reason="not a git checkout")
def test_nothing_large_and_no_data_is_tracked():
    files = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files"], stdout=subprocess.PIPE, text=True, check=True
    ).stdout.split("\n")
    for name in filter(None, files):
        if (ROOT / name).exists():
            assert os.path.getsize(ROOT / name) < 1_000_000, name
        if not name.startswith("tests/fixtures/"):
            assert not re.search(r"\.(params|pth|safetensors|npz|h5|rec|onnx|gz|whl)$|ubyte", name), name
    fixtures = [path for path in (ROOT / "tests" / "fixtures").rglob("*") if path.is_file()]
    assert 0 < sum(path.stat().st_size for path in fixtures) < 200_000
