"""One of this suite's engines for a worker; int8 is calibrated in a process of its own: the worker's memory counts."""

import multiprocessing
from typing import Any, Dict

import gluon_resnet  # noqa: F401  before NumPy and mxnet: it sets their threads
from gluon_resnet.instruments.engines import make_engine
from gluon_resnet.networks.specs import parse_model

import numpy

PART = 4  # images at a time


def calibrated(model: str, params: Dict[str, Any], images: numpy.ndarray) -> Any:
    """The calibration of a network on images (N, C, H, W) float32."""
    from gluon_resnet.instruments.quantized import calibrate

    parts = [images[start : start + PART] for start in range(0, len(images), PART)]
    return calibrate(parse_model(model), params, lambda: parts)


def make(name: str, model: str, params: Dict[str, Any], images: numpy.ndarray) -> Any:
    """The engine ``name`` for a network.

    Args:
        name: one of instruments/engines.py.
        model: the network's name.
        params: {our parameter name: float32 array}.
        images: (N, C, H, W) float32, on which int8 is calibrated.
    """
    if name != "int8":
        return make_engine(name, parse_model(model), params)
    from gluon_resnet.instruments.quantized import Int8Engine

    with multiprocessing.get_context("spawn").Pool(1) as pool:
        calibration = pool.apply(calibrated, (model, params, images))
    return Int8Engine(parse_model(model), params, calibration)
