"""The wheel is complete: it is built from a copy of the checkout, read as an archive, and run from another folder.

The slow test installs it with its packages into an empty environment, for which pip needs a network or its cache.
"""

import email
import json
import os
import shutil
import subprocess
import sys
import zipfile

from gluon_resnet.version import VERSION

import pytest
from packaging.requirements import Requirement

from tests.conftest import ROOT, one_line_error, small_arrays, write_idx_folder

#: extra -> the files that have its pins
EXTRAS = {
    "cpu": ("requirements.txt", "requirements-below.txt"),
    "cu112": ("requirements-cu112.txt", "requirements-below.txt"),
    "book": ("requirements-book.txt",),
    "bench": ("requirements-bench.txt",),
    "allreduce": ("requirements-allreduce.txt",),
}
PYTHONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13")
#: what is copied into the package, apart from COMMIT
COPIED = (
    "requirements.txt",
    "requirements-cu112.txt",
    "constraints.txt",
    *(path.relative_to(ROOT).as_posix() for path in (ROOT / "experiments").glob("*.py")),
    *(path.relative_to(ROOT).as_posix() for path in (ROOT / "experiments" / "results").glob("*.json")),
)


def modules():
    """Names of the package's files, from the checkout's root on."""
    paths = [path for path in (ROOT / "gluon_resnet").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {path.relative_to(ROOT).as_posix() for path in paths}


def build(source, target, what):
    """Path of the archive that setuptools makes of ``source``; ``what`` is wheel or sdist."""
    target.mkdir(exist_ok=True)
    code = f"import sys; from setuptools import build_meta; print(build_meta.build_{what}(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", code, str(target)], cwd=str(source), text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return target / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A copy of what is built from, with the remains of an earlier build."""
    folder = tmp_path_factory.mktemp("source") / "copy"
    for name in ("gluon_resnet", "experiments"):
        shutil.copytree(str(ROOT / name), str(folder / name), ignore=shutil.ignore_patterns("__pycache__"))
    single = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", "constraints.txt")
    for path in (*(ROOT / name for name in single), *ROOT.glob("requirements*.txt")):
        shutil.copy(str(path), str(folder))
    old = folder / "build" / "lib" / "gluon_resnet"
    old.mkdir(parents=True)
    (old / "module_that_is_gone.py").touch()
    return folder


@pytest.fixture(scope="module")
def wheel(source):
    """Path of the wheel."""
    return build(source, source.parent / "dist", "wheel")


@pytest.fixture
def unpacked(wheel, tmp_path):
    """The folder of the unpacked wheel: what site-packages would have."""
    folder = tmp_path / "site-packages"
    with zipfile.ZipFile(str(wheel)) as archive:
        archive.extractall(str(folder))
    return folder


def listing(folder):
    """Every path in a folder, with its size."""
    return {str(path): path.stat().st_size for path in folder.rglob("*") if path.is_file()}


def requirements(lines, **environment):
    """{(name, version)} of requirement lines whose markers hold in ``environment``."""
    found = [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]
    return {
        (each.name, str(each.specifier))
        for each in found
        if each.marker is None or each.marker.evaluate({"extra": "", **environment})
    }


def test_the_wheel_has_every_module_and_what_the_commands_read(wheel):
    with zipfile.ZipFile(str(wheel)) as archive:
        names = set(archive.namelist())
    copied = {f"gluon_resnet/from_checkout/{name}" for name in COPIED}
    assert len(copied) > 20
    assert {name for name in names if ".dist-info/" not in name} == modules() | copied
    assert wheel.name == f"gluon_resnet-{VERSION}-py3-none-any.whl"


def test_the_files_are_those_of_the_checkout(unpacked):
    for name in COPIED:
        assert (unpacked / "gluon_resnet" / "from_checkout" / name).read_bytes() == (ROOT / name).read_bytes(), name


def metadata(wheel):
    with zipfile.ZipFile(str(wheel)) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return email.message_from_string(archive.read(name).decode())


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_asks_for_the_pins_of_its_file_on_every_python(extra, wheel):
    lines = [line for name in EXTRAS[extra] for line in (ROOT / name).read_text().splitlines()]
    for python in PYTHONS:
        environment = {"python_version": python, "python_full_version": f"{python}.1"}
        asked = requirements(metadata(wheel).get_all("Requires-Dist"), extra=extra, **environment)
        assert asked == requirements(lines, **environment), python
    assert asked


def test_without_an_extra_nothing_is_asked_for(wheel):
    found = metadata(wheel)
    assert requirements(found.get_all("Requires-Dist")) == set()
    assert set(found.get_all("Provides-Extra")) == set(EXTRAS)
    assert set(found["Requires-Python"].split(",")) == {">=3.8", "<3.14"}


def test_a_wheel_from_the_source_archive_has_the_same_files(source, wheel, tmp_path):
    archive = build(source, tmp_path / "sdist", "sdist")
    subprocess.run(["tar", "-xzf", str(archive), "-C", str(tmp_path / "sdist")], check=True)
    (folder,) = [path for path in (tmp_path / "sdist").iterdir() if path.is_dir()]
    again = build(folder, tmp_path / "wheel", "wheel")
    with zipfile.ZipFile(str(wheel)) as one, zipfile.ZipFile(str(again)) as two:
        assert set(one.namelist()) == set(two.namelist())


def test_the_commit_is_recorded_in_the_wheel(source, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(str(source), str(copy))
    git = ["git", "-C", str(copy), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "all"]):
        subprocess.run([*git, *words], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, text=True, capture_output=True).stdout
    with zipfile.ZipFile(str(build(copy, tmp_path / "dist", "wheel"))) as archive:
        archive.extractall(str(tmp_path / "unpacked"))
    code = "from gluon_resnet.machine import system; print(system.git_commit())"
    printed = run(tmp_path / "unpacked", tmp_path, "-c", code).stdout
    assert printed.strip() == head[:12]


def run(unpacked, folder, *words, **variables):
    """Run this Python in ``folder`` with the unpacked wheel, which finds no checkout; the finished process."""
    environ = {**os.environ, "PYTHONPATH": str(unpacked), "PYTHONDONTWRITEBYTECODE": "1", **variables}
    return subprocess.run(
        [sys.executable, *map(str, words)], cwd=str(folder), text=True, capture_output=True, env=environ, timeout=300
    )


@pytest.fixture
def installed(unpacked, tmp_path):
    """``installed("shapes", "resnet18")``: the command line of the wheel; no command may write into the package."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    before = listing(unpacked)
    yield lambda *words: run(unpacked, folder, "-m", "gluon_resnet", *words)
    assert listing(unpacked) == before


