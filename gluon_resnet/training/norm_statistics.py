"""Batch norm's running statistics, re-estimated with the parameters that a network is tested with.

    gluon-resnet train fashion-mnist                          # from 20 batches
    gluon-resnet train fashion-mnist --set norm_batches=0     # tested as in the textbook

In training each batch moves the running statistics by a tenth. The parameters move in the meantime, and fast if the
learning rate is high. So the statistics do not quite fit the parameters, and test accuracies jump from epoch to epoch
(d2l-en #2108). Here some batches pass through the network with its parameters fixed, so that the statistics fit them.
Source: Wu and Johnson, arXiv 2105.07576, section 3. mxnet updates the statistics only while it computes gradients,
which are left unused.
"""

from contextlib import contextmanager
from itertools import islice
from typing import Any, Callable, Iterable, Iterator, List, Tuple

import mxnet as mx
from mxnet import autograd

from ..devices import to_device
from .randomness import borrowed


def _running(net: Any) -> List[Any]:
    params = net._collect_params_with_prefix()
    return [param.data().as_nd_ndarray() for name, param in params.items() if "running_" in name]


def _take(net: Any, batches: Iterable[Tuple[Any, Any]], device: Any, stop: Callable[[], bool]) -> None:
    for X, _ in batches:
        if stop():
            break
        with autograd.record():
            y_hat = net(to_device(X, device))
        y_hat.backward()
        mx.nd.waitall()  # stay with the device: images that wait take memory
    for param in net.collect_params().values():
        if param.grad_req == "add":  # gathered over batches: the gradients of these batches must not count
            param.grad().as_nd_ndarray()[:] = 0


@contextmanager
def fresh(
    net: Any,
    train_iter: Iterable[Tuple[Any, Any]],
    count: int,
    device: Any,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[None]:
    """Context in which ``net``'s running statistics are re-estimated; they stay afterwards.

    The random generators are left as they were.

    Args:
        net: the network, initialized.
        train_iter: batches X (N, C, H, W) float32 and y, which is ignored.
        count: number of batches to take; all if there are fewer. With 0 nothing is changed.
        device: an mxnet context, where the parameters are.
        stop: asked before each batch and at the end; once true, the old statistics are restored at the end.
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
