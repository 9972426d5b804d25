"""One epoch of training: a step a batch by a recipe, the sums over the batches, the two clocks.

Used by train.py, which says what happens between epochs.
"""

import math
from contextlib import nullcontext
from time import perf_counter

import mxnet as mx
from mxnet import autograd, gluon
from mxnet.util import is_np_array

from ..devices import to_device
from ..errors import DivergedError, ModelError
from .accuracy import count_correct
from .averages import Average
from .optimizers import make_trainer, prepare_parameters
from .precision import make_loss_scale
from .progress import Record
from .recipe import draw_mix, mix, soft_labels
from .schedules import rate

LATE = 0.005  # seconds: a batch that takes longer was not ready


class Epoch:
    """Sums over one epoch. A batch's loss and hits are fetched only once the next batch has been started, so that the
    device never idles; fetching waits for the batch to be computed."""

    def __init__(self, epoch, num_batches):
        self.epoch, self.num_batches = epoch, num_batches
        self.loss = self.correct = 0.0
        self.batch = self.examples = 0
        self.started, self.wait_seconds = perf_counter(), 0.0
        self.pending = None

    def fetch(self):
        """Take in the batch under way, if there is one; DivergedError if its loss is not a finite number."""
        if self.pending is None:
            return
        (loss, correct, examples), self.pending = self.pending, None
        self.loss += loss.asnumpy().item()
        self.correct += correct.asnumpy().item()
        self.examples += examples
        self.batch += 1
        if not math.isfinite(self.loss):
            raise DivergedError(
                f"the loss is {self.loss} at epoch {self.epoch}, batch {self.batch} of "
                f"{self.num_batches}: training diverged; try a smaller learning rate"
            )

    def record(self):
        return Record(
            self.epoch,
            self.batch,
            self.num_batches,
            self.examples,
            self.loss / self.examples,
            self.correct / self.examples,
            perf_counter() - self.started,
            self.wait_seconds,
        )

    def state(self):
        """What a checkpoint keeps of the epoch, as JSON values; nothing may be pending."""
        return {
            "epoch": self.epoch,
            "batch": self.batch,
            "examples": self.examples,
            "loss": self.loss,
            "correct": self.correct,
            "seconds": perf_counter() - self.started,
            "wait_seconds": self.wait_seconds,
        }

    def resume(self, state):
        """Go on from what :meth:`state` gave."""
        self.batch, self.examples = state["batch"], state["examples"]
        self.loss, self.correct, self.wait_seconds = state["loss"], state["correct"], state["wait_seconds"]
        self.started = perf_counter() - state["seconds"]


def _forward(net, X):
    try:
        return net(X)
    except TypeError as error:
        if "legacy operator" not in str(error):
            raise
        raise ModelError(
            f"{net.name} calls operators that refuse NumPy arrays, which npx.set_np() or importing d2l "
            f"puts in force: call npx.reset_np(), then build the network and its batches anew"
        ) from None


