"""Errors a user can cause. Library code raises them; the command line prints them as one line and exits with 2."""

from numbers import Integral  # NumPy's whole numbers are some, too
from typing import Type


def did_you_mean(name, known, cutoff=0.4):
    """``did you mean X? `` with the nearest of the ``known`` names, for a message; empty where none is near enough."""
    import difflib  # only a mistake needs it

    near = difflib.get_close_matches(str(name), known, n=1, cutoff=cutoff)
    return f"did you mean {near[0]}? " if near else ""


class GluonResNetError(Exception):
    """Base of the errors whose message is meant for the user: what, where, expected, found, what to do."""


class ModelError(GluonResNetError, ValueError):
    """A model name, family or number of classes that no network of the table has."""


class ShapeError(GluonResNetError, ValueError):
    """An input shape that the network cannot take."""


class DataError(GluonResNetError, ValueError):
    """A data file or folder that is missing, damaged or not what it says it is."""


class WeightsError(GluonResNetError, ValueError):
    """A weight file that is missing, damaged, or not of this network."""


class ConfigError(GluonResNetError, ValueError):
    """A setting outside its range."""


class RunError(GluonResNetError, OSError):
    """A run folder that cannot be written, or that already holds a run."""


class DivergedError(GluonResNetError, ArithmeticError):
    """Training whose loss is no longer a finite number."""


class BackendError(GluonResNetError, ImportError):
    """mxnet, or a library that it needs, cannot be loaded on this machine."""


class ExportError(GluonResNetError, ValueError):
    """A network that cannot be written for another program, or a written file that would not compute the same."""


def whole(name: str, value: object, least: int = 1, error: Type[GluonResNetError] = ConfigError) -> int:
    """``value`` if it is a whole number of at least ``least``; raise ``error``, which calls it ``name``, otherwise."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise error(f"{name} is {value!r}: expected a whole number of at least {least}")
    return int(value)
