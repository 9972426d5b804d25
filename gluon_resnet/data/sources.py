"""Find and verify the files of a data set on this machine; nothing here knows what is in them.

Looked at in turn: a folder the user names, the suite's cache, mxnet's cache, Debian's package, mirrors over HTTPS, and
``apt-get download`` of that package, which needs neither root nor an installed package. A file counts only when the
SHA-256 of its decompressed bytes is the published one: recompressed archives pass, damaged ones do not.
"""

import gzip
import hashlib
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple, Union

from ..errors import DataError
from ..machine.downloads import as_folder, home

Contents = Dict[str, Tuple[Path, bytes]]  # name of a file -> where it is, and its bytes without gzip
ADVICE = "replace it by a whole copy, or remove it and leave --data out to have one fetched"


@dataclass(frozen=True)
class DataFile:
    """A file by its name without ``.gz``, its size in bytes and its SHA-256, both decompressed."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class DataSet:
    """A data set: its files and where the public keeps them. ``mirrors`` are HTTPS folders holding ``name.gz``."""

    title: str
    folder: str  # name of its folder in a cache
    files: Tuple[DataFile, ...]
    mirrors: Tuple[str, ...]
    debian_package: str
    debian_folder: str  # where that package puts the files


def local_folders(dataset: DataSet) -> List[Tuple[str, Path]]:
    """Folders that may hold ``dataset`` on this machine, in the order they are looked at: (what it is, path)."""
    mxnet_home = as_folder(os.environ.get("MXNET_HOME") or "~/.mxnet")
    return [
        ("the suite's cache", home() / dataset.folder),
        ("mxnet's cache", mxnet_home / "datasets" / dataset.folder),
        (f"Debian's {dataset.debian_package}", Path(dataset.debian_folder)),
    ]


def find_file(folder: Path, file: DataFile) -> Optional[Path]:
    """Path of ``file`` in ``folder``, plain or gzipped, or None."""
    for name in (file.name, file.name + ".gz"):
        if os.path.isfile(folder / name):
            return folder / name
    return None


def read_file(path: Path) -> bytes:
    """The bytes of a file, decompressed if its name ends in ``.gz``; DataError if it cannot be read."""
    try:
        if path.suffix == ".gz":
            with gzip.open(path) as stream:
                return stream.read()
        return path.read_bytes()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: damaged gzip file ({error}); {ADVICE}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None


def check(path: Path, content: bytes, file: DataFile) -> None:
    """Raise DataError unless ``content``, the decompressed bytes of ``path``, are those of ``file``."""
    if len(content) != file.size:
        raise DataError(f"{path}: {len(content):,} bytes where {file.size:,} were expected (decompressed); {ADVICE}")
    digest = hashlib.sha256(content).hexdigest()
    if digest != file.sha256:
        raise DataError(
            f"{path}: wrong SHA-256 of the decompressed bytes: expected {file.sha256}, found {digest}; {ADVICE}"
        )


def load_folder(dataset: DataSet, folder: Union[str, Path], verify: bool = True) -> Contents:
    """All files of ``dataset`` in ``folder``, {name: (path, bytes)}; DataError names the first missing or damaged one.

    With ``verify=False`` any content passes: for other data in the same format.
    """
    folder = as_folder(folder)
    if not os.path.isdir(folder):
        raise DataError(
            f"{folder}: no such folder, or none that may be read; expected one with {file_names(dataset)} "
            f"(plain or .gz)"
        )
    contents, paths = {}, {}
    for file in dataset.files:
        path = find_file(folder, file)
        if path is None:
            raise DataError(
                f"{folder}: {file.name} (or {file.name}.gz) is missing; expected are {file_names(dataset)}; {ADVICE}"
            )
        paths[file] = path
    for file, path in paths.items():
        content = read_file(path)
        if verify:
            check(path, content, file)
        contents[file.name] = (path, content)
    return contents


def file_names(dataset: DataSet) -> str:
    """The names of its files, for a message."""
    return ", ".join(file.name for file in dataset.files)


def load_local(dataset: DataSet, say: Callable[[str], Any] = lambda line: None) -> Optional[Tuple[str, Path, Contents]]:
    """``dataset`` from the first folder of this machine that has all of it whole: (what, path, contents), or None.

    A folder with a damaged or missing file is reported to ``say`` in one line and skipped.
    """
    for what, folder in local_folders(dataset):
        if not any(find_file(folder, file) for file in dataset.files):
            continue
        try:
            return what, folder, load_folder(dataset, folder)
        except DataError as error:
            say(f"passing over {what}: {error}")
    return None
