"""Batches over images in files or records, decoded once, augmented and batched ahead of the trainer by threads.

For example:

    batches = PictureBatches(open_folder("bird_photos"), 8, 224, augment=Augment(), shuffle=True)
    X, y = next(iter(batches))                       # (8, 3, 224, 224) float32, (8,) int32

An image is resized to the network's size without cropping, as in article 000, or (``crop``) resized by its shorter
side and cut out of the middle. When Keras shrinks an image, it interpolates between four pixels and skips the others;
this averages over areas, as ``predict`` does. From 227x227 to 224x224 the two are 0.2 grey levels apart on average.
"""

import collections
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Deque, Iterable, Iterator, List, Optional, Tuple

import numpy

from ..errors import ConfigError, whole
from .augment import Augment
from .batches import Batches, Drawn, Part
from .decoded import CACHE_BYTES, DecodedPictures, make_fit
from .images import PLAIN, Preparation, normalize
from .pixels import FAST, resize

AT_ONCE = 4  # images that a thread makes before it asks for work again: to ask takes a tenth of a small image's time


class PictureBatches(Batches):
    """Batches over a source of images: X is float32 (batch_size, 3, H, W), y int32 (batch_size,); see Batches.

    Args:
        source: a source of images, or :class:`~.decoded.DecodedPictures`, which have their size and their place in
            memory already: ``image_size``, ``crop``, ``cache``, ``cache_bytes`` and ``reading`` are then unused.
        batch_size: images in a batch.
        image_size: a side, or (height, width), in pixels.
        augment: an :class:`~.augment.Augment`, applied to the kept image, which is larger by 256/224 if crops are cut
            out of it.
        shuffle: whether each pass has its own order.
        preparation: a :class:`~gluon_resnet.data.images.Preparation`, which gives its family's values; without one they
            are between 0 and 1.
        crop: resize by the shorter side and take the middle, instead of squeezing the whole image.
        cache: whether decoded images are kept; if not, each pass decodes them again.
        cache_bytes: memory for them; those beyond go into a temporary file.
        workers: threads.
        reading: ``fast``, or ``exact``: how files are decoded and resized (see :mod:`~.reading`).

    Raises:
        ConfigError, DataError: one of these cannot be used.
    """

    def __init__(
        self,
        source: Any,
        batch_size: int,
        image_size: Any = None,
        augment: Optional[Augment] = None,
        shuffle: bool = False,
        preparation: Optional[Preparation] = None,
        crop: bool = False,
        cache: bool = True,
        cache_bytes: int = CACHE_BYTES,
        workers: int = 2,
        reading: str = FAST,
    ) -> None:
        if not len(source):
            where = source.source.where if isinstance(source, DecodedPictures) else source.where
            raise ConfigError(f"{where}: no pictures to make batches of")
        super().__init__(len(source), batch_size, shuffle)
        self.augment, self.workers = augment, whole("workers", workers)
        self.preparation = preparation or PLAIN
        if isinstance(source, DecodedPictures):
            self.decoded = source
        else:
            fit = make_fit(image_size, augment, preparation, crop, reading)
            memory = whole("cache_bytes", cache_bytes, 0)
            self.decoded = DecodedPictures(source, fit, memory if cache else None)
        self.source, self.size = self.decoded.source, self.decoded.fit.size
        self.example_shape = (3, *self.size)
        self.report: Any = None  # of the scan, if there was one

    @property
    def class_names(self) -> List[str]:
        """Names of the classes; label c is the c-th."""
        return self.source.class_names

    def picture(self, i: int) -> numpy.ndarray:
        """Image ``i`` as it is kept, uint8 (H, W, 3): as the network sees it, if no crops are drawn."""
        return self.decoded.read(i)

    def example(self, i: int, seed: Optional[int] = None, out: Optional[numpy.ndarray] = None) -> numpy.ndarray:
        """Image ``i`` as the network's input, float32 (3, H, W), in ``out`` if it is given.

        ``seed`` decides its augmentation; there is none if it is None.
        """
        image = self.picture(i)
        if seed is not None and self.augment is not None:
            image = self.augment(image, *self.size, seed)
        elif image.shape[:2] != self.size:
            image = resize(image, *self.size)
        return normalize(image, self.preparation, out=out)

    def draw(self) -> Tuple[Drawn, ...]:
        """The seeds of the images' augmentation, uint32 (N,)."""
        number = self.num_examples
        return (None if self.augment is None else numpy.random.randint(2**32, size=number, dtype=numpy.uint32),)

    def begin(self, part: Part, X: numpy.ndarray, pool: Any = None) -> Iterator[Any]:
        """Start to fill ``X`` with the images of ``part``, in the threads of ``pool``, if any.

        ``X`` is filled at the end of the iterator.
        """
        indices, seeds = part[0], part[1] if len(part) > 1 else None
        each = [None] * len(indices) if seeds is None else seeds

        def make(start: int) -> None:
            for place in range(start, min(start + AT_ONCE, len(indices))):
                self.example(indices[place], each[place], X[place])

        return (pool.map if pool else map)(make, range(0, len(indices), AT_ONCE))

    def batch(
        self, indices: Any, *drawn: Drawn, out: Optional[numpy.ndarray] = None
    ) -> Tuple[numpy.ndarray, numpy.ndarray]:
        """X float32 (n, 3, H, W) and y int32 (n,) of the images ``indices``.

        ``drawn`` may be the seeds of their augmentation, (n,).
        """
        X = numpy.empty((len(indices), *self.example_shape), numpy.float32) if out is None else out
        collections.deque(self.begin((indices, *drawn), X), 0)
        return X, self.source.labels[indices]

    def one_pass(self, parts: Iterable[Part], place: Callable[[], numpy.ndarray]) -> Iterator[numpy.ndarray]:
        """The batches of one pass, whose images are made by ``workers`` threads.

        Each batch is started before the one before it is waited for, so that no thread is idle meanwhile.
        """
        with ThreadPoolExecutor(self.workers, "pictures") as pool:
            begun: Deque[Tuple[Any, Iterator[Any]]] = collections.deque()
            for part in parts:
                begun.append((part[0], self.begin(part, place(), pool)))
                if len(begun) == 2:
                    yield self._finished(*begun.popleft())
            if begun:
                yield self._finished(*begun.popleft())

    def _finished(self, indices: Any, made: Iterator[Any]) -> numpy.ndarray:
        """The labels of a batch that was begun, once all of its images are there."""
        collections.deque(made, 0)
        return self.source.labels[indices]
