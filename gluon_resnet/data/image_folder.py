"""Photographs in folders, a folder for each class: article 000's bird photos, or your own.

    train_iter, val_iter = gr.load_data_bird_photos("bird_photos")       # article 000: 8 a batch, 224x224, 452 and 113
    gluon-resnet data show bird_photos --save grid.png

The pictures held back for validation are the very files that Keras's image_dataset_from_directory holds back for the
same validation_split and seed. A folder that has train/ and val/ in it, and a CSV of paths and labels, are taken too.
"""

import sys
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy

from ..errors import ConfigError, whole
from ..text import count
from .augment import Augment
from .csv_listing import list_csv
from .decoded import CACHE_BYTES, DecodedPictures, Fit, make_fit
from .findings import LEFT_OUT, SUSPECT, Problem, Report, refusal
from .images import Preparation, read_image
from .listing import KERAS_SUFFIXES, TRAINING, VALIDATION, Listing, list_folder
from .picture_source import PictureSource
from .pictures import PictureBatches
from .pixels import FAST
from .reading import read_least
from .scan import scan

PARTS = (TRAINING, VALIDATION)


class FolderSource(PictureSource):
    """N images in files below ``root``: a source for the scan, the batches and the record files.

    Args:
        root: the folder.
        names: paths relative to ``root`` with "/".
        labels: integers (N,) from 0 into ``class_names``.
        class_names: the classes' names.
        where: what to call all of them in a message; ``root`` if None.
        problems: findings of the listing (see :mod:`~.listing`).
        parts: the part of each image, if the folder or CSV is split already.
        layout: a line on what was taken for what, if that needs a word.
    """

    PER_IMAGE = ("names", "labels", "parts")

    def __init__(
        self,
        root: Any,
        names: Sequence[str],
        labels: Any,
        class_names: Sequence[str],
        where: Optional[str] = None,
        problems: Sequence[Problem] = (),
        parts: Optional[List[str]] = None,
        layout: Optional[str] = None,
    ) -> None:
        self.root, self.names, self.class_names = Path(root), list(names), list(class_names)
        self.labels = numpy.asarray(labels, dtype=numpy.int32)
        self.where, self.problems, self.parts, self.layout = str(where or root), list(problems), parts, layout

    def path(self, i: int) -> Path:
        """Path of image ``i``."""
        return self.root / self.names[i]

    def read(self, i: int) -> numpy.ndarray:
        """Image ``i`` as uint8 (H, W, 3) RGB; DataError if it is damaged."""
        return read_image(self.path(i))

    def read_least(self, i: int, least: Tuple[int, int]) -> numpy.ndarray:
        """Image ``i``, or the same made smaller, for a use at ``least`` = (height, width); DataError if damaged."""
        return read_least(self.path(i), least)


def list_pictures(path: Any, suffixes: Sequence[str] = KERAS_SUFFIXES, parts: Optional[str] = None) -> Listing:
    """What is in a folder with a folder for each class (or train/ and val/ with such folders), or in a CSV file.

    ``parts`` says which folders, or values of the CSV's column, are the parts: see :func:`~.folder_parts.find_layout`.
    Raises DataError if there is no folder, no class or no picture, or two ways to read the folders.
    """
    path = Path(path)
    if path.is_file() and path.suffix.lower() == ".csv":
        listing = list_csv(path, parts)
    elif path.is_dir():
        listing = list_folder(path, tuple(suffixes), parts)
    elif path.exists():
        raise refusal(
            f"{path}: a file: expected a folder with a folder of pictures for each class, or a .csv "
            f"of paths and labels; name the folder that it is in"
        )
    else:
        raise refusal(f"{path}: no such folder: expected one with a folder of pictures for each class; check the name")
    if not listing.names:
        found = ", ".join(f"{name}/" for name in listing.class_names)[:200] or "nothing"
        first = next((problem for problem in listing.problems if problem.effect == LEFT_OUT), None)
        advice = "check the folder" if first is None else f"the first that is left out: {first}"
        raise refusal(
            f"{path}: no picture: expected files named {', '.join(suffixes)} in it, found {found} without one; {advice}"
        )
    _look_at_classes(listing)
    return listing


def _look_at_classes(listing: Listing) -> None:
    """Note classes without an image, and a single class."""
    for name, number in zip(listing.class_names, listing.counts):
        if not number:
            listing.say(
                f"{name}/",
                "empty class",
                SUSPECT,
                "pictures",
                "none",
                "put some in, or remove the folder: it counts as a class",
            )
    if len(listing.class_names) == 1:
        listing.say(
            f"{listing.class_names[0]}/",
            "only one class",
            SUSPECT,
            "two or more classes",
            "one, so there is nothing to tell apart",
            "name the folder that holds the folders of the classes",
        )


