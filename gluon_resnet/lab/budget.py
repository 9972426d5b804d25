"""How long an experiment will take, and how much of it fits into a budget of time.

    gluon-resnet run degradation --budget 20m

This module is for users of ``--budget``, who want a shortened experiment on a slow machine; other runs do not use it.

A small run of each arm is made as the real one will be: it opens the data, builds and compiles the network, trains on a
few batches to warm up and on 20 timed ones, tests on some, and writes checkpoint and results. The rest is arithmetic.
The prediction leaves out what comes after all runs (tables, figures, depth probes), which takes a minute at most.
"""

import itertools
import re
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

import pandas as pd

from ..errors import ConfigError
from ..runs.kinds import kind_of
from ..runs.launch import execute
from ..training.progress import Record

WARM_UP, TIMED, TESTED = 3, 20, 6  # batches
SHARE = 0.2  # largest share of the budget for the timed batches


def parse(text: str) -> float:
    """Seconds in "20m", "90s", "1h" or "1h30m"; raises ConfigError for anything else."""
    try:
        if not re.fullmatch(r"(\d+(\.\d+)?\s*[hms]\s*)+", text.strip().lower()):
            raise ValueError
        seconds = pd.Timedelta(text.strip().lower()).total_seconds()
    except ValueError:
        raise ConfigError(f"--budget {text}: expected a time such as 90s, 20m or 1h30m") from None
    if not seconds > 0:
        raise ConfigError(f"--budget {text}: expected more than 0 s")
    return seconds


@dataclass(frozen=True)
class Cost:
    """The parts of a run's time, in seconds."""

    run: float  # outside all epochs
    epoch: float  # in each epoch, outside its batches
    step: float  # for a training batch
    test: float  # for a test batch

    def seconds(self, epochs: int, steps: float, tests: float) -> float:
        """Seconds of a run with ``epochs`` epochs of ``steps`` training and ``tests`` test batches."""
        return self.run + epochs * (self.epoch + steps * self.step + tests * self.test)


class Passes:
    """The batches of another iterator, ``counts[i]`` of them in the i-th pass; it is started again if it is shorter."""

    def __init__(self, batches: Any, counts: Sequence[int]) -> None:
        self.batches, self.counts, self.done = batches, list(counts), 0

    def __len__(self) -> int:
        return self.counts[self.done]

    def __iter__(self) -> Iterator[Any]:
        count, self.done = len(self), min(self.done + 1, len(self.counts) - 1)
        yield from itertools.islice(itertools.chain.from_iterable(itertools.repeat(self.batches)), count)


class Stopwatch:
    """A listener that keeps the time of every Record; it raises TooLong after ``most`` seconds.

    Args:
        passes: the training batches. After the first pass, the second one is shortened if its batches would take longer
            than ``share``.
        most: seconds for the whole small run.
        share: seconds for its timed batches.
        clock: function that returns the time in seconds.
    """

    def __init__(self, passes: Passes, most: float, share: float, clock: Callable[[], float] = perf_counter) -> None:
        self.passes, self.most, self.share, self.clock = passes, most, share, clock
        self.began = clock()
        self.seen: List[Tuple[float, Record]] = []  # records with their times

    def __call__(self, record: Record) -> None:
        self.seen.append((self.clock(), record))
        if self.clock() - self.began > self.most:
            raise TooLong
        if record.epoch == 1 and record.test_acc is not None:
            step = _step([before for _, before in self.seen if before.test_acc is None])
            self.passes.counts[1] = int(max(2, min(TIMED, self.share / max(step, 1e-9))))

    def cost(self, tests: int) -> Cost:
        """The Cost, after the small run of two epochs, whose second epoch had ``tests`` test batches."""
        total = self.clock() - self.began
        (first_end, first), (_, last) = [entry for entry in self.seen if entry[1].test_acc is not None]
        timed = [entry for entry in self.seen if entry[1].epoch == 2 and entry[1].test_acc is None]
        stamp, second = timed[0]
        step, test = _step([record for _, record in timed]), (last.test_seconds or 0.0) / tests
        epoch = max(0.0, last.seconds - last.batch * step) + max(0.0, stamp - second.seconds - first_end)
        batches = (first.batch + last.batch) * step + (1 + tests) * test
        return Cost(max(0.0, total - 2 * epoch - batches), epoch, step, test)


class TooLong(Exception):
    """The budget is used up before the first run has started."""


def _step(records: Sequence[Record]) -> float:
    """Seconds for a batch, from the first of an epoch's records to the last."""
    first, last = records[0], records[-1]
    return (last.seconds - first.seconds) / max(1, last.batch - first.batch)


#: a pass forward, in training steps: 0.31 measured with ResNet-18 at 28x28, batch size 128 (AMD EPYC, 2026-11-28)
FORWARD = 1 / 3


