"""The sums over the batches of one epoch, and its clock.

    sums = Epoch(1, len(batches), training)
    sums.pending = training.step(X, y, lr=0.1)
    sums.fetch()
    sums.record()                                   # a Record of the epoch so far

loop.py starts the next batch before it fetches the one before.
"""

from time import perf_counter
from typing import Any, Dict, NamedTuple, Optional

from ..machine.other_programs import OtherPrograms
from .batches import check_labels
from .progress import Record


class Step(NamedTuple):
    """What a batch gave; arrays may still be computed."""

    loss: Any  # sum of the losses
    correct: Any  # number of correct predictions
    examples: int
    y: Any  # the labels (N,)
    num_classes: int  # the network's outputs
    lr: float
    side: Optional[int]  # height of the images


class Epoch:
    """Sums over one epoch of ``num_batches`` with a loop.py ``Training``.

    A batch's loss and correct predictions are fetched only after the next batch has been started, so that the device
    never idles; fetching waits until the batch is computed.
    """

    def __init__(self, epoch: int, num_batches: int, training: Any) -> None:
        self.epoch, self.num_batches, self.training = epoch, num_batches, training
        self.loss = self.correct = 0.0
        self.batch = self.examples = 0
        self.side: Optional[int] = None
        self.started, self.wait_seconds = perf_counter(), 0.0
        self.others = OtherPrograms()
        self.pending: Optional[Step] = None  # the batch under way

    def fetch(self) -> None:
        """Add the batch under way, if any, to the sums.

        Raises DivergedError if its loss is not a finite number, or jumps and with it a gradient is not finite;
        DataError if a label is none of the network's classes.
        """
        if self.pending is None:
            return
        step, self.pending = self.pending, None
        loss = step.loss.asnumpy().item()
        self.loss += loss
        self.correct += step.correct.asnumpy().item()
        self.examples += step.examples
        self.batch += 1
        self.side = step.side
        check_labels(step.y, step.num_classes, f"train_iter, epoch {self.epoch}, batch {self.batch}")
        self.training.place = f"epoch {self.epoch}, batch {self.batch} of {self.num_batches}, lr {step.lr:g}"
        self.training.watch(loss / step.examples, self.training.place)

    def record(self) -> Record:
        """The :class:`Record` of the batches fetched so far."""
        return Record(
            self.epoch,
            self.batch,
            self.num_batches,
            self.examples,
            self.loss / self.examples,
            self.correct / self.examples,
            perf_counter() - self.started,
            self.wait_seconds,
            lr=self.lr(self.batch - 1),
            side=self.side,
        )

    def lr(self, batches: int) -> float:
        """The learning rate of the batch after ``batches`` of the epoch."""
        return float(self.training.recipe.learning_rate(self.epoch - 1 + batches / self.num_batches))

    def state(self) -> Dict[str, Any]:
        """What a checkpoint keeps of the epoch, as JSON values; nothing may be pending."""
        return {
            "epoch": self.epoch,
            "batch": self.batch,
            "examples": self.examples,
            "loss": self.loss,
            "correct": self.correct,
            "seconds": perf_counter() - self.started,
            "wait_seconds": self.wait_seconds,
            "side": self.side,
        }

    def resume(self, state: Dict[str, Any]) -> None:
        """Go on from what :meth:`state` returned."""
        self.batch, self.examples, self.side = state["batch"], state["examples"], state.get("side")
        self.loss, self.correct, self.wait_seconds = state["loss"], state["correct"], state["wait_seconds"]
        self.started = perf_counter() - state["seconds"]
