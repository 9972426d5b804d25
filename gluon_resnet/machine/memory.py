"""How much memory this program has used; standard library only, so that the benchmark's workers can import it.

peak_memory() / 2**20      # in MiB
"""

import ctypes
import os
import resource
from pathlib import Path

#: glibc's numbers of two settings, and what they are here: blocks of up to 32 MiB (the most that every version takes)
#: come from the heap, and the heap is only cut back where more than 256 MiB at its end are free.
MALLOC_SETTINGS = {-3: 32 * 2**20, -1: 256 * 2**20}  # M_MMAP_THRESHOLD, M_TRIM_THRESHOLD
#: where a user may have set them
MALLOC_VARIABLES = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES")


def keep_freed_memory() -> bool:
    """Let the C library use freed memory again instead of giving it back to the system; False if it cannot.

    The system fills each page with zeros before a program gets it back. A batch of 32 images of 224x224 is 19 MB, made
    and freed dozens of times a second: that took a quarter of the time for reading images (docs/benchmarks.md).
    """
    if any(name in os.environ for name in MALLOC_VARIABLES):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # not glibc
        return False
    return all([mallopt(setting, value) for setting, value in MALLOC_SETTINGS.items()])


def peak_memory() -> int:
    """Largest resident size of this program so far, in bytes.

    Read from /proc, as on Linux a process inherits ru_maxrss from the one that started it.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
