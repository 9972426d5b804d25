"""Images decoded once and kept as uint8 at one size: in memory as many as allowed, the others in a temporary file.

For example:

    images = DecodedPictures(open_folder("bird_photos"), Fit((224, 224)))
    images.read(7)                                   # uint8 (224, 224, 3): decoded the first time, kept from then on

The scan of a folder puts the images that it decodes in here, and the batches read them. The temporary file is in the
suite's cache ($GLUON_RESNET_HOME).
"""

import copy
from dataclasses import dataclass, replace
from typing import Any, Optional, Tuple

import numpy

from ..errors import ConfigError, DataError, whole
from ..machine.downloads import home
from .augment import ENLARGED, Augment
from .findings import refusal
from .images import IMAGENET, Preparation, view
from .picture_source import Indices
from .pixels import EXACT, check_reading, resize
from .slots import Slots

CACHE_BYTES = 2 * 2**30  # of memory, unless another number is given


@dataclass(frozen=True)
class Fit:
    """How a decoded image is kept for a network that takes ``size`` = (height, width).

    Squeezed to it as a whole, or with ``crop`` resized by its shorter side and cut out of the middle. ``enlarged``:
    larger by 256/224, because random crops are cut out of it later.
    """

    size: Tuple[int, int]
    crop: bool = False
    enlarged: bool = False
    reading: str = EXACT  # or FAST
    family: Preparation = IMAGENET  # the share of the image that ``crop`` leaves is this family's

    @property
    def kept_size(self) -> Tuple[int, int]:
        """(height, width) as it is kept."""
        height, width = self.size
        return (round(height * ENLARGED), round(width * ENLARGED)) if self.enlarged else self.size

    def __call__(self, image: numpy.ndarray) -> numpy.ndarray:
        """``image`` uint8 (H, W, 3) as uint8 (*kept_size, 3)."""
        if not self.crop:
            return resize(image, *self.kept_size, self.reading)
        return view(image, self._seen)

    @property
    def least(self) -> Tuple[int, int]:
        """(height, width) that an image is resized to."""
        return (self._seen.side, self._seen.side) if self.crop else self.kept_size

    @property
    def _seen(self) -> Preparation:
        """With ``crop``, what is left of an image."""
        seen, side = self.family.at(self.size[0]), self.kept_size[0]
        return replace(seen, crop=side, resize=max(side, seen.resize or 0), reading=self.reading)


def _size(image_size: Any) -> Tuple[int, int]:
    """(height, width) of a side or of a pair."""
    size = tuple(image_size) if isinstance(image_size, (tuple, list)) else (image_size, image_size)
    if len(size) != 2:
        raise ConfigError(f"image_size is {image_size!r}: expected a side, or (height, width)")
    return whole("image_size", size[0]), whole("image_size", size[1])


def make_fit(
    image_size: Any,
    augment: Optional[Augment] = None,
    preparation: Optional[Preparation] = None,
    crop: bool = False,
    reading: str = EXACT,
) -> Fit:
    """The Fit of batches with these settings.

    Args:
        image_size: a side, or (height, width), in pixels.
        augment: the changes to training images, if any; with random crops the images are kept larger.
        preparation: the family's; with ``crop`` it decides which share of the image is left.
        crop: whether to resize by the shorter side and take the middle, instead of squeezing the whole image.
        reading: ``exact``, or ``fast``: how files are decoded and resized (:mod:`~.reading`).

    Raises:
        ConfigError: ``crop`` is set and ``image_size`` is not a square, or ``reading`` is something else.
    """
    size = _size(image_size)
    if crop and size[0] != size[1]:
        raise ConfigError(f"image_size is {size} with crop: expected a square")
    # a family that does not crop itself leaves ImageNet's share
    family = preparation if crop and preparation is not None and preparation.resize else IMAGENET
    return Fit(size, crop, augment is not None and augment.crop is not None, check_reading(reading), family)


