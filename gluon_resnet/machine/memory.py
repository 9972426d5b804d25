"""How much memory this program has used; standard library only, so that the benchmark's workers can import it.

peak_memory() / 2**20      # in MiB
"""

import resource
from pathlib import Path


def peak_memory() -> int:
    """Largest resident size of this program so far, in bytes.

    Read from /proc, as on Linux a process inherits ru_maxrss from the one that started it.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
