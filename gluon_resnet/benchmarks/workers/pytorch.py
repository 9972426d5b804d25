"""Train the same ResNet-18 with PyTorch on random images of the same shape; prints one JSON line.

Runs in an environment of its own (requirements-bench.txt), with PyTorch's default threads, in eager mode, with
contiguous or channels_last memory.
"""

import json
import sys
from typing import Any

import torch
from common import Timed, tell
from torch import nn
from torch.nn import functional as F

settings = json.loads(sys.argv[1])
batch_size, size = settings["batch_size"], settings["size"]


class Residual(nn.Module):
    """Article 001's block."""

    def __init__(self, inputs: int, channels: int, use_1x1conv: bool = False, strides: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, channels, 3, strides, 1)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1)
        self.conv3 = nn.Conv2d(inputs, channels, 1, strides) if use_1x1conv else nn.Identity()
        self.bn1, self.bn2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)

    def forward(self, X: Any) -> Any:
        Y = F.relu(self.bn1(self.conv1(X)), inplace=True)
        return F.relu(self.bn2(self.conv2(Y)) + self.conv3(X), inplace=True)


net = nn.Sequential(
    nn.Conv2d(1, 64, 7, 2, 3),
    nn.BatchNorm2d(64),
    nn.ReLU(inplace=True),
    nn.MaxPool2d(3, 2, 1),
    Residual(64, 64),
    Residual(64, 64),
    Residual(64, 128, True, 2),
    Residual(128, 128),
    Residual(128, 256, True, 2),
    Residual(256, 256),
    Residual(256, 512, True, 2),
    Residual(512, 512),
    nn.AdaptiveAvgPool2d(1),
    nn.Flatten(),
    nn.Linear(512, 10),
)
X, y = torch.rand(batch_size, 1, size, size), torch.randint(10, (batch_size,))
if settings["way"] == "channels_last":
    net, X = net.to(memory_format=torch.channels_last), X.to(memory_format=torch.channels_last)
optimizer, loss = torch.optim.SGD(net.parameters(), lr=0.05), nn.CrossEntropyLoss()

timed = Timed([(X, y)] * settings["batches"], lambda: None)  # PyTorch on a CPU has no work in the background
for X, y in timed:
    optimizer.zero_grad()
    loss(net(X), y).backward()
    optimizer.step()
tell(timed.examples, timed.seconds, f"torch {torch.__version__}", torch.get_num_threads())
