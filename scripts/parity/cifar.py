"""Random CIFAR networks in PyTorch, saved as their usual training code does: python scripts/parity/cifar.py FOLDER

The modules have the names of the checkpoints in wide use (conv1, bn1, layer1.0.conv1, ..., linear; projections
shortcut.0 and shortcut.1); option A is a slice and torch's own zero padding. Source: He et al., arXiv 1512.03385,
section 4.2.
"""

import sys

import numpy
import torch
from cases import CASES
from common import case_folder, save
from pytorch import fill
from torch import nn
from torch.nn import functional


class Block(nn.Module):
    """Two 3x3 convolutions beside an identity, zero padding (A) or a projection (B)."""

    def __init__(self, into, width, stride, option):
        super().__init__()
        self.conv1 = nn.Conv2d(into, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.stride, self.extra = stride, (width - into) // 2
        projects = option == "b" and into != width
        self.shortcut = nn.Sequential(
            *([nn.Conv2d(into, width, 1, stride, bias=False), nn.BatchNorm2d(width)] if projects else [])
        )

    def forward(self, x):
        y = functional.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if len(self.shortcut):
            beside = self.shortcut(x)
        else:
            beside = functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.extra, self.extra))
        return functional.relu(y + beside)


class CifarResNet(nn.Module):
    """A network of ``depth`` = 6n + 2 layers with shortcuts of ``option`` "a" or "b": (N, 3, 32, 32) to (N, 10)."""

    def __init__(self, depth, option):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        into = 16
        for stage, width in enumerate((16, 32, 64), 1):
            blocks = []
            for number in range((depth - 2) // 6):
                blocks.append(Block(into, width, 2 if stage > 1 and number == 0 else 1, option))
                into = width
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        y = functional.relu(self.bn1(self.conv1(x)))
        y = self.layer3(self.layer2(self.layer1(y)))
        return self.linear(functional.avg_pool2d(y, y.shape[3]).flatten(1))


def main(folder):
    for seed, case in enumerate(CASES["cifar"]):
        path, (_, option, depth) = case_folder(folder, "cifar", case), case.split("-")
        net = CifarResNet(int(depth), option).eval()
        fill(net, seed)
        X = numpy.random.RandomState(seed).randn(2, 3, 32, 32).astype("float32")
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        net(torch.from_numpy(X)).sum().backward()
        values = {key: tensor.clone() for key, tensor in net.state_dict().items()}
        optimizer.step()  # so that the optimizer has momenta to save
        net.load_state_dict(values)
        wrapped = nn.DataParallel(net).state_dict()  # every key with module. in front
        torch.save(
            {"state_dict": wrapped, "best_prec1": torch.tensor(91.7), "optimizer": optimizer.state_dict()},
            path / "net.th",
            _use_new_zipfile_serialization=False,
        )
        torch.save(net.state_dict(), path / "net.pt")
        with torch.no_grad():
            save(path, X, net(torch.from_numpy(X)).numpy())


if __name__ == "__main__":
    main(sys.argv[1])
