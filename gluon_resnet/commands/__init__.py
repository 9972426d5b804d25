"""The sub-commands: each parses its options, calls one function and prints.

The modules of all commands are loaded to show ``--help``, which must not wait for mxnet, pandas and matplotlib. So the
modules that do the work are named at the top with :func:`lazy`, or used as ``gr.NAME``, and loaded when they are first
used.
"""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def lazy(name: str) -> ModuleType:
    """The package's module ``name``, which is loaded when an attribute of it is first used.

    This is the recipe "Implementing lazy imports" of Python's documentation of importlib.
    """
    path = Path(__file__).resolve().parents[1] / name.replace(".", "/")
    if not path.with_suffix(".py").is_file():
        # Loading a package late would overwrite names that its sub-modules have set in it before.
        raise ImportError(f"{name}: expected a module of gluon_resnet that is no package")
    name = f"gluon_resnet.{name}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.find_spec(name)
    assert spec is not None and spec.loader is not None  # its file is there
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
