"""Batches over images in files or records, decoded once, augmented and batched ahead of the trainer by threads.

For example:

    batches = PictureBatches(open_folder("bird_photos"), 8, 224, augment=Augment(), shuffle=True)
    X, y = next(iter(batches))                       # (8, 3, 224, 224) float32, (8,) int32

An image is resized to the network's size without cropping, as in article 000, or (``crop``) resized by its shorter
side and cut out of the middle. When Keras shrinks an image, it interpolates between four pixels and skips the others;
this averages over areas, as ``predict`` does. From 227x227 to 224x224 the two are 0.2 grey levels apart on average.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Iterator, List, Optional, Tuple

import numpy

from ..errors import ConfigError, whole
from .augment import Augment
from .batches import Batches, Drawn
from .decoded import CACHE_BYTES, DecodedPictures, make_fit
from .images import PLAIN, Preparation, normalize
from .pixels import FAST, resize


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

    def batch(self, indices: Any, *drawn: Drawn, pool: Any = None) -> Tuple[numpy.ndarray, numpy.ndarray]:
        """X float32 (n, 3, H, W) and y int32 (n,) of the images ``indices``, each made by a thread of ``pool``, if any.

        ``drawn`` may be the seeds of their augmentation, (n,).
        """
        seeds = drawn[0] if drawn and drawn[0] is not None else [None] * len(indices)
        X = numpy.empty((len(indices), 3, *self.size), numpy.float32)
        for _ in (pool.map if pool else map)(self.example, indices, seeds, X):  # each into its own place
            pass
        return X, self.source.labels[indices]

    def one_pass(
        self, order: numpy.ndarray, drawn: Tuple[Drawn, ...], **options: Any
    ) -> Iterator[Tuple[numpy.ndarray, numpy.ndarray]]:
        """The batches of one pass, whose images are made by ``workers`` threads."""
        with ThreadPoolExecutor(self.workers, "pictures") as pool:
            yield from super().one_pass(order, drawn, pool=pool, **options)
