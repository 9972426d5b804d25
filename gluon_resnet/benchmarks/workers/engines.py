"""Predict with one of this suite's engines (instruments/engines.py); prints one JSON line."""

import json
import sys

from gluon_resnet.instruments.engines import make_engine
from gluon_resnet.networks.specs import parse_model

import mxnet as mx
import numpy
from common import openmp_threads, predicted, read_arrays

settings = json.loads(sys.argv[1])
X = numpy.load(settings["images"])[: settings["batch_size"]]
engine = make_engine(settings["way"], parse_model(settings["model"]), read_arrays(settings["params"]))
predicted(lambda: engine.logits(X), len(X), settings, f"mxnet {mx.__version__}", openmp_threads())
