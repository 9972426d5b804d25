"""Which GPU generations a library has code for, read from the fat binaries in its ELF file.

    read_gpu_code("libmxnet.so").for_card((7, 5))       # "code for 7.0"

nvcc compiles each source file for several compute capabilities and packs the results into one fat binary: a header, and
an entry for each result, which is machine code or PTX (an assembly language that the driver compiles for the card). The
fat binaries of a library are one after another in the section .nv_fatbin. NVIDIA does not document the format; the
fields read here are those of https://github.com/GrigoryEvko/nvopen-tools (fatbin/FORMAT_SPECIFICATION.md).
"""

import mmap
import struct
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, Iterator, Optional, Tuple, Union

from . import elf

#: compute capability: (generation, revision), such as (8, 6)
Capability = Tuple[int, int]

MAGIC = (0xBA55ED50).to_bytes(4, "little")
HEADER = struct.Struct("<4sHHQ")  # magic, version, bytes of this header, bytes of all entries after it
ENTRY = struct.Struct("<HHIQ12xI")  # kind, version, bytes of this header, bytes of the code after it, capability as 86
PTX, MACHINE_CODE = 1, 2  # kinds of entries; others hold no code


def dotted(capability: Capability) -> str:
    """ "8.6" for (8, 6)."""
    return f"{capability[0]}.{capability[1]}"


def _listed(capabilities: Dict[Capability, int]) -> str:
    return ", ".join(map(dotted, sorted(capabilities)))


@dataclass(frozen=True)
class GpuCode:
    """The compute capabilities that a library has machine code and PTX for: {capability: number of fat binaries}."""

    machine: Dict[Capability, int] = field(default_factory=dict)
    ptx: Dict[Capability, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.machine or self.ptx)

    def for_card(self, card: Capability) -> Optional[str]:
        """What a card of this compute capability would run, such as "code for 8.6"; None if it can run nothing.

        Machine code runs on its own generation from its own revision on, PTX on everything from its own capability on.
        Source: https://docs.nvidia.com/cuda/cuda-c-programming-guide/ (binary and PTX compatibility).
        """
        machine = [own for own in self.machine if own[0] == card[0] and own[1] <= card[1]]
        ptx = [own for own in self.ptx if own <= card]
        if machine:
            return f"code for {dotted(max(machine))}"
        return f"PTX for {dotted(max(ptx))}" if ptx else None

    @property
    def contents(self) -> str:
        """All there is, in words: "machine code for 7.0, 8.0 and no PTX"."""
        machine = f"machine code for {_listed(self.machine)}" if self.machine else "no machine code"
        return f"{machine} and {f'PTX for {_listed(self.ptx)}' if self.ptx else 'no PTX'}"

    @property
    def generations(self) -> str:
        """The generations with machine code, in words: "compute capability 7.x or 8.x"."""
        names = [f"{generation}.x" for generation in sorted({own[0] for own in self.machine})]
        return f"compute capability {' or '.join(filter(None, (', '.join(names[:-1]), *names[-1:])))}"


#: What mxnet-cu112 1.9.1 has, for those who have not installed it; a slow test compares this with the wheel.
CU112 = GpuCode(machine=dict.fromkeys(((5, 0), (6, 0), (7, 0), (8, 0), (8, 6)), 198))


def _entries(data: mmap.mmap, start: int, end: int) -> Iterator[Tuple[int, Capability]]:
    """(kind, compute capability) of every entry of the fat binaries between ``start`` and ``end``.

    Raises ValueError or struct.error where sizes do not fit together.
    """
    if end > len(data):
        raise ValueError("the section is longer than the file")
    place = data.find(MAGIC, start, end)
    while place >= 0:
        _, _, header, size = HEADER.unpack_from(data, place)
        entry, after = place + header, place + header + size
        if header < HEADER.size or after > end:
            raise ValueError(f"the fat binary at byte {place} is longer than its section")
        while entry < after:
            kind, _, header, size, number = ENTRY.unpack_from(data, entry)
            if header < ENTRY.size or entry + header + size > after:
                raise ValueError(f"the entry at byte {entry} is longer than its fat binary")
            yield kind, divmod(number, 10)
            entry += header + size
        place = data.find(MAGIC, after, end)  # zeros may come before it


def read_gpu_code(path: Union[str, Path]) -> GpuCode:
    """What GPU code the library at ``path`` has; an empty :class:`GpuCode` if it has none or cannot be read.

    Only headers are read, not the code between them: a fraction of a second for a library of a gigabyte.
    """
    try:
        # here: doctor, which imports this module, reports if elftools is missing
        from elftools.common.exceptions import ELFError
        from elftools.elf.elffile import ELFFile
    except ImportError:
        return GpuCode()
    counts: Dict[Tuple[int, Capability], int] = Counter()
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            section = ELFFile(file).get_section_by_name(".nv_fatbin")
            if section is not None:
                counts.update(Counter(_entries(data, section["sh_offset"], section["sh_offset"] + section["sh_size"])))
    except (OSError, ELFError, struct.error, ValueError, TypeError):  # damaged, or no ELF file; TypeError: of elftools
        return GpuCode()
    by_kind = {
        kind: {capability: count for (own, capability), count in counts.items() if own == kind}
        for kind in (PTX, MACHINE_CODE)
    }
    return GpuCode(by_kind[MACHINE_CODE], by_kind[PTX])


def installed_gpu_code() -> GpuCode:
    """What GPU code the installed mxnet has; an empty :class:`GpuCode` without mxnet or with its CPU build."""
    library = elf.mxnet_library()
    return GpuCode() if library is None else read_gpu_code(library)
