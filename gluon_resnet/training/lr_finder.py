"""Which learning rate? A short run whose rate grows from batch to batch, and the loss it had at each.

    found = find_lr(net, train_iter, mx.cpu(), steps=100)
    gluon-resnet train pictures bird_photos --find-lr lr.png

The rate suggested is the one at which the smoothed loss falls fastest; it stops once the loss is four times its least.
Source: Smith, Cyclical Learning Rates, arXiv 1506.01186, section 3.3.
"""

import math
from dataclasses import dataclass, replace

import numpy
import pandas as pd

from ..errors import ConfigError, DivergedError
from ..figures import new_figure
from .loop import Training, start
from .recipe import Recipe

BLOWN_UP = 4.0


@dataclass(frozen=True)
class Found:
    """The table of the run, with the columns lr, loss and smoothed, and the rate suggested."""

    table: pd.DataFrame
    suggestion: float


def smooth(losses, decay=0.9):
    """Exponential moving average of ``losses`` (N,), corrected for its start: float64 (N,)."""
    average, found = 0.0, []
    for i, loss in enumerate(losses, 1):
        average = decay * average + (1 - decay) * loss
        found.append(average / (1 - decay**i))
    return numpy.array(found)


def suggest(rates, smoothed):
    """The rate at which ``smoothed`` (N,) falls fastest over log ``rates`` (N,), before its least value."""
    least = int(numpy.argmin(smoothed))
    if least < 2:
        raise ConfigError(f"the loss does not fall from lr {rates[0]:.1e} on: start lower, or look at the data")
    slope = numpy.gradient(smoothed[: least + 1], numpy.log(rates[: least + 1]))
    return float(rates[int(numpy.argmin(slope))])


def _try_rates(training, train_iter, rates, tell):
    """The mean loss of a batch at each of ``rates`` (N,), up to where it blows up or the data end."""
    losses = []
    while True:
        before = len(losses)
        for X, y in train_iter:
            total, _, examples = training.step(X, y, rates[len(losses)])
            loss = total.asnumpy().item() / examples
            tell(len(losses) + 1, len(rates))
            if not math.isfinite(loss):
                return losses
            losses.append(loss)
            if len(losses) == len(rates) or smooth(losses)[-1] > BLOWN_UP * smooth(losses).min():
                return losses
        if len(losses) == before:
            return losses


def find_lr(
    net, train_iter, device, low=1e-6, high=1.0, steps=100, recipe=None, initialize=True, tell=lambda step, steps: None
):
    """Train ``net`` for up to ``steps`` batches with a rate that grows from ``low`` to ``high``: a :class:`Found`.

    The rate grows by the same factor at every batch.    The network's parameters are those of the experiment
    afterwards: train from fresh ones. ``recipe`` says with what optimizer; its schedule does not count. Raises
    ConfigError if the loss does not fall at all.
    """
    if not 0 < low < high or steps < 10:
        raise ConfigError(f"low {low}, high {high}, steps {steps}: expected 0 < low < high and at least 10 steps")
    recipe = replace(recipe or Recipe(), lr=low, schedule="constant", warmup_epochs=0, accumulate=1)
    start(net, device, initialize)
    rates = low * (high / low) ** (numpy.arange(steps) / (steps - 1))
    with Training(net, recipe, device) as training:
        losses = _try_rates(training, train_iter, rates, tell)
    if len(losses) < 3:
        raise DivergedError(f"the loss is not finite after {len(losses)} batches at lr {low:g}: start lower")
    smoothed = smooth(losses)
    table = pd.DataFrame({"lr": rates[: len(losses)], "loss": losses, "smoothed": smoothed})
    return Found(table, suggest(rates, smoothed))


def draw(found):
    """Loss over the rate as a Figure, with the rate suggested."""
    figure = new_figure(6, 3.6)
    axes, table = figure.subplots(), found.table
    axes.semilogx(table["lr"], table["loss"], color="tab:blue", alpha=0.3, label="each batch")
    axes.semilogx(table["lr"], table["smoothed"], color="tab:blue", label="smoothed")
    axes.axvline(found.suggestion, color="tab:red", linestyle="--", label=f"falls fastest: {found.suggestion:.1e}")
    low, high = table["smoothed"].min(), table["smoothed"].iloc[0]
    axes.set(xlabel="learning rate", ylabel="loss", ylim=(low - 0.1 * (high - low), high + 0.6 * (high - low)))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return figure
