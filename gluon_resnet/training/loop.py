"""One epoch of training: a step for each batch, and what it waits for.

train.py uses it and decides what happens between epochs.
"""

import math
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from time import perf_counter
from typing import Any, ContextManager, Dict, Iterator, List, Optional, Tuple

import mxnet as mx
from mxnet import autograd, gluon

from ..devices import array, to_device
from ..errors import DivergedError, ModelError
from . import initial, winograd
from .accuracy import count_correct
from .averages import Average, Lookahead
from .batches import check_labels, check_layout, check_outputs, forward
from .group import ALONE, Group
from .jumps import DIVERGED, Jumps, in_words
from .mixing import Mix, draw_mix, erase, mix, soft_labels
from .optimizers import make_trainer, prepare_parameters
from .precision import make_loss_scale
from .progress import Record
from .recipe import Recipe
from .sums import Epoch, Step

LATE = 0.005  # seconds: a batch that takes longer was not ready


def start(net: gluon.Block, device: mx.Context, recipe: Recipe, initialize: bool = True) -> None:
    """Make ``net`` ready to train: the recipe's initial values if ``initialize``, hybrid networks compiled.

    Raises ModelError if it is no network.
    """
    if not isinstance(net, gluon.Block):
        raise ModelError(f"net is {net!r}: expected a Gluon network; gr.get_model('resnet18') makes one from its name")
    if initialize:
        initial.initialize(net, recipe, device)
    if isinstance(net, gluon.HybridBlock):
        net.hybridize(static_alloc=True, static_shape=True)


