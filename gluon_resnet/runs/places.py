"""Where run folders are: names alone, for which no run is read."""

from pathlib import Path
from typing import List

EVERY_RUN = ("config.json", "env.json")  # a folder with one of them is, or was, a run


def is_run(folder: Path) -> bool:
    """Whether ``folder`` is, or was, a run folder."""
    return any((folder / name).exists() for name in EVERY_RUN)


def runs_in(folder: Path) -> List[Path]:
    """The run folders in ``folder``, sorted by name."""
    return sorted(filter(is_run, folder.iterdir()))
