"""Find the places in a libmxnet.so that gluon_resnet/training/winograd.py lists in SITES, and print them as its entry.

    python scripts/winograd_sites.py                        # of the mxnet installed
    python scripts/winograd_sites.py PATH/libmxnet.so       # of another build

oneDNN describes a convolution by six functions: forward, backward to the data and backward to the weights, each without
and with dilation (dnnl_convolution_forward_desc_init and so on, src/common/convolution.cpp). Each takes the algorithm
as an argument and checks that it is one of direct, 1, winograd, 2, and auto, 3. The library does not export the
functions, so they are recognized by their machine code (x86-64). A compiler turns the check into one comparison,
algorithm - 1 <= 2:

    lea eax, [rdx - 1]      8d 42 ff    forward has the algorithm in edx, its third argument
    cmp eax, 2              83 f8 02
    ja  wrong               77 be       leave the function; the code that goes on comes next

    lea ebx, [rsi - 1]      8d 5e ff    backward has it in esi, its second argument
    cmp ebx, 2              83 fb 02
    jbe right               76 1e       jump to the code that goes on; the code that leaves comes next

A few other comparisons in the library look the same. Forward functions are told apart by what comes before: the kind of
pass has to be 0x40 (training) or 0x60 (inference). Backward ones are told apart by what comes after: they pass on 0xa0
(to the data) or 0xc0 (to the weights).

The function that chooses (is_winograd_faster_than_direct in src/cpu/x64/jit_avx512_core_f32_wino_conv_4x3_kernel.cpp)
has no name in the library either. It is recognized by the four numbers that it loads one after the other from the
description of the convolution, and by the kind of pass, 0xc0, that it compares after them:

    mov eax, [rbx + 0x20]       8b 43 20        the input's channels
    mov r9d, [rbx + 0x24]       44 8b 4b 24     the output's channels
    mov r8d, [rbx + 0x40]       44 8b 43 40     the height
    mov r10d, [rbx + 0x18]      44 8b 53 18     the batch

It begins with push rbp; push rbx; mov rbx, rdi (55 53 48 89 fb). Another order or distance of the loads would mean that
winograd.IS_FASTER reads the wrong numbers.

The replacement of a check is as long as the check. It loads AUTO into the algorithm's register and goes on. After
adding an entry to SITES, run tests/training/test_winograd.py with that mxnet: it compares results with sums in
float64, and oneDNN itself reports which algorithm it took.
"""

import re
import sys
from typing import List, Optional, Tuple

from gluon_resnet.machine.elf import build_id
from gluon_resnet.training import winograd

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

#: (address in the file, bytes there, bytes to put there), both as hexadecimal digits, as in winograd.SITES
Site = Tuple[int, str, str]

CHECK = re.compile(
    rb"(\x44?\x8d[\x42\x4a\x52\x5a\x62\x6a\x72\x7a\x46\x4e\x56\x5e\x66\x6e\x76\x7e]\xff)"  # lea any, [rdx or rsi - 1]
    rb"(\x41?\x83[\xf8-\xff]\x02)"  # cmp any, 2
    rb"([\x76\x77].)",  # jbe or ja
    re.DOTALL,
)
JBE = 0x76
NOP, JMP = b"\x90", b"\xeb"
#: what is before the check of a forward function: cmp eax, 0x40
FORWARD = b"\x83\xf8\x40"
#: what is after that of a backward one: mov esi, 0xa0 or 0xc0
BACKWARD = {b"\xbe\xa0\x00\x00\x00": "backward to the images", b"\xbe\xc0\x00\x00\x00": "backward to the weights"}
#: bytes around a check in which these are looked for; the functions are about 160 bytes long
NEAR = 96
EXPECTED = [name for name in ("forward", *BACKWARD.values()) for _ in range(2)]

_LOAD = rb"\x44?\x8b[\x40-\x7f]"  # mov any, [any + ...]
CHOICE = re.compile(b"".join(_LOAD + re.escape(bytes([at])) for at in (0x20, 0x24, 0x40, 0x18)), re.DOTALL)
WEIGHTS_PASS = re.compile(rb"\x81[\xf8-\xff]\xc0\0\0\0")  # cmp any, 0xc0
BEGINNING = bytes.fromhex("55 53 48 89 fb")
#: bytes after the loads in which the comparison is looked for, and before them the beginning
AROUND = 256


