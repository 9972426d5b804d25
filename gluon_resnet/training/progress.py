"""What training reports: a Record after every batch, a Result at the end, with both clocks.

    result = gr.train_ch6(net, train_iter, test_iter, num_epochs=1, lr=0.05)
    result.examples_per_sec, result.examples_per_sec_end_to_end, result.last.test_acc

The book's clock stops while the loop waits for a batch; the other one does not.
"""

import math
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional

from ..text import count, duration

#: cores of other programs from which on a run's speed is not the machine's: less is the system's own
NOTICEABLE = 0.1


def busy(others_cores: Optional[float]) -> str:
    """ ", other programs used 0.9 cores" of a number of cores; nothing if it is unknown or not noticeable."""
    return f", other programs used {others_cores:.1f} cores" if (others_cores or 0) >= NOTICEABLE else ""


@dataclass(frozen=True)
class Record:
    """The progress after a batch; loss and accuracy are means over the epoch so far, as in the book."""

    epoch: int  # from 1
    batch: int  # batches done in this epoch
    num_batches: int
    examples: int  # seen in this epoch
    loss: float
    train_acc: float
    seconds: float  # spent on this epoch's training, waiting for data included, testing left out
    wait_seconds: float  # of these, spent waiting for data
    test_acc: Optional[float] = None  # at the end of an epoch
    test_seconds: Optional[float] = None
    test_loss: Optional[float] = None  # at the end of an epoch; None in the runs of older versions
    others_cores: Optional[float] = None  # processor cores that other programs used while the epoch was trained
    lr: Optional[float] = None  # learning rate of the last batch; None in the runs of older versions
    side: Optional[int] = None  # height of the epoch's training images, in pixels
    views_acc: Optional[float] = None  # test accuracy from several views of each image (test_views)
    views_seconds: Optional[float] = None  # that these took, in addition to test_seconds

    @property
    def position(self) -> float:
        """Epochs done, as a fraction: 0.5 is half of the first."""
        return self.epoch - 1 + self.batch / self.num_batches

    @property
    def examples_per_sec(self) -> float:
        """The book's clock: it stops while the loop waits for a batch."""
        return self.examples / max(self.seconds - self.wait_seconds, 1e-9)


class Remaining:
    """How long a training will still take, by its records: those of its own speed so far and of its tests."""

    def __init__(self, num_epochs: int) -> None:
        self.num_epochs = num_epochs
        self.tests: List[float] = []  # seconds of the tests so far

    def add(self, record: Record) -> None:
        """Take in a record; each must come once."""
        if record.test_seconds is not None:
            self.tests.append(record.test_seconds)

    def words(self, record: Record) -> str:
        """``about 2 min 5 s left`` after ``record``; before the first test it is said that tests come in addition."""
        seconds = record.seconds * record.num_batches / record.batch * (self.num_epochs - record.position)
        if not self.tests:
            return f"about {duration(seconds)} left, and the tests"
        tests = self.num_epochs - record.epoch + (record.test_acc is None)
        return f"about {duration(seconds + tests * sum(self.tests) / len(self.tests))} left"

    def line(self, record: Record) -> str:
        """Place, rate and remaining time after ``record``, in a line."""
        return (
            f"epoch {record.epoch}/{self.num_epochs}, batch {record.batch} of {record.num_batches}: "
            f"{record.examples_per_sec:,.0f} examples/sec, {self.words(record)}"
        )


def testing_line(record: Optional[Record], num_epochs: int, batch: int, num_batches: Optional[int]) -> str:
    """The line about a test under way.

    Args:
        record: the last one of the training, if any.
        num_epochs: of the whole training.
        batch: batches of the test done.
        num_batches: of the test; None if that is not known.
    """
    place = f"epoch {record.epoch}/{num_epochs}, " if record else ""
    return f"{place}testing: batch {batch}" + (f" of {num_batches}" if num_batches else "")


