"""The exponential moving average of a network's parameters, which is tested and kept if the recipe asks for it.

    average = Average(net, decay=0.999)
    average.update()                      # after every update of the parameters
    with average.in_place():              # inside, the network computes with the averages
        evaluate_accuracy(net, test_iter)

average = decay * average + (1 - decay) * parameter, running statistics included (Polyak & Juditsky, 1992).

:class:`Lookahead` is the other way to average: there training goes on from the averages.
"""

from contextlib import contextmanager
from typing import Any, ItemsView, Iterator, Mapping


class Average:
    """Averages of all parameters of ``net``, which must be initialized; they start at the parameters' values."""

    def __init__(self, net: Any, decay: float) -> None:
        self.net, self.decay = net, decay
        self.values = {name: self._now(param).copy() for name, param in self._params()}

    def _params(self) -> ItemsView[str, Any]:
        return self.net._collect_params_with_prefix().items()

    @staticmethod
    def _now(param: Any) -> Any:
        return param.data().as_nd_ndarray()

    def update(self) -> None:
        """Move the averages towards the present parameters."""
        for name, param in self._params():
            value = self.values[name]
            value[:] = self.decay * value + (1 - self.decay) * self._now(param)

    def settle(self) -> None:
        """Put the averages into the network for good."""
        for name, param in self._params():
            self._now(param)[:] = self.values[name]

    @contextmanager
    def in_place(self) -> Iterator[Any]:
        """Context in which the network computes with the averages; afterwards it is bit for bit as before."""
        before = {name: self._now(param).copy() for name, param in self._params()}
        self.settle()
        try:
            yield self.net
        finally:
            for name, param in self._params():
                self._now(param)[:] = before[name]


class Lookahead:
    """Slow parameters: after every ``every`` updates they move by ``share`` of the way to the fast ones, which follow.

    Source: Zhang et al., arXiv 1907.08610, algorithm 1. Running statistics stay as they are.

    Args:
        params: {name: parameter} of those that are trained, initialized; slow parameters start at their values.
        every: updates between two moves.
        share: of the way.
    """

    def __init__(self, params: Mapping[str, Any], every: int, share: float) -> None:
        self.params, self.every, self.share = params, every, share
        self.values = {name: param.data().as_nd_ndarray().copy() for name, param in params.items()}

    def update(self, count: int) -> None:
        """Move, if it is time after ``count`` updates."""
        if count % self.every:
            return
        for name, param in self.params.items():
            slow, fast = self.values[name], param.data().as_nd_ndarray()
            slow[:] = slow + self.share * (fast - slow)
            fast[:] = slow
