"""The looks at the test part of a run that was tested on a hold-out: test_looks.csv in its folder.

    date,test_acc
    2026-11-28T11:02:03+00:00,0.9103

The more often one looks, and chooses by what one sees, the less the test part says about unseen images.
"""

from datetime import datetime
from pathlib import Path

import pandas as pd

from ..errors import RunError
from ..files import writing

NAME = "test_looks.csv"
COLUMNS = ["date", "test_acc"]


def read(path: Path) -> pd.DataFrame:
    """The looks that are noted in the run folder ``path``, as a table; RunError if it is damaged."""
    file = path / NAME
    try:
        looks = pd.read_csv(file) if file.exists() else pd.DataFrame(columns=COLUMNS)
        if list(looks.columns) != COLUMNS:
            raise ValueError(f"expected the columns {', '.join(COLUMNS)}")
    except ValueError as error:  # pandas' own errors are ValueErrors, too
        raise RunError(f"{file}: damaged ({' '.join(str(error).split())}): copy the run folder again") from None
    return looks


def note(path: Path, test_acc: float) -> str:
    """Note a look in the run folder ``path``, and return a line that says how many there were before.

    Raises RunError if the list of the looks before is damaged, or cannot be written.
    """
    file, before = path / NAME, read(path)
    rows = [*before.values.tolist(), [datetime.now().astimezone().isoformat(timespec="seconds"), test_acc]]
    with writing(file) as temporary:
        pd.DataFrame(rows, columns=COLUMNS).to_csv(temporary, index=False, float_format="%.6g")
    if not len(before):
        return "the test part: this is the run's first look at it"
    times = "once" if len(before) == 1 else f"{len(before)} times"
    return f"the test part: looked at {times} before, first on {str(before['date'].iloc[0])[:10]} ({NAME})"
