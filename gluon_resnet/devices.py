"""Where to compute (the textbook's ``try_gpu``), and the seeds of the random number generators."""

import random
import sys
from functools import lru_cache
from typing import Any, Dict, Optional

import mxnet as mx
import numpy

from .machine import driver, fatbin


def num_gpus() -> int:
    """Number of GPUs that mxnet finds; 0 with the CPU build, without a driver or without a card."""
    return mx.context.num_gpus()


@lru_cache(maxsize=None)  # asked, and said, once in a process
def _refused_gpus() -> Dict[int, driver.Card]:
    """{number: card} of the GPUs that the installed mxnet has no code for; one line on standard error names them.

    On them the first operator would fail with "no kernel image is available for execution on the device".
    """
    code = fatbin.installed_gpu_code()
    cards = enumerate(driver.ask().cards if code else ())
    refused = {number: card for number, card in cards if not code.for_card(card.capability)}
    if refused:
        names = "; ".join(f"GPU {number}, {card}" for number, card in refused.items())
        print(
            f"gluon_resnet: this mxnet has {code.contents}: it cannot use {names}; run: gluon-resnet doctor",
            file=sys.stderr,
            flush=True,
        )
    return refused


def try_gpu(i: int = 0) -> mx.Context:
    """The ``i``-th GPU that the installed mxnet has code for, ``gpu(i)`` in most machines; ``cpu()`` without it.

    Source: d2l.
    """
    count = num_gpus()
    usable = [number for number in range(count) if number not in _refused_gpus()] if count else []
    return mx.gpu(usable[i]) if i < len(usable) else mx.cpu()


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
