"""One example's cost by depth: parameters, multiply-adds, time to train and to predict; prints one JSON line."""

import json
import statistics
import sys

import gluon_resnet as gr
from gluon_resnet.networks.specs import DEPTHS

import mxnet as mx
from cost import timed, work_of

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
    times = {
        way: statistics.median(timed(work_of(way, net, X, y), steps)) / batch_size * 1000
        for way in ("train", "predict")
    }
    rows.append(
        {
            "network": f"ResNet-{depth}",
            "parameters": f"{sums['parameters']:,}",
            "multiply-adds (G)": round(sums["multiply_adds"] / 1e9, 3),
            "training (ms)": round(times["train"], 2),
            "predicting (ms)": round(times["predict"], 2),
            "batch_size": batch_size,
        }
    )
print(json.dumps({"rows": rows}))