def _register(lea: bytes) -> int:
    """The number of the register that ``lea`` subtracts 1 from: 2 is edx, 6 is esi."""
    return lea[-2] & 7


def _kind(code: bytes, check: "re.Match[bytes]") -> Optional[str]:
    """Which of the functions a check belongs to; None for a comparison that only looks the same."""
    if _register(check.group(1)) == 2:
        return "forward" if FORWARD in code[max(0, check.start() - NEAR) : check.start()] else None
    after = code[check.end() : check.end() + NEAR]
    return next((name for passed_on, name in BACKWARD.items() if passed_on in after), None)


def _replacement(check: "re.Match[bytes]") -> str:
    """The bytes, as hexadecimal digits, that load AUTO into the algorithm's register and go on."""
    lea, compare, jump = check.groups()
    load = bytes([0xB8 + _register(lea)]) + winograd.AUTO.to_bytes(4, "little")
    end = JMP + jump[1:] if jump[0] == JBE else b""
    fill = NOP * (len(lea + compare + jump) - len(load + end))
    return " ".join(part.hex() for part in (load, fill, end) if part)


def find_sites(code: bytes, start: int = 0) -> List[Tuple[str, Site]]:
    """[(kind of function, site)] of all checks of a convolution's algorithm in ``code``, whose address is ``start``."""
    sites = []
    for check in CHECK.finditer(code):
        kind = _kind(code, check)
        if kind is not None:
            original = " ".join(part.hex() for part in check.groups())
            sites.append((kind, (start + check.start(), original, _replacement(check))))
    return sites


def find_choice(code: bytes, start: int = 0) -> List[Site]:
    """The site of each function in ``code``, whose address is ``start``, that looks like the one that chooses."""
    sites = []
    for loads in CHOICE.finditer(code):
        begin = code.rfind(BEGINNING, max(0, loads.start() - AROUND), loads.start())
        if begin >= 0 and WEIGHTS_PASS.search(code, loads.end(), loads.end() + AROUND):
            length = len(bytes.fromhex(winograd.IS_FASTER))
            sites.append((start + begin, code[begin : begin + length].hex(), winograd.IS_FASTER))
    return sites


def read_code(path: str) -> Tuple[bytes, int]:
    """(machine code, its address) of the ELF file ``path``; ValueError if it is none."""
    with open(path, "rb") as stream:
        try:
            section = ELFFile(stream).get_section_by_name(".text")
        except ELFError as error:
            raise ValueError(f"{path}: not an ELF file ({error})") from None
        return section.data(), section["sh_addr"]


def entry(path: str) -> str:
    """The entry of winograd.SITES for the library ``path``; ValueError unless all seven functions are recognized."""
    code, start = read_code(path)
    sites, choices = find_sites(code, start), find_choice(code, start)
    kinds = [kind for kind, _ in sites]
    if kinds != EXPECTED:
        raise ValueError(
            f"{path}: expected two checks each of {', '.join(EXPECTED[::2])}, in this order; found "
            f"{', '.join(kinds) or 'none'}: look at the code around them with objdump -d"
        )
    lines = [
        f'    (0x{address:X}, "{original}", "{new}"),  # {kind}{" with dilation" if number % 2 else ""}'
        for number, (kind, (address, original, new)) in enumerate(sites)
    ]
    if len(choices) != 1:
        raise ValueError(f"{path}: expected one function that chooses the algorithm; found {len(choices)}")
    address, original, new = choices[0]
    lines.append(f'    (0x{address:X}, "{original}", "{new}"),  # the choice')
    return "\n".join([f'"{build_id(path)}": (', *lines, "),"])


def main(arguments: List[str]) -> None:
    """Print the entry of the library named, or of the mxnet installed."""
    path = arguments[0] if arguments else winograd.library()
    if path is None:
        sys.exit("mxnet is not installed: name a libmxnet.so")
    try:
        print(entry(path))
    except (OSError, ValueError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
