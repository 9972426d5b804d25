"""Train ResNet-18 with this suite, its data loading included; prints one JSON line. Run by benchmarks/training.py."""

import json
import sys

import gluon_resnet as gr
from gluon_resnet.training import amx
from gluon_resnet.training.recipe import Recipe

import mxnet as mx
from common import Timed, openmp_threads, tell

settings = json.loads(sys.argv[1])
mx.npx.set_np()
way = settings["way"]
if way == "bfloat16":
    amx.problem()  # uses AMX if this machine has it and it is right
batch_size, size = settings["batch_size"], settings["size"]
train_iter, _ = gr.load_data_fashion_mnist(batch_size, resize=size, limit=settings["batches"] * batch_size)
test_iter = gr.ArrayBatches(train_iter.images[:1], train_iter.labels[:1], 1, size)
timed = Timed(train_iter, mx.nd.waitall)
net = gr.resnet18()
gr.set_precision(net, "bfloat16" if way == "bfloat16" else "float32", mx.cpu())
gr.fit(net, timed, test_iter, Recipe(epochs=1, lr=0.05, winograd=way != "direct"), mx.cpu())
tell(timed.examples, timed.seconds, f"mxnet {mx.__version__}", openmp_threads())
