"""The random generators of Python and NumPy."""

import random
from contextlib import contextmanager

import numpy


def random_states():
    """The states of NumPy's and Python's generators as JSON values."""
    kind, keys, position, has_gauss, gauss = numpy.random.get_state()
    version, internal, gauss_next = random.getstate()
    return {"numpy": [kind, keys.tolist(), position, has_gauss, gauss], "python": [version, list(internal), gauss_next]}


def set_random_states(states):
    """Put the generators into what :func:`random_states` gave."""
    kind, keys, position, has_gauss, gauss = states["numpy"]
    numpy.random.set_state((kind, numpy.array(keys, dtype=numpy.uint32), position, has_gauss, gauss))
    version, internal, gauss_next = states["python"]
    random.setstate((version, tuple(internal), gauss_next))


@contextmanager
def borrowed(batches):
    """Context that gives an iterator over ``batches`` and undoes what it draws from the generators."""
    states, iterator = random_states(), iter(batches)
    try:
        yield iterator
    finally:
        getattr(iterator, "close", lambda: None)()
        set_random_states(states)
