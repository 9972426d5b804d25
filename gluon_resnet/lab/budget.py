"""How long an experiment will take, from 20 steps of the real thing, and what of it fits into the minutes given.

    gluon-resnet run degradation --budget 20m

A miniature of each arm's run is made as the run itself will be: data found, network built and compiled, a few batches
to warm up, 20 timed ones, some test batches, checkpoint and results written. The rest is arithmetic. What comes after
all runs (tables, pictures, depth probes: a minute at most) is not in the prediction.
"""

import itertools
import re
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter

import pandas as pd

from ..errors import ConfigError
from ..runs.kinds import kind_of
from ..runs.launch import execute

WARM_UP, TIMED, TESTED = 3, 20, 6  # batches
SHARE = 0.2  # of the budget at most for the timed batches


def parse(text):
    """Seconds in "20m", "90s", "1h" or "1h30m"; ConfigError for anything else."""
    try:
        if not re.fullmatch(r"(\d+(\.\d+)?\s*[hms]\s*)+", text.strip().lower()):
            raise ValueError
        seconds = pd.Timedelta(text.strip().lower()).total_seconds()
    except ValueError:
        raise ConfigError(f"--budget {text}: expected a time such as 90s, 20m or 1h30m") from None
    if not seconds > 0:
        raise ConfigError(f"--budget {text}: expected more than no time")
    return seconds


@dataclass(frozen=True)
class Cost:
    """Seconds of a run outside its epochs, of an epoch outside its batches, and of a batch to train on and to test."""

    run: float
    epoch: float
    step: float
    test: float

    def seconds(self, epochs, steps, tests):
        """Of a run of ``epochs`` epochs with ``steps`` training and ``tests`` test batches each, fractions allowed."""
        return self.run + epochs * (self.epoch + steps * self.step + tests * self.test)


class Passes:
    """Another iterator's batches, but ``counts[i]`` of them in the i-th pass, begun again if they do not suffice."""

    def __init__(self, batches, counts):
        self.batches, self.counts, self.done = batches, list(counts), 0

    def __len__(self):
        return self.counts[self.done]

    def __iter__(self):
        count, self.done = len(self), min(self.done + 1, len(self.counts) - 1)
        yield from itertools.islice(itertools.chain.from_iterable(itertools.repeat(self.batches)), count)


class Stopwatch:
    """A listener that keeps the time of every Record; ConfigError as soon as more than ``most`` seconds are gone.

    ``passes`` are the training batches: once the first pass is through, its second one is made shorter where the timed
    batches would take more than ``share`` seconds.
    """

    def __init__(self, passes, most, share, clock=perf_counter):
        self.passes, self.most, self.share, self.clock = passes, most, share, clock
        self.began, self.seen = clock(), []

    def __call__(self, record):
        self.seen.append((self.clock(), record))
        if self.clock() - self.began > self.most:
            raise TooLong
        if record.epoch == 1 and record.test_acc is not None:
            step = _step([one for _, one in self.seen if one.test_acc is None])
            self.passes.counts[1] = int(max(2, min(TIMED, self.share / max(step, 1e-9))))

    def cost(self, tests):
        """The Cost, once the miniature run of two epochs is over; its second epoch had ``tests`` test batches."""
        total = self.clock() - self.began
        (first_end, first), (_, last) = [(stamp, one) for stamp, one in self.seen if one.test_acc is not None]
        timed = [(stamp, one) for stamp, one in self.seen if one.epoch == 2 and one.test_acc is None]
        stamp, one = timed[0]
        step, test = _step([one for _, one in timed]), last.test_seconds / tests
        epoch = max(0.0, last.seconds - last.batch * step) + max(0.0, stamp - one.seconds - first_end)
        batches = (first.batch + last.batch) * step + (1 + tests) * test
        return Cost(max(0.0, total - 2 * epoch - batches), epoch, step, test)


class TooLong(Exception):
    """The budget is gone before the first run has begun."""


def _step(records):
    """Seconds a batch, from the first of an epoch's records to the last."""
    first, last = records[0], records[-1]
    return (last.seconds - first.seconds) / max(1, last.batch - first.batch)


