"""What is wrong with record files; record_info.py says what is in them.

    gluon-resnet records verify birds_train.rec birds_val.rec      # exit 1 if anything is wrong
    for finding in verify(["birds_train.rec", "birds_val.rec"]).findings: print(finding.line())

Every record is read and every image decoded. Then the index and the names are compared with the records. Images that
are twice in a file or in two files are found as in a folder (duplicates.py): by their bytes, and by their perceptual
hash if they were encoded or scaled again.
"""

import hashlib
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy
from tqdm import tqdm

from ..errors import DataError
from ..text import count, one_line
from .duplicates import close_pairs
from .images import decode_image, one_colour
from .recordio import CutOff, Damaged, RecordFile, read_index, unpack
from .records import description_path, read_description, wild_labels
from .scan import perceptual_hash

WRONG, WARNING = "wrong", "warning"
MOST_CLASSES = 1 << 20  # looked for; a damaged label may be any number
UNBALANCED = 3  # times as many images of the largest class as of the smallest


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or only worth a look ("warning"); ``index`` and byte ``offset`` are the record's."""

    file: str
    index: Optional[int]
    offset: Optional[int]
    what: str
    expected: str
    found: str
    severity: str = WRONG

    def line(self) -> str:
        """The finding as one line of text."""
        place = "" if self.index is None else f": record {self.index}"
        place += "" if self.offset is None else f" at byte {self.offset}" if place else f": byte {self.offset}"
        return one_line(
            f"{self.severity}: {self.file}{place}: {self.what}: expected {self.expected}, found {self.found}"
        )


@dataclass
class Seen:
    """One record as read; ``digest`` and ``phash`` are None if the image could not be read."""

    file: str
    index: Optional[int]
    offset: Optional[int]
    label: Optional[float] = None
    size: Optional[Tuple[int, int]] = None  # height, width
    bytes: int = 0
    digest: Optional[str] = None
    phash: Optional[int] = None
    as_packed: bool = False  # whether the .json has the same bytes and the same label


@dataclass
class Verified:
    """The result of :func:`verify`: the findings by file, how many records there are, and how many whole images."""

    files: List[str]
    findings: List[Finding] = field(default_factory=list)
    records: int = 0
    whole: int = 0

    @property
    def wrong(self) -> List[Finding]:
        """The findings that are more than a warning."""
        return [finding for finding in self.findings if finding.severity == WRONG]

    def as_dict(self) -> Dict[str, Any]:
        """The same as plain data, for JSON."""
        return {
            "files": self.files,
            "records": self.records,
            "whole": self.whole,
            "wrong": len(self.wrong),
            "findings": [asdict(finding) for finding in self.findings],
        }


