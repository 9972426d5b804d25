"""Batch norm's running statistics, re-estimated with the parameters that a network is tested with.

    gluon-resnet train fashion-mnist                          # from 20 batches
    gluon-resnet train fashion-mnist --set norm_batches=0     # tested as the textbook tests

In training each batch moves the running statistics by a tenth, and the parameters move on meanwhile, fast where the
rate is high: what is tested is not quite the network that was trained, and test accuracies jump from epoch to epoch
(d2l-en #2108). Here some batches pass through with the parameters held still, so that the statistics fit them. Source:
Wu and Johnson, arXiv 2105.07576, section 3. mxnet takes the statistics in while it computes gradients, which are left
unused.
"""

from contextlib import contextmanager
from itertools import islice

import mxnet as mx
from mxnet import autograd

from ..devices import to_device
from .randomness import borrowed


def _running(net):
    params = net._collect_params_with_prefix()
    return [param.data().as_nd_ndarray() for name, param in params.items() if "running_" in name]


def _take(net, batches, device, stop):
    for X, _ in batches:
        if stop():
            break
        with autograd.record():
            y_hat = net(to_device(X, device))
        y_hat.backward()
        mx.nd.waitall()  # not ahead of the device: pictures that wait take memory
    for param in net.collect_params().values():
        if param.grad_req == "add":  # gathered over batches: what came in here must not count
            param.grad().as_nd_ndarray()[:] = 0


@contextmanager
def fresh(net, train_iter, count, device, stop=lambda: False):
    """Context in which ``net``'s running statistics are those of ``count`` batches from ``train_iter``.

    Batches are X (N, C, H, W) float32; if there are fewer, all are taken. The statistics stay afterwards, unless
    ``stop()`` has turned true: then they are what they were before. Random generators are left as they were. With
    ``count`` 0 nothing is changed.
    """
    if not count:
        yield
        return
    before = [values.copy() for values in _running(net)]
    with borrowed(train_iter) as batches:
        _take(net, islice(batches, count), device, stop)
    yield
    if stop():
        for values, old in zip(_running(net), before):
            values[:] = old
