"""make browser says in one line what it lacks; the tests that it runs are no part of make test."""

import os
import subprocess

import tomli

from tests.conftest import ROOT


def browser_sh(**environ):
    return subprocess.run(
        ["sh", str(ROOT / "scripts" / "browser.sh"), "no-environment"],
        capture_output=True,
        text=True,
        env={**os.environ, **environ},
    )


def test_a_missing_chromium_is_one_line():
    process = browser_sh(CHROMIUM="/nowhere/chromium")
    assert process.returncode == 1 and process.stdout == ""
    assert process.stderr == (
        "gluon-resnet: no Chromium: run 'apt-get install chromium' as root, or set CHROMIUM=/path/to/chromium\n"
    )


def test_the_browser_s_tests_are_collected_by_make_browser_alone():
    options = tomli.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    assert options["testpaths"] == ["tests"]
    names = sorted(path.name for path in (ROOT / "book" / "browser").glob("test_*.py"))
    assert names == ["test_checks.py", "test_pages.py", "test_report.py"]
