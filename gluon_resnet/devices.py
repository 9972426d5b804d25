"""Where to compute (the textbook's ``try_gpu``), and the seeds of the random number generators."""

import random
from typing import Any, Optional

import mxnet as mx
import numpy


def num_gpus() -> int:
    """Number of GPUs that mxnet can use; 0 with the CPU build, without a driver or without a card."""
    return mx.context.num_gpus()


def try_gpu(i: int = 0) -> mx.Context:
    """``gpu(i)`` if it exists, otherwise ``cpu()``. Source: d2l."""
    return mx.gpu(i) if num_gpus() > i else mx.cpu()


def use_numpy_arrays() -> None:
    """Switch MXNet to its NumPy arrays, as the book does with ``npx.set_np()``."""
    mx.npx.set_np()


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and MXNet on all devices.

    With the same seed, training on the same machine gives bit-equal parameters every time.
    """
    random.seed(seed)
    numpy.random.seed(seed % 2**32)
    mx.random.seed(seed)


def to_device(X: Any, device: mx.Context) -> Any:
    """The MXNet array X (``mx.np`` or ``mx.nd``) on ``device``; X itself if it is there already."""
    return (X.as_in_ctx if isinstance(X, mx.np.ndarray) else X.as_in_context)(device)


def array(values: Any, device: Optional[mx.Context] = None, dtype: str = "float32") -> Any:
    """``values`` as an MXNet array: of ``mx.np`` under ``npx.set_np()``, of ``mx.nd`` otherwise."""
    return (mx.np if mx.util.is_np_array() else mx.nd).array(values, dtype=dtype, ctx=device)
