"""A worker of a job that trains a tiny network, so small that a step takes milliseconds: what the sums are is tested.

    python -m tests.distributed.tiny_worker OUT norm|plain [recipe as JSON]

Worker 0 writes OUT, an .npz of the parameters and of what it told about each epoch. Without launch it trains alone.
"""

import json
import os
import sys

import gluon_resnet  # noqa: F401  before mxnet
from gluon_resnet.data.batches import ArrayBatches
from gluon_resnet.distributed import share
from gluon_resnet.distributed.group import join, leaving
from gluon_resnet.errors import DataError
from gluon_resnet.runs.config import RunConfig
from gluon_resnet.training import train
from gluon_resnet.training.group import ALONE

import mxnet as mx
import numpy
from mxnet.gluon import nn

DEFAULTS = {"lr": 0.1, "epochs": 2, "momentum": 0.9, "schedule": "cosine", "weight_decay": 1e-3, "clip": 1.0}


def network(norm):
    net = nn.HybridSequential(prefix="tiny_")
    with net.name_scope():
        net.add(nn.Conv2D(8, 3, padding=1, in_channels=1))
        if norm:
            net.add(nn.BatchNorm(in_channels=8))
        net.add(nn.Activation("relu"), nn.Conv2D(8, 3, strides=2, in_channels=8), nn.Activation("relu"))
        net.add(nn.Dense(4, in_units=72))
    return net


def batches(train_images=104, test_images=37):
    """Training batches of 16, of which the last has 8, and test batches; class c lights the c-th quarter."""
    random = numpy.random.RandomState(0)
    parts = []
    for count in (train_images, test_images):
        labels = numpy.arange(count) % 4
        images = random.randint(0, 100, (count, 8, 8)).astype(numpy.uint8)
        for image, label in zip(images, labels):
            image[4 * (label // 2) :, 4 * (label % 2) :][:4, :4] += 120
        parts.append((images, labels))
    return (
        ArrayBatches(*parts[0], batch_size=16, shuffle=True, flip=True),
        ArrayBatches(*parts[1], batch_size=16),
    )


def fit(norm, settings, group=ALONE, stop=lambda: False):
    """({name: parameter}, [records]) of a training, by this worker's share if there are others."""
    training, test = batches()
    if group is not ALONE:
        training, test = share.shares(training, test, group)
    mx.random.seed(0)
    numpy.random.seed(0)
    net, records = network(norm), []

    def fail(record):
        """Fail in the middle, while the others wait for this worker's next gradients."""
        if record.batch == 3 and os.environ.get("TINY_FAILS") == str(group.rank):
            raise DataError("a picture that cannot be read")

    session = train.Session([records.append, fail], group.agreed(stop), group=group)
    train.fit(net, training, test, RunConfig(**{**DEFAULTS, **settings}), mx.cpu(), session)
    params = {name: param.data().asnumpy() for name, param in net._collect_params_with_prefix().items()}
    return params, [record for record in records if record.test_acc is not None]


def main(out, kind, settings="{}"):
    recipe = RunConfig(**{**DEFAULTS, **json.loads(settings)})
    group = join(os.environ, recipe)
    with leaving(group):
        params, records = fit(kind == "norm", json.loads(settings), group)
        if group.rank == 0:
            table = [[each.loss, each.train_acc, each.test_acc, each.test_loss, each.examples] for each in records]
            numpy.savez(out, table=numpy.array(table, "float64"), **params)
        if "PS_DROP_MSG" in os.environ:  # ps-lite's own end waits for answers that do not come, and aborts
            group.totals([0.0])
            os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
