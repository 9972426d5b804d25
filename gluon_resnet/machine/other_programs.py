"""How much of the machine other programs used: what a measured time has to be read with.

    with OtherPrograms() as others:
        ...
    others.cores                   # 0.03, in processor cores; None where the system does not say

The threads of OpenMP and OpenBLAS wait for each other, so other programs slow them down far more than by their share of
the processor: with one busy program on two cores, ResNet-18 at 28x28 trained at a third of its speed.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Optional, Tuple


class OtherPrograms:
    """Measures how many cores other programs use, from its making on until :meth:`stop` or the end of its context.

    :attr:`cores` is None until then, and without /proc/stat.
    """

    def __init__(self) -> None:
        self.cores: Optional[float] = None
        self.before: Optional[Tuple[float, float]] = None
        with suppress(OSError, ValueError):
            self.before = self._seconds()

    def _seconds(self) -> Tuple[float, float]:
        """(processor time of other programs, time) in seconds."""
        own = os.times()
        fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
        busy = sum(fields[:3]) + sum(fields[5:8])  # everything except idle and waiting for a disk
        return busy / os.sysconf("SC_CLK_TCK") - sum(own[:4]), own.elapsed

    def stop(self) -> Optional[float]:
        """The mean since the making, which :attr:`cores` is from now on."""
        if self.before is not None:
            used, elapsed = (now - then for now, then in zip(self._seconds(), self.before))
            self.cores = round(max(0.0, used) / elapsed, 3) if elapsed > 0 else None
        return self.cores

    def __enter__(self) -> "OtherPrograms":
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop()
