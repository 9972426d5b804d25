"""The textbook's training loop, train_ch6, on a CPU or a GPU, with both clocks.

    train_iter, test_iter = gr.load_data_fashion_mnist(256, resize=96)
    gr.train_ch6(gr.resnet18(), train_iter, test_iter, num_epochs=10, lr=0.05)

Progress bars, CSV files and live plots are listeners, which are called with a :class:`Record` after every batch.
"""

import math
import signal
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from time import perf_counter
from types import FrameType
from typing import Any, Callable, Iterable, Iterator, Optional, Sequence

from ..devices import try_gpu
from ..errors import ConfigError, DivergedError
from . import fused_test, initial, norm_statistics
from .accuracy import evaluate
from .batches import Taken, not_finite
from .checkpoint import Keeper
from .display import default_listener
from .group import ALONE, Group
from .jumps import DIVERGED
from .loop import Training, start, train_epoch
from .progress import Record, Result
from .recipe import Recipe
from .statistics_hint import hint
from .sums import Epoch


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Context in which the first Ctrl-C only asks to stop; gives a function that returns whether it was pressed.

    A second Ctrl-C is the usual KeyboardInterrupt. Threads other than the main one do not get Ctrl-C: nothing changes.
    """
    request = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield request.is_set
        return

    def ask(signum: int, frame: Optional[FrameType]) -> None:
        if request.is_set():
            raise KeyboardInterrupt
        request.set()
        print("\nstopping after this batch (Ctrl-C again: at once)", file=sys.stderr, flush=True)

    handler = signal.signal(signal.SIGINT, ask)
    try:
        yield request.is_set
    finally:
        signal.signal(signal.SIGINT, handler)


@dataclass
class Session:
    """The surroundings of a training: who gets its records, when it stops, its checkpoints, and how it starts.

    Args:
        listeners: called with a :class:`Record` after every batch and once more at the end of an epoch, with
            test_acc and test_loss. While a test goes on, their methods ``testing`` are, if they have one.
        stop: once it returns true, the current batch is finished and the rest left out.
        keeper: keeps checkpoints and resumes from them.
        initialize: begin with Xavier's initial values; otherwise training goes on from the network's parameters.
        group: the processes that train together; the batches are then this one's share.
    """

    listeners: Sequence[Callable[[Record], None]] = ()
    stop: Callable[[], bool] = lambda: False
    keeper: Keeper = field(default_factory=Keeper)
    initialize: bool = True
    group: Group = ALONE

    def tell(self, record: Record) -> None:
        """Call every listener with ``record``."""
        for listener in self.listeners:
            listener(record)

    def tell_testing(self, batch: int, num_batches: Optional[int]) -> None:
        """Tell the listeners that have a method ``testing`` that ``batch`` of a test's ``num_batches`` are done.

        The number of batches is None if it is not known.
        """
        for listener in self.listeners:
            testing = getattr(listener, "testing", None)
            if testing:
                testing(batch, num_batches)


def fit(
    net: Any,
    train_iter: Iterable[Any],
    test_iter: Iterable[Any],
    recipe: Optional[Recipe] = None,
    device: Any = None,
    session: Optional[Session] = None,
    norm_batches: Optional[int] = None,
) -> Result:
    """Train ``net`` on softmax cross-entropy, as ``recipe`` says.

    Args:
        net: any Gluon network with outputs (N, classes); hybrid ones are hybridized.
        train_iter: batches X (N, C, H, W) float32 and y (N,) class numbers from 0; ``len()`` is their number, or they
            are counted in a pass of their own. NumPy's arrays, other dtypes, labels (N, 1) and the iterators of mx.io
            are taken, too (batches.py).
        test_iter: batches of the same kind.
        recipe: how to train (recipe.py); the book's plain SGD if None.
        device: an mxnet context; ``try_gpu()`` if None.
        session: a :class:`Session`; Xavier's initial values, no listeners and no checkpoints if None.
        norm_batches: training batches from which batch-norm statistics are re-estimated before each test; as in the
            recipe if None.

    Returns:
        The :class:`Result`; its ``hint`` says if the test accuracy is low for want of ``norm_batches``. If the recipe
        averages parameters, the network ends with the averages.

    Raises:
        ConfigError: a setting outside its range, or an iterator without batches.
        DataError: a batch that cannot be used, such as labels beyond the network's outputs.
        DivergedError: a loss or a parameter is no longer finite; its ``result`` has the epochs before that.
        ModelError: a network that cannot take the current kind of arrays, NumPy's or classic, or with other outputs.
        ShapeError: a network that cannot take X.
    """
    recipe, session = recipe or Recipe(), session or Session()
    recipe = recipe if norm_batches is None else replace(recipe, norm_batches=norm_batches)
    recipe.check()
    device = try_gpu() if device is None else device
    start(net, device, recipe, session.initialize)
    train = Taken(train_iter, "train_iter", net)
    test = train if test_iter is train_iter else Taken(test_iter, "test_iter", net)
    result = Result(str(device))
    with Training(net, recipe, device, session.group) as training:
        try:
            _train_and_test(training, train, test, session, result)
        except DivergedError as error:
            told = _blamed(error, train, test)
            told.result = result
            raise told from None
        finally:
            result.winograd = training.winograd
    if training.average:
        training.average.settle()
    if result.last:
        result.hint = hint(net, train, result.last, recipe, device)
    return result


def _blamed(error: DivergedError, *parts: Taken) -> DivergedError:
    """The error itself, or one that blames the data if a batch of them is not finite: no learning rate helps then."""
    found = next(filter(None, map(not_finite, parts)), None)
    return DivergedError(str(error).replace(DIVERGED, f"{found}: correct the data")) if found else error


def _train_and_test(training: Training, train_iter: Taken, test_iter: Taken, session: Session, result: Result) -> None:
    """Train and test epoch by epoch, from the checkpoint of the session's keeper on; ``result`` gets the Records."""
    recipe = training.recipe
    for epoch in range(session.keeper.begin(training, result), recipe.epochs + 1):
        train_iter.set_epoch(epoch)
        sums = Epoch(epoch, len(train_iter), training)
        if epoch == 1 and session.initialize:  # on the clock
            initial.whiten(training.net, recipe, train_iter, training.group.totals)
        batches, state = session.keeper.open_epoch(iter(train_iter))
        if state:
            sums.resume(state)
        record = train_epoch(training, batches, sums, session)
        if record:
            session.tell(record)
            training.check_parameters(epoch)
        elif not session.stop():
            raise ConfigError(f"epoch {epoch}: the training iterator gave no batch; expected at least one")
        if record and not session.stop():
            may_be_last = epoch == recipe.epochs or bool(recipe.patience)
            record = _tested(training, train_iter, test_iter, record, session, may_be_last)
            if record.test_acc is not None:
                session.tell(record)
        result.epochs += [record] if record else []
        if record is None or record.test_acc is None:  # stopped before its end, or within its test
            result.stopped = True
            session.keeper.save(sums)
            return
        session.keeper.end_epoch(record)
        if session.stop() and epoch < recipe.epochs:
            result.stopped = True
            return
        if recipe.patience and result.epochs_since(recipe.patience_metric) >= recipe.patience:
            result.ended_early = True
            return


