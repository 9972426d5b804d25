"""Winograd's convolutions on a CPU: the 3x3 ones with fewer multiplications, where oneDNN finds that faster.

    gluon-resnet train fashion-mnist                          # with them, if available
    gluon-resnet train fashion-mnist --set winograd=false     # without

The oneDNN inside mxnet 1.9.1 has Winograd's F(4x4, 3x3) for AVX-512 (Lavin and Gray, arXiv 1509.09308: 36
multiplications where the direct way takes 144), forward and backward. mxnet always asks for the direct way
(apache/mxnet #12990), with no setting to change that: a constant in the code. oneDNN's own ``convolution_auto`` decides
by shape. Inside :class:`convolutions` the six functions through which oneDNN gets the algorithm take it for
``auto``, by the few bytes in SITES, written into this process's memory and nowhere else, and only after they were found
to be exactly what is expected; outside, they are as they were. What mxnet has set up for shapes in use before is
dropped at both ends, so that each training has its own choice.

"By shape" is by batch size alone: oneDNN takes Winograd's 4x4 tiles for planes of 1x1, too, where the direct way skips
the padding and is twelve times faster. :func:`suits` looks at a network's planes first.

Results are float32 and the same from run to run, but rounded elsewhere than the direct way's:
see the tests for how far.
"""

import importlib.util
import json
import os
import sys
import warnings
from contextlib import contextmanager
from functools import lru_cache

from ..machine import system
from ..machine.elf import build_id

#: oneDNN's constant for "take the fastest"
AUTO = 3

#: least height and width of a plane for which Winograd's tiles are no waste. Measured, milliseconds of a training
#: step's three passes through one convolution, batch size 256, direct and Winograd: 512 channels of 1x1 14 and 71, 256
#: of 2x2 14 and 22, 512 of 3x3 99 and 72, 128 of 4x4 11 and 5, 64 of 7x7 9 and 6 (Intel Xeon, model 167, 2 cores,
#: 2026-11-25).
SMALLEST_PLANE = 3

#: build id of a libmxnet.so -> (address in the file, bytes there, bytes that put AUTO in). Each original subtracts 1
#: from the algorithm asked for and goes on if the rest is at most 2 (a check); the replacement loads AUTO instead and
#: goes on. scripts/winograd_sites.py found the addresses, and finds candidates in another build.
SITES = {
    "472988f6268780302be9ee15d6c53d9a07b534f5": (  # mxnet 1.9.1, manylinux2014 x86-64
        (0x621FF0E, "8d42ff 83f802 77be", "ba03000000 909090"),  # forward: algorithm in edx
        (0x621FFBE, "8d42ff 83f802 77b5", "ba03000000 909090"),  # forward with dilation
        (0x622004D, "448d5eff 4183fb02 7621", "be03000000 909090 eb21"),  # backward to the pictures: in esi
        (0x62200F2, "8d5eff 83fb02 761e", "be03000000 90 eb1e"),  # the same with dilation
        (0x6220192, "8d5eff 83fb02 761e", "be03000000 90 eb1e"),  # backward to the weights
        (0x6220238, "8d6eff 83fd02 7620", "be03000000 90 eb20"),  # the same with dilation
    ),
}


def _library():
    """Path of the installed libmxnet.so, found without loading it."""
    spec = importlib.util.find_spec("mxnet")
    return os.path.realpath(os.path.join(os.path.dirname(spec.origin), "libmxnet.so")) if spec else None


def unsuitable():
    """Why this machine and its mxnet lack Winograd's convolutions, in a few words, or None; mxnet is not loaded."""
    if not sys.platform.startswith("linux"):
        return "known for Linux only"
    if "avx512f" not in system.cpu()["instruction_sets"]:
        return "this processor has no AVX-512"
    path = _library()
    if path is None or not os.path.exists(path) or build_id(path) not in SITES:
        return "known for mxnet 1.9.1's own CPU build only"
    return None


