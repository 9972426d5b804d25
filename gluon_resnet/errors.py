"""Errors a user can cause. Library code raises them; the command line prints them as one line and exits with 2."""

from numbers import Integral  # includes NumPy's whole numbers
from typing import Any, Iterable, Optional, Type


def nearest(name: object, known: Iterable[str], cutoff: float = 0.4) -> Optional[str]:
    """The nearest of the ``known`` names; None if none is near enough."""
    import difflib  # only a mistake needs it

    return next(iter(difflib.get_close_matches(str(name), list(known), n=1, cutoff=cutoff)), None)


def did_you_mean(name: object, known: Iterable[str], cutoff: float = 0.4) -> str:
    """``did you mean X? `` with the nearest of the ``known`` names, for a message; empty if none is near enough."""
    match = nearest(name, known, cutoff)
    return f"did you mean {match}? " if match else ""


class GluonResNetError(Exception):
    """Base of the errors that a user can cause; the message says what is wrong, where, and what to do."""


class ModelError(GluonResNetError, ValueError):
    """A model name, family or number of classes that no network of the table has."""


class ShapeError(GluonResNetError, ValueError):
    """An input shape that the network cannot take."""


class DataError(GluonResNetError, ValueError):
    """A data file or folder that is missing, damaged or of the wrong kind."""


class WeightsError(GluonResNetError, ValueError):
    """A weight file that is missing, damaged, or of another network."""


class ConfigError(GluonResNetError, ValueError):
    """A setting outside its range."""


class RunError(GluonResNetError, OSError):
    """A run folder that cannot be written, or that already holds a run."""


class DivergedError(GluonResNetError, ArithmeticError):
    """Training whose loss or parameters are no longer finite; ``result`` has the epochs before, if any were trained."""

    result: Any = None  # a training.progress.Result, set by fit


class BackendError(GluonResNetError, ImportError):
    """mxnet, or a library that it needs, cannot be loaded on this machine."""


class ExportError(GluonResNetError, ValueError):
    """A network that cannot be written for another program, or a written file that would not compute the same."""


def whole(name: str, value: object, least: int = 1, error: Type[GluonResNetError] = ConfigError) -> int:
    """``value`` as an int, if it is a whole number of at least ``least``.

    Args:
        name: what the message calls the value.
        value: what to check; a bool is not a whole number.
        least: the smallest value allowed.
        error: class of the error that is raised.

    Raises:
        error: ``value`` is something else.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise error(f"{name} is {value!r}: expected a whole number of at least {least}")
    return int(value)
