"""Is a test accuracy low only because batch norm's running statistics are not yet those of the parameters?

    result = gr.train_ch6(net, train_iter, test_iter, num_epochs=1, lr=0.05)      # train acc 0.715, test acc 0.143
    result = gr.train_ch6(net, train_iter, test_iter, num_epochs=1, lr=0.05, norm_batches=20)

Each step moves the statistics by a tenth, so after a short trial they are still those of the initial values or of
parameters from before. Overfitting gives the same two accuracies. So the network is asked about a batch that it was
trained on, once with the batch's own statistics and once with the running ones: only those differ.
"""

from typing import Any

from mxnet import autograd

from ..devices import to_device
from .accuracy import count_correct
from .batches import Taken, forward
from .progress import Record
from .randomness import borrowed
from .recipe import Recipe

GAP = 0.2  # of two accuracies, from which on they are told apart


def hint(net: Any, train_iter: Taken, record: Record, recipe: Recipe, device: Any) -> str:
    """A line of advice; empty if the accuracies do not differ much, or for another reason.

    Args:
        net: the network after its last test.
        train_iter: the training batches.
        record: the last one, with a test accuracy if there was a test.
        recipe: how the network was trained.
        device: an mxnet context, where the parameters are.
    """
    if record.test_acc is None or record.train_acc - record.test_acc < GAP or recipe.renewing or recipe.unrenewed:
        return ""
    if not any("running_" in name for name in net._collect_params_with_prefix()):
        return ""
    with borrowed(train_iter) as batches:
        X, y = (to_device(values, device) for values in next(batches))
    running = _accuracy(net, X, y)
    with autograd.train_mode():  # without gradients, mxnet leaves the running statistics as they are
        own = _accuracy(net, X, y)
    if own - running < GAP:
        return ""
    return (
        f"hint: tests give a low accuracy because batch norm's running statistics do not fit the parameters yet. Of a "
        f"training batch {running:.3f} is right with them, {own:.3f} with its own. norm_batches=20 re-estimates them "
        f"before each test"
    )


def _accuracy(net: Any, X: Any, y: Any) -> float:
    """The share of the images X (N, C, H, W) whose class in y (N,) the network finds."""
    return count_correct(forward(net, X), y).asnumpy().item() / len(y)
