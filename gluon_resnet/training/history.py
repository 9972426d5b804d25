"""The records of a run as a table: some points of each epoch, and its end with the test accuracy and loss."""

import hashlib
from pathlib import Path
from typing import Any, Dict, List, Sequence, Union

import numpy
import pandas as pd

from ..errors import RunError
from .progress import Record

COLUMNS = [
    "epoch",
    "batch",
    "position",
    "examples",
    "loss",
    "train_acc",
    "test_acc",
    "test_loss",
    "seconds",
    "wait_seconds",
    "test_seconds",
    "examples_per_sec",
    "others_cores",
    "lr",
    "side",
    "views_acc",
    "views_seconds",
]
NEWEST = ("lr", "side", "views_acc", "views_seconds")
LATER = ("test_loss", "others_cores", *NEWEST)  # columns that the files of older versions lack
WHOLE = ("epoch", "batch", "examples")  # columns of whole numbers from 1
SOME = ("test_acc", "test_seconds", *LATER)  # columns that may be empty
ADVICE = "copy the run folder again, or remove this file to go on without it"


class History:
    """The rows of a run: about ``points`` records of each epoch."""

    def __init__(self, points: int = 20) -> None:
        self.points = points
        self.rows: List[Dict[str, Any]] = []

    def add(self, record: Record) -> bool:
        """Keep ``record`` if it is due, and return whether it was; a test accuracy completes the epoch's last row."""
        every = max(1, record.num_batches // self.points)
        if record.batch % every and record.batch != record.num_batches and record.test_acc is None:
            return False
        row = {column: getattr(record, column) for column in COLUMNS}
        same = self.rows and (self.rows[-1]["epoch"], self.rows[-1]["batch"]) == (record.epoch, record.batch)
        if same:
            self.rows[-1] = row
        else:
            self.rows.append(row)
        return True

    def load(self, path: Union[str, Path], diverged: bool = False) -> None:
        """Replace the rows by those of a history.csv, which may lack the columns :data:`LATER`.

        In that of a run that has ``diverged``, losses and accuracies may be missing or infinite. Raises RunError if it
        is damaged.
        """
        try:
            table = pd.read_csv(path)
            _check(table, (*SOME, "loss", "train_acc") if diverged else SOME)
        except ValueError as error:  # pandas' own errors are ValueErrors, too
            raise RunError(f"{path}: damaged: {' '.join(str(error).split())}; {ADVICE}") from None
        rows = table.replace({float("nan"): None}).to_dict("records")
        self.rows = [{**dict.fromkeys(LATER), **row} for row in rows]

    def table(self) -> pd.DataFrame:
        """The rows as a pandas DataFrame with :data:`COLUMNS`."""
        return pd.DataFrame(self.rows, columns=COLUMNS)

    def text(self) -> str:
        """The content of a history.csv."""
        return _text(self.table())

    def digest(self, epoch: int, batch: int) -> str:
        """SHA-256 of the rows before ``batch`` of ``epoch``, which no longer change then."""
        before = History()
        before.rows = [row for row in self.rows if (row["epoch"], row["batch"]) < (epoch, batch)]
        table = before.table()
        # without the columns that are still empty: an older version, whose checkpoints keep this hash, had none of them
        empty = [name for name in NEWEST if table[name].isna().all()]
        return hashlib.sha256(_text(table.drop(columns=empty)).encode()).hexdigest()


def _text(table: pd.DataFrame) -> str:
    return str(table.to_csv(index=False, float_format="%.6g"))


def _check(table: pd.DataFrame, some: Sequence[str]) -> None:
    """Raise ValueError unless a History can have written ``table``, in which the columns ``some`` may be empty."""
    if set(table.columns) | set(LATER) != set(COLUMNS):
        raise ValueError(f"expected the columns {', '.join(COLUMNS)}, found {', '.join(map(str, table.columns))}")
    for name in table.columns:
        values = pd.to_numeric(table[name], errors="coerce").astype(float)
        wrong = ~numpy.isfinite(values) & (table[name].notna() if name in some else True)
        if name not in SOME and name in some:  # of a run that has diverged
            wrong &= ~numpy.isinf(values)
        if name in WHOLE:
            wrong |= (values < 1) | (values % 1 != 0)
        if wrong.any():
            row = int(numpy.argmax(wrong))
            kind = "a whole number of at least 1" if name in WHOLE else "a number"
            raise ValueError(f"line {row + 2}: {name} is {str(table[name].iloc[row])[:60]!r}: expected {kind}")
    places = list(zip(table["epoch"], table["batch"]))
    for row in range(1, len(places)):
        if places[row] <= places[row - 1]:
            raise ValueError(f"line {row + 2}: epoch {places[row][0]}, batch {places[row][1]}: expected a later one")
