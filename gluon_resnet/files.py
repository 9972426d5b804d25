"""Files that appear whole or not at all."""

import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

from .errors import RunError

#: The folder above the package: with chapters/, experiments/ and .git where the suite runs from a checkout.
CHECKOUT = Path(__file__).resolve().parent.parent


@contextmanager
def written_whole(path):
    """Context that gives a temporary path next to ``path`` and moves it there at the end, if nothing went wrong."""
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
def writing(path, advice=None):
    """:func:`written_whole`, with a RunError, which ends in ``advice``, where the file cannot be written."""
    try:
        with written_whole(Path(path)) as temporary:
            yield temporary
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror})" + (f"; {advice}" if advice else "")) from None


def as_json(content):
    """``content`` as indented JSON text."""
    return json.dumps(content, indent=2) + "\n"


def write_json(path, content):
    """``content`` as indented JSON at ``path``, whole or not at all."""
    with written_whole(path) as temporary:
        temporary.write_text(as_json(content))


@contextmanager
def folder_written_whole(path):
    """Context that gives a temporary folder next to ``path`` and moves it there at the end, if nothing went wrong."""
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