def test_the_results_are_in_the_wheel(installed):
    done = installed("results")
    assert done.returncode == 0, done.stderr
    for path in (ROOT / "experiments" / "results").glob("*.json"):
        assert path.stem in done.stdout, path.stem


def test_doctor_compares_with_the_pins_in_the_wheel(installed, unpacked):
    checks = {check["name"]: check for check in json.loads(installed("doctor", "--json").stdout)["checks"]}
    count = len(requirements((ROOT / "requirements.txt").read_text().splitlines()))
    assert checks["packages"]["found"] == f"all {count} pinned versions of requirements.txt"
    assert checks["import mxnet"]["status"] == "ok"
    pins = unpacked / "gluon_resnet" / "from_checkout"
    code = "from gluon_resnet import doctor; print(doctor.install_command('mxnet-cu112'))"
    assert (
        run(unpacked, unpacked.parent, "-c", code)
        .stdout.strip()
        .endswith(f"-m pip install -r {pins / 'requirements-cu112.txt'} -c {pins / 'constraints.txt'}")
    )


def test_an_experiment_of_the_wheel_is_run_by_name_and_its_results_stay_out_of_the_package(installed, tmp_path):
    error = one_line_error(installed("run", "depth_cost", "--save-results"))
    assert "from_checkout/experiments/depth_cost.py is in the installed package: expected" in error
    assert "leave the option out" in error
    assert list((tmp_path / "elsewhere").iterdir()) == []
    unknown = one_line_error(installed("run", "depth_costs"))
    assert "did you mean depth_cost?" in unknown and "speedrun_ideas" in unknown


