"""The sub-commands: parse, call one function, print.

A command's module is loaded to show its ``--help``, which must not wait for mxnet, pandas and matplotlib. So the
modules that do the work are named at the top by :func:`lazy`, or reached as ``gr.NAME``, and loaded at first use.
"""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def lazy(name: str) -> ModuleType:
    """The package's module ``name``, loaded when an attribute of it is first asked for; for command modules.

    This is the recipe "Implementing lazy imports" of Python's documentation of importlib.
    """
    path = Path(__file__).resolve().parents[1] / name.replace(".", "/")
    if not path.with_suffix(".py").is_file():
        # What a package's own sub-modules set in it before it is loaded would overwrite its names afterwards.
        raise ImportError(f"{name}: expected a module of gluon_resnet that is no package")
    name = f"gluon_resnet.{name}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.find_spec(name)
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
