"""A weight file of any library read as named arrays.

    weights = read("resnet50.safetensors")
    weights.tensors["conv1.weight"].shape                 # (64, 3, 7, 7)

The format is recognised by the file's first bytes.
"""

import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Dict, Union

import numpy
import safetensors

from ..errors import WeightsError
from ..files import check_utf8
from ..text import last_line
from . import declared
from .budget import Budget
from .keras_h5 import read_keras_h5
from .pickles import LEGACY_START, from_bfloat16, read_torch

#: what tools write before every name: data-parallel and compiled modules of PyTorch, MXNet's exported symbols
PREFIXES = ("module.", "_orig_mod.", "arg:", "aux:")
PARAMS_START = (0x112).to_bytes(8, "little")
SAVED_IN_NUMPY_MODE = (0xF993FACA).to_bytes(4, "little")  # how an array starts that was saved under npx.set_np()


@dataclass(frozen=True)
class WeightFile:
    """The arrays of one file by the names it gives them.

    ``format`` is "safetensors", "torch", "keras", "mxnet" or "npz", ``notes`` the metadata of a safetensors file.
    """

    path: str
    format: str
    tensors: Dict[str, numpy.ndarray]
    notes: Dict[str, str] = field(default_factory=dict)


def _safetensors(path: str) -> WeightFile:
    budget = Budget(path)
    budget.take_file()
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            notes = file.metadata() or {}
        entries = safetensors.deserialize(Path(path).read_bytes())
    except safetensors.SafetensorError as error:
        raise WeightsError(f"{path}: damaged or cut off: {error}; copy the file again") from None
    kinds = {
        "F32": "<f4",
        "F64": "<f8",
        "F16": "<f2",
        "BF16": "<u2",
        "I64": "<i8",
        "I32": "<i4",
        "I16": "<i2",
        "I8": "i1",
        "U8": "u1",
        "BOOL": "?",
    }
    tensors = {}
    for name, entry in entries:
        if entry["dtype"] not in kinds:
            raise WeightsError(f"{path}: {name} is of type {entry['dtype']}: expected one of {', '.join(kinds)}")
        budget.take(name, entry["shape"], numpy.dtype(kinds[entry["dtype"]]).itemsize)
        values = numpy.frombuffer(entry["data"], kinds[entry["dtype"]]).reshape(entry["shape"])
        if entry["dtype"] == "BF16":
            values = from_bfloat16(values)
        tensors[name] = values
    return WeightFile(path, "safetensors", tensors, notes)


def _torch(path: str) -> WeightFile:
    return WeightFile(path, "torch", read_torch(path))


def _keras(path: str) -> WeightFile:
    return WeightFile(path, "keras", read_keras_h5(path))


def _mxnet(path: str) -> WeightFile:
    import mxnet as mx  # only this format needs it

    check_utf8(path, "mxnet", WeightsError, "rename it, or a folder that it is in")
    budget = Budget(path)
    try:
        for shape, itemsize in declared.params(path):  # mxnet itself takes the memory first
            budget.take("an array", shape, itemsize)
        with open(path, "rb") as file:
            first_array = file.read(28)[24:]
        # a training is in NumPy mode, where mxnet lets nobody leave NumPy's shapes
        with mx.util.np_array(False), mx.util.np_shape(first_array == SAVED_IN_NUMPY_MODE):
            loaded = mx.nd.load(path)
            if not isinstance(loaded, dict):
                raise WeightsError(f"{path}: holds arrays without names: expected parameters saved by name")
            return WeightFile(path, "mxnet", {name: values.asnumpy() for name, values in loaded.items()})
    except ValueError as error:
        if isinstance(error, WeightsError):
            raise
        raise WeightsError(f"{path}: damaged or cut off: {last_line(error)}; copy the file again") from None
    except mx.MXNetError as error:
        raise WeightsError(
            f"{path}: damaged or cut off: mxnet says {last_line(error) or 'nothing'}; copy the file again"
        ) from None


def _is_npz(path: str) -> bool:
    """Is the zip archive at ``path`` one of arrays, as NumPy's ``savez`` and MXNet 2's ``save_parameters`` write?"""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        return False  # cut off: read_torch says so
    return bool(members) and all(name.endswith(".npy") for name in members)


def _npz(path: str) -> WeightFile:
    budget, tensors = Budget(path), {}
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                name = member.filename[: -len(".npy")]
                with archive.open(member) as stream:
                    shape, kind = declared.npy(stream, member.file_size)
                if kind.kind not in "fiub":
                    raise WeightsError(f"{path}: {name} is of type {kind}: expected numbers")
                budget.take(name, shape, kind.itemsize)
                with archive.open(member) as stream:
                    tensors[name] = numpy.lib.format.read_array(stream, allow_pickle=False)
    except WeightsError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise WeightsError(f"{path}: damaged, or no arrays of numbers: {reason}; copy the file again") from None
    return WeightFile(path, "npz", tensors)


def _reader(path: str, start: bytes) -> Callable[[str], WeightFile]:
    if start.startswith(b"\x89HDF\r\n\x1a\n") or path.endswith(".keras"):
        return _keras
    if start.startswith(b"PK\x03\x04"):
        return _npz if _is_npz(path) else _torch
    if start.startswith(LEGACY_START):
        return _torch
    if start.startswith(PARAMS_START):
        return _mxnet
    if start[8:9] == b"{":
        return _safetensors
    if start.startswith(b"\x80") and path.endswith((".pth", ".pt", ".th", ".bin")):
        return _torch
    suffix = Path(path).suffix
    known = (".safetensors", ".pth", ".pt", ".th", ".bin", ".h5", ".params", ".npz")
    damaged = f", or a damaged {suffix}" if suffix in known else ""
    raise WeightsError(
        f"{path}: not a weight file{damaged} (it starts with {start[:8]!r}): expected .safetensors, "
        f".pth, .bin, .h5, .weights.h5 or .params"
    )


def _clean(name: str) -> str:
    for prefix in PREFIXES:
        if name.startswith(prefix):
            return _clean(name[len(prefix) :])
    return name


def read(path: Union[str, Path]) -> WeightFile:
    """The :class:`WeightFile` at ``path``: floating point arrays as float32, counters of batches left out.

    Raises WeightsError for a file that is missing, damaged, of an unknown format, or with numbers that are not finite.
    """
    path = str(path)
    try:
        with open(path, "rb") as file:
            start = file.read(16)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror}") from None
    if not start:
        raise WeightsError(f"{path}: empty: expected a weight file")
    weights, tensors = _reader(path, start)(path), {}
    for key in list(weights.tensors):
        values = weights.tensors.pop(key)  # it is let go when it has become float32
        name = _clean(key)
        if name.endswith("num_batches_tracked"):
            continue
        if name in tensors:
            raise WeightsError(f"{path}: {name} is there twice, once as {key}")
        values = numpy.ascontiguousarray(values, dtype=numpy.float32)
        if values.size and not numpy.isfinite((values.min(), values.max())).all():  # a NaN is its array's least number
            raise WeightsError(
                f"{path}: {name} holds numbers that are not finite: the training diverged or the file is damaged"
            )
        tensors[name] = values
    return WeightFile(path, weights.format, tensors, weights.notes)
