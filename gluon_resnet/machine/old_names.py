"""Modules under the names they had before the package was divided into sub-packages: the chapters still use these.

from gluon_resnet.evaluate import evaluate_accuracy     # is gluon_resnet.training.accuracy
"""

import importlib
import importlib.abc
import importlib.util
import sys

#: old name -> where the module is now
OLD_NAMES = {
    "checkpoint": "training.checkpoint",
    "engines": "instruments.engines",
    "evaluate": "training.accuracy",
    "evaluation_files": "evaluation.files",
    "export": "weights.export",
    "gradcam": "instruments.gradcam",
    "images": "data.images",
    "labels": "data.labels",
    "launch_pictures": "runs.pictures",
    "layout": "networks.layout",
    "microscope": "instruments.microscope",
    "plots": "training.curves",
    "plots_evaluation": "evaluation.plots",
    "plots_pictures": "data.plot",
    "precision": "training.precision",
    "predict": "evaluation.predict",
    "recipe": "training.recipe",
    "reconcile": "instruments.reconcile",
    "run_network": "runs.network",
    "system": "machine.system",
    "winograd": "training.winograd",
}


class _OldNames(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds a module of OLD_NAMES: the module of today itself, not a copy."""

    def find_spec(self, fullname, path=None, target=None):
        package, _, name = fullname.rpartition(".")
        if package == "gluon_resnet" and name in OLD_NAMES:
            return importlib.util.spec_from_loader(fullname, self)
        return None

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        name = module.__name__.rpartition(".")[2]
        sys.modules[module.__name__] = importlib.import_module(f"gluon_resnet.{OLD_NAMES[name]}")


def install():
    """Let the old names be imported; has an effect once."""
    if not any(isinstance(finder, _OldNames) for finder in sys.meta_path):
        sys.meta_path.append(_OldNames())
