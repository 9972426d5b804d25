"""Mixed precision on a CPU: convolutions inside the blocks multiply bfloat16 numbers, everything else stays float32.

    gluon-resnet train fashion-mnist --precision bfloat16

bfloat16 keeps float32's range and 8 of its 24 significant bits. Weights, their updates, batch norm, the shortcut's sum and
the loss are float32; products are summed in float32 (oneDNN). Worth it only where the processor multiplies bfloat16
natively; off unless asked for.
"""
from . import system
from .blocks import Conv2D
from .errors import ConfigError

PRECISIONS = ("float32", "bfloat16")
NATIVE = ("avx512_bf16",)  # instruction sets that multiply bfloat16


def set_precision(net, precision, device=None):
    """Have the convolutions in ``net``'s blocks compute in ``precision``; compiles the network anew if it is hybridized.

    Raises ConfigError for an unknown precision, a network without this suite's blocks, a GPU, or a processor that would
    be slower for it.
    """
    if precision not in PRECISIONS:
        raise ConfigError(f"precision is {precision!r}: expected {' or '.join(PRECISIONS)}")
    convs = []
    net.apply(lambda block: convs.append(block) if isinstance(block, Conv2D) else None)
    if precision == "bfloat16":
        if not convs:
            raise ConfigError(f"{net.name} has none of this suite's blocks: bfloat16 needs them, leave precision out")
        if device is not None and device.device_type != "cpu":
            raise ConfigError(f"bfloat16 is for CPUs; the device is {device}: leave precision out")
        if not set(NATIVE) & set(system.cpu()["instruction_sets"]):
            raise ConfigError(f"this processor has no {' or '.join(NATIVE)} and would be slower in bfloat16: leave "
                              f"precision out")
    if any(conv.precision != precision for conv in convs):
        for conv in convs:
            conv.precision = precision
        net.apply(lambda block: getattr(block, "_clear_cached_op", lambda: None)())
