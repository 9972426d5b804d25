"""The books' training functions, for arrays of both kinds, mxnet.np and mxnet.nd.

    from gluon_resnet import d2l
    d2l.train_ch6(net, train_iter, test_iter, num_epochs, lr)

They have the signatures, and print the lines, of the editions named in their docstrings. A network of plain nn.Block
is run as one compiled graph if that gives the same results (compiled.py).
"""

import time
from dataclasses import replace
from itertools import islice
from typing import Any, Callable, Iterable, List, Optional, Tuple

import mxnet as mx
from mxnet import autograd, gluon, init

from ..devices import to_device, try_gpu
from ..errors import DataError
from ..training import winograd
from ..training.accuracy import count_correct, evaluate_accuracy
from ..training.randomness import borrowed
from ..training.recipe import Recipe
from ..training.train import Session, fit, interruptible
from . import compiled, limits, notes, plots
from .base import d2l as base

#: what accuracy functions report
Lines = Tuple[float, float, float]


def accuracy(y_hat: Any, y: Any) -> float:
    """How many of the predictions ``y_hat`` (N, classes), or class numbers (N,), agree with the labels ``y`` (N,)."""
    predicted = y_hat.argmax(axis=1) if len(y_hat.shape) > 1 and y_hat.shape[1] > 1 else y_hat
    return float((predicted.astype(y.dtype) == y).astype("float32").sum().asnumpy())


def first_batch(batches: Iterable[Any], device: Any) -> Optional[Tuple[Any, Any]]:
    """The first batch (X, y) on ``device``; NumPy's and Python's random generators are left as they were."""
    with borrowed(batches) as iterator:
        for batch in islice(iterator, 1):
            if (
                isinstance(batch, (tuple, list))
                and len(batch) == 2
                and all(isinstance(part, mx.nd.NDArray) for part in batch)
            ):
                return to_device(batch[0], device), to_device(batch[1], device)
    return None


def quick(net: Any, batches: Iterable[Any], device: Any, loss: Any = None) -> Any:
    """``net`` compiled to one graph if that gives the same results, otherwise as it is; which of both is noted.

    ``loss`` is a function of (y_hat, y); softmax cross-entropy if None.
    """
    if isinstance(net, gluon.HybridBlock):
        net.hybridize(static_alloc=True, static_shape=True)
        return net
    batch = first_batch(batches, device) if isinstance(net, gluon.Block) else None
    if batch is None:
        return net
    graph, reason = compiled.fast(net, *batch, loss or gluon.loss.SoftmaxCrossEntropyLoss())
    kind = type(net).__name__
    notes.say(
        "compiled",
        f"{kind}: run as it is, since {reason}"
        if reason
        else f"{kind}: run as one compiled graph; outputs and gradients agree with its own on the first batch",
    )
    return graph


# Editions on mxnet.np ---------------------------------------------------------------------------------------------


def train_ch6(
    net: Any,
    train_iter: Any,
    test_iter: Iterable[Any],
    num_epochs: int,
    lr: float,
    device: Any = None,
    ctx: Any = None,
) -> None:
    """Train a network by this suite's loop, and print the book's two lines.

    Args:
        net: a Gluon network.
        train_iter: batches X (N, C, H, W) float32 and y (N,) class numbers; ``len()`` is their number.
        test_iter: batches of the same kind.
        num_epochs: passes over ``train_iter``.
        lr: the learning rate of plain SGD.
        device: an mxnet context; ``try_gpu()`` if None.
        ctx: the same, as d2l before 0.14 calls it.

    Raises:
        ConfigError, DivergedError, ModelError: as ``gluon_resnet.train_ch6``.

    Source: d2l 0.11 to 1.0.
    """
    device = device or ctx or try_gpu()
    num_epochs = limits.epochs(num_epochs)
    net.initialize(force_reinit=True, ctx=device, init=init.Xavier())
    graph = quick(net, train_iter, device)
    with interruptible() as stop:
        session = Session(plots.listeners(num_epochs), stop, initialize=False)
        recipe = Recipe(lr=lr, epochs=num_epochs)
        if limits.measure:  # only the training passes are timed
            recipe = replace(recipe, norm_batches=0)
        result = fit(graph, train_iter, test_iter, recipe, device, session)
    if result.stopped:
        print("stopped by Ctrl-C")
    if result.last:
        print("\n".join(result.lines()[:2]))