class Training:
    """A network with what trains it by a recipe: optimizer, loss, averages. One :meth:`step` takes one batch in.

    ``before_first`` is called with a batch's X before the network first is: see :meth:`prepare`.
    """

    def __init__(self, net, recipe, num_epochs, device, before_first=None):
        self.before_first = before_first
        self.net, self.recipe, self.num_epochs, self.device = net, recipe, num_epochs, device
        prepare_parameters(net, recipe)
        self.trainer = make_trainer(net, recipe)
        self.loss = gluon.loss.SoftmaxCrossEntropyLoss(sparse_label=not recipe.softens)
        self.names = {param.name: name for name, param in net._collect_params_with_prefix().items()}
        self.average, self.gathered, self.examples = None, 0, 0
        self.scale = make_loss_scale(net)

    def begin(self, num_batches):
        """What an epoch of ``num_batches`` needs; the network is initialized by now or will be by its first batch."""
        self.num_batches = num_batches

    def start_average(self):
        """Begin the averages, once the network is initialized, where the recipe has them."""
        if self.recipe.ema and self.average is None:
            self.average = Average(self.net, self.recipe.ema)

    def _mixed(self, X):
        """(X, how its labels are mixed or None) of a batch after mixup or cutmix."""
        drawn = draw_mix(self.recipe, len(X), *X.shape[2:])
        return (X if drawn is None else self._array(mix(X.asnumpy(), drawn))), drawn

    def _array(self, values):
        return (mx.np if is_np_array() else mx.nd).array(values, dtype="float32", ctx=self.device)

    def _target(self, y, num_classes, drawn):
        if not self.recipe.softens:
            return y
        labels = soft_labels(y.asnumpy(), num_classes, self.recipe.label_smoothing)
        return self._array(labels if drawn is None else mix(labels, drawn))

    def rate(self, epoch, batch):
        """The learning rate of ``batch`` (from 0) of ``epoch`` (from 1)."""
        r = self.recipe
        return rate(
            r.schedule,
            r.lr,
            epoch - 1 + batch / self.num_batches,
            self.num_epochs,
            r.warmup_epochs,
            r.step_epochs,
            r.step_factor,
            r.power,
        )

    def prepare(self, X):
        """Have what depends on the size of pictures chosen, once, by a batch like X."""
        if self.before_first:
            self.before_first(X)
            self.before_first = None

    def step(self, X, y, epoch, batch):
        """Train on one batch: (sum of the losses, hits, examples), the first two as arrays still being computed."""
        X, y = to_device(X, self.device), to_device(y, self.device)
        X, drawn = self._mixed(X)
        self.prepare(X)
        with autograd.record():
            y_hat = _forward(self.net, X)
            losses = self.loss(y_hat, self._target(y, y_hat.shape[1], drawn))
            scaled = losses * self.scale.factor if self.scale else losses
        self.start_average()  # the first batch has initialized every parameter, and backward moves the first of them
        scaled.backward()
        self.gathered, self.examples = self.gathered + 1, self.examples + len(y)
        if self.gathered == self.recipe.accumulate or batch + 1 == self.num_batches:
            self._update(self.rate(epoch, batch))
        return losses.sum(), count_correct(y_hat, y), len(y)

    def _update(self, lr):
        trained = [param for param in self.trainer._params if param.grad_req != "null"]
        # how many times the gradient of the mean loss has been gathered
        times = self.examples * (self.scale.factor if self.scale else 1)
        if not self.scale or self.scale.accept([param.grad() for param in trained]):
            if self.recipe.clip:
                gradients = [param.grad().as_nd_ndarray() for param in trained]
                gluon.utils.clip_global_norm(gradients, self.recipe.clip * times)
            self.trainer.set_learning_rate(lr)
            self.trainer.step(times)
            if self.average:
                self.average.update()
        if self.recipe.accumulate > 1:
            for param in trained:
                param.grad().as_nd_ndarray()[:] = 0  # Parameter.zero_grad refuses NumPy arrays
        self.gathered = self.examples = 0

    def tested(self):
        """Context in which the network is the one to test: with averaged parameters where the recipe has them."""
        return self.average.in_place() if self.average else nullcontext(self.net)


def train_epoch(training, batches, sums, tell, stop, pause):
    """The rest of one pass over ``batches``; returns the Record it ends with,
    or None where it was stopped before a batch.

    ``pause(sums)`` is called between batches, with nothing pending where it says that it wants to (``pause.due()``).
    """
    asked, position = perf_counter(), sums.batch
    for X, y in batches:
        waited = perf_counter() - asked
        sums.wait_seconds += waited
        under_way = training.step(X, y, sums.epoch, position)
        position += 1
        if sums.pending is not None:
            sums.fetch()
            tell(sums.record())
        sums.pending = under_way
        if stop() and training.gathered == 0:  # gradients gathered for an update that has not come would be lost
            break
        if pause.due() and training.gathered == 0:
            sums.fetch()
            tell(sums.record())
            pause.save(sums)
        if waited > LATE:
            # Data are late. What the device computes meanwhile is not waiting: let it finish before the clock starts.
            mx.nd.waitall()
        asked = perf_counter()
    else:
        sums.wait_seconds += perf_counter() - asked
    sums.fetch()
    mx.nd.waitall()
    if hasattr(batches, "close"):
        batches.close()
    return sums.record() if sums.batch else None
