"""Which GPU is taken: cards that mxnet has no code for are left out."""

from gluon_resnet import devices
from gluon_resnet.machine import driver, fatbin

import mxnet as mx
import pytest

T4, H100, K80 = (
    driver.Card("NVIDIA T4", (7, 5)),
    driver.Card("NVIDIA H100", (9, 0)),
    driver.Card("Tesla K80", (3, 7)),
)


@pytest.fixture
def machine(monkeypatch):
    """``machine(cards, code)``: a machine with these cards, which mxnet finds, and GPU code in its libmxnet.so."""
    asked = []

    def make(cards, code=fatbin.CU112):
        monkeypatch.setattr(devices, "num_gpus", lambda: len(cards))
        monkeypatch.setattr(fatbin, "installed_gpu_code", lambda: code)
        monkeypatch.setattr(driver, "ask", lambda: asked.append(cards) or driver.Driver(tuple(cards), (12, 4)))
        devices._refused_gpus.cache_clear()
        return asked

    yield make
    devices._refused_gpus.cache_clear()


def test_a_card_without_code_gives_the_cpu_and_one_line(machine, capsys):
    asked = machine([H100])
    assert [devices.try_gpu(), devices.try_gpu(), devices.try_gpu(1)] == [mx.cpu()] * 3
    assert len(asked) == 1
    assert capsys.readouterr().err == (
        "gluon_resnet: this mxnet has machine code for 5.0, 6.0, 7.0, 8.0, 8.6 and no PTX: it cannot use GPU 0, "
        "NVIDIA H100, compute capability 9.0; run: gluon-resnet doctor\n"
    )


def test_the_cards_with_code_are_taken_in_their_order(machine, capsys):
    machine([K80, T4, H100, T4])
    assert [devices.try_gpu(i) for i in range(3)] == [mx.gpu(1), mx.gpu(3), mx.cpu()]
    (line,) = capsys.readouterr().err.splitlines()
    assert "GPU 0, Tesla K80" in line and "GPU 2, NVIDIA H100" in line and "T4" not in line


def test_cards_with_code_are_not_talked_about(machine, capsys):
    machine([T4, T4])
    assert [devices.try_gpu(i) for i in range(3)] == [mx.gpu(0), mx.gpu(1), mx.cpu()]
    assert capsys.readouterr().err == ""


def test_if_the_code_cannot_be_read_every_card_is_taken(machine, capsys):
    asked = machine([H100], fatbin.GpuCode())
    assert devices.try_gpu() == mx.gpu(0) and asked == [] and capsys.readouterr().err == ""


def test_without_a_card_nothing_is_asked(machine):
    asked = machine([])
    assert devices.try_gpu() == mx.cpu() and asked == []
