"""Winograd's convolutions: used when asked for, right to float32's rounding, and gone afterwards."""

import ast
import os
import subprocess
import sys

import gluon_resnet as gr
from gluon_resnet.machine.elf import build_id
from gluon_resnet.training import winograd
from gluon_resnet.training.recipe import Recipe

import numpy as np
import pytest

from scripts import winograd_sites

STEP = """
import gluon_resnet as gr
from gluon_resnet.training import winograd
import mxnet as mx
X, W = mx.nd.ones((64, 64, 24, 24)), mx.nd.ones((64, 64, 3, 3))
for wanted in (False, True, False):
    with winograd.convolutions(wanted):
        print(f"wanted: {wanted}", flush=True)
        with mx.autograd.record():
            Y = mx.nd.Convolution(X, W, kernel=(3, 3), pad=(1, 1), num_filter=64, no_bias=True)
        Y.wait_to_read()
"""

needs_winograd = pytest.mark.skipif(winograd.problem() is not None, reason=f"no Winograd here: {winograd.problem()}")


def by_hand(X, W, G):
    """Output and gradients to images and weights of a 3x3 convolution, summed tap by tap in float64."""
    X, W, G = (value.astype("float64") for value in (X, W, G))
    size = X.shape[-1]
    padded, padded_G = (np.pad(value, ((0, 0), (0, 0), (1, 1), (1, 1))) for value in (X, G))
    Y, dX, dW = 0, 0, np.zeros_like(W)
    for i in range(3):
        for j in range(3):
            window = padded[:, :, i : i + size, j : j + size]
            Y = Y + np.einsum("nchw,kc->nkhw", window, W[:, :, i, j], optimize=True)
            dX = dX + np.einsum(
                "nkhw,kc->nchw",
                padded_G[:, :, 2 - i : 2 - i + size, 2 - j : 2 - j + size],
                W[:, :, i, j],
                optimize=True,
            )
            dW[:, :, i, j] = np.einsum("nchw,nkhw->kc", window, G, optimize=True)
    return Y, dX, dW


@needs_winograd
@pytest.mark.parametrize("batch, channels, filters, size", [(32, 64, 64, 24), (64, 128, 128, 12), (64, 64, 128, 7)])
def test_output_and_gradients_are_those_of_a_sum_by_hand(batch, channels, filters, size):
    import mxnet as mx

    rng = np.random.RandomState(0)
    arrays = [
        rng.normal(size=shape).astype("float32")
        for shape in ((batch, channels, size, size), (filters, channels, 3, 3), (batch, filters, size, size))
    ]
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
    done = subprocess.run(
        [sys.executable, "-c", STEP],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "DNNL_VERBOSE": "1"},
    )
    parts = done.stdout.split("wanted: ")[1:]
    assert [part.split()[0] for part in parts] == ["False", "True", "False"]
    assert ["jit_wino" in part for part in parts] == [False, True, False]


@pytest.mark.parametrize(
    "model, size, suited",
    [
        ("resnet18", 96, True),  # planes of 24, 12, 6 and 3
        ("resnet18", 28, False),  # 7, 4, 2 and 1
        ("cifar_resnet20", 28, True),  # 28, 14 and 7
        ("resnet50@mxnet", 64, False),  # 16, 8, 4 and 2
    ],
)
@pytest.mark.parametrize("numpy_mode", [False, True])
def test_planes_smaller_than_its_tiles_want_no_winograd(model, size, suited, numpy_mode, request):
    import mxnet as mx

    if numpy_mode:
        request.getfixturevalue("np_mode")
    net = gr.get_model(model)
    net.initialize()
    X = (mx.np if numpy_mode else mx.nd).zeros((2, 1, size, size))
    assert winograd.suits(net, X) is suited
    assert len(net(X)) == 2  # and it still runs


