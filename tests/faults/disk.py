"""A disk that fails: every call of a save that writes is counted, and one of them ends the process or is refused.

    with Disk(at=7, before=die) as disk:                  # the process ends instead of the seventh call
        checkpoint_files.write(folder, arrays)
    disk.calls                                            # [("create", name), ("write", name), ("fsync", name), ...]

This module and what it uses need no mxnet, so that a process can be forked.
"""

import os
import re
from contextlib import ExitStack
from unittest import mock

from gluon_resnet import files
from gluon_resnet.training import checkpoint_files

import numpy


def die():
    """End this process as SIGKILL would: nothing is cleared away."""
    os._exit(9)


class Disk:
    """Context in which the call number ``at`` does something else before or after; with ``on``, so do all that follow.

    Calls that only read are not counted.
    """

    def __init__(self, at=0, before=None, after=None, on=False):
        self.at, self.before, self.after, self.on = at, before, after, on
        self.calls, self.written, self.patches = [], [], ExitStack()
        self.names = {}  # of open descriptors

    def __enter__(self):
        for module in (files, checkpoint_files):
            self.patches.enter_context(mock.patch.object(module, "open", self.open, create=True))
        for name in ("fsync", "replace", "unlink"):
            self.patches.enter_context(mock.patch.object(os, name, self.counted(name, getattr(os, name))))
        real = os.open

        def opened(path, flags, *args, **options):
            number = real(path, flags, *args, **options)
            self.names[number] = os.fspath(path)
            return number

        self.patches.enter_context(mock.patch.object(os, "open", self.counted("open", opened)))
        return self

    def __exit__(self, *_):
        self.patches.close()

    def call(self, kind, path, action, *content):
        """Count one call, and do it unless this is the one."""
        name = (
            "the folder" if os.path.isdir(path) else re.sub(r"\.[0-9a-f]{8}\.", ".TEMPORARY.", os.path.basename(path))
        )
        self.calls.append((kind, name))
        hit = len(self.calls) == self.at or (self.on and self.at and len(self.calls) > self.at)
        if hit and self.before:
            self.before()
        result = action()
        self.written.append((kind, str(path), *content))
        if hit and self.after:
            self.after()
        return result

    def counted(self, kind, function):
        def run(first, *args, **options):
            path = self.names.get(first, "?") if isinstance(first, int) else os.fspath(first)
            return self.call(kind, path, lambda: function(first, *args, **options), *map(str, args[:1]))

        return run

    def open(self, path, mode="r", *args, **options):
        """The builtin, except that files that are written are not buffered and count each write."""
        if "r" in mode:
            return open(path, mode, *args, **options)
        stream = self.call("create", path, lambda: open(path, mode, buffering=0))  # noqa: SIM115  it is passed on
        return _Counted(stream, str(path), self)


class _Counted:
    """An open file whose writes are counted."""

    def __init__(self, stream, path, disk):
        self.stream, self.path, self.disk = stream, path, disk

    def write(self, block):
        return self.disk.call("write", self.path, lambda: self.stream.write(block), bytes(block))

    def close(self):
        self.stream.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def arrays_of(step):
    """The arrays of a checkpoint after so many steps, all different."""
    random = numpy.random.RandomState(step)
    return {
        "parameter/0.weight": random.randn(4, 3, 3).astype("float32"),
        "parameter/0.bias": random.randn(4).astype("float32"),
        "note": numpy.frombuffer(b'{"step": %d}' % step, dtype=numpy.uint8),
    }


def step_of(path, arrays):
    """The step of a checkpoint; AssertionError if a number of it is wrong.

    Names are not this file's business in the suite either: training/checkpoint.py looks at them.
    """
    if set(arrays) != set(arrays_of(0)):
        raise checkpoint_files.DamagedError(f"{path}: damaged checkpoint (other names)")
    step = int(arrays["note"].tobytes().decode().strip("{}").split(":")[1])
    expected = arrays_of(step)
    assert all((arrays[name] == values).all() for name, values in expected.items())
    return step


def loaded(folder, lines=None, **options):
    """The step of the newest checkpoint that is whole."""
    return checkpoint_files.newest(folder, step_of, say=(lines if lines is not None else []).append, **options)


def begun(folder, keep=2):
    """A folder with as many checkpoints as are kept, the last after step ``keep``: the next save removes one."""
    folder.mkdir(parents=True)
    with mock.patch.object(files, "sync", lambda path: None):  # this part is not what is tested, and would take long
        for step in range(1, keep + 1):
            checkpoint_files.write(folder, arrays_of(step), keep)
    return folder


def names(folder):
    return sorted(path.name for path in folder.iterdir())
