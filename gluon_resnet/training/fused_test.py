"""The network that an epoch's test predicts with: fused (fused.py) where that saves time, else the one trained.

    evaluate(network_for(net, test_iter, device), test_iter, device)

To fuse a network takes 0.2 to 0.4 s, and its first batch about the time of two. So a test has to be long enough. The
network that is trained is not called then, and oneDNN need not set up its convolutions for predicting.
"""

from typing import Any, Optional

import mxnet as mx
from mxnet.gluon import nn

from ..devices import array
from ..networks import cost
from ..networks.layout import children, layout, places
from . import fused
from .batches import Taken
from .precision import precision_of

#: Multiply-adds of a test from which fusing pays. On two cores of an AMD EPYC (AVX-512), ResNet-18 on 10,000 images of
#: 28x28 (0.3e12) takes as long either way; of 96x96 (3.2e12), 22 s instead of 35 s.
WORTH = 1e12


def network_for(net: nn.Block, batches: Taken, device: mx.Context) -> Any:
    """What predicts the logits of ``net`` for the batches of a test.

    Args:
        net: the network that is trained, initialized.
        batches: the test's.
        device: where the network is.

    Returns:
        ``net`` itself if it is none of this suite's, computes in 16 bits, or is on a device without the fusion;
        otherwise a function of X (N, C, H, W) that decides at its first batch, whose size it has to know.
    """
    if fused.unsuitable(device) is not None or precision_of(net) != "float32" or not _is_as_built(net):
        return net
    number = batches.known_number
    return net if number is None else _Decided(net, number)  # to count them would take a pass


def _is_as_built(net: Any) -> bool:
    """Whether ``net`` has a spec, and the layers and parameters of it: a user may have added or replaced some."""
    spec = getattr(net, "spec", None)
    if spec is None or len(net) != len(children(spec)):
        return False
    params = net._collect_params_with_prefix()
    stem = params.get(f"{places(spec)['stem']}.weight")
    if stem is None:
        return False
    return {name: param.shape for name, param in params.items()} == layout(spec, stem.shape[1]).params()


class _Decided:
    """``net``, fused or not as the first batch of ``number`` tells."""

    def __init__(self, net: Any, number: int) -> None:
        self.net, self.name, self.number = net, net.name, number
        self.network: Optional[Any] = None

    def __call__(self, X: Any) -> Any:
        if self.network is None:
            self.network = self._choose(X)
        if self.network is self.net:
            return self.net(X)
        return array(self.network(X.asnumpy()), X.context)

    def _choose(self, X: Any) -> Any:
        count, channels, *size = X.shape
        work = cost.network(self.net.spec, channels, tuple(size)).total("multiply_adds") * count * self.number
        if work < WORTH:
            return self.net
        params = {name: param.data().asnumpy() for name, param in self.net._collect_params_with_prefix().items()}
        return fused.FusedNetwork(layout(self.net.spec, channels), params)
