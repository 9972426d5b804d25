"""AMX, the matrix unit of Intel's processors since 2023, for training in bfloat16.

    gluon-resnet train fashion-mnist --precision bfloat16         # a line says whether AMX is used

The oneDNN 2.4.4 inside mxnet 1.9.1 has bfloat16 convolutions for AMX, forward and backward. It uses them only if
DNNL_MAX_CPU_ISA allows it before its first computation. And Linux (5.16 or newer) gives a process the unit's registers
only if it asks for them, which oneDNN 2.4.4 does not do; without them the first such convolution ends the process.
:func:`problem` asks, and then has a process of its own compute a convolution and its gradients with AMX (amx_proof.py).
AMX is used only if they are right. Nobody has run this on a machine with AMX so far.
"""

import ctypes
import json
import os
import platform
import signal
import subprocess
import sys
from functools import lru_cache
from typing import Optional

from ..machine import env, system
from ..machine.onednn_log import read_line

VARIABLE, AMX = "DNNL_MAX_CPU_ISA", "AVX512_CORE_AMX"
ARCH_PRCTL, REQUEST_PERMISSION, TILE_DATA = 158, 0x1023, 18  # Linux, x86-64: arch_prctl(ARCH_REQ_XCOMP_PERM, ...)

#: Largest error of an output or gradient that is allowed, relative to the largest value: bfloat16 has 8 bits.
TOLERANCE = 2.0**-7
PASSES = ("forward", "backward_data", "backward_weights")


def unsuitable() -> Optional[str]:
    """Why this machine cannot have AMX, in a few words, or None; does not load mxnet."""
    if platform.machine() != "x86_64" or not sys.platform.startswith("linux"):
        return "known for Linux on x86-64 only"
    if "amx_tile" not in system.cpu()["instruction_sets"]:
        return "this processor has none"
    if os.environ.get(VARIABLE, AMX) != AMX:
        return f"{VARIABLE} is {os.environ[VARIABLE]}"
    if env.mxnet_build() != ("mxnet", "1.9.1"):
        return "known for mxnet 1.9.1's own CPU build only"
    return None


def ask_kernel() -> Optional[str]:
    """Ask Linux for the unit's registers, for this process and its threads; why it refuses, or None."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(ARCH_PRCTL, REQUEST_PERMISSION, TILE_DATA) != 0:
        return f"the kernel does not allow it ({os.strerror(ctypes.get_errno())}; Linux 5.16 or newer is needed)"
    return None


def judge(returncode: int, output: str) -> Optional[str]:
    """What speaks against AMX after a run of amx_proof.py, in a few words, or None.

    Args:
        returncode: the exit code of the process; negative for a signal.
        output: what it printed: oneDNN's log, and a line of JSON with the error of each pass.
    """
    if returncode < 0:
        return f"the test convolution was ended by {signal.Signals(-returncode).name}"
    lines = output.splitlines()
    if returncode or not lines or not lines[-1].startswith("{"):
        return "the test convolution failed"
    errors = json.loads(lines[-1])
    for name in PASSES:
        if not errors[name] <= TOLERANCE:
            return f"the test convolution's {name} pass is wrong by {errors[name]:.2g} of its largest value"
    primitives = [primitive for primitive in map(read_line, lines) if primitive and primitive.kind == "convolution"]
    for name in PASSES:
        if not any(one.direction.startswith(name) and "amx" in one.implementation for one in primitives):
            return f"oneDNN does not choose it for the {name} pass"
    return None


def _proof() -> Optional[str]:
    command = [sys.executable, "-m", "gluon_resnet.training.amx_proof"]
    environ = {**os.environ, VARIABLE: AMX, "DNNL_VERBOSE": "1"}
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environ, timeout=120)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"the test convolution did not end ({type(error).__name__})"
    return judge(done.returncode, done.stdout.decode(errors="replace"))


@lru_cache(maxsize=None)
def problem() -> Optional[str]:
    """Why bfloat16 is computed without AMX, in a few words, or None: from now on it is computed with it.

    To be called before mxnet's first computation.
    """
    reason = unsuitable() or _proof() or ask_kernel()
    if reason is None:
        env.set_variable(VARIABLE, AMX)  # a child process has to ask the kernel itself, and must not inherit it
    return reason


def line() -> str:
    """The line of a bfloat16 run: whether it is computed with AMX."""
    reason = problem()
    return f"AMX: not used, {reason}" if reason else f"AMX: used ({VARIABLE}=AVX512_CORE_BF16 turns it off)"
