"""A record file as a source of pictures, like a folder: the same names in the same order, read when they are asked for.

    source = RecordSource("birds_train.rec")
    source.read(0), source.labels[0], source.class_names       # uint8 (H, W, 3), 2, ["Grebe", ...]

What record_files.py packs has a .json next to it, which knows the names; other record files (im2rec's) go without, and
without an .idx, too: their records are then found by their lengths.
"""

from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import numpy

from .. import text
from ..errors import DataError
from ..files import writing
from ..text import count
from .images import decode_image
from .picture_source import PictureSource
from .reading import decode_least
from .recordio import Damaged, RecordFile, read_index, unpack

FORMAT, VERSION = "gluon-resnet records", 1
PARTS = ("train", "val")
NUMBERS = ("label", "height", "width", "bytes")  # of every record in a .json
WORDS = ("name", "sha256")
#: classes without a record that are believed, or ten times as many as classes with one: parts of ImageNet's have gaps
MOST_EMPTY = 1000


def description_path(path: Any) -> Tuple[Optional[Path], Optional[str]]:
    """(the .json that belongs to the record file ``path``, its part: "all", "train" or "val"), or (None, None)."""
    path = Path(path)
    own = path.with_suffix(".json")
    if own.is_file():
        return own, "all"
    for part in PARTS:
        common = path.with_name(f"{path.stem[: -len(part) - 1]}.json")
        if path.stem.endswith(f"_{part}") and common.is_file():
            return common, part
    return None, None


def read_description(path: Any) -> Optional[Dict[str, Any]]:
    """What the .json next to the record file ``path`` says: {"class_names", "records", "settings"}, or None.

    ``records`` has one dict a record: name, label, height, width, bytes, sha256 and kept (whether the file's own bytes
    were stored). A .json that is not a pack's counts as none; DataError if it is damaged.
    """
    json_path, part = description_path(path)
    if json_path is None:
        return None
    try:
        content = text.parse_json(json_path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"{json_path}: cannot be read ({error}): expected the names that belong to {Path(path).name}; "
            f"pack again, or move it away to go without names"
        ) from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        return None
    if content.get("version") != VERSION:
        raise DataError(f"{json_path}: version {text.short(content.get('version'))}: expected {VERSION}; pack again")
    parts = content.get("parts")
    described = parts.get(part) if isinstance(parts, dict) else None
    description = {
        "class_names": content.get("class_names"),
        "settings": content.get("settings"),
        "records": described.get("records") if isinstance(described, dict) else None,
    }
    if not _is_description(description):
        raise DataError(
            f"{json_path}: expected class names and the records of part {part!r}, found none or other things; "
            f"pack again, or move it away to go without names"
        )
    return description


def _is_description(description: Dict[str, Any]) -> bool:
    """Whether all that :func:`read_description` returns is there and of the right types."""
    names, records = description["class_names"], description["records"]
    return (
        isinstance(description["settings"], dict)
        and isinstance(names, list)
        and all(isinstance(name, str) for name in names)
        and isinstance(records, list)
        and all(isinstance(record, dict) for record in records)
        and all(isinstance(record.get(key), str) for record in records for key in WORDS)
        and all(type(record.get(key)) is int and 0 <= record[key] < 2**63 for record in records for key in NUMBERS)
    )


def wild_labels(labels: Any) -> numpy.ndarray:
    """Which of the ``labels``, integers (N,) from 0, are so far above the others that they cannot be classes.

    One damaged label would otherwise make a network with as many outputs. Returns indices, (n,).
    """
    labels = numpy.asarray(labels, dtype=numpy.int64)
    left = numpy.ones(len(labels), bool)
    while left.any():
        known = numpy.unique(labels[left])  # sorted
        if known[-1] + 1 - len(known) <= max(MOST_EMPTY, 10 * len(known)):
            break
        left &= labels < known[numpy.diff(known, prepend=-1).argmax()]  # below the largest gap
    return numpy.flatnonzero(~left)


def write_index(path: Any, overwrite: bool = False) -> Tuple[Path, int]:
    """Write the .idx of a record file, which mxnet's readers need to shuffle: (its path, number of records).

    Raises DataError if the file is damaged, or if an index is there and ``overwrite`` is not set.
    """
    target = Path(path).with_suffix(".idx")
    if target.exists() and not overwrite:
        raise DataError(f"{target}: already there; move it away, or overwrite it (--overwrite)")
    with RecordFile(path) as file:
        offsets = list(file.offsets())
    with writing(target) as temporary:
        temporary.write_text("".join(f"{number}\t{offset}\n" for number, offset in enumerate(offsets)))
    return target, len(offsets)


