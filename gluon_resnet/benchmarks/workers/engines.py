"""Predict with one of this suite's engines (instruments/engines.py); prints one JSON line."""

import json
import sys
from typing import Any, Dict

import gluon_resnet  # noqa: F401

import at_once  # noqa: F401  before mxnet
import mxnet as mx
import numpy
from common import openmp_threads, predicted, read_arrays
from made_engine import make


def main(settings: Dict[str, Any]) -> None:
    """Predict a batch again and again, and print the measurements."""
    images = numpy.load(settings["images"])
    engine = make(settings["way"], settings["model"], read_arrays(settings["params"]), images)
    X = images[: settings["batch_size"]]
    predicted(lambda: engine.logits(X), len(X), settings, f"mxnet {mx.__version__}", openmp_threads())


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
