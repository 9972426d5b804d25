"""The files that a run was trained and validated on: files.csv.gz in its folder.

    part,name,class,bytes,sha256
    training,finch/p001.jpg,finch,1834,5e9c...

What opens a run's data again takes its images from this list instead of splitting them again, and says what has changed
since. 100,000 images take about 5 MB. Run folders from before 2026-11-28 have no list; their data are split again.
"""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, Union

import numpy
import pandas as pd

from ..data.listing import TRAINING, VALIDATION
from ..errors import DataError, RunError
from ..files import writing
from ..text import count, printable

NAME = "files.csv.gz"
COLUMNS = ["part", "name", "class", "bytes", "sha256"]
PARTS = (TRAINING, VALIDATION)
LEFT_OUT = "left out"  # the part of files that were there but could not be used
WORKERS = 4
UNREADABLE = (0, "")  # size and hash of what cannot be read

Key = Tuple[str, str]  # name and class of an image: a CSV may name a file twice
Facts = Tuple[int, str]  # its size in bytes and SHA-256


@dataclass(frozen=True)
class DataList:
    """The table of files.csv.gz, in the order of the run's own parts; ``where`` is what to call it in a message."""

    table: pd.DataFrame
    where: str

    def keys(self, part: str) -> List[Key]:
        """The images of a part, in its order."""
        rows = self.table[self.table["part"] == part]
        return list(zip(rows["name"], rows["class"]))

    def facts(self) -> Dict[Key, Facts]:
        """Size and hash of every image."""
        table = self.table
        return dict(zip(zip(table["name"], table["class"]), zip(table["bytes"], table["sha256"])))


def make(parts: Mapping[str, Iterable[Key]], facts: Mapping[Key, Facts]) -> pd.DataFrame:
    """The table of {part: its images} and {image: size and hash}."""
    rows = [(part, *key, *facts.get(key, UNREADABLE)) for part, keys in parts.items() for key in keys]
    return pd.DataFrame(rows, columns=COLUMNS)


def keys_of(source: Any) -> List[Key]:
    """The images of a source (data/picture_source.py)."""
    return [(name, source.class_names[label]) for name, label in zip(source.names, source.labels)]


def record_facts(source: Any) -> Dict[Key, Facts]:
    """{image: size and hash} of the stored bytes of a RecordSource; each is read once."""

    def look(i: int) -> Facts:
        try:
            content = source.stored(i)
        except DataError:
            return UNREADABLE
        return len(content), hashlib.sha256(content).hexdigest()

    with ThreadPoolExecutor(WORKERS, "hash") as pool:
        return dict(zip(keys_of(source), pool.map(look, range(len(source)))))


def is_file(path: Path, fact: Facts) -> bool:
    """Whether the file ``path`` has this size and hash."""
    try:
        return path.stat().st_size == fact[0] and file_facts(path) == fact
    except OSError:
        return False


def trained_on(folder: Union[str, Path], paths: Iterable[Union[str, Path]]) -> List[str]:
    """Those of the image files ``paths`` that the run in ``folder`` was trained on, by their bytes.

    None of them if the run has no list. Raises RunError if the list is damaged.
    """
    files = read(folder)
    if files is None:
        return []
    facts = files.facts()
    known = {facts[key] for key in files.keys(TRAINING)}
    sizes = {size for size, _ in known}
    return [str(path) for path in map(Path, paths) if path.stat().st_size in sizes and file_facts(path) in known]


def file_facts(path: Path) -> Facts:
    """Size and hash of a file."""
    content = path.read_bytes()
    return len(content), hashlib.sha256(content).hexdigest()


def array_facts(*arrays: numpy.ndarray) -> Facts:
    """Size and hash of the bytes of ``arrays``."""
    digest = hashlib.sha256()
    for values in arrays:
        digest.update(numpy.ascontiguousarray(values).data)
    return sum(values.nbytes for values in arrays), digest.hexdigest()


def digest(table: pd.DataFrame) -> str:
    """SHA-256 of a table of :func:`make` or :func:`read`."""
    return hashlib.sha256(table.to_csv(index=False).encode("utf-8", "backslashreplace")).hexdigest()


def write(table: pd.DataFrame, folder: Union[str, Path]) -> None:
    """Write the table into a run folder; RunError if it cannot be written. Names keep their bytes."""
    with writing(Path(folder) / NAME) as temporary:
        table.to_csv(
            temporary,
            index=False,
            compression={"method": "gzip", "mtime": 0},
            encoding="utf-8",
            errors="surrogateescape",
        )


def read(folder: Union[str, Path]) -> Optional[DataList]:
    """The list of a run folder; None if it has none. Raises RunError if it is damaged."""
    path = Path(folder) / NAME
    if not path.exists():
        return None
    try:
        table = pd.read_csv(
            path,
            dtype={name: str for name in COLUMNS if name != "bytes"},
            keep_default_na=False,
            encoding="utf-8",
            encoding_errors="surrogateescape",
        )
        if list(table.columns) != COLUMNS or not set(table["part"]) <= {*PARTS, LEFT_OUT}:
            raise ValueError(f"found the columns {', '.join(table.columns)}")
        table["bytes"] = pd.to_numeric(table["bytes"])
    except (OSError, EOFError, ValueError) as error:  # pandas' own errors are ValueErrors
        raise RunError(
            f"{path}: damaged ({error}): expected the files that the run was trained on; copy the run folder again, or "
            f"remove this file to have the data split again"
        ) from None
    return DataList(table, str(path))


@dataclass(frozen=True)
class Changes:
    """What has become of a list's images: those that are ``gone`` or ``altered``, and the ``new`` ones."""

    where: str
    listed: int
    gone: Sequence[Key]
    new: Sequence[Key]
    altered: Sequence[Key]

    def __bool__(self) -> bool:
        return bool(self.gone or self.new or self.altered)

    def line(self) -> str:
        """In one line: how many, and the first of each kind."""
        kinds = [("gone", self.gone), ("new", self.new), ("altered", self.altered)]
        found = ", ".join(f"{len(keys):,} {kind} (such as {keys[0][0]})" for kind, keys in kinds if keys)
        return printable(f"{self.where}: changed since the run began with {count(self.listed)}: {found}")

    def check_same(self, run: object) -> None:
        """Raise DataError if the run cannot go on with the images that it began with."""
        if self.gone or self.altered:
            raise DataError(
                f"{self.line()}: expected the images that the run {printable(run)} began with: put them back, or train "
                f"a new run"
            )


def compare(files: DataList, where: str, now: Iterable[Key], facts: Mapping[Key, Facts]) -> Changes:
    """The Changes between a list and what is there now.

    Args:
        files: the list.
        where: what to call the data.
        now: the images that are there.
        facts: size and hash of those of them that were looked at; the others count as unaltered.
    """
    present, before = set(now), files.facts()
    used = [key for part in PARTS for key in files.keys(part)]
    return Changes(
        where,
        len(used),
        [key for key in used if key not in present],
        [key for key in dict.fromkeys(now) if key not in before],
        [key for key in used if key in present and key in facts and facts[key] != before[key]],
    )
