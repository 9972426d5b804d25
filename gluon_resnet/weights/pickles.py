"""PyTorch's .pth and .bin files read without PyTorch, and without running anything that the pickle in them asks for.

    tensors = read_torch("resnet50.pth")          # {"conv1.weight": array, ...}

A pickle is a program: whoever loads it runs it. Here it may build dicts, lists and numbers and name a tensor's storage.
The first other thing that it asks for ends the reading, and the error names it. Both of torch.save's formats are read:
the zip archive, and what it wrote before PyTorch 1.6 (three headers and the object as pickles, then the bare storages).
"""

import io
import math
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO, Dict, NamedTuple, Optional, Tuple, Union

import numpy

from ..errors import WeightsError

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_START = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."

#: torch's storage class -> NumPy's type of one element; bfloat16 comes as its 16 bits
STORAGES = {
    "FloatStorage": "f4",
    "DoubleStorage": "f8",
    "HalfStorage": "f2",
    "BFloat16Storage": "bf16",
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}

#: keys under which training scripts put the parameters next to other things
WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "params")


# Named tuples have no __dict__, so a pickle cannot change them for those that are read after it.
class _Kind(NamedTuple):
    element: str  # NumPy's type of one element


class _Storage(NamedTuple):
    element: str
    key: str
    length: int  # elements


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    size: Tuple[int, ...]
    stride: Tuple[int, ...]


class _Rebuild:
    """Replaces torch's functions that make a tensor from a storage; notes their arguments."""

    __slots__ = ()

    def __call__(self, storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> _Tensor:
        numbers = (offset, *size, *stride)
        if (
            not isinstance(storage, _Storage)
            or len(size) != len(stride)
            or not all(type(number) is int and number >= 0 for number in numbers)
        ):
            raise ValueError("a tensor without a proper storage, size and stride")
        return _Tensor(storage, offset, tuple(size), tuple(stride))


class _Parameter:
    """Replaces torch's function that makes a parameter of a tensor."""

    __slots__ = ()

    def __call__(self, tensor: Any, *_: Any) -> Any:
        return tensor


ALLOWED: Dict[Tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor"): _Rebuild(),
    ("torch._utils", "_rebuild_tensor_v2"): _Rebuild(),
    ("torch._utils", "_rebuild_parameter"): _Parameter(),
    **{("torch", name): _Kind(element) for name, element in STORAGES.items()},
}


class _Unpickler(pickle.Unpickler):
    """Builds plain containers and notes tensors; everything else is refused by name."""

    def __init__(self, file: BinaryIO, path: str) -> None:
        super().__init__(file, encoding="utf-8")
        self.path = path
        self.storages: Dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        try:
            return ALLOWED[module, name]
        except KeyError:
            raise WeightsError(
                f"{self.path}: the pickle asks for {module}.{name}: only tensors and plain containers "
                f"are read, and nothing was run; save the state_dict alone, preferably as .safetensors"
            ) from None

    def persistent_load(self, pid: Any) -> _Storage:
        kind, storage, key, _, count = pid[:5]
        if kind != "storage" or not isinstance(storage, _Kind) or type(count) is not int or count < 0:
            raise ValueError(f"unknown persistent id {pid[0]!r}")
        if pid[5:] not in ((), (None,)):
            raise ValueError("a storage that is a view of another")
        return self.storages.setdefault(str(key), _Storage(storage.element, str(key), count))


def _unpickle(file: BinaryIO, path: str, storages: Optional[Dict[str, _Storage]] = None) -> Any:
    """The content of the next pickle in ``file``; the storages that it names are added to the dict ``storages``."""
    unpickler = _Unpickler(file, path)
    unpickler.storages = {} if storages is None else storages
    try:
        return unpickler.load()
    except WeightsError:
        raise
    except Exception as error:  # a damaged pickle may raise anything
        raise WeightsError(
            f"{path}: the pickle in it is damaged or no checkpoint: {error or type(error).__name__}; "
            f"copy or save the file again"
        ) from None


def _tensors(content: Any, path: str) -> Dict[str, _Tensor]:
    """The dict of parameters in what was unpickled: itself, or under one of WRAPPERS."""
    if isinstance(content, dict):  # next to the parameters there may be other tensors, such as the best accuracy
        content = next((content[key] for key in WRAPPERS if isinstance(content.get(key), dict)), content)
    if not isinstance(content, dict):
        raise WeightsError(f"{path}: holds a {type(content).__name__}: expected a dict of tensors (a state_dict)")
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, _Tensor):
            raise WeightsError(
                f"{path}: {key!r} is a {type(value).__name__.lstrip('_')}: expected names and tensors; "
                f"save the state_dict alone"
            )
    if not content:
        raise WeightsError(f"{path}: holds no tensor")
    return content


