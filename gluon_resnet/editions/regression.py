"""The optimization chapters' functions in the editions on mxnet.nd: a linear regression on NASA's airfoil noise data.

Those of the later editions are in d2l 1.0.3 still, as ``get_data_ch11`` and the like.
"""

import random
import time
from pathlib import Path
from typing import Any, Callable, Iterator, List, Sequence, Tuple

import mxnet as mx
import numpy
from matplotlib import pyplot as plt
from mxnet import autograd, gluon, init

from . import datasets, limits, plots
from .base import d2l as base

AIRFOIL = "airfoil_self_noise.dat"


def data_iter(batch_size: int, features: Any, labels: Any) -> Iterator[Tuple[Any, Any]]:
    """Batches of ``features`` (N, D) and ``labels`` (N,) in random order. Source: gluonbook, d2lzh, d2l 0.8."""
    order = list(range(len(features)))
    random.shuffle(order)
    for start in range(0, len(order), batch_size):
        chosen = mx.nd.array(order[start : start + batch_size])
        yield features.take(chosen), labels.take(chosen)


def linreg(X: Any, w: Any, b: Any) -> Any:
    """X w + b. Source: all editions."""
    return mx.nd.dot(X, w) + b


def squared_loss(y_hat: Any, y: Any) -> Any:
    """Half the squared difference of each number. Source: all editions."""
    return (y_hat - y.reshape(y_hat.shape)) ** 2 / 2


def sgd(params: Sequence[Any], lr: float, batch_size: int) -> None:
    """A step of minibatch stochastic gradient descent on arrays with gradients. Source: all editions."""
    for param in params:
        param[:] = param - lr * param.grad / batch_size


def get_data_ch7() -> Tuple[Any, Any]:
    """Features (N, 5) and labels (N,) of the airfoil data, each with mean 0 and deviation 1.

    From ../data, as in the book, or the folder in GLUON_RESNET_DATA_AIRFOIL_SELF_NOISE; DataError if it is in neither.
    """
    local = Path("..", "data", AIRFOIL)
    if not local.is_file():
        data = datasets.of_download(AIRFOIL)
        folder = datasets.folder(data)
        if folder is None:
            raise datasets.needed(data, f"no {local}")
        local = folder / AIRFOIL
    values = numpy.genfromtxt(local, delimiter="\t")
    values = (values - values.mean(axis=0)) / values.std(axis=0)
    return mx.nd.array(values[:, :-1]), mx.nd.array(values[:, -1])


def _train(
    step: Callable[[Any, Any], None],
    loss_now: Callable[[], float],
    features: Any,
    labels: Any,
    batch_size: int,
    num_epochs: int,
) -> None:
    """Train, with the loss after every 100 examples; print the last one, and plot all."""
    losses, num_epochs, start = [loss_now()], limits.epochs(num_epochs), time.time()
    batches = gluon.data.DataLoader(gluon.data.ArrayDataset(features, labels), batch_size, shuffle=True)
    for _ in range(num_epochs):
        start = time.time()
        for number, (X, y) in enumerate(batches, 1):
            step(X, y)
            if number * batch_size % 100 == 0:
                losses.append(loss_now())
    print(f"loss: {losses[-1]:f}, {time.time() - start:f} sec per epoch")
    base.set_figsize()
    plt.plot(numpy.linspace(0, num_epochs, len(losses)), losses)
    plt.xlabel("epoch")
    plt.ylabel("loss")


def train_ch7(
    trainer_fn: Callable[[List[Any], Any, Any], Any],
    states: Any,
    hyperparams: Any,
    features: Any,
    labels: Any,
    batch_size: int = 10,
    num_epochs: int = 2,
) -> None:
    """Train a linear regression with an optimizer written by hand, and plot the loss.

    Args:
        trainer_fn: a function of (parameters, states, hyperparams) that makes a step.
        states: what the optimizer keeps between steps.
        hyperparams: its settings.
        features: (N, D).
        labels: (N,).
        batch_size: examples in a batch.
        num_epochs: passes over the data.

    Source: gluonbook 0.8, d2lzh, d2l 0.8; d2l 0.9 calls it train_ch9.
    """
    w, b = mx.nd.random.normal(scale=0.01, shape=(features.shape[1], 1)), mx.nd.zeros(1)
    w.attach_grad()
    b.attach_grad()

    def step(X: Any, y: Any) -> None:
        with autograd.record():
            loss = squared_loss(linreg(X, w, b), y).mean()
        loss.backward()
        trainer_fn([w, b], states, hyperparams)

    _train(
        step,
        lambda: squared_loss(linreg(features, w, b), labels).mean().asscalar(),
        features,
        labels,
        batch_size,
        num_epochs,
    )


