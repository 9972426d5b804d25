"""The pickles in PyTorch's files, read as data: plain containers, and which tensors are in which storages.

    storages = {}
    content = unpickle(file, "resnet50.pth", storages)    # {"conv1.weight": Tensor(Storage("f4", "0", 9408), 0, ...)}

A pickle is a program: whoever loads it runs it. Here it may build dicts, lists and numbers and name a tensor's storage.
The first other thing that it asks for ends the reading, and the error names it.

A few bytes of such a program can ask for gigabytes or for a year. So keys are words and numbers, as hashing a tuple of
tuples of tuples may never end, a call has few arguments, and a pickle has a size. Memo entries are in a dict: in the C
version of Unpickler they are in an array that is as long as the largest number of one.
"""

import pickle
import struct
from collections import OrderedDict
from typing import Any, BinaryIO, Dict, NamedTuple, Optional, Tuple

from ..errors import WeightsError
from .budget import MAX_AXES

MAX_PICKLE = 2**22  # bytes; the checkpoint of a ResNet-152 with its optimizer has less than one million
MAX_LINE = 1024  # bytes of a name in a pickle
MAX_NUMBER = 16  # bytes of a whole number; torch's magic number has 10
MAX_ARGUMENTS = 16  # of a call, and of a key that is a tuple
MAX_PAIRS = 2**20  # in all of a pickle's calls of OrderedDict, as Python 2 wrote them

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


# Named tuples have no __dict__, so a pickle cannot change them for those that are read after it.
class _Kind(NamedTuple):
    element: str  # NumPy's type of one element


class Storage(NamedTuple):
    element: str
    key: str
    length: int  # elements


class Tensor(NamedTuple):
    storage: Storage
    offset: int
    size: Tuple[int, ...]
    stride: Tuple[int, ...]


