"""Peak memory of a training run with all of Fashion-MNIST in memory: some batches of training, the whole test part."""

import json
import sys
from typing import List

import gluon_resnet as gr

import mxnet as mx
from common import Clock, openmp_threads, tell

settings = json.loads(sys.argv[1])
mx.npx.set_np()
batch_size = settings["batch_size"]
train_iter, test_iter = gr.load_data_fashion_mnist(batch_size, resize=settings["size"])
count = settings["batches"] * batch_size
net = gr.resnet18()
records: List[gr.Record] = []
with Clock() as clock:
    gr.fit(
        net,
        train_iter,
        test_iter,
        gr.Recipe(epochs=1, lr=0.05),
        mx.cpu(),
        gr.Session(listeners=[records.append], stop=lambda: len(records) >= settings["batches"]),
    )
    gr.evaluate_accuracy(net, test_iter)
tell(count, clock.seconds, f"mxnet {mx.__version__}", openmp_threads())
