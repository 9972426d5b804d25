"""The random generators of Python and NumPy."""

import random
from contextlib import contextmanager
from typing import Any, Dict, Iterable, Iterator

import numpy


def random_states() -> Dict[str, Any]:
    """The states of NumPy's and Python's generators as JSON values."""
    state: Any = numpy.random.get_state()
    kind, keys, position, has_gauss, gauss = state
    version, internal, gauss_next = random.getstate()
    return {"numpy": [kind, keys.tolist(), position, has_gauss, gauss], "python": [version, list(internal), gauss_next]}


def set_random_states(states: Dict[str, Any]) -> None:
    """Set the generators to the states that :func:`random_states` returned."""
    kind, keys, position, has_gauss, gauss = states["numpy"]
    numpy.random.set_state((kind, numpy.array(keys, dtype=numpy.uint32), position, has_gauss, gauss))
    version, internal, gauss_next = states["python"]
    random.setstate((version, tuple(internal), gauss_next))


@contextmanager
def borrowed(batches: Iterable[Any]) -> Iterator[Iterator[Any]]:
    """Context that gives an iterator over ``batches``; afterwards the generators are in the same state as before."""
    states, iterator = random_states(), iter(batches)
    try:
        yield iterator
    finally:
        getattr(iterator, "close", lambda: None)()
        set_random_states(states)
