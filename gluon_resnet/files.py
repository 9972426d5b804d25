"""Files that are written whole or not at all: a program that is interrupted leaves no half-written file."""

import errno
import json
import os
import secrets
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Iterable, Iterator, Optional, Type, Union

from .errors import GluonResNetError, RunError
from .text import printable

#: The folder of this package.
PACKAGE = Path(__file__).resolve().parent

#: What setup.py copies from the checkout into a wheel; a checkout has no such folder.
_COPIED = PACKAGE / "from_checkout"

#: The folder with experiments/, requirements*.txt and constraints.txt: the checkout, which also has chapters/ and .git,
#: or in an installed wheel a folder of the package.
CHECKOUT = _COPIED if _COPIED.is_dir() else PACKAGE.parent


def in_package(path: Union[str, Path]) -> bool:
    """Whether ``path`` is inside the package: there an installed wheel has its experiments, and nothing is written."""
    return PACKAGE in Path(path).resolve().parents


def check_utf8(path: Union[str, Path], library: str, error: Type[GluonResNetError], advice: str) -> None:
    """Raise ``error``, with ``advice``, if the name ``path`` is not UTF-8: ``library`` cannot open it."""
    if printable(path) != str(path):
        raise error(f"{printable(path)}: a name that is not UTF-8, which {library} cannot open; {advice}")


def sync(path: Union[str, Path]) -> None:
    """Wait until the disk has the file ``path``, or, if it is a folder, the names in it.

    Some network file systems cannot do this for a folder, and write the names at once.
    """
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP) or not os.path.isdir(path):
            raise
    finally:
        os.close(number)


@contextmanager
def written_whole(path: Path, durable: bool = False) -> Iterator[Path]:
    """Context with a temporary file next to ``path``, which replaces ``path`` at the end if nothing went wrong.

    The file may be read by whom the umask says. If it is ``durable``, the disk has it at the end: a power cut leaves
    the file from before or the new one. A process that is killed leaves the temporary file, ``.NAME.*``.
    """
    temporary = path.parent / f".{path.name}.{secrets.token_hex(4)}{path.suffix}"
    open(temporary, "xb").close()
    try:
        yield temporary
        if durable:
            sync(temporary)
        os.replace(temporary, path)
        if durable:
            sync(path.parent)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def remove_leftovers(folder: Path, names: Iterable[str]) -> None:
    """Remove what :func:`written_whole` left in ``folder`` of the files ``names`` when its process was killed.

    The names may be patterns, such as ``checkpoint-*.npz``.
    """
    for name in names:
        for leftover in folder.glob(f".{name}.{'[0-9a-f]' * 8}{Path(name).suffix}"):
            with suppress(OSError):
                leftover.unlink()


@contextmanager
def writing(path: Union[str, Path], advice: Optional[str] = None) -> Iterator[Path]:
    """:func:`written_whole` and durable; RunError if the file cannot be written, whose message ends in ``advice``."""
    try:
        with written_whole(Path(path), durable=True) as temporary:
            yield temporary
    except RunError:
        raise
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror})" + (f"; {advice}" if advice else "")) from None


def as_json(content: Any) -> str:
    """``content`` as indented JSON text."""
    return json.dumps(content, indent=2) + "\n"


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` as indented JSON to ``path``, whole or not at all."""
    with written_whole(path, durable=True) as temporary:
        temporary.write_text(as_json(content))


@contextmanager
def folder_written_whole(path: Union[str, Path]) -> Iterator[Path]:
    """Context with a temporary folder next to ``path``, which is moved to ``path`` at the end if nothing went wrong.

    Raises RunError if the folder cannot be written.
    """
    path = Path(path).absolute()
    temporary = None
    try:
        temporary = path.parent / f".{path.name}.{secrets.token_hex(4)}"
        temporary.mkdir()
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        if isinstance(error, RunError):
            raise
        raise RunError(f"{path}: cannot be written ({error.strerror}); name another folder with --save") from None
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
