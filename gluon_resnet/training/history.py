"""The records of a run as a table: some points of each epoch, and its end with the test accuracy and loss."""

from pathlib import Path
from typing import Any, Dict, List, Union

import pandas as pd

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
]
LATER = ("test_loss", "others_cores")  # columns that the files of older versions lack


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

    def load(self, path: Union[str, Path]) -> None:
        """Replace the rows by those of a history.csv, which may lack the columns :data:`LATER`."""
        rows = pd.read_csv(path).replace({float("nan"): None}).to_dict("records")
        self.rows = [{**dict.fromkeys(LATER), **row} for row in rows]

    def table(self) -> pd.DataFrame:
        """The rows as a pandas DataFrame with :data:`COLUMNS`."""
        return pd.DataFrame(self.rows, columns=COLUMNS)
