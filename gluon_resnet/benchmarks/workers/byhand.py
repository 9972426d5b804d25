"""Predict with ResNet-50 in one of several ways, with the same parameters and image for all; prints one JSON line.

Run by gluon_resnet.benchmarks.inference. PyTorch's way runs in an environment of its own, without mxnet.
"""

import ctypes
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

settings = json.loads(sys.argv[1])
way = settings["way"]
if way != "pytorch":
    import gluon_resnet as gr  # before NumPy, whose OpenBLAS reads OMP_NUM_THREADS when it is loaded

import numpy as np  # noqa: E402
from common import openmp_threads, tell  # noqa: E402

OPENBLAS_NAMES = ("openblas_get_num_threads64_", "scipy_openblas_get_num_threads64_", "openblas_get_num_threads")

Way = Tuple[Callable[[Any], Any], str, Optional[int]]  # function that predicts, version, threads


def openblas_threads() -> Optional[int]:
    """Threads of NumPy's OpenBLAS, or None if NumPy uses another library."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        path = line.split()[-1]
        if "openblas" in Path(path).name:
            library = ctypes.CDLL(path)
            for name in OPENBLAS_NAMES:
                if hasattr(library, name):
                    return getattr(library, name)()
    return None


def numpys_way(params: Dict[str, Any]) -> Way:
    """The network by hand, folded or with one of the three convolutions."""
    from gluon_resnet import byhand
    from gluon_resnet.networks.specs import parse_model

    net = byhand.ResNet(parse_model(settings["model"]), params, conv="im2col" if way == "folded" else way)
    return net.folded() if way == "folded" else net.forward, f"numpy {np.__version__}", openblas_threads()


def gluons_way(params: Dict[str, Any]) -> Way:
    """The Gluon network, hybridized."""
    import mxnet as mx

    net = gr.get_model(settings["model"])
    net.initialize()
    net(mx.nd.zeros((1, 3, 64, 64)))
    for name, param in net._collect_params_with_prefix().items():
        param.set_data(mx.nd.array(params[name]))
    net.hybridize(static_alloc=True, static_shape=True)
    return lambda X: net(mx.nd.array(X)).asnumpy(), f"mxnet {mx.__version__}", openmp_threads()


def torchs_name(name: str) -> str:
    """PyTorch's name of a parameter."""
    layer, _, part = name.rpartition(".")
    return f"{layer}.{dict(gamma='weight', beta='bias').get(part, part)}"


def bottleneck(nn: Any) -> Any:
    """PyTorch's class of residual blocks; ``nn`` is torch.nn, which only the environment of one way has."""

    class Bottleneck(nn.Module):
        """1x1, 3x3 and 1x1 convolutions, the stride on the 3x3; a projection where shapes differ."""

        def __init__(self, inputs: int, width: int, stride: int) -> None:
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width)
            self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
            self.conv3, self.bn3 = nn.Conv2d(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width)
            self.projects = inputs != 4 * width
            if self.projects:
                self.conv4, self.bn4 = nn.Conv2d(inputs, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width)
            self.relu = nn.ReLU(inplace=True)

        def forward(self, X: Any) -> Any:
            Y = self.relu(self.bn1(self.conv1(X)))
            Y = self.bn3(self.conv3(self.relu(self.bn2(self.conv2(Y)))))
            return self.relu(Y.add_(self.bn4(self.conv4(X)) if self.projects else X))

    return Bottleneck


def pytorchs_way(params: Dict[str, Any]) -> Way:
    """The same network in PyTorch, in eager mode; its layers have our names."""
    import torch
    from torch import nn

    block = bottleneck(nn)
    layers, inputs = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True)], 64
    layers.append(nn.MaxPool2d(3, 2, 1))
    for stage, count in enumerate((3, 4, 6, 3)):
        width, blocks = 64 * 2**stage, []
        for i in range(count):
            blocks.append(block(inputs, width, 2 if i == 0 and stage > 0 else 1))
            inputs = 4 * width
        layers.append(nn.Sequential(*blocks))
    pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    net = nn.Sequential(*layers, pool, nn.Linear(inputs, 1000)).eval()
    state = {torchs_name(name): torch.from_numpy(value) for name, value in params.items()}
    missing, unexpected = net.load_state_dict(state, strict=False)
    if unexpected or not all(name.endswith("num_batches_tracked") for name in missing):
        raise SystemExit(f"parameters do not fit: {missing} {unexpected}")

    def predict(X: Any) -> Any:
        with torch.inference_mode():
            return net(torch.from_numpy(X)).numpy()

    return predict, f"torch {torch.__version__}", torch.get_num_threads()


def loops_on_a_part() -> Tuple[int, float]:
    """(multiply-adds, seconds) of the nested loops on 16 of 64 channels and 16x16 of 56x56 outputs of 4.0.conv2."""
    from gluon_resnet.byhand import conv2d_loops

    random = np.random.RandomState(0)
    X, weight = (random.standard_normal(shape).astype("float32") for shape in ((1, 64, 18, 18), (16, 64, 3, 3)))
    started = time.perf_counter()
    Y = conv2d_loops(X, weight)  # (1, 16, 16, 16)
    return Y.size * weight[0].size, time.perf_counter() - started


if way == "loops":
    runs = [loops_on_a_part() for _ in range(3)]
    times: List[float] = [seconds for _, seconds in runs]
    tell(0, sum(times), f"numpy {np.__version__}", 1, multiply_adds=runs[0][0], median_seconds=statistics.median(times))
    sys.exit()
with np.load(settings["params"]) as stored:
    params = {name: stored[name] for name in stored.files}
predict, version, threads = {"gluon": gluons_way, "pytorch": pytorchs_way}.get(way, numpys_way)(params)
X = np.random.RandomState(0).standard_normal((1, 3, settings["size"], settings["size"])).astype("float32")
times = []
for _ in range(settings["warm_up"] + settings["repeats"]):
    started = time.perf_counter()
    logits = predict(X)
    times.append(time.perf_counter() - started)
times = times[settings["warm_up"] :]
tell(
    len(times),
    sum(times),
    version,
    threads,
    times=times,
    median_seconds=statistics.median(times),
    logits=[float(value) for value in logits[0]],
)
