"""Where to compute: the textbook's try_gpu, and the seeds of every random number generator in use."""

import random

import mxnet as mx
import numpy


def num_gpus():
    """Number of GPUs that mxnet can use; 0 with the CPU build, without a driver and without a card."""
    return mx.context.num_gpus()


def try_gpu(i=0):
    """``gpu(i)`` where it exists, otherwise ``cpu()``. Source: d2l."""
    return mx.gpu(i) if num_gpus() > i else mx.cpu()


def use_numpy_arrays():
    """Put MXNet's NumPy arrays in force, as the book does: ``npx.set_np()``."""
    mx.npx.set_np()


def seed_everything(seed):
    """Seed Python, NumPy and MXNet (all devices): with one seed, one machine gives bit-equal parameters every time."""
    random.seed(seed)
    numpy.random.seed(seed % 2**32)
    mx.random.seed(seed)


def to_device(X, device):
    """X on ``device``; X itself where it is there already. Takes NumPy and classic arrays."""
    return (X.as_in_ctx if isinstance(X, mx.np.ndarray) else X.as_in_context)(device)


def array(values, device=None, dtype="float32"):
    """``values`` as an array of the kind in force: of ``mx.np`` under ``npx.set_np()``, of ``mx.nd`` otherwise."""
    return (mx.np if mx.util.is_np_array() else mx.nd).array(values, dtype=dtype, ctx=device)
