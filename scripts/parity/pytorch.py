"""Random torchvision and timm networks, saved as their users save them: python scripts/parity/pytorch.py FOLDER"""

import sys

from torchvision_cpu import torchvision  # isort: skip  before timm, which imports torchvision, too

import timm
import torch
from cases import CASES
from common import Random, case_folder, pictures, save
from safetensors.torch import save_file


def fill(net, seed):
    """Draw every parameter and running statistic of ``net``."""
    random = Random(seed)
    for module in net.modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            shape = tuple(module.weight.shape)
            module.weight.data = torch.from_numpy(random.weight(shape, module.weight[0].numel()))
            if module.bias is not None:
                module.bias.data = torch.from_numpy(random.bias(tuple(module.bias.shape)))
        elif isinstance(module, torch.nn.BatchNorm2d):
            shape = tuple(module.weight.shape)
            module.weight.data = torch.from_numpy(random.gamma(shape))
            module.bias.data = torch.from_numpy(random.bias(shape))
            module.running_mean = torch.from_numpy(random.bias(shape))
            module.running_var = torch.from_numpy(random.variance(shape))


def main(folder):
    for seed, case in enumerate(CASES["pytorch"]):
        path, X = case_folder(folder, "pytorch", case), pictures(seed)
        net = getattr(torchvision.models, case)(weights=None).eval()
        fill(net, seed)
        torch.save(net.state_dict(), path / "torchvision.pth")
        torch.save(net.state_dict(), path / "torchvision-legacy.pth", _use_new_zipfile_serialization=False)
        twin = timm.create_model(case, pretrained=False).eval()
        twin.load_state_dict(net.state_dict())
        save_file(twin.state_dict(), path / "timm.safetensors")
        with torch.no_grad():
            y_hat, y_hat_twin = (each(torch.from_numpy(X)).numpy() for each in (net, twin))
        if abs(y_hat - y_hat_twin).max() > 1e-4 * abs(y_hat).max():
            raise SystemExit(f"{case}: torchvision and timm do not agree")
        save(path, X, y_hat)


if __name__ == "__main__":
    main(sys.argv[1])
