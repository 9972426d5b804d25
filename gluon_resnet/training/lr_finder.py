"""A learning rate for a network: a short run whose rate grows from batch to batch, and the loss at each.

    result = find_lr(net, train_iter, steps=100)
    result.suggestion
    gluon-resnet train pictures bird_photos --find-lr lr.png

The rate suggested is the one around which the smoothed loss falls most, over a quarter of the rates. The run stops once
the smoothed loss is four times its minimum.
Source: Smith, Cyclical Learning Rates, arXiv 1506.01186, section 3.3.
"""

import math
from dataclasses import dataclass, replace
from typing import Any, Callable, Iterable, List, Optional, Sequence

import numpy
import pandas as pd
from matplotlib.figure import Figure

from ..devices import try_gpu
from ..errors import ConfigError, DivergedError
from ..figures import new_figure
from ..text import count
from .batches import Taken, check_labels
from .initial import whiten
from .loop import Training, start
from .recipe import Recipe

BLOWN_UP = 4.0
#: batches at the start, a quarter at most, that suggest no rate: the average is of few losses there, so it jumps (as in
#: Lightning's lr_finder, skip_begin)
SKIPPED = 10


@dataclass(frozen=True)
class Found:
    """The table of the run, with the columns lr, loss and smoothed, and the suggested rate."""

    table: pd.DataFrame
    suggestion: float


def smooth(losses: Sequence[float], decay: float = 0.9) -> numpy.ndarray:
    """Exponential moving average of ``losses`` (N,), corrected for its start: float64 (N,)."""
    average, averages = 0.0, []
    for i, loss in enumerate(losses, 1):
        average = decay * average + (1 - decay) * loss
        averages.append(average / (1 - decay**i))
    return numpy.array(averages)


def suggest(rates: numpy.ndarray, smoothed: numpy.ndarray) -> float:
    """The rate around which ``smoothed`` (N,) falls most over log ``rates`` (N,), before its minimum.

    ``rates`` grow by the same factor from one to the next. The fall is taken over a quarter of them, as losses of small
    batches jump more from one rate to the next than they fall. The first SKIPPED rates are left out. Raises ConfigError
    if the loss is least at one of the two after them.
    """
    first = min(SKIPPED, len(rates) // 4)
    rates, smoothed = rates[first:], smoothed[first:]
    least = int(numpy.argmin(smoothed))
    if least < 2:
        raise ConfigError(
            f"the loss does not fall from lr {rates[0]:.1e} on: start lower, take larger batches, or look at the data"
        )
    reach = max(1, min(len(rates) // 8, least // 2))
    falls = smoothed[2 * reach : least + 1] - smoothed[: least + 1 - 2 * reach]  # rates grow by the same factor
    return float(rates[reach + int(numpy.argmin(falls))])


def _try_rates(
    training: Training,
    train_iter: Taken,
    rates: numpy.ndarray,
    tell: Callable[[int, int], Any],
) -> List[float]:
    """The mean loss of a batch at each of ``rates`` (N,), until it blows up or ``train_iter`` gives no batch."""
    losses: List[float] = []
    while True:
        before = len(losses)
        for X, y in train_iter:
            step = training.step(X, y, rates[len(losses)])
            loss = step.loss.asnumpy().item() / step.examples
            check_labels(step.y, step.num_classes, f"train_iter, batch {len(losses) + 1}")
            tell(len(losses) + 1, len(rates))
            if not math.isfinite(loss):
                return losses
            losses.append(loss)
            if len(losses) == len(rates) or smooth(losses)[-1] > BLOWN_UP * smooth(losses).min():
                return losses
        if len(losses) == before:
            return losses


def find_lr(
    net: Any,
    train_iter: Iterable[Any],
    device: Any = None,
    low: float = 1e-6,
    high: float = 1.0,
    steps: int = 100,
    recipe: Optional[Recipe] = None,
    initialize: bool = True,
    tell: Callable[[int, int], Any] = lambda step, steps: None,
) -> Found:
    """Train ``net`` for some batches with a rate that grows by the same factor at each.

    The network keeps the parameters of this experiment: initialize it again before training.

    Args:
        net: any Gluon network.
        train_iter: batches X (N, C, H, W) float32 and y (N,) class numbers; iterated again when it ends.
        device: an mxnet context; ``try_gpu()`` if None.
        low: the first rate.
        high: the last rate.
        steps: number of batches, at least 10.
        recipe: how to train; its lr, schedule, warm-up and accumulate are ignored. The book's plain SGD if None.
        initialize: begin with Xavier's initial values; otherwise with the network's parameters.
        tell: called after each batch with (batches done, ``steps``).

    Returns:
        The losses and the suggested rate.

    Raises:
        ConfigError: a value outside its range, or a loss that does not fall.
        DataError, ModelError, ShapeError: a batch that does not fit the network.
        DivergedError: the loss is not finite after fewer than 3 batches.
    """
    if not 0 < low < high or steps < 10:
        raise ConfigError(f"low {low}, high {high}, steps {steps}: expected 0 < low < high and at least 10 steps")
    recipe = replace(recipe or Recipe(), lr=low, schedule="constant", warmup_epochs=0, accumulate=1)
    device = try_gpu() if device is None else device
    start(net, device, recipe, initialize)
    rates = low * (high / low) ** (numpy.arange(steps) / (steps - 1))
    with Training(net, recipe, device) as training:
        batches = Taken(train_iter, "train_iter", net)
        if initialize:
            whiten(net, recipe, batches)
        losses = _try_rates(training, batches, rates, tell)
    if len(losses) < 3:
        raise DivergedError(f"the loss is not finite after {count(len(losses), 'batch')} at lr {low:g}: start lower")
    smoothed = smooth(losses)
    table = pd.DataFrame({"lr": rates[: len(losses)], "loss": losses, "smoothed": smoothed})
    return Found(table, suggest(rates, smoothed))


def draw(result: Found) -> Figure:
    """Loss over the rate as a Figure, with the suggested rate."""
    figure = new_figure(6, 3.6)
    axes, table = figure.subplots(), result.table
    axes.loglog(table["lr"], table["loss"], color="tab:blue", alpha=0.3, label="each batch")
    axes.loglog(table["lr"], table["smoothed"], color="tab:blue", label="smoothed")
    axes.axvline(result.suggestion, color="tab:red", linestyle="--", label=f"falls fastest: {result.suggestion:.1e}")
    axes.set(xlabel="learning rate", ylabel="loss")  # logarithmic: the last losses may be many times the others
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    return figure
