"""What torchvision's own network computes with a file that gluon-resnet exported.

python scripts/parity/load_export.py resnet18 FILE X.npy y_hat.npy
"""

import sys

import numpy
import torch
from safetensors.torch import load_file
from torchvision_cpu import torchvision


def main(model, path, images, logits):
    X = torch.from_numpy(numpy.load(images))
    weights = load_file(path) if path.endswith(".safetensors") else torch.load(path, weights_only=True)
    net = getattr(torchvision.models, model)(weights=None, num_classes=len(weights["fc.bias"]))
    net.conv1 = torch.nn.Conv2d(X.shape[1], 64, 7, stride=2, padding=3, bias=False)
    net.load_state_dict(weights)  # strict: every key and every shape
    with torch.no_grad():
        numpy.save(logits, net.eval()(X).numpy())


if __name__ == "__main__":
    main(*sys.argv[1:])
