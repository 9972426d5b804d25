"""Train or predict with oneDNN's log switched on (DNNL_VERBOSE=1), with a mark before each step.

Run by gluon_resnet.benchmarks.profile. The marks go through C's own buffer, so that they keep their place among
oneDNN's lines; the last line is JSON: seconds of each step.
"""

import ctypes
import json
import sys
from typing import Any, Callable, Dict, List

import gluon_resnet as gr
from gluon_resnet.byhand import random_params
from gluon_resnet.machine.onednn_log import END, STEP
from gluon_resnet.networks.layout import layout
from gluon_resnet.networks.specs import parse_model
from gluon_resnet.training import amx, winograd

import mxnet as mx
import numpy
from common import Clock, openmp_threads
from cost import work_of
from made_engine import make

C = ctypes.CDLL(None)
WARM_UP = 2
CALIBRATED = 8  # random images, for the engine int8


def timed(work: Callable[[], Any], steps: int) -> List[float]:
    """Seconds of each of ``steps`` calls of ``work``, after WARM_UP calls that are not between marks."""
    seconds = []
    for step in range(WARM_UP + steps):
        if step >= WARM_UP:
            C.puts(STEP.encode())
        with Clock() as clock:
            work()
            mx.nd.waitall()
        if step >= WARM_UP:
            seconds.append(clock.seconds)
    C.puts(END.encode())
    C.fflush(None)
    return seconds


def trained(settings: Dict[str, Any], X: numpy.ndarray) -> Dict[str, Any]:
    """The measurements of training steps."""
    mx.npx.set_np()
    if settings["precision"] == "bfloat16":
        amx.problem()  # uses AMX if this machine has it and it is right
    net = gr.get_model(settings["model"])
    net.initialize(mx.init.Xavier())
    gr.set_precision(net, settings["precision"], mx.cpu())
    net.hybridize(static_alloc=True, static_shape=True)
    batch, y = mx.np.array(X), mx.np.zeros(len(X))
    with winograd.convolutions(device=mx.cpu()) as has_winograd:
        return {"seconds": timed(work_of("train", net, batch, y), settings["steps"]), "winograd": has_winograd}


def predicted(settings: Dict[str, Any], X: numpy.ndarray) -> Dict[str, Any]:
    """The measurements of predictions with an engine."""
    params = random_params(layout(parse_model(settings["model"]), X.shape[1]))
    images = numpy.random.RandomState(1).standard_normal((CALIBRATED, *X.shape[1:])).astype("float32")
    engine = make(settings["engine"], settings["model"], params, images)
    return {"seconds": timed(lambda: engine.logits(X), settings["steps"])}


def main(settings: Dict[str, Any]) -> None:
    """Run the network and print its steps' seconds."""
    X = numpy.random.RandomState(0).standard_normal(settings["shape"]).astype("float32")
    measured = (trained if settings["task"] == "train" else predicted)(settings, X)
    print(json.dumps({**measured, "version": f"mxnet {mx.__version__}", "threads": openmp_threads()}), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
