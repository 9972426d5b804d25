"""The processes that train one network together, as the loop sees them; this one has no others.

A group of several is gluon_resnet/distributed/group.py's. Each process computes with its own share of a batch, and the
gradients are summed before every update.
"""

from typing import Any, Callable, Dict, List, Sequence, Tuple


class Group:
    """A process that trains alone; the methods are those that the loop calls in a group of any size."""

    rank = 0
    size = 1  # processes whose gradients are summed for an update
    workers = 1  # processes that share the data
    #: whether each process updates its own parameters; otherwise servers do
    updates = True

    def store(self) -> Dict[str, Any]:
        """The options of gluon.Trainer that connect it to the others."""
        return {"kvstore": None}

    def agreed(self, stop: Callable[[], bool]) -> Callable[[], bool]:
        """``stop`` as all processes see it: after the same step."""
        return stop

    def reduce(self, trainer: Any) -> None:
        """Replace the gradients of a gluon.Trainer's parameters by their sums over all processes."""

    def add(self, loss: Any, correct: Any) -> Tuple[Any, Any]:
        """The sums over all processes of a step's loss and correct predictions, arrays that may still be computed."""
        return loss, correct

    def average(self, arrays: Sequence[Any]) -> None:
        """Replace each array by its mean over all processes."""

    def totals(self, values: Sequence[float]) -> List[float]:
        """The sums of some numbers over all processes."""
        return list(values)


ALONE = Group()
