"""A process's share of batches that several processes train with.

    own, own_test = shares(train_iter, test_iter, group)

Every process draws the same order and the same random changes from the same seed, and keeps its own rows of each batch.
So all of them together see the batches that one process would see.
"""

import copy
from typing import Any, List, Tuple

import numpy

from ..errors import ConfigError
from ..text import count
from ..training.group import Group


def training_rows(number: int, batch_size: int, rank: int, size: int) -> numpy.ndarray:
    """The places, in a pass of ``number`` examples, of one process's rows of each batch.

    The last batch is cut so that all processes have as many of it: their numbers of steps must be equal, or one would
    wait for the others for ever (apache/mxnet #7888). At most ``size`` - 1 examples of a pass are left out.

    Args:
        number: examples of a pass.
        batch_size: of all processes together, a multiple of ``size``.
        rank: of the process, from 0.
        size: processes.
    """
    rows = []
    for start in range(0, number, batch_size):
        each = min(batch_size, number - start) // size
        rows.append(numpy.arange(start + rank * each, start + (rank + 1) * each))
    return numpy.concatenate(rows)


def _only(batches: Any, rows: numpy.ndarray, batch_size: int) -> Any:
    """``batches`` (data/batches.py) with the places ``rows`` of each pass alone, in batches of ``batch_size``."""
    own = copy.copy(batches)
    own.num_examples, own.batch_size = len(rows), batch_size
    own.order = lambda: batches.order()[rows]
    own.draw = lambda: tuple(None if drawn is None else drawn[rows] for drawn in batches.draw())
    return own


def shares(training: Any, test: Any, group: Group) -> Tuple[Any, Any]:
    """One process's share of the training and test batches (data/batches.py) of all in the group.

    If the group is asynchronous, worker 0 has all test examples, as tests are not summed, and a last training batch
    that is not whole is left out. Raises ConfigError if the batch size is no multiple of the number of workers, or
    there are fewer examples than workers.
    """
    rank, size, alike = group.rank, group.workers, group.updates
    if training.batch_size % size:
        raise ConfigError(
            f"batch_size is {training.batch_size}, that of all {size} workers together: expected a multiple of {size}"
        )
    if min(training.num_examples, test.num_examples) < size:
        raise ConfigError(
            f"{training.num_examples} training and {test.num_examples} test pictures: expected at least {size} of "
            f"each, one for each worker"
        )
    number = training.num_examples if alike else training.num_examples // training.batch_size * training.batch_size
    if not number:
        raise ConfigError(
            f"batch_size is {training.batch_size}: expected at most {training.num_examples}, the pictures"
        )
    rows = training_rows(number, training.batch_size, rank, size)
    tested = numpy.arange(rank, test.num_examples, size if alike or rank else 1)
    return _only(training, rows, training.batch_size // size), _only(test, tested, max(1, test.batch_size // size))


def lines(training: Any, own: Any, group: Group) -> List[str]:
    """What a run says about its workers.

    Args:
        training: the training batches of all of them.
        own: those of this worker.
        group: the workers.
    """
    alike = group.updates
    left_out = training.num_examples - own.num_examples * group.workers
    why = f"its last batch is cut to a multiple of {group.workers}" if alike else "only whole batches are used"
    rest = f"; {count(left_out)} of each epoch are left out: {why}" if left_out else ""
    each = f"each with {own.batch_size} of the {training.batch_size} pictures of a batch"
    if alike or group.workers == 1:
        means = "the learning rate is that of the whole batch"
        norms = "each worker normalizes by its own pictures; running statistics are averaged over workers before tests"
        return [f"workers: {group.workers}, {each}; {means}{rest}", f"batch norm: {norms}"]
    means = "each updates the servers' parameters by itself, at the learning rate for its own part"
    return [f"workers: {group.workers}, {each}; {means}{rest}", "loss and accuracies are those of worker 0"]
