"""A full disk without one: the kernel refuses to let any file of this process grow beyond a number of bytes."""

import contextlib
import resource


@contextlib.contextmanager
def full_disk(size):
    """Context in which a write beyond ``size`` bytes of a file fails with "File too large"."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
