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
from contextlib import contextmanager
from dataclasses import replace
from time import perf_counter

import mxnet as mx
from mxnet import autograd, gluon, init

from .devices import to_device, try_gpu
from .errors import ConfigError, DivergedError, ModelError
from .evaluate import count_correct, evaluate_accuracy
from .precision import set_precision
from .progress import Record, Result


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


LATE = 0.005  # seconds: a batch that takes longer was not ready


class _Epoch:
    """Sums over one epoch. A batch's loss and hits are fetched only once the next batch has been started, so that the
    device never idles; fetching waits for the batch to be computed."""

    def __init__(self, epoch, num_batches):
        self.epoch, self.num_batches = epoch, num_batches
        self.loss = self.correct = 0.0
        self.batch = self.examples = 0
        self.started, self.wait_seconds = perf_counter(), 0.0
        self.pending = None

    def fetch(self):
        """Take in the batch under way, if there is one; DivergedError if its loss is not a finite number."""
        if self.pending is None:
            return
        (loss, correct, examples), self.pending = self.pending, None
        self.loss += loss.asnumpy().item()
        self.correct += correct.asnumpy().item()
        self.examples += examples
        self.batch += 1
        if not math.isfinite(self.loss):
            raise DivergedError(f"the loss is {self.loss} at epoch {self.epoch}, batch {self.batch} of "
                                f"{self.num_batches}: training diverged; try a smaller learning rate")

    def record(self):
        return Record(self.epoch, self.batch, self.num_batches, self.examples, self.loss / self.examples,
                      self.correct / self.examples, perf_counter() - self.started, self.wait_seconds)


def _forward(net, X):
    try:
        return net(X)
    except TypeError as error:
        if "legacy operator" not in str(error):
            raise
        raise ModelError(f"{net.name} calls operators that refuse NumPy arrays, which npx.set_np() or importing d2l puts "
                         f"in force: call npx.reset_np(), then build the network and its batches anew") from None


def _train_epoch(net, train_iter, loss, trainer, device, sums, tell, stop):
    """One pass over ``train_iter``; returns the Record it ends with, or None where it was stopped before a batch."""
    batches, asked = iter(train_iter), perf_counter()
    for X, y in batches:
        waited = perf_counter() - asked
        sums.wait_seconds += waited
        X, y = to_device(X, device), to_device(y, device)
        with autograd.record():
            y_hat = _forward(net, X)
            l = loss(y_hat, y)
        l.backward()
        trainer.step(len(y))
        under_way = (l.sum(), count_correct(y_hat, y), len(y))
        if sums.pending is not None:
            sums.fetch()
            tell(sums.record())
        sums.pending = under_way
        if stop():
            break
        if waited > LATE:
            # Data are late. What the device computes meanwhile is not waiting: let it finish before the clock starts.
            mx.nd.waitall()
        asked = perf_counter()
    else:
        sums.wait_seconds += perf_counter() - asked
    sums.fetch()
    mx.nd.waitall()
    if hasattr(batches, "close"):
        batches.close()
    return sums.record() if sums.batch else None


def check_settings(num_epochs, lr):
    """Raise ConfigError unless these can be trained with."""
    if isinstance(num_epochs, bool) or not isinstance(num_epochs, int) or num_epochs < 1:
        raise ConfigError(f"num_epochs is {num_epochs!r}: expected a whole number of at least 1")
    if not lr > 0 or not math.isfinite(lr):
        raise ConfigError(f"lr is {lr!r}: expected a learning rate above 0")


def fit(net, train_iter, test_iter, num_epochs, lr, device, listeners=(), stop=lambda: False, precision=None, initialize=True):
    """Train ``net`` from Xavier's initial values by SGD on softmax cross-entropy, and return the :class:`Result`.

    ``train_iter`` and ``test_iter`` give batches X (N, C, H, W) float32, y (N,) class numbers; ``listeners`` are called
    with a :class:`Record` after every batch and once more, with test_acc, at the end of an epoch. When ``stop()`` turns
    true the batch under way is finished and the rest left. ``precision`` is "float32", "bfloat16" (precision.py) or, for
    any network as it is, None; with ``initialize=False`` training goes on from the parameters there are. Raises
    ConfigError, DivergedError when the loss stops being a finite number, and ModelError for a network that cannot take the
    arrays in force.
    """
    check_settings(num_epochs, lr)
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
    loss = gluon.loss.SoftmaxCrossEntropyLoss()
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": lr})
    for epoch in range(1, num_epochs + 1):
        sums = _Epoch(epoch, len(train_iter))
        try:
            record = _train_epoch(net, train_iter, loss, trainer, device, sums, tell, stop)
        except DivergedError as error:
            error.result = result  # the epochs before
            raise
        if record:
            tell(record)
        elif not stop():
            raise ConfigError(f"epoch {epoch}: the training iterator gave no batch; expected at least one")
        if not stop():
            asked = perf_counter()
            test_acc = evaluate_accuracy(net, _until(stop, test_iter), device)
            if not stop():
                record = replace(record, test_acc=test_acc, test_seconds=perf_counter() - asked)
                tell(record)
        result.epochs += [record] if record else []
        if stop():
            result.stopped = True
            break
    return result


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
