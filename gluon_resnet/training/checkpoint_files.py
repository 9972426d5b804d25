"""The files of a run's checkpoints: the last few, each whole, on the disk and with its SHA-256. None of it needs mxnet.

    checkpoint-000012.npz       arrays in numpy.savez's format, not compressed
    checkpoint-000012.sha256    its SHA-256; sha256sum -c checks it, too

The hash comes first: a checkpoint that has its name is complete, and is the newest from then on. Only then are older
ones removed, hash last. A process that is killed, or a disk that fails, at any point leaves the checkpoint before or
the new one.

A file is read only if it is no larger than expected, its hash is right, and each of its arrays has as many bytes as it
says: so memory is taken only for what is there.
"""

import errno
import hashlib
import io
import math
import os
import re
import warnings
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Callable, Dict, List, Mapping, Optional, Union

import numpy

from ..errors import RunError
from ..files import sync, writing

FilePath = Union[str, Path]
Arrays = Dict[str, numpy.ndarray]

#: patterns of the files' names, as :func:`gluon_resnet.files.remove_leftovers` takes them
PATTERNS = ("checkpoint-[0-9]*.npz", "checkpoint-[0-9]*.sha256")
OLD = "checkpoint.npz"  # the only one of a run from before 2026-11-28, without a hash
NUMBERED = re.compile(r"checkpoint-([0-9]{6,12})\.(npz|sha256)")
DAMAGED = ".damaged"  # is appended to the name of one that could not be read
KEEP = 3
#: what keeps a file from being read that is not its own fault
ELSEWHERE = (errno.EACCES, errno.EPERM, errno.ENOENT, errno.EMFILE, errno.ENFILE, errno.ENOMEM)
BLOCK = 2**20  # bytes that are hashed at a time
MAX_HEADER = 1000  # bytes that describe an array; numpy's own are 118


class DamagedError(RunError):
    """A checkpoint that is not as it was written."""


class _Hashed:
    """Passes on what is written into it, and hashes it. It cannot go back, so zipfile writes the archive in order."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream, self.digest = stream, hashlib.sha256()

    def write(self, block: Any) -> int:
        """Write and hash a block of bytes."""
        self.digest.update(block)
        return self.stream.write(block)

    def flush(self) -> None:
        """Nothing is kept back here."""


def number(path: Path) -> int:
    """The number of a checkpoint's file; 0 for a run from before there were numbers, -1 if it is another file."""
    match = NUMBERED.fullmatch(path.name)
    return int(match[1]) if match else 0 if path.name == OLD else -1


def checkpoints(folder: FilePath) -> List[Path]:
    """The checkpoints in a run folder, newest first."""
    found = [path for path in Path(folder).glob("*.npz") if number(path) >= 0]
    return sorted(found, key=number, reverse=True)


def _hash_file(path: Path) -> Path:
    return path.with_suffix(".sha256")


def write(folder: FilePath, arrays: Mapping[str, numpy.ndarray], keep: int = KEEP) -> Path:
    """Write ``arrays`` as the newest checkpoint in ``folder``, and remove all but the ``keep`` newest.

    Raises RunError if it cannot be written; the ones before stay.
    """
    path = Path(folder) / f"checkpoint-{_last_number(folder) + 1:06}.npz"
    try:
        with writing(path) as temporary:
            digest = _write_arrays(temporary, arrays)
            with writing(_hash_file(path)) as hash_file, open(hash_file, "wb") as stream:
                stream.write(f"{digest}  {path.name}\n".encode())
    except BaseException:
        if not path.exists():
            with suppress(OSError):
                os.unlink(_hash_file(path))
        raise
    with suppress(OSError):  # tried again after the next one: the training is worth more than the room
        _prune(folder, keep)
    return path


def _last_number(folder: FilePath) -> int:
    try:
        return max((number(path) for path in Path(folder).iterdir() if number(path) > 0), default=0)
    except OSError as error:
        raise RunError(f"{folder}: cannot be read ({error.strerror}): expected a run folder") from None


def _write_arrays(path: Path, arrays: Mapping[str, numpy.ndarray]) -> str:
    """Write ``arrays`` as numpy.savez does, and return the SHA-256 of the file.

    numpy.savez does not close its archive if the disk is full. The archive would then complain on standard error when
    Python clears it away.
    """
    with open(path, "wb") as stream:
        hashed = _Hashed(stream)
        with zipfile.ZipFile(hashed, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]
            for name, values in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    numpy.lib.format.write_array(member, values, version=(1, 0), allow_pickle=False)
    return hashed.digest.hexdigest()


def _prune(folder: FilePath, keep: int) -> None:
    """Remove the checkpoints beyond the ``keep`` newest, the damaged ones, and hashes without a checkpoint."""
    for path in reversed(checkpoints(folder)[keep:]):  # the newest last
        os.unlink(path)
    left = {path.stem for path in checkpoints(folder)}
    for path in Path(folder).iterdir():
        is_hash = number(path) > 0 and path.suffix == ".sha256"
        if (is_hash and path.stem not in left) or _is_damaged(path):
            os.unlink(path)


def _is_damaged(path: Path) -> bool:
    return path.suffix == DAMAGED and number(path.with_suffix("")) >= 0


def remove(folder: FilePath) -> None:
    """Remove all checkpoints: the run is finished. RunError if they cannot be removed."""
    try:
        _prune(folder, 0)
        sync(folder)
    except OSError as error:
        raise RunError(
            f"{error.filename or folder}: cannot be removed ({error.strerror}): the run is finished; remove it"
        ) from None


