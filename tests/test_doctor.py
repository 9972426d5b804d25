"""doctor on this machine and on made-up ones: ELF files written by the compiler, packages that are not there."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from gluon_resnet import doctor
from gluon_resnet.machine import elf, env

import pytest

from tests.conftest import ROOT
from tests.machine.gpu_stubs import CARDS, compile_driver, compiler, elf_file, fat_binary


def library(folder, name, needs=(), runpath=None):
    """A shared library with a given name that needs others; made by gcc."""
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "empty.c"
    source.write_text("int nothing;\n")
    links = [str(folder / need) for need in needs]
    subprocess.run(
        [
            "gcc",
            "-shared",
            "-o",
            str(folder / name),
            f"-Wl,-soname,{name}",
            str(source),
            "-Wl,--no-as-needed",
            *links,
            *([f"-Wl,-rpath,{runpath}"] if runpath else []),
        ],
        check=True,
    )
    return folder / name


@compiler
def test_needed_libraries_are_read_from_the_file_and_what_is_bundled_beside_it(tmp_path):
    library(tmp_path, "libdeep.so.7")
    library(tmp_path, "libbeside.so.1", ["libdeep.so.7"])
    library(tmp_path, "libgone.so.8")
    main = library(tmp_path, "libmain.so", ["libbeside.so.1", "libgone.so.8"], runpath="$ORIGIN")
    (tmp_path / "libgone.so.8").unlink()
    (tmp_path / "libdeep.so.7").unlink()
    found = dict(elf.needed_libraries(main))
    assert found["libbeside.so.1"] == str(tmp_path / "libbeside.so.1")
    assert found["libgone.so.8"] is None and found["libdeep.so.7"] is None
    assert Path(found["libc.so.6"]).exists()


@compiler
def test_ld_library_path_and_nvidia_wheels_are_looked_at(tmp_path, monkeypatch):
    one, two = library(tmp_path / "a", "libone-x.so.1"), library(tmp_path / "nvidia" / "cudnn" / "lib", "libcudnn.so.8")
    assert elf.locate("libone-x.so.1") is None
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path / "a"))
    assert elf.locate("libone-x.so.1") == str(one)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert elf.locate("libcudnn.so.8") == str(two)


def test_what_the_file_needs_is_what_readelf_says():
    path = Path(elf.util.find_spec("mxnet").origin).parent / "libmxnet.so"
    if not shutil.which("readelf"):
        pytest.skip("needs readelf")
    lines = subprocess.run(
        ["readelf", "-d", str(path)], stdout=subprocess.PIPE, text=True, check=True
    ).stdout.splitlines()
    assert elf.read_dynamic(path)[0] == [line.split("[")[1].rstrip("]") for line in lines if "(NEEDED)" in line]


CUDA = ["libcudnn.so.8", "libcudart.so.11.0", "libcuda.so.1", "libgomp.so.1"]


@compiler
def test_the_cuda_build_without_its_libraries(tmp_path, monkeypatch):
    """libmxnet.so needs CUDA's libraries and this machine has none: each is named with the wheel that brings it."""
    for name in CUDA[:3]:
        library(tmp_path / "mxnet", name)
    library(tmp_path / "mxnet", "libmxnet.so", CUDA[:3])
    for name in CUDA[:3]:
        (tmp_path / "mxnet" / name).unlink()
    (tmp_path / "mxnet" / "__init__.py").touch()
    monkeypatch.setattr(
        elf.util, "find_spec", lambda name: type("Spec", (), {"origin": str(tmp_path / "mxnet" / "__init__.py")})
    )
    monkeypatch.setattr(doctor.elf, "locate", lambda name, folders=(): None)
    monkeypatch.setattr(env, "mxnet_build", lambda: ("mxnet-cu112", "1.9.1"))
    checks = {check.name: check for check in doctor.check_libraries()}
    assert checks["libcudnn.so.8"].status == "problem"
    assert checks["libcudnn.so.8"].fix.endswith("pip install nvidia-cudnn-cu11==8.9.6.50")
    assert checks["libcudart.so.11.0"].fix.endswith("pip install nvidia-cuda-runtime-cu11==11.8.89")
    assert "driver" in checks["libcuda.so.1"].found and checks["libcuda.so.1"].fix == "apt-get install nvidia-driver"


def test_every_cuda_library_has_its_pinned_wheel():
    pins = doctor.read_pins(ROOT / "requirements-cu112.txt")
    for name, package in env.CUDA_LIBRARIES:
        assert doctor.library_fix(name) == f"{sys.executable} -m pip install {package}=={pins[package]}"
    assert doctor.library_fix("libgomp.so.1") == "apt-get install libgomp1"


def test_packages_against_pins(monkeypatch):
    versions = {**doctor.read_pins(ROOT / "requirements.txt"), "numpy": "2.0.0", "d2l": None}
    monkeypatch.setattr(env, "mxnet_build", lambda: ("mxnet", "1.9.1"))
    monkeypatch.setattr(doctor.system, "version_of", versions.get)
    checks = {check.name: check for check in doctor.check_packages()}
    assert checks["mxnet"].status == "ok" and "packages" not in checks
    assert checks["numpy"].found.startswith("2.0.0; pinned is 1.2")
    assert checks["numpy"].fix == (
        f"{sys.executable} -m pip install -r {ROOT / 'requirements.txt'} -c {ROOT / 'constraints.txt'}"
    )


