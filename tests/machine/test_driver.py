"""The driver's library asked through ctypes: stubs compiled here that know cards, crash, hang or are something else."""

import subprocess
import sys

from gluon_resnet.machine import driver, system
from gluon_resnet.machine.driver import Card, Driver

import pytest

from tests.machine.gpu_stubs import CARDS, compile_driver, compiler


@pytest.fixture
def use(tmp_path, monkeypatch):
    """``use(cards, ...)``: processes started from here find a driver's library with these cards."""

    def compile_and_use(*args, **options):
        monkeypatch.setenv("LD_LIBRARY_PATH", str(compile_driver(tmp_path / "driver", *args, **options)))

    return compile_and_use


@compiler
def test_every_card_with_its_name_and_capability(use):
    use(CARDS)
    assert driver.ask_apart() == Driver(
        (
            Card("NVIDIA T4", (7, 5)),
            Card("NVIDIA GeForce RTX 4090", (8, 9)),
            Card("NVIDIA H100 PCIe", (9, 0)),
            Card("Tesla K80", (3, 7)),
        ),
        (12, 4),
    )
    assert system.gpus()[:2] == [
        "GPU 0: NVIDIA T4, compute capability 7.5",
        "GPU 1: NVIDIA GeForce RTX 4090, compute capability 8.9",
    ]


@compiler
def test_the_version_of_cuda(use):
    use(CARDS[:1], cuda=11020)
    assert driver.ask_apart().cuda == (11, 2)


@compiler
def test_the_answer_in_the_process_itself_is_the_same(use):
    use(CARDS)
    code = "from gluon_resnet.machine import driver; assert driver.ask() == driver.ask_apart() != driver.Driver()"
    subprocess.run([sys.executable, "-c", code], check=True)


@compiler
@pytest.mark.parametrize(
    "start, words",
    [
        ("return 100;", "libcuda.so.1: cuInit gives error 100 (it finds no card)"),
        ("return 803;", "start the machine again"),
        ("return 999;", "cuInit gives error 999"),
        ("abort();", "the process that asked libcuda.so.1 ended with status -6"),
        ("*(volatile int *)8 = 1; return 0;", "ended with status -11"),
        ("exit(0);", "ended with status 0"),
    ],
)
def test_a_driver_that_refuses_or_crashes(use, start, words):
    use(CARDS, start=start)
    answer = driver.ask_apart()
    assert answer.cards == () and words in answer.complaint and "\n" not in answer.complaint


@compiler
def test_a_driver_that_hangs(use, monkeypatch):
    use(CARDS, start="sleep(60); return 0;")
    monkeypatch.setattr(driver, "SECONDS", 0.5)
    assert driver.ask_apart() == Driver(complaint="libcuda.so.1 gives no answer within 0.5 s")


@compiler
def test_a_driver_without_cards(use):
    use([])
    assert driver.ask_apart() == Driver((), (12, 4), "libcuda.so.1: it finds no card")


def test_a_library_of_another_kind(tmp_path, monkeypatch):
    (tmp_path / "libcuda.so.1").write_text("no library")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    complaint = driver.ask_apart().complaint
    assert complaint.startswith("NVIDIA's driver cannot be loaded (") and str(tmp_path) in complaint
    monkeypatch.setattr(driver, "LIBRARY", "libc.so.6")
    assert "cuInit" in driver.ask().complaint
    monkeypatch.setattr(driver, "LIBRARY", "libcuda-of-nobody.so.1")
    assert driver.ask() == Driver(complaint="no NVIDIA driver")
