"""Find the places in a libmxnet.so that gluon_resnet/training/winograd.py changes, to add another build to its SITES.

    .venv/bin/python scripts/winograd_sites.py [LIBMXNET.SO]

oneDNN has six functions that begin a convolution: forward, backward to the data and to the weights, each with and
without dilation. They are compiled one after another, and each checks the algorithm that is asked for: it subtracts
1 and compares with 2 (direct is 1, Winograd 2, auto 3). mxnet's library has no symbols for them, so this script
looks for that check in the machine code, six times within 1,024 bytes. What it prints are candidates: disassemble
them (objdump --start-address) to see the register and where the jump leads, as SITES needs both, and test the
outcome with tests/training/test_winograd.py.
"""

import re
import sys

from gluon_resnet.machine.elf import build_id
from gluon_resnet.training import winograd

from elftools.elf.elffile import ELFFile

#: lea -1(register), register; cmp $2, register; ja or jbe, short
CHECK = re.compile(rb"(?:[\x41\x44\x45]?\x8d[\x40-\x7f]\xff)(?:\x41?\x83[\xf8-\xff]\x02)(?:[\x76\x77].)", re.DOTALL)
WITHIN = 1024  # bytes


def checks(path):
    """[(address in the file, bytes)] of every such check in the machine code of ``path``."""
    with open(path, "rb") as file:
        text = ELFFile(file).get_section_by_name(".text")
        start, code = text["sh_addr"], text.data()
    return [(start + match.start(), match.group()) for match in CHECK.finditer(code)]


def sixes(found):
    """The runs of six checks that lie within WITHIN bytes, from what :func:`checks` gives."""
    return [found[i : i + 6] for i in range(len(found) - 5) if found[i + 5][0] - found[i][0] <= WITHIN]


def main():
    """Print the candidates in a library, by default the installed one."""
    path = sys.argv[1] if len(sys.argv) > 1 else winograd._library()
    print(f"{path}\nbuild id {build_id(path)}")
    for number, six in enumerate(sixes(checks(path)), 1):
        print(f"candidate {number}:")
        for address, code in six:
            print(f"    {address:#x}  {code.hex(' ')}")


if __name__ == "__main__":
    main()
