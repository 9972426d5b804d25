"""Which releases of d2l, d2lzh and gluonbook had which name: the table in releases.csv.

    releases.of("train_ch3")      # "gluonbook 0.6 to 0.8; d2lzh 1.0; d2l 0.8 to 0.17"

The table was read from the packages on PyPI: gluonbook 0.6.11 and 0.8.10, d2lzh 1.0.0, and the last release of each
d2l from 0.8 to 1.0. It has the functions, classes and variables that their MXNet modules define. d2l 0.8 and 0.9 use
mxnet.nd arrays, as d2lzh does; later ones use mxnet.np.
"""

import csv
from functools import lru_cache
from pathlib import Path
from typing import Dict, Iterable

from ..errors import did_you_mean

TABLE = Path(__file__).with_name("releases.csv")


@lru_cache(maxsize=None)
def table() -> Dict[str, str]:
    """{name: its releases} of every name, in alphabetical order."""
    with TABLE.open(encoding="utf-8", newline="") as stream:
        return {row["name"]: row["releases"] for row in csv.DictReader(stream)}


def of(name: str) -> str:
    """The releases that had ``name``, or an empty string if none did."""
    return table().get(name, "")


def missing(library: str, name: str, available: Iterable[str]) -> AttributeError:
    """The error for a name that ``library`` lacks here: the releases that had it, and the nearest available name."""
    if name.startswith("__"):  # Python itself asks
        return AttributeError(name)
    had = of(name)
    history = f"only in {had}, and not restored here" if had else "in no release"
    return AttributeError(
        f"{library} has no '{name}' ({history}); {did_you_mean(name, list(available))}docs/d2l.md lists the names "
        f"that are here"
    )
