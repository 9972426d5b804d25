"""The arrays that a file of NumPy's or MXNet's declares, by its headers alone: before memory is taken for them.

    shape, kind = npy(stream, size)                       # of one array in an .npz file
    list(params("resnet18.params"))                       # [((64, 3, 7, 7), 4), ...]: shapes and bytes of a number

Sources: numpy.lib.format; NDArray::Save and LegacyLoad in src/ndarray/ndarray.cc of MXNet 1.9.
"""

import math
import os
import struct
import tokenize
from pathlib import Path
from typing import IO, Any, Iterator, Tuple, Union

import numpy

from .budget import MAX_AXES

MAX_HEADER = 10_000  # bytes of an .npy file's header; its tuple is parsed as Python
V1, V2, V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA  # how an array in a .params file starts; older ones have none of them
DENSE = 0  # kind of storage
#: MXNet's number of a type -> bytes of a number of it
ITEMSIZES = {0: 4, 1: 8, 2: 2, 3: 1, 4: 4, 5: 1, 6: 8, 7: 1, 8: 2, 9: 2, 10: 4, 11: 8, 12: 2}
HEAD = 16  # bytes before the number of arrays: the magic number, and others that are not used


def npy(stream: IO[bytes], size: int) -> Tuple[Tuple[int, ...], Any]:
    """(shape, dtype) of the .npy file in ``stream``, which has ``size`` bytes; ValueError if it does not fit them."""
    start = stream.read(8)
    if not start.startswith(b"\x93NUMPY") or tuple(start[6:]) not in ((1, 0), (2, 0)):
        raise ValueError(f"an array that starts with {start!r}")
    width = 2 if start[6] == 1 else 4
    length = stream.read(width)
    if int.from_bytes(length, "little") > MAX_HEADER:
        raise ValueError(f"an array whose header has more than {MAX_HEADER:,} bytes")
    header = length + stream.read(int.from_bytes(length, "little"))
    readers = {2: numpy.lib.format.read_array_header_1_0, 4: numpy.lib.format.read_array_header_2_0}
    try:
        shape, _, kind = readers[width](_Bytes(header))
    except (SyntaxError, tokenize.TokenError):  # of Python's parser
        raise ValueError("an array whose header cannot be read") from None
    if kind.hasobject or len(start) + len(header) + math.prod(shape) * kind.itemsize != size:
        raise ValueError(f"{size:,} bytes where an array {shape} of {kind} is declared")
    return shape, kind


class _Bytes:
    """The little of a stream that NumPy's readers of headers use."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def read(self, size: int) -> bytes:
        """The next bytes."""
        taken, self.content = self.content[:size], self.content[size:]
        return taken


def params(path: Union[str, Path]) -> Iterator[Tuple[Tuple[int, ...], int]]:
    """Yield (shape, bytes of a number) of each array in MXNet's .params file; ValueError where the file ends too early.

    Numbers are skipped, but have to be there.
    """
    with open(path, "rb") as file:
        end = os.fstat(file.fileno()).st_size

        def take(form: str) -> Tuple[int, ...]:
            content = file.read(struct.calcsize(form))
            if len(content) < struct.calcsize(form):
                raise ValueError("it ends in the middle of an array")
            return struct.unpack(form, content)

        file.seek(HEAD)
        for _ in range(take("<Q")[0]):
            shape = _shape(take)
            if not shape:
                continue  # an array without values
            _, _, kind = take("<iii")  # the device it was on, and its number
            if kind not in ITEMSIZES or min(shape) < 0:
                raise ValueError(f"an array {shape} of type {kind}")
            yield shape, ITEMSIZES[kind]
            file.seek(math.prod(shape) * ITEMSIZES[kind], os.SEEK_CUR)
            if file.tell() > end:
                raise ValueError(f"an array {shape} goes beyond its end")
        for _ in range(take("<Q")[0]):
            length = take("<Q")[0]
            if file.tell() + length > end:
                raise ValueError("a name goes beyond its end")
            file.seek(length, os.SEEK_CUR)


def _shape(take: Any) -> Tuple[int, ...]:
    """The shape at the start of an array; () for one without values."""
    (magic,) = take("<I")
    if magic in (V2, V3) and take("<i")[0] != DENSE:
        raise ValueError("a sparse array")
    new = magic in (V1, V2, V3)
    axes = take("<i")[0] if new else magic  # before there were magic numbers, a file had the number of axes there
    if not -1 <= axes <= MAX_AXES:
        raise ValueError(f"an array of {axes:,} axes")
    return take(f"<{max(axes, 0)}{'q' if new else 'I'}")
