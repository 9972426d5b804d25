"""Pictures in memory to batches, made ahead of the trainer by one thread.

Pictures stay uint8 as they are; only the batches under way are resized and turned into float32. A thread is enough: it
resizes tens of thousands of pictures a second, and no process can hang (apache/mxnet #18224) or leak (#20959).
"""

import queue
import threading

import mxnet as mx
import numpy
from mxnet.util import is_np_array
from PIL import Image

from ..errors import ConfigError, whole

AHEAD = 3  # batches kept ready


def resize_image(image, size):
    """One picture uint8 (H, W) or (H, W, 3) at ``size`` = (height, width), bilinear."""
    height, width = size
    return numpy.asarray(Image.fromarray(image).resize((width, height), Image.BILINEAR))


def prefetch(make_items, ahead=AHEAD):
    """Iterate over ``make_items()`` in a thread that stays up to ``ahead`` items ahead of the consumer.

    What the thread raises is raised here; when the consumer stops early, the thread ends.
    """
    ready, stop, end = queue.Queue(maxsize=ahead), threading.Event(), object()

    def put(item):
        while not stop.is_set():
            try:
                return ready.put(item, timeout=0.1)
            except queue.Full:
                continue

    def work():
        try:
            for item in make_items():
                put((item, None))
                if stop.is_set():
                    return
            put((end, None))
        except BaseException as error:
            put((end, error))

    thread = threading.Thread(target=work, name="batches", daemon=True)
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if error is not None:
                raise error
            if item is end:
                return
            yield item
    finally:
        stop.set()
        thread.join()


def moved(images, shifts):
    """Images (N, H, W) or (N, H, W, 3), each moved down and right by its row of ``shifts`` (N, 2), on black."""
    count, height, width = images.shape[:3]
    reach = int(numpy.abs(shifts).max()) if len(shifts) else 0
    margins = ((0, 0), (reach, reach), (reach, reach)) + ((0, 0),) * (images.ndim - 3)
    rows = reach - shifts[:, :1] + numpy.arange(height)  # (N, H)
    columns = reach - shifts[:, 1:] + numpy.arange(width)  # (N, W)
    return numpy.pad(images, margins)[numpy.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]


class ArrayBatches:
    """Batches over pictures in memory: iterate for (X, y), as often as you like; ``len()`` is the number of batches.

    ``images`` uint8 (N, H, W) or (N, H, W, 3), ``labels`` integers (N,). X is float32 (batch_size, C, h, w) between 0
    and 1, y int32 (batch_size,), as mxnet.np arrays under ``npx.set_np()`` and as mxnet.nd otherwise, on the CPU; the
    last batch holds what is left. ``resize``: a side, or (height, width). With ``shuffle`` every pass has an order of
    its own, drawn from NumPy's global generator, so that ``numpy.random.seed`` decides it; so with ``flip``, which
    swaps left and right of every other picture at random, and ``shift``, by up to how many pixels each is moved up or
    down and left or right, black coming in. Raises ConfigError.
    """

    def __init__(self, images, labels, batch_size, resize=None, shuffle=False, flip=False, shift=0):
        whole("batch_size", batch_size)
        if len(images) != len(labels) or not len(images):
            raise ConfigError(
                f"{len(images)} pictures and {len(labels)} labels: expected as many of each, at least one"
            )
        size = (resize, resize) if isinstance(resize, int) else resize
        if size is not None and (len(size) != 2 or min(size) < 1):
            raise ConfigError(f"resize is {resize!r}: expected a side of at least 1, or (height, width)")
        self.images, self.labels = images, numpy.asarray(labels, dtype=numpy.int32)
        if isinstance(shift, bool) or not isinstance(shift, int) or not 0 <= shift < min(images.shape[1:3]):
            raise ConfigError(
                f"shift is {shift!r}: expected a whole number of pixels from 0 to less than the picture's side"
            )
        self.batch_size, self.shuffle, self.flip, self.shift = batch_size, shuffle, flip, shift
        self.size = None if size == tuple(images.shape[1:3]) else size

    def __len__(self):
        return -(-len(self.images) // self.batch_size)

    @property
    def num_examples(self):
        """Pictures in one pass."""
        return len(self.images)

    def order(self):
        """Indices of one pass, (N,)."""
        if not self.shuffle:
            return numpy.arange(len(self.images))
        return numpy.random.permutation(len(self.images))

    def changes(self):
        """Whether each image of one pass, in its order, is flipped, (N,), and how far it is moved, (N, 2)."""
        count = len(self.images)
        return (
            numpy.random.rand(count) < 0.5 if self.flip else None,
            numpy.random.randint(-self.shift, self.shift + 1, (count, 2)) if self.shift else None,
        )

    def batch(self, indices, flips=None, shifts=None):
        """X float32 (len(indices), C, h, w) and y int32 of the pictures ``indices``, as NumPy arrays."""
        X = self.images[indices]
        if flips is not None:
            X[flips] = X[flips][:, :, ::-1]
        if shifts is not None:
            X = moved(X, shifts)
        if self.size is not None:
            X = numpy.stack([resize_image(image, self.size) for image in X])
        X = X[:, None] if X.ndim == 3 else X.transpose(0, 3, 1, 2)
        return numpy.divide(X, 255, dtype=numpy.float32), self.labels[indices]

    def __iter__(self):
        order, changes = self.order(), self.changes()  # drawn here, in the caller's thread, where the seed was set

        def batches():
            for start in range(0, len(order), self.batch_size):
                part = slice(start, start + self.batch_size)
                X, y = self.batch(order[part], *(None if drawn is None else drawn[part] for drawn in changes))
                yield mx.nd.array(X, dtype="float32"), mx.nd.array(y, dtype="int32")

        for X, y in prefetch(batches):
            yield (X.as_np_ndarray(), y.as_np_ndarray()) if is_np_array() else (X, y)