def train_gluon_ch7(
    trainer_name: str,
    trainer_hyperparams: Any,
    features: Any,
    labels: Any,
    batch_size: int = 10,
    num_epochs: int = 2,
) -> None:
    """Train a linear regression with one of Gluon's optimizers, and plot the loss.

    Args:
        trainer_name: the optimizer's name, "sgd".
        trainer_hyperparams: its settings.
        features: (N, D).
        labels: (N,).
        batch_size: examples in a batch.
        num_epochs: passes over the data.

    Source: gluonbook 0.8, d2lzh, d2l 0.8; d2l 0.9 calls it train_gluon_ch9.
    """
    net, loss = gluon.nn.Sequential(), gluon.loss.L2Loss()
    net.add(gluon.nn.Dense(1))
    net.initialize(init.Normal(sigma=0.01))
    trainer = gluon.Trainer(net.collect_params(), trainer_name, trainer_hyperparams)

    def step(X: Any, y: Any) -> None:
        with autograd.record():
            losses = loss(net(X), y)
        losses.backward()
        trainer.step(batch_size)

    _train(step, lambda: loss(net(features), labels).mean().asscalar(), features, labels, batch_size, num_epochs)


def optimize(
    batch_size: int,
    trainer: Any,
    num_epochs: int,
    decay_epoch: Any,
    log_interval: int,
    features: Any,
    labels: Any,
    net: Any,
) -> None:
    """Train a linear regression, print its parameters, and plot the loss on a logarithmic axis.

    Args:
        batch_size: examples in a batch.
        trainer: a ``gluon.Trainer`` of the parameters of ``net``.
        num_epochs: passes over the data.
        decay_epoch: after this epoch the learning rate is divided by 10 before each; None never does.
        log_interval: examples between two values of the loss.
        features: (N, D).
        labels: (N,).
        net: a Sequential whose first layer is a Dense.

    Source: gluonbook 0.6.
    """
    loss, num_epochs = gluon.loss.L2Loss(), limits.epochs(num_epochs)
    losses = [float(loss(net(features), labels).mean().asscalar())]
    batches = gluon.data.DataLoader(gluon.data.ArrayDataset(features, labels), batch_size, shuffle=True)
    for epoch in range(1, num_epochs + 1):
        if decay_epoch and epoch > decay_epoch:
            trainer.set_learning_rate(trainer.learning_rate * 0.1)
        for number, (X, y) in enumerate(batches):
            with autograd.record():
                value = loss(net(X), y)
            value.backward()
            trainer.step(batch_size)
            if number * batch_size % log_interval == 0:
                losses.append(float(loss(net(features), labels).mean().asscalar()))
    print("w:", net[0].weight.data(), "\nb:", net[0].bias.data(), "\n")
    plots.semilogy(numpy.linspace(0, num_epochs, len(losses)), losses, "epoch", "loss")


def train_2d(trainer: Callable[..., Tuple[float, ...]]) -> List[Tuple[float, float]]:
    """Minimize a function of two variables in 20 steps from (-5, -2); the steps as pairs.

    ``trainer`` makes a step: a function of (x1, x2, s1, s2) that returns the four again. Source: d2lzh, d2l 0.8, 0.9.
    """
    state: Tuple[float, ...] = (-5, -2, 0, 0)
    steps = [(state[0], state[1])]
    for _ in range(20):
        state = trainer(*state)
        steps.append((state[0], state[1]))
    print(f"epoch {len(steps) - 1}, x1 {state[0]:f}, x2 {state[1]:f}")
    return steps