@dataclass(repr=False)
class Result:
    """The result of a training run: the last Record of every epoch, the device, and whether it was stopped early."""

    device: str
    epochs: List[Record] = field(default_factory=list)
    stopped: bool = False
    ended_early: bool = False  # by the recipe's patience
    winograd: bool = False  # could oneDNN choose Winograd's convolutions (winograd.py)?
    hint: str = ""  # a line of advice on the test accuracy (statistics_hint.py), if any

    def __repr__(self) -> str:
        said = self.lines()[0] if self.last else "no batch"
        told = f"; {self.hint}" if self.hint else ""
        return f"<Result of {count(len(self.epochs), 'epoch')} on {self.device}: {said}{told}>"

    @property
    def last(self) -> Optional[Record]:
        """The last Record, or None if no batch was done."""
        return self.epochs[-1] if self.epochs else None

    def epochs_since(self, metric: str) -> int:
        """Tested epochs after the one with the best ``metric`` so far: the highest test_acc or the lowest test_loss.

        0 if that is the last.
        """
        sign, best, since = -1 if metric == "test_loss" else 1, -math.inf, 0
        for record in self.epochs:
            value = getattr(record, metric)
            if value is not None:
                best, since = (sign * value, 0) if sign * value > best else (best, since + 1)
        return since

    def _sum(self, name: str) -> Any:
        return sum(getattr(record, name) or 0 for record in self.epochs)

    @property
    def examples_per_sec(self) -> float:
        """The book's clock: examples a second of the time in which the loop had a batch."""
        return self._sum("examples") / max(self._sum("seconds") - self._sum("wait_seconds"), 1e-9)

    @property
    def examples_per_sec_end_to_end(self) -> float:
        """Examples a second of all training time, waiting for data included (testing is not training)."""
        return self._sum("examples") / max(self._sum("seconds"), 1e-9)

    @property
    def wait_share(self) -> float:
        """Share of the training time spent waiting for data, from 0 to 1."""
        return self._sum("wait_seconds") / max(self._sum("seconds"), 1e-9)

    @property
    def others_cores(self) -> Optional[float]:
        """Processor cores that other programs used during training, on average; None if that is not known."""
        known = [(record.others_cores, record.seconds) for record in self.epochs if record.others_cores is not None]
        seconds = sum(seconds for _, seconds in known)
        return sum(cores * seconds for cores, seconds in known) / seconds if seconds else None

    def lines(self, tested: str = "test") -> List[str]:
        """The three lines printed at the end of a run: article 001's two, and the second clock's. Needs a Record.

        ``tested`` is what the first calls the part that was tested on. The third also says what other programs took of
        the machine, if it was enough to slow the run down.
        """
        last = self.epochs[-1]
        test_acc = "not measured" if last.test_acc is None else f"{last.test_acc:.3f}"
        return [
            f"loss {last.loss:.3f}, train acc {last.train_acc:.3f}, {tested} acc {test_acc}",
            f"{self.examples_per_sec:.1f} examples/sec on {self.device}",
            f"{self.examples_per_sec_end_to_end:.1f} examples/sec end to end, "
            f"{self.wait_share:.1%} of the time waiting for data{busy(self.others_cores)}",
        ]

    def summary(self) -> Dict[str, Any]:
        """The content of a result file; throughput in examples a second, times in seconds."""
        best = max((record.test_acc for record in self.epochs if record.test_acc is not None), default=None)
        last = self.last
        return {
            "stopped": self.stopped,
            "ended_early": self.ended_early,
            "device": self.device,
            "winograd": self.winograd,
            "epochs": sum(record.test_acc is not None for record in self.epochs),
            "loss": last.loss if last else None,
            "train_acc": last.train_acc if last else None,
            "test_acc": last.test_acc if last else None,
            "test_loss": last.test_loss if last else None,
            "best_test_acc": best,
            "examples": self._sum("examples"),
            "train_seconds": self._sum("seconds"),
            "wait_seconds": self._sum("wait_seconds"),
            "others_cores": self.others_cores,
            "test_seconds": self._sum("test_seconds"),
            "views_acc": last.views_acc if last else None,
            "views_seconds": self._sum("views_seconds") or None,
            "examples_per_sec": self.examples_per_sec if last else None,
            "examples_per_sec_end_to_end": self.examples_per_sec_end_to_end if last else None,
        }
