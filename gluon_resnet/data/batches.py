"""Batches, made ahead of the trainer by one thread; and those over images in memory, such as Fashion-MNIST's.

Images stay uint8 as they are; only the batches under way are resized and turned into float32. A thread is enough: it
resizes tens of thousands of images a second, and no process can hang (apache/mxnet #18224) or leak (#20959).
"""

import collections
import ctypes
import itertools
import queue
import threading
from typing import Any, Callable, Deque, Iterable, Iterator, List, Optional, Sequence, Tuple, Union

import mxnet as mx
import numpy
from mxnet.base import _LIB, check_call
from mxnet.util import is_np_array
from PIL import Image

from ..errors import ConfigError, whole
from ..text import count as counted

AHEAD = 3  # batches kept ready
#: Arrays that exist for batches to come: those kept ready, two being filled, and one for the batch the trainer has,
#: which is replaced only when it asks for the next.
PLACES = AHEAD + 3
Drawn = Optional[numpy.ndarray]  # what a pass draws at random, one row for each image; None if nothing is drawn
Part = Tuple[Any, ...]  # indices of a batch's images, and what was drawn for them


def resize_image(image: numpy.ndarray, size: Tuple[int, int]) -> numpy.ndarray:
    """One image uint8 (H, W) or (H, W, 3) at ``size`` = (height, width), bilinear."""
    height, width = size
    return numpy.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))


def prefetch(make_items: Callable[[], Iterable[Any]], ahead: int = AHEAD) -> Iterator[Any]:
    """Iterate over ``make_items()`` in a thread that stays up to ``ahead`` items ahead of the consumer.

    What the thread raises is raised here; when the consumer stops early, the thread ends.
    """
    ready: queue.Queue[Tuple[Any, Optional[BaseException]]] = queue.Queue(maxsize=ahead)
    stop, end = threading.Event(), object()

    def put(item: Tuple[Any, Optional[BaseException]]) -> None:
        while not stop.is_set():
            try:
                return ready.put(item, timeout=0.1)
            except queue.Full:
                continue

    def work() -> None:
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


def moved(images: numpy.ndarray, shifts: numpy.ndarray) -> numpy.ndarray:
    """Images (N, H, W) or (N, H, W, 3), each moved down and right by its row of ``shifts`` (N, 2), on black."""
    count, height, width = images.shape[:3]
    reach = int(numpy.abs(shifts).max()) if len(shifts) else 0
    margins = ((0, 0), (reach, reach), (reach, reach)) + ((0, 0),) * (images.ndim - 3)
    rows = reach - shifts[:, :1] + numpy.arange(height)  # (N, H)
    columns = reach - shifts[:, 1:] + numpy.arange(width)  # (N, W)
    return numpy.pad(images, margins)[numpy.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]


def numpy_view(array: Any) -> numpy.ndarray:
    """The memory of an mx.nd array on the CPU as a NumPy array, to be filled; valid as long as ``array`` exists."""
    place = ctypes.c_void_p()
    check_call(_LIB.MXNDArrayGetData(array.handle, ctypes.byref(place)))
    memory = (ctypes.c_char * (array.size * array.dtype().itemsize)).from_address(place.value or 0)
    return numpy.frombuffer(memory, array.dtype).reshape(array.shape)


def copied(values: numpy.ndarray, dtype: str) -> Any:
    """An mx.nd array of ``values`` on the CPU.

    ``mx.nd.array`` would copy in mxnet's queue, after the step that is being computed, and with all of OpenMP's
    threads, which wait for each other on the cores that read the next images. With ResNet-18 on batches of 8 at
    224x224, it waited 30 ms in every second batch.
    """
    array = mx.nd.empty(values.shape, mx.cpu(), dtype)
    numpy_view(array)[:] = values
    return array


class Batches:
    """N images as batches: iterate for (X, y), as often as you like; ``len()`` is the number of batches.

    X is float32 (batch_size, C, H, W), y int32 (batch_size,), as mxnet.np arrays under ``npx.set_np()`` and as mxnet.nd
    otherwise, on the CPU; the last batch holds what is left. With ``shuffle`` every pass has its own order. It and
    whatever else is random are drawn from NumPy's global generator when a pass starts, so ``numpy.random.seed`` decides
    them, whatever the number of threads.

    A subclass has :meth:`batch`, which makes the images, :attr:`example_shape`, and :meth:`draw` if they change at
    random.
    """

    example_shape: Tuple[int, int, int]  # (C, H, W) of an image in a batch

    def __init__(self, number: int, batch_size: int, shuffle: bool) -> None:
        self.num_examples = number  # images in one pass
        self.batch_size, self.shuffle = whole("batch_size", batch_size), shuffle
        self.epoch = 1  # that the next pass is of

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch the next passes are of, from 1: for what differs from epoch to epoch by plan."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-self.num_examples // self.batch_size)

    def order(self) -> numpy.ndarray:
        """Indices of one pass, (N,)."""
        return numpy.random.permutation(self.num_examples) if self.shuffle else numpy.arange(self.num_examples)

    def draw(self) -> Tuple[Drawn, ...]:
        """What a pass draws at random for its N images, in its order: further arguments of :meth:`batch`."""
        return ()

    def batch(
        self, indices: Any, *drawn: Drawn, out: Optional[numpy.ndarray] = None
    ) -> Tuple[numpy.ndarray, numpy.ndarray]:
        """X float32 (n, C, H, W), in ``out`` if it is given, and y int32 (n,) of the images ``indices``, as NumPy's."""
        raise NotImplementedError

    def one_pass(self, parts: Iterable[Part], place: Callable[[], numpy.ndarray]) -> Iterator[numpy.ndarray]:
        """Fill ``place()`` after ``place()`` with the images of ``parts`` and yield their labels; see __iter__.

        Runs in the thread that works ahead. ``parts`` are the arguments of :meth:`batch` for each batch.
        """
        for part in parts:
            yield self.batch(*part, out=place())[1]

    def __iter__(self) -> Iterator[Tuple[Any, Any]]:
        order, drawn = self.order(), self.draw()  # in the caller's thread, where the seed was set
        slices = [slice(start, start + self.batch_size) for start in range(0, len(order), self.batch_size)]
        parts: List[Part] = [
            (order[part], *(None if rows is None else rows[part] for rows in drawn)) for part in slices
        ]
        # mxnet's arrays are made in this thread: winograd.py ends and restarts mxnet's threads between two batches,
        # and another thread that used mxnet at that moment would wait for ever. The thread that works ahead fills
        # their memory, so that nothing is copied.
        lengths = iter([len(part[0]) for part in parts])
        arrays: Deque[Any] = collections.deque()
        places: queue.SimpleQueue[numpy.ndarray] = queue.SimpleQueue()

        def add_places(number: int) -> None:
            for length in itertools.islice(lengths, number):
                arrays.append(mx.nd.empty((length, *self.example_shape), mx.cpu(), "float32"))
                places.put(numpy_view(arrays[-1]))

        add_places(PLACES)
        for y in prefetch(lambda: self.one_pass(parts, places.get_nowait)):
            images, labels = arrays.popleft(), copied(y, "int32")
            yield (images.as_np_ndarray(), labels.as_np_ndarray()) if is_np_array() else (images, labels)
            add_places(1)


