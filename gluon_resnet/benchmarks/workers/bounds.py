"""What this machine can do at most: multiply matrices, copy memory, decode JPEG; prints one JSON line.

Each bound is the best of several ways and repeats. Those of matrix products: benchmarks/bounds.py.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor

import gluon_resnet  # noqa: F401  before NumPy and mxnet: it sets their threads
from gluon_resnet.benchmarks.bounds import SIDE, best, float32_gflops, onednn_gflops
from gluon_resnet.machine import env
from gluon_resnet.training.precision import is_native

import cv2
import numpy
from mxnet.contrib.amp.amp import bfloat16

settings = json.loads(sys.argv[1])
side = settings.get("side", SIDE)  # of the matrices
BYTES = settings.get("bytes", 2**28)  # of the memory that is copied
PICTURES = settings.get("pictures", 100)  # to decode, by each thread
THREADS = env.prepare().plan.threads


def copy_gbytes() -> float:
    """Billions of bytes a second that are read or written while all threads copy memory."""
    source, target = (numpy.ones(BYTES, dtype=numpy.uint8) for _ in range(2))
    parts = [slice(i * BYTES // THREADS, (i + 1) * BYTES // THREADS) for i in range(THREADS)]
    with ThreadPoolExecutor(THREADS) as pool:
        seconds = best(lambda: list(pool.map(lambda part: numpy.copyto(target[part], source[part]), parts)))
    return 2 * BYTES / seconds / 1e9


def jpeg_rate() -> float:
    """JPEG pictures of 500x375 (smooth, with some noise, quality 90) that all threads decode in a second."""
    cv2.setNumThreads(1)
    random = numpy.random.RandomState(0)
    smooth = cv2.resize(random.randint(0, 256, (12, 16, 3)).astype("uint8"), (500, 375), interpolation=cv2.INTER_CUBIC)
    picture = numpy.clip(smooth + random.normal(0, 6, smooth.shape), 0, 255).astype("uint8")
    content = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])[1]

    def decode(_: int) -> None:
        for _ in range(PICTURES):
            cv2.imdecode(content, cv2.IMREAD_COLOR)

    with ThreadPoolExecutor(THREADS) as pool:
        return THREADS * PICTURES / best(lambda: list(pool.map(decode, range(THREADS))))


print(
    json.dumps(
        {
            "float32_gflops": float32_gflops(side),
            "bfloat16_gflops": onednn_gflops(bfloat16, side) if is_native() else None,
            "copy_gbytes_per_sec": copy_gbytes(),
            "jpeg_per_sec": jpeg_rate(),
        }
    )
)
