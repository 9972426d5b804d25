"""Pictures decoded once and kept as uint8 at one size: in memory, or in a file where they need more than allowed.

    cache = PictureCache(source, (256, 256), lambda image: resize(image, 256, 256), cache_bytes=2**31)
    cache[7]                                         # uint8 (256, 256, 3): decoded the first time, kept from then on

The file lies in the suite's cache ($GLUON_RESNET_HOME), has no name from the start and vanishes with the cache or the
process, however that ends.
"""
import os
import tempfile

import numpy

from .report import refusal
from .sources import home

CACHE_BYTES = 2 * 2**30  # of memory, unless another number is given


class PictureCache:
    """The pictures of ``source`` as ``fit(image)`` gives them, uint8 (*size, 3) each; filled as they are asked for.

    May be asked by several threads at once. More than ``cache_bytes`` go into a memory-mapped file. DataError where the
    disk has no room for it.
    """

    def __init__(self, source, size, fit, cache_bytes=CACHE_BYTES):
        self.source, self.fit = source, fit
        shape = (len(source), *size, 3)
        self.nbytes = int(numpy.prod(shape, dtype=numpy.int64))
        self.on_disk = self.nbytes > cache_bytes
        self.pixels = _on_disk(shape, self.nbytes, source.where) if self.on_disk else numpy.empty(shape, numpy.uint8)
        self.filled = numpy.zeros(len(source), dtype=bool)

    def __len__(self):
        return len(self.filled)

    def __getitem__(self, i):
        if not self.filled[i]:  # two threads may both find it so: they then write the same bytes
            self.pixels[i] = self.fit(self.source.read(i))
            self.filled[i] = True
        return self.pixels[i]


def _on_disk(shape, nbytes, where):
    """A writable uint8 array of ``shape`` in a file that no folder lists."""
    folder = home() / "pictures"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=str(folder)) as stream:
            # all of it now: writing to a mapping on a full disk would kill the process
            os.posix_fallocate(stream.fileno(), 0, nbytes)
            return numpy.asarray(numpy.memmap(stream, dtype=numpy.uint8, mode="r+", shape=shape))  # keeps the file open
    except OSError as error:
        raise refusal(f"{folder}: the decoded pictures of {where} need {nbytes / 2**20:,.0f} MiB, which cannot be kept "
                      f"there ({error.strerror}); make room, set GLUON_RESNET_HOME to another disk, raise cache_bytes, "
                      f"or decode anew in every epoch with cache=False") from None
