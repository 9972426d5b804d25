"""Fashion-MNIST: 60,000 training and 10,000 test images of clothes, 28x28 grey, ten classes (Xiao et al., 2017).

For example:

    train_iter, test_iter = gr.load_data_fashion_mnist(256, resize=96)
    gluon-resnet data fashion-mnist            # find or fetch, verify, say where it is
"""

import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Optional, Tuple, Union

import numpy

from ..errors import ConfigError, DataError
from ..text import count
from . import fetch, sources
from .sources import Contents

if TYPE_CHECKING:
    from .batches import ArrayBatches

Arrays = Tuple[numpy.ndarray, numpy.ndarray]  # images (N, H, W) and labels (N,), both uint8
Resize = Union[None, int, Tuple[int, int]]

LABELS = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")

#: Names, sizes and SHA-256 of the decompressed files, as in Debian's dataset-fashion-mnist and zalandoresearch's own.
FASHION_MNIST = sources.DataSet(
    title="Fashion-MNIST",
    folder="fashion-mnist",
    files=(
        sources.DataFile(
            "train-images-idx3-ubyte", 47_040_016, "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"
        ),
        sources.DataFile(
            "train-labels-idx1-ubyte", 60_008, "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"
        ),
        sources.DataFile(
            "t10k-images-idx3-ubyte", 7_840_016, "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"
        ),
        sources.DataFile(
            "t10k-labels-idx1-ubyte", 10_008, "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"
        ),
    ),
    mirrors=(
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion",
    ),
    debian_package="dataset-fashion-mnist",
    debian_folder="/usr/share/datasets/fashion-mnist",
)


def parse_idx(content: bytes, path: Any) -> numpy.ndarray:
    """The array in the bytes of an idx file of unsigned bytes; DataError names ``path`` and what is wrong.

    Format: two zero bytes, type 0x08, number of dimensions, the sizes as big-endian 32-bit integers, the values.
    """
    if len(content) < 4 or content[:3] != b"\x00\x00\x08" or content[3] not in (1, 3):
        raise DataError(
            f"{path}: not an idx file of pictures or labels: expected it to start with 00000801 or "
            f"00000803, found {content[:4].hex() or 'nothing'}"
        )
    ndim = content[3]
    header = 4 + 4 * ndim
    if len(content) < header:
        raise DataError(f"{path}: truncated idx header: expected {header} bytes, found {len(content)}")
    shape = struct.unpack(f">{ndim}I", content[4:header])
    expected = header + int(numpy.prod(shape, dtype=numpy.int64))
    if len(content) != expected:
        state = "truncated" if len(content) < expected else "too long"
        raise DataError(f"{path}: {state} idx file: shape {shape} needs {expected:,} bytes, found {len(content):,}")
    return numpy.frombuffer(content, numpy.uint8, offset=header).reshape(shape)


def _part(contents: Contents, prefix: str) -> Arrays:
    """Images (N, H, W) and labels (N,), both uint8, of ``train`` or ``t10k``, checked against each other."""
    (image_path, image_bytes), (label_path, label_bytes) = (
        contents[f"{prefix}-{kind}"] for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")
    )
    images, labels = parse_idx(image_bytes, image_path), parse_idx(label_bytes, label_path)
    if images.ndim != 3 or labels.ndim != 1:
        raise DataError(
            f"{image_path}: expected pictures (N, H, W) and labels (N,), found shapes {images.shape} and {labels.shape}"
        )
    if len(images) != len(labels) or not len(images):
        raise DataError(
            f"{label_path}: {count(len(labels), 'label')} for {count(len(images), 'picture')} in "
            f"{Path(image_path).name}"
        )
    if labels.max() >= len(LABELS):
        index = int((labels >= len(LABELS)).argmax())
        raise DataError(f"{label_path}: label {labels[index]} at index {index}: expected 0 to {len(LABELS) - 1}")
    return images, labels


def load_arrays(
    data_dir: Union[str, Path, None] = None, verify: bool = True, say: Optional[Callable[[str], Any]] = None
) -> Tuple[Arrays, Arrays, str]:
    """Everything as arrays: ((train images, train labels), (test images, test labels), where it was found).

    Images uint8 (N, 28, 28), labels uint8 (N,) from 0 to 9, in the order of the files. ``data_dir`` is a folder with
    the four idx files, plain or gzipped; None looks and fetches as :mod:`gluon_resnet.data.sources` says.
    ``verify=False`` takes other images in the same format. Raises DataError.
    """
    what, folder, contents = fetch.load(FASHION_MNIST, data_dir, verify, say)
    return _part(contents, "train"), _part(contents, "t10k"), f"{folder} ({what})"


def load_data_fashion_mnist(
    batch_size: int,
    resize: Resize = None,
    data_dir: Union[str, Path, None] = None,
    limit: Optional[int] = None,
    verify: bool = True,
) -> Tuple["ArrayBatches", "ArrayBatches"]:
    """Two iterators over batches (X, y), as d2l's: training (shuffled again every epoch) and test.

    X: float32 (batch_size, 1, H, W) between 0 and 1, H = W = 28 or ``resize``; y: int32 (batch_size,). Shuffling
    follows ``numpy.random.seed``. No worker processes: batches are made ahead of the trainer by a thread. Source: d2l.

    Args:
        batch_size: images in a batch.
        resize: side of the images, or (height, width), in pixels; None leaves them at 28x28.
        data_dir: see :func:`load_arrays`.
        limit: keeps the first so many training images only.
        verify: see :func:`load_arrays`.

    Raises:
        DataError, ConfigError: the data or an argument cannot be used.
    """
    train, test, _ = load_arrays(data_dir, verify)
    return make_batches(train, test, batch_size, resize, limit)


def make_batches(
    train: Arrays,
    test: Arrays,
    batch_size: int,
    resize: Resize = None,
    limit: Optional[int] = None,
    **changes: Any,
) -> Tuple["ArrayBatches", "ArrayBatches"]:
    """The two iterators of :func:`load_data_fashion_mnist` over (images, labels) of either part.

    Args:
        train: images and labels of the training part.
        test: images and labels of the test part.
        batch_size: images in a batch.
        resize: side of the images, or (height, width), in pixels; None leaves them as they are.
        limit: keeps the first so many training images only.
        **changes: flip, shift, alternate and sides of the training images: see :class:`~.batches.ArrayBatches`.

    Returns:
        The iterators over the training part and the test part.

    Raises:
        ConfigError: ``limit`` is below 1.
    """
    from .batches import ArrayBatches  # imported here: it loads mxnet, which LABELS does not need

    if limit is not None and limit < 1:
        raise ConfigError(f"limit is {limit}: expected a number of pictures of at least 1")
    return (
        ArrayBatches(train[0][:limit], train[1][:limit], batch_size, resize, shuffle=True, **changes),
        ArrayBatches(*test, batch_size, resize),
    )
