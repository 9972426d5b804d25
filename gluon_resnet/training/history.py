"""The records of a run as a table: some points of each epoch, and its end with the test accuracy."""

import pandas as pd

COLUMNS = [
    "epoch",
    "batch",
    "position",
    "examples",
    "loss",
    "train_acc",
    "test_acc",
    "seconds",
    "wait_seconds",
    "test_seconds",
    "examples_per_sec",
]


class History:
    """A listener that keeps ``points`` records an epoch as rows; ``add`` says whether it kept one."""

    def __init__(self, points=20):
        self.points, self.rows = points, []

    def add(self, record):
        """Keep ``record`` if it is due; the epoch's last row is completed when its test accuracy comes in."""
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

    def load(self, path):
        """Take the rows of a history.csv in."""
        self.rows = pd.read_csv(path).replace({float("nan"): None}).to_dict("records")

    def table(self):
        """The rows as a pandas DataFrame with :data:`COLUMNS`."""
        return pd.DataFrame(self.rows, columns=COLUMNS)
