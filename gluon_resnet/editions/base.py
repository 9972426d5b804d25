"""d2l 1.0.3's own MXNet module, run from its file under this name.

A copy of its own, because the functions here replace some of its functions, and a program that imports ``d2l`` itself
must not notice. The functions in it reach one another as ``d2l.name``, which is this module.
"""

from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from ..errors import BackendError

RELEASE = "1.0.3"


def _source() -> Path:
    """Path of the installed package's mxnet.py."""
    spec = PathFinder.find_spec("d2l")  # not sys.modules, where `play` has put a drop-in
    places = spec.submodule_search_locations if spec else None
    path = Path(list(places)[0], "mxnet.py") if places else None
    if path is None or not path.is_file():
        raise BackendError(
            f"d2l {RELEASE} is not installed; run: pip install d2l=={RELEASE} (on Python 3.12 and 3.13 with --no-deps)"
        )
    return path


#: this module, as its own functions and the other files here call it
d2l: Any

_path = _source()
exec(compile(_path.read_text(encoding="utf-8"), str(_path), "exec"), globals())