class _Check:
    """The check of one record file: ``seen`` and ``findings`` are filled by :meth:`run`."""

    def __init__(self, path: Any, classes: Optional[int]) -> None:
        self.path, self.file, self.classes = Path(path), str(path), classes
        self.seen: List[Seen] = []
        self.findings: List[Finding] = []
        self.described: Optional[Dict[str, Any]] = None

    def say(
        self,
        index: Optional[int],
        offset: Optional[int],
        what: str,
        expected: Any,
        found: Any,
        severity: str = WRONG,
        file: Optional[str] = None,
    ) -> None:
        self.findings.append(Finding(file or self.file, index, offset, what, str(expected), str(found), severity))

    def run(self) -> None:
        try:
            self.described = read_description(self.path)
        except DataError as error:
            self.say(None, None, "description", "a .json as records pack writes it", error)
        if self.described is not None:
            self.classes = self.classes or len(self.described["class_names"])
        try:
            with RecordFile(self.path) as file, tqdm(
                total=file.size, unit="B", unit_scale=True, desc=self.path.name, leave=False, disable=None
            ) as bar:
                self._walk(file, bar)
        except DataError as error:
            reason = str(error)[len(self.file) + 2 :].split(": expected")[0]
            self.say(None, None, "file", "a record file with at least one record", reason)
            return
        self._index()
        if self.described is not None:
            self._description(self.described["records"])
        self._labels()

    def _walk(self, file: RecordFile, bar: Any) -> None:
        offset: Optional[int] = 0
        while offset is not None and offset < file.size:
            record = Seen(self.file, len(self.seen), offset)
            self.seen.append(record)
            try:
                content, end = file.record(offset)
            except Damaged as error:
                what = "record cut off" if isinstance(error, CutOff) else "record damaged"
                self.say(record.index, error.offset, what, error.expected, error.found)
                # not from the record's start if a later part is damaged: all parts before it would be read again
                offset = file.next_magic(offset if error.offset == offset else error.offset - 1)
                continue
            self._record(record, content)
            bar.update(end - offset)
            offset = end

    def _record(self, record: Seen, content: bytes) -> None:
        try:
            record.label, image = unpack(content)
        except ValueError as error:
            self.say(record.index, record.offset, "label", "one label and a picture", error)
            return
        top = float("inf") if self.classes is None else self.classes - 1
        if not 0 <= record.label <= top or not float(record.label).is_integer():
            self.say(
                record.index,
                record.offset,
                "label out of range",
                f"a whole number from 0{'' if self.classes is None else f' to {top}'}",
                f"{record.label:g}",
            )
        record.bytes, record.digest = len(image), hashlib.sha256(image).hexdigest()
        try:
            pixels = decode_image(image, "")
        except Exception as error:  # Pillow's plugins raise many kinds of errors for damaged images
            reason = f"one that makes Pillow fail ({error!r})"
            if isinstance(error, DataError):
                reason = str(error)[2:].split(": expected")[0]
            self.say(record.index, record.offset, "picture", "a whole picture", reason)
            return
        if one_colour(pixels):
            colour = ", ".join(map(str, pixels[0, 0]))
            self.say(
                record.index, record.offset, "one colour", "something to see", f"every pixel about {colour}", WARNING
            )
        record.size, record.phash = (pixels.shape[0], pixels.shape[1]), perceptual_hash(pixels)

    def _index(self) -> None:
        path = self.path.with_suffix(".idx")
        if not path.exists():  # this suite does without; mxnet's readers do, too, unless they shuffle
            self.say(
                None,
                None,
                "index",
                "an index next to the record file",
                f"none; gluon-resnet records index {self.path} writes it",
                WARNING,
                str(path),
            )
            return
        try:
            entries = read_index(path)
        except DataError as error:
            self.say(None, None, "index", "an index next to the record file", error, file=str(path))
            return
        if len(entries) == len(self.seen):
            pairs = [(line, record, offset) for line, ((_, offset), record) in enumerate(zip(entries, self.seen), 1)]
        else:  # after a missing record, a comparison line by line would report every later line
            self.say(
                None, None, "index", f"{count(len(self.seen), 'line')}, one a record", len(entries), file=str(path)
            )
            starts = {record.offset for record in self.seen}
            nowhere = Seen(str(path), None, None)
            pairs = [(line, nowhere, offset) for line, (_, offset) in enumerate(entries, 1) if offset not in starts]
        for line, record, offset in pairs:
            if offset != record.offset:
                where = "where a record starts" if record.offset is None else record.offset
                self.say(
                    record.index,
                    record.offset,
                    f"index, line {line}",
                    f"offset {where}",
                    f"offset {offset}",
                    file=str(path),
                )
        for key, times in Counter(key for key, _ in entries).items():
            if times > 1:
                self.say(None, None, "index", f"number {key} once", f"{times} times", file=str(path))

    def _description(self, records: List[Dict[str, Any]]) -> None:
        description = str(description_path(self.path)[0])
        if len(records) != len(self.seen):
            self.say(
                None,
                None,
                "description",
                f"{count(len(self.seen), 'record')}, as in the file",
                len(records),
                file=description,
            )
        for record, described in zip(self.seen, records if len(records) == len(self.seen) else ()):
            if record.digest is None:  # not even its bytes could be read
                continue
            expected = {
                "label": described["label"],
                "size": (described["height"], described["width"]),
                "bytes": described["bytes"],
                "sha256": described["sha256"],
            }
            values = {"label": record.label, "size": record.size, "bytes": record.bytes, "sha256": record.digest}
            record.as_packed = all(values[key] == expected[key] for key in ("label", "sha256"))
            for key, value in expected.items():
                if values[key] is not None and values[key] != value:
                    self.say(
                        record.index,
                        record.offset,
                        f"{key} of {described['name']}",
                        f"{value} as in {Path(description).name}",
                        values[key],
                    )
        for name, times in Counter(entry["name"] for entry in records).items():
            if times > 1:
                self.say(None, None, f"name {name}", "one record of it", times, WARNING, description)

    def _labels(self) -> None:
        end = self.classes or 2**31  # a label out of range is a finding already
        records = [record for record in self.seen if record.label is not None and 0 <= record.label < end]
        labels = [int(record.label or 0) for record in records]
        wild = set() if self.classes else set(wild_labels(numpy.array(labels)).tolist())
        known = [label for i, label in enumerate(labels) if i not in wild]
        for i in sorted(wild):
            rest = f"a number near those of the others, which go up to {max(known)}" if known else "a number from 0"
            self.say(records[i].index, records[i].offset, "label out of range", rest, labels[i])
        counts = Counter(known)
        classes = min(self.classes or max(counts, default=-1) + 1, MOST_CLASSES)
        missing = [str(number) for number in range(classes) if number not in counts]
        if missing:
            self.say(None, None, "classes", "records of every class", f"none of {', '.join(missing[:10])}", WARNING)
        if counts and max(counts.values()) > UNBALANCED * min(counts.values()):
            (most, many), (least, few) = counts.most_common()[0], counts.most_common()[-1]
            self.say(
                None,
                None,
                "balance",
                f"at most {UNBALANCED} times as many records of one class as of another",
                f"{many} of class {most}, {few} of class {least}",
                WARNING,
            )