class DecodedPictures:
    """The images of ``source`` as ``fit`` makes them, decoded once; any number of threads may use it at once.

    The scan gives it what it decodes (:meth:`keep`), the batches read (:meth:`read`); what has not been given yet is
    decoded when it is read.

    Args:
        source: N images, such as a :class:`~.image_folder.FolderSource`.
        fit: the :class:`Fit`.
        memory: bytes of memory for decoded images; those beyond go to the disk. None keeps none: each is decoded
            whenever it is read.

    Raises:
        DataError: the disk has no room for them.
    """

    def __init__(self, source: Any, fit: Fit, memory: Optional[int] = CACHE_BYTES) -> None:
        self.source, self.fit, self.keeps = source, fit, memory is not None
        self.shape = (*fit.kept_size, 3)
        self._places = numpy.arange(len(source))  # of each image: in memory first, then in the slots
        nbytes = int(numpy.prod(self.shape, dtype=numpy.int64))
        in_memory = 0 if memory is None else min(len(source), memory // nbytes)
        self._filled = numpy.zeros(len(source), bool)
        self._pixels = numpy.empty((in_memory, *self.shape), numpy.uint8)
        self._slots: Optional[Slots] = None
        self.disk_bytes = (len(source) - in_memory) * nbytes if self.keeps else 0
        if self.disk_bytes:
            try:
                self._slots = Slots(home() / "pictures", len(source) - in_memory, nbytes)
            except OSError as error:
                raise self._no_room(error) from None

    def __len__(self) -> int:
        return len(self._places)

    @property
    def in_memory(self) -> int:
        """How many images fit into memory."""
        return len(self._pixels)

    @property
    def kept(self) -> numpy.ndarray:
        """Which images have been decoded and kept, bool (N,)."""
        return self._filled[self._places]

    def subset(self, indices: Indices) -> "DecodedPictures":
        """The images ``indices`` of these, in that order, in the same room."""
        part = copy.copy(self)
        part.source = self.source.subset(indices)
        part._places = self._places[numpy.asarray(indices, dtype=numpy.int64)]
        return part

    def decode(self, i: int) -> numpy.ndarray:
        """Image ``i`` from its source, uint8 (H, W, 3), as large as :attr:`fit` needs it; DataError if damaged."""
        read_least = getattr(self.source, "read_least", None)
        if self.fit.reading == EXACT or read_least is None:
            return self.source.read(i)
        return read_least(i, self.fit.least)

    def keep(self, i: int, image: numpy.ndarray) -> numpy.ndarray:
        """Keep image ``i``, decoded as ``image`` uint8 (H, W, 3); returns it as it is kept, uint8 (*kept_size, 3)."""
        fitted = self.fit(image)
        if self.keeps:
            place = int(self._places[i])
            self._write(place, fitted)
            self._filled[place] = True  # after the pixels: another thread may read as soon as this is set
        return fitted

    def _write(self, place: int, fitted: numpy.ndarray) -> None:
        """Two threads that write one place at once write the same bytes, so there is no lock."""
        if self._slots is None or place < self.in_memory:
            self._pixels[place] = fitted
            return
        try:
            self._slots.write(place - self.in_memory, fitted.tobytes())
        except OSError as error:
            raise self._no_room(error) from None

    def read(self, i: int) -> numpy.ndarray:
        """Image ``i`` as it is kept, uint8 (*kept_size, 3); decoded now if it has not been. DataError if damaged."""
        place = int(self._places[i])
        if not self._filled[place]:
            return self.keep(i, self.decode(i))
        if self._slots is None or place < self.in_memory:
            return self._pixels[place]
        return numpy.frombuffer(self._slots.read(place - self.in_memory), numpy.uint8).reshape(self.shape)

    def _no_room(self, error: OSError) -> DataError:
        return refusal(
            f"{home() / 'pictures'}: the decoded pictures of {self.source.where} need "
            f"{self.disk_bytes / 2**20:,.0f} MiB, which cannot be kept there ({error.strerror}); make room, "
            f"set GLUON_RESNET_HOME to another disk, allow more memory (cache_bytes; --set cache_mb=), or "
            f"decode again in every epoch with cache=False"
        )
