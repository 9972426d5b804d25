"""MXNet's RecordIO files byte by byte, for reading in threads and for finding what is damaged.

    for offset, content in RecordFile("birds.rec").walk():
        label, picture = unpack(content)

A record is a magic number, a word with the part flag (3 bits) and the length (29 bits), the bytes, and zeros up to the
next multiple of 4. Where the bytes hold the magic number at such a multiple they are cut there into parts, so that the
magic number in its place always starts a part. An image's record begins with mxnet.recordio's IRHeader. Files are
written by mxnet.recordio itself (record_files.py). Source: dmlc-core's recordio.h and mxnet.recordio.
"""

import mmap
import os
import struct
from pathlib import Path
from typing import Any, Iterator, List, Optional, Sequence, Tuple

from mxnet import recordio

from ..errors import DataError
from ..text import count

MAGIC = 0xCED7230A
MAGIC_BYTES = struct.pack("<I", MAGIC)
HEAD = struct.Struct("<II")
LABEL_SIZE = struct.calcsize("<IfQQ")  # of an IRHeader with one label
ARRAY_LABEL = 4  # bytes of each label of an array of them (im2rec --pack-label), after the IRHeader
LONGEST = (1 << 29) - 1
MOST_DIGITS = 18  # of a number in an index: an offset beyond is in no file
WHOLE, FIRST, MIDDLE, LAST = range(4)  # part flags
ADVICE = "gluon-resnet records verify lists all that is wrong with it"


class Damaged(DataError):
    """A record that is not as the format has it: ``path``, byte ``offset``, ``expected`` and ``found`` as text."""

    def __init__(self, path: Any, offset: int, expected: str, found: str) -> None:
        super().__init__(f"{path}: at byte {offset}: expected {expected}, found {found}; {ADVICE}")
        self.path, self.offset, self.expected, self.found = path, offset, expected, found


class CutOff(Damaged):
    """A record that goes beyond the end of the file."""


def unpack(content: bytes) -> Tuple[float, bytes]:
    """(label as float, the image's bytes) of a record; ValueError says what differs from an image's record."""
    if len(content) < LABEL_SIZE:
        raise ValueError(f"{len(content)} bytes, fewer than the {LABEL_SIZE} of a label and a number")
    labels = struct.unpack_from("<I", content)[0]
    if labels > 1:  # one number a picture is what a classifier learns; boxes and the like have several
        raise ValueError(f"an array of {count(labels, 'label')} where a classifier takes one")
    if labels and len(content) < LABEL_SIZE + ARRAY_LABEL:
        raise ValueError(f"{len(content)} bytes, fewer than the {LABEL_SIZE + ARRAY_LABEL} of an array of one label")
    header, picture = recordio.unpack(content)
    return float(header.label[0]) if labels else header.label, picture


