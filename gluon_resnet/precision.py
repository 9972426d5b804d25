"""Mixed precision on a CPU: what flows from block to block is bfloat16; parameters, stem and head stay float32.

    gluon-resnet train fashion-mnist --precision bfloat16

bfloat16 keeps float32's range and 8 of its 24 significant bits. Weights and their updates, batch norm's statistics, the
stem, the classifier and the loss are float32, and products are summed in float32 (oneDNN); activations, the shortcut's sum
and their gradients are bfloat16 between the first block and the last. Worth it only where the processor multiplies
bfloat16 natively; off unless asked for.
"""
from . import system
from .blocks import BatchNorm, Bottleneck, Conv2D, Residual
from .errors import ConfigError

PRECISIONS = ("float32", "bfloat16")


def is_native():
    """Whether this processor multiplies bfloat16 numbers itself."""
    return "avx512_bf16" in system.cpu()["instruction_sets"]


def set_precision(net, precision, device=None):
    """Have ``net``'s blocks compute in ``precision``; it is compiled anew if it is hybridized. Results stay float32.

    Raises ConfigError for an unknown precision, a network without this suite's blocks, a GPU, or a processor that would
    be slower for it.
    """
    if precision not in PRECISIONS:
        raise ConfigError(f"precision is {precision!r}: expected {' or '.join(PRECISIONS)}")
    blocks = []
    net.apply(lambda block: blocks.append(block) if isinstance(block, (Residual, Bottleneck)) else None)
    if precision == "bfloat16":
        if not blocks:
            raise ConfigError(f"{net.name} has none of this suite's blocks: bfloat16 needs them, leave precision out")
        if device is not None and device.device_type != "cpu":
            raise ConfigError(f"bfloat16 is for CPUs; the device is {device}: leave precision out")
        if not is_native():
            raise ConfigError("this processor has no avx512_bf16 and would be slower in bfloat16: leave precision out")
    if any(block.conv1.precision != precision for block in blocks):
        for block in blocks:
            block.out_precision = precision
            for layer in block._children.values():
                if isinstance(layer, (Conv2D, BatchNorm)):
                    layer.precision = precision
        blocks[-1].out_precision = "float32"
        net.apply(lambda block: getattr(block, "_clear_cached_op", lambda: None)())
