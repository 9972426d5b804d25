"""A network in PyTorch from its plan (benchmarks/peers.py) and parameters; its layers have our names."""

from typing import Any, Dict

import torch
from torch import nn
from torch.nn import functional as F

Plan = Dict[str, Any]


class Layers:
    """Makes PyTorch's modules of a plan's layers, with their values."""

    def __init__(self, params: Dict[str, Any]) -> None:
        self.params = params

    def _fill(self, module: nn.Module, layer: Plan, names: Dict[str, str]) -> nn.Module:
        with torch.no_grad():
            for ours, theirs in names.items():
                values = torch.from_numpy(self.params[f"{layer['name']}.{ours}"])
                getattr(module, theirs).copy_(values)
        return module

    def conv(self, layer: Plan) -> nn.Module:
        """A convolution."""
        module = nn.Conv2d(
            layer["in_channels"],
            layer["out_channels"],
            layer["kernel"],
            layer["stride"],
            layer["padding"],
            bias=layer["bias"],
        )
        names = {"weight": "weight", **({"bias": "bias"} if layer["bias"] else {})}
        return self._fill(module, layer, names)

    def norm(self, layer: Any) -> nn.Module:
        """A batch norm; None is nothing."""
        if layer is None:
            return nn.Identity()
        names = {
            "gamma": "weight",
            "beta": "bias",
            "running_mean": "running_mean",
            "running_var": "running_var",
        }
        return self._fill(nn.BatchNorm2d(layer["channels"], layer["eps"]), layer, names)

    def dense(self, layer: Plan) -> nn.Module:
        """The classifier."""
        module = nn.Linear(layer["in_units"], layer["units"])
        return self._fill(module, layer, {"weight": "weight", "bias": "bias"})


class Residual(nn.Module):
    """A residual block of the plan: convolutions with batch norms and ReLUs, a projection or X itself, the sum."""

    def __init__(self, block: Plan, layers: Layers) -> None:
        super().__init__()
        self.convs = nn.ModuleList(layers.conv(conv) for conv, _ in block["body"])
        self.norms = nn.ModuleList(layers.norm(norm) for _, norm in block["body"])
        self.projection = nn.Sequential()
        if block["shortcut"]:
            conv, norm = block["shortcut"]
            self.projection = nn.Sequential(layers.conv(conv), layers.norm(norm))

    def forward(self, X: Any) -> Any:
        Y = X
        last = len(self.convs) - 1
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms)):
            Y = norm(conv(Y))
            if i < last:
                Y = F.relu(Y, inplace=True)
        return F.relu(Y + self.projection(X), inplace=True)


def build(plan: Plan, params: Dict[str, Any]) -> nn.Module:
    """The network of a plan with {our parameter name: float32 array}."""
    layers = Layers(params)
    conv, norm = plan["stem"]
    modules = [layers.conv(conv), layers.norm(norm), nn.ReLU(inplace=True)]
    if plan["pool_padding"] is not None:
        modules.append(nn.MaxPool2d(3, 2, plan["pool_padding"]))
    for stage in plan["stages"]:
        modules += [Residual(block, layers) for block in stage]
    return nn.Sequential(*modules, nn.AdaptiveAvgPool2d(1), nn.Flatten(), layers.dense(plan["classifier"]))