def test_networks_that_are_no_graph_or_cannot_take_the_batch_want_no_winograd():
    import mxnet as mx
    from mxnet.gluon import nn

    class Textbook(nn.Block):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2D(4, kernel_size=3, padding=1)

        def forward(self, X):
            return self.conv(X)

    dense, wide = nn.HybridSequential(), nn.HybridSequential()
    dense.add(nn.Dense(10))
    wide.add(nn.Conv2D(4, kernel_size=3, padding=1, in_channels=3))
    X = mx.nd.zeros((2, 1, 24, 24))
    assert not any(winograd.suits(net, X) for net in (Textbook(), dense, wide))


@needs_winograd
@pytest.mark.parametrize("size, chosen", [(28, False), (96, True)])
def test_training_takes_it_by_the_first_batch(np_mode, size, chosen):
    import mxnet as mx

    batches = [(mx.np.ones((2, 1, size, size)), mx.np.zeros(2))]
    assert gr.fit(gr.resnet18(), batches, batches, gr.Recipe(epochs=1, lr=0.01), mx.cpu()).winograd is chosen
    assert (
        gr.fit(gr.resnet18(), batches, batches, Recipe(epochs=1, lr=0.01, winograd=False), mx.cpu()).winograd is False
    )


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
    with pytest.raises(KeyError), winograd.convolutions():
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
    path = winograd.library()
    printed = subprocess.run(["readelf", "-n", path], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert f"Build ID: {build_id(path)}" in printed


@pytest.mark.skipif(
    winograd.library() is None or build_id(winograd.library()) not in winograd.SITES,
    reason="another build of mxnet than those in SITES",
)
def test_the_script_finds_the_places_in_the_library(capsys):
    winograd_sites.main([])
    printed = ast.literal_eval("{" + capsys.readouterr().out + "}")
    assert printed == {build_id(winograd.library()): winograd.SITES[build_id(winograd.library())]}


def test_the_script_tells_the_checks_from_comparisons_that_look_the_same():
    """The six functions with registers of another compiler's choice, put together by hand, among others."""

    def code(text):
        return bytes.fromhex(text)

    lookalikes = [
        code("31c0 8d4aff 83f902 7708 83c202"),  # algorithm in edx, but no kind of pass is checked before
        code("8d56ff 83fa02 7622 48c70300000000"),  # in esi, but none is passed on
        code("83f840 8d4afe 83f902 77aa"),  # edx - 2
    ]
    forward = code("83f840 741c") + code("90") * 60 + code("448d42ff 4183f802 77be")
    backward = [code("8d4eff 83f902 761e") + code("90") * 40 + code(f"be{kind}000000") for kind in ("a0", "c0")]
    gap = bytes(200)
    parts = [lookalikes[0], *[forward] * 2, lookalikes[1], *[backward[0]] * 2, *[backward[1]] * 2, lookalikes[2]]
    sites = winograd_sites.find_sites(gap.join(parts), start=0x1000)
    assert [kind for kind, _ in sites] == winograd_sites.EXPECTED
    assert {site[1:] for _, site in sites[:2]} == {("448d42ff 4183f802 77be", "ba03000000 9090909090")}
    assert {site[1:] for _, site in sites[2:]} == {("8d4eff 83f902 761e", "be03000000 90 eb1e")}
    place = 0x1000 + len(lookalikes[0]) + len(gap) + forward.index(code("448d42ff"))
    assert sites[0][1][0] == place


def test_the_script_says_what_is_missing_in_another_file(tmp_path):
    with pytest.raises(SystemExit, match="no-such-file"):
        winograd_sites.main([str(tmp_path / "no-such-file")])
    (tmp_path / "text").write_text("not a library")
    with pytest.raises(SystemExit, match="text: not an ELF file"):
        winograd_sites.main([str(tmp_path / "text")])
    with pytest.raises(SystemExit, match="expected two checks each of forward, .* found none"):
        winograd_sites.main([sys.executable])
