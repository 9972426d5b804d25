"""The textbook's training loop, train_ch6, on a CPU or a GPU, with both clocks.

    train_iter, test_iter = gr.load_data_fashion_mnist(256, resize=96)
    gr.train_ch6(gr.resnet18(), train_iter, test_iter, num_epochs=10, lr=0.05)

The loop knows its network, its batches and its listeners: a progress bar, a CSV file and a figure are listeners, called
with a :class:`Record` after every batch.
"""

import signal
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from time import perf_counter
from typing import Callable, Sequence

from ..devices import to_device, try_gpu
from ..errors import ConfigError, DivergedError
from . import norm_statistics
from .accuracy import evaluate_accuracy
from .checkpoint import Keeper
from .display import default_listener
from .loop import Epoch, Training, start, train_epoch
from .progress import Record, Result
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


@dataclass
class Session:
    """What surrounds a training: who gets its records, when it stops, where checkpoints go, and what it starts from.

    ``listeners`` are called with a :class:`Record` after every batch and once more, with test_acc, at the end of an
    epoch. When ``stop()`` turns true, the current batch is finished and the rest left out. ``keeper`` keeps checkpoints
    and resumes from them. With ``initialize=False``, training goes on from the parameters that the network has.
    """

    listeners: Sequence[Callable[[Record], None]] = ()
    stop: Callable[[], bool] = lambda: False
    keeper: Keeper = field(default_factory=Keeper)
    initialize: bool = True

    def tell(self, record: Record) -> None:
        """Give ``record`` to every listener."""
        for listener in self.listeners:
            listener(record)


def fit(net, train_iter, test_iter, recipe=None, device=None, session=None):
    """Train ``net`` by ``recipe`` on softmax cross-entropy.

    Args:
        net: any Gluon network; hybrid ones are hybridized.
        train_iter, test_iter: batches X (N, C, H, W) float32 and y (N,) class numbers; ``train_iter`` has a length.
        recipe: how to train (recipe.py); the book's plain SGD if None.
        device: an mxnet context; ``try_gpu()`` if None.
        session: a :class:`Session`; Xavier's initial values, no listeners and no checkpoints if None.

    Returns:
        The :class:`Result`. With averaged parameters in the recipe, these are what the network ends with.

    Raises:
        ConfigError: a setting outside its range, or an iterator without batches.
        DivergedError: the loss is no longer a finite number; its ``result`` has the epochs before.
        ModelError: a network that cannot take the kind of arrays in force.
    """
    recipe, session = recipe or Recipe(), session or Session()
    recipe.check()
    device = try_gpu() if device is None else device
    start(net, device, session.initialize)
    result = Result(str(device))
    with Training(net, recipe, device) as training:
        try:
            _train_and_test(training, train_iter, test_iter, session, result)
        except DivergedError as error:
            error.result = result
            raise
        finally:
            result.winograd = bool(training.winograd)
    if training.average:
        training.average.settle()
    return result


def _train_and_test(training, train_iter, test_iter, session, result):
    """Train and test epoch by epoch, from where the session's keeper is; ``result`` gets a Record for each."""
    recipe = training.recipe
    for epoch in range(session.keeper.begin(training, result), recipe.epochs + 1):
        sums = Epoch(epoch, len(train_iter))
        batches, state = session.keeper.open_epoch(iter(train_iter))
        if state:
            sums.resume(state)
        record = train_epoch(training, batches, sums, session)
        if record:
            session.tell(record)
        elif not session.stop():
            raise ConfigError(f"epoch {epoch}: the training iterator gave no batch; expected at least one")
        if not session.stop():
            record = _tested(training, train_iter, test_iter, record, session.stop)
            if not session.stop():
                session.tell(record)
        result.epochs += [record] if record else []
        if session.stop():
            result.stopped = True
            session.keeper.save(sums)
            return
        session.keeper.end_epoch(record)
        if recipe.patience and result.epochs_since_best >= recipe.patience:
            result.ended_early = True
            return


def _tested(training, train_iter, test_iter, record, stop):
    """The record with its test accuracy, unless training was asked to stop meanwhile."""
    started, count = perf_counter(), training.recipe.renewing
    if training.winograd is None:  # a run resumed after the last batch of an epoch: it is tested as the others are
        with borrowed(test_iter) as batches:
            for X, _ in islice(batches, 1):
                training.choose_convolutions(to_device(X, training.device))
    with training.tested() as net, norm_statistics.fresh(net, train_iter, count, training.device, stop):
        test_acc = evaluate_accuracy(net, _until(stop, test_iter), training.device)
    return record if stop() else replace(record, test_acc=test_acc, test_seconds=perf_counter() - started)


def train_ch6(net, train_iter, test_iter, num_epochs, lr, device=None, listeners=None):
    """Train a network as d2l's ``train_ch6`` does, print how it went in three lines, and return the Result.

    Xavier's initial values, SGD with learning rate ``lr``, softmax cross-entropy. ``device`` is ``try_gpu()`` if None;
    ``listeners`` are a live plot in a notebook and a progress bar elsewhere if None. Ctrl-C stops after the batch under
    way. Takes any Gluon network, d2l's and gluoncv's too; hybrid ones are hybridized. Source: d2l, article 001.
    """
    device = try_gpu() if device is None else device
    listeners = [default_listener(num_epochs)] if listeners is None else listeners
    try:
        with interruptible() as stop:
            recipe = Recipe(lr=lr, epochs=num_epochs)
            result = fit(net, train_iter, test_iter, recipe, device, Session(listeners, stop))
    finally:
        for listener in listeners:
            getattr(listener, "close", lambda: None)()
    if result.stopped:
        print("stopped by Ctrl-C")
    if result.last:
        print("\n".join(result.lines()))
    return result
