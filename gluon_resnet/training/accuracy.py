"""How good a network is on data it has not seen: its accuracy and its loss, from one pass over the data."""

from collections import deque
from typing import Any, Callable, Deque, Iterable, List, Sequence, Tuple, Union

import mxnet as mx
from mxnet import gluon

from ..devices import to_device
from ..errors import DataError
from ..networks.layers import classic
from .batches import Taken, check_labels, check_outputs, forward


def count_correct(y_hat: Any, y: Any) -> Any:
    """The number of rows of y_hat (N, classes) whose largest value is at y (N,), as an array still being computed."""
    return (y_hat.argmax(axis=1).astype("int32") == y.astype("int32")).astype("float32").sum()


def _never() -> bool:
    return False


def _untold(batches: int) -> None:
    pass


class Mirrored:
    """A network that sees each image twice: the mean of the logits of X (N, C, H, W) and of its mirror image."""

    def __init__(self, net: Any) -> None:
        self.net, self.name = net, net.name

    def collect_params(self) -> Any:
        """The network's parameters."""
        return self.net.collect_params()

    def __call__(self, X: Any) -> Any:
        return (self.net(X) + self.net(classic(mx.nd.flip, X, axis=3))) / 2


def _sums(
    net: Any,
    batches: Taken,
    device: Any,
    stop: Callable[[], bool],
    tell: Callable[[int], Any],
    *measures: Callable[[Any, Any], Any],
) -> Tuple[List[float], int]:
    """(the sum of each of ``measures`` over the batches, number of labels).

    Args:
        net: the network.
        batches: pairs (X, y).
        device: an mxnet context; the one of the network's parameters if None.
        stop: asked before each batch; once true, the rest is left out.
        tell: called after each batch with the number of those done.
        measures: functions of (y_hat, y), which give arrays of one number.
    """
    if device is None:
        device = next(iter(net.collect_params().values())).list_ctx()[0]
    pending: Deque[Tuple[List[Any], Any, Tuple[int, ...], str]] = deque()
    sums, labels = [0.0] * len(measures), 0

    def fetch() -> None:
        values, y, shape, where = pending.popleft()
        for i, value in enumerate(values):
            sums[i] += value.asnumpy().item()
        if len(shape) == 2:  # not of each pixel, where a number beyond the classes is a usual one for "none of them"
            check_labels(y, shape[1], where)

    for number, (X, y) in enumerate(batches, 1):
        if stop():
            break
        where, y_hat = f"{batches.name}, batch {number}", forward(net, to_device(X, device))
        check_outputs(y_hat, y, where, classify=False)
        pending.append(([measure(y_hat, to_device(y, device)) for measure in measures], y, y_hat.shape, where))
        labels += y.size
        if len(pending) > 1:  # one batch computes while the next is prepared, no more
            fetch()
        tell(number)
    while pending:
        fetch()
    if not labels and not stop():
        raise DataError(f"{batches.name} gave no batch; expected at least one")
    return sums, labels


def evaluate_accuracy(net: Any, data_iter: Iterable[Any], device: Any = None) -> float:
    """The accuracy of ``net`` on the batches (X, y) of ``data_iter``, from 0 to 1.

    Batches may be of any kind that batches.py takes. Of outputs (N, classes, H, W) and labels (N, H, W) it is the share
    of the labels. ``device`` is the one of the network's parameters if None. DataError, ModelError or ShapeError if
    the batches, the outputs and the labels do not fit each other. Source: d2l's evaluate_accuracy_gpu.
    """
    (correct,), labels = _sums(net, Taken(data_iter, "data_iter", net), device, _never, _untold, count_correct)
    return correct / labels


def evaluate(
    net: Any,
    batches: Union[Taken, Iterable[Any]],
    device: Any = None,
    stop: Callable[[], bool] = _never,
    totals: Callable[[Sequence[float]], List[float]] = list,
    views: int = 1,
    tell: Callable[[int], Any] = _untold,
) -> Tuple[float, float]:
    """(accuracy, loss) of ``net`` on batches (X, y), in one pass.

    The loss is the mean of softmax cross-entropy, as in training without label smoothing, mixup and cutmix: minus the
    natural logarithm of the probability of the true class.

    Args:
        net: the network; its outputs are (N, classes).
        batches: of any kind that batches.py takes.
        device: an mxnet context; the one of the network's parameters if None.
        stop: asked before each batch; once true, the rest is left out.
        totals: gives the sums of some numbers over all processes, if each has a share of the batches (group.py).
        views: with 2, the logits are the mean over an image and its mirror image.
        tell: called after each batch with the number of those done.

    Raises:
        DataError, ModelError, ShapeError: the batches, the outputs and the labels do not fit each other.
    """
    batches = batches if isinstance(batches, Taken) else Taken(batches, "data_iter", net)
    net = Mirrored(net) if views == 2 else net
    cross_entropy = gluon.loss.SoftmaxCrossEntropyLoss()
    own, number = _sums(net, batches, device, stop, tell, count_correct, lambda y_hat, y: cross_entropy(y_hat, y).sum())
    correct, loss, labels = totals([*own, number])
    return correct / max(labels, 1), loss / max(labels, 1)
