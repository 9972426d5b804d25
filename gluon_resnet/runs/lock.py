"""A run folder is worked in by one process at a time.

    with alone_in("runs/20261122-..."):        # RunError in a second process
        ...

The file ``.lock`` is locked with flock(2), which the kernel ends with its process, and says whose it is: process, host,
and when both were started, so that another process with the number of a dead one is not taken for it. The lock of a
dead owner is taken over. A lock of another host is not, because nobody here can know whether its owner is alive.
"""

import fcntl
import json
import os
import socket
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Dict, Iterator, Optional, Union

from ..errors import RunError
from ..machine import process

NAME = ".lock"


def started(pid: int) -> Optional[str]:
    """When a process of this machine was started, in clock ticks since the boot with this id; None if it is not alive.

    Source: proc(5), the 22nd field of stat.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except (OSError, ValueError):
        return None
    found = process.fields(pid)
    return None if found is None or found[0] in "ZX" else f"{found[19]} after {boot}"


def _owner() -> Dict[str, Any]:
    """Who this process is."""
    return {"pid": os.getpid(), "host": socket.gethostname(), "started": started(os.getpid())}


def _read(number: int) -> Dict[str, Any]:
    """The owner in an open lock; empty if nobody has written it whole."""
    try:
        content = json.loads(os.pread(number, 10_000, 0))
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _is_alive(owner: Dict[str, Any]) -> bool:
    """Whether the owner of a lock may be alive: on another host, or a process of this one that is the same."""
    if owner.get("host") != socket.gethostname():
        return True
    pid = owner.get("pid")
    return type(pid) is int and pid > 0 and owner.get("started") is not None and started(pid) == owner["started"]


def _refusal(folder: Path, owner: Dict[str, Any]) -> RunError:
    who = f"process {owner.get('pid')} on {owner.get('host')}" if owner else "another process"
    elsewhere = owner.get("host") not in (None, socket.gethostname())
    advice = f"; if it is dead, remove {folder / NAME}" if elsewhere else ""
    return RunError(f"{folder}: {who} is at work in this run: wait for it, or end it{advice}")


def _take(folder: Path) -> int:
    """The number of the open and locked file; RunError if somebody else has it."""
    path = folder / NAME
    while True:
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            owner = _read(number)
            try:
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise _refusal(folder, owner) from None
            except OSError:  # a network file system without locks: what is written in it has to do
                pass
            owner = _read(number)
            if owner and _is_alive(owner):
                raise _refusal(folder, owner)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(number), os.stat(path)):
                    os.ftruncate(number, 0)
                    os.pwrite(number, json.dumps(_owner()).encode(), 0)
                    return number
            os.close(number)  # its owner has removed it in the meantime
        except BaseException:
            os.close(number)
            raise


@contextmanager
def alone_in(folder: Union[str, Path]) -> Iterator[None]:
    """Context in which no other process works in the run folder ``folder``, which must be there.

    Raises RunError if one does, or if the folder cannot be written.
    """
    folder = Path(folder)
    try:
        number = _take(folder)
    except RunError:
        raise
    except OSError as error:
        raise RunError(f"{folder}: cannot be written ({error.strerror}): expected a folder for a run") from None
    try:
        yield
    finally:
        with suppress(OSError):
            os.unlink(folder / NAME)
        os.close(number)