def from_bfloat16(bits: numpy.ndarray) -> numpy.ndarray:
    """float32 of the 16 bits of bfloat16 numbers (uint16): the same bits and 16 zeros."""
    return (bits.reshape(-1).astype(numpy.uint32) << 16).view(numpy.float32).reshape(bits.shape)


def _array(tensor: _Tensor, key: str, data: bytes, path: str, byte_order: str = "<") -> numpy.ndarray:
    """The tensor ``key`` as an array, from the bytes of its storage."""
    element, _, count = tensor.storage
    kind = numpy.dtype(byte_order + ("u2" if element == "bf16" else element))
    needed = tensor.offset + 1 + sum((size - 1) * stride for size, stride in zip(tensor.size, tensor.stride))
    total = math.prod(tensor.size)
    if len(data) != count * kind.itemsize or total > count or (total and needed > count):
        raise WeightsError(
            f"{path}: {key} of shape {tensor.size} does not fit its storage of {len(data)} bytes: the "
            f"file is damaged; copy it again"
        )
    flat = numpy.frombuffer(data, kind)
    steps = tuple(stride * kind.itemsize for stride in tensor.stride)
    values = numpy.lib.stride_tricks.as_strided(flat[tensor.offset :], tensor.size, steps, writeable=False)
    if element == "bf16":
        return from_bfloat16(values)
    return values.astype(kind.newbyteorder("="))


def _read_zip(path: str) -> Dict[str, numpy.ndarray]:
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: info for info in archive.infolist()}
        pickles = [name for name in members if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise WeightsError(f"{path}: a zip archive without one data.pkl: not what torch.save writes")
        root = pickles[0][: -len("data.pkl")]
        if any(info.compress_type != zipfile.ZIP_STORED for info in members.values()):
            raise WeightsError(f"{path}: compressed inside, which torch.save never does: refused")
        big = root + "byteorder" in members and archive.read(root + "byteorder").strip() == b"big"
        tensors = _tensors(_unpickle(io.BytesIO(archive.read(pickles[0])), path), path)
        arrays = {}
        for key, tensor in tensors.items():
            member = f"{root}data/{tensor.storage.key}"
            if member not in members:
                raise WeightsError(f"{path}: {key}: its storage {member} is missing; copy the file again")
            arrays[key] = _array(tensor, key, archive.read(member), path, ">" if big else "<")
        return arrays


def _read_legacy(path: str) -> Dict[str, numpy.ndarray]:
    with open(path, "rb") as file:
        for expected in (LEGACY_MAGIC, 1001):
            header = _unpickle(file, path)
            if header != expected:
                raise WeightsError(f"{path}: header {header!r}: expected {expected}: not a checkpoint of torch.save")
        system = _unpickle(file, path)
        if not isinstance(system, dict) or system.get("little_endian") is not True:
            raise WeightsError(f"{path}: written on a big-endian machine: save it again on a little-endian one")
        storages: Dict[str, _Storage] = {}  # of the optimizer's tensors, too: all of them follow
        tensors = _tensors(_unpickle(file, path, storages), path)
        keys = _unpickle(file, path)
        data = {}
        for key in keys if isinstance(keys, list) else ():
            count = file.read(8)
            if key not in storages or len(count) < 8 or struct.unpack("<q", count)[0] != storages[key].length:
                raise WeightsError(f"{path}: storage {key!r} is damaged or cut off; copy the file again")
            size = numpy.dtype("u2" if storages[key].element == "bf16" else storages[key].element).itemsize
            data[key] = file.read(storages[key].length * size)
    return {name: _array(tensor, name, data.get(tensor.storage.key, b""), path) for name, tensor in tensors.items()}


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
