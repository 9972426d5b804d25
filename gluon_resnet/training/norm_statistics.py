"""Batch norm's running statistics, re-estimated with the parameters that a network is tested with.

    gluon-resnet train fashion-mnist                          # from 20 batches
    gluon-resnet train fashion-mnist --set norm_batches=0     # tested as in the textbook

In training each batch moves the running statistics by a tenth. The parameters move in the meantime, and fast if the
learning rate is high. So the statistics do not quite fit the parameters, and test accuracies jump from epoch to epoch
(d2l-en #2108). Here some batches pass through the network with its parameters fixed, so that the statistics fit them.
Source: Wu and Johnson, arXiv 2105.07576, section 3.

mxnet updates the statistics only while it computes gradients. These would be two thirds of the work, so the graph of a
hybrid network is asked for each batch norm's mean and variance instead. Other networks compute the gradients, which are
left unused.
"""

import json
from contextlib import contextmanager
from functools import partial
from itertools import chain, islice
from typing import Any, Callable, Iterable, Iterator, List, Tuple

import mxnet as mx
from mxnet import autograd, gluon

from ..devices import to_device
from .randomness import borrowed


def _running(net: Any) -> List[Any]:
    params = net._collect_params_with_prefix()
    return [param.data().as_nd_ndarray() for name, param in params.items() if "running_" in name]


#: Each update leaves nine tenths of the old statistics. After a training of a few batches these are hardly better than
#: the initial values, so few batches are repeated until 1.5 % of the old ones is left.
REPEATED = 40

NORMS = ("BatchNorm", "_contrib_BatchNormWithReLU")


class Moments:
    """The graph of a hybrid network with each batch norm's mean and variance as its outputs; no gradients.

    Args:
        net: the network, initialized and hybridized.
        X: a batch (N, C, H, W) like those to come, of mxnet's classic or NumPy's arrays.

    Raises:
        ValueError: the network has other running statistics than batch norm's, or is not hybrid.
    """

    def __init__(self, net: Any, X: Any) -> None:
        if not isinstance(net, gluon.HybridBlock):
            raise ValueError(f"{net.name} is not hybrid")
        _, output = net._get_graph(X)  # kept by the network, which has compiled it
        content = json.loads(output.tojson())
        nodes = content["nodes"]
        norms = [node for node in nodes if node["op"] in NORMS]
        #: (running mean, running variance, momentum, epsilon) of each norm whose statistics move
        self.norms: List[Tuple[Any, Any, float, float]] = []
        params, moving = net.collect_params(), []
        for node in norms:
            if node["attrs"].get("use_global_stats") != "True":
                mean, var = (params[nodes[place[0]]["name"]] for place in node["inputs"][3:5])
                self.norms.append((mean, var, float(node["attrs"]["momentum"]), float(node["attrs"]["eps"])))
                node["attrs"]["output_mean_var"] = "True"
                moving.append(node["name"])
        known = {nodes[place[0]]["name"] for node in norms for place in node["inputs"][3:5]}
        if set(output.list_auxiliary_states()) != known:
            raise ValueError(f"{net.name} has running statistics that are not batch norm's")
        internals = mx.sym.load_json(json.dumps(content)).get_internals()
        outputs = mx.sym.Group([internals[f"{name}_{what}"] for name in moving for what in ("mean", "var")])
        data = mx.sym.var("data", dtype=X.dtype)
        if mx.util.is_np_array():
            outputs, data = outputs.as_np_ndarray(), data.as_np_ndarray()
        self.graph = gluon.SymbolBlock(outputs, data, params=params)
        self.graph.hybridize(static_alloc=True, static_shape=True)

    def update(self, X: Any) -> None:
        """Move the running statistics by a batch X (N, C, H, W), as mxnet does in training."""
        with autograd.train_mode():
            moments = [moment.as_nd_ndarray() for moment in self.graph(X)]
        for (mean, var, momentum, epsilon), now, deviation in zip(self.norms, moments[::2], moments[1::2]):
            # what mxnet calls the variance here is 1 / sqrt(variance + epsilon)
            for param, value in ((mean, now), (var, 1 / (deviation * deviation) - epsilon)):
                running = param.data(X.context).as_nd_ndarray()
                running[:] = momentum * running + (1 - momentum) * value


def _take(net: Any, batches: Iterator[Tuple[Any, Any]], device: Any, stop: Callable[[], bool]) -> None:
    """Let the ``batches`` move the running statistics of ``net``, until ``stop``."""
    for X, _ in islice(batches, 1):
        X = to_device(X, device)
        try:
            update = Moments(net, X).update
        except (ValueError, AssertionError, mx.MXNetError):  # a graph that mxnet does not take has its own way
            update = partial(_update_with_gradients, net)
        for images in chain([X], (to_device(images, device) for images, _ in batches)):
            if stop():
                return
            update(images)
            mx.nd.waitall()  # stay with the device: images that wait take memory


def _update_with_gradients(net: Any, X: Any) -> None:
    """Move the running statistics by a batch X (N, C, H, W), in mxnet's own way."""
    with autograd.record():
        y_hat = net(X)
    y_hat.backward()
    for param in net.collect_params().values():
        if param.grad_req == "add":  # gathered over batches: the gradients of these batches must not count
            param.grad().as_nd_ndarray()[:] = 0


def _repeated(first: Iterator[Any], train_iter: Iterable[Any], count: int) -> Iterator[Any]:
    """``count`` batches of ``first``, a pass over ``train_iter``; if it has fewer, REPEATED, pass after pass."""
    found = 0
    for batch in islice(first, count):
        found += 1
        yield batch
    few = found < count
    while few and found < REPEATED:
        before = found
        with borrowed(train_iter) as again:
            for batch in islice(again, REPEATED - found):
                found += 1
                yield batch
        few = found > before  # not so if it can be iterated once


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
        count: number of batches to take. If there are fewer, all are taken, again and again: REPEATED in all. With 0
            nothing is changed.
        device: an mxnet context, where the parameters are.
        stop: asked before each batch and at the end; once true, the old statistics are restored at the end.
    """
    if not count:
        yield
        return
    before = [values.copy() for values in _running(net)]
    with borrowed(train_iter) as batches:
        _take(net, _repeated(batches, train_iter, count), device, stop)
    yield
    if stop():
        for values, old in zip(_running(net), before):
            values[:] = old