@dataclass(frozen=True)
class Load:
    """The work of an arm."""

    runs: int
    cost: Cost
    epochs: int  # of each run
    examples: int  # training images
    tests: int  # test images
    batch_size: int
    norm_batches: int = 0  # passes after each epoch for batch norm's statistics

    def seconds(self, epochs: Optional[int] = None, limit: Optional[int] = None) -> float:
        """Seconds of all its runs, with at most ``epochs`` epochs and ``limit`` training images, if given."""
        epochs = min(self.epochs, epochs or self.epochs)
        examples = min(self.examples, limit or self.examples)
        steps = examples / self.batch_size
        return self.runs * self.cost.seconds(
            epochs, steps + min(steps, self.norm_batches) * FORWARD, self.tests / self.batch_size
        )


def measure(config: Any, runs: int, most: float, arms: int = 1) -> Load:
    """The Load of an arm, measured with a small run.

    Args:
        config: the config of the arm's runs.
        runs: how many runs the arm has.
        most: seconds that are left of the budget.
        arms: how many arms share the budget.

    Raises:
        TooLong: the small run takes longer than ``most``.
        KeyboardInterrupt: Ctrl-C stopped the small run.
    """
    import mxnet as mx

    began = perf_counter()
    job = kind_of(config).job(config)
    tests = min(TESTED, len(job.test_iter))
    training, testing = Passes(job.train_iter, (WARM_UP, TIMED)), Passes(job.test_iter, (1, tests))
    watch = Stopwatch(training, most, SHARE * most / arms)
    watch.began = began
    with tempfile.TemporaryDirectory() as folder, mx.name.NameManager():
        short = replace(config, epochs=2, patience=0, norm_batches=0)  # the passes for batch norm are counted as steps
        result, _ = execute(
            short,
            replace(job, train_iter=training, test_iter=testing),
            Path(folder) / "run",
            lambda line: None,
            make_listener=lambda epochs: watch,
        )
    if result is not None and result.stopped:
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


def fit(loads: Sequence[Load], seconds: float, can_limit: bool = True) -> Tuple[Optional[int], Optional[int], float]:
    """Shorten an experiment to a budget: first fewer epochs, then only the first images.

    Args:
        loads: the Load of each arm.
        seconds: the budget.
        can_limit: whether the number of training images can be reduced.

    Returns:
        (epochs, number of training images, predicted seconds). The first two are None if they need no change; the
        number of images is a multiple of the batch size.

    Raises:
        TooLong: not even one epoch fits, or one epoch of one batch if ``can_limit``.
    """

    batch = max(load.batch_size for load in loads)
    return search(
        lambda epochs, limit: sum(load.seconds(epochs, limit) for load in loads),
        seconds,
        max(load.epochs for load in loads),
        batch,
        max(load.examples for load in loads) // batch if can_limit else 0,
    )


def search(
    predicted: Callable[[Optional[int], Optional[int]], float],
    seconds: float,
    most: int,
    batch: int,
    batches: int,
    least_batches: int = 1,
) -> Tuple[Optional[int], Optional[int], float]:
    """The most epochs that fit into a budget; if not even one does, the most batches of one epoch.

    Args:
        predicted: a function of (epochs, number of training images), None for all, that returns seconds.
        seconds: the budget.
        most: epochs of all that is asked for.
        batch: images in a batch.
        batches: batches of an epoch; 0 if their number cannot be reduced.
        least_batches: the fewest batches that make sense.

    Returns:
        (epochs, number of training images, predicted seconds), as :func:`fit`.

    Raises:
        TooLong: not even one epoch of the fewest batches fits.
    """
    if predicted(None, None) <= seconds:
        return None, None, predicted(None, None)
    for epochs in range(most - 1, 0, -1):
        if predicted(epochs, None) <= seconds:
            return epochs, None, predicted(epochs, None)
    low, high = 0, batches
    while low < high:  # the largest number of batches that fit is from low to high
        middle = (low + high + 1) // 2
        low, high = (middle, high) if predicted(1, middle * batch) <= seconds else (low, middle - 1)
    if low < least_batches:
        raise TooLong
    return 1 if most > 1 else None, low * batch, predicted(1, low * batch)


def least(loads: Sequence[Load], can_limit: bool = True) -> float:
    """Seconds of the shortest possible runs: one epoch each, of one batch if ``can_limit``."""
    return sum(load.seconds(1, load.batch_size if can_limit else None) for load in loads)


def shortened(config: Any, epochs: Optional[int], limit: Optional[int]) -> Any:
    """``config`` with at most ``epochs`` epochs and ``limit`` training images; its schedule keeps its shape."""
    changes: Dict[str, Any] = {}
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


def changes(before: Any, after: Any) -> Dict[str, List[Any]]:
    """{field: [value before, value after]} of the fields that differ between two configs."""
    now = asdict(after)
    return {name: [value, now[name]] for name, value in asdict(before).items() if value != now[name]}