@dataclass(frozen=True)
class Load:
    """What an arm has to do: ``runs`` runs of ``epochs`` epochs, of so many training and test pictures in batches."""

    runs: int
    cost: Cost
    epochs: int
    examples: int
    tests: int
    batch_size: int
    norm_batches: int = 0  # passes after each epoch, for batch norm's statistics: each takes about a step

    def seconds(self, epochs=None, limit=None):
        """Of all its runs, with at most so many epochs and training pictures."""
        epochs = min(self.epochs, epochs or self.epochs)
        examples = min(self.examples, limit or self.examples)
        steps = examples / self.batch_size
        return self.runs * self.cost.seconds(
            epochs, steps + min(steps, self.norm_batches), self.tests / self.batch_size
        )


def measure(config, runs, most, arms=1):
    """The Load of ``runs`` runs of ``config``, measured with a miniature run; ``arms`` share the budget.

    Raises TooLong once ``most`` seconds are gone, and KeyboardInterrupt where Ctrl-C stopped the run.
    """
    import mxnet as mx

    began = perf_counter()
    job = kind_of(config).job(config)
    tests = min(TESTED, len(job.test_iter))
    training, testing = Passes(job.train_iter, (WARM_UP, TIMED)), Passes(job.test_iter, (1, tests))
    watch = Stopwatch(training, most, SHARE * most / arms)
    watch.began = began
    with tempfile.TemporaryDirectory() as folder, mx.name.NameManager():
        short = replace(config, epochs=2, patience=0, norm_batches=0)  # the passes for batch norm are reckoned as steps
        result, _ = execute(
            short,
            replace(job, train_iter=training, test_iter=testing),
            Path(folder) / "run",
            lambda line: None,
            make_listener=lambda epochs: watch,
        )
    if result.stopped:
        raise KeyboardInterrupt
    return Load(
        runs,
        watch.cost(tests),
        config.epochs,
        job.train_iter.num_examples,
        job.test_iter.num_examples,
        config.batch_size,
        config.renewing,
    )


def fit(loads, seconds, can_limit=True):
    """(epochs, limit, seconds predicted) that fit into ``seconds``: fewer epochs first, then the first pictures only.

    ``loads``: [Load] by arm. None means that nothing need be changed, in whole batches for pictures. Raises TooLong
    where not even one epoch fits, of one batch if ``can_limit``.
    """

    def predicted(epochs=None, limit=None):
        return sum(load.seconds(epochs, limit) for load in loads)

    if predicted() <= seconds:
        return None, None, predicted()
    for epochs in range(max(load.epochs for load in loads) - 1, 0, -1):
        if predicted(epochs) <= seconds:
            return epochs, None, predicted(epochs)
    batch = max(load.batch_size for load in loads)
    low, high = 0, max(load.examples for load in loads) // batch
    while can_limit and low < high:  # the most batches that fit lie in low ... high
        middle = (low + high + 1) // 2
        low, high = (middle, high) if predicted(1, middle * batch) <= seconds else (low, middle - 1)
    if not low:
        raise TooLong
    epochs = 1 if max(load.epochs for load in loads) > 1 else None
    return epochs, low * batch, predicted(1, low * batch)


def least(loads, can_limit=True):
    """Seconds of the least that can be run: one epoch each, of one batch if ``can_limit``."""
    return sum(load.seconds(1, load.batch_size if can_limit else None) for load in loads)


def shortened(config, epochs, limit):
    """``config`` with at most so many epochs and training pictures; its schedule keeps its shape."""
    changes = {}
    if epochs is not None and epochs < config.epochs:
        scale = epochs / config.epochs
        changes = {
            "epochs": epochs,
            "warmup_epochs": config.warmup_epochs * scale,
            "step_epochs": tuple(at * scale for at in config.step_epochs),
        }
    if limit is not None:
        changes["limit"] = min(limit, config.limit or limit)
    return replace(config, **changes)


def changes(before, after):
    """{field: [value before, value after]} of two configs."""
    now = asdict(after)
    return {name: [value, now[name]] for name, value in asdict(before).items() if value != now[name]}
