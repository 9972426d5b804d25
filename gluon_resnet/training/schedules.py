"""Learning rates over a training run, as plain functions of how much of it is done.

    lr = rate("cosine", 0.05, epoch=3.5, num_epochs=10)
    gluon-resnet train fashion-mnist --set schedule=onecycle --set lr=0.1

A schedule multiplies the base rate; ``epoch`` counts with fractions (2.5 is the middle of the third), so a schedule
moves at every batch. Warm-up raises the rate in a straight line and comes before all of them. Sources: cosine,
Loshchilov & Hutter, arXiv 1608.03983 (without restarts); one cycle, Smith & Topin, arXiv 1708.07120; warm-up, Goyal et
al., arXiv 1706.02677.
"""

import math

from ..errors import ConfigError


def constant(done):
    """1 throughout."""
    return 1.0


def cosine(done):
    """Half a cosine from 1 down to 0."""
    return (1 + math.cos(math.pi * done)) / 2


def one_cycle(done, peak=0.3, start=1 / 25, end=1e-4):
    """Half a cosine from ``start`` up to 1 at ``peak`` of the run, then another down to ``end``."""
    if done < peak:
        return start + (1 - start) * (1 - math.cos(math.pi * done / peak)) / 2
    return end + (1 - end) * (1 + math.cos(math.pi * (done - peak) / (1 - peak))) / 2


SCHEDULES = ("constant", "step", "cosine", "poly", "onecycle")


def rate(schedule, lr, epoch, num_epochs, warmup_epochs=0.0, step_epochs=(), step_factor=0.1, power=2.0):
    """The learning rate after ``epoch`` of ``num_epochs``, for the batch that comes then.

    ``schedule``: "constant"; "step" (times ``step_factor`` after each of ``step_epochs``); "cosine"; "poly" ((1 - done)
    to the ``power``); "onecycle". During ``warmup_epochs`` the rate rises in a straight line to ``lr``; the schedule
    has the rest of the run. Raises ConfigError for another name.
    """
    if schedule not in SCHEDULES:
        raise ConfigError(f"schedule is {schedule!r}: expected one of {', '.join(SCHEDULES)}")
    if epoch < warmup_epochs:
        return lr * epoch / warmup_epochs if epoch > 0 else lr * 1e-3  # not 0: a batch without effect helps nobody
    if schedule == "step":
        return lr * step_factor ** sum(epoch >= at for at in step_epochs)
    done = min(1.0, (epoch - warmup_epochs) / max(num_epochs - warmup_epochs, 1e-9))
    return lr * {
        "constant": constant,
        "cosine": cosine,
        "poly": lambda done: (1 - done) ** power,
        "onecycle": one_cycle,
    }[schedule](done)
