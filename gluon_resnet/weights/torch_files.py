"""PyTorch's .pth written without PyTorch: the zip archive of torch.save, which torch.load reads with weights_only, too.

    write_torch("net.pth", {"fc.bias": numpy.zeros(10, "float32")})

The archive holds data.pkl, a pickle of the dict in which a tensor is a call of torch's function for it, and the numbers
of each tensor in a file of their own. Python's pickle module cannot write a call of a function that is not installed,
so the pickle is put together here, opcode by opcode. pickles.py reads such files.
"""

import pickle
import struct
import zipfile
from pathlib import Path
from typing import Mapping, Union

import numpy

ROOT = "net"  # the archive's one folder; torch.save calls it after the file
FORMAT_VERSION = "3\n"  # of torch.save since PyTorch 1.6


def _number(value: int) -> bytes:
    return pickle.BININT + struct.pack("<i", value)


def _text(value: str) -> bytes:
    content = value.encode()
    return pickle.BINUNICODE + struct.pack("<I", len(content)) + content


def _tuple(*items: bytes) -> bytes:
    return pickle.MARK + b"".join(items) + pickle.TUPLE


def _name(module: str, name: str) -> bytes:
    return pickle.GLOBAL + f"{module}\n{name}\n".encode()


def _call(function: bytes, *arguments: bytes) -> bytes:
    return function + _tuple(*arguments) + pickle.REDUCE


def _tensor(values: numpy.ndarray, key: str) -> bytes:
    """The pickle of a tensor over the storage ``key`` of the archive, rows after rows, on the CPU."""
    kind = _name("torch", "FloatStorage")
    storage = _tuple(_text("storage"), kind, _text(key), _text("cpu"), _number(values.size)) + pickle.BINPERSID
    strides = [step // values.itemsize for step in values.strides]
    return _call(
        _name("torch._utils", "_rebuild_tensor_v2"),
        storage,
        _number(0),  # offset in the storage
        _tuple(*map(_number, values.shape)),
        _tuple(*map(_number, strides)),
        pickle.NEWFALSE,  # requires_grad
        _call(_name("collections", "OrderedDict")),  # hooks
    )


def write_torch(path: Union[str, Path], tensors: Mapping[str, numpy.ndarray]) -> None:
    """Write {key: float32 array} to ``path`` as ``torch.save(OrderedDict(...))`` does."""
    arrays = [numpy.asarray(values, "<f4", order="C") for values in tensors.values()]
    items = b"".join(_text(key) + _tensor(values, str(i)) for i, (key, values) in enumerate(zip(tensors, arrays)))
    content = _call(_name("collections", "OrderedDict")) + pickle.MARK + items + pickle.SETITEMS
    with zipfile.ZipFile(path, "w") as archive:  # not compressed, as torch.load demands
        archive.writestr(f"{ROOT}/data.pkl", pickle.PROTO + b"\x02" + content + pickle.STOP)
        archive.writestr(f"{ROOT}/byteorder", "little")
        for i, values in enumerate(arrays):
            archive.writestr(f"{ROOT}/data/{i}", values.tobytes())
        archive.writestr(f"{ROOT}/version", FORMAT_VERSION)
