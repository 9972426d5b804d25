"""Print the C source of a libcuda.so.1 whose every function says CUDA_ERROR_NO_DEVICE (100).

The functions are those that the installed libmxnet.so leaves open: read from its ELF symbol table.
"""

import sys
from importlib import util
from pathlib import Path

from elftools.elf.elffile import ELFFile

library = Path(util.find_spec("mxnet").origin).parent / "libmxnet.so"
with open(library, "rb") as stream:
    symbols = ELFFile(stream).get_section_by_name(".dynsym").iter_symbols()
    names = sorted(
        {
            symbol.name
            for symbol in symbols
            if symbol.entry.st_shndx == "SHN_UNDEF"
            and len(symbol.name) > 2
            and symbol.name.startswith("cu")
            and symbol.name[2].isupper()
        }
    )
print("\n".join(f"int {name}(void) {{ return 100; }}" for name in names))
print(f"{len(names)} symbols: {', '.join(names)}", file=sys.stderr)
