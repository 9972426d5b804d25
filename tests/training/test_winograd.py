"""Winograd's convolutions: used when asked for, right to float32's rounding, and gone afterwards."""

import ast
import subprocess
import sys

import gluon_resnet as gr
from gluon_resnet.machine.elf import build_id
from gluon_resnet.training import winograd
from gluon_resnet.training.recipe import Recipe

import numpy as np
import pytest

from scripts import winograd_sites
from tests.conftest import with_onednn_log

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
    printed = with_onednn_log(STEP)
    parts = printed.split("wanted: ")[1:]
    assert [part.split()[0] for part in parts] == ["False", "True", "False"]
    assert ["jit_wino" in part for part in parts] == [False, True, False]


CHOICES = """
import sys
from gluon_resnet.training import winograd
import mxnet as mx
for number in sys.argv[1:]:
    batch, channels, height, width = map(int, number.split(","))
    X, W = mx.nd.ones((batch, channels, height, width)), mx.nd.ones((16, channels, 3, 3))
    X.attach_grad(), W.attach_grad()
    print("choice", flush=True)
    with winograd.convolutions(), mx.autograd.record():
        Y = mx.nd.Convolution(X, W, kernel=(3, 3), pad=(1, 1), num_filter=16, no_bias=True)
        Y.backward()
        mx.nd.waitall()
"""


@needs_winograd
def test_each_convolution_is_chosen_by_the_rule():
    """oneDNN's log has the algorithm of each pass, on both sides of each of the rule's borders."""
    # batch * (pixels - 6 * tiles) > 200: 8 * (7 * 7 - 6 * 4) = 200, 2 * (14 * 14 - 6 * 16) = 200, 20 * (16 - 6) = 200
    borders = [(8, 32, 7, 7), (2, 32, 14, 14), (20, 32, 4, 4), (1, 32, 24, 24), (6, 32, 4, 15)]
    sizes = [(batch + more, *others) for batch, *others in borders for more in (0, 1)]
    sizes += [(200, 32, 2, 2), (200, 32, 1, 1), (68, 32, 3, 3), (9, 16, 32, 32)]
    expected = [batch * (h * w - 6 * -(-h // 4) * -(-w // 4)) > 200 and c > 16 for batch, c, h, w in sizes]
    assert [winograd.is_faster(*size) for size in sizes] == expected
    assert expected[:6] == [False, True] * 3 and expected[10:] == [False, False, True, False]
    printed = with_onednn_log(CHOICES, *(",".join(map(str, size)) for size in sizes))
    parts = printed.split("choice\n")[1:]
    for size, part, chosen in zip(sizes, parts, expected):
        passes = [line for line in part.splitlines() if ",exec,cpu,convolution," in line]
        assert len(passes) == 3 and [",jit_wino" in line for line in passes] == [chosen] * 3, size


@needs_winograd
def test_training_has_it_unless_the_recipe_does_not(np_mode):
    import mxnet as mx

    batches = [(mx.np.ones((2, 1, 28, 28)), mx.np.zeros(2))]
    for wanted in (True, False):
        made = Recipe(epochs=1, lr=0.01, winograd=wanted)
        assert gr.fit(gr.resnet18(), batches, batches, made, mx.cpu()).winograd is wanted


@needs_winograd
def test_the_replacements_are_as_long_as_what_they_replace():
    assert all(len(old) == len(new) for _, old, new in winograd._sites())


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


@needs_winograd
def test_onednn_may_be_kept_from_avx512(monkeypatch):
    monkeypatch.setenv("DNNL_MAX_CPU_ISA", "AVX2")
    assert winograd.unsuitable() == "DNNL_MAX_CPU_ISA=AVX2 keeps oneDNN from AVX-512"
    monkeypatch.setenv("DNNL_MAX_CPU_ISA", "avx512_core")
    assert winograd.unsuitable() is None


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


def test_the_script_wants_one_function_that_chooses():
    """Loads in another order, no comparison after them, no beginning before them: all are something else."""
    beginning, compare = bytes.fromhex("55534889fb"), bytes.fromhex("81f9c0000000")
    loads = bytes.fromhex("8b4320448b4b24448b4340448b5318")
    other_order = bytes.fromhex("8b4324448b4b20448b4340448b5318")
    gap = bytes(600)
    parts = [beginning + loads, loads + compare, beginning + other_order + compare, beginning + loads + compare + gap]
    code = gap.join(parts)
    ((address, original, new),) = winograd_sites.find_choice(code, start=0x1000)
    assert address == 0x1000 + code.index(parts[-1]) and new == winograd.IS_FASTER
    assert bytes.fromhex(original) == parts[-1][:53]