def train_ch5(net: Any, train_iter: Any, test_iter: Iterable[Any], num_epochs: int, lr: float, ctx: Any = None) -> None:
    """The same as :func:`train_ch6`, under its name in d2l 0.10, in the 1-day notebooks and in the 0.7 book."""
    train_ch6(net, train_iter, test_iter, num_epochs, lr, ctx)


def train_epoch_ch3(net: Any, train_iter: Iterable[Any], loss: Any, updater: Any) -> Tuple[float, float]:
    """Train for one epoch, and return the mean loss and the accuracy in training.

    Args:
        net: a Gluon network or a function of X.
        train_iter: batches (X, y).
        loss: a function of (y_hat, y) with a value for each example.
        updater: a ``gluon.Trainer``, or a function of the batch size.

    Source: d2l 0.10 to 0.17.
    """
    update = updater.step if isinstance(updater, gluon.Trainer) else updater
    sums = base.Accumulator(3)
    for X, y in train_iter:
        with autograd.record():
            y_hat = net(X)
            losses = loss(y_hat, y)
        losses.backward()
        update(X.shape[0])
        sums.add(float(losses.sum()), accuracy(y_hat, y), y.size)
    return sums[0] / sums[2], sums[1] / sums[2]


def train_ch3(
    net: Any, train_iter: Iterable[Any], test_iter: Iterable[Any], loss: Any, num_epochs: int, updater: Any
) -> None:
    """Train a classifier, and plot its loss and accuracies after each epoch.

    Args:
        net: a Gluon network or a function of X.
        train_iter: batches (X, y) to train on.
        test_iter: batches (X, y) to test on.
        loss: a function of (y_hat, y) with a value for each example.
        num_epochs: passes over ``train_iter``.
        updater: a ``gluon.Trainer``, or a function of the batch size.

    The book's last lines assert a loss below 0.5; here a poor result is shown, not an error. Source: d2l 0.10 to 0.17.
    """
    num_epochs = limits.epochs(num_epochs)
    animator = plots.Animator(
        xlabel="epoch", xlim=[1, num_epochs], ylim=[0.3, 0.9], legend=["train loss", "train acc", "test acc"]
    )
    for epoch in range(num_epochs):
        trained = train_epoch_ch3(net, train_iter, loss, updater)
        animator.add(epoch + 1, (*trained, base.evaluate_accuracy(net, test_iter)))


def predict_ch3(net: Any, test_iter: Iterable[Any], n: int = 6) -> None:
    """Show the first ``n`` images of ``test_iter`` with their labels and predictions. Source: d2l 0.10 to 0.17."""
    X, y = next(iter(test_iter))
    labels = base.get_fashion_mnist_labels(y)
    predictions = base.get_fashion_mnist_labels(net(X).argmax(axis=1))
    titles = [f"{label}\n{prediction}" for label, prediction in zip(labels, predictions)]
    base.show_images(X[:n].reshape((n, 28, 28)), 1, n, titles=titles[:n])


