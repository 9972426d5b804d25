"""Train ResNet-18 with this suite, its data loading included; prints one JSON line. Run by gluon_resnet.benchmark."""
import json
import sys

import gluon_resnet as gr

import mxnet as mx
from common import Clock, openmp_threads, tell

settings = json.loads(sys.argv[1])
mx.npx.set_np()
batch_size, size = settings["batch_size"], settings["size"]
count = settings["batches"] * batch_size
train_iter, _ = gr.load_data_fashion_mnist(batch_size, resize=size, limit=count)
warm_up = gr.ArrayBatches(train_iter.images[:2 * batch_size], train_iter.labels[:2 * batch_size], batch_size, size)
test_iter = gr.ArrayBatches(train_iter.images[:1], train_iter.labels[:1], 1, size)
net = gr.resnet18()
gr.fit(net, warm_up, test_iter, 1, 0.05, mx.cpu())
mx.nd.waitall()
with Clock() as clock:
    result = gr.fit(net, train_iter, test_iter, 1, 0.05, mx.cpu())
    mx.nd.waitall()
tell(count, clock.seconds, f"mxnet {mx.__version__}", openmp_threads(), result.examples_per_sec)
