"""Make batches from images in one way, or only decode them; prints one JSON line.

Run by gluon_resnet.benchmarks.pictures.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Dict, Iterable, Iterator, List, Tuple

import gluon_resnet  # noqa: F401  before mxnet, as everywhere
from gluon_resnet.data.image_folder import open_folder
from gluon_resnet.data.pictures import PictureBatches
from gluon_resnet.data.pixels import EXACT
from gluon_resnet.data.records import RecordSource

import cv2
import mxnet as mx
import numpy
import PIL
from common import Clock, tell
from PIL import Image

settings = json.loads(sys.argv[1])
way, size, batch_size, threads = (settings[key] for key in ("way", "size", "batch_size", "threads"))


Pass = Callable[[], Iterable[Any]]  # makes the batches of one pass


def suites(source: Any, **options: Any) -> Pass:
    """This suite's batches; each pass decodes the images again, unless ``options`` say something else."""
    batches = PictureBatches(source, batch_size, size, workers=threads, **{"cache": False, **options})
    return lambda: (X for X, _ in batches)


def plain_loop(source: Any) -> Pass:
    """A loop without a library: open, convert, resize, stack."""

    def batches() -> Iterator[Any]:
        for start in range(0, len(source), batch_size):
            images = [
                Image.open(source.path(i)).convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
                for i in range(start, min(start + batch_size, len(source)))
            ]
            X = numpy.stack([numpy.asarray(image, dtype=numpy.float32) / 255 for image in images])  # (B, H, W, 3)
            yield mx.nd.array(X.transpose(0, 3, 1, 2))

    return batches


def record_iter(path: str) -> Pass:
    """MXNet's own reader in C++, which resizes the shorter side to ``size`` and crops the middle."""
    count = len(RecordSource(path))
    # with round_batch, a pass would leave out the images that the pass before took to fill its last batch
    batches = mx.io.ImageRecordIter(
        path_imgrec=path,
        path_imgidx=path[:-4] + ".idx",
        data_shape=(3, size, size),
        resize=size,
        batch_size=batch_size,
        preprocess_threads=threads,
        scale=1 / 255,
        round_batch=False,
        verbose=False,
    )

    def one_pass() -> Iterator[Any]:
        batches.reset()
        for number, batch in enumerate(batches):
            yield batch.data[0][: count - number * batch_size]  # the rest of the last batch is from an older one

    return one_pass


def decoder(source: Any) -> Pass:
    """Only the JPEG decoder, on bytes in memory; each thread has its own images, and no batches are made."""
    contents = [numpy.frombuffer(source.stored(i), numpy.uint8) for i in range(len(source))]
    cv2.setNumThreads(1)
    pool = ThreadPoolExecutor(threads)

    def decode(part: List[numpy.ndarray]) -> List[Tuple[int, ...]]:
        return [cv2.imdecode(content, cv2.IMREAD_COLOR).shape for content in part]

    return lambda: pool.map(decode, [contents[start::threads] for start in range(threads)])


WAYS: Dict[str, Tuple[Callable[[], Pass], str]] = {
    "folder": (lambda: suites(open_folder(settings["folder"])), "OpenCV " + cv2.__version__),
    "records": (lambda: suites(RecordSource(settings["record"])), "OpenCV " + cv2.__version__),
    "kept": (lambda: suites(open_folder(settings["folder"]), cache=True), "OpenCV " + cv2.__version__),
    "folder_exact": (lambda: suites(open_folder(settings["folder"]), reading=EXACT), "Pillow " + PIL.__version__),
    "records_exact": (lambda: suites(RecordSource(settings["record"]), reading=EXACT), "Pillow " + PIL.__version__),
    "loop": (lambda: plain_loop(open_folder(settings["folder"])), "Pillow " + PIL.__version__),
    "record_iter": (lambda: record_iter(settings["record"]), "mxnet " + mx.__version__),
    "decoder": (lambda: decoder(RecordSource(settings["record"])), "OpenCV " + cv2.__version__),
}


def take(batches: Iterable[Any]) -> Tuple[int, Any]:
    """(number of images, the last batch) of one pass; waits for each batch."""
    examples, X = 0, None
    for X in batches:
        if way != "decoder":
            X.wait_to_read()
        examples += len(X)
    return examples, X


make, version = WAYS[way]
one_pass = make()
_, last = take(one_pass())  # the first pass fills the system's file cache, and with "kept" the cache of images
# now, as the next pass of ImageRecordIter writes over its batches
mean_of_last_batch = None if way == "decoder" else float(last.asnumpy().mean())
with Clock() as clock:
    examples = sum(take(one_pass())[0] for _ in range(settings["passes"]))
tell(
    examples,
    clock.seconds,
    version,
    threads,
    mean_of_last_batch=mean_of_last_batch,
)
