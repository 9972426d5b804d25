"""Made-up GPUs: libraries with fat binaries, written byte by byte, and a driver's library, compiled by gcc.

(tmp_path / "libmxnet.so").write_bytes(elf_file(fat_binary((2, 70), (2, 80)), fat_binary((1, 70))))
compile_driver(tmp_path, [("NVIDIA T4", 7, 5)])      # tmp_path/libcuda.so.1
"""

import shutil
import struct
import subprocess

import pytest

compiler = pytest.mark.skipif(not shutil.which("gcc"), reason="needs gcc to make a driver's library")

CARDS = [("NVIDIA T4", 7, 5), ("NVIDIA GeForce RTX 4090", 8, 9), ("NVIDIA H100 PCIe", 9, 0), ("Tesla K80", 3, 7)]


def fat_binary(*entries, payload=b"\x7fELF" + b"code" * 9):
    """A fat binary of entries (kind, compute capability as 86); kind 1 is PTX, 2 machine code."""
    body = b""
    for kind, capability in entries:
        header = bytearray(64)
        header[0:2] = kind.to_bytes(2, "little")
        header[2:4] = b"\x01\x01"
        header[4:8] = (64).to_bytes(4, "little")
        header[8:16] = len(payload).to_bytes(8, "little")
        header[28:32] = capability.to_bytes(4, "little")
        body += bytes(header) + payload
    return b"\x50\xed\x55\xba" + b"\x01\x00" + b"\x10\x00" + len(body).to_bytes(8, "little") + body


def elf_file(*fat_binaries, name=".nv_fatbin", padding=24):
    """A 64-bit ELF file with the fat binaries in one section, zeros between them."""
    content = b"".join(each + bytes(padding) for each in fat_binaries)
    names = b"\0" + name.encode() + b"\0.shstrtab\0"
    start = 64  # of the content, after the ELF header
    sections = [
        (0, 0, 0, 0),
        (1, 1, start, len(content)),  # (name, type, offset, size): PROGBITS
        (len(name) + 2, 3, start + len(content), len(names)),  # STRTAB
    ]
    header = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 0, start + len(content) + len(names), 0, 64, 0, 0, 64, 3, 2)
    table = b"".join(
        struct.pack("<IIQQQQIIQQ", name, kind, 0, 0, offset, size, 0, 0, 1, 0) for name, kind, offset, size in sections
    )
    return header + content + names + table


def compile_driver(folder, cards, cuda=12040, start="return 0;"):
    """A libcuda.so.1 in ``folder`` that knows (name, major, minor) of each card; ``start`` is what cuInit does."""
    table = ", ".join(f'{{"{name}", {major}, {minor}}}' for name, major, minor in cards) or "{0, 0, 0}"
    source = f"""
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static struct {{ const char *name; int major, minor; }} cards[] = {{ {table} }};
enum {{ COUNT = {len(cards)}, FIRST = 40 }};  /* the handle of card 0 */
int cuInit(unsigned flags) {{ {start} }}
int cuDriverGetVersion(int *version) {{ *version = {cuda}; return 0; }}
int cuDeviceGetCount(int *count) {{ *count = COUNT; return 0; }}
int cuDeviceGet(int *device, int number) {{ *device = FIRST + number; return number < COUNT ? 0 : 101; }}
int cuDeviceGetName(char *name, int size, int device) {{ strncpy(name, cards[device - FIRST].name, size); return 0; }}
int cuDeviceGetAttribute(int *value, int attribute, int device) {{
    if (attribute != 75 && attribute != 76) return 1;
    *value = attribute == 75 ? cards[device - FIRST].major : cards[device - FIRST].minor;
    return 0;
}}
"""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cuda.c").write_text(source)
    library = str(folder / "libcuda.so.1")
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-o", library, str(folder / "cuda.c")], check=True
    )
    return folder