def train_ch13(
    net: Any,
    train_iter: Any,
    test_iter: Iterable[Any],
    loss: Any,
    trainer: Any,
    num_epochs: int,
    devices: Any = None,
    split_f: Any = None,
    ctx_list: Any = None,
) -> None:
    """Train on several devices, plot the curves, and print the book's two lines.

    Args:
        net: a Gluon network whose parameters are on all devices.
        train_iter: batches (X, y); ``len()`` is their number.
        test_iter: batches (X, y).
        loss: a function of (y_hat, y) with a value for each example.
        trainer: a ``gluon.Trainer``.
        num_epochs: passes over ``train_iter``.
        devices: mxnet contexts; all GPUs, or the CPU, if None.
        split_f: a function of (X, y, devices) that gives a list of parts of X, and one of y.
        ctx_list: the devices, as d2l before 0.14 calls them.

    With fewer than five batches an epoch, each batch is a point of the plot. Source: d2l 0.11 to 1.0.
    """
    devices = list(devices or ctx_list or base.try_all_gpus())
    split_f = split_f or base.split_batch
    num_epochs, num_batches = limits.epochs(num_epochs), len(train_iter)
    every, timer = max(1, num_batches // 5), base.Timer()
    animator = plots.Animator(
        xlabel="epoch", xlim=[1, num_epochs], ylim=[0, 1], legend=["train loss", "train acc", "test acc"]
    )
    sums, test_acc = base.Accumulator(4), 0.0
    if len(devices) == 1:
        net = quick(net, train_iter, devices[0], loss)
    for epoch in range(num_epochs):
        sums.reset()
        for number, (X, y) in enumerate(train_iter, 1):
            timer.start()
            trained = base.train_batch_ch13(net, X, y, loss, trainer, devices, split_f)
            sums.add(*trained, y.shape[0], y.size)
            timer.stop()
            if number % every == 0 or number == num_batches:
                animator.add(epoch + number / num_batches, (sums[0] / sums[2], sums[1] / sums[3], None))
        test_acc = base.evaluate_accuracy_gpus(net, test_iter, split_f)
        animator.add(epoch + 1, (None, None, test_acc))
    print(f"loss {sums[0] / sums[2]:.3f}, train acc {sums[1] / sums[3]:.3f}, test acc {test_acc:.3f}")
    print(f"{sums[2] * num_epochs / timer.sum():.1f} examples/sec on {devices}")


# Editions on mxnet.nd ---------------------------------------------------------------------------------------------

UNTIMED = "epoch {epoch}, loss {loss:.4f}, train acc {train:.3f}, test acc {test:.3f}"
TIMED = f"{UNTIMED}, time {{seconds:.1f}} sec"


def as_contexts(ctx: Any) -> List[Any]:
    """``ctx`` as a list of contexts."""
    return [ctx] if isinstance(ctx, mx.Context) else list(ctx)


def split_and_load(batch: Any, contexts: List[Any]) -> Tuple[List[Any], List[Any], int]:
    """The parts of a batch (X, y) on each context, with y of X's dtype, and the size of the batch."""
    X, y = batch
    split = gluon.utils.split_and_load
    return split(X, contexts), split(y.astype(X.dtype), contexts), X.shape[0]


def evaluate_accuracy_classic(data_iter: Iterable[Any], net: Any, ctx: Any = None) -> float:
    """Share of the examples that ``net``, a network or a function, classifies rightly, on one context or several.

    Source: gluonbook, d2lzh, d2l 0.8 and 0.9.
    """
    contexts, correct, count = as_contexts(ctx or mx.cpu()), 0.0, 0
    if isinstance(net, gluon.Block) and len(contexts) == 1:
        return evaluate_accuracy(net, data_iter, contexts[0])
    for batch in data_iter:
        for X, y in zip(*split_and_load(batch, contexts)[:2]):
            correct += accuracy(net(X), y)
            count += y.size
    if not count:
        raise DataError("evaluate_accuracy: the iterator gave no batch; expected at least one")
    return correct / count


def _epochs(
    step: Callable[[Any], Tuple[Any, Any, int]],
    train_iter: Iterable[Any],
    test: Callable[[], float],
    num_epochs: int,
    line: str,
) -> None:
    """Train epoch by epoch, and print ``line`` after each.

    ``step`` trains on a batch and returns its loss's sum, its correct predictions, and its examples. The two arrays are
    fetched only after the next batch has been started, so that the device never idles.
    """
    for epoch in range(1, limits.epochs(num_epochs) + 1):
        start, sums = time.time(), [0.0, 0.0, 0]
        pending: List[Tuple[Any, Any, int]] = []
        for batch in train_iter:
            pending.append(step(batch))
            if len(pending) == 2:
                _add(sums, pending.pop(0))
        for values in pending:
            _add(sums, values)
        results = {"loss": sums[0] / sums[2], "train": sums[1] / sums[2], "test": test()}
        print(line.format(epoch=epoch, before=epoch - 1, seconds=time.time() - start, **results), flush=True)


def _add(sums: List[float], values: Tuple[Any, Any, int]) -> None:
    loss, correct, examples = values
    sums[0] += float(loss.asnumpy())
    sums[1] += float(correct.asnumpy())
    sums[2] += examples


def train_ch3_classic(
    net: Any,
    train_iter: Iterable[Any],
    test_iter: Iterable[Any],
    loss: Any,
    num_epochs: int,
    batch_size: int,
    params: Any = None,
    lr: Optional[float] = None,
    trainer: Any = None,
) -> None:
    """Train a classifier on the CPU, and print a line after each epoch.

    Args:
        net: a Gluon network or a function of X.
        train_iter: batches (X, y) to train on.
        test_iter: batches (X, y) to test on.
        loss: a function of (y_hat, y) with a value for each example.
        num_epochs: passes over ``train_iter``.
        batch_size: images in a batch, by which gradients are divided.
        params: arrays with gradients, for plain SGD.
        lr: its learning rate.
        trainer: a ``gluon.Trainer`` instead of these two.

    Source: gluonbook, d2lzh, d2l 0.8 and 0.9.
    """

    def step(batch: Any) -> Tuple[Any, Any, int]:
        X, y = batch
        with autograd.record():
            y_hat = net(X)
            total = loss(y_hat, y).sum()
        total.backward()
        if trainer is not None:
            trainer.step(batch_size)
        else:
            for param in params:
                param[:] = param - lr * param.grad / batch_size
        return total, count_correct(y_hat, y), y.size

    _epochs(step, train_iter, lambda: evaluate_accuracy_classic(test_iter, net), num_epochs, UNTIMED)


def train_ch5_classic(net: Any, train_iter: Iterable[Any], test_iter: Iterable[Any], *rest: Any, **named: Any) -> None:
    """Train a network with a trainer, and print a line after each epoch.

    The arguments after the iterators are ``batch_size, trainer, ctx, num_epochs``, as in d2lzh 1.0, or
    ``loss, batch_size, trainer, ctx, num_epochs``, as in gluonbook 0.6; all may be given by name.

    Args:
        net: a Gluon network.
        train_iter: batches (X, y) to train on.
        test_iter: batches (X, y) to test on.
        rest: the other arguments.
        named: the other arguments by name.
    """
    order = ["loss", "batch_size", "trainer", "ctx", "num_epochs"]
    given = dict(zip(order[5 - len(rest) - sum(name in named for name in order) :], rest))
    given.update(named)
    loss = given.get("loss") or gluon.loss.SoftmaxCrossEntropyLoss()
    batch_size, trainer, ctx, num_epochs = (given[name] for name in order[1:])
    print("training on", ctx)
    graph = quick(net, train_iter, ctx)

    def step(batch: Any) -> Tuple[Any, Any, int]:
        X, y = (to_device(values, ctx) for values in batch)
        with autograd.record():
            y_hat = graph(X)
            total = loss(y_hat, y).sum()
        total.backward()
        trainer.step(batch_size)
        return total, count_correct(y_hat, y), y.size

    with winograd.convolutions(device=ctx):
        _epochs(step, train_iter, lambda: evaluate_accuracy_classic(test_iter, graph, ctx), num_epochs, TIMED)


def train_classic(
    train_iter: Iterable[Any], test_iter: Iterable[Any], net: Any, loss: Any, trainer: Any, ctx: Any, num_epochs: int
) -> None:
    """Train a network on one context or several, and print a line after each epoch.

    Args:
        train_iter: batches (X, y) to train on.
        test_iter: batches (X, y) to test on.
        net: a Gluon network whose parameters are on all contexts.
        loss: a function of (y_hat, y) with a value for each example.
        trainer: a ``gluon.Trainer``.
        ctx: an mxnet context or a list of them.
        num_epochs: passes over ``train_iter``.

    Loss and accuracy are means over labels, so they hold for segmentation too. Source: gluonbook, d2lzh, d2l 0.8, 0.9.
    """
    print("training on", ctx)
    train_on(as_contexts(ctx), train_iter, test_iter, net, loss, trainer, num_epochs, TIMED)


def train_on(
    contexts: List[Any],
    train_iter: Iterable[Any],
    test_iter: Iterable[Any],
    net: Any,
    loss: Any,
    trainer: Any,
    num_epochs: int,
    line: str,
) -> None:
    """:func:`train_classic` on a list of contexts, with the line to print after each epoch."""

    def step(batch: Any) -> Tuple[Any, Any, int]:
        Xs, ys, size = split_and_load(batch, contexts)
        with autograd.record():
            y_hats = [net(X) for X in Xs]
            losses = [loss(y_hat, y) for y_hat, y in zip(y_hats, ys)]
        for part in losses:
            part.backward()
        trainer.step(size)
        # a loss of segmentation is a number for each image, already a mean over its labels
        labels, values = sum(y.size for y in ys), sum(part.size for part in losses)
        total = sum(part.sum().as_in_context(mx.cpu()) for part in losses) * (labels / values)
        return total, sum(count_correct(y_hat, y).as_in_context(mx.cpu()) for y_hat, y in zip(y_hats, ys)), labels

    _epochs(step, train_iter, lambda: evaluate_accuracy_classic(test_iter, net, contexts), num_epochs, line)
