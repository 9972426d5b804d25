"""Train or predict with PyTorch; prints one JSON line.

Runs in an environment of its own (requirements-bench.txt), with PyTorch's default threads. The way has any of the words
eager, channels_last, compile, freezing and bfloat16 (autocast).
"""

import contextlib
import json
import sys
from typing import Any

import numpy
import torch
from common import Timed, predicted, read_arrays, tell
from torch import nn
from torch_net import build

settings = json.loads(sys.argv[1])
words = settings["way"].split()
version, threads = f"torch {torch.__version__}", torch.get_num_threads()


def arithmetic() -> Any:
    """The context in which the network runs: autocast to bfloat16, if the way says so."""
    return torch.autocast("cpu", dtype=torch.bfloat16) if "bfloat16" in words else contextlib.nullcontext()


def train(net: nn.Module, X: Any, y: Any) -> None:
    """Plain SGD on one batch again and again."""
    optimizer, loss_function = torch.optim.SGD(net.parameters(), lr=settings["lr"]), nn.CrossEntropyLoss()
    losses = []
    # PyTorch on a CPU has no work in the background
    timed = Timed([(X, y)] * settings["batches"], lambda: None)
    for X, y in timed:
        optimizer.zero_grad()
        with arithmetic():
            loss = loss_function(net(X), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    tell(timed.examples, timed.seconds, version, threads, first_loss=losses[0].item())


def predict(net: nn.Module, X: Any) -> None:
    """Predict one batch again and again."""

    def once() -> Any:
        with torch.no_grad(), arithmetic():  # freezing wants no_grad
            return net(X).float().numpy()

    predicted(once, len(X), settings, version, threads)


params = read_arrays(settings["params"])
net = build(settings["plan"], params)
del params
X = torch.from_numpy(numpy.load(settings["images"])[: settings["batch_size"]])
if "channels_last" in words:
    net, X = net.to(memory_format=torch.channels_last), X.to(memory_format=torch.channels_last)
if settings["task"] == "predict":
    net.eval()
if "freezing" in words:
    from torch._inductor import config

    config.freezing = True  # the same as TORCHINDUCTOR_FREEZING=1
if "compile" in words:
    net = torch.compile(net)
if settings["task"] == "train":
    train(net, X, torch.from_numpy(numpy.load(settings["labels"])[: settings["batch_size"]]).long())
else:
    predict(net, X)
