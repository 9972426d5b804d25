"""Texts for a person: counts, durations, tables, names that any terminal can show."""

from typing import Any


def printable(name: object) -> str:
    """``name`` as text that any terminal can print: bytes that are not UTF-8 become question marks."""
    return str(name).encode("utf-8", "replace").decode("utf-8")


def count(number: int, what: str = "picture") -> str:
    """``1 picture``, ``2,000 pictures``."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """``seconds`` in words, such as "12 min 5 s"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return " ".join(
        f"{number} {unit}"
        for number, unit in ((hours, "h"), (minutes, "min"), (rest, "s"))
        if number or (unit == "s" and not hours and not minutes)
    )


def table(rows: Any, headers: Any = "keys", **options: Any) -> str:
    """``rows`` as a table for a terminal, its text and numbers unchanged; the arguments are those of ``tabulate``."""
    from tabulate import tabulate  # files.py uses this module before any package need be there

    return tabulate(rows, headers=headers, disable_numparse=True, **options)


def last_line(error: object) -> str:
    """The last line of a message that is not empty; in mxnet's messages it says what is wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else ""
