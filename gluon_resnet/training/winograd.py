"""Winograd's convolutions on a CPU: 3x3 convolutions with fewer multiplications, if oneDNN chooses them.

    gluon-resnet train fashion-mnist                          # with them, if available
    gluon-resnet train fashion-mnist --set winograd=false     # without

The oneDNN inside mxnet 1.9.1 has Winograd's F(4x4, 3x3) for AVX-512 (Lavin and Gray, arXiv 1509.09308: 36
multiplications instead of the direct algorithm's 144), forward and backward. mxnet always asks for the direct algorithm
(apache/mxnet #12990): a constant in the code, with no setting to change it. With ``convolution_auto``, oneDNN would
choose by shape. Inside :func:`convolutions`, the six functions that pass the algorithm to oneDNN pass ``auto`` instead.
This takes a few bytes, listed in SITES. They are written into this process's memory and nowhere else, and only if the
bytes there are exactly as expected; afterwards the old ones are restored. On entering and on leaving, mxnet drops the
convolutions it has set up, so that each training has its own choice.

"By shape" means by batch size alone: oneDNN takes Winograd's 4x4 tiles also for planes of 1x1, where the direct
algorithm skips the padding and is twelve times faster. :func:`suits` looks at a network's planes first.

Results are float32 and the same from run to run, but they are rounded differently from the direct algorithm's; the
tests show by how much.

mxnet is imported inside the functions that need it: :func:`unsuitable` has to work without loading it.
"""

import importlib.util
import json
import os
import sys
import warnings
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Dict, Iterator, Optional, Tuple, Union

from ..machine import system
from ..machine.elf import build_id

#: oneDNN's constant for "take the fastest"
AUTO = 3

#: least height and width of a plane for which Winograd's tiles are worth it. Measured in milliseconds for a training
#: step's three passes through one convolution, batch size 256, direct and Winograd: 512 channels of 1x1 14 and 71, 256
#: of 2x2 14 and 22, 512 of 3x3 99 and 72, 128 of 4x4 11 and 5, 64 of 7x7 9 and 6 (Intel Xeon, model 167, 2 cores,
#: 2026-11-25).
SMALLEST_PLANE = 3

#: build id of a libmxnet.so -> (address in the file, bytes there, bytes that load AUTO). Each original checks that the
#: requested algorithm, minus 1, is at most 2, and goes on if so; the replacement loads AUTO instead and goes on.
#: Found by scripts/winograd_sites.py, which explains how it recognizes them. For another build of mxnet, run it on that
#: build's libmxnet.so, add what it prints here, and run tests/training/test_winograd.py.
SITES: Dict[Optional[str], Tuple[Tuple[int, str, str], ...]] = {
    "472988f6268780302be9ee15d6c53d9a07b534f5": (  # mxnet 1.9.1, manylinux2014 x86-64
        (0x621FF0E, "8d42ff 83f802 77be", "ba03000000 909090"),  # forward: algorithm in edx
        (0x621FFBE, "8d42ff 83f802 77b5", "ba03000000 909090"),  # forward with dilation
        (0x622004D, "448d5eff 4183fb02 7621", "be03000000 909090 eb21"),  # backward to the images: in esi
        (0x62200F2, "8d5eff 83fb02 761e", "be03000000 90 eb1e"),  # the same with dilation
        (0x6220192, "8d5eff 83fb02 761e", "be03000000 90 eb1e"),  # backward to the weights
        (0x6220238, "8d6eff 83fd02 7620", "be03000000 90 eb20"),  # the same with dilation
    ),
}


def library() -> Optional[str]:
    """Path of the installed libmxnet.so, found without loading it."""
    spec = importlib.util.find_spec("mxnet")
    return os.path.realpath(os.path.join(os.path.dirname(spec.origin), "libmxnet.so")) if spec and spec.origin else None


def unsuitable() -> Optional[str]:
    """Why this machine and its mxnet cannot have Winograd's convolutions, in a few words, or None.

    This does not load mxnet.
    """
    if not sys.platform.startswith("linux"):
        return "known for Linux only"
    if "avx512f" not in system.cpu()["instruction_sets"]:
        return "this processor has no AVX-512"
    path = library()
    if path is None or not os.path.exists(path) or build_id(path) not in SITES:
        return "known for mxnet 1.9.1's own CPU build only"
    return None


