"""The most multiplications and additions a second that this machine does: products of large matrices.

    float32_gflops(1024)            # a third of a second on two cores; its threads are those of a training

The products go through mxnet's oneDNN and, in float32, also through NumPy's OpenBLAS, with all physical cores.
"""

import time
from typing import Any, Callable

import mxnet as mx
import numpy

SIDE = 2048  # of the matrices
QUICK = 1024  # the side of those that are multiplied before an experiment
REPEATS = 5


def best(work: Callable[[], Any]) -> float:
    """The shortest time of REPEATS calls of ``work``, in seconds, after one that does not count."""
    times = []
    for _ in range(1 + REPEATS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times[1:])


def onednn_gflops(dtype: Any, side: int = SIDE) -> float:
    """Billions of multiplications and additions a second of mxnet's oneDNN in ``dtype``, the better of two ways.

    One is a product of two square matrices, the other the same as a 1x1 convolution, for which oneDNN has other code.
    """
    height = int(side**0.5)
    random = numpy.random.RandomState(0)  # not mxnet's own generator, whose numbers belong to the trainings

    def values(*shape: int) -> Any:
        return mx.nd.amp_cast(mx.nd.array(random.rand(*shape)), dtype=dtype)

    A, B, X, weight = values(side, side), values(side, side), values(1, side, height, height), values(side, side, 1, 1)
    options = {"no_bias": True, "kernel": (1, 1), "num_filter": side}
    product = best(lambda: mx.nd.FullyConnected(A, B, no_bias=True, num_hidden=side).wait_to_read())
    convolution = best(lambda: mx.nd.Convolution(X, weight, **options).wait_to_read())
    return 2 * side**2 * max(side / product, height**2 / convolution) / 1e9


def openblas_gflops(side: int = SIDE) -> float:
    """The same of NumPy's own library, in float32."""
    A, B = (numpy.random.RandomState(seed).rand(side, side).astype("float32") for seed in range(2))
    return 2 * side**3 / best(lambda: A @ B) / 1e9


def float32_gflops(side: int = SIDE) -> float:
    """The best of both in float32: the bound of this machine."""
    return max(onednn_gflops("float32", side), openblas_gflops(side))
