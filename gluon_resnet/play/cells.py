"""A chapter as cells: what every format is read into."""

import re
from dataclasses import dataclass, field
from typing import Dict, List, Tuple

from ..editions import releases
from ..errors import DataError

FRAMEWORKS = ("mxnet", "pytorch", "tensorflow", "jax", "paddle", "numpy")

_MXNET_IMPORT = re.compile(r"^from\s+mxnet\s+import\s+(.+)$", re.MULTILINE)
_DRAFTS = re.compile(r"\b(?:load_data_fashion_mnist|evaluate_accuracy|try_gpu|SGD)\b")


@dataclass(frozen=True)
class Cell:
    """A code cell."""

    source: str
    line: int  # of the file, from 1; 0 if unknown
    printed: str = ""  # what the file shows as its output
    heading: str = ""  # the last heading before it
    may_fail: bool = False  # the file says that this cell raises an exception, as Jupyter's tag does


@dataclass(frozen=True)
class Chapter:
    """The MXNet cells of a file, in order; ``left_out`` counts the cells of other frameworks."""

    path: str  # as the user named it
    form: str  # "notebook", "Markdown", "Python script" or "text"
    cells: Tuple[Cell, ...]
    left_out: Dict[str, int] = field(default_factory=dict)

    @property
    def devices(self) -> int:
        """How many GPUs the cells work on at once: 2 if they name two, otherwise 1."""
        code = "\n".join(cell.source for cell in self.cells)
        return 2 if re.search(r"num_gpus\s*=\s*2|\bgpu\(1\)|try_gpu\(i\) for i in range\(2\)", code) else 1

    @property
    def gpus(self) -> List[int]:
        """The numbers of the GPUs that the cells name; not those that a loop tries until one is not there."""
        code = "\n".join(cell.source for cell in self.cells)
        return sorted({*range(self.devices), *map(int, re.findall(r"\bgpu\((\d+)\)", code))})

    @property
    def classic(self) -> bool:
        """Whether ``import d2l`` means an edition on mxnet.nd arrays, d2l 0.8 or 0.9.

        ``d2l.mxnet`` came with d2l 0.13, when the books were on mxnet.np already. A chapter that imports neither kind
        of array is one of these editions if they had every name of d2l that it uses.
        """
        code = "\n".join(cell.source for cell in self.cells)
        if re.search(r"from\s+d2l\s+import\s+mxnet", code):
            return False
        imported = {name for line in _MXNET_IMPORT.findall(code) for name in re.split(r"[\s,()]+", line)}
        if imported & {"nd", "np", "npx"}:
            return "nd" in imported and "np" not in imported
        names = set(re.findall(r"\bd2l\.(\w+)", code)) - {"plt"}
        return bool(names) and all(re.search(r"gluonbook|d2lzh|d2l 0\.8", releases.of(name)) for name in names)

    @property
    def stand_ins(self) -> List[str]:
        """The modules that the cells import and that imports.py has something for if nothing else is found.

        ``utils`` is a common name: it is the file of the Chinese first edition's drafts if it is used as such.
        """
        code = "\n".join(cell.source for cell in self.cells)
        imports = r"^\s*(?:import|from)\s+{}\b"
        found = ["google.colab"] if re.search(imports.format(r"google\.colab"), code, re.MULTILINE) else []
        if re.search(imports.format("utils"), code, re.MULTILINE) and re.search(_DRAFTS, code):
            found.append("utils")
        return found


def checked(chapter: Chapter) -> Chapter:
    """``chapter`` itself; DataError if it has no MXNet cell."""
    if chapter.cells:
        return chapter
    total = sum(chapter.left_out.values())
    if not total:
        raise DataError(f"{chapter.path}: no code cells: expected a chapter with cells of Python code")
    counts = ", ".join(f"{count} of {total} are {name}" for name, count in sorted(chapter.left_out.items()))
    raise DataError(f"{chapter.path}: no MXNet cells: {counts}; expected the MXNet edition of the chapter")


def framework_of(source: str) -> str:
    """The framework that a cell imports, "" if none: "pytorch" for ``from d2l import torch as d2l``."""
    words = {"torch": "pytorch", "tensorflow": "tensorflow", "jax": "jax", "flax": "jax", "paddle": "paddle"}
    for line in source.splitlines():
        parts = line.replace(",", " ").split()
        if not parts or parts[0] not in ("import", "from"):
            continue
        if {"mxnet", "d2lzh", "gluonbook"} & {part.split(".")[0] for part in parts[1:]}:
            return "mxnet"
        for part in parts[1:]:
            if part.split(".")[0] in words:
                return words[part.split(".")[0]]
    return ""


def mxnet_only(path: str, form: str, cells: List[Cell], tabs: List[str]) -> Chapter:
    """The Chapter of ``cells``, without those whose tab names other frameworks.

    Args:
        path: as the user named the file.
        form: what kind of file it is.
        cells: all code cells.
        tabs: for each cell the frameworks that it is for, "mxnet, tensorflow" or "all"; "" if the file does not say. A
            file that says so for no cell is a chapter of the framework that it imports.
    """
    if not any(tabs):
        imported = [name for name in (framework_of(cell.source) for cell in cells) if name]
        other = imported[0] if imported and "mxnet" not in imported else ""
        tabs = [other] * len(cells)
    chosen: List[Cell] = []
    left_out: Dict[str, int] = {}
    for cell, tab in zip(cells, tabs):
        names = [name.strip() for name in tab.split(",")]
        if not tab or "mxnet" in names or "all" in names:
            chosen.append(cell)
        else:
            left_out[names[0]] = left_out.get(names[0], 0) + 1
    return Chapter(path, form, tuple(chosen), left_out)