def open_folder(path: Any, suffixes: Sequence[str] = KERAS_SUFFIXES, parts: Optional[str] = None) -> FolderSource:
    """All pictures of a folder or CSV as a :class:`FolderSource`, in Keras's order; opens none. Raises DataError."""
    listing = list_pictures(path, tuple(suffix.lower() for suffix in suffixes), parts)
    return FolderSource(
        listing.root,
        listing.names,
        listing.labels,
        listing.class_names,
        listing.where,
        listing.problems,
        listing.parts,
        listing.layout,
    )


def shuffled(count: int, seed: int) -> numpy.ndarray:
    """The numbers below ``count`` in the order that ``seed`` decides: int64 (count,)."""
    return numpy.random.RandomState(seed).permutation(count)


def split_indices(number: int, validation_split: float = 0.2, seed: int = 123) -> Tuple[numpy.ndarray, numpy.ndarray]:
    """(training, validation): which of ``number`` pictures are which, both in the order in which Keras deals them out.

    Shuffled by NumPy's RandomState(seed); the last int(validation_split * number) are held back. Raises ConfigError for
    a share outside 0 to 1 and where one of the parts would be empty. Source: keras/src/utils/dataset_utils.py of
    Keras 3.15, the same in Keras 2.
    """
    if not 0 < validation_split < 1:
        raise ConfigError(f"validation_split is {validation_split}: expected a share between 0 and 1")
    if not 0 <= seed < 2**32:
        raise ConfigError(f"seed is {seed}: expected 0 to 4294967295")
    order = numpy.arange(number)
    numpy.random.RandomState(seed).shuffle(order)
    held_back = int(validation_split * number)
    if not 0 < held_back < number:
        raise ConfigError(
            f"validation_split {validation_split} of {count(number)} holds {held_back} back: expected "
            f"one or more in either part; change the share or add pictures"
        )
    return order[:-held_back], order[-held_back:]


def _split(source: FolderSource, validation_split: float, seed: int) -> List[numpy.ndarray]:
    """Indices of the training and of the validation images: as the data are split already, or else as Keras does it."""
    if source.parts is None:
        return list(split_indices(len(source), validation_split, seed))
    return [numpy.flatnonzero(numpy.array(source.parts) == part) for part in PARTS]


def _usable(source: FolderSource, split: Sequence[numpy.ndarray], report: Report, strict: bool) -> List[List[int]]:
    """For each part, the places in it of the images that can be used; DataError if a part is left without any."""
    if strict:
        report.refuse()
    usable = set(report.usable)
    places = [[place for place, i in enumerate(indices) if i in usable] for indices in split]
    for part, indices, remaining in zip(PARTS, split, places):
        if not remaining:
            first = report.first(source.names[i] for i in indices) or report.first() or "check the folder"
            raise refusal(
                f"{source.where}: {count(len(indices))} for {part}, none of them usable: expected one or "
                f"more; {report.summary()}; {first}"
            )
    return places


def _parts(source: FolderSource, split: Sequence[numpy.ndarray]) -> List[Optional[str]]:
    """The part of each image; None for those in neither."""
    parts: List[Optional[str]] = [None] * len(source)
    for part, indices in zip(PARTS, split):
        for i in indices:
            parts[i] = part
    return parts


def open_parts(
    data_dir: Any,
    validation_split: float = 0.2,
    seed: int = 123,
    suffixes: Sequence[str] = KERAS_SUFFIXES,
    strict: bool = False,
    progress: bool = False,
    parts: Optional[str] = None,
) -> Tuple[PictureSource, PictureSource, Report]:
    """List, split and scan a folder or CSV; an image that cannot be used is in neither part.

    The split is drawn over all listed files before any is left out, so a damaged file moves no other to the other part.

    Args:
        data_dir: the folder, or the CSV file.
        validation_split: share of the images that is held back; unused if the folder or the CSV is split already.
        seed: decides which are held back; unused in the same case.
        suffixes: of the files to take.
        strict: whether anything left out or suspect raises DataError.
        progress: whether to show a bar.
        parts: which folders are the parts, if their names do not say it (:func:`~.folder_parts.find_layout`).

    Returns:
        (training source, validation source, the scan's report).

    Raises:
        DataError: there is no folder, class or image, or a part without a usable one.
        ConfigError: the share or the seed is out of range.
    """
    source = open_folder(data_dir, suffixes, parts)
    split = _split(source, validation_split, seed)
    report = scan(source, _parts(source, split), progress=progress)
    training, validation = (
        source.subset(indices[places]) for indices, places in zip(split, _usable(source, split, report, strict))
    )
    return training, validation, report


