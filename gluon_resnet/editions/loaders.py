"""The books' loading functions: Fashion-MNIST from the suite's verified files, other data sets as datasets.py says."""

import os
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple, Union

import cv2
import mxnet as mx
import numpy
from mxnet import image
from mxnet.util import is_np_array

from .. import devices
from ..data.batches import ArrayBatches
from ..errors import DataError, did_you_mean
from . import datasets, images, limits, notes
from .base import d2l as base

VOC_URL = "http://host.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar"
VOC_SHA1 = "4e443f8a2eca6b1dac8a6c57641b67dd40621a49"
CACHE = os.path.join("..", "data")


class FashionBatches(ArrayBatches):
    """Batches of a part of Fashion-MNIST, of which ``play --budget`` measures the time.

    Args:
        pictures: uint8 (N, 28, 28).
        labels: (N,).
        batch_size: images in a batch.
        resize: as :func:`load_data_fashion_mnist`.
        train: the training part, which is shuffled.
    """

    def __init__(self, pictures: Any, labels: Any, batch_size: int, resize: Any, train: bool) -> None:
        count = limits.examples(len(pictures), batch_size, train)
        super().__init__(pictures[:count], labels[:count], batch_size, resize, shuffle=train)
        self.available = len(pictures)

    @staticmethod
    def resized(image: numpy.ndarray, size: Tuple[int, int]) -> numpy.ndarray:
        """One image uint8 (H, W) at ``size``, to the last bit as d2l's transforms.Resize, which is OpenCV's, too."""
        return cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR)

    def __iter__(self) -> Iterator[Tuple[Any, Any]]:
        stamps = [time.perf_counter()]
        for batch in super().__iter__():
            stamps.append(time.perf_counter())
            yield batch
        limits.passed(self.available, self.batch_size, self.shuffle, [*stamps, time.perf_counter()])


def load_data_fashion_mnist(
    batch_size: int, resize: Any = None, root: Optional[str] = None
) -> Tuple[FashionBatches, FashionBatches]:
    """Two iterators over batches of Fashion-MNIST, training (shuffled again every epoch) and test.

    Args:
        batch_size: images in a batch.
        resize: side of the images in pixels, or (height, width); None leaves them at 28x28.
        root: the folder of mxnet's own downloads, as d2lzh takes it; not used.

    Returns:
        The iterators; X is float32 (N, 1, H, W) between 0 and 1, y int32 (N,), as in d2l and in the same order for the
        same ``numpy.random.seed``.

    Raises:
        DataError, ConfigError: the data or an argument cannot be used.
    """
    train, test = images.fashion_mnist_parts()
    batch_size = limits.batch_size(batch_size)
    return (
        FashionBatches(*train, batch_size, resize, train=True),
        FashionBatches(*test, batch_size, resize, train=False),
    )


class FashionMNIST(base.FashionMNIST):
    """d2l 1.0's data module of Fashion-MNIST, over :func:`load_data_fashion_mnist`.

    Args:
        batch_size: images in a batch.
        resize: (height, width) in pixels.
    """

    def __init__(self, batch_size: int = 64, resize: Tuple[int, int] = (28, 28)) -> None:
        base.DataModule.__init__(self)
        self.save_hyperparameters()
        self.iterators = load_data_fashion_mnist(batch_size, None if tuple(resize) == (28, 28) else tuple(resize))

    def get_dataloader(self, train: bool) -> FashionBatches:
        """The iterator over the training part or over the test part."""
        return self.iterators[0 if train else 1]


def _hub(name: str) -> Tuple[str, Optional[str]]:
    """(address, SHA-1) of a name in d2l.DATA_HUB, or of an address itself."""
    if "://" in name:
        return name, None
    hub: Dict[str, Tuple[str, str]] = base.DATA_HUB
    if name not in hub:
        raise DataError(f"d2l.DATA_HUB has no '{name}': {did_you_mean(name, hub)}a chapter adds its entry before use")
    return hub[name]


def download(
    url: str,
    folder: str = CACHE,
    sha1_hash: Optional[str] = None,
    cache_dir: Optional[str] = None,
) -> str:
    """Path of a file that the book downloads.

    Args:
        url: its address, or its name in d2l.DATA_HUB.
        folder: where downloads are kept.
        sha1_hash: its SHA-1, for an address.
        cache_dir: the folder, as d2l before 1.0 calls it.

    Raises:
        DataError: an unknown name, a host that cannot be reached, or a folder that lacks files.

    Source: d2l 0.11 to 1.0.
    """
    address, known = _hub(url)
    return datasets.downloaded(address, cache_dir or folder, known or sha1_hash)


def download_extract(name: str, folder: Optional[str] = None) -> str:
    """Folder of the files in an archive of d2l.DATA_HUB; ``folder`` is the one inside it, if it has another name.

    Raises DataError as :func:`download`. Source: d2l 0.11 to 1.0.
    """
    address, sha1 = _hub(name)
    return datasets.unpacked(address, CACHE, sha1, folder)


def download_all() -> None:
    """Every file of d2l.DATA_HUB; raises DataError as :func:`download`. Source: d2l 0.11 to 0.17."""
    for name in base.DATA_HUB:
        download(name)


