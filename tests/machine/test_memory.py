"""Freed memory that is kept, by what the C library tells of its own blocks."""

import os
import subprocess
import sys

from gluon_resnet.machine import memory

# Takes and frees three blocks of 19 MB, the size of a batch; prints whether memory is kept, how many blocks came from
# the system alone (mallinfo's hblks), and by how many bytes the heap was cut back.
BLOCKS = """
import ctypes, sys
import memory  # by itself: to import the package keeps freed memory

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
libc.sbrk.restype, libc.sbrk.argtypes = ctypes.c_ssize_t, [ctypes.c_ssize_t]
libc.mallinfo.restype = type("Mallinfo", (ctypes.Structure,), {"_fields_": [(str(i), ctypes.c_int) for i in range(10)]})
kept = memory.keep_freed_memory() if sys.argv[1:] else None
before = getattr(libc.mallinfo(), "3")
blocks = [libc.malloc(ctypes.c_size_t(19 * 10**6)) for _ in range(3)]
direct, end = getattr(libc.mallinfo(), "3") - before, libc.sbrk(0)
for block in blocks:
    libc.free(block)
print(kept, direct, end - libc.sbrk(0))
"""


def blocks(*arguments, **variables):
    """What BLOCKS prints, as a list of words."""
    environ = {name: value for name, value in os.environ.items() if name not in memory.MALLOC_VARIABLES}
    environ["PYTHONPATH"] = os.path.dirname(memory.__file__)
    command = [sys.executable, "-c", BLOCKS, *arguments]
    return subprocess.check_output(command, env={**environ, **variables}, text=True).split()


def test_freed_memory_is_kept():
    assert blocks("keep") == ["True", "0", "0"]
    assert blocks() == ["None", "3", "0"]  # left to itself, glibc takes each from the system and gives it back


def test_what_the_user_has_set_is_left_alone():
    assert blocks("keep", MALLOC_MMAP_THRESHOLD_="131072") == ["False", "3", "0"]
