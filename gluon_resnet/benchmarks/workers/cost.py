"""One network's cost in one way, training or predicting, in a process of its own; prints one JSON line.

Run by gluon_resnet.lab.cost and gluon_resnet.benchmarks.depth.
"""

import json
import statistics
import sys
from typing import Any, Callable, Dict, List

import gluon_resnet as gr
from gluon_resnet.training import winograd

import mxnet as mx
from common import Clock, openmp_threads, tell
from mxnet import autograd, gluon

WARM_UP = 2


def work_of(way: str, net: Any, X: Any, y: Any) -> Callable[[], Any]:
    """A function without arguments that trains ``net`` on a batch once, or predicts it once."""
    if way == "predict":
        return lambda: net(X)
    loss = gluon.loss.SoftmaxCrossEntropyLoss()
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.01})

    def train() -> None:
        with autograd.record():
            losses = loss(net(X), y)
        losses.backward()
        trainer.step(len(y))

    return train


def timed(work: Callable[[], Any], steps: int) -> List[float]:
    """Seconds of each of ``steps`` calls of ``work``, after WARM_UP calls that do not count."""
    seconds = []
    for _ in range(WARM_UP + steps):
        with Clock() as clock:
            work()
            mx.nd.waitall()
        seconds.append(clock.seconds)
    return seconds[WARM_UP:]


def main(settings: Dict[str, Any]) -> None:
    """Build the network, time it and print the measurements."""
    mx.npx.set_np()
    mx.random.seed(0)
    shape, batch_size = tuple(settings["shape"]), settings["batch_size"]
    net = gr.get_model(settings["model"])
    sums = gr.totals(gr.summary(net, (1, *shape)))
    net.initialize(mx.init.Xavier(), force_reinit=True)
    net.hybridize(static_alloc=True, static_shape=True)
    X, y = mx.np.random.uniform(size=(batch_size, *shape)), mx.np.zeros(batch_size)
    # as in gr.fit and the engine gluon-plain, Winograd's convolutions are used in training only
    with winograd.convolutions(settings["way"] == "train", mx.cpu()) as has_winograd:
        seconds = timed(work_of(settings["way"], net, X, y), settings["steps"])
    tell(
        settings["steps"] * batch_size,
        sum(seconds),
        f"mxnet {mx.__version__}",
        openmp_threads(),
        times=seconds,
        median_seconds=statistics.median(seconds),
        winograd=has_winograd,
        parameters=sums["parameters"],
        multiply_adds=sums["multiply_adds"],
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
