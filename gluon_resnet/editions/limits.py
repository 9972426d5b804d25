"""How much of a book's training is run: everything, unless ``gluon-resnet play`` sets a limit."""

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Sequence

from ..text import count
from . import notes

LARGEST_BATCH = 256  # the largest batch of the books' image chapters
LEAST_BATCHES = 5  # the books report five times an epoch, and divide by the number of batches over five


@dataclass
class Limits:
    """At most so many epochs, training images, test images, and images in a batch; None for no limit."""

    epochs: Optional[int] = None
    examples: Optional[int] = None
    test_examples: Optional[int] = None
    batch_size: Optional[int] = None


current = Limits()

#: Called with :data:`passes` after each pass over Fashion-MNIST; None: passes are not timed. ``play --budget`` sets it.
measure: Optional[Callable[[List[Dict[str, Any]]], None]] = None
#: what has been measured, one item a training: the arguments of play.budget.Pass
passes: List[Dict[str, Any]] = []
_last: Dict[str, Any] = {"epochs": 1, "new": False, "end": 0.0}  # epochs asked for, a new training, end of a pass


def passed(images: int, batch_size: int, train: bool, stamps: Sequence[float]) -> None:
    """Keep the time of a pass.

    Args:
        images: images of a whole pass, without limits.
        batch_size: images in a batch.
        train: a pass over the training part, or over the test part.
        stamps: when the pass began, when each batch was ready, and when the pass ended, in seconds.
    """
    if measure is None or len(stamps) < 4:
        return
    step = (stamps[-1] - stamps[2]) / (len(stamps) - 3)  # the first batch also waits for compiling
    if train and passes and not _last["new"]:
        passes[-1].update(step=step, epoch=stamps[0] - _last["end"])  # another epoch of the same training
    elif train:
        training = {"epochs": _last["epochs"], "images": images, "batch_size": batch_size, "step": step}
        passes.append({**training, "test": 0.0, "tests": 0, "epoch": 0.0})
        _last["new"] = False
    elif passes:
        passes[-1].update(test=step, tests=images)
    _last["end"] = stamps[-1]
    measure(passes)


def epochs(asked: int) -> int:
    """How many of the epochs that a cell asks for are run; a cut is noted."""
    already_cut = _last["new"] and asked == current.epochs  # in the cell, before the training function asks again
    if isinstance(asked, int) and not already_cut:
        _last.update(epochs=asked, new=True)
    if current.epochs is None or not isinstance(asked, int) or asked <= current.epochs:
        return asked
    notes.say("shortened", f"{count(asked, 'epoch')}: {current.epochs} run")
    return current.epochs


def batch_size(asked: int) -> int:
    """How many images are put in a batch of which a cell asks for ``asked``; a cut is noted."""
    if current.batch_size is None or not isinstance(asked, int) or asked <= current.batch_size:
        return asked
    notes.say("shortened", f"batches of {count(asked, 'example')}: {current.batch_size} used")
    return current.batch_size


def examples(available: int, batch: int, train: bool = True) -> int:
    """How many of the ``available`` images are used; a cut, to five batches or more, is noted."""
    limit = current.examples if train else current.test_examples
    if limit is None:
        return available
    used = min(available, max(limit, LEAST_BATCHES * batch))
    if used < available:
        part = "training" if train else "test"
        notes.say("shortened", f"{available:,} {part} images: the first {used:,} used")
    return used
