"""Pixels resized, and turned into a network's numbers; OpenCV does both without holding Python's lock.

resize(image, 224, 224)                          # uint8 (224, 224, 3): exact
resize(image, 224, 224, FAST)                    # up to five times as fast, within a grey level on average
"""

from functools import lru_cache
from typing import Any, Optional, Tuple

import cv2
import numpy

from ..errors import ConfigError, did_you_mean

FAST, EXACT = READINGS = ("fast", "exact")  # ways to read images; in both, normalize() gives the same numbers
LITTLE, MUCH = 1.25, 4.0  # by how much an image shrinks: up to LITTLE or MUCH there is a faster way
LEVELS = numpy.arange(256, dtype=numpy.float32)


def check_reading(reading: Any) -> str:
    """``reading`` itself; ConfigError unless it is ``fast`` or ``exact``."""
    if reading not in READINGS:
        raise ConfigError(f"reading is {reading!r}: {did_you_mean(str(reading), READINGS)}expected fast or exact")
    return str(reading)


def resize(image: numpy.ndarray, height: int, width: int, reading: str = EXACT) -> numpy.ndarray:
    """``image`` (H, W, 3) at ``height`` x ``width``: averaged over areas where it shrinks, bilinear where it grows.

    The fast ``reading`` comes close to the average over areas: bilinear where the image shrinks by little, otherwise
    bilinear to twice the size and then averaged over 2x2 pixels.
    """
    size, ratio = (width, height), max(image.shape[0] / height, image.shape[1] / width)
    if ratio <= 1 or (reading == FAST and ratio <= LITTLE):
        return cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    if reading == FAST and ratio <= MUCH:
        image = cv2.resize(image, (2 * width, 2 * height), interpolation=cv2.INTER_LINEAR)
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


@lru_cache(maxsize=64)
def tables(scale: float, mean: Tuple[float, ...], std: Tuple[float, ...], channels: int) -> numpy.ndarray:
    """What each grey level becomes in each channel: float32 (channels, 1, 256) of (level * scale - mean) / std."""
    means, stds = (numpy.array(numbers, numpy.float32)[:, None] for numbers in (mean, std))
    if channels == 1:
        means, stds = means.mean(), stds.mean()
    values = (LEVELS * scale - means) / stds
    return numpy.ascontiguousarray(numpy.broadcast_to(values, (channels, 256))[:, None], dtype=numpy.float32)


def look_up(image: numpy.ndarray, levels: numpy.ndarray, out: Optional[numpy.ndarray] = None) -> numpy.ndarray:
    """``image`` uint8 (H, W, C) as float32 (C, H, W), each grey level replaced by its number in ``levels``.

    Args:
        image: the image.
        levels: what :func:`tables` returns for C channels.
        out: where to put the result, float32 (C, H, W), such as a place in a batch; new if None.

    Returns:
        The result.
    """
    if out is None:
        out = numpy.empty((image.shape[2], *image.shape[:2]), numpy.float32)
    for plane, table, target in zip(cv2.split(numpy.ascontiguousarray(image)), levels, out):
        cv2.LUT(plane, table, target)
    return out
