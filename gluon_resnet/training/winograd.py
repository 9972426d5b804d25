"""Winograd's convolutions on a CPU: 3x3 convolutions with fewer multiplications, if oneDNN chooses them.

    gluon-resnet train fashion-mnist                          # with them, if available
    gluon-resnet train fashion-mnist --set winograd=false     # without

The oneDNN inside mxnet 1.9.1 has Winograd's F(4x4, 3x3) for AVX-512 (Lavin and Gray, arXiv 1509.09308: 36
multiplications instead of the direct algorithm's 144), forward and backward. mxnet always asks for the direct algorithm
(apache/mxnet #12990): a constant in the code, with no setting to change it. With ``convolution_auto``, oneDNN chooses.
Inside :func:`convolutions`, the six functions that pass the algorithm to oneDNN pass ``auto`` instead.

oneDNN's choice goes by the batch size, and on processors that are not Intel's by other sizes that do not fit them. It
takes Winograd's 4x4 tiles for planes of 1x1, where the direct algorithm is twelve times faster, and never for batches
of 8 images of 224x224, where it is twice as slow. So the function that chooses is replaced, too: by :func:`is_faster`,
in machine code.

Both take a few bytes, listed in SITES. They are written into this process's memory and nowhere else, and only if the
bytes there are exactly as expected; afterwards the old ones are restored. On entering and on leaving, mxnet drops the
convolutions it has set up, so that each training has its own choice.

Results are float32 and the same from run to run, but they are rounded differently from the direct algorithm's; the
tests show by how much.

mxnet is imported inside the functions that need it: :func:`unsuitable` has to work without loading it.
"""

import ctypes
import importlib.util
import os
import sys
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Dict, Iterator, Optional, Tuple, Union

from ..machine import system
from ..machine.elf import build_id

#: oneDNN's constant for "take the fastest"
AUTO = 3

#: The rule of :func:`is_faster`. Winograd's work goes by tiles, and each convolution also transforms its weights. From
#: the milliseconds of each pass with 14 sizes of plane (56x56 to 2x2), 16 to 512 channels and batches of 1 to 128
#: images (AMD EPYC with AVX-512, 2 cores, 2026-11-28): the three passes together take equally long near the rule's
#: border. With 512 channels of 7x7, 8 images took 20.2 ms with Winograd's tiles and 22.6 directly, 4 took 15.3 and
#: 11.8, 32 took 47 and 89.
TILE, TILE_COST, LEAST, LEAST_CHANNELS = 4, 6, 200, 32


def is_faster(batch: int, channels: int, height: int, width: int) -> bool:
    """Whether Winograd's algorithm is taken for a 3x3 convolution of stride 1.

    Args:
        batch: images.
        channels: the input's, a multiple of 16: oneDNN has Winograd's algorithm for no others.
        height: of the output.
        width: of the output.
    """
    tiles = -(-height // TILE) * -(-width // TILE)
    return batch * (height * width - TILE_COST * tiles) > LEAST and channels >= LEAST_CHANNELS


#: :func:`is_faster` in x86-64 machine code. Its argument, in rdi, is oneDNN's description of the convolution
#: (jit_conv_winograd_conf_t): the batch at 0x18, the input's channels at 0x20, the height at 0x40, the width at 0x44.
IS_FASTER = (
    "8b4740 8b4f44"  # mov eax, [rdi + 0x40]; mov ecx, [rdi + 0x44]
    "8d5003 c1fa02"  # lea edx, [rax + 3]; sar edx, 2: rows of tiles
    "8d7103 c1fe02"  # lea esi, [rcx + 3]; sar esi, 2: columns of tiles
    "0fafd6 0fafc1"  # imul edx, esi: tiles; imul eax, ecx: pixels
    "8d1452 01d2 29d0"  # lea edx, [rdx + 2 * rdx]; add edx, edx; sub eax, edx
    "0faf4718 3dc8000000 0f9fc0"  # imul eax, [rdi + 0x18]; cmp eax, 200; setg al
    "837f2020 0f9dc1 20c8 c3"  # cmp dword [rdi + 0x20], 32; setge cl; and al, cl; ret
)

#: build id of a libmxnet.so -> (address in the file, bytes there, bytes to put there). Each of the first six originals
#: checks that the requested algorithm, minus 1, is at most 2, and goes on if so; the replacement loads AUTO instead and
#: goes on. The seventh is the beginning of the function that chooses. Found by scripts/winograd_sites.py, which
#: explains how it recognizes them. For another build of mxnet, run it on that build's libmxnet.so, add what it prints
#: here, and run tests/training/test_winograd.py.
SITES: Dict[Optional[str], Tuple[Tuple[int, str, str], ...]] = {
    "472988f6268780302be9ee15d6c53d9a07b534f5": (  # mxnet 1.9.1, manylinux2014 x86-64
        (0x621FF0E, "8d42ff 83f802 77be", "ba03000000 909090"),  # forward: algorithm in edx
        (0x621FFBE, "8d42ff 83f802 77b5", "ba03000000 909090"),  # forward with dilation
        (0x622004D, "448d5eff 4183fb02 7621", "be03000000 909090 eb21"),  # backward to the images: in esi
        (0x62200F2, "8d5eff 83fb02 761e", "be03000000 90 eb1e"),  # the same with dilation
        (0x6220192, "8d5eff 83fb02 761e", "be03000000 90 eb1e"),  # backward to the weights
        (0x6220238, "8d6eff 83fd02 7620", "be03000000 90 eb20"),  # the same with dilation
        (  # the choice
            0x79FDC60,
            "55534889fb4883ec1864488b042528000000488944240831c0803d300cae01000f84"
            "7a010000803d9b0bae01000f8505010000488d",
            IS_FASTER,
        ),
    ),
}

#: functions of these builds' libmxnet.so, by their C++ names: mxnet::LibraryInitializer's Get(), atfork_prepare() and
#: atfork_parent()
GET = "_ZN5mxnet18LibraryInitializer3GetEv"
BEFORE_FORK = "_ZN5mxnet18LibraryInitializer14atfork_prepareEv"
AFTER_FORK = "_ZN5mxnet18LibraryInitializer13atfork_parentEv"


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
    if not system.onednn_may_use("avx512f"):
        return f"DNNL_MAX_CPU_ISA={os.environ['DNNL_MAX_CPU_ISA']} keeps oneDNN from AVX-512"
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

    They belong to its threads, which it ends before a fork of the process and starts again after it. These are the two
    functions that it registers for that with pthread_atfork (src/initialize.cc), called without a fork: copying a
    process of gigabytes takes long, and fails where memory may not be promised twice.
    """
    import mxnet

    functions = mxnet.base._LIB
    functions[GET].restype = ctypes.c_void_p
    itself = ctypes.c_void_p(functions[GET]())
    functions[BEFORE_FORK](itself)
    functions[AFTER_FORK](itself)


_open = 0


@contextmanager
def convolutions(wanted: bool = True, device: Any = None) -> Iterator[bool]:
    """Context in which the convolutions that mxnet sets up are Winograd's where :func:`is_faster` says so.

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
