"""Learning rates over a training run, as plain functions of the share of it that is done.

    lr = rate("cosine", 0.05, epoch=3.5, num_epochs=10)
    gluon-resnet train fashion-mnist --set schedule=onecycle --set lr=0.1

A schedule is a factor on the base rate. ``epoch`` has fractions (2.5 is the middle of the third), so the rate changes
at every batch. Warm-up raises the rate in a straight line; the schedule begins after it. Sources: cosine, Loshchilov &
Hutter, arXiv 1608.03983 (without restarts); one cycle, Smith & Topin, arXiv 1708.07120; warm-up, Goyal et al., arXiv
1706.02677.
"""

import math
from typing import Callable, Dict, Sequence

from ..errors import ConfigError


def constant(done: float) -> float:
    """The factor 1 throughout."""
    return 1.0


def cosine(done: float) -> float:
    """Half a cosine from 1 down to 0, after the share ``done`` of the run."""
    return (1 + math.cos(math.pi * done)) / 2


def one_cycle(done: float, peak: float = 0.3, start: float = 1 / 25, end: float = 1e-4) -> float:
    """Half a cosine up, then half a cosine down.

    Args:
        done: the share of the run that is done, from 0 to 1.
        peak: the share at which the factor is 1.
        start: the factor at the beginning.
        end: the factor at the end.
    """
    if done < peak:
        return start + (1 - start) * (1 - math.cos(math.pi * done / peak)) / 2
    return end + (1 - end) * (1 + math.cos(math.pi * (done - peak) / (1 - peak))) / 2


def side(epoch: int, first: int, last: int, full: int, step: int = 4) -> int:
    """The side of the training images in an epoch, in pixels: it grows in a straight line, by multiples of ``step``.

    So few sizes have to be set up, and their planes fit the tiles of Winograd's convolutions. Source: progressive
    resizing, Howard et al., DAWNBench 2018 (fast.ai).

    Args:
        epoch: from 1.
        first: the side in the first epoch.
        last: the side from epoch ``full`` on.
        full: the first epoch of full side; 1 is no growth.
        step: pixels.
    """
    if epoch >= full:
        return last
    return min(last, step * round((first + (last - first) * (epoch - 1) / (full - 1)) / step))


SCHEDULES = ("constant", "step", "cosine", "poly", "onecycle")


def rate(
    schedule: str,
    lr: float,
    epoch: float,
    num_epochs: float,
    warmup_epochs: float = 0.0,
    step_epochs: Sequence[float] = (),
    step_factor: float = 0.1,
    power: float = 2.0,
) -> float:
    """The learning rate after ``epoch`` epochs, for the next batch.

    Args:
        schedule: "constant"; "step": times ``step_factor`` after each of ``step_epochs``; "cosine"; "poly": (1 - done)
            to the ``power``; "onecycle".
        lr: the base rate.
        epoch: epochs done, with fractions.
        num_epochs: epochs of the whole run.
        warmup_epochs: epochs in which the rate rises in a straight line to ``lr``; the schedule has the rest of the
            run.
        step_epochs: for "step".
        step_factor: for "step".
        power: for "poly".

    Raises:
        ConfigError: another schedule.
    """
    if schedule not in SCHEDULES:
        raise ConfigError(f"schedule is {schedule!r}: expected one of {', '.join(SCHEDULES)}")
    if epoch < warmup_epochs:
        return lr * epoch / warmup_epochs if epoch > 0 else lr * 1e-3  # not 0: a batch without effect helps nobody
    if schedule == "step":
        return lr * step_factor ** sum(epoch >= at for at in step_epochs)
    done = min(1.0, (epoch - warmup_epochs) / max(num_epochs - warmup_epochs, 1e-9))
    factors: Dict[str, Callable[[float], float]] = {
        "constant": constant,
        "cosine": cosine,
        "poly": lambda done: (1 - done) ** power,
        "onecycle": one_cycle,
    }
    return lr * factors[schedule](done)
