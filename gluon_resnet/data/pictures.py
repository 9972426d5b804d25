"""Batches over pictures in files or records, decoded once, augmented and batched ahead of the trainer by threads.

    batches = PictureBatches(open_folder("bird_photos"), 8, 224, augment=Augment(), shuffle=True)
    X, y = next(iter(batches))                       # (8, 3, 224, 224) float32, (8,) int32

A picture is resized to the network's size without cropping, as in article 000, or (``crop``) resized by its shorter
side and cut out of the middle. Where Keras shrinks, it interpolates between four pixels and passes over the others;
this averages over areas, as ``predict`` does. From 227x227 to 224x224 the two are 0.2 grey levels apart on average.
"""

from concurrent.futures import ThreadPoolExecutor

import mxnet as mx
import numpy
from mxnet.util import is_np_array

from ..errors import ConfigError, whole
from .batches import prefetch
from .images import IMAGENET, PREPARATIONS, normalize, resize
from .picture_cache import CACHE_BYTES, Fit, PictureCache


def _size(image_size):
    """(height, width) of a side or of a pair."""
    size = tuple(image_size) if isinstance(image_size, (tuple, list)) else (image_size, image_size)
    if len(size) != 2:
        raise ConfigError(f"image_size is {image_size!r}: expected a side, or (height, width)")
    return tuple(whole("image_size", side) for side in size)


def make_fit(image_size, augment=None, preparation=None, crop=False):
    """The :class:`~.picture_cache.Fit` of batches with these settings; ConfigError if they do not go together."""
    size = _size(image_size)
    if crop and size[0] != size[1]:
        raise ConfigError(f"image_size is {size} with crop: expected a square")
    # a family that does not crop itself leaves ImageNet's share
    family = preparation if crop and preparation is not None and preparation.resize else IMAGENET
    return Fit(size, crop, augment is not None and augment.crop is not None, family)


class PictureBatches:
    """Batches over a source of pictures: iterate for (X, y), as often as you like; ``len()`` is the number of batches.

    X is float32 (batch_size, 3, H, W), y int32 (batch_size,), as mxnet.np arrays under ``npx.set_np()`` and as mxnet.nd
    otherwise, on the CPU; the last batch holds what is left. Values are 0 to 1, or what ``preparation`` (a
    :class:`~gluon_resnet.data.images.Preparation`) makes of them for its family.

    ``image_size``: a side, or (height, width). ``crop``: resize by the shorter side and take the middle, instead of
    squeezing the whole picture. ``augment``: an :class:`~.augment.Augment`, applied to the cached picture, which is
    larger by 256/224 where crops are cut out of it. ``cache=False`` decodes in every pass; what goes beyond
    ``cache_bytes`` lies in a record file. A source that was scanned for these very batches brings its cache along.
    ``workers``: threads. Order and augmentation of a pass are drawn from NumPy's global generator when it starts:
    ``numpy.random.seed`` decides both, whatever the number of threads. Raises ConfigError, DataError.
    """

    def __init__(
        self,
        source,
        batch_size,
        image_size,
        augment=None,
        shuffle=False,
        preparation=None,
        crop=False,
        cache=True,
        cache_bytes=CACHE_BYTES,
        workers=2,
    ):
        if not len(source):
            raise ConfigError(f"{source.where}: no pictures to make batches of")
        self.source, self.augment, self.shuffle = source, augment, shuffle
        self.batch_size, self.workers = whole("batch_size", batch_size), whole("workers", workers)
        self.fit, self.cache = make_fit(image_size, augment, preparation, crop), None
        self.size, self.preparation = self.fit.size, preparation or PREPARATIONS["d2l"]
        cache_bytes = whole("cache_bytes", cache_bytes, 0)
        if cache:
            kept = getattr(source, "cache", None)  # what the scan has decoded
            fits = kept is not None and kept.fit == self.fit
            self.cache = kept if fits else PictureCache(len(source), self.fit, cache_bytes, source.where)
        self.report = None  # of the scan, where there was one

    def __len__(self):
        return -(-len(self.source) // self.batch_size)

    @property
    def num_examples(self):
        """Pictures in one pass."""
        return len(self.source)

    @property
    def class_names(self):
        """Names of the classes; label c is the c-th."""
        return self.source.class_names

    def picture(self, i):
        """Picture ``i`` as it is kept, uint8 (*fit.kept_size, 3): without crops at random as the network sees it."""
        if self.cache is None:
            return self.fit(self.source.read(i))
        return self.cache.get(i, self.source.read)

    def example(self, i, seed=None):
        """Picture ``i`` as the network's input, float32 (3, H, W); ``seed`` decides its augmentation, None: none."""
        image = self.picture(i)
        if seed is not None:
            image = self.augment(image, *self.size, seed)
        elif image.shape[:2] != self.size:
            image = resize(image, *self.size)
        return normalize(image, self.preparation)

    def batch(self, indices, seeds=None, pool=None):
        """X float32 (n, 3, H, W) and y int32 (n,) of n pictures as NumPy arrays, each made by a thread of ``pool``."""
        seeds = [None] * len(indices) if seeds is None else seeds
        X = numpy.stack(list((pool.map if pool else map)(self.example, indices, seeds)))  # (n, 3, H, W)
        return X, self.source.labels[indices]

    def __iter__(self):
        # drawn here, in the caller's thread, where the seed was set
        order = numpy.random.permutation(len(self.source)) if self.shuffle else numpy.arange(len(self.source))
        seeds = None if self.augment is None else numpy.random.randint(2**32, size=len(order), dtype=numpy.uint32)

        def batches():
            with ThreadPoolExecutor(self.workers, "pictures") as pool:
                for start in range(0, len(order), self.batch_size):
                    part = slice(start, start + self.batch_size)
                    X, y = self.batch(order[part], None if seeds is None else seeds[part], pool)
                    yield mx.nd.array(X, dtype="float32"), mx.nd.array(y, dtype="int32")

        for X, y in prefetch(batches):
            yield (X.as_np_ndarray(), y.as_np_ndarray()) if is_np_array() else (X, y)
