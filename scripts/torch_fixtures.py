"""Write tests/fixtures/*.pth with a real PyTorch: small checkpoints in both of torch.save's formats.

For example:

    .venv-bench/torch/bin/python scripts/torch_fixtures.py tests/fixtures
"""

import sys
from collections import OrderedDict
from pathlib import Path

import torch

out = Path(sys.argv[1])
base = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4) / 8  # exact in every type
tensors = OrderedDict(
    {
        "plain": base,
        "transposed": base.transpose(0, 2),  # strides out of order
        "part": base[1, 1:],  # an offset into a storage that others share
        "half": base.half(),
        "bfloat16": base.bfloat16(),
        "double": base.double(),
        "long": torch.arange(-3, 3),
        "bool": torch.tensor([True, False]),
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(base + 1),
    }
)
for name, new in (("zip", True), ("legacy", False)):
    torch.save(tensors, out / f"torch_{name}.pth", _use_new_zipfile_serialization=new)
    module = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    with torch.no_grad():
        for number, param in enumerate(module.parameters()):
            param.fill_(number + 0.5)
    torch.save(
        {"epoch": 3, "state_dict": module.state_dict(), "optimizer": {"lr": 0.1, "betas": (0.9, 0.999)}},
        out / f"torch_checkpoint_{name}.pth",
        _use_new_zipfile_serialization=new,
    )
