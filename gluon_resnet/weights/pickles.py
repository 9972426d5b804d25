"""PyTorch's .pth and .bin files read without PyTorch, and without running anything that the pickle in them asks for.

    tensors = read_torch("resnet50.pth")          # {"conv1.weight": array, ...}

Both of torch.save's formats are read: the zip archive, and what it wrote before PyTorch 1.6 (three headers and the
object as pickles, then the bare storages). What a pickle may do is in unpickling.py.
"""

import io
import math
import os
import struct
import zipfile
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Callable, Dict, Iterable, Iterator, List, Tuple, Union

import numpy

from ..errors import WeightsError
from ..text import short
from .budget import Budget
from .unpickling import MAX_PICKLE, Storage, Tensor, unpickle

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_START = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
MAX_MEMBER = 64  # bytes of the file byteorder in an archive

#: keys under which training scripts put the parameters next to other things
WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "params")


def _tensors(content: Any, path: str) -> Dict[str, Tensor]:
    """The dict of parameters in what was unpickled: itself, or under one of WRAPPERS."""
    if isinstance(content, dict):  # next to the parameters there may be other tensors, such as the best accuracy
        content = next((content[key] for key in WRAPPERS if isinstance(content.get(key), dict)), content)
    if not isinstance(content, dict):
        raise WeightsError(f"{path}: holds a {type(content).__name__}: expected a dict of tensors (a state_dict)")
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise WeightsError(
                f"{path}: {short(key)} is a {type(value).__name__.lstrip('_')}: expected names and tensors; "
                f"save the state_dict alone"
            )
    if not content:
        raise WeightsError(f"{path}: holds no tensor")
    return content


def from_bfloat16(bits: numpy.ndarray) -> numpy.ndarray:
    """float32 of the 16 bits of bfloat16 numbers (uint16): the same bits and 16 zeros."""
    return (bits.reshape(-1).astype(numpy.uint32) << 16).view(numpy.float32).reshape(bits.shape)


def _kind(element: str, byte_order: str = "<") -> numpy.dtype:
    """NumPy's type of an element as it is stored."""
    return numpy.dtype(byte_order + ("u2" if element == "bf16" else element))


def _array(tensor: Tensor, key: str, data: bytes, path: str, byte_order: str = "<") -> numpy.ndarray:
    """The tensor ``key`` as an array, from the bytes of its storage."""
    element, _, count = tensor.storage
    kind, total = _kind(element, byte_order), math.prod(tensor.size)
    needed = tensor.offset + 1 + sum((size - 1) * stride for size, stride in zip(tensor.size, tensor.stride))
    if len(data) != count * kind.itemsize or total > count or (total and needed > count):
        raise WeightsError(
            f"{path}: {short(key)} of shape {short(tensor.size)} does not fit its storage of {len(data)} bytes: the "
            f"file is damaged; copy it again"
        )
    if not total:
        return numpy.empty(tensor.size, numpy.float32 if element == "bf16" else kind.newbyteorder("="))
    flat = numpy.frombuffer(data, kind)
    steps = tuple(stride * kind.itemsize if size > 1 else 0 for size, stride in zip(tensor.size, tensor.stride))
    values = numpy.lib.stride_tricks.as_strided(flat[tensor.offset :], tensor.size, steps, writeable=False)
    if element == "bf16":
        return from_bfloat16(values)
    return values.astype(kind.newbyteorder("="))


def _arrays(
    tensors: Dict[str, Tensor], stored: Iterable[Tuple[str, Callable[[], bytes]]], path: str, byte_order: str = "<"
) -> Dict[str, numpy.ndarray]:
    """{key: array} of the tensors, each storage read once and then forgotten.

    Args:
        tensors: what the pickle names.
        stored: (a storage's key, what reads its bytes) of the storages in the file, in an order that suits it.
        path: of the file.
        byte_order: of its numbers.

    Raises:
        WeightsError: a storage is missing, does not fit, or all together are more than a network has.
    """
    budget = Budget(path)
    of_storage: Dict[str, List[str]] = {}
    for key, tensor in tensors.items():
        budget.take(key, tensor.size, _kind(tensor.storage.element).itemsize)
        of_storage.setdefault(tensor.storage.key, []).append(key)
    arrays: Dict[str, numpy.ndarray] = {}
    for storage, read in stored:
        keys = of_storage.pop(storage, [])
        data = read() if keys else b""
        arrays.update((key, _array(tensors[key], key, data, path, byte_order)) for key in keys)
    if of_storage:
        storage, keys = next(iter(of_storage.items()))
        raise WeightsError(f"{path}: {short(keys[0])}: its storage {short(storage)} is missing; copy the file again")
    return {key: arrays[key] for key in tensors}


