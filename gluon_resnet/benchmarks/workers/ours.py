"""Train a network with this suite, its data loading included; prints one JSON line. Run by benchmarks/training.py."""

import json
import sys
from typing import List

import gluon_resnet as gr
from gluon_resnet.training import amx
from gluon_resnet.training.recipe import Recipe
from gluon_resnet.weights import set_parameters

import mxnet as mx
import numpy
from common import Timed, openmp_threads, read_arrays, tell

settings = json.loads(sys.argv[1])
mx.npx.set_np()
way = settings["way"]
if way == "bfloat16":
    amx.problem()  # uses AMX if this machine has it and it is right
batch_size, size = settings["batch_size"], settings["size"]
if settings.get("uint8"):  # the same batch again and again
    uint8 = read_arrays(settings["uint8"])
    images, labels = (numpy.concatenate([uint8[name]] * settings["batches"]) for name in ("images", "labels"))
else:
    loaded, _ = gr.load_data_fashion_mnist(batch_size, limit=settings["batches"] * batch_size)
    images, labels = loaded.images, loaded.labels
# in the order of the files, so that the first batch is the one that the others train on
train_iter = gr.ArrayBatches(images, labels, batch_size, size)
test_iter = gr.ArrayBatches(images[:1], labels[:1], 1, size)
timed = Timed(train_iter, mx.nd.waitall)
net = gr.get_model(settings["model"])
set_parameters(net, read_arrays(settings["params"]))
gr.set_precision(net, "bfloat16" if way == "bfloat16" else "float32", mx.cpu())
losses: List[float] = []
recipe = Recipe(epochs=1, lr=settings["lr"], winograd=way != "direct")
gr.fit(
    net,
    timed,
    test_iter,
    recipe,
    mx.cpu(),
    gr.Session(listeners=[lambda record: losses.append(record.loss)], initialize=False),
)
tell(timed.examples, timed.seconds, f"mxnet {mx.__version__}", openmp_threads(), first_loss=losses[0])
