"""Images and labels written in Fashion-MNIST's format, so that a run can be trained on any part of them."""

import struct
from pathlib import Path

import numpy

from ..errors import RunError
from ..files import writing
from .fashion_mnist import Arrays


def as_idx(values: numpy.ndarray) -> bytes:
    """An array of unsigned bytes as an idx file: the opposite of fashion_mnist.parse_idx."""
    header = struct.pack(f">4B{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    return header + numpy.ascontiguousarray(values, numpy.uint8).tobytes()


def write_arrays(folder: Path, train: Arrays, test: Arrays) -> None:
    """Write the four idx files of two parts, images uint8 (N, H, W) and labels uint8 (N,) each, over those there.

    Raises RunError if the folder cannot be written.
    """
    advice = "make room, or name another folder with --out"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{folder}: cannot be written ({error.strerror}); {advice}") from None
    for prefix, (images, labels) in (("train", train), ("t10k", test)):
        for name, values in (("images-idx3-ubyte", images), ("labels-idx1-ubyte", labels)):
            with writing(folder / f"{prefix}-{name}", advice) as temporary:
                temporary.write_bytes(as_idx(values))
