"""Published weights by name, in the suite's cache: fetched when they are first asked for, and verified every time.

    path = local_file("imagenet:a1", "resnet50")          # ~/.cache/gluon-resnet/weights/resnet50.a1_in1k.safetensors

A file appears in the cache whole and verified or not at all. One that the reader has put there is verified and used.
"""

import fcntl
import hashlib
import os
import re
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Union
from urllib.parse import urlsplit

from ..errors import WeightsError
from ..machine import downloads
from .published import Published, find, suggestion

CHUNK = 1 << 20
NAMES = {"sha256": "SHA-256", "sha1": "SHA-1", "md5": "MD5"}
HUB_HASH = "x-linked-etag"  # where the Hugging Face Hub says which SHA-256 a large file has


def local_file(
    weights: Union[str, Path], model: str, say: downloads.Say = downloads.to_standard_error
) -> Union[str, Path]:
    """The path of a weight file: ``weights`` itself, or of the published file that it names for ``model``.

    Args:
        weights: a path, or ``imagenet``, ``imagenet:TAG`` or ``TAG``.
        model: a model's name such as ``resnet50``.
        say: takes one line for the reader at a time.

    Raises:
        WeightsError: there is no such name, or its file cannot be fetched or is not the published one.
    """
    row = find(weights, model)
    if row is None and re.fullmatch(r"\w+", str(weights)) and not os.path.exists(weights):
        raise WeightsError(f"{weights}: neither a file nor a tag of {model}: {suggestion(str(weights), model)}")
    return weights if row is None else fetch(row, say)


def fetch(row: Published, say: downloads.Say = downloads.to_standard_error) -> Path:
    """The path of a published file in the suite's cache, verified, and fetched if it is not there yet.

    Raises WeightsError if it cannot be fetched, or if what is there or comes is not the published file.
    """
    target = place(row)
    if target.is_file():
        _check_own(row, target)
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(target.parent):
            if not target.is_file():  # another process may have fetched it in the meantime
                _fetch(row, target, say)
    except OSError as error:
        raise WeightsError(
            f"{target}: cannot be written ({error.strerror or error}); set GLUON_RESNET_HOME to a folder you may "
            f"write to"
        ) from None
    return target


def place(row: Published) -> Path:
    """Where the file of ``row`` is in the suite's cache, or will be."""
    return downloads.home() / "weights" / row.file


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Context of one process at a time: two that write one file would spoil it."""
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(row: Published, target: Path, say: downloads.Say) -> None:
    part = target.with_name(target.name + (".zip.part" if row.zipped else ".part"))
    host = urlsplit(row.url).netloc
    try:
        expected = row.hash or _hash_of_hub(row)
        downloads.bring(row.url, part, row.file, _limit(row), say)
    except downloads.Unreachable as error:
        raise WeightsError(f"{row.url}: {host} cannot be reached ({error}): {_by_hand(row, target)}") from None
    except downloads.Cut as error:
        raise WeightsError(f"{row.url}: {error}: what came is kept, and the same command goes on from there") from None
    except downloads.Refused as error:
        raise WeightsError(f"{row.url}: {host} does not send the file ({error}): {_by_hand(row, target)}") from None
    if row.zipped:
        part = _unpacked(row, part)
    found = file_hash(part, expected)
    if not found.startswith(expected):
        downloads.discard(part)
        raise WeightsError(
            f"{row.url}: not the published file: expected {_shown(expected)}, found {_shown(found)}; it was deleted: "
            f"try again, or put the right file at {target}"
        )
    if not row.hash:
        _note(row).write_text(found)
    downloads.finish(part, target)
    say(f"fetched {row.file} from {host} into {target.parent}")


def _limit(row: Published) -> int:
    """More bytes than the file has: its numbers, and a tenth and 1 MB for their names and what the format adds."""
    return row.size + row.size // 10 + 1_000_000


def _unpacked(row: Published, archive: Path) -> Path:
    """The file of ``row`` out of a .zip file, which is removed."""
    part = archive.with_name(f"{row.file}.part")
    try:
        with zipfile.ZipFile(archive) as content, content.open(row.file) as packed, open(part, "wb") as stream:
            size = 0
            for chunk in iter(lambda: packed.read(CHUNK), b""):
                size += len(chunk)
                if size > _limit(row):
                    raise zipfile.BadZipFile(f"unpacks to more than {_limit(row):,} bytes")
                stream.write(chunk)
    except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError, EOFError) as error:
        downloads.discard(part)
        raise WeightsError(f"{row.url}: not a .zip file with {row.file} in it ({error}); it was deleted") from None
    finally:
        downloads.discard(archive)
    return part


# Hashes ---------------------------------------------------------------------------------------------------------------


def file_hash(path: Path, like: str = "sha256:") -> str:
    """``sha256:`` and the digits of the file at ``path``, or with the algorithm that ``like`` begins with."""
    algorithm = like.partition(":")[0] or "sha256"
    digest = hashlib.new(algorithm)
    with open(path, "rb") as stream:
        for chunk in iter(lambda: stream.read(CHUNK), b""):
            digest.update(chunk)
    return f"{algorithm}:{digest.hexdigest()}"


def _check_own(row: Published, target: Path) -> None:
    """Verify what is in the cache; WeightsError if it is not the published file, or nobody can say whether it is."""
    note = _note(row)
    expected = row.hash or (note.read_text() if note.exists() else "")
    if not expected:
        try:
            expected = _hash_of_hub(row)
        except (downloads.Unreachable, downloads.Refused) as error:
            raise WeightsError(
                f"{target}: cannot be verified: the table does not have its hash, and {urlsplit(row.url).netloc} does "
                f"not say it ({error}): to use the file as it is, give its path instead of a name"
            ) from None
    found = file_hash(target, expected)
    if not found.startswith(expected):
        raise WeightsError(
            f"{target}: not the published file: expected {_shown(expected)}, found {_shown(found)}: remove it to have "
            f"the right one fetched from {row.url}"
        )
    if not row.hash:
        note.write_text(found)


def _hash_of_hub(row: Published) -> str:
    """The SHA-256 that the Hugging Face Hub says the file has; raises Unreachable, or Refused if it says none."""
    digits = re.fullmatch(r'"?([0-9a-f]{64})"?', downloads.first_headers(row.url).get(HUB_HASH, ""))
    if digits is None:
        raise downloads.Refused("it does not say which SHA-256 the file has")
    return f"sha256:{digits[1]}"


def _note(row: Published) -> Path:
    """Where the hash of a file is kept that the table does not have."""
    return place(row).with_name(f"{row.file}.sha256")


def _shown(text: str) -> str:
    """``SHA-256 11ad3fa6...`` of ``sha256:11ad3fa6``, where the dots stand for digits that are not known."""
    algorithm, _, digits = text.partition(":")
    return f"{NAMES[algorithm]} {digits}{'...' if len(digits) < 2 * hashlib.new(algorithm).digest_size else ''}"


def _by_hand(row: Published, target: Path) -> str:
    if not row.hash:  # nobody here could verify it
        return "download it on another machine and give its path instead of a name"
    unpack = f", unpack {row.file} from it" if row.zipped else ""
    return f"download it on another machine{unpack} and put it at {target}; it has {_shown(row.hash)}"