def test_a_chapter_finds_the_results_and_asks_for_no_photographs_in_the_package(unpacked, tmp_path):
    code = """
from gluon_resnet import chapter
print(chapter.results("degradation")["name"])
try:
    chapter.photographs()
except chapter.DataError as error:
    print(error)
"""
    environ = {"GLUON_RESNET_REAL_DATA": "", "GLUON_RESNET_CHAPTERS": "full"}
    printed = run(unpacked, tmp_path, "-c", code, **environ).stdout.splitlines()
    assert printed[0] == "degradation"
    assert printed[1].startswith("bird_photos: no such file or folder") and str(unpacked) not in printed[1]


def test_a_wheel_without_its_packages_says_in_one_line_what_to_install(unpacked, tmp_path):
    words = [
        "-S",
        "-c",
        f"import sys; sys.path.insert(0, {str(unpacked)!r}); from gluon_resnet.__main__ import main; main()",
    ]
    error = one_line_error(run(unpacked, tmp_path, "-I", *words))
    pins = unpacked / "gluon_resnet" / "from_checkout"
    assert "No module named" in error
    assert f"pip install -r {pins / 'requirements.txt'} -c {pins / 'constraints.txt'}" in error


@pytest.fixture
def far_away(wheel, tmp_path):
    """``far_away("doctor")``: what the command prints of a wheel that pip has installed into an empty environment."""
    environment, folder = tmp_path / "environment", tmp_path / "elsewhere"
    folder.mkdir()
    environ = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "GLUON_RESNET_REAL_DATA")
    }

    def call(program, *words):
        done = subprocess.run(
            [str(environment / "bin" / program), *map(str, words)],
            cwd=str(folder),
            text=True,
            capture_output=True,
            env=environ,
            timeout=1800,
        )
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    call("pip", "install", f"{wheel}[cpu]")
    if sys.version_info >= (3, 12):
        call("pip", "install", "--no-deps", "d2l==1.0.3")
    (package,) = (environment / "lib").glob("python*/site-packages/gluon_resnet")
    before = listing(package)
    yield lambda *words: call("gluon-resnet", *words)
    after = {path: size for path, size in listing(package).items() if "__pycache__" not in path}
    shutil.rmtree(str(environment))  # 1.3 GB, which pytest would keep
    assert after == {path: size for path, size in before.items() if "__pycache__" not in path}


@pytest.mark.slow
def test_an_installed_wheel_works_without_a_checkout(far_away, tmp_path):
    assert far_away("doctor").splitlines()[-1] == "no problems found"
    assert far_away("shapes", "resnet18", "--input", "1,1,224,224").endswith("dense0 output shape:\t (1, 10)\n")

    data = write_idx_folder(tmp_path / "small", small_arrays(64, 32))
    small = ["--data", data, "--unverified", "--model", "resnet8@narrow", "--no-resize", "--limit", 32, "--epochs", 1]
    assert "run folder: runs/" in far_away("train", "fashion-mnist", *small)
    assert "resnet8@narrow" in far_away("runs", "list")

    assert "verdict: " in far_away("run", "depth_cost", "--seeds", 1)  # measures networks, so it needs no data
    results = tmp_path / "elsewhere" / "runs" / "experiments" / "depth_cost" / "depth_cost.json"
    assert json.loads(results.read_text())["command"] == "gluon-resnet run depth_cost --seeds 1"

    chapter = tmp_path / "chapter.md"
    chapter.write_text(
        "```python\nfrom d2l import mxnet as d2l\nfrom mxnet import np, npx\nnpx.set_np()\n```\n\n"
        "```python\nblk = d2l.Residual(3)\nblk.initialize()\nblk(np.ones((4, 3, 6, 6))).shape\n```\n\n"
        "```\n(4, 3, 6, 6)\n```\n"
    )
    assert "1 printed value: 1 same, 0 differ, 0 not judged" in far_away("play", chapter)
    assert (tmp_path / "elsewhere" / "played" / "chapter.html").is_file()