def _read_zip(path: str) -> Dict[str, numpy.ndarray]:
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: info for info in archive.infolist()}
        pickles = [name for name in members if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise WeightsError(f"{path}: a zip archive without one data.pkl: not what torch.save writes")
        root = pickles[0][: -len("data.pkl")]
        if any(info.compress_type != zipfile.ZIP_STORED for info in members.values()):
            raise WeightsError(f"{path}: compressed inside, which torch.save never does: refused")

        def content(name: str, size: int) -> bytes:
            if members[name].file_size > size:
                raise WeightsError(f"{path}: {short(name)} has {members[name].file_size:,} bytes: expected {size:,}")
            return archive.read(name)

        order = root + "byteorder"
        big = order in members and content(order, MAX_MEMBER).strip() == b"big"
        storages: Dict[str, Storage] = {}
        tensors = _tensors(unpickle(io.BytesIO(content(pickles[0], MAX_PICKLE)), path, storages), path)
        stored = [
            (key, partial(content, f"{root}data/{key}", length * _kind(element).itemsize))
            for element, key, length in storages.values()
            if f"{root}data/{key}" in members
        ]
        return _arrays(tensors, stored, path, ">" if big else "<")


def _read_legacy(path: str) -> Dict[str, numpy.ndarray]:
    with open(path, "rb") as file:
        for expected in (LEGACY_MAGIC, 1001):
            header = unpickle(file, path)
            if type(header) is not int or header != expected:
                raise WeightsError(
                    f"{path}: header {short(header)}: expected {expected}: not a checkpoint of torch.save"
                )
        system = unpickle(file, path)
        if not isinstance(system, dict) or system.get("little_endian") is not True:
            raise WeightsError(f"{path}: written on a big-endian machine: save it again on a little-endian one")
        storages: Dict[str, Storage] = {}  # of the optimizer's tensors, too: all of them follow
        tensors = _tensors(unpickle(file, path, storages), path)
        keys = unpickle(file, path)
        return _arrays(tensors, _legacy_storages(file, keys, storages, path), path)


def _legacy_storages(
    file: BinaryIO, keys: Any, storages: Dict[str, Storage], path: str
) -> Iterator[Tuple[str, Callable[[], bytes]]]:
    """(key, what reads its bytes) of the storages that follow in ``file``, in the order of the list ``keys``."""
    end = os.fstat(file.fileno()).st_size
    for key in keys if isinstance(keys, list) else ():
        count = file.read(8)
        known = type(key) is str and key in storages
        if not known or len(count) < 8 or struct.unpack("<q", count)[0] != storages[key].length:
            raise WeightsError(f"{path}: storage {short(key)} is damaged or cut off; copy the file again")
        start, size = file.tell(), storages[key].length * _kind(storages[key].element).itemsize
        if start + size > end:
            raise WeightsError(f"{path}: storage {short(key)} is cut off; copy the file again")
        yield key, partial(file.read, size)
        file.seek(start + size)


def read_torch(path: Union[str, Path]) -> Dict[str, numpy.ndarray]:
    """{key: array} of a PyTorch checkpoint, arrays in the types it holds (bfloat16 as float32).

    Raises WeightsError for a damaged file and for a pickle that asks for anything but tensors and plain containers.
    """
    path = str(path)
    try:
        return _read_zip(path) if zipfile.is_zipfile(path) else _read_legacy(path)
    except WeightsError:
        raise
    except (zipfile.BadZipFile, EOFError, ValueError, RuntimeError, struct.error, OSError) as error:
        raise WeightsError(f"{path}: damaged archive: {error}; copy the file again") from None
