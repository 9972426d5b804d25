"""The random generators of Python and NumPy."""

import math
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


def check_random_states(states: Any, where: str) -> None:
    """Raise ValueError, beginning with ``where``, unless ``states`` are such as :func:`random_states` gives.

    NumPy itself would take some of what it cannot use, such as a position outside its numbers.
    """
    try:
        kind, keys, position, has_gauss, gauss = states["numpy"]
        version, internal, gauss_next = states["python"]
        numbers = [*keys, *internal, position, has_gauss]
        right = all(type(value) is int and 0 <= value < 2**32 for value in numbers) and len(keys) == 624
        right = right and kind == "MT19937" and position <= 624 and has_gauss <= 1
        right = right and math.isfinite(gauss) and (gauss_next is None or math.isfinite(gauss_next))
        random.Random().setstate((version, tuple(internal), gauss_next))
    except (KeyError, TypeError, ValueError, OverflowError):
        right = False
    if not right:
        raise ValueError(f"{where}: expected the states of NumPy's and Python's random generators")


@contextmanager
def borrowed(batches: Iterable[Any]) -> Iterator[Iterator[Any]]:
    """Context that gives an iterator over ``batches``; afterwards the generators are in the same state as before."""
    states, iterator = random_states(), iter(batches)
    try:
        yield iterator
    finally:
        getattr(iterator, "close", lambda: None)()
        set_random_states(states)