def _base(path):
    """Address at which the file ``path`` is loaded in this process, None if it is not."""
    with open("/proc/self/maps") as stream:
        for line in stream:
            fields = line.split(maxsplit=5)
            if len(fields) == 6 and int(fields[2], 16) == 0 and os.path.realpath(fields[5].strip()) == path:
                return int(fields[0].partition("-")[0], 16)
    return None


@lru_cache(maxsize=None)
def _sites():
    """((address in this process, original bytes, replacement), ...), or a line that says why there are none."""
    reason = unsuitable()
    if reason:
        return reason
    import mxnet  # noqa: F401  its library has to be there to be written to

    path = _library()
    sites, base = SITES[build_id(path)], _base(path)
    if base is None:
        return f"{path} is not the library that is loaded"
    sites = tuple((base + at, bytes.fromhex(old), bytes.fromhex(new)) for at, old, new in sites)
    try:
        with open("/proc/self/mem", "r+b", buffering=0) as memory:  # writable, or there is no point
            for address, old, _ in sites:
                memory.seek(address)
                if memory.read(len(old)) != old:
                    return "the library's code is not what is expected"
    except OSError as error:
        return f"this process cannot write to its own code ({error.strerror})"
    return sites


def problem():
    """Why this process cannot have Winograd's convolutions, in a few words, or None if it can. Loads mxnet."""
    found = _sites()
    return found if isinstance(found, str) else None


def suits(net, X):
    """Whether Winograd's algorithm is worth it for ``net`` on batches like X (N, C, H, W); computes nothing.

    It is for a hybrid network with 3x3 convolutions of stride 1, all of whose outputs are at least SMALLEST_PLANE high
    and wide.
    One such layer below that costs more than the others save, and the choice is the process's, not a layer's.
    """
    from mxnet import MXNetError
    from mxnet.gluon import HybridBlock

    if not isinstance(net, HybridBlock):
        return False
    try:
        _, output = net._get_graph(X)  # kept by the network, which compiles it at its first call
        internals = output.get_internals()
        _, shapes, _ = internals.infer_shape(data=X.shape)
    except (MXNetError, TypeError, ValueError):
        return False  # what the network cannot take it says itself, when it is called
    shape_of = dict(zip(internals.list_outputs(), shapes))
    planes = [
        shape_of[node["name"] + "_output"][2:]
        for node in json.loads(output.tojson())["nodes"]
        if node["op"].lower().endswith("convolution")
        and node["attrs"]["kernel"] == "(3, 3)"
        and node["attrs"].get("stride", "(1, 1)") == "(1, 1)"
    ]
    return bool(planes) and min(min(plane) for plane in planes) >= SMALLEST_PLANE


def _write(which):
    import mxnet

    mxnet.nd.waitall()  # nobody may be inside while the code changes
    with open("/proc/self/mem", "r+b", buffering=0) as memory:
        for site in _sites():
            memory.seek(site[0])
            memory.write(site[which])
    _forget()


def _forget():
    """Have mxnet drop the convolutions it has set up.

    They belong to its threads, which it ends before a fork of the process and starts again after it (src/initialize.cc,
    pthread_atfork). The child ends at once.
    """
    with warnings.catch_warnings():
        # Python 3.12: a child of many threads that goes on may hang
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


_open = 0


@contextmanager
def convolutions(wanted=True, device=None):
    """Context in which mxnet lets oneDNN choose Winograd's algorithm for the convolutions it sets up.

    Gives True, or False if they stay as they are: not ``wanted``, ``device`` is not a CPU, or for the reason that
    :func:`problem` gives.
    """
    global _open
    if not wanted or (device is not None and device.device_type != "cpu") or problem():
        yield False
        return
    _open += 1
    try:
        if _open == 1:
            _write(2)
        yield True
    finally:
        _open -= 1
        if _open == 0:
            _write(1)
