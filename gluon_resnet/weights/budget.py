"""How much memory a weight file may become: one budget for all of its arrays, counted before any memory is taken.

    budget = Budget("resnet50.pth")
    budget.take("conv1.weight", (64, 3, 7, 7), 4)         # WeightsError if the arrays would be too large together

What a file declares need not be in it: a size is a few digits, one tensor can have a thousand names, zeros pack well.
"""

import math
import os
from functools import lru_cache
from typing import Any, Sequence

from ..errors import WeightsError
from ..networks.layout import layout
from ..networks.specs import ResNetSpec, model_names, parse_model
from ..text import short

#: How often the largest network fits: a checkpoint may also hold an average of it, or be of 64-bit numbers.
TIMES = 2
LEAST = 4  # bytes of a number after reading: floating point arrays become float32
MAX_AXES = 32  # of an array; NumPy has no more


def network_bytes(spec: ResNetSpec) -> int:
    """Bytes of the parameters of ``spec`` as float32."""
    return LEAST * sum(math.prod(shape) for shape in layout(spec).params().values())


@lru_cache(maxsize=None)
def most_bytes() -> int:
    """Bytes that the arrays of one weight file may have: TIMES the largest network of the table."""
    return TIMES * max(network_bytes(parse_model(name)) for name in model_names())


class Budget:
    """What is left for the arrays of the file at ``path``."""

    def __init__(self, path: Any) -> None:
        self.path, self.left = str(path), most_bytes()

    def take(self, name: str, shape: Sequence[int], itemsize: int) -> None:
        """Take the bytes of an array from the budget; WeightsError if there are not so many left.

        An empty axis counts as one, because the others have to be possible sizes, too.
        """
        needed = max(itemsize, LEAST) * math.prod(max(1, size) for size in shape)
        if len(shape) > MAX_AXES or min(shape, default=0) < 0 or needed > self.left:
            raise WeightsError(
                f"{self.path}: {short(name)} of shape {short(tuple(shape))} makes it larger than "
                f"{most_bytes():,} bytes in memory, {TIMES} times the largest network: expected the parameters of one "
                f"network; save them alone"
            )
        self.left -= needed

    def take_file(self) -> None:
        """WeightsError if the file itself, which is read whole, is larger than all arrays may be."""
        size = os.path.getsize(self.path)
        if size > most_bytes():
            raise WeightsError(
                f"{self.path}: has {size:,} bytes: expected at most {most_bytes():,}, {TIMES} times the largest "
                f"network; save its parameters alone"
            )