def download_voc_pascal(data_dir: str = CACHE) -> str:
    """Folder of Pascal VOC2012, with ImageSets, JPEGImages and SegmentationClass. Source: gluonbook to d2l 0.10."""
    return datasets.unpacked(VOC_URL, data_dir, VOC_SHA1, datasets.INNER["VOC2012"])


def _detection(folder: Path, batch_size: int, edge_size: int) -> Tuple[Any, Any]:
    """The two iterators over record files of images with boxes, as the books make them."""
    shape, batch_size = (3, edge_size, edge_size), limits.batch_size(batch_size)
    train_iter = image.ImageDetIter(
        path_imgrec=str(folder / "train.rec"),
        path_imgidx=str(folder / "train.idx"),
        batch_size=batch_size,
        data_shape=shape,
        shuffle=True,
        rand_crop=1,
        min_object_covered=0.95,
        max_attempts=200,
    )
    return train_iter, image.ImageDetIter(
        path_imgrec=str(folder / "val.rec"), batch_size=batch_size, data_shape=shape, shuffle=False
    )


def _record_folder(name: str) -> Path:
    data = datasets.by_name(name)
    folder = datasets.folder(data)
    if folder is None:
        raise datasets.needed(data, "its host is gone")
    notes.say("data", f"{name.lower()}: from {data.variable}, {folder}")
    return folder


def load_data_pikachu(batch_size: int, edge_size: int = 256) -> Tuple[Any, Any]:
    """Iterators over images (N, 3, edge_size, edge_size) with boxes, from GLUON_RESNET_DATA_PIKACHU.

    Raises DataError if the folder lacks train.rec, train.idx or val.rec. Source: gluonbook to d2l 0.13.
    """
    return _detection(_record_folder("PIKACHU"), batch_size, edge_size)


def download_pikachu(data_dir: str) -> None:
    """Put train.rec, train.idx and val.rec of GLUON_RESNET_DATA_PIKACHU into ``data_dir``. Source: d2l 0.10."""
    source, target = _record_folder("PIKACHU"), Path(data_dir)
    target.mkdir(parents=True, exist_ok=True)
    for name in datasets.by_name("PIKACHU").files:
        (target / name).write_bytes((source / name).read_bytes())


def load_data_bananas(batch_size: int, edge_size: Optional[int] = None) -> Tuple[Any, Any]:
    """Iterators over the images of bananas with boxes.

    Args:
        batch_size: images in a batch.
        edge_size: their side in pixels, for the record files of d2l 0.14 and 0.15 (GLUON_RESNET_DATA_BANANAS); None for
            the folders of images since d2l 0.16 (GLUON_RESNET_DATA_BANANA_DETECTION).

    Returns:
        The iterators over the training part and over the test part.

    Raises:
        DataError: the folder is not named, or lacks files.
    """
    if edge_size is not None or os.environ.get(datasets.by_name("BANANAS").variable):
        return _detection(_record_folder("BANANAS"), batch_size, edge_size or 256)
    return _load_bananas(batch_size)


_load_bananas = base.load_data_bananas
_read_voc_images = base.read_voc_images


def read_voc_images(
    voc_dir: Union[str, Path, None] = None, is_train: bool = True, root: Optional[str] = None
) -> Tuple[Any, Any]:
    """Images and label images of VOC2012's segmentation part, as two lists of arrays uint8 (H, W, 3).

    Args:
        voc_dir: its folder; GLUON_RESNET_DATA_VOC2012 or a download if None, as d2l before 0.12 has it.
        is_train: the training part or the validation part.
        root: the folder, as the first editions call it.
    """
    given = voc_dir or root
    folder = Path(given) if given and Path(given).is_dir() else Path(download_voc_pascal())
    return _read_voc_images(str(folder), is_train)


def build_colormap2label() -> Any:
    """Array (256 ** 3,) from an RGB colour as one number to the class of VOC2012. Source: d2l 0.10 to 0.15."""
    table = numpy.zeros(256**3, dtype="float32")
    for number, (red, green, blue) in enumerate(base.VOC_COLORMAP):
        table[(red * 256 + green) * 256 + blue] = number
    return (mx.np if is_np_array() else mx.nd).array(table)


def mkdir_if_not_exist(path: Any) -> None:
    """Make a folder, given as a path or as a list of its parts. Source: gluonbook to d2l 0.14."""
    os.makedirs(path if isinstance(path, (str, Path)) else os.path.join(*path), exist_ok=True)


def get_dataloader_workers(num_workers: int = 4) -> int:
    """How many processes a DataLoader uses: none here, since worker processes hang and leak (apache/mxnet #18224).

    ``num_workers`` is d2l 0.11's and 0.12's argument. Source: d2l 0.10 to 1.0.
    """
    return 0


#: How many times the CPU takes the place of a GPU that is not there; ``play`` sets it for chapters on two GPUs.
stand_ins = 0


def try_gpu(i: int = 0) -> Any:
    """``gpu(i)`` if it exists, otherwise ``cpu()``. Source: all editions."""
    return mx.cpu(i) if i < stand_ins else devices.try_gpu(i)


def try_all_gpus() -> List[Any]:
    """All GPUs, or [cpu()] if there is none; d2l 1.0.3's own returns an empty list then. Source: all editions."""
    count = devices.num_gpus()
    return [mx.gpu(i) for i in range(count)] or [mx.cpu(i) for i in range(max(1, stand_ins))]
