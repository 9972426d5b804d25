"""A drop-in for ``gluonbook``, as the library of the Chinese first edition was called first: the names of d2lzh.

from gluon_resnet import gluonbook as gb
"""

from typing import Any, List

from . import releases
from .d2lzh import NAMES

globals().update(NAMES)


def __getattr__(name: str) -> Any:
    raise releases.missing("gluonbook", name, NAMES)


def __dir__() -> List[str]:
    return sorted(NAMES)
