"""Winograd's convolutions: used when asked for, right to float32's rounding, and gone afterwards."""
import os
import subprocess
import sys

import numpy as np
import pytest

from gluon_resnet import winograd
from gluon_resnet.elf import build_id

STEP = """
import gluon_resnet as gr
from gluon_resnet import winograd
import mxnet as mx
X, W = mx.nd.ones((64, 64, 24, 24)), mx.nd.ones((64, 64, 3, 3))
for wanted in (False, True, False):
    with winograd.convolutions(wanted):
        print(f"wanted: {wanted}", flush=True)
        X = X[:len(X) - 1]  # a shape not seen before: mxnet keeps what it has set up
        with mx.autograd.record():
            Y = mx.nd.Convolution(X, W, kernel=(3, 3), pad=(1, 1), num_filter=64, no_bias=True)
        Y.wait_to_read()
"""

needs_winograd = pytest.mark.skipif(winograd.problem() is not None, reason=f"no Winograd here: {winograd.problem()}")


def by_hand(X, W, G):
    """Output, gradient to the pictures and gradient to the weights of a 3x3 convolution, summed tap by tap in float64."""
    X, W, G = (value.astype("float64") for value in (X, W, G))
    size = X.shape[-1]
    padded, padded_G = (np.pad(value, ((0, 0), (0, 0), (1, 1), (1, 1))) for value in (X, G))
    Y, dX, dW = 0, 0, np.zeros_like(W)
    for i in range(3):
        for j in range(3):
            window = padded[:, :, i:i + size, j:j + size]
            Y = Y + np.einsum("nchw,kc->nkhw", window, W[:, :, i, j], optimize=True)
            dX = dX + np.einsum("nkhw,kc->nchw", padded_G[:, :, 2 - i:2 - i + size, 2 - j:2 - j + size], W[:, :, i, j],
                                optimize=True)
            dW[:, :, i, j] = np.einsum("nchw,nkhw->kc", window, G, optimize=True)
    return Y, dX, dW


@needs_winograd
@pytest.mark.parametrize("batch, channels, filters, size", [(32, 64, 64, 24), (64, 128, 128, 12), (64, 64, 128, 7)])
def test_output_and_gradients_are_those_of_a_sum_by_hand(batch, channels, filters, size):
    import mxnet as mx

    rng = np.random.RandomState(0)
    arrays = [rng.normal(size=shape).astype("float32") for shape in
              ((batch, channels, size, size), (filters, channels, 3, 3), (batch, filters, size, size))]
    X, W, G = (mx.nd.array(value) for value in arrays)
    X.attach_grad(), W.attach_grad()
    with winograd.convolutions() as chosen:
        with mx.autograd.record():
            Y = mx.nd.Convolution(X, W, kernel=(3, 3), pad=(1, 1), num_filter=filters, no_bias=True)
        Y.backward(G)
        found = [value.asnumpy() for value in (Y, X.grad, W.grad)]
    assert chosen
    for ours, exact in zip(found, by_hand(*arrays)):
        assert np.abs(ours - exact).max() <= 2e-5 * np.abs(exact).max()


@needs_winograd
def test_onednn_itself_says_which_algorithm_it_took():
    done = subprocess.run([sys.executable, "-c", STEP], stdout=subprocess.PIPE, text=True, check=True,
                          env={**os.environ, "DNNL_VERBOSE": "1"})
    parts = done.stdout.split("wanted: ")[1:]
    assert [part.split()[0] for part in parts] == ["False", "True", "False"]
    assert ["jit_wino" in part for part in parts] == [False, True, False]


@needs_winograd
def test_the_librarys_code_is_put_back_after_an_error():
    def code():
        with open("/proc/self/mem", "rb", buffering=0) as memory:
            found = []
            for address, old, _ in winograd._sites():
                memory.seek(address)
                found.append(memory.read(len(old)))
            return found

    originals, replaced = ([site[i] for site in winograd._sites()] for i in (1, 2))
    with pytest.raises(KeyError):
        with winograd.convolutions():
            with winograd.convolutions():
                assert code() == replaced
            assert code() == replaced  # the inner one leaves the outer one's alone
            raise KeyError
    assert code() == originals


def test_another_build_of_mxnet_is_left_alone(monkeypatch):
    winograd._sites.cache_clear()
    monkeypatch.setattr(winograd, "SITES", {})
    try:
        if winograd.system.cpu()["instruction_sets"].count("avx512f"):
            assert winograd.problem() == "known for mxnet 1.9.1's own CPU build only"
        with winograd.convolutions() as chosen:
            assert not chosen
    finally:
        winograd._sites.cache_clear()


def test_a_processor_without_avx512_is_left_alone(monkeypatch):
    winograd._sites.cache_clear()
    monkeypatch.setattr(winograd.system, "cpu", lambda: {"instruction_sets": ["avx2"]})
    try:
        assert winograd.problem() == "this processor has no AVX-512"
    finally:
        winograd._sites.cache_clear()


def test_a_gpu_and_a_recipe_without_it_are_left_alone():
    import mxnet as mx

    for wanted, device in ((False, mx.cpu()), (True, mx.gpu())):
        with winograd.convolutions(wanted, device) as chosen:
            assert not chosen


def test_the_build_id_is_the_one_that_readelf_prints():
    path = winograd._library()
    printed = subprocess.run(["readelf", "-n", path], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert f"Build ID: {build_id(path)}" in printed
