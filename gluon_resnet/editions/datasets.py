"""The books' data sets other than Fashion-MNIST: from folders that the reader names, or from the books' own hosts.

    GLUON_RESNET_DATA_HOTDOG=~/hotdog python chapter.py     # then d2l.download_extract("hotdog") gives that folder

Most of these hosts are gone, and some licences forbid passing the data on, so a reader who has a data set names its
folder in ``GLUON_RESNET_DATA_<NAME>``. A folder may hold the files themselves or the archive that the book downloads.
"""

import atexit
import os
import shutil
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import List, Optional, Tuple
from urllib.parse import urlsplit

import requests
from mxnet.gluon.utils import check_sha1

from ..errors import DataError
from ..files import written_whole
from ..machine.downloads import CHUNK, TIMEOUT
from . import notes

PREFIX = "GLUON_RESNET_DATA_"
ARCHIVES = (".zip", ".tar.gz", ".tgz", ".tar", ".gz")


@dataclass(frozen=True)
class DataSet:
    """A data set of the books.

    Args:
        name: as in the environment variable, "HOTDOG".
        downloads: the files that the books download for it.
        files: patterns, relative to its folder, of the files that a chapter reads.
    """

    name: str
    downloads: Tuple[str, ...]
    files: Tuple[str, ...]

    @property
    def variable(self) -> str:
        """The environment variable that names its folder."""
        return PREFIX + self.name


