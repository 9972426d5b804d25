"""Mixed precision: activations between blocks are bfloat16 (CPU) or float16 (GPU); parameters stay float32.

    gluon-resnet train fashion-mnist --precision bfloat16

bfloat16 keeps float32's range and 8 of its 24 significant bits; float16 keeps 11 of them and has a far smaller range.
Weights and their updates, batch norm's statistics, the stem, the classifier and the loss are float32, and products are
summed in float32 (oneDNN, cuDNN). From the first block to the last, activations, the shortcut's sum and their gradients
are the shorter numbers. bfloat16 is faster only on processors that multiply it natively, and not on all of these
(docs/benchmarks.md). Both are off by default.

With float16, small gradients would become 0. So the loss is scaled up before the backward pass, and the gradients are
scaled down after it (Micikevicius et al., arXiv 1710.03740, sections 3.2 and 4). float16 has never been run on a GPU:
the tests check the scaling, on a CPU, and the types of all numbers in the network, without running it.
"""

from typing import Any, Dict, List, Optional, Sequence

import mxnet as mx
from mxnet.gluon import nn

from ..errors import ConfigError, DivergedError
from ..machine import system
from ..networks.blocks import Bottleneck, Residual
from ..networks.layers import BatchNorm, Conv2D
from .jumps import DIVERGED

PRECISIONS = ("float32", "bfloat16", "float16")


def is_native() -> bool:
    """Whether this processor multiplies bfloat16 numbers itself, and oneDNN may let it."""
    return system.onednn_may_use("avx512_bf16")


def check_native() -> None:
    """Raise ConfigError unless this processor multiplies bfloat16 numbers itself."""
    if not is_native():
        raise ConfigError("this processor has no avx512_bf16 and would be slower in bfloat16: leave precision out")


def _blocks(net: nn.Block) -> List[Any]:
    blocks: List[Any] = []
    net.apply(lambda block: blocks.append(block) if isinstance(block, (Residual, Bottleneck)) else None)
    return blocks


def _check(net: nn.Block, precision: str, device: Optional[mx.Context]) -> None:
    if precision not in PRECISIONS:
        raise ConfigError(f"precision is {precision!r}: expected {' or '.join(PRECISIONS)}")
    if precision == "float32":
        return
    if not _blocks(net):
        raise ConfigError(f"{net.name} has none of this suite's blocks: {precision} needs them, leave precision out")
    on_gpu = device is not None and device.device_type == "gpu"
    if precision == "float16" and not on_gpu:
        raise ConfigError(
            f"float16 is for GPUs; the device is {device or 'a CPU'}, where MXNet cannot multiply such "
            f"matrices: take bfloat16, or leave precision out"
        )
    if precision == "bfloat16" and on_gpu:
        raise ConfigError(f"bfloat16 is for CPUs; the device is {device}: take float16, or leave precision out")
    if precision == "bfloat16":
        check_native()


def set_precision(net: nn.Block, precision: str, device: Optional[mx.Context] = None) -> None:
    """Let ``net``'s blocks compute in ``precision``; a hybridized network is compiled again. Outputs stay float32.

    Raises ConfigError for an unknown precision, a network without this suite's blocks, a device that the precision is
    not for, or a processor on which it would be slower.
    """
    _check(net, precision, device)
    blocks = _blocks(net)
    if any(block.conv1.precision != precision for block in blocks):
        for block in blocks:
            block.out_precision = precision
            for layer in block._children.values():
                if isinstance(layer, (Conv2D, BatchNorm)):
                    layer.precision = precision
        blocks[-1].out_precision = "float32"
        net.apply(lambda block: getattr(block, "_clear_cached_op", lambda: None)())


def precision_of(net: nn.Block) -> str:
    """What ``net``'s blocks compute in; "float32" if it has none of this suite's."""
    blocks = _blocks(net)
    return blocks[0].conv1.precision if blocks else "float32"


def make_loss_scale(net: nn.Block) -> "Optional[LossScale]":
    """A fresh :class:`LossScale` for a network that computes in float16, None for any other."""
    return LossScale() if precision_of(net) == "float16" else None


class LossScale:
    """The factor on the loss, a power of 2: halved after a gradient that is not finite, doubled after 2,000 good ones.

    An update with a gradient that is not finite is left out. Initial value and interval are those of MXNet's and
    PyTorch's scalers; as in PyTorch, a new factor holds from the next update on.
    """

    patience, largest = 2000, 2.0**24

    def __init__(self) -> None:
        self.factor, self.good = 2.0**16, 0

    def accept(self, gradients: Sequence[Any]) -> bool:
        """Adjust the factor, and return whether all ``gradients`` (arrays on one device) are finite.

        Raises DivergedError once the factor is below 1.
        """
        arrays = [gradient.as_nd_ndarray() for gradient in gradients]
        finite = all(
            mx.nd.multi_all_finite(*arrays[at : at + 200], num_arrays=len(arrays[at : at + 200])).asscalar()
            for at in range(0, len(arrays), 200)
        )
        self.good = self.good + 1 if finite else 0
        if not finite:
            self.factor /= 2
        elif self.good == self.patience:
            self.factor, self.good = min(2 * self.factor, self.largest), 0
        if self.factor < 1:
            raise DivergedError(f"the gradients are not finite however little the loss is scaled: {DIVERGED}")
        return bool(finite)

    def state(self) -> Dict[str, Any]:
        """What a checkpoint keeps, as JSON values."""
        return {"factor": self.factor, "good": self.good}

    def restore(self, state: Dict[str, Any]) -> None:
        """Go on from what :meth:`state` returned."""
        self.factor, self.good = state["factor"], state["good"]
