"""The exponential moving average of a network's parameters: what is tested and kept where a recipe asks for it.

    average = Average(net, decay=0.999)
    average.update()                      # after every update of the parameters
    with average.in_place():              # the network has the averaged parameters inside
        evaluate_accuracy(net, test_iter)

average = decay * average + (1 - decay) * parameter, running statistics included (Polyak & Juditsky, 1992).
"""

from contextlib import contextmanager


class Average:
    """Averages over all parameters of ``net``, which must be initialized; they start as the parameters are."""

    def __init__(self, net, decay):
        self.net, self.decay = net, decay
        self.values = {name: self._now(param).copy() for name, param in self._params()}

    def _params(self):
        return self.net._collect_params_with_prefix().items()

    @staticmethod
    def _now(param):
        return param.data().as_nd_ndarray()

    def update(self):
        """Take the parameters as they are now in."""
        for name, param in self._params():
            value = self.values[name]
            value[:] = self.decay * value + (1 - self.decay) * self._now(param)

    def settle(self):
        """Put the averages into the network for good."""
        for name, param in self._params():
            self._now(param)[:] = self.values[name]

    @contextmanager
    def in_place(self):
        """Context in which the network computes with the averages; afterwards it is bit by bit as before."""
        before = {name: self._now(param).copy() for name, param in self._params()}
        self.settle()
        try:
            yield self.net
        finally:
            for name, param in self._params():
                self._now(param)[:] = before[name]