_RECORDS = ("train.rec", "train.idx", "val.rec")
_IDX = tuple(f"{part}-{kind}-ubyte*" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1"))
_CIFAR10 = tuple(f"data_batch_{number}.bin" for number in range(1, 6)) + ("test_batch.bin",)

#: The folder inside a data set's archive, if it is not named after the archive.
INNER = {"VOC2012": "VOCdevkit/VOC2012", "CIFAR10": "cifar-10-batches-bin"}

#: The archives that the first edition came with: which of a data set's files each has, without a folder around them.
PARTS = {
    "train_tiny.zip": ("train/*",),
    "test_tiny.zip": ("test/*",),
    "trainLabels.csv.zip": ("trainLabels.csv",),
}

#: The data sets whose files are more than one; any other file is a data set of its own, named after the file.
DATA_SETS = (
    DataSet(
        "HOTDOG",
        ("hotdog.zip",),
        ("train/hotdog/*.png", "train/not-hotdog/*.png", "test/hotdog/*.png", "test/not-hotdog/*.png"),
    ),
    DataSet(
        "BANANA_DETECTION",
        ("banana-detection.zip",),
        ("bananas_train/label.csv", "bananas_train/images/*.png", "bananas_val/label.csv", "bananas_val/images/*.png"),
    ),
    DataSet("BANANAS", ("bananas.zip",), _RECORDS),
    DataSet("PIKACHU", ("pikachu.zip", *_RECORDS), _RECORDS),
    DataSet(
        "VOC2012",
        ("VOCtrainval_11-May-2012.tar",),
        (
            "ImageSets/Segmentation/train.txt",
            "ImageSets/Segmentation/val.txt",
            "JPEGImages/*.jpg",
            "SegmentationClass/*.png",
        ),
    ),
    DataSet("CIFAR10", ("cifar-10-binary.tar.gz",), _CIFAR10),
    DataSet(
        "CIFAR10_TINY",
        ("kaggle_cifar10_tiny.zip", "train_tiny.zip", "test_tiny.zip", "trainLabels.csv.zip"),
        ("trainLabels.csv", "train/*.png", "test/*.png"),
    ),
    DataSet("DOG_TINY", ("kaggle_dog_tiny.zip",), ("labels.csv", "train/*.jpg", "test/*.jpg")),
    DataSet(
        "DOG_SORTED",
        ("train_valid_test_tiny.zip",),
        ("train/*/*.jpg", "valid/*/*.jpg", "train_valid/*/*.jpg", "test/unknown/*.jpg"),
    ),
    DataSet("MNIST", (), _IDX),
    DataSet("FASHION_MNIST", (), _IDX),
    DataSet("HOUSE_PRICES", ("kaggle_house_pred_train.csv", "kaggle_house_pred_test.csv"), ("*train.csv", "*test.csv")),
)


def by_name(name: str) -> DataSet:
    """The row of :data:`DATA_SETS` called ``name``."""
    return next(data for data in DATA_SETS if data.name == name)


def of_download(file_name: str) -> DataSet:
    """The data set that the download ``file_name`` ("hotdog.zip") belongs to; one of its own for an unknown file."""
    for data in DATA_SETS:
        if file_name in data.downloads and not (file_name in _RECORDS and data.name != "PIKACHU"):
            return data
    return DataSet(Path(_stem(file_name)).stem.upper().replace("-", "_"), (file_name,), ())


def _stem(file_name: str) -> str:
    """``file_name`` without an archive's ending."""
    ending = next((ending for ending in ARCHIVES if file_name.endswith(ending)), "")
    return file_name[: len(file_name) - len(ending)]


def _expected(data: DataSet) -> str:
    files = ", ".join(data.files)
    archive = " or ".join(name for name in data.downloads if name not in PARTS)
    return f"{files} or the archive {archive}" if files and archive else files or archive


def folder(data: DataSet) -> Optional[Path]:
    """The folder that the reader named for ``data``; None if the variable is not set.

    Raises DataError, with the files expected, if there is no such folder or a file is missing.
    """
    named = os.environ.get(data.variable)
    if not named:
        return None
    path = Path(named).expanduser()
    if not path.is_dir():
        raise DataError(f"{data.variable}={named}: no such folder; expected a folder with {_expected(data)}")
    if archive(data, path) is None and (missing := _missing(data, path)):
        raise DataError(f"{data.variable}={named}: no {', '.join(missing)} in this folder; expected {_expected(data)}")
    return path


def _missing(data: DataSet, path: Path) -> List[str]:
    patterns = data.files or data.downloads
    return [pattern for pattern in patterns if not any(path.glob(pattern))]


def file_of(data: DataSet, path: Path, name: str) -> Path:
    """The file of the folder ``path`` that a book calls ``name``: under this name, or as the pattern that fits it."""
    patterns = [pattern for pattern in data.files if fnmatch(name, pattern)]
    others = [file for pattern in patterns for file in sorted(path.glob(pattern))]
    return path / name if (path / name).is_file() or not others else others[0]


def archive(data: DataSet, path: Path) -> Optional[Path]:
    """The archive of ``data`` in the folder ``path``, if it is there."""
    places = [path / name for name in data.downloads if name.endswith(ARCHIVES) and name not in PARTS]
    return next((place for place in places if place.is_file()), None)


def needed(data: DataSet, why: str) -> DataError:
    """The error for a data set that is nowhere; ``why`` says what was tried."""
    return DataError(
        f"{data.name.lower().replace('_', ' ')}: {why}; name a folder with {_expected(data)} in {data.variable}"
    )


def downloaded(url: str, folder_path: str, sha1_hash: Optional[str] = None) -> str:
    """Path of the file that ``url`` names, as the books' download functions give it.

    Args:
        url: the address in the book.
        folder_path: where the book keeps its downloads; a file that is there already is used.
        sha1_hash: its SHA-1 as in the book, if any.

    Returns:
        The path: of the file in ``folder_path``, in the reader's folder, or an archive packed of the reader's files.

    Raises:
        DataError: the reader's folder lacks files, or the host does not answer.
    """
    name = urlsplit(url).path.rsplit("/", 1)[-1]
    data = of_download(name)
    own = folder(data)
    if own is not None:
        return str(provided(data, own, name))
    target = Path(folder_path).expanduser() / name
    if target.is_file() and _agrees(target, sha1_hash):
        return str(target)
    try:
        return str(_fetched(url, target, sha1_hash))
    except requests.RequestException as error:
        host = urlsplit(url).netloc
        raise needed(data, f"{host} cannot be reached ({type(error).__name__})") from None


def provided(data: DataSet, path: Path, name: str) -> Path:
    """The file that a book calls ``name``, from the reader's folder ``path``: a file there, or an archive of its files.

    Raises DataError if it is neither.
    """
    file = file_of(data, path, name)
    notes.say("data", f"{name}: from {data.variable}, {path}")
    return file if file.is_file() else _packed(data, path, name)


def _agrees(path: Path, sha1_hash: Optional[str]) -> bool:
    return sha1_hash is None or check_sha1(str(path), sha1_hash)


def _fetched(url: str, target: Path, sha1_hash: Optional[str]) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    with requests.get(url, stream=True, timeout=TIMEOUT) as response:
        response.raise_for_status()
        with written_whole(target) as temporary:
            with open(temporary, "wb") as stream:
                for chunk in response.iter_content(CHUNK):
                    stream.write(chunk)
            if not _agrees(Path(temporary), sha1_hash):
                raise DataError(f"{url}: another file than the book's: expected SHA-1 {sha1_hash}; nothing was kept")
    return target


def scratch() -> Path:
    """A new folder that is removed when the program ends."""
    path = tempfile.mkdtemp(prefix="gluon-resnet-data-")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return Path(path)


def _packed(data: DataSet, path: Path, name: str) -> Path:
    """An archive called ``name`` of the reader's files, in a temporary folder: some chapters unpack it themselves."""
    if not name.endswith((".zip", ".tar.gz", ".tar")):
        raise DataError(f"{path / name}: no such file; expected {_expected(data)}, since {data.variable} is set")
    target, inner = scratch() / name, "" if name in PARTS else f"{INNER.get(data.name, _stem(name))}/"
    found = sorted(file for pattern in PARTS.get(name, ("**/*",)) for file in path.glob(pattern) if file.is_file())
    files = [(file, f"{inner}{file.relative_to(path)}") for file in found]
    if name.endswith(".zip"):
        with zipfile.ZipFile(target, "w") as zipped:
            for file, inside in files:
                zipped.write(file, inside)
    else:
        with tarfile.open(target, "w:gz" if name.endswith("gz") else "w", dereference=True) as packed:
            for file, inside in files:
                packed.add(file, inside)
    return target


def unpacked(url: str, folder_path: str, sha1_hash: Optional[str] = None, inner: Optional[str] = None) -> str:
    """Folder of the files in the archive that ``url`` names, as the books' download_extract gives it.

    Args:
        url: the archive's address in the book.
        folder_path: where the book keeps its downloads.
        sha1_hash: the archive's SHA-1 as in the book, if any.
        inner: the folder inside the archive, if it is not named after the archive.

    Returns:
        The reader's folder as it is, or the folder that the archive was unpacked into.

    Raises:
        DataError: as :func:`downloaded`.
    """
    name = urlsplit(url).path.rsplit("/", 1)[-1]
    data = of_download(name)
    own = folder(data)
    if own is not None and archive(data, own) is None:
        notes.say("data", f"{name}: the folder in {data.variable}, {own}")
        return str(own)
    path = Path(downloaded(url, folder_path, sha1_hash))
    target = Path(folder_path).expanduser()
    target.mkdir(parents=True, exist_ok=True)
    try:
        shutil.unpack_archive(str(path), str(target))
    except (shutil.ReadError, OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be unpacked ({error}); expected {_expected(data)}") from None
    return str(target / (inner or _stem(name)))
