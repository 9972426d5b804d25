"""Train the book's ResNet-18 (nn.Block) with d2l's own train_ch6, both unchanged; prints one JSON line.

mxnet is imported before gluon_resnet, so that threads stay at mxnet's default. Two things are easier for d2l than in
the book: the batches are already in memory, and its Animator, which shows nothing outside a notebook, does not draw.
"""

import contextlib
import io
import json
import sys
import warnings
from typing import Any

from removed_names import restore_removed_names  # gluon_resnet/machine, which processes.py puts on PYTHONPATH

restore_removed_names()  # Python 3.12 cannot import mxnet without it; it does not set threads

import mxnet as mx  # noqa: E402
from d2l import mxnet as d2l  # noqa: E402
from mxnet.gluon import nn  # noqa: E402

warnings.simplefilter("ignore")
import gluon_resnet as gr  # noqa: E402

from common import Timed, openmp_threads, tell  # noqa: E402

settings = json.loads(sys.argv[1])
batch_size, size = settings["batch_size"], settings["size"]
mx.npx.set_np()
train_iter, _ = gr.load_data_fashion_mnist(batch_size, resize=size, limit=settings["batches"] * batch_size)
batches = list(train_iter)
test_iter = [(X[:1], y[:1]) for X, y in batches[:1]]


def resnet_block(num_channels: int, num_residuals: int, first_block: bool = False) -> Any:
    """The book's stage."""
    blk = nn.Sequential()
    for i in range(num_residuals):
        blk.add(
            d2l.Residual(num_channels, use_1x1conv=True, strides=2)
            if i == 0 and not first_block
            else d2l.Residual(num_channels)
        )
    return blk


net = nn.Sequential()
net.add(
    nn.Conv2D(64, kernel_size=7, strides=2, padding=3),
    nn.BatchNorm(),
    nn.Activation("relu"),
    nn.MaxPool2D(pool_size=3, strides=2, padding=1),
    resnet_block(64, 2, first_block=True),
    resnet_block(128, 2),
    resnet_block(256, 2),
    resnet_block(512, 2),
    nn.GlobalAvgPool2D(),
    nn.Dense(10),
)
d2l.Animator.add = lambda *args: None
timed = Timed(batches, mx.nd.waitall)
with contextlib.redirect_stdout(io.StringIO()):
    d2l.train_ch6(net, timed, test_iter, 1, 0.05, mx.cpu())
tell(timed.examples, timed.seconds, f"mxnet {mx.__version__}", openmp_threads())