@pytest.mark.parametrize(
    "build, other, words",
    [((None, None), None, "not installed"), (("mxnet-cu112", "1.9.1"), "1.9.1", "both installed")],
)
def test_no_mxnet_and_two_of_them(monkeypatch, build, other, words):
    monkeypatch.setattr(env, "mxnet_build", lambda: build)
    monkeypatch.setattr(doctor.system, "version_of", lambda package: other)
    check = next(doctor.check_packages())
    assert check.name == "mxnet" and check.status == "problem" and words in check.found and "pip" in check.fix


@pytest.mark.parametrize(
    "version, status", [((3, 7, 9), "problem"), ((3, 8, 0), "ok"), ((3, 13, 1), "ok"), ((3, 14, 0), "problem")]
)
def test_python(monkeypatch, version, status):
    monkeypatch.setattr(sys, "version_info", version)
    assert doctor.check_python().status == status


CPU_BUILD = f"{sys.executable} -m pip uninstall -y mxnet-cu112 && {doctor.install_command('mxnet')}"
CUDA_BUILD = f"{sys.executable} -m pip uninstall -y mxnet && {doctor.install_command('mxnet-cu112')}"


@pytest.fixture
def cuda_build(tmp_path, monkeypatch):
    """As if mxnet-cu112 were installed: a libmxnet.so with five fat binaries, written byte by byte."""
    (tmp_path / "mxnet").mkdir()
    (tmp_path / "mxnet" / "__init__.py").touch()
    binaries = [fat_binary(*((2, capability) for capability in (50, 60, 70, 80, 86)))] * 5
    (tmp_path / "mxnet" / "libmxnet.so").write_bytes(elf_file(*binaries))
    monkeypatch.setattr(
        elf.util, "find_spec", lambda name: type("Spec", (), {"origin": str(tmp_path / "mxnet" / "__init__.py")})
    )
    monkeypatch.setattr(env, "mxnet_build", lambda: ("mxnet-cu112", "1.9.1"))
    return tmp_path / "mxnet" / "libmxnet.so"


def gpu_checks(tmp_path, monkeypatch, cards, **options):
    """The checks of a machine whose driver knows ``cards``."""
    monkeypatch.setenv("LD_LIBRARY_PATH", str(compile_driver(tmp_path / "driver", cards, **options)))
    monkeypatch.setattr(doctor.driver, "kernel_version", lambda: "550.54.15")
    return list(doctor.check_gpus())


@compiler
def test_each_card_of_the_cuda_build(cuda_build, tmp_path, monkeypatch):
    checks = gpu_checks(tmp_path, monkeypatch, CARDS)
    cannot = "this mxnet has machine code for 5.0, 6.0, 7.0, 8.0, 8.6 and no PTX: it cannot run here; use the CPU build"
    assert [(check.name, check.status, check.found, check.fix) for check in checks] == [
        ("driver", "ok", "550.54.15, for CUDA up to 12.4", ""),
        ("GPU 0", "ok", "NVIDIA T4, compute capability 7.5: runs (code for 7.0)", ""),
        ("GPU 1", "ok", "NVIDIA GeForce RTX 4090, compute capability 8.9: runs (code for 8.6)", ""),
        (
            "GPU 2",
            "note",  # the others run
            f"NVIDIA H100 PCIe, compute capability 9.0: {cannot}, or a card of compute capability 5.x, 6.x, 7.x or 8.x",
            "",
        ),
        (
            "GPU 3",
            "note",
            f"Tesla K80, compute capability 3.7: {cannot}, or a card of compute capability 5.x, 6.x, 7.x or 8.x",
            "",
        ),
    ]


@compiler
def test_no_card_that_the_cuda_build_can_run_on_is_a_problem(cuda_build, tmp_path, monkeypatch):
    _, check = gpu_checks(tmp_path, monkeypatch, CARDS[2:3])
    assert (check.name, check.status, check.fix) == ("GPU 0", "problem", CPU_BUILD)
    assert "NVIDIA H100 PCIe, compute capability 9.0: this mxnet has machine code for 5.0" in check.found


@compiler
def test_a_libmxnet_without_readable_gpu_code(cuda_build, tmp_path, monkeypatch):
    cuda_build.write_bytes(cuda_build.read_bytes()[:500])
    _, check = gpu_checks(tmp_path, monkeypatch, CARDS[:1])
    assert check.status == "note" and "no GPU code can be read in libmxnet.so" in check.found and not check.fix


