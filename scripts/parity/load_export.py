"""What torchvision's own network, or timm's, computes with a file that gluon-resnet exported.

python scripts/parity/load_export.py resnet18 FILE X.npy y_hat.npy
"""

import sys

from torchvision_cpu import torchvision  # isort: skip  before timm, which imports torchvision, too

import numpy
import timm
import torch
from safetensors.torch import load_file


def main(model, path, images, logits):
    X = torch.from_numpy(numpy.load(images))
    weights = load_file(path) if path.endswith(".safetensors") else torch.load(path, weights_only=True)
    classes, channels = len(weights["fc.bias"]), X.shape[1]
    if hasattr(torchvision.models, model):
        net = getattr(torchvision.models, model)(weights=None, num_classes=classes)
        net.conv1 = torch.nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
    else:
        net = timm.create_model(model, num_classes=classes, in_chans=channels)
    net.load_state_dict(weights)  # strict: every key and every shape
    with torch.no_grad():
        numpy.save(logits, net.eval()(X).numpy())


if __name__ == "__main__":
    main(*sys.argv[1:])
