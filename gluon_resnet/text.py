"""Texts for a person: counts, durations, tables, names that any terminal can show."""

import json
import re
import reprlib
import shutil
import sys
import textwrap
from typing import Any, Iterable, List, Optional, Sequence, Tuple

MAX_DIGITS = 20  # of a whole number in JSON: 64 bits have fewer

#: What a terminal obeys instead of showing it: control characters of both sets, line and paragraph separators, and
#: marks that turn the direction of what follows. A line feed and a tab are left.
OBEYED = "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
_OBEYED = re.compile(f"(?!\r\n)[{OBEYED}]")  # a carriage return before a line feed is the end of a line
_MOVES = re.compile(r"\r|\n*(?:\x1b\[A)+\Z")  # of tqdm's
_COMMAND = re.compile(r"[a-z ]{1,12}: gluon-resnet ")  # a line such as "next: gluon-resnet evaluate runs/birds"
_OBEYED_IN_LINE = re.compile(f"[{OBEYED}\t\n]")


def _escaped(match: Any) -> str:
    return f"\\u{ord(match[0]):04x}"


def printable(text: object) -> str:
    """``text``, of one or more lines, as any terminal can show it.

    Bytes that are not UTF-8 become question marks. What a terminal would obey is written as ``\\u001b``, which means
    the same in JSON.
    """
    return _OBEYED.sub(_escaped, str(text).encode("utf-8", "replace").decode("utf-8"))


def one_line(name: object) -> str:
    """A name from outside, such as that of a file, as :func:`printable` text of one line."""
    return _OBEYED_IN_LINE.sub(_escaped, printable(name))


def terminal_width(stream: Any = None) -> Optional[int]:
    """Columns of the terminal that ``stream``, by default standard output, writes to; None if it is none."""
    return shutil.get_terminal_size().columns if (stream or sys.stdout).isatty() else None


def wrapped(text: str, width: int) -> str:
    """``text`` with its long lines broken between words, where a terminal would break words.

    A command at a line's end, after ``run: ``, gets a line of its own, in one piece, so that it can be copied. Lines
    of tables, with two blanks or a tab inside, are left, and so are lines that are a command after a word or two.
    """
    return "\n".join(_wrapped_line(line, width) for line in text.split("\n"))


def _wrapped_line(line: str, width: int) -> str:
    if len(line) <= width or "\t" in line or "  " in line.strip() or _COMMAND.match(line):
        return line
    before, run, command = line.partition(" run: ")
    lines = textwrap.fill(before + run.rstrip(), width, break_long_words=False, break_on_hyphens=False)
    return f"{lines}\n{command}" if command else lines


class Terminal:
    """A stream for a person: passes everything on to ``stream``, what is written as :func:`printable` text.

    Long lines on a terminal are :func:`wrapped`. What tqdm writes to move the cursor is left: a carriage return at the
    start, or nothing but moves up and down.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write ``text``; returns its length."""
        moves = _MOVES.match(text)
        start = moves[0] if moves else ""
        rest = printable(text[len(start) :])
        width = None if moves else terminal_width(self._stream)
        self._stream.write(start + (wrapped(rest, width) if width else rest))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write ``lines``."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def short(value: object) -> str:
    """repr() of a value from outside, cut off in the middle if it is long; what is nested deep is not shown."""
    shortened = reprlib.Repr()
    shortened.maxlevel, shortened.maxstring, shortened.maxlong, shortened.maxother = 2, 60, 60, 60
    try:
        return shortened.repr(value)
    except ValueError:  # a number of more digits than Python prints
        return "a number of too many digits"


def parse_json(content: str) -> Any:
    """The value of a JSON text from outside; ValueError also if it is nested too deep, or a number has many digits."""

    def whole(digits: str) -> int:
        if len(digits) > MAX_DIGITS:  # reading a million digits takes minutes before Python 3.11
            raise ValueError(f"a number of {len(digits):,} digits")
        return int(digits)

    try:
        return json.loads(content, parse_int=whole)
    except RecursionError:
        raise ValueError("nested too deep") from None


def count(number: int, what: str = "picture") -> str:
    """``1 picture``, ``2,000 pictures``, ``3 batches``."""
    ending = "" if number == 1 else "es" if what.endswith(("s", "tch")) else "s"
    return f"{number:,} {what}{ending}"


def duration(seconds: float) -> str:
    """``seconds`` in words, such as "12 min 5 s"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return " ".join(
        f"{number} {unit}"
        for number, unit in ((hours, "h"), (minutes, "min"), (rest, "s"))
        if number or (unit == "s" and not hours and not minutes)
    )


def table(rows: Any, headers: Any = "keys", escape: bool = True, **options: Any) -> str:
    """``rows`` as a table for a terminal; the other arguments are those of ``tabulate``.

    ``rows`` are sequences, or a DataFrame, of which the index is left out. With ``escape`` each cell is one line; a
    table that has cells of several lines, and no text from outside, does without.
    """
    from tabulate import tabulate  # files.py uses this module before any package need be there

    if hasattr(rows, "columns"):
        headers, rows = list(rows.columns) if headers == "keys" else headers, rows.values
    cells = [[one_line(cell) if escape and isinstance(cell, str) else cell for cell in row] for row in rows]
    return tabulate(cells, headers=headers, disable_numparse=True, **options)


def fitted(rows: Any, width: Optional[int], dispensable: Sequence[str]) -> Tuple[str, List[str]]:
    """(table of a DataFrame for a terminal, names of the columns left out so that it fits).

    Args:
        rows: the DataFrame.
        width: columns of the terminal; None leaves nothing out.
        dispensable: names of columns that may be left out, the first one first.
    """
    left_out: List[str] = []
    shown = table(rows)
    for name in dispensable:
        if not width or max(map(len, shown.split("\n"))) <= width:
            break
        left_out.append(name)
        shown = table(rows.drop(columns=left_out))
    return shown, left_out


def last_line(error: object) -> str:
    """The last line of a message that is not empty; in mxnet's messages it says what is wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else ""
