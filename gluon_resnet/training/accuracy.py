"""How good a network is on data it has not seen."""

from collections import deque
from typing import Any, Deque, Iterable, Tuple

from ..devices import to_device


def count_correct(y_hat: Any, y: Any) -> Any:
    """The number of rows of y_hat (N, classes) whose largest value is at y (N,), as an array still being computed."""
    return (y_hat.argmax(axis=1).astype("int32") == y.astype("int32")).astype("float32").sum()


def evaluate_accuracy(net: Any, data_iter: Iterable[Tuple[Any, Any]], device: Any = None) -> float:
    """The accuracy of ``net`` on the batches (X, y) of ``data_iter``, from 0 to 1.

    ``device`` is the one of the network's parameters if None. Source: d2l's evaluate_accuracy_gpu.
    """
    if device is None:
        device = next(iter(net.collect_params().values())).list_ctx()[0]
    pending: Deque[Any] = deque()
    correct, examples = 0.0, 0
    for X, y in data_iter:
        pending.append(count_correct(net(to_device(X, device)), to_device(y, device)))
        examples += len(y)
        if len(pending) > 1:  # one batch computes while the next is prepared, no more
            correct += pending.popleft().asnumpy().item()
    return (correct + sum(count.asnumpy().item() for count in pending)) / max(examples, 1)
