"""How good a network is on data it has not seen."""

from collections import deque
from typing import Any, Deque, Iterable, Tuple

from ..devices import to_device


def count_correct(y_hat: Any, y: Any) -> Any:
    """How many rows of y_hat (N, classes) have their largest value at y (N,): an array of one number, not awaited."""
    return (y_hat.argmax(axis=1).astype("int32") == y.astype("int32")).astype("float32").sum()


def evaluate_accuracy(net: Any, data_iter: Iterable[Tuple[Any, Any]], device: Any = None) -> float:
    """Share of the examples in ``data_iter``, batches (X, y), whose class ``net`` gets right: a float from 0 to 1.

    ``device`` is where the network's parameters are, if None. Source: d2l's evaluate_accuracy_gpu.
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