def _duplicates(seen: Sequence[Seen]) -> List[Finding]:
    """Findings for every record whose image came before, in its file or in another."""
    findings: List[Finding] = []
    first: Dict[str, Seen] = {}
    alone: List[Seen] = []
    for record in seen:
        if record.digest is None:
            continue
        earlier = first.setdefault(record.digest, record)
        if earlier is not record:
            findings.append(_twice(record, earlier, "the same bytes as"))
        elif record.phash is not None:
            alone.append(record)
    for i, j, differing in close_pairs([record.phash for record in alone]):
        findings.append(_twice(alone[j], alone[i], f"a perceptual hash {differing} of 64 bits away from"))
    return findings


def _twice(record: Seen, earlier: Seen, how: str) -> Finding:
    labels = "" if record.label == earlier.label else f", labelled {record.label:g} here and {earlier.label:g} there"
    across = "duplicate" if record.file == earlier.file else "duplicate across files"
    packed = record.as_packed and earlier.as_packed  # the folder had both, and its scan has said so
    return Finding(
        record.file,
        record.index,
        record.offset,
        across,
        "a picture that no other record has",
        f"{how} {earlier.file}, record {earlier.index} at byte {earlier.offset}{labels}",
        WARNING if packed else WRONG,
    )


def verify(paths: Sequence[Any], classes: Optional[int] = None) -> Verified:
    """Check the record files ``paths``, each by itself and all for images that are there twice: :class:`Verified`.

    ``classes`` is their number if no .json gives it. Nothing is raised for a fault: it is a finding.
    """
    checked = Verified([str(path) for path in paths])
    seen: List[Seen] = []
    for path in paths:
        check = _Check(path, classes)
        check.run()
        checked.findings += check.findings
        seen += check.seen
    checked.findings += _duplicates(seen)
    checked.records, checked.whole = len(seen), sum(record.phash is not None for record in seen)
    return checked
