"""Small drawn files in Fashion-MNIST's format, for a tiny run on a machine that has not got the real ones."""

import hashlib
import struct
from dataclasses import replace
from pathlib import Path

from gluon_resnet.data import fashion_mnist, fetch
from gluon_resnet.errors import DataError

import numpy

TRAIN, TEST = 2000, 500  # pictures


def _idx(values):
    """The bytes of an idx file of unsigned bytes."""
    return bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


def _draw(count, random):
    """Pictures (count, 28, 28) and labels (count,), uint8: class c has a bright bar of its own on a noisy ground."""
    labels = (numpy.arange(count) % 10).astype("uint8")
    images = random.randint(0, 80, (count, 28, 28)).astype("uint8")
    for image, label in zip(images, labels):
        top, left = 5 * (label // 2), 14 * (label % 2)
        image[top : top + 6, left : left + 14] += 150
    return images, labels


def write(folder):
    """The four files, into ``folder``."""
    folder, random = Path(folder), numpy.random.RandomState(0)
    folder.mkdir(parents=True, exist_ok=True)
    for prefix, count in (("train", TRAIN), ("t10k", TEST)):
        images, labels = _draw(count, random)
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(_idx(images))
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(_idx(labels))


def take(folder):
    """In this process the files of ``folder`` are Fashion-MNIST: their sizes and SHA-256 are the published ones."""
    files = []
    for file in fashion_mnist.FASHION_MNIST.files:
        content = (Path(folder) / file.name).read_bytes()
        files.append(replace(file, size=len(content), sha256=hashlib.sha256(content).hexdigest()))
    fashion_mnist.FASHION_MNIST = replace(
        fashion_mnist.FASHION_MNIST, files=tuple(files), mirrors=(), debian_folder=str(folder)
    )


def where_needed(folder, say):
    """``folder`` with drawn files in it where Fashion-MNIST is neither here nor to be had; None where it is here."""
    try:
        fetch.load(fashion_mnist.FASHION_MNIST, None, True, say)
        return None
    except DataError as error:
        write(folder)
        say(f"{TRAIN:,} drawn pictures stand in for Fashion-MNIST, but not for commands with ! ({error})")
        return folder
