"""One example's cost for the depths of the table: parameters, multiply-adds, time to train and to predict; one JSON line."""
import json
import statistics
import sys

import gluon_resnet as gr

import mxnet as mx
from common import Clock
from gluon_resnet.specs import DEPTHS
from mxnet import autograd, gluon

settings = json.loads(sys.argv[1])
mx.npx.set_np()
batch_size, size, steps = 32, settings["size"], 5
rows = []
for depth in DEPTHS:
    net = gr.get_model(f"resnet{depth}")
    sums = gr.totals(gr.summary(net, (1, 1, size, size)))
    net.initialize(mx.init.Xavier(), force_reinit=True)
    net.hybridize(static_alloc=True, static_shape=True)
    X, y = mx.np.random.uniform(size=(batch_size, 1, size, size)), mx.np.zeros(batch_size)
    loss = gluon.loss.SoftmaxCrossEntropyLoss()
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.01})

    def train():
        """One update."""
        with autograd.record():
            l = loss(net(X), y)
        l.backward()
        trainer.step(batch_size)

    times = {}
    for name, work in (("train", train), ("predict", lambda: net(X))):
        taken = []
        for _ in range(2 + steps):
            with Clock() as clock:
                work()
                mx.nd.waitall()
            taken.append(clock.seconds)
        times[name] = statistics.median(taken[2:]) / batch_size * 1000
    rows.append({"network": f"ResNet-{depth}", "parameters": f"{sums['parameters']:,}",
                 "multiply-adds (G)": round(sums["multiply_adds"] / 1e9, 3), "training (ms)": round(times["train"], 2),
                 "predicting (ms)": round(times["predict"], 2), "batch_size": batch_size})
print(json.dumps({"rows": rows}))