@compiler
@pytest.mark.parametrize("cuda, status", [(10020, "problem"), (11000, "ok"), (11020, "ok"), (13000, "ok")])
def test_a_driver_from_before_cuda_11(cuda_build, tmp_path, monkeypatch, cuda, status):
    check = gpu_checks(tmp_path, monkeypatch, CARDS[:1], cuda=cuda)[0]
    assert (check.name, check.status) == ("driver", status)
    if status == "problem":
        assert check.found == "550.54.15, for CUDA up to 10.2; expected 11.0 or newer"
        assert check.fix == "apt-get install nvidia-driver"


@compiler
def test_cards_that_the_cpu_build_does_not_use(tmp_path, monkeypatch):
    monkeypatch.setattr(env, "mxnet_build", lambda: ("mxnet", "1.9.1"))
    driver, t4, h100 = gpu_checks(tmp_path, monkeypatch, [CARDS[0], CARDS[2]], cuda=10000)
    assert driver.status == "ok" and (t4.status, t4.fix) == ("note", CUDA_BUILD)
    assert t4.found == (
        "NVIDIA T4, compute capability 7.5; the CPU build of mxnet does not use it, the CUDA build would (code for 7.0)"
    )
    assert (h100.status, h100.fix) == ("note", "") and "the CUDA build of mxnet has machine code for" in h100.found


@compiler
def test_a_driver_that_finds_no_card(tmp_path, monkeypatch):
    (check,) = gpu_checks(tmp_path, monkeypatch, CARDS, start="return 100;")
    assert (check.name, check.status) == ("GPU", "note")
    assert check.found == "libcuda.so.1: cuInit gives error 100 (it finds no card): computing on the CPU"


@compiler
def test_the_command_with_cards(run_cli, tmp_path):
    folder = compile_driver(tmp_path, CARDS)
    report = json.loads(run_cli.process("doctor", "--json", env={"LD_LIBRARY_PATH": str(folder)}).stdout)
    assert report["system"]["gpus"][3] == "GPU 3: Tesla K80, compute capability 3.7"
    assert [check["name"] for check in report["checks"] if check["name"].startswith("GPU")] == [
        f"GPU {number}" for number in range(4)
    ]


def test_data_missing_damaged_and_whole(small_is_published, monkeypatch, tmp_path):
    from gluon_resnet.data import sources

    from tests.conftest import small_arrays, write_idx_folder

    monkeypatch.setattr(doctor, "FASHION_MNIST", small_is_published)
    fetch = f"{sys.executable} -m gluon_resnet data fashion-mnist"
    assert [(check.status, check.fix) for check in doctor.check_data()] == [("note", fetch)]
    folder = write_idx_folder(sources.home() / "fashion-mnist", small_arrays())
    assert [check.status for check in doctor.check_data()] == ["ok"]
    (folder / "t10k-labels-idx1-ubyte").write_bytes(b"")
    (check,) = doctor.check_data()
    assert check.status == "problem" and "t10k-labels-idx1-ubyte: 0 bytes where" in check.found
    assert check.fix == fetch
    write_idx_folder(tmp_path / "mxnet" / "datasets" / "fashion-mnist", small_arrays())
    assert [check.status for check in doctor.check_data()] == ["note", "ok"]  # a whole copy makes the other harmless


def test_mxnet_that_does_not_load(monkeypatch, tmp_path):
    (tmp_path / "mxnet.py").write_text("raise OSError('libfoo.so.1: cannot open shared object file')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    check = doctor.check_import("mxnet", doctor.MXNET_WORKS)
    assert check.status == "problem" and "libfoo.so.1" in check.found and check.fix == "apt-file search libfoo.so.1"


@compiler
def test_opencv_without_a_library_of_the_system(monkeypatch, tmp_path):
    library(tmp_path, "libscreen.so.3")
    library(tmp_path, "cv2.abi3.so", ["libscreen.so.3"])
    (tmp_path / "libscreen.so.3").unlink()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setitem(doctor.DEBIAN_PACKAGES, "libscreen.so.3", "libscreen3")
    check = doctor.check_import("cv2", doctor.OPENCV_WORKS)
    assert check.status == "problem" and check.found.startswith("ImportError: libscreen.so.3: cannot open")
    assert check.fix == "apt-get install libscreen3"


def test_the_command_on_this_machine(run_cli):
    process = run_cli("doctor", "--json")
    report = json.loads(process.stdout)
    checks = {check["name"]: check for check in report["checks"]}
    problems = [check for check in report["checks"] if check["status"] == "problem"]
    assert report["problems"] == len(problems) and process.returncode == bool(problems)
    assert all(checks[name]["status"] == "ok" for name in ("import mxnet", "import cv2", "libgomp.so.1"))
    assert all(check["fix"] for check in problems)
    text = run_cli("doctor")
    assert text.returncode == process.returncode
    count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}" if problems else "no problems"
    assert text.stdout.splitlines()[-1] == f"{count} found"
    assert text.stdout.startswith("ok       Python")


def test_mxnet_is_not_imported_by_the_doctor_itself():
    code = (
        "import sys\nfrom gluon_resnet import doctor\ndoctor.check_import = lambda *_: doctor.Check('x', 'ok', 'y')\n"
        "doctor.examine()\nassert 'mxnet' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ)
