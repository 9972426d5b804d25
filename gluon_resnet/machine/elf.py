"""Which shared libraries a library needs, read from the ELF files themselves, and where the loader would find them.

needed_libraries("libmxnet.so")     # [("libgomp.so.1", "/lib/x86_64-linux-gnu/libgomp.so.1"), ...]
"""

import os
import subprocess
from functools import lru_cache
from importlib import util
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Set, Tuple, Union

from . import env

# elftools is imported where it is used: doctor, which imports this module, reports if elftools is missing.


def mxnet_library() -> Optional[Path]:
    """Where libmxnet.so of the installed mxnet is, or should be; None without mxnet. mxnet is not imported."""
    spec = util.find_spec("mxnet")
    return Path(spec.origin).parent / "libmxnet.so" if spec is not None and spec.origin else None


def read_dynamic(path: Union[str, Path]) -> Tuple[List[str], List[str]]:
    """(names of the libraries that the ELF file ``path`` needs, folders it says to look in)."""
    from elftools.elf.elffile import ELFFile

    needed: List[str] = []
    folders: List[str] = []
    with open(path, "rb") as stream:
        section = ELFFile(stream).get_section_by_name(".dynamic")
        for tag in section.iter_tags() if section else ():
            if tag.entry.d_tag == "DT_NEEDED":
                needed.append(tag.needed)
            elif tag.entry.d_tag in ("DT_RPATH", "DT_RUNPATH"):
                text = str(getattr(tag, "rpath", None) or getattr(tag, "runpath", ""))
                folders += text.replace("${ORIGIN}", "$ORIGIN").replace("$ORIGIN", str(Path(path).parent)).split(":")
    return needed, [folder for folder in folders if folder]


def build_id(path: Union[str, Path]) -> Optional[str]:
    """The build id of the ELF file ``path`` as hexadecimal digits; None if it has none."""
    from elftools.elf.elffile import ELFFile

    with open(path, "rb") as stream:
        section = ELFFile(stream).get_section_by_name(".note.gnu.build-id")
        return next((note["n_desc"] for note in section.iter_notes()), None) if section else None


@lru_cache(maxsize=None)
def _loader_cache() -> Dict[str, str]:
    """{name: path} of the libraries in the dynamic loader's cache."""
    for program in ("ldconfig", "/sbin/ldconfig", "/usr/sbin/ldconfig"):
        try:
            done = subprocess.run([program, "-p"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        except OSError:
            continue
        pairs = (line.split("=>") for line in done.stdout.splitlines() if "x86-64" in line)
        return {left.split()[0]: right.strip() for left, right in pairs}
    return {}


def locate(name: str, folders: Sequence[str] = ()) -> Optional[str]:
    """Path at which the library ``name`` would be found; None if it is nowhere.

    Searched in this order: ``folders``, LD_LIBRARY_PATH, the loader's cache and folders, the nvidia wheels that
    env.prepare() opens.
    """
    search = [*folders, *os.environ.get("LD_LIBRARY_PATH", "").split(":")]
    standard = ["/lib", "/usr/lib", "/lib64", "/usr/lib64", "/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu"]
    for folder in filter(None, search):
        if os.path.exists(os.path.join(folder, name)):
            return os.path.join(folder, name)
    if name in _loader_cache():
        return _loader_cache()[name]
    for folder in standard:
        if os.path.exists(os.path.join(folder, name)):
            return os.path.join(folder, name)
    return env.find_cuda_library(name)


def needed_libraries(path: Union[str, Path]) -> List[Tuple[str, Optional[str]]]:
    """[(name, path or None)] of every library that ``path`` needs, directly or through libraries of the same folder."""
    libraries: List[Tuple[str, Optional[str]]] = []
    queue = [str(path)]
    seen: Set[str] = set()
    own = str(Path(path).parent)
    while queue:
        needed, folders = read_dynamic(queue.pop(0))
        for name in needed:
            if name in seen:
                continue
            seen.add(name)
            place = locate(name, folders)
            libraries.append((name, place))
            if place and str(Path(place).parent) == own:  # bundled with mxnet: what it needs is ours to check too
                queue.append(place)
    return libraries
