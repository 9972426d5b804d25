"""AMX's switch: no machine of these tests needs it; what the kernel, the processor and oneDNN may say is made up."""

import ctypes
import json
import os

from gluon_resnet.machine import env, system
from gluon_resnet.training import amx, amx_proof

import mxnet as mx
import numpy
import pytest
from mxnet.contrib.amp.amp import bfloat16

GOOD = json.dumps(dict.fromkeys(amx.PASSES, 0.003))


def log(*implementations):
    """oneDNN's lines for the three passes, as oneDNN 2.4.4 prints them."""
    kinds = "forward_training", "backward_data", "backward_weights"
    return "".join(
        f"dnnl_verbose,exec,cpu,convolution,{name},{kind},src_bf16::blocked:aBcd16b:f0,,alg:convolution_direct,mb8,0.1\n"
        for name, kind in zip(implementations, kinds)
    )


TILES = log(*(f"jit_bf16:avx512_core_amx_{kind}" for kind in ("fwd", "bwd_data", "bwd_weights")))
NO_TILES = log(*["jit_bf16:avx512_core_bf16"] * 3)


@pytest.fixture
def with_amx(monkeypatch):
    """A processor that lists AMX, a kernel that grants it and a proof that succeeds; no instruction of it is run."""
    monkeypatch.setattr(system, "cpu", lambda: {"instruction_sets": ["avx512f", "avx512_bf16", "amx_tile"]})
    monkeypatch.setattr(amx, "ask_kernel", lambda: None)
    monkeypatch.setattr(amx, "_proof", lambda: None)
    monkeypatch.setenv(amx.VARIABLE, amx.AMX)  # so that it is taken back at the end
    monkeypatch.delenv(amx.VARIABLE)
    monkeypatch.setenv(env.SET_BY_US, os.environ.get(env.SET_BY_US, ""))
    monkeypatch.setattr(env, "_prepared", env.Prepared(env.prepare().plan, {}, (), False, (0, 1)))
    amx.problem.cache_clear()
    yield monkeypatch
    amx.problem.cache_clear()


def test_it_is_used_and_child_processes_do_not_inherit_it(with_amx):
    assert amx.line() == "AMX: used (DNNL_MAX_CPU_ISA=AVX512_CORE_BF16 turns it off)"
    assert os.environ[amx.VARIABLE] == "AVX512_CORE_AMX"
    assert env._inherited(os.environ)[amx.VARIABLE] == "AVX512_CORE_AMX"  # what prepare() removes in a child
    assert amx.VARIABLE not in env.without_prepared_variables()


@pytest.mark.parametrize(
    "change, reason",
    [
        (lambda p: p.setattr(system, "cpu", lambda: {"instruction_sets": ["avx512f"]}), "this processor has none"),
        (lambda p: p.setenv(amx.VARIABLE, "AVX2"), "DNNL_MAX_CPU_ISA is AVX2"),
        (lambda p: p.setattr(env, "mxnet_build", lambda: ("mxnet-cu112", "1.9.1")), "known for mxnet 1.9.1's own"),
        (lambda p: p.setattr(amx, "ask_kernel", lambda: "the kernel does not allow it"), "the kernel does not allow"),
        (lambda p: p.setattr(amx, "_proof", lambda: "the test convolution failed"), "the test convolution failed"),
    ],
    ids=["processor", "variable", "cuda build", "kernel", "proof"],
)
def test_it_is_left_out_for_a_reason(with_amx, change, reason):
    change(with_amx)
    before = os.environ.get(amx.VARIABLE)
    assert amx.line().startswith(f"AMX: not used, {reason}")
    assert os.environ.get(amx.VARIABLE) == before


@pytest.mark.parametrize(
    "returncode, output, reason",
    [
        (0, TILES + GOOD, None),
        (-4, TILES, "the test convolution was ended by SIGILL"),
        (1, "", "the test convolution failed"),
        (0, "", "the test convolution failed"),
        (0, NO_TILES + GOOD, "oneDNN does not choose it for the forward pass"),
        (0, TILES + GOOD.replace("0.003", "0.1"), "the test convolution's forward pass is wrong by 0.1 of its largest"),
        (0, TILES + GOOD.replace("0.003", "NaN"), "the test convolution's forward pass is wrong by nan of its largest"),
    ],
)
def test_the_proof_is_judged(returncode, output, reason):
    judgement = amx.judge(returncode, output)
    assert judgement is None if reason is None else judgement.startswith(reason)


def test_the_kernels_refusal_is_put_into_words(monkeypatch):
    class Libc:
        def syscall(self, *numbers):
            assert numbers == (158, 0x1023, 18)
            ctypes.set_errno(22)
            return -1

    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Libc())
    assert amx.ask_kernel() == "the kernel does not allow it (Invalid argument; Linux 5.16 or newer is needed)"


def test_rounding_to_bfloat16_is_mxnets():
    values = numpy.random.RandomState(0).normal(size=1000).astype("float32")
    theirs = mx.nd.amp_cast(mx.nd.amp_cast(mx.nd.array(values), dtype=bfloat16), dtype="float32").asnumpy()
    assert (amx_proof.rounded(values) == theirs).all()


@pytest.mark.skipif(
    not system.onednn_may_use("avx512_bf16"), reason="the convolution is bfloat16's, at least without AMX"
)
def test_the_proofs_two_sides_agree_without_amx():
    assert all(0 < error < amx.TOLERANCE for error in amx_proof.errors().values())
