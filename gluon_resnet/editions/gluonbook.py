"""A drop-in for ``gluonbook``, as the library of the Chinese first edition was called first: the names of d2lzh.

from gluon_resnet import gluonbook as gb
"""

from typing import Any, List

from . import d2lzh, releases
from .d2lzh import NAMES

LIBRARY = "gluonbook"

globals().update(NAMES)


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    raise AttributeError(releases.unknown(LIBRARY, name, NAMES))


def __dir__() -> List[str]:
    return dir(d2lzh)
