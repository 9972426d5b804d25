"""A CSV file of paths and labels as a listing; read by pandas.

    path,label[,split]
    birds/0001.jpg,Cockatoo,train

Paths are relative to the file's own folder. The images are put into the order they would have in folders, so that a
seed holds back the same images from both.
"""

import os
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

import pandas as pd

from ..text import count
from .findings import LEFT_OUT, NOTE, refusal
from .listing import KERAS_SUFFIXES, OTHER_SUFFIXES, TRAINING, VALIDATION, Listing, choose_parts

Row = Tuple[str, int, str, int]  # name, number of the class, part, number of the line
PATH_COLUMNS = ("path", "paths", "filepath", "filepaths", "file", "filename", "image")
LABEL_COLUMNS = ("label", "labels", "class", "species", "category")
PART_COLUMNS = ("split", "part", "subset", "data set")


def _read(path: Path, **options: Any) -> pd.DataFrame:
    try:
        return pd.read_csv(
            path, dtype=str, keep_default_na=False, encoding="utf-8-sig", skip_blank_lines=False, **options
        )
    except UnicodeDecodeError as error:
        raise refusal(f"{path}: not UTF-8 (byte {error.start}): save it as CSV in UTF-8") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        reason = " ".join(str(error).split())
        raise refusal(
            f"{path}: not a CSV file of paths and labels ({reason}): expected the columns path,label; correct it"
        ) from None
    except OSError as error:
        raise refusal(f"{path}: cannot be read ({error.strerror}): check its permissions") from None


def _columns(path: Path, table: pd.DataFrame) -> List[Any]:
    """(paths, labels, parts or None) of the table, as Series."""
    names = {str(name).strip().lower(): name for name in table.columns}
    columns = [
        next((table[names[name]] for name in known if name in names), None)
        for known in (PATH_COLUMNS, LABEL_COLUMNS, PART_COLUMNS)
    ]
    if columns[0] is None or columns[1] is None:
        if len(table.columns) != 2:
            names_there = ", ".join(map(str, table.columns))[:200]
            raise refusal(
                f"{path}: expected the columns path,label (and split), found {names_there}; name them in the first line"
            )
        columns = [table.iloc[:, 0], table.iloc[:, 1], None]
    return [column if column is None else column.str.strip() for column in columns]


def _sorted_classes(labels: Sequence[str]) -> List[str]:
    """The different labels: numbers by size, words by character."""
    return sorted(set(labels), key=int) if all(label.isdecimal() for label in labels) else sorted(set(labels))


def list_csv(path: Path) -> Listing:
    """The :class:`~.listing.Listing` of a CSV file with the columns path, label and, if it is already split, split.

    Without a line of names the first two columns are taken. Raises DataError.
    """
    table = _read(path)
    first_line = 2  # of the data
    if len(table.columns) >= 2 and str(table.columns[0]).lower().endswith(KERAS_SUFFIXES + OTHER_SUFFIXES):
        table, first_line = _read(path, header=None), 1
    paths, labels, parts = _columns(path, table)
    listing = Listing(str(path), path.parent, [])
    lines: List[Tuple[str, str, str, int]] = []  # name, label, part, number of the line
    seen: Dict[Tuple[str, str], int] = {}
    for line, (name, label) in enumerate(zip(paths, labels), first_line):
        if not name and not label:
            continue
        if not name or not label:
            listing.say(
                f"line {line}", "line without path or label", LEFT_OUT, "both", name or label, "complete or remove it"
            )
        elif (name, label) in seen:
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
            lines.append((name, label, "" if parts is None else parts.iloc[line - first_line], line))
    listing.class_names = _sorted_classes([label for _, label, _, _ in lines])
    numbers = {name: label for label, name in enumerate(listing.class_names)}
    rows = sorted(
        ((name, numbers[label], part, line) for name, label, part, line in lines),
        key=lambda row: (row[1], *os.path.split(row[0]), row[3]),
    )
    _add(listing, rows, parts is not None)
    return listing


def _add(listing: Listing, rows: Sequence[Row], is_split: bool) -> None:
    if not is_split:
        for name, label, _, _ in rows:
            listing.add(name, label)
        return
    values = sorted({part for _, _, part, _ in rows})
    chosen = choose_parts(values)
    if chosen is None:
        raise refusal(
            f"{listing.where}: the column split holds {', '.join(values)[:200]}: expected train and val; rename them"
        )
    training, validation, others = chosen
    listing.parts = []
    for name, label, part, _ in rows:
        if part not in others:
            listing.add(name, label, TRAINING if part == training else VALIDATION)
    for other in others:
        number = sum(part == other for _, _, part, _ in rows)
        listing.say(
            f"split {other or '(empty)'}",
            "part not used",
            NOTE,
            f"the parts {training} and {validation}",
            count(number),
            "make a CSV of its own of them to use them",
        )
