"""How good a network is on data it has not seen: its accuracy and its loss, from one pass over the data."""

from collections import deque
from typing import Any, Callable, Deque, Iterable, List, Tuple

from mxnet import gluon

from ..devices import to_device


def count_correct(y_hat: Any, y: Any) -> Any:
    """The number of rows of y_hat (N, classes) whose largest value is at y (N,), as an array still being computed."""
    return (y_hat.argmax(axis=1).astype("int32") == y.astype("int32")).astype("float32").sum()


def _sums(
    net: Any, data_iter: Iterable[Tuple[Any, Any]], device: Any, *measures: Callable[[Any, Any], Any]
) -> Tuple[List[float], int]:
    """The sum of each of ``measures``, functions of (y_hat, y), over the batches, and the number of examples."""
    if device is None:
        device = next(iter(net.collect_params().values())).list_ctx()[0]
    pending: Deque[List[Any]] = deque()
    sums, examples = [0.0] * len(measures), 0

    def fetch() -> None:
        for i, value in enumerate(pending.popleft()):
            sums[i] += value.asnumpy().item()

    for X, y in data_iter:
        y_hat, y = net(to_device(X, device)), to_device(y, device)
        pending.append([measure(y_hat, y) for measure in measures])
        examples += len(y)
        if len(pending) > 1:  # one batch computes while the next is prepared, no more
            fetch()
    while pending:
        fetch()
    return sums, examples


def evaluate_accuracy(net: Any, data_iter: Iterable[Tuple[Any, Any]], device: Any = None) -> float:
    """The accuracy of ``net`` on the batches (X, y) of ``data_iter``, from 0 to 1.

    ``device`` is the one of the network's parameters if None. Source: d2l's evaluate_accuracy_gpu.
    """
    (correct,), examples = _sums(net, data_iter, device, count_correct)
    return correct / max(examples, 1)


def evaluate(net: Any, data_iter: Iterable[Tuple[Any, Any]], device: Any = None) -> Tuple[float, float]:
    """(accuracy, loss) of ``net`` on the batches (X, y) of ``data_iter``, in one pass.

    The loss is the mean of softmax cross-entropy, as in training without label smoothing, mixup and cutmix: minus the
    natural logarithm of the probability of the true class. ``device`` is the one of the network's parameters if None.
    """
    cross_entropy = gluon.loss.SoftmaxCrossEntropyLoss()
    (correct, loss), examples = _sums(
        net, data_iter, device, count_correct, lambda y_hat, y: cross_entropy(y_hat, y).sum()
    )
    return correct / max(examples, 1), loss / max(examples, 1)
