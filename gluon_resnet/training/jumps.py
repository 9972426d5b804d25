"""Steps whose loss jumps, the first sign that a training diverges: only then are the gradients looked at.

A loss jumps if it is not finite, or more than :data:`TIMES` times the running mean of the losses before it. A step
without a jump costs one comparison of two numbers that are at hand anyway.
"""

import math
from typing import Any, Callable, Dict, List, Optional, Tuple

import mxnet as mx

from ..errors import DivergedError

TIMES = 10.0
SHOWN = 3  # of the gradients
DIVERGED = "training diverged; try a smaller learning rate"  # the end of every message of it
DECAY = 0.9  # of the running mean, for each step


class Jumps:
    """Looks at the loss of every step, and at the gradients when it jumps."""

    def __init__(self) -> None:
        self.mean: Optional[float] = None  # of the losses so far, before the first step none
        self.first = ""  # the first jump that has not ended the training, in words

    def look(self, loss: float, place: str, gradients: Callable[[], Dict[str, Any]], exact: bool = True) -> None:
        """Take in the loss of a step, and look at the gradients if it jumps.

        A loss is fetched when the next step has been started, so the gradients are those of that one.

        Args:
            loss: the mean over the step's examples.
            place: the step and its rate, in words.
            gradients: gives {parameter name: gradient of the mean loss}, if they are asked for.
            exact: whether every gradient must be finite; those of a scaled loss need not be.

        Raises:
            DivergedError: the loss or a gradient is not finite.
        """
        if math.isfinite(loss) and (self.mean is None or loss <= TIMES * self.mean):
            self.mean = loss if self.mean is None else DECAY * self.mean + (1 - DECAY) * loss
            return
        jump, norm = f"the loss is {loss:.4g} at {place}", 0.0
        found = gradients()
        if found:  # else all parameters are frozen
            norm = largest(found)[0][1]
            jump += f", and the largest gradients are {in_words(found)}"
        if not math.isfinite(loss) or (exact and not math.isfinite(norm)):
            raise DivergedError(f"{jump}: {DIVERGED}")
        self.first = self.first or jump


def largest(gradients: Dict[str, Any]) -> List[Tuple[str, float]]:
    """[(name, Euclidean norm)] of some arrays, largest first; those that are not finite count as the largest."""
    # in float64, where the squares of large numbers do not overflow
    norms = {
        name: mx.nd.norm(values.as_nd_ndarray().astype("float64")).asscalar() for name, values in gradients.items()
    }
    return sorted(norms.items(), key=lambda item: item[1] if math.isfinite(item[1]) else math.inf, reverse=True)


def in_words(gradients: Dict[str, Any]) -> str:
    """ "those of 0.weight (norm inf), 7.bias (norm 5)": the largest of {parameter name: gradient}."""
    return "those of " + ", ".join(f"{name} (norm {norm:.4g})" for name, norm in largest(gradients)[:SHOWN])