class _Rebuild:
    """Replaces torch's functions that make a tensor from a storage; notes their arguments."""

    __slots__ = ()

    def __call__(self, storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Tensor:
        if (
            not isinstance(storage, Storage)
            or not len(size) == len(stride) <= MAX_AXES
            or not all(type(number) is int and number >= 0 for number in (offset, *size, *stride))
        ):
            raise ValueError("a tensor without a proper storage, size and stride")
        return Tensor(storage, offset, tuple(size), tuple(stride))


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

#: what a pickle may do, by the names of the opcodes in Python's module pickle
OPCODES = (
    *("PROTO", "FRAME", "STOP", "MARK", "POP", "POP_MARK", "DUP", "MEMOIZE"),
    *("GET", "BINGET", "LONG_BINGET", "PUT", "BINPUT", "LONG_BINPUT"),
    *("NONE", "NEWTRUE", "NEWFALSE", "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4"),
    *("FLOAT", "BINFLOAT", "STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_LIST", "LIST", "APPEND", "APPENDS"),
    *("EMPTY_DICT", "SETITEM", "SETITEMS", "EMPTY_SET", "ADDITEMS"),
    *("GLOBAL", "STACK_GLOBAL", "BINPERSID", "REDUCE", "BUILD"),
)


class _Opcodes(dict):
    """{opcode: method}; another opcode is an error that says which."""

    def __missing__(self, opcode: int) -> Any:
        raise ValueError(f"opcode {bytes([opcode])!r}, which no checkpoint needs")


class _Stream:
    """What a pickle is read from: a file of which it may take MAX_PICKLE bytes."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.left = file, MAX_PICKLE

    def read(self, size: int) -> bytes:
        """``size`` bytes, or what is left of the file."""
        if size > self.left:
            raise ValueError(f"it has more than {MAX_PICKLE:,} bytes, not counting its numbers")
        self.left -= size
        return self.file.read(size)

    def readline(self) -> bytes:
        """A line, of MAX_LINE bytes at most."""
        line = self.file.readline(MAX_LINE)
        self.left -= len(line)
        return line


def _check_key(key: Any) -> None:
    """ValueError unless ``key`` is a word, a number, or a few of them: anything else may take for ever to hash."""
    parts = key if type(key) is tuple and len(key) <= MAX_ARGUMENTS else (key,)
    if not all(part is None or type(part) in (str, bytes, int, float, bool) for part in parts):
        raise ValueError(f"a key that is a {type(key).__name__}")


_InPython: Any = pickle._Unpickler  # pickle.Unpickler written in Python, which is where its opcodes can be chosen


class _Unpickler(_InPython):
    """Builds plain containers and notes tensors; everything else is refused by name.

    ``storages`` takes the storages that the pickle names.
    """

    dispatch = _Opcodes((code, _InPython.dispatch[code]) for code in (vars(pickle)[name][0] for name in OPCODES))

    def __init__(self, file: BinaryIO, path: str, storages: Dict[str, Storage]) -> None:
        super().__init__(_Stream(file), encoding="utf-8")
        self.path, self.storages, self.pairs = path, storages, 0

    def find_class(self, module: str, name: str) -> Any:
        try:
            return ALLOWED[module, name]
        except KeyError:
            raise WeightsError(
                f"{self.path}: the pickle asks for {module[:MAX_LINE]}.{name[:MAX_LINE]}: only tensors and plain "
                f"containers are read, and nothing was run; save the state_dict alone, preferably as .safetensors"
            ) from None

    def persistent_load(self, pid: Any) -> Storage:
        if type(pid) is not tuple or not 5 <= len(pid) <= 6:
            raise ValueError("a persistent id that is no storage")
        kind, storage, key, _, count = pid[:5]
        known = type(kind) is str and kind == "storage" and type(key) in (str, int) and isinstance(storage, _Kind)
        if not known or type(count) is not int or count < 0:
            raise ValueError("a persistent id that is no storage")
        if pid[5:] not in ((), (None,)):
            raise ValueError("a storage that is a view of another")
        return self.storages.setdefault(str(key), Storage(storage.element, str(key), count))

    def _reduce(self) -> None:
        """Call an allowed function; its arguments are few."""
        function, arguments = self.stack[-2:]
        if type(arguments) is not tuple or len(arguments) > MAX_ARGUMENTS:
            raise ValueError("a call without a few arguments")
        if function is OrderedDict and arguments:
            pairs = list(arguments[0])
            self.pairs += len(pairs)
            if self.pairs > MAX_PAIRS:
                raise ValueError(f"more than {MAX_PAIRS:,} pairs in calls of OrderedDict")
            for key, _ in pairs:
                _check_key(key)
            arguments = (pairs,)
        self.stack[-2:] = [function(*arguments)]

    def _build(self) -> None:
        """Leave out the attributes of a dict, such as a state_dict's _metadata."""
        if not isinstance(self.stack[-2], OrderedDict):
            raise ValueError(f"attributes of a {type(self.stack[-2]).__name__}")
        self.stack.pop()

    def _long4(self) -> None:
        """A whole number of a few bytes: a longer one takes minutes to print."""
        (size,) = struct.unpack("<i", self.read(4))
        if not 0 <= size <= MAX_NUMBER:
            raise ValueError(f"a whole number of {size:,} bytes")
        self.append(int.from_bytes(self.read(size), "little", signed=True))

    def _setitem(self) -> None:
        _check_key(self.stack[-2])
        _InPython.load_setitem(self)

    def _setitems(self) -> None:
        for key in self.stack[::2]:
            _check_key(key)
        _InPython.load_setitems(self)

    def _additems(self) -> None:
        for key in self.stack:
            _check_key(key)
        _InPython.load_additems(self)

    dispatch.update(
        {
            pickle.REDUCE[0]: _reduce,
            pickle.BUILD[0]: _build,
            pickle.LONG4[0]: _long4,
            pickle.SETITEM[0]: _setitem,
            pickle.SETITEMS[0]: _setitems,
            pickle.ADDITEMS[0]: _additems,
        }
    )


def unpickle(file: BinaryIO, path: str, storages: Optional[Dict[str, Storage]] = None) -> Any:
    """The content of the next pickle in ``file``; the storages that it names are added to the dict ``storages``."""
    try:
        return _Unpickler(file, path, {} if storages is None else storages).load()
    except WeightsError:
        raise
    except Exception as error:  # a damaged pickle may raise anything
        reason = str(error)[:MAX_LINE] or type(error).__name__
        raise WeightsError(
            f"{path}: the pickle in it is damaged or no checkpoint: {reason}; copy or save the file again"
        ) from None
