"""Random torchvision and timm networks, saved as their users save them.

python scripts/parity/pytorch.py FOLDER pytorch|variants
"""

import sys

from torchvision_cpu import torchvision  # isort: skip  before timm, which imports torchvision, too

import timm
import torch
from cases import CASES
from common import Random, case_folder, pictures, save
from safetensors.torch import save_file

#: (height, width) of the pictures: of the variants, planes become odd, where ResNet-D's mean has less to take in
SIZES = {"pytorch": (64, 64), "variants": (80, 72)}


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


def write(path, case, files, seed):
    """Save the network ``case`` in ``files``, and its logits; torchvision's and timm's must agree if both have it."""
    nets = [getattr(torchvision.models, case)(weights=None)] if hasattr(torchvision.models, case) else []
    nets.append(timm.create_model(case, pretrained=False))
    fill(nets[0], seed)
    X = pictures(seed, SIZES[path.parent.name])
    X[1] /= 3  # less contrast: ResNet-D averages noise away, and two pictures of one contrast come out alike
    state = nets[0].state_dict()
    for net in nets:
        net.load_state_dict(state)
    for file in files:
        if file.endswith(".safetensors"):
            save_file(state, path / file)
        else:
            torch.save(state, path / file, _use_new_zipfile_serialization="legacy" not in file)
    with torch.no_grad():
        y_hats = [net.eval()(torch.from_numpy(X)).numpy() for net in nets]
    if any(abs(y_hat - y_hats[0]).max() > 1e-4 * abs(y_hats[0]).max() for y_hat in y_hats):
        raise SystemExit(f"{case}: torchvision and timm do not agree")
    save(path, X, y_hats[0])


def main(folder, library):
    for seed, (case, (_, files)) in enumerate(CASES[library].items()):
        write(case_folder(folder, library, case), case, files, seed)


if __name__ == "__main__":
    main(*sys.argv[1:])
