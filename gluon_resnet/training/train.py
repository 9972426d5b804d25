"""The textbook's training loop, train_ch6, on a CPU or a GPU, with both clocks.

    train_iter, test_iter = gr.load_data_fashion_mnist(256, resize=96)
    gr.train_ch6(gr.resnet18(), train_iter, test_iter, num_epochs=10, lr=0.05)

The loop knows its network, its batches and its listeners: a progress bar, a CSV file and a figure are listeners, called
with a :class:`Record` after every batch.
"""

import math
import signal
import sys
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import islice
from time import perf_counter

from mxnet import gluon, init

from ..devices import to_device, try_gpu
from ..errors import ConfigError, DivergedError
from . import norm_statistics, winograd
from .accuracy import evaluate_accuracy
from .checkpoint import Keeper
from .loop import Epoch, Training, train_epoch
from .precision import set_precision
from .progress import Result
from .randomness import borrowed
from .recipe import Recipe


@contextmanager
def interruptible():
    """Context in which the first Ctrl-C only asks to stop: gives a function that says whether it has been asked.

    A second Ctrl-C is the usual KeyboardInterrupt. Outside the main thread Ctrl-C is nobody's, and nothing changes.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return

    def ask(signum, frame):
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        print("\nstopping after this batch (Ctrl-C again: at once)", file=sys.stderr, flush=True)

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def _until(stop, batches):
    """``batches`` up to the moment at which ``stop()`` turns true."""
    for batch in batches:
        if stop():
            return
        yield batch


def check_settings(num_epochs, lr):
    """Raise ConfigError unless these can be trained with."""
    if isinstance(num_epochs, bool) or not isinstance(num_epochs, int) or num_epochs < 1:
        raise ConfigError(f"num_epochs is {num_epochs!r}: expected a whole number of at least 1")
    if not lr > 0 or not math.isfinite(lr):
        raise ConfigError(f"lr is {lr!r}: expected a learning rate above 0")


def _open_epoch(training, train_iter, epoch, keeper):
    """(sums, batches) of an epoch: fresh, or where the keeper's checkpoint stands in it."""
    sums = Epoch(epoch, len(train_iter))
    training.begin(len(train_iter))
    batches, state = keeper.open_epoch(iter(train_iter))
    if state:
        sums.resume(state)
    return sums, batches


def fit(
    net,
    train_iter,
    test_iter,
    num_epochs,
    lr,
    device,
    listeners=(),
    stop=lambda: False,
    precision=None,
    initialize=True,
    recipe=None,
    keeper=None,
):
    """Train ``net`` on softmax cross-entropy, by SGD from Xavier's initial values, and return the :class:`Result`.

    ``train_iter`` and ``test_iter`` give batches X (N, C, H, W) float32, y (N,) class numbers; ``listeners`` are called
    with a :class:`Record` after every batch and once more, with test_acc, at the end of an epoch. When ``stop()`` turns
    true the batch under way is finished and the rest left. ``precision`` is "float32", "bfloat16" (precision.py) or,
    for any network as it is, None; with ``initialize=False`` training goes on from the parameters there are. ``recipe``
    (recipe.py) says what else there is beside ``lr``; ``keeper`` (checkpoint.py) keeps checkpoints and takes up old
    ones. With averaged parameters in the recipe, these are what the network ends with. Raises ConfigError,
    DivergedError when the loss stops being a finite number, and ModelError for a network that cannot take the arrays in
    force.
    """
    check_settings(num_epochs, lr)
    recipe = replace(recipe or Recipe(), lr=lr)
    recipe.check()
    result = Result(str(device))

    def tell(record):
        for listener in listeners:
            listener(record)

    if precision is not None:
        set_precision(net, precision, device)
    if initialize:
        net.initialize(force_reinit=True, ctx=device, init=init.Xavier())
    if isinstance(net, gluon.HybridBlock):
        net.hybridize(static_alloc=True, static_shape=True)
    with ExitStack() as opened:

        def choose_convolutions(X):
            wanted = recipe.winograd and winograd.suits(net, X)
            result.winograd = opened.enter_context(winograd.convolutions(wanted, device))

        training, keeper = Training(net, recipe, num_epochs, device, choose_convolutions), keeper or Keeper()
        _epochs(training, train_iter, test_iter, num_epochs, keeper, result, tell, stop)
    if training.average:
        training.average.settle()
    return result


def _epochs(training, train_iter, test_iter, num_epochs, keeper, result, tell, stop):
    """Train and test epoch by epoch, from where the keeper stands; ``result`` takes them."""
    for epoch in range(keeper.begin(training, result), num_epochs + 1):
        sums, batches = _open_epoch(training, train_iter, epoch, keeper)
        try:
            record = train_epoch(training, batches, sums, tell, stop, keeper)
        except DivergedError as error:
            error.result = result  # the epochs before
            raise
        if record:
            tell(record)
        elif not stop():
            raise ConfigError(f"epoch {epoch}: the training iterator gave no batch; expected at least one")
        if not stop():
            record = _tested(training, train_iter, test_iter, record, stop)
            if not stop():
                tell(record)
        result.epochs += [record] if record else []
        if stop():
            result.stopped = True
            keeper.save(sums)
            break
        keeper.end_epoch(record)
        patience = training.recipe.patience
        if patience and keeper.stale >= patience:
            result.ended_early = True
            break


def _tested(training, train_iter, test_iter, record, stop):
    """The record with its test accuracy, unless training was asked to stop meanwhile."""
    asked, count = perf_counter(), training.recipe.renewing
    if training.before_first:  # a run taken up behind the last batch of an epoch: it is tested as the others are
        with borrowed(test_iter) as batches:
            for X, _ in islice(batches, 1):
                training.prepare(to_device(X, training.device))
    with training.tested() as net, norm_statistics.fresh(net, train_iter, count, training.device, stop):
        test_acc = evaluate_accuracy(net, _until(stop, test_iter), training.device)
    return record if stop() else replace(record, test_acc=test_acc, test_seconds=perf_counter() - asked)


def train_ch6(net, train_iter, test_iter, num_epochs, lr, device=None, listeners=None):
    """Train a network as d2l's ``train_ch6`` does, print how it went in three lines, and return the Result.

    Xavier's initial values, SGD with learning rate ``lr``, softmax cross-entropy. ``device`` is ``try_gpu()`` if None;
    ``listeners`` are a live plot in a notebook and a progress bar elsewhere if None. Ctrl-C stops after the batch under
    way. Takes any Gluon network, d2l's and gluoncv's too; hybrid ones are hybridized. Source: d2l, article 001.
    """
    from .display import default_listener

    device = try_gpu() if device is None else device
    listeners = [default_listener(num_epochs)] if listeners is None else listeners
    try:
        with interruptible() as stop:
            result = fit(net, train_iter, test_iter, num_epochs, lr, device, listeners, stop)
    finally:
        for listener in listeners:
            getattr(listener, "close", lambda: None)()
    if result.stopped:
        print("stopped by Ctrl-C")
    if result.last:
        print("\n".join(result.lines()))
    return result
