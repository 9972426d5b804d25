"""Gluon's own data sets (``gluon.data.vision.FashionMNIST`` and the like) from files of this machine.

Their host is gone. :func:`install` gives mxnet's classes another way to find their files; nothing else of them changes.
"""

import gzip
from pathlib import Path
from typing import Any, Callable, Tuple

import mxnet as mx
import numpy
from mxnet.gluon.data import vision
from mxnet.util import is_np_array

from ..data import fashion_mnist
from . import datasets, limits, notes

Arrays = Tuple[numpy.ndarray, numpy.ndarray]  # images uint8 (N, H, W, C) and labels int32 (N,)


def fashion_mnist_parts() -> Tuple[fashion_mnist.Arrays, fashion_mnist.Arrays]:
    """Both parts of Fashion-MNIST: images uint8 (N, 28, 28) and labels uint8 (N,).

    From the suite's verified files, or from the folder in GLUON_RESNET_DATA_FASHION_MNIST, which may hold other images
    in the same format.
    """
    folder = datasets.folder(datasets.by_name("FASHION_MNIST"))
    train, test, place = fashion_mnist.load_arrays(folder, verify=folder is None)
    notes.say("data", f"Fashion-MNIST: from {place}" + (", not verified" if folder else ""))
    return train, test


def fashion_mnist_arrays(train: bool) -> Arrays:
    """A part of Fashion-MNIST as Gluon's data set has it: uint8 (N, 28, 28, 1) and int32 (N,)."""
    images, labels = fashion_mnist_parts()[0 if train else 1]
    return images[..., None], labels.astype(numpy.int32)


def mnist_arrays(train: bool) -> Arrays:
    """MNIST from the folder in GLUON_RESNET_DATA_MNIST: uint8 (N, 28, 28, 1) and int32 (N,); DataError without one."""
    data = datasets.by_name("MNIST")
    folder = datasets.folder(data)
    if folder is None:
        raise datasets.needed(data, "mxnet's host of it is gone")
    notes.say("data", f"MNIST: from {folder}")
    prefix = "train" if train else "t10k"
    images, labels = (_idx(folder, f"{prefix}-{kind}-ubyte*") for kind in ("images-idx3", "labels-idx1"))
    return images[..., None], labels.astype(numpy.int32)


def _idx(folder: Path, pattern: str) -> numpy.ndarray:
    path = sorted(folder.glob(pattern))[0]
    content = path.read_bytes()
    return fashion_mnist.parse_idx(gzip.decompress(content) if path.suffix == ".gz" else content, path)


def cifar10_arrays(train: bool) -> Arrays:
    """CIFAR-10 from the folder in GLUON_RESNET_DATA_CIFAR10: uint8 (N, 32, 32, 3) and int32 (N,).

    The folder holds the six .bin files of the binary version, or cifar-10-binary.tar.gz. A row of a file is a byte for
    the label and 3072 for the image, its red, green and blue planes one after the other. Raises DataError without one.
    """
    data = datasets.by_name("CIFAR10")
    folder = datasets.folder(data)
    if folder is None:
        raise datasets.needed(data, "mxnet's host of it is gone")
    notes.say("data", f"CIFAR-10: from {folder}")
    if datasets.archive(data, folder):
        folder = Path(
            datasets.unpacked("cifar-10-binary.tar.gz", str(datasets.scratch()), inner=datasets.INNER["CIFAR10"])
        )
    files = [name for name in data.files if name.startswith("test") != train]
    rows = [numpy.fromfile(folder / name, numpy.uint8).reshape(-1, 3073) for name in files]
    content = numpy.concatenate(rows)
    return content[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), content[:, 0].astype(numpy.int32)


def _get_data(read: Callable[[bool], Arrays]) -> Callable[[Any], None]:
    def get_data(dataset: Any) -> None:
        images, labels = read(dataset._train)
        count = limits.examples(len(images), limits.current.batch_size or limits.LARGEST_BATCH, dataset._train)
        images, labels = images[:count], labels[:count]
        make = mx.np.array if is_np_array() else mx.nd.array
        dataset._data = make(images, dtype=images.dtype)
        dataset._label = make(labels, dtype=labels.dtype) if is_np_array() else labels

    return get_data


def install() -> None:
    """Let mxnet's FashionMNIST, MNIST and CIFAR10 read these files; for the rest of the process."""
    for kind, read in (
        (vision.FashionMNIST, fashion_mnist_arrays),
        (vision.MNIST, mnist_arrays),
        (vision.CIFAR10, cifar10_arrays),
    ):
        kind._get_data = _get_data(read)
