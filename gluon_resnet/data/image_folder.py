"""Photographs in folders, a folder for each class: article 000's bird photos, or your own.

    train_iter, val_iter = gr.load_data_bird_photos("bird_photos")       # article 000: 8 a batch, 224x224, 452 and 113
    gluon-resnet data show bird_photos --save grid.png

The pictures held back for validation are the very files that Keras's image_dataset_from_directory holds back for the
same validation_split and seed. A folder that has train/ and val/ in it, and a CSV of paths and labels, are taken too.
"""

import sys
from pathlib import Path

import numpy

from ..errors import ConfigError
from ..text import count
from .csv_listing import list_csv
from .findings import SUSPECT, refusal
from .images import read_image
from .listing import KERAS_SUFFIXES, TRAINING, VALIDATION, list_folder
from .scan import scan


class FolderSource:
    """N pictures in files below ``root``: a source of pictures as the batches and the record files want it.

    ``names`` are paths relative to ``root`` with "/", ``labels`` integers (N,) from 0 into ``class_names``, ``where``
    what to call it all in a message. ``problems`` and ``parts`` are what the listing found (see :mod:`~.listing`).
    ``cache`` may hold pictures that were decoded already, a :class:`~.picture_cache.PictureCache`.
    """

    cache = None

    def __init__(self, root, names, labels, class_names, where=None, problems=(), parts=None):
        self.root, self.names, self.class_names = Path(root), list(names), list(class_names)
        self.labels = numpy.asarray(labels, dtype=numpy.int32)
        self.where, self.problems, self.parts = str(where or root), list(problems), parts

    def __len__(self):
        return len(self.names)

    def path(self, i):
        """Path of picture ``i``."""
        return self.root / self.names[i]

    def read(self, i):
        """Picture ``i`` as uint8 (H, W, 3) RGB; DataError if it is damaged."""
        return read_image(self.path(i))

    def subset(self, indices):
        """A source of the pictures ``indices``, in that order."""
        indices = [int(i) for i in indices]
        parts = None if self.parts is None else [self.parts[i] for i in indices]
        chosen = FolderSource(
            self.root,
            [self.names[i] for i in indices],
            self.labels[indices],
            self.class_names,
            self.where,
            self.problems,
            parts,
        )
        chosen.cache = None if self.cache is None else self.cache.subset(indices)
        return chosen


def list_pictures(path, suffixes=KERAS_SUFFIXES):
    """The :class:`Listing` of a folder with a folder for each class (or train/ and val/ of such), or of a CSV file.

    Raises DataError if there is no folder, no class or no picture.
    """
    path = Path(path)
    if path.is_file() and path.suffix.lower() == ".csv":
        listing = list_csv(path)
    elif path.is_dir():
        listing = list_folder(path, suffixes)
    elif path.exists():
        raise refusal(
            f"{path}: a file: expected a folder with a folder of pictures for each class, or a .csv "
            f"of paths and labels; name the folder that it is in"
        )
    else:
        raise refusal(f"{path}: no such folder: expected one with a folder of pictures for each class; check the name")
    if not listing.names:
        found = ", ".join(f"{name}/" for name in listing.class_names)[:200] or "nothing"
        raise refusal(
            f"{path}: no picture: expected files named {', '.join(suffixes)} in it, found {found} "
            f"without one; check the folder"
        )
    _look_at_classes(listing)
    return listing


def _look_at_classes(listing):
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


def open_folder(path, suffixes=KERAS_SUFFIXES):
    """All pictures of a folder or CSV as a :class:`FolderSource`, in Keras's order; opens none. Raises DataError."""
    found = list_pictures(path, tuple(suffix.lower() for suffix in suffixes))
    return FolderSource(
        found.root, found.names, found.labels, found.class_names, found.where, found.problems, found.parts
    )


def shuffled(count, seed):
    """The numbers below ``count`` in the order that ``seed`` decides: int64 (count,)."""
    return numpy.random.RandomState(seed).permutation(count)


def split_indices(number, validation_split=0.2, seed=123):
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


def _split(source, validation_split, seed):
    """{part: indices of its pictures}, as the folder or CSV is split already, or else as Keras splits it."""
    if source.parts is None:
        return dict(zip((TRAINING, VALIDATION), split_indices(len(source), validation_split, seed)))
    return {part: numpy.flatnonzero(numpy.array(source.parts) == part) for part in (TRAINING, VALIDATION)}