class ArrayBatches(Batches):
    """Batches over images in memory.

    Args:
        images: uint8 (N, H, W) or (N, H, W, 3).
        labels: integers (N,).
        batch_size: images in a batch; X (see :class:`Batches`) is between 0 and 1.
        resize: a side, or (height, width), in pixels.
        shuffle: whether each pass has its own order.
        flip: whether left and right of half of the images, chosen at random, are swapped.
        alternate: the seed of these choices, if an image flipped in one epoch is not to be in the next, and so on:
            what is chosen at random is the first epoch's half (Jordan, arXiv 2404.00498, section 3.6).
        sides: sides of the (square) images in the first epochs, in pixels, in place of ``resize``.
        shift: up to how many pixels each image is moved up or down and left or right; black comes in.

    Raises:
        ConfigError: one of these cannot be used.
    """

    def __init__(
        self,
        images: numpy.ndarray,
        labels: Any,
        batch_size: int,
        resize: Union[None, int, Tuple[int, int]] = None,
        shuffle: bool = False,
        flip: bool = False,
        shift: int = 0,
        alternate: Optional[int] = None,
        sides: Sequence[int] = (),
    ) -> None:
        super().__init__(len(images), batch_size, shuffle)
        if len(images) != len(labels) or not len(images):
            raise ConfigError(
                f"{counted(len(images), 'picture')} and {counted(len(labels), 'label')}: expected as many "
                f"of each, at least one"
            )
        size = (resize, resize) if isinstance(resize, int) else resize
        if size is not None and (len(size) != 2 or min(size) < 1):
            raise ConfigError(f"resize is {resize!r}: expected a side of at least 1, or (height, width)")
        self.images, self.labels = images, numpy.asarray(labels, dtype=numpy.int32)
        if isinstance(shift, bool) or not isinstance(shift, int) or not 0 <= shift < min(images.shape[1:3]):
            raise ConfigError(
                f"shift is {shift!r}: expected a whole number of pixels from 0 to less than the picture's side"
            )
        self.flip, self.shift, self.sides = flip and alternate is None, shift, tuple(sides)
        alternates = flip and alternate is not None
        self.halves = numpy.random.RandomState(alternate).rand(len(images)) < 0.5 if alternates else None
        self.size = images.shape[1:3] if size is None else size
        self.set_epoch(1)

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch the next passes are of, from 1: it decides the side and which half is flipped."""
        super().set_epoch(epoch)
        height, width = self.size
        if epoch <= len(self.sides):
            height = width = self.sides[epoch - 1]
        self.example_shape = (self.images.shape[3] if self.images.ndim == 4 else 1, height, width)

    def draw(self) -> Tuple[Drawn, ...]:
        """Whether each image of one pass is flipped, (N,), and how far it is moved, (N, 2)."""
        count = self.num_examples
        return (
            numpy.random.rand(count) < 0.5 if self.flip else None,
            numpy.random.randint(-self.shift, self.shift + 1, (count, 2)) if self.shift else None,
        )

    @staticmethod
    def resized(image: numpy.ndarray, size: Tuple[int, int]) -> numpy.ndarray:
        """One image uint8 (H, W) or (H, W, 3) at ``size`` = (height, width)."""
        return resize_image(image, size)

    def batch(
        self, indices: Any, *drawn: Drawn, out: Optional[numpy.ndarray] = None
    ) -> Tuple[numpy.ndarray, numpy.ndarray]:
        """X float32 (n, C, h, w) and y int32 (n,) of the images ``indices``, flipped and moved as ``drawn`` says."""
        flips, shifts = drawn or (None, None)
        X = self.images[indices]
        if self.halves is not None:
            flips = self.halves[indices] ^ (self.epoch % 2 == 0)
        if flips is not None:
            X[flips] = X[flips][:, :, ::-1]
        if shifts is not None:
            X = moved(X, shifts)
        size = self.example_shape[1:]
        if size != X.shape[1:3]:
            X = numpy.stack([self.resized(image, size) for image in X])
        X = X[:, None] if X.ndim == 3 else X.transpose(0, 3, 1, 2)
        return numpy.divide(X, 255, out=out, dtype=numpy.float32), self.labels[indices]
