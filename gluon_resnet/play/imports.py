"""How a played chapter's imports find the books' library, and what exists only where the chapter was written."""

import importlib
import sys
import types
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import Any, Optional, Sequence

from ..editions import notes


class _Finder(MetaPathFinder, Loader):
    """Finds the modules that ``attributes`` knows; each has the attributes of the object that it gives."""

    def attributes(self, name: str) -> Any:
        """An object that has the attributes of the module ``name``; None if it is not this finder's."""
        raise NotImplementedError

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Optional[ModuleSpec]:
        """The spec of one of these modules; None for any other."""
        if self.attributes(name) is None:
            return None
        return ModuleSpec(name, self, is_package=name in ("d2l", "google", "google.colab"))

    def create_module(self, spec: ModuleSpec) -> types.ModuleType:
        """The module."""
        home, module = self.attributes(spec.name), types.ModuleType(spec.name)
        module.__doc__ = home.__doc__
        for name in vars(home):
            if not name.startswith("__"):
                setattr(module, name, vars(home)[name])
        module.__dict__.update(__getattr__=lambda name: getattr(home, name), __dir__=lambda: dir(home))
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        """Nothing is left to do."""


class Editions(_Finder):
    """Finds ``d2l``, ``d2l.mxnet``, ``d2lzh`` and ``gluonbook`` in gluon_resnet.editions, before anything else does."""

    def __init__(self, classic: bool) -> None:
        own = "d2lzh" if classic else "d2l"
        self.homes = {"d2l": own, "d2l.mxnet": own, "d2lzh": "d2lzh", "gluonbook": "gluonbook"}

    def attributes(self, name: str) -> Any:
        """The drop-in for ``name``."""
        if name in ("d2l.torch", "d2l.tensorflow", "d2l.paddle", "d2l.jax"):
            raise ImportError(f"{name}: only the MXNet edition is played here")
        return importlib.import_module(f"gluon_resnet.editions.{self.homes[name]}") if name in self.homes else None


class Absent:
    """A module of Google Colab whose functions do nothing here: ``drive.mount("/content/drive")``."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Absent(f"{self._name}.{name}")

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Nothing but a note; an empty dict, as ``files.upload()`` without a file."""
        notes.say("absent", f"{self._name}() does nothing: this is not Google Colab")
        return {}


class LastResort(_Finder):
    """Finds what nothing else has: those of ``google.colab`` and ``utils`` that are among ``names``."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names

    def attributes(self, name: str) -> Any:
        """The module ``name`` or a stand-in for it."""
        if name == "utils" and "utils" in self.names:
            notes.say("restored", "utils: the file of functions that the drafts of the Chinese first edition came with")
            return importlib.import_module("gluon_resnet.editions.drafts")
        if name == "google" and "google.colab" in self.names:
            return types.SimpleNamespace()
        return Absent(name) if name.startswith("google.colab") and "google.colab" in self.names else None


def names_are_there(module: str, names: Sequence[str]) -> None:
    """Raise the drop-in's own error for ``from module import name``; Python's does not say which edition had it."""
    found = importlib.import_module(module)
    if isinstance(getattr(found.__spec__, "loader", None), _Finder):
        for name in names:
            if f"{module}.{name}" not in sys.modules and name not in ("*", "mxnet"):
                getattr(found, name)


def install(classic: bool, stand_ins: Sequence[str]) -> None:
    """Let this process's imports find all of these."""
    sys.meta_path.insert(0, Editions(classic))
    sys.meta_path.append(LastResort(stand_ins))