def open_parts(
    data_dir,
    validation_split=0.2,
    seed=123,
    suffixes=KERAS_SUFFIXES,
    strict=False,
    progress=False,
    fits=(None, None),
    cache_bytes=None,
):
    """(training source, validation source, report): listed, split and scanned; what cannot be used is in neither part.

    The split is drawn over all listed files before any is left out, so a damaged file moves no other to the other part.
    ``validation_split`` and ``seed`` go unused where the folder or the CSV is split already. With ``strict`` anything
    left out or suspect raises DataError; a part without a usable picture always does. ``progress`` shows a bar.
    ``fits`` says how each part's pictures are to be kept in its source's ``cache`` (pictures.make_fit), ``cache_bytes``
    how much of them in memory: what the scan decodes needs no decoding again.
    """
    source = open_folder(data_dir, suffixes)
    split = _split(source, validation_split, seed)
    caches = _make_caches(source, split.values(), fits, cache_bytes)
    parts, places = [None] * len(source), {}
    for (part, indices), cache in zip(split.items(), caches):
        for place, i in enumerate(indices):
            parts[i], places[i] = part, (cache, place)

    def keep(i):
        cache, place = places[i]
        return None if cache is None else lambda image: cache.put(place, image)

    report = scan(source, parts, progress=progress, keep=keep)
    if strict:
        report.refuse()
    usable, sources = set(report.usable), []
    for (part, indices), cache in zip(split.items(), caches):
        kept = [place for place, i in enumerate(indices) if i in usable]
        if not kept:
            raise refusal(
                f"{source.where}: {count(len(indices))} for {part}, none of them usable: expected one or "
                f"more; {report.summary()}"
            )
        sources.append(source.subset(indices[kept]))
        sources[-1].cache = None if cache is None else cache.subset(kept)
    return (*sources, report)


def _make_caches(source, parts, fits, cache_bytes):
    """A PictureCache or None for each part, which share ``cache_bytes`` of memory by their numbers of pictures."""
    from .picture_cache import CACHE_BYTES, PictureCache

    cache_bytes = CACHE_BYTES if cache_bytes is None else cache_bytes
    return [
        fit and PictureCache(len(part), fit, cache_bytes * len(part) // len(source), source.where)
        for part, fit in zip(parts, fits)
    ]


def load_data_image_folder(
    data_dir,
    batch_size,
    image_size=(224, 224),
    validation_split=0.2,
    seed=123,
    augment=None,
    preparation=None,
    crop=False,
    suffixes=KERAS_SUFFIXES,
    strict=False,
    cache=True,
    cache_bytes=None,
    workers=2,
    progress=False,
    say=None,
):
    """Two :class:`~.pictures.PictureBatches` over the pictures of a folder or CSV: training (shuffled) and validation.

    X: float32 (batch_size, 3, H, W), y: int32 (batch_size,). Which pictures are held back is Keras's own choice for
    ``validation_split`` and ``seed``; the training order is ``numpy.random.seed``'s. ``augment`` (an
    :class:`~.augment.Augment`) changes training pictures only. ``strict``: see :func:`open_parts`. ``cache_bytes`` is
    the memory both parts may take together. The others: see PictureBatches.

    Both carry ``class_names`` and the ``report`` of the scan. If a picture is left out or suspect, ``say`` (by default
    standard error) gets one line. Raises DataError and ConfigError. Source: article 000; Keras.
    """
    from .pictures import PictureBatches, make_fit

    augments = augment, None
    fits = [make_fit(image_size, one, preparation, crop) if cache else None for one in augments]
    *sources, report = open_parts(data_dir, validation_split, seed, suffixes, strict, progress, fits, cache_bytes)
    if report.has_findings:
        (say or (lambda line: print(line, file=sys.stderr, flush=True)))(report.summary())
    batches = []
    for source, one in zip(sources, augments):
        part = PictureBatches(
            source,
            batch_size,
            image_size,
            one,
            shuffle=not batches,
            preparation=preparation,
            crop=crop,
            cache=cache,
            workers=workers,
        )
        part.report = report
        batches.append(part)
    return tuple(batches)


def load_data_bird_photos(data_dir, batch_size=8, image_size=(224, 224), validation_split=0.2, seed=123, **options):
    """:func:`load_data_image_folder` with article 000's settings. Its 565 photos of 4 species become 452 and 113."""
    return load_data_image_folder(data_dir, batch_size, image_size, validation_split, seed, **options)
