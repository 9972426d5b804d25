"""Read a chapter: a notebook, Markdown of d2l or MyST, a jupytext script, or a text whose fences are lost."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Iterator, List, Tuple, Union

import jupytext
import nbformat

from ..errors import DataError
from ..lab.transcript import read_text
from . import pasted
from .cells import FRAMEWORKS, Cell, Chapter, checked, mxnet_only

ENDINGS = (".ipynb", ".md", ".py", ".txt")

_FENCE = re.compile(r"^(\s*)(`{3,}|~{3,})\s*(.*)$")
_TAB = re.compile(r"^(?:#\s*@tab|%%tab)\s+(.+)$", re.MULTILINE)
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*\s*$")
_TAB_ITEM = re.compile(r"^\s*[:`]{3,}\s*\{tab(?:-item)?\}\s*(.+)$")
_TAB_END = re.compile(r"^\s*:{3,}\s*$")
_ENCODING = re.compile(r"\A((?:#.*\n)?#.*coding[:=]\s*)[-\w.]+")
MAY_FAIL = "raises-exception"  # Jupyter's tag


def read(path: Union[str, Path]) -> Chapter:
    """The Chapter in the file at ``path``; DataError if it cannot be read or has no MXNet cell."""
    path, name = Path(path), str(path)
    text = read_text(path)
    if path.suffix == ".ipynb" or text.lstrip().startswith('{"cells"'):
        return checked(_notebook(name, text))
    if path.suffix == ".py":
        return checked(_script(name, text))
    if path.suffix == ".md" or any(_FENCE.match(line) for line in text.splitlines()):
        return checked(_markdown(name, text))
    return checked(Chapter(name, "text", tuple(pasted.cells(text))))


# Notebooks ------------------------------------------------------------------------------------------------------------


def _notebook(name: str, text: str) -> Chapter:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise DataError(f"{name}: not a notebook: expected JSON, found none ({error})") from None
    try:
        notebook = nbformat.convert(nbformat.reads(text, as_version=nbformat.NO_CONVERT), 4)
    except Exception as error:  # nbformat has an exception for each way of being wrong
        found = f"keys {', '.join(list(content)[:5])}" if isinstance(content, dict) else type(content).__name__
        problem = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{name}: not a notebook ({problem}): expected cells, found {found}") from None
    lines = text.splitlines()
    cells, tabs, heading, start = [], [], "", 0
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            heading = next((match[1] for match in map(_HEADING.match, cell.source.splitlines()) if match), heading)
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        start = _place(lines, cell.source, start)
        printed = "\n".join(filter(None, map(output_text, cell.get("outputs", []))))
        cells.append(Cell(cell.source, start + 1 if start >= 0 else 0, printed, heading, _tagged(cell)))
        start = max(start, 0)
        tabs.append(_tab(cell.source) or ", ".join(cell.metadata.get("tab") or []))
    return mxnet_only(name, "notebook", cells, tabs)


def _tagged(cell: Any) -> bool:
    return MAY_FAIL in (cell.metadata.get("tags") or [])


def _place(lines: List[str], source: str, start: int) -> int:
    """Index of the line of a notebook's file that has the first line of ``source``, from ``start`` on; -1 if none."""
    first = json.dumps(source.splitlines()[0], ensure_ascii=False)[1:-1]
    escaped = json.dumps(source.splitlines()[0])[1:-1]
    places = (index for index in range(start, len(lines)) if first in lines[index] or escaped in lines[index])
    return next(places, -1)


def output_text(output: Any) -> str:
    """The text of a notebook's output: what was printed, or a value as plain text; "" for a plot."""
    if output.get("output_type") == "stream":
        return _joined(output.get("text", "")) if output.get("name", "stdout") == "stdout" else ""
    data = output.get("data", {})
    text = _joined(data.get("text/plain", ""))
    return "" if text.startswith(("<Figure", "<matplotlib", "<IPython")) else text


def _joined(text: Any) -> str:
    return "".join(text) if isinstance(text, list) else str(text)


# Markdown -------------------------------------------------------------------------------------------------------------