class Training:
    """A network and what trains it: optimizer, loss, averages, convolutions; :meth:`step` takes a batch.

        with Training(net, recipe, device) as training:
            for X, y in batches:
                training.step(X, y, lr=0.1)

    Inside ``with``, 3x3 convolutions may be Winograd's (winograd.py); at the end mxnet's own are restored. Outside of
    it, convolutions are left as they are. With a ``group`` of several processes, batches are this one's share.
    """

    def __init__(self, net: gluon.Block, recipe: Recipe, device: mx.Context, group: Group = ALONE) -> None:
        self.net, self.recipe, self.device, self.group = net, recipe, device, group
        prepare_parameters(net, recipe)
        self.trainer = make_trainer(net, recipe, group.store())
        self.loss = gluon.loss.SoftmaxCrossEntropyLoss(sparse_label=not recipe.softens)
        self.names = {param.name: name for name, param in net._collect_params_with_prefix().items()}
        self.average: Optional[Average] = None
        self.lookahead: Optional[Lookahead] = None
        self.gathered = self.examples = 0
        self.looked = False  # whether a batch fits the network
        self.times = 1.0  # the gathered gradient, divided by the gradient of the mean loss
        self.jumps = Jumps()
        self.place = ""  # the last step whose loss was fetched, and its rate, in words
        self.scale = make_loss_scale(net)
        self.convolutions = ExitStack()
        self.winograd = False

    def __enter__(self) -> "Training":
        self.winograd = self.convolutions.enter_context(winograd.convolutions(self.recipe.winograd, self.device))
        return self

    def __exit__(self, *_: Any) -> None:
        self.convolutions.close()

    def start_averages(self) -> None:
        """Begin the averages if the recipe has them; the network must be initialized."""
        if self.recipe.ema and self.average is None:
            self.average = Average(self.net, self.recipe.ema)
        if self.recipe.lookahead and self.lookahead is None:
            trained = {self.names[param.name]: param for param in self._trained()}
            self.lookahead = Lookahead(trained, self.recipe.lookahead, self.recipe.lookahead_share)

    def averages(self) -> Dict[str, Any]:
        """{"average/0.weight": array} of all averages, which a checkpoint keeps."""
        kept = {"average": self.average, "slow": self.lookahead}
        return {f"{kind}/{name}": value for kind, held in kept.items() if held for name, value in held.values.items()}

    def _mixed(self, X: Any) -> Tuple[Any, Optional[Mix]]:
        """(X, how its labels are mixed or None) of a batch after the recipe's random changes (mixing.py)."""
        drawn = draw_mix(self.recipe, len(X), *X.shape[-2:])
        if drawn is None and not self.recipe.erases:
            return X, None
        values = X.asnumpy()
        values = erase(self.recipe, values) if self.recipe.erases else values
        return array(values if drawn is None else mix(values, drawn), self.device), drawn

    def _target(self, y: Any, num_classes: int, drawn: Optional[Mix]) -> Any:
        if not self.recipe.softens:
            return y
        labels = soft_labels(y.asnumpy(), num_classes, self.recipe.label_smoothing)
        return array(labels if drawn is None else mix(labels, drawn), self.device)

    def step(self, X: Any, y: Any, lr: float, last: bool = False) -> Step:
        """Train on one batch.

        Args:
            X: float32 (N, C, H, W), the images.
            y: (N,), the class numbers.
            lr: the learning rate.
            last: use the gradients gathered so far at once, however many batches the recipe accumulates.

        Returns:
            The :class:`Step`.

        Raises:
            DataError, ModelError, ShapeError: X, y and the network's outputs do not fit each other.
        """
        labels = y
        X, y = to_device(X, self.device), to_device(y, self.device)
        X, drawn = self._mixed(X)
        with autograd.record():
            y_hat = forward(self.net, X)
            self._look(X, labels, y_hat)
            losses = self.loss(y_hat, self._target(y, y_hat.shape[1], drawn))
            scaled = losses * self.scale.factor if self.scale else losses
        self.start_averages()  # the first batch has initialized every parameter, and backward moves the first of them
        if self.gathered == 0 and self.recipe.accumulate > 1:
            for param in self._trained():
                param.grad().as_nd_ndarray()[:] = 0  # Parameter.zero_grad refuses NumPy arrays
        scaled.backward()
        examples = len(y) * self.group.size  # every process has as many
        self.gathered, self.examples = self.gathered + 1, self.examples + examples
        self.times = self.examples * (self.scale.factor if self.scale else 1.0)
        if self.gathered == self.recipe.accumulate or last:
            self._update(lr)
        loss, correct = self.group.add(losses.sum(), count_correct(y_hat, y))
        side = X.shape[2] if X.ndim == 4 else None
        return Step(loss, correct, examples, labels, y_hat.shape[1], lr, side)

    def _look(self, X: Any, y: Any, y_hat: Any) -> None:
        """Raise DataError unless the batch fits the network; y's values are looked at here if later is too late."""
        check_outputs(y_hat, y, "train_iter")
        if not self.looked:
            check_layout(self.net, X)
        if not self.looked or self.recipe.softens:
            check_labels(y, y_hat.shape[1], "train_iter" if self.looked else "train_iter, the first batch")
        self.looked = True

    def _trained(self) -> List[gluon.Parameter]:
        return [param for param in self.trainer._params if param.grad_req != "null"]

    def _update(self, lr: float) -> None:
        trained = self._trained()
        times = self.times  # accepting the gradients may change the scale
        if self.group.updates:
            self.group.reduce(self.trainer)
        if not self.scale or self.scale.accept([param.grad() for param in trained]):
            if self.recipe.clip:
                gradients = [param.grad().as_nd_ndarray() for param in trained]
                gluon.utils.clip_global_norm(gradients, self.recipe.clip * times)
            self.trainer.set_learning_rate(lr)
            (self.trainer.update if self.group.updates else self.trainer.step)(times)
            if self.lookahead:
                self.lookahead.update(self.trainer._optimizer.num_update)
            if self.average:
                self.average.update()
        self.gathered = self.examples = 0

    def watch(self, loss: float, place: str) -> None:
        """Take in the mean ``loss`` of the step at ``place``; DivergedError if it has diverged (jumps.py)."""
        self.jumps.look(loss, place, self._gradients, exact=self.scale is None)

    def _gradients(self) -> Dict[str, Any]:
        """{parameter name: gradient of the mean loss}; after clipping, if the recipe clips."""
        return {self.names[param.name]: param.grad() / self.times for param in self._trained()}

    def check_parameters(self, epoch: int) -> None:
        """Raise DivergedError if a parameter, a running statistic or an average is not finite.

        The loss alone may stay finite: oneDNN's ReLU makes 0 of NaN, so a network of NaNs can have one.
        """
        values = {
            f"parameter {name}" if param.grad_req != "null" else name: param.data(self.device)
            for name, param in self.net._collect_params_with_prefix().items()
            if not isinstance(param, gluon.Constant)
        }
        averages = self.average.values if self.average else {}
        values.update({f"the average of {name}": average for name, average in averages.items()})
        for name, value in values.items():
            if not math.isfinite(value.asnumpy().sum(dtype="float64")):
                raise DivergedError(
                    f"{name} is no longer finite after {self.place or f'epoch {epoch}'}{self._around()}: {DIVERGED}"
                )
        self.jumps.first = ""

    def _around(self) -> str:
        """What else there is to say of a training that diverged: the largest gradients, the first loss that jumped."""
        gradients = self._gradients()
        largest = f"; the largest gradients are {in_words(gradients)}" if gradients else ""
        return largest + (f"; before, {self.jumps.first}" if self.jumps.first else "")

    def average_statistics(self) -> None:
        """Give all processes the same running statistics: the means over what each has seen."""
        if self.group.size > 1:
            values = {name: param.data() for name, param in self.net._collect_params_with_prefix().items()}
            kept = self.average.values if self.average else {}
            self.group.average([held[name] for held in (values, kept) for name in held if "running_" in name])

    def tested(self) -> ContextManager[Any]:
        """Context that gives the network to test: with averaged parameters if the recipe has them."""
        return self.average.in_place() if self.average else nullcontext(self.net)