def decode_parts(
    data_dir: Any,
    fits: Sequence[Fit],
    memory: int = CACHE_BYTES,
    kept: Sequence[bool] = (True, True),
    validation_split: float = 0.2,
    seed: int = 123,
    suffixes: Sequence[str] = KERAS_SUFFIXES,
    strict: bool = False,
    progress: bool = False,
    parts: Optional[str] = None,
) -> Tuple[DecodedPictures, DecodedPictures, Report]:
    """As :func:`open_parts`, and keep what the scan decodes for the batches.

    Args:
        fits: how training and validation images are kept (:func:`~.decoded.make_fit`).
        memory: bytes for decoded images; each part has a share of them by its number of images.
        kept: whether the training images and the validation images are kept at all.
        data_dir, validation_split, seed, suffixes, strict, progress, parts: see :func:`open_parts`.

    Returns:
        (training images, validation images, the scan's report).
    """
    source = open_folder(data_dir, suffixes, parts)
    split = _split(source, validation_split, seed)
    decoded = [
        DecodedPictures(source.subset(indices), fit, memory * len(indices) // len(source) if keeps else None)
        for indices, fit, keeps in zip(split, fits, kept)
    ]
    report = scan(source, _parts(source, split), progress=progress, decoded=list(zip(decoded, split)))
    training, validation = (
        images.subset(places) for images, places in zip(decoded, _usable(source, split, report, strict))
    )
    return training, validation, report


def load_data_image_folder(
    data_dir: Any,
    batch_size: int,
    image_size: Any = (224, 224),
    validation_split: float = 0.2,
    seed: int = 123,
    augment: Optional[Augment] = None,
    preparation: Optional[Preparation] = None,
    crop: bool = False,
    suffixes: Sequence[str] = KERAS_SUFFIXES,
    strict: bool = False,
    cache: bool = True,
    cache_bytes: Optional[int] = None,
    workers: int = 2,
    progress: bool = False,
    say: Optional[Callable[[str], Any]] = None,
    parts: Optional[str] = None,
    reading: str = FAST,
) -> Tuple[PictureBatches, PictureBatches]:
    """Two :class:`~.pictures.PictureBatches` over the images of a folder or CSV: training (shuffled) and validation.

    X: float32 (batch_size, 3, H, W), y: int32 (batch_size,). Which images are held back is Keras's own choice for
    ``validation_split`` and ``seed``; the training order is decided by ``numpy.random.seed``. Both have ``class_names``
    and the ``report`` of the scan. Source: article 000; Keras.

    Args:
        augment: an :class:`~.augment.Augment`, for training images only.
        cache_bytes: the memory that both parts may take together; CACHE_BYTES if None.
        say: called with a line if an image is left out or suspect, and with one on the folders if they are not those
            of the classes; by default they go to standard error.
        data_dir, validation_split, seed, suffixes, strict, progress, parts: see :func:`open_parts`.
        batch_size, image_size, preparation, crop, cache, workers, reading: see PictureBatches.

    Raises:
        DataError, ConfigError: see :func:`open_parts` and PictureBatches.
    """
    fits = [make_fit(image_size, changes, preparation, crop, reading) for changes in (augment, None)]
    memory = CACHE_BYTES if cache_bytes is None else whole("cache_bytes", cache_bytes, 0)
    training, validation, report = decode_parts(
        data_dir, fits, memory, (cache, cache), validation_split, seed, suffixes, strict, progress, parts
    )
    for line in report.first_lines():
        (say or (lambda line: print(line, file=sys.stderr, flush=True)))(line)
    common: Dict[str, Any] = dict(preparation=preparation, workers=workers)
    train_iter = PictureBatches(training, batch_size, augment=augment, shuffle=True, **common)
    val_iter = PictureBatches(validation, batch_size, **common)
    train_iter.report = val_iter.report = report
    return train_iter, val_iter


def load_data_bird_photos(
    data_dir: Any,
    batch_size: int = 8,
    image_size: Any = (224, 224),
    validation_split: float = 0.2,
    seed: int = 123,
    **options: Any,
) -> Tuple[PictureBatches, PictureBatches]:
    """:func:`load_data_image_folder` with article 000's settings. Its 565 photos of 4 species become 452 and 113."""
    return load_data_image_folder(data_dir, batch_size, image_size, validation_split, seed, **options)
