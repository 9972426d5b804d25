"""A CSV file of paths and labels as a listing; csv_table.py finds its columns.

    path,label[,split]
    birds/0001.jpg,Cockatoo,train

Paths are relative to the file's own folder, or to the one folder next to it that has the files. They may lack their
suffix, and may be written with backslashes. The images are put into the order they would have in folders, so that a
seed holds back the same images from both.
"""

import os
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

from ..text import count
from .csv_table import SUFFIXES, Table, find_roles, is_picture_name, is_there, read_table
from .findings import LEFT_OUT, NOTE, refusal
from .folder_parts import choose_parts, wanted_parts
from .listing import TRAINING, VALIDATION, Listing

Row = Tuple[str, int, str, int]  # name, number of the class, part, number of the line
Line = Tuple[str, str, str, int]  # name, label, part, number of the line
SAMPLE = 20  # lines that say where the files are


class _Paths:
    """The files that paths in a CSV file in ``folder`` mean."""

    def __init__(self, folder: Path, paths: Sequence[str]) -> None:
        self.folder, self.suffix = folder, ".jpg"
        self.base = self._base([path.replace("\\", "/") for path in paths[:SAMPLE]])

    def _base(self, paths: Sequence[str]) -> str:
        """The one folder in it in which most of ``paths`` are, with "/"; "" if they begin in itself, or in none."""
        if any(is_there(self.folder, path) for path in paths):
            return ""
        try:
            names = sorted(entry.name for entry in os.scandir(self.folder) if entry.is_dir())
        except OSError:
            return ""
        found = [name for name in names if 2 * sum(is_there(self.folder / name, path) for path in paths) > len(paths)]
        return f"{found[0]}/" if len(found) == 1 else ""

    def find(self, path: str) -> str:
        """The name of the file that ``path`` means; itself, with slashes, if there is none."""
        plain = "\\" not in path and is_picture_name(path) and not self.base
        if plain or os.path.isfile(self.folder / path):
            return path
        name = self.base + path.replace("\\", "/")
        if is_picture_name(name) or os.path.isfile(self.folder / name):
            return name
        for suffix in (self.suffix, *SUFFIXES, *map(str.upper, SUFFIXES)):
            if os.path.isfile(self.folder / (name + suffix)):
                self.suffix = suffix  # the next one has the same, as a rule
                return name + suffix
        return name


def _sorted_classes(labels: Sequence[str]) -> List[str]:
    """The different labels: numbers by size, words by character."""
    return sorted(set(labels), key=int) if all(label.isdecimal() for label in labels) else sorted(set(labels))


def list_csv(path: Path, parts: Optional[str] = None) -> Listing:
    """The :class:`~.listing.Listing` of a CSV file with the columns path, label and, if it is already split, split.

    ``parts`` names the values of split that train and validate, or the one that is split; "classes": split does not
    count. Raises DataError.
    """
    table = read_table(path)
    listing = Listing(str(path), path.parent, [])
    lines, is_split = _lines(listing, table)
    listing.class_names = _sorted_classes([label for _, label, _, _ in lines])
    numbers = {name: label for label, name in enumerate(listing.class_names)}
    rows = sorted(
        ((name, numbers[label], part, line) for name, label, part, line in lines),
        key=lambda row: (row[1], *os.path.split(row[0]), row[3]),
    )
    if parts and not is_split and wanted_parts(parts):
        raise refusal(f"{path}: parts is {parts!r}: expected a column split with these values, found none")
    if is_split and not (parts and not wanted_parts(parts)):
        _add_parts(listing, rows, wanted_parts(parts) if parts else None)
        return listing
    for name, label, _, _ in rows:
        listing.add(name, label)
    return listing


def _lines(listing: Listing, table: Table) -> Tuple[List[Line], bool]:
    """(the lines with an image, whether there is a column of parts); what is odd about others is noted."""
    path_column, label_column, part_column = find_roles(table)
    paths = _Paths(listing.root, table.column(path_column))
    if paths.base:
        listing.layout = f"its paths begin in {paths.base}"
    lines: List[Line] = []
    seen: Dict[Tuple[str, str], int] = {}
    for line, cells in table.lines:
        written, label = cells[path_column], cells[label_column]
        if not written or not label:
            found = written or label or "neither"
            listing.say(f"line {line}", "line without path or label", LEFT_OUT, "both", found, "complete or remove it")
            continue
        name = paths.find(written)
        if (name, label) in seen:
            listing.say(
                f"line {line}",
                "picture named twice",
                LEFT_OUT,
                "every picture once",
                f"{name} in line {seen[name, label]} too",
                "remove one of the lines",
            )
        else:
            seen[name, label] = line
            lines.append((name, label, "" if part_column is None else cells[part_column], line))
    return lines, part_column is not None


def _add_parts(listing: Listing, rows: Sequence[Row], wanted: Optional[List[str]]) -> None:
    """Add the images of a CSV with a column of parts; ``wanted`` are the values that were asked for, if any."""
    values = sorted({part for _, _, part, _ in rows})
    chosen = wanted or list((choose_parts(values) or ())[:2])
    missing = [name for name in chosen if name not in values]
    if missing or not chosen:
        raise refusal(
            f"{listing.where}: the column split holds {', '.join(values)[:200]}: expected "
            f"{' and '.join(missing) or 'train and val'}; rename them, or say which are meant (--parts A,B)"
        )
    listing.parts = [] if len(chosen) == 2 else None
    for name, label, part, _ in rows:
        if part in chosen:
            listing.add(name, label, TRAINING if part == chosen[0] else VALIDATION)
    for other in values:
        if other not in chosen:
            number = sum(part == other for _, _, part, _ in rows)
            listing.say(
                f"split {other or '(empty)'}",
                "part not used",
                NOTE,
                f"the parts {' and '.join(chosen)}",
                count(number),
                "make a CSV of its own of them to use them",
            )