class RecordSource(PictureSource):
    """The images of a record file (.rec, with its .idx if there is one) as a source.

    ``names`` and ``class_names`` are those of the .json next to the file, otherwise numbers (``numbered``); ``digests``
    are the SHA-256 that the .json has of the stored bytes, or None. Only the labels are read at the start; ``read(i)``
    reads and decodes one image, from any thread. Raises DataError if the file, its index and its names do not fit
    together, or if a label cannot be that of a class.
    """

    PER_IMAGE = ("names", "labels", "digests", "_offsets")

    def __init__(self, path: Any) -> None:
        self.where = str(path)
        self._file = RecordFile(path)
        index = Path(path).with_suffix(".idx")
        offsets = [offset for _, offset in read_index(index)] if index.exists() else list(self._file.offsets())
        self._offsets = numpy.array(offsets, dtype=numpy.int64)
        self.labels = self._labels()
        if not len(self.labels):
            raise DataError(f"{path}: its index has no line: expected one for each record; pack the file again")
        self.digests: Optional[List[str]] = None
        description = read_description(path)
        self.numbered = description is None
        if description is None:
            self._refuse_wild()
            self.class_names = [f"class {number}" for number in range(self.labels.max() + 1)]
            self.names = [f"{self.class_names[label]}/{number:06d}" for number, label in enumerate(self.labels)]
            return
        described = description["records"]
        self.class_names, self.names = list(description["class_names"]), [record["name"] for record in described]
        self.digests = [record["sha256"] for record in described]
        labels = numpy.array([record["label"] for record in described], dtype=numpy.int64)
        if not numpy.array_equal(labels, self.labels) or self.labels.max() >= len(self.class_names):
            json_path, _ = description_path(path)
            raise DataError(
                f"{path}: expected the {count(len(labels), 'record')} and labels of {json_path and json_path.name}, "
                f"found {count(len(self.labels), 'record')} with labels up to {self.labels.max()} that do not fit; "
                f"pack again"
            )

    def _refuse_wild(self) -> None:
        """Raise DataError if a label is so far above the others that it cannot be that of a class."""
        wild = wild_labels(self.labels)
        if not len(wild):
            return
        first, others = int(wild[0]), numpy.unique(numpy.delete(self.labels, wild))
        rest = f"the others have {len(others):,} classes, up to {others[-1]}" if len(others) else "no label is lower"
        number = f"; {len(wild):,} records have such labels" if len(wild) > 1 else ""
        raise DataError(
            f"{self.where}: label {self.labels[first]} of record {first} at byte {self._offsets[first]}: expected the "
            f"number of a class, from 0 without large gaps; {rest}{number}; correct the labels and pack again"
        )

    def _labels(self) -> numpy.ndarray:
        """The label of each record, int32 (N,); DataError if one record is in another, or the same."""
        labels, end = numpy.empty(len(self._offsets), numpy.int32), 0
        for i in numpy.argsort(self._offsets, kind="stable"):
            offset = int(self._offsets[i])
            if offset < end:  # a few bytes of an index would make a file of gigabytes out of one large record
                raise DataError(
                    f"{self.where}: its index has a record at byte {offset}: expected none before byte {end}, where "
                    f"the one before ends; write it again: gluon-resnet records index --overwrite {self.where}"
                )
            labels[i], end = self._label(offset)
        return labels

    def _label(self, offset: int) -> Tuple[int, int]:
        """(label, where the next record starts) of the record at ``offset``."""
        try:
            label, end = self._file.label(offset)
        except ValueError as error:
            if isinstance(error, Damaged):
                raise
            raise DataError(
                f"{self.where}: at byte {offset}: expected one picture with one label, found {error}; pack again"
            ) from None
        if not 0 <= label < 2**31 or label != int(label):
            raise DataError(f"{self.where}: at byte {offset}: expected a whole label from 0, found {label}; pack again")
        return int(label), end

    def stored(self, i: int) -> bytes:
        """The bytes of image ``i`` as they are stored, a JPEG or PNG file as a rule; DataError."""
        return unpack(self._file.record(int(self._offsets[i]))[0])[1]

    def read(self, i: int) -> numpy.ndarray:
        """Image ``i`` as uint8 (H, W, 3) RGB; DataError if it is damaged."""
        return decode_image(self.stored(i), self._called(i))

    def read_least(self, i: int, least: Tuple[int, int]) -> numpy.ndarray:
        """Image ``i``, or the same made smaller, for a use at ``least`` = (height, width); DataError if damaged."""
        return decode_least(self.stored(i), self._called(i), least)

    def _called(self, i: int) -> str:
        return f"{self.where}: {self.names[i]} at byte {self._offsets[i]}"