def read(path: Path, at_most: Optional[int] = None) -> Arrays:
    """The arrays of one checkpoint.

    Args:
        path: its .npz file.
        at_most: bytes that it may have.

    Raises:
        DamagedError: it is not as it was written.
        RunError: it cannot be read, now or by this user.
    """
    try:
        with open(path, "rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            if at_most is not None and size > at_most:
                raise ValueError(f"{size:,} bytes: expected at most {at_most:,} for the network of this run")
            if number(path):
                _check_hash(path, stream)
            return _read_arrays(stream, size)
    except OSError as error:
        if error.errno in ELSEWHERE:
            raise RunError(f"{path}: cannot be read ({error.strerror}); see to that, then try again") from None
        raise DamagedError(f"{path}: damaged checkpoint ({_in_words(error)})") from None
    except MemoryError:
        raise RunError(f"{path}: cannot be read: expected more free memory, for its {size:,} bytes") from None
    except Exception as error:  # a damaged archive may raise anything
        raise DamagedError(f"{path}: damaged checkpoint ({_in_words(error)})") from None


def _in_words(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, ValueError) and text else f"{type(error).__name__}: {text}"


def _check_hash(path: Path, stream: IO[bytes]) -> None:
    """Raise ValueError unless ``stream`` has the SHA-256 that is written next to it; then go back to its start."""
    try:
        with open(_hash_file(path), "rb") as hash_file:
            expected = hash_file.read(200)
    except FileNotFoundError:
        raise ValueError(f"its SHA-256 is missing: expected {_hash_file(path).name}") from None
    digest = hashlib.sha256()
    while True:
        block = stream.read(BLOCK)
        if not block:
            break
        digest.update(block)
    if f"{digest.hexdigest()}  {path.name}\n".encode() != expected:
        raise ValueError(f"its SHA-256 is {digest.hexdigest()[:16]}...: not the one in {_hash_file(path).name}")
    stream.seek(0)


def _read_arrays(stream: IO[bytes], size: int) -> Arrays:
    """The arrays in an archive of ``size`` bytes; ValueError, or an error of zipfile's, if it is not one of ours."""
    arrays = {}
    with zipfile.ZipFile(stream) as archive:
        members = archive.infolist()
        declared = sum(member.file_size for member in members)
        if declared > size or any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise ValueError(f"{declared:,} bytes of arrays in a file of {size:,}: expected them as they are")
        for member in members:
            name = member.filename[:-4]
            if not member.filename.endswith(".npy") or name in arrays:
                raise ValueError(f"{name!r}: expected an array, once")
            with archive.open(member) as content:
                arrays[name] = _read_array(name, content, member.file_size)
    return arrays


def _read_array(name: str, stream: IO[bytes], size: int) -> numpy.ndarray:
    """The array in a .npy file of ``size`` bytes, which may not be written to."""
    if numpy.lib.format.read_magic(stream) != (1, 0):
        raise ValueError(f"{name}: expected version 1.0 of the npy format")
    length = stream.read(2)
    described = int.from_bytes(length, "little")
    if described > MAX_HEADER:
        raise ValueError(f"{name}: a description of {described:,} bytes: expected at most {MAX_HEADER}")
    header = io.BytesIO(length + stream.read(described))
    shape, fortran, dtype = numpy.lib.format.read_array_header_1_0(header)
    count, held = math.prod(shape), size - 10 - described
    if dtype.hasobject or min(shape, default=0) < 0 or count * dtype.itemsize != held:
        raise ValueError(f"{name}: {dtype} {shape} in {held:,} bytes")
    return numpy.frombuffer(stream.read(), dtype).reshape(shape, order="F" if fortran else "C")


def newest(
    folder: FilePath,
    check: Callable[[Path, Arrays], Any],
    at_most: Optional[int] = None,
    say: Callable[[str], Any] = warnings.warn,
    set_aside: bool = False,
) -> Any:
    """What ``check`` returns for the newest checkpoint of ``folder`` that is not damaged.

    Args:
        folder: a run folder.
        check: gets a checkpoint's path and arrays, and may raise DamagedError.
        at_most: bytes that a checkpoint may have.
        say: called with a line for each damaged checkpoint.
        set_aside: rename damaged ones, so that they are never tried again.

    Raises:
        RunError: there is none, or none that is whole.
    """
    paths, damaged = checkpoints(folder), []
    for path in paths:
        try:
            found = check(path, read(path, at_most))
        except DamagedError as error:
            damaged.append(str(error))
            continue
        _tell(damaged, say)
        if set_aside:
            _set_aside(paths[: len(damaged)])
        return found
    if not paths:
        raise RunError(
            f"{Path(folder) / 'checkpoint-*.npz'}: no such file: the run is finished, or was stopped before its first "
            f"checkpoint"
        )
    others = f", and so {'is the one' if len(paths) == 2 else f'are the {len(paths) - 1}'} before" if paths[1:] else ""
    raise RunError(f"{damaged[0]}{others}: expected one that is whole; copy the run folder again, or train a new run")


def _tell(damaged: List[str], say: Callable[[str], Any]) -> None:
    for i, line in enumerate(damaged):
        say(f"{line}: the one before is {'taken' if i == len(damaged) - 1 else 'tried'}")


def _set_aside(paths: List[Path]) -> None:
    for path in paths:
        with suppress(OSError):  # then the folder cannot be written, which is told when the next one is saved
            os.replace(path, f"{path}{DAMAGED}")