def train_epoch(training: Training, batches: Iterator[Tuple[Any, Any]], sums: Epoch, session: Any) -> Optional[Record]:
    """Train on the rest of an epoch.

    Args:
        training: the :class:`Training`.
        batches: iterator over the batches (X, y) that are left of the epoch: X float32 (N, C, H, W), y (N,).
        sums: the :class:`Epoch`, fresh or resumed.
        session: a train.py ``Session``: its listeners get a Record after each batch, and its keeper saves checkpoints
            between batches.

    Returns:
        The epoch's last Record, or None if it was stopped before its first batch.

    Raises:
        DataError, ModelError, ShapeError: a batch does not fit the network.
        DivergedError: the loss, or a gradient when the loss jumps, is no longer finite.
    """
    wait_start, position = perf_counter(), sums.batch
    for X, y in batches:
        wait = perf_counter() - wait_start
        sums.wait_seconds += wait
        lr = sums.lr(position)
        position += 1
        step = training.step(X, y, lr, last=position == sums.num_batches)
        if sums.pending is not None:
            sums.fetch()
            session.tell(sums.record())
        sums.pending = step
        whole_update = training.gathered == 0  # otherwise the gradients gathered for the next update would be lost
        if session.stop() and whole_update:
            break
        if session.keeper.due() and whole_update:
            sums.fetch()
            session.tell(sums.record())
            session.keeper.save(sums)
        if wait > LATE:
            # The data are late. The device's own work is not waiting: let it finish before the clock starts.
            mx.nd.waitall()
        wait_start = perf_counter()
    else:
        sums.wait_seconds += perf_counter() - wait_start
    sums.fetch()
    mx.nd.waitall()
    if hasattr(batches, "close"):
        batches.close()
    return replace(sums.record(), others_cores=sums.others.stop()) if sums.batch else None
