"""Files that are written whole or not at all: a program that is interrupted leaves no half-written file."""

import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, Optional, Union

from .errors import RunError

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


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Context with a temporary file next to ``path``, which replaces ``path`` at the end if nothing went wrong."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    os.close(handle)
    try:
        yield Path(name)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


@contextmanager
def writing(path: Union[str, Path], advice: Optional[str] = None) -> Iterator[Path]:
    """:func:`written_whole` that raises RunError if the file cannot be written; the message ends in ``advice``."""
    try:
        with written_whole(Path(path)) as temporary:
            yield temporary
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror})" + (f"; {advice}" if advice else "")) from None


def as_json(content: Any) -> str:
    """``content`` as indented JSON text."""
    return json.dumps(content, indent=2) + "\n"


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` as indented JSON to ``path``, whole or not at all."""
    with written_whole(path) as temporary:
        temporary.write_text(as_json(content))


@contextmanager
def folder_written_whole(path: Union[str, Path]) -> Iterator[Path]:
    """Context with a temporary folder next to ``path``, which is moved to ``path`` at the end if nothing went wrong.

    Raises RunError if the folder cannot be written.
    """
    path = Path(path).absolute()
    temporary = None
    try:
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
        yield temporary
        os.chmod(temporary, 0o755)
        os.replace(temporary, path)
    except OSError as error:
        if isinstance(error, RunError):
            raise
        raise RunError(f"{path}: cannot be written ({error.strerror}); name another folder with --save") from None
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