def _base(path: str) -> Optional[int]:
    """Address at which the file ``path`` is loaded in this process, or None if it is not loaded."""
    with open("/proc/self/maps") as stream:
        for line in stream:
            fields = line.split(maxsplit=5)
            if len(fields) == 6 and int(fields[2], 16) == 0 and os.path.realpath(fields[5].strip()) == path:
                return int(fields[0].partition("-")[0], 16)
    return None


@lru_cache(maxsize=None)
def _sites() -> Union[str, Tuple[Tuple[int, bytes, bytes], ...]]:
    """((address in this process, original bytes, replacement), ...), or the reason why there are none."""
    reason, path = unsuitable(), library()
    if reason or path is None:
        return reason or "mxnet is not installed"
    import mxnet  # noqa: F401  loads the library

    base = _base(path)
    if base is None:
        return f"{path} is not the library that is loaded"
    listed = SITES[build_id(path)]
    sites = tuple((base + at, bytes.fromhex(old), bytes.fromhex(new)) for at, old, new in listed)
    try:
        with open("/proc/self/mem", "r+b", buffering=0) as memory:  # fails here already if it is not writable
            for address, old, _ in sites:
                memory.seek(address)
                if memory.read(len(old)) != old:
                    return "the library's code is not what is expected"
    except OSError as error:
        return f"this process cannot write to its own code ({error.strerror})"
    return sites


def problem() -> Optional[str]:
    """Why this process cannot have Winograd's convolutions, in a few words, or None if it can. Loads mxnet."""
    sites = _sites()
    return sites if isinstance(sites, str) else None


def suits(net: Any, X: Any) -> bool:
    """Whether Winograd's algorithm is worth it for ``net`` on batches like X (N, C, H, W); computes nothing.

    This is true for a hybrid network with 3x3 convolutions of stride 1 whose outputs are all at least SMALLEST_PLANE
    high and wide. One smaller output costs more than the others save, and the choice holds for the whole process.
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
        return False  # the network itself reports what it cannot take, when it is called
    shape_of = dict(zip(internals.list_outputs(), shapes))
    planes = [
        shape_of[node["name"] + "_output"][2:]
        for node in json.loads(output.tojson())["nodes"]
        if node["op"].lower().endswith("convolution")
        and node["attrs"]["kernel"] == "(3, 3)"
        and node["attrs"].get("stride", "(1, 1)") == "(1, 1)"
    ]
    return bool(planes) and min(min(plane) for plane in planes) >= SMALLEST_PLANE


def _write(replaced: bool) -> None:
    """Put the replacements, or the original bytes, into the library's code."""
    import mxnet

    sites = _sites()
    assert not isinstance(sites, str)  # convolutions() has called problem()
    mxnet.nd.waitall()  # no thread may run the code while it changes
    with open("/proc/self/mem", "r+b", buffering=0) as memory:
        for address, old, new in sites:
            memory.seek(address)
            memory.write(new if replaced else old)
    _forget()


def _forget() -> None:
    """Let mxnet drop the convolutions it has set up.

    They belong to its threads, which it ends before a fork of the process and starts again after it (src/initialize.cc,
    pthread_atfork). The child process ends at once.
    """
    with warnings.catch_warnings():
        # Python 3.12 warns that the child of a process with threads may hang; this one only ends
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


_open = 0


@contextmanager
def convolutions(wanted: bool = True, device: Any = None) -> Iterator[bool]:
    """Context in which mxnet lets oneDNN choose Winograd's algorithm for the convolutions it sets up.

    Gives True, or False if nothing is changed: if not ``wanted``, if ``device`` is not a CPU, or if there is a
    :func:`problem`. Contexts may be nested.
    """
    global _open
    if not wanted or (device is not None and device.device_type != "cpu") or problem():
        yield False
        return
    _open += 1
    try:
        if _open == 1:
            _write(replaced=True)
        yield True
    finally:
        _open -= 1
        if _open == 0:
            _write(replaced=False)