class RecordFile:
    """A .rec file, open for reading by any number of threads: they share no position. Raises DataError."""

    descriptor = -1  # until the file is open, and again after it is closed

    def __init__(self, path: Any) -> None:
        self.path = Path(path)
        try:
            self.descriptor = os.open(self.path, os.O_RDONLY)
            self.size = os.fstat(self.descriptor).st_size
            os.pread(self.descriptor, 1, 0)
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror}): expected a record file (.rec)") from None
        if not self.size:
            raise DataError(f"{path}: empty: expected a record file; pack it again")

    def close(self) -> None:
        """Close the file; nothing can be read afterwards."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    __del__ = close

    def __enter__(self) -> "RecordFile":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _part(self, offset: int, flags: Sequence[int], limit: Optional[int] = None) -> Tuple[int, bytes, int]:
        """(flag, the first ``limit`` bytes of the content, where the next part starts) of the part at ``offset``."""
        head = os.pread(self.descriptor, HEAD.size, offset)
        if len(head) < HEAD.size:
            raise CutOff(
                self.path,
                offset,
                f"the {HEAD.size} bytes that a record starts with",
                f"{len(head)} up to the end of the file",
            )
        magic, word = HEAD.unpack(head)
        flag, length = word >> 29, word & LONGEST
        if magic != MAGIC:
            raise Damaged(self.path, offset, f"the magic number {MAGIC:08x}", f"{magic:08x}")
        if flag not in flags:
            raise Damaged(self.path, offset, f"part flag {' or '.join(map(str, flags))}", str(flag))
        end = offset + HEAD.size + length + -length % 4
        if end > self.size:
            raise CutOff(
                self.path,
                offset,
                f"a record of {end - offset:,} bytes",
                f"{self.size - offset:,} up to the end of the file",
            )
        return flag, os.pread(self.descriptor, length if limit is None else min(limit, length), offset + HEAD.size), end

    def record(self, offset: int) -> Tuple[bytes, int]:
        """(the record's bytes, where the next one starts); Damaged where there is no whole record at ``offset``."""
        flag, content, end = self._part(offset, (WHOLE, FIRST))
        parts = [content]
        while flag in (FIRST, MIDDLE):
            flag, content, end = self._part(end, (MIDDLE, LAST))
            parts += [MAGIC_BYTES, content]
        return b"".join(parts), end

    def label(self, offset: int) -> Tuple[float, int]:
        """(label as float, where the next record starts) of the record at ``offset``; its picture is not read.

        Raises Damaged and ValueError.
        """
        needed = LABEL_SIZE + ARRAY_LABEL
        flag, content, end = self._part(offset, (WHOLE, FIRST), needed)
        while flag in (FIRST, MIDDLE):
            flag, more, end = self._part(end, (MIDDLE, LAST), max(0, needed - len(content)))
            content += MAGIC_BYTES + more if len(content) < needed else b""
        return unpack(content)[0], end

    def walk(self, offset: int = 0) -> Iterator[Tuple[int, bytes]]:
        """Yield (offset, bytes) of every record from ``offset`` to the end of the file; Damaged where it breaks off."""
        while offset < self.size:
            content, end = self.record(offset)
            yield offset, content
            offset = end

    def offsets(self) -> Iterator[int]:
        """Yield where each record starts, without reading what is in them; Damaged where the file breaks off."""
        offset = 0
        while offset < self.size:
            flag, _, end = self._part(offset, (WHOLE, FIRST), 0)
            yield offset
            while flag in (FIRST, MIDDLE):
                flag, _, end = self._part(end, (MIDDLE, LAST), 0)
            offset = end

    def next_magic(self, offset: int) -> Optional[int]:
        """Where the next record starts after ``offset``, going by the magic number alone; None if there is none."""
        with mmap.mmap(self.descriptor, 0, prot=mmap.PROT_READ) as content:
            while True:
                offset = content.find(MAGIC_BYTES, offset + 1)
                if offset < 0 or offset + HEAD.size > self.size:
                    return None
                if offset % 4 == 0 and HEAD.unpack_from(content, offset)[1] >> 29 in (WHOLE, FIRST):
                    return offset


def read_index(path: Any) -> List[Tuple[int, int]]:
    """[(key, offset)] of an index file, whose lines are a number, a tab and a byte offset; DataError names the line."""
    try:
        lines = Path(path).read_text(encoding="ascii").splitlines()
    except UnicodeDecodeError:
        raise DataError(
            f"{path}: not an index: expected lines of two numbers, found other bytes; pack the file again"
        ) from None
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}): expected the index of the record file next to it; "
            f"pack the file again"
        ) from None
    entries = []
    for number, line in enumerate(lines, 1):
        words = line.split("\t")
        if len(words) != 2 or not all(word.isdigit() and len(word) <= MOST_DIGITS for word in words):
            raise DataError(
                f"{path}: line {number}: expected a number, a tab and a byte offset, found {line[:40]!r}; "
                f"pack the file again"
            )
        entries.append((int(words[0]), int(words[1])))
    return entries