def _tested(
    training: Training,
    train_iter: Taken,
    test_iter: Taken,
    record: Record,
    session: Session,
    may_be_last: bool,
) -> Record:
    """The record with its test accuracy and loss, unless training was asked to stop in the meantime.

    If it may be the last, also with the accuracy from several views of each image, which has a clock of its own.
    """
    started, count, stop, number = perf_counter(), training.recipe.renewing, session.stop, test_iter.known_number
    session.tell_testing(0, number)
    training.average_statistics()
    with training.tested() as net, norm_statistics.fresh(net, train_iter, count, training.device, stop):
        if count:
            training.average_statistics()
        network = fused_test.network_for(net, test_iter, training.device)
        totals, tell = training.group.totals, partial(session.tell_testing, num_batches=number)
        test_acc, test_loss = evaluate(network, test_iter, training.device, stop, totals, tell=tell)
        ended = perf_counter()
        views = training.recipe.test_views if may_be_last else 1
        if views > 1:
            views_acc, _ = evaluate(network, test_iter, training.device, stop, totals, views, tell)
            record = replace(record, views_acc=views_acc, views_seconds=perf_counter() - ended)
    if stop():
        return replace(record, views_acc=None, views_seconds=None)
    if not math.isfinite(test_loss):
        raise DivergedError(f"the test loss is {test_loss} after {training.place}: {DIVERGED}")
    return replace(record, test_acc=test_acc, test_loss=test_loss, test_seconds=ended - started)


def train_ch6(
    net: Any,
    train_iter: Iterable[Any],
    test_iter: Iterable[Any],
    num_epochs: int,
    lr: float,
    device: Any = None,
    listeners: Optional[Sequence[Callable[[Record], None]]] = None,
    norm_batches: int = 0,
) -> Result:
    """Train a network as d2l's ``train_ch6`` does, and print the result in three lines.

    Xavier's initial values, SGD, softmax cross-entropy. Ctrl-C stops after the current batch. Source: d2l, article 001.

    Args:
        net: any Gluon network, d2l's and gluoncv's too; hybrid ones are hybridized.
        train_iter: batches X (N, C, H, W) float32 and y (N,) class numbers, or others that :func:`fit` takes.
        test_iter: batches of the same kind.
        num_epochs: passes over ``train_iter``.
        lr: the learning rate.
        device: an mxnet context; ``try_gpu()`` if None.
        listeners: called with a :class:`Record` after every batch; a live plot in a notebook and a progress bar
            elsewhere if None.
        norm_batches: training batches from which batch-norm statistics are re-estimated before each test; 0 tests as
            the book does. After a short trial it may give several times the test accuracy; a line says so.

    Returns:
        The :class:`Result`.

    Raises:
        ConfigError: a setting outside its range, or an iterator without batches.
        DataError: a batch that cannot be used, such as labels beyond the network's outputs.
        DivergedError: the loss or a parameter is no longer finite.
        ModelError: a network that cannot take the current kind of arrays, NumPy's or classic, or with other outputs.
        ShapeError: a network that cannot take X.
    """
    device = try_gpu() if device is None else device
    listeners = [default_listener(num_epochs)] if listeners is None else listeners
    try:
        with interruptible() as stop:
            recipe = Recipe(lr=lr, epochs=num_epochs, norm_batches=norm_batches)
            result = fit(net, train_iter, test_iter, recipe, device, Session(listeners, stop))
    finally:
        for listener in listeners:
            getattr(listener, "close", lambda: None)()
    if result.stopped:
        print("stopped by Ctrl-C")
    if result.last:
        print("\n".join(result.lines() + ([result.hint] if result.hint else [])))
    return result
