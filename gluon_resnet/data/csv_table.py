"""The lines of a CSV file of images, and which of its columns are the paths, the labels and the parts.

    table = read_table(Path("birds.csv"))
    paths, labels, parts = find_roles(table)         # 0, 1, None: numbers of columns

A column is found by what is in it (names of pictures) and by its name in the first line, which may be missing. Commas,
semicolons and tabs separate; spaces around a value, empty columns and a comma at the end of a line do not count.
"""

import csv
import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import List, NoReturn, Optional, Sequence, Tuple

from ..text import count
from .findings import refusal
from .folder_parts import TRAINING_WORDS, VALIDATION_WORDS, candidates, choose_parts
from .listing import KERAS_SUFFIXES, OTHER_SUFFIXES

SUFFIXES = KERAS_SUFFIXES + OTHER_SUFFIXES
PATH_COLUMNS = (
    *("path", "paths", "filepath", "filepaths", "file", "filename", "image"),
    *("file_path", "file_name", "image_path", "image_name", "img_path", "img_name", "img", "picture", "photo"),
    *("image_id", "id"),
)
LABEL_COLUMNS = ("label", "labels", "class", "species", "category", "class_name", "label_name", "breed", "target")
PART_COLUMNS = ("split", "part", "subset", "data set")
Roles = Tuple[int, int, Optional[int]]  # columns of the paths, the labels and the parts


@dataclass(frozen=True)
class Table:
    """The cells of a CSV file: ``names`` of its columns (empty without a line of names), ``lines`` by their number."""

    path: Path
    names: List[str]
    lines: List[Tuple[int, List[str]]]

    def column(self, c: int) -> List[str]:
        """The cells of column ``c``."""
        return [cells[c] for _, cells in self.lines]


def is_picture_name(name: str) -> bool:
    """Whether ``name`` ends as that of an image file does."""
    return name.lower().endswith(SUFFIXES)


def _cells(path: Path) -> List[Tuple[int, List[str]]]:
    """(number of the line, its cells) of all lines that are not empty."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        first = next((line for line in text.splitlines() if line.strip()), "")
        delimiter = next((mark for mark in ",;\t" if mark in first), ",")
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except UnicodeDecodeError as error:
        raise refusal(f"{path}: not UTF-8 (byte {error.start}): save it as CSV in UTF-8") from None
    except csv.Error as error:
        _refuse(path, str(error))
    except OSError as error:
        raise refusal(f"{path}: cannot be read ({error.strerror}): check its permissions") from None
    return [(number, cells) for number, cells in lines if any(cells)]


def _refuse(path: Path, reason: str) -> NoReturn:
    raise refusal(f"{path}: not a CSV file of paths and labels ({reason}): expected the columns path,label; correct it")


def _width(cells: Sequence[str]) -> int:
    """The number of ``cells`` without empty ones at the end."""
    return max((c for c, cell in enumerate(cells, 1) if cell), default=0)


def read_table(path: Path) -> Table:
    """The :class:`Table` of a CSV file; DataError if it is not one."""
    lines = _cells(path)
    if not lines:
        _refuse(path, "no line")
    first = lines[0][1]
    known = any(cell.lower() in PATH_COLUMNS + LABEL_COLUMNS for cell in first)
    named = not any(map(is_picture_name, first)) and (known or not any(is_there(path.parent, cell) for cell in first))
    width = _width(first) if named else max(_width(cells) for _, cells in lines)
    for number, cells in lines:
        if _width(cells) > width:
            raise refusal(
                f"{path}: line {number}: {count(_width(cells), 'value')}: expected {width} as in the first line; put a "
                f"name with a comma into quotes"
            )
    padded = [(number, (cells + [""] * width)[:width]) for number, cells in lines]
    kept = [c for c in range(width) if any(cells[c] for _, cells in padded)]
    padded = [(number, [cells[c] for c in kept]) for number, cells in padded]
    return Table(path, padded[0][1], padded[1:]) if named else Table(path, [], padded)


def is_there(folder: Path, name: str) -> bool:
    """Whether ``name``, with or without a suffix and whatever its slashes are, is a file in ``folder``."""
    name = name.replace("\\", "/")
    return bool(name) and any(os.path.isfile(folder / f"{name}{suffix}") for suffix in ("", *KERAS_SUFFIXES))


def _by_name(table: Table, known: Sequence[str], columns: Sequence[int]) -> Optional[int]:
    names = [name.lower() for name in table.names]
    return next((names.index(name) for name in known if name in names and names.index(name) in columns), None)


def _counts(values: Sequence[str]) -> bool:
    """Whether ``values`` are 0, 1, 2, ... or 1, 2, 3, ...: the lines' numbers, as a data frame writes them."""
    return any(values == [str(number) for number in range(start, start + len(values))] for start in (0, 1))


def _are_parts(values: Sequence[str]) -> bool:
    """Whether all ``values`` are names of parts, such as train and test."""
    names = sorted(set(values))
    words = TRAINING_WORDS + VALIDATION_WORDS
    return len(names) < 9 and choose_parts(names) is not None and all(candidates([name], words) for name in names)


def find_roles(table: Table) -> Roles:
    """The columns of the paths, the labels and the parts, if any; DataError if they cannot be told apart."""
    columns = list(range(len(table.names or table.lines[0][1])))
    values = [table.column(c) for c in columns]
    pictures = [c for c in columns if 2 * sum(map(is_picture_name, values[c])) > len(values[c])]
    path = pictures[0] if len(pictures) == 1 else _by_name(table, PATH_COLUMNS, pictures or columns)
    if path is None:
        there = [c for c in columns if values[c] and is_there(table.path.parent, values[c][0])]
        path = there[0] if len(there) == 1 else 0 if len(columns) == 2 else None
    part = _by_name(table, PART_COLUMNS, columns)
    if part is None and len(columns) > 2:
        part = next((c for c in columns if c != path and _are_parts(values[c])), None)
    free = [c for c in columns if c not in (path, part)]
    label = _by_name(table, LABEL_COLUMNS, free)
    if label is None:
        free = [c for c in free if c or not _counts(values[c])] if len(free) > 1 else free
        label = free[0] if len(free) == 1 else None
    if path is None or label is None:
        found = ", ".join(table.names or table.lines[0][1])[:200]
        raise refusal(
            f"{table.path}: expected the columns path,label (and split), found {found}; name them in the first line"
        )
    return path, label, part
