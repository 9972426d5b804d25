"""What this machine can do at most: multiply matrices, copy memory, decode JPEG; prints one JSON line.

Each bound is the best of several ways and repeats. Matrix products go through NumPy's OpenBLAS and mxnet's oneDNN, with
all physical cores.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable

import gluon_resnet  # noqa: F401  before NumPy and mxnet: it sets their threads
from gluon_resnet.machine import env
from gluon_resnet.training.precision import is_native

import cv2
import mxnet as mx
import numpy
from mxnet.contrib.amp.amp import bfloat16

settings = json.loads(sys.argv[1])
SIDE = settings.get("side", 2048)  # of the matrices
BYTES = settings.get("bytes", 2**28)  # of the memory that is copied
PICTURES = settings.get("pictures", 100)  # to decode, by each thread
REPEATS = 5
THREADS = env.prepare().plan.threads


def best(work: Callable[[], Any]) -> float:
    """The shortest time of REPEATS calls of ``work``, in seconds, after one that does not count."""
    times = []
    for _ in range(1 + REPEATS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times[1:])


def onednn_gflops(dtype: Any) -> float:
    """Billions of multiplications and additions a second of mxnet's oneDNN in ``dtype``, the better of two ways.

    One is a product of two square matrices, the other the same as a 1x1 convolution, for which oneDNN has other code.
    """
    side = int(SIDE**0.5)

    def values(*shape: int) -> Any:
        return mx.nd.amp_cast(mx.nd.random.uniform(shape=shape), dtype=dtype)

    A, B, X, weight = values(SIDE, SIDE), values(SIDE, SIDE), values(1, SIDE, side, side), values(SIDE, SIDE, 1, 1)
    options = {"no_bias": True, "kernel": (1, 1), "num_filter": SIDE}
    product = best(lambda: mx.nd.FullyConnected(A, B, no_bias=True, num_hidden=SIDE).wait_to_read())
    convolution = best(lambda: mx.nd.Convolution(X, weight, **options).wait_to_read())
    return 2 * SIDE**2 * max(SIDE / product, side**2 / convolution) / 1e9


def openblas_gflops() -> float:
    """The same of NumPy's own library, in float32."""
    A, B = (numpy.random.RandomState(seed).rand(SIDE, SIDE).astype("float32") for seed in range(2))
    return 2 * SIDE**3 / best(lambda: A @ B) / 1e9


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
            "float32_gflops": max(onednn_gflops("float32"), openblas_gflops()),
            "bfloat16_gflops": onednn_gflops(bfloat16) if is_native() else None,
            "copy_gbytes_per_sec": copy_gbytes(),
            "jpeg_per_sec": jpeg_rate(),
        }
    )
)
