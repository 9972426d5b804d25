"""Gluon's own data sets (``gluon.data.vision.FashionMNIST`` and the like) from files of this machine.

Their host is gone. :func:`install` gives mxnet's classes another way to find their files; nothing else of them changes.
"""

import gzip
from itertools import islice
from pathlib import Path
from typing import Any, Callable, Iterator, Tuple

import mxnet as mx
import numpy
from mxnet import gluon
from mxnet.gluon.data import vision
from mxnet.util import is_np_array

from ..data import fashion_mnist
from ..text import count as counted
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


class _FirstBatches:
    """The first ``count`` batches of another batch sampler in each pass."""

    def __init__(self, sampler: Any, count: int) -> None:
        self.sampler, self.count = sampler, count

    def __iter__(self) -> Iterator[Any]:
        return islice(iter(self.sampler), self.count)

    def __len__(self) -> int:
        return self.count


def _loader(original: Callable[..., None]) -> Callable[..., None]:
    """DataLoader(), of whose batches a run of small batches takes the first few, if they are shuffled: it trains."""

    def start(loader: Any, *args: Any, **options: Any) -> None:
        original(loader, *args, **options)
        sampler = loader._batch_sampler
        shuffled = isinstance(getattr(sampler, "_sampler", None), gluon.data.RandomSampler)
        if limits.current.batch_size is None or not shuffled:
            return
        used = max(limits.LEAST_BATCHES, (limits.current.examples or 0) // sampler._batch_size)
        if used < len(sampler):
            notes.say("shortened", f"{counted(len(sampler), 'batch')} of a DataLoader: {used} of them in an epoch")
            loader._batch_sampler = _FirstBatches(sampler, used)

    return start


def install() -> None:
    """Let mxnet's FashionMNIST, MNIST and CIFAR10 read these files; for the rest of the process."""
    gluon.data.DataLoader.__init__ = _loader(gluon.data.DataLoader.__init__)
    for kind, read in (
        (vision.FashionMNIST, fashion_mnist_arrays),
        (vision.MNIST, mnist_arrays),
        (vision.CIFAR10, cifar10_arrays),
    ):
        kind._get_data = _get_data(read)
