"""What happens around the import of mxnet, whenever a program comes to it.

sys.meta_path.insert(0, AroundMxnet(released_afterwards(cpus)))
"""

import contextlib
import importlib.util
import os
import sys
import tempfile
from typing import Any, ContextManager, Iterator, Sequence


class AroundMxnet:
    """An import hook that loads mxnet, once it is imported, inside a context."""

    def __init__(self, context: ContextManager[None]) -> None:
        self.context = context

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != "mxnet" or self not in sys.meta_path:
            return None
        sys.meta_path.remove(self)
        try:
            spec = importlib.util.find_spec(name)
        finally:
            sys.meta_path.insert(0, self)
        if spec is None or spec.loader is None:
            return spec
        loader: Any = spec.loader
        load = loader.exec_module

        def exec_module(module: Any) -> None:
            with self.context:
                load(module)

        loader.exec_module = exec_module
        return spec


@contextlib.contextmanager
def released_afterwards(cpus: Sequence[int]) -> Iterator[None]:
    """Context in which mxnet is loaded, and after which this thread has its processors back.

    If GNU OpenMP is to bind its threads, it binds the thread that loads it to the first core at once, and every thread
    and process started from there inherits this: a notebook's subprocesses would share one core. mxnet computes in
    threads of its own, which stay bound.
    """
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # the allowed processors have changed: these are no longer ours
            os.sched_setaffinity(0, cpus)


@contextlib.contextmanager
def _errors_without(words: bytes) -> Iterator[None]:
    """Context in which lines with ``words`` do not reach standard error, whether Python or C writes them."""
    try:
        stderr = os.dup(2)
    except OSError:  # closed: nothing reaches it
        yield
        return
    with tempfile.TemporaryFile() as written:
        os.dup2(written.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            written.seek(0)
            for line in written:
                if words not in line:
                    os.write(2, line)


@contextlib.contextmanager
def engine_not_named() -> Iterator[None]:
    """Context in which mxnet is loaded and its engine starts; any but the default one says its name then."""
    with _errors_without(b"MXNet start using engine"):
        yield
        sys.modules["mxnet"].nd.waitall()
