"""Pictures decoded once and kept as uint8 at one size: in memory as many as may be, the others in a record file.

    fit = Fit((224, 224))
    cache = PictureCache(len(source), fit, cache_bytes=2**31)
    cache.get(7, source.read)                        # uint8 (224, 224, 3): decoded the first time, kept from then on

The record file is MXNet's, with the bare pixels as content. It lies in the suite's cache ($GLUON_RESNET_HOME), has no
name and vanishes with the cache or the process, however that ends.
"""

import copy
import threading
from dataclasses import dataclass, replace
from typing import Tuple

import numpy

from .augment import ENLARGED
from .findings import refusal
from .images import IMAGENET, Preparation, resize, view
from .recordio import TemporaryRecords, framed, unpack
from .sources import home

CACHE_BYTES = 2 * 2**30  # of memory, unless another number is given
HEADER_BYTES = len(framed(bytes(24)))  # of a record without a picture: head, and IRHeader of one label


@dataclass(frozen=True)
class Fit:
    """How a decoded picture is kept for a network that takes ``size`` = (height, width).

    Squeezed to it as a whole, or with ``crop`` resized by its shorter side and cut out of the middle. ``enlarged``:
    by 256/224 larger, for random crops are cut out of it later.
    """

    size: Tuple[int, int]
    crop: bool = False
    enlarged: bool = False
    family: Preparation = IMAGENET  # the share of the picture that ``crop`` leaves is this family's

    @property
    def kept_size(self):
        """(height, width) as it is kept."""
        return tuple(round(side * ENLARGED) for side in self.size) if self.enlarged else self.size

    def __call__(self, image):
        """``image`` uint8 (H, W, 3) as uint8 (*kept_size, 3)."""
        if not self.crop:
            return resize(image, *self.kept_size)
        seen, side = self.family.at(self.size[0]), self.kept_size[0]
        return view(image, replace(seen, crop=side, resize=max(side, seen.resize)))


class PictureCache:
    """Room for ``number`` pictures as ``fit`` gives them; filled as they come. May be asked by several threads at once.

    What goes beyond ``cache_bytes`` of memory lies in a temporary record file. ``where`` is what to call the pictures
    in a message. DataError if the disk has no room for them.
    """

    def __init__(self, number, fit, cache_bytes=CACHE_BYTES, where="these pictures"):
        self.fit, self.where, self.shape = fit, where, (*fit.kept_size, 3)
        each = int(numpy.prod(self.shape, dtype=numpy.int64))
        in_memory = min(number, cache_bytes // each)
        self.pixels = numpy.empty((in_memory, *self.shape), numpy.uint8)
        self.filled, self.offsets = numpy.zeros(number, bool), numpy.zeros(number, numpy.int64)
        self.places, self.lock = numpy.arange(number), threading.Lock()
        self.disk_bytes = (number - in_memory) * (HEADER_BYTES + each + -each % 4)
        self.records = None
        if self.disk_bytes:
            try:
                self.records = TemporaryRecords(home() / "pictures", self.disk_bytes)
            except OSError as error:
                raise self._no_room(error) from None

    def __len__(self):
        return len(self.places)

    def subset(self, indices):
        """A cache of the pictures ``indices`` of this one, in that order, that shares its room."""
        part = copy.copy(self)
        part.places = self.places[numpy.asarray(indices, dtype=numpy.int64)]
        return part

    def put(self, i, image):
        """Keep picture ``i``, decoded as ``image`` uint8 (H, W, 3); as it is kept, uint8 (*kept_size, 3)."""
        place, fitted = self.places[i], self.fit(image)
        if place < len(self.pixels):
            self.pixels[place] = fitted  # two threads may both do it: they write the same bytes
            self.filled[place] = True
        else:
            with self.lock:
                if not self.filled[place]:
                    try:
                        self.offsets[place] = self.records.append(int(place), 0, fitted.tobytes())
                    except OSError as error:
                        raise self._no_room(error) from None
                    self.filled[place] = True
        return fitted

    def get(self, i, read):
        """Picture ``i`` as it is kept; ``read(i)`` decodes it if it has not been put in yet."""
        place = self.places[i]
        if not self.filled[place]:
            return self.put(i, read(i))
        if place < len(self.pixels):
            return self.pixels[place]
        content = unpack(self.records.record(int(self.offsets[place]))[0])[1]
        return numpy.frombuffer(content, numpy.uint8).reshape(self.shape)  # (*kept_size, 3)

    def _no_room(self, error):
        return refusal(
            f"{home() / 'pictures'}: the decoded pictures of {self.where} need "
            f"{self.disk_bytes / 2**20:,.0f} MiB, which cannot be kept there ({error.strerror}); make room, "
            f"set GLUON_RESNET_HOME to another disk, allow more memory (cache_bytes; --set cache_mb=), or "
            f"decode again in every epoch with cache=False"
        )
