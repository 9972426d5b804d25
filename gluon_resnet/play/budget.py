"""How much of a chapter fits into a budget of time: fewer epochs first, then a part of the images.

The chapter is played once with two epochs of five batches, which gives the time of its cells and of a batch in each
training. The rest is arithmetic, as for ``gluon-resnet run --budget`` (lab/budget.py).
"""

import math
import time
from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, List, Optional, Tuple

from ..editions.limits import LEAST_BATCHES
from ..errors import ConfigError
from ..lab import budget
from . import runner
from .cells import Cell, Chapter

LEAST = {"epochs": 2, "examples": 1, "test_examples": 1}  # limits.py makes five batches of it
SHARE = 0.9  # of what is left of the budget is planned for, since no prediction is exact


class TooShort(ConfigError):
    """The chapter's cells take longer than the budget however short its trainings are."""


def parse(text: str, option: str = "--budget") -> float:
    """Seconds in "20m", "90s", "1h" or "1h30m"; raises ConfigError, which names the option, for anything else."""
    try:
        return budget.parse(text)
    except ConfigError as error:
        raise ConfigError(str(error).replace("--budget", option)) from None


@dataclass(frozen=True)
class Pass:
    """What the first, short pass through a chapter showed of one training."""

    epochs: int  # that the chapter asks for
    images: int  # training images that it asks for
    batch_size: int
    step: float  # seconds for a training batch
    test: float  # seconds for a test batch
    tests: int  # test images
    epoch: float = 0.0  # seconds between two epochs, for plots and the like


def predicted(fixed: float, passes: List[Pass], epochs: Optional[int] = None, limit: Optional[int] = None) -> float:
    """Seconds of a chapter.

    Args:
        fixed: seconds of everything but training.
        passes: its trainings.
        epochs: at most so many in each; as many as it asks for if None.
        limit: at most so many training images, and as large a share of the test images; all if None.
    """
    total = fixed
    for one in passes:
        count = min(one.epochs, epochs or one.epochs)
        share = min(1.0, (limit or one.images) / one.images)
        images = min(one.images, max(one.images * share, LEAST_BATCHES * one.batch_size))
        tests = min(one.tests, max(one.tests * share, LEAST_BATCHES * one.batch_size))
        total += count * (one.epoch + (images * one.step + tests * one.test) / one.batch_size)
    return total


def choose(fixed: float, passes: List[Pass], seconds: float) -> Tuple[Dict[str, int], float]:
    """(limits, predicted seconds) for a chapter that may take ``seconds``; no limits if all of it fits.

    Raises TooShort if not even one epoch of five batches fits.
    """
    images = max((one.images for one in passes), default=0)
    batch = max((one.batch_size for one in passes), default=1)
    try:
        epochs, limit, expected = budget.search(
            lambda epochs, limit: predicted(fixed, passes, epochs, limit),
            seconds,
            max((one.epochs for one in passes), default=1),
            batch,
            images // batch,
            LEAST_BATCHES,
        )
    except budget.TooLong:
        raise TooShort(
            f"--budget: the chapter takes about {predicted(fixed, passes, 1, 1):.0f} s with one epoch of five batches: "
            f"expected a longer time"
        ) from None
    limits = {} if epochs is None else {"epochs": epochs}
    if limit is not None:
        limits.update(examples=limit, test_examples=int(max(one.tests for one in passes) * limit / images))
    return limits, expected


def play(
    chapter: Chapter,
    settings: runner.Settings,
    seconds: float,
    tell: Callable[[int, Cell], Any] = lambda number, cell: None,
) -> runner.Played:
    """Play ``chapter`` in about ``seconds``; what was shortened is said in the result.

    Args:
        chapter: what to play.
        settings: how, without limits.
        seconds: for everything, the first short pass included.
        tell: called before each cell, with its number from 1.

    Returns:
        The Played; that of the first pass if a cell failed in it, or if no time is left after it.
    """
    began = time.monotonic()
    first = runner.play(chapter, replace(settings, limits=LEAST, measure=True), tell=tell)
    if first.failure or first.stopped:
        first.shortening = "Shortened to two epochs of five batches: the pass that measures the time did not end."
        return first
    passes = [Pass(**one) for one in first.passes]
    fixed = first.seconds - predicted(0, passes, 2, 1)
    spent = time.monotonic() - began
    try:
        limits, expected = choose(fixed, passes, SHARE * (seconds - spent))
    except TooShort:
        enough = math.ceil((spent + predicted(fixed, passes, 1, 1) / SHARE) / 60)
        first.shortening = (
            f"Shortened to a budget of {seconds:.0f} s: two epochs of five batches, the pass that measures the time, "
            f"which took {spent:.0f} s ({enough}m is enough for a second), so losses and accuracies are not the book's."
        )
        return first
    played = runner.play(chapter, replace(settings, limits=limits), tell=tell)
    played.shortening = _said(passes, limits, expected, seconds)
    played.seconds = time.monotonic() - began
    return played


def _said(passes: List[Pass], limits: Dict[str, int], expected: float, seconds: float) -> str:
    if not limits:
        return ""
    most = max(one.epochs for one in passes)
    parts = [f"{limits['epochs']} of {most} epochs"] if "epochs" in limits else []
    if "examples" in limits:
        parts.append(f"{limits['examples']:,} of {max(one.images for one in passes):,} training images")
    return (
        f"Shortened to a budget of {seconds:.0f} s: {', '.join(parts)} (predicted {expected:.0f} s), so losses and "
        f"accuracies are not the book's."
    )