def _blocks(text: str) -> Iterator[Tuple[int, str, str, str, str]]:
    """(line of the first line inside, info string, content, heading, tab item) of each fenced block."""
    lines, heading, item, index = text.splitlines(), "", "", 0
    while index < len(lines):
        fence = _FENCE.match(lines[index])
        tab_item, title = _TAB_ITEM.match(lines[index]), _HEADING.match(lines[index])
        if tab_item:
            item = tab_item[1].strip().lower()
        elif _TAB_END.match(lines[index]):
            item = ""
        elif title:
            heading = title[1]
        elif fence:
            end = index + 1
            closing = re.compile(rf"^\s*{re.escape(fence[2][0])}{{{len(fence[2])},}}\s*$")
            while end < len(lines) and not closing.match(lines[end]):
                end += 1
            indent = len(fence[1])
            body = [line[indent:] if not line[:indent].strip() else line for line in lines[index + 1 : end]]
            yield index + 2, fence[3].strip(), "\n".join(body), heading, item
            index = end
        index += 1


def _is_code(info: str) -> bool:
    """Whether the info string of a fence is that of a code cell: d2l's, MyST's, or plain Python."""
    words = re.split(r"[\s,{}.]+", info.lower())
    if "output" in words or "eval-rst" in words:
        return False
    return "code-cell" in words or "python" in words or "python3" in words or "py" in words


def _is_output(info: str) -> bool:
    words = re.split(r"[\s,{}.]+", info.lower())
    return "output" in words or info.lower() in ("text", "console", "txt", "")


def _markdown(name: str, text: str) -> Chapter:
    cells: List[Cell] = []
    tabs: List[str] = []
    blocks = list(_blocks(text))
    myst = any("code-cell" in info for _, info, *_ in blocks)  # whose other blocks are only shown
    for line, info, body, heading, item in blocks:
        if _is_code(info) and ("code-cell" in info or not myst):
            whole = body
            body, line = _without_options(body, line)
            if body.strip():
                may_fail = MAY_FAIL in whole[: len(whole) - len(body)]
                cells.append(Cell(body, line, "", heading, may_fail))
                tabs.append(_tab(body) or _framework(item))
        elif _is_output(info) and cells and not cells[-1].printed:
            last = cells[-1]
            cells[-1] = replace(last, printed=_printed(info, body))
    if any(tabs):  # a block without a mark is MXNet's, the edition that the books were written for first
        tabs = [tab or "mxnet" for tab in tabs]
    return mxnet_only(name, "Markdown", cells, tabs)


def _framework(item: str) -> str:
    return next((name for name in FRAMEWORKS if name in item), "")


def _tab(source: str) -> str:
    match = _TAB.search(source)
    return match[1].strip().lower() if match else ""


def _without_options(body: str, line: int) -> Tuple[str, int]:
    """(the code of a cell without MyST's options, the line that it begins in)."""
    lines = body.split("\n")
    count = 0
    if lines and lines[0].strip() == "---":
        count = next((number + 1 for number, text in enumerate(lines[1:], 1) if text.strip() == "---"), 0)
    else:
        while count < len(lines) and re.match(r"^:[\w-]+:", lines[count]):
            count += 1
    return "\n".join(lines[count:]), line + count


def _printed(info: str, body: str) -> str:
    """The text of an output block; d2l's first editions keep a notebook's outputs there as JSON."""
    if "json" not in info.lower():
        return body
    try:
        outputs = json.loads(body)
    except ValueError:
        return body
    return "\n".join(filter(None, map(output_text, outputs if isinstance(outputs, list) else [outputs])))


# Scripts --------------------------------------------------------------------------------------------------------------


def _script(name: str, text: str) -> Chapter:
    # jupytext takes only UTF-8, which the text is by now
    notebook = jupytext.reads(_ENCODING.sub(r"\1utf-8", text), fmt="py")
    lines, cells, heading, start = text.splitlines(), [], "", 0
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            heading = next((match[1] for match in map(_HEADING.match, cell.source.splitlines()) if match), heading)
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        first = cell.source.splitlines()[0].strip()
        place = next((index for index in range(start, len(lines)) if first in lines[index]), -1)
        start = max(place, start)
        cells.append(Cell(cell.source, place + 1, "", heading, _tagged(cell)))
    return mxnet_only(name, "Python script", cells, [_tab(cell.source) for cell in cells])
