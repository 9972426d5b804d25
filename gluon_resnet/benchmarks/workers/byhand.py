"""Predict with a network by hand in NumPy, in one of several ways, one image at a time; prints one JSON line.

Run by gluon_resnet.benchmarks.inference.
"""

import ctypes
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, Optional, Tuple

import gluon_resnet  # noqa: F401  before NumPy, whose OpenBLAS reads OMP_NUM_THREADS when it is loaded
from gluon_resnet import byhand
from gluon_resnet.networks.specs import parse_model

import numpy as np
from common import predicted, read_arrays, tell

settings = json.loads(sys.argv[1])
way = settings["way"]

OPENBLAS_NAMES = ("openblas_get_num_threads64_", "scipy_openblas_get_num_threads64_", "openblas_get_num_threads")


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


def numpys_way(params: Dict[str, Any]) -> Callable[[Any], Any]:
    """The function that predicts: the network folded, or with one of the three convolutions."""
    net = byhand.ResNet(parse_model(settings["model"]), params, conv="im2col" if way == "folded" else way)
    return net.folded() if way == "folded" else net.forward


def loops_on_a_part() -> Tuple[int, float]:
    """(multiply-adds, seconds) of the nested loops on 16 of 64 channels and 16x16 of 56x56 outputs of 4.0.conv2."""
    random = np.random.RandomState(0)
    X, weight = (random.standard_normal(shape).astype("float32") for shape in ((1, 64, 18, 18), (16, 64, 3, 3)))
    started = time.perf_counter()
    Y = byhand.conv2d_loops(X, weight)  # (1, 16, 16, 16)
    return Y.size * weight[0].size, time.perf_counter() - started


version = f"numpy {np.__version__}"
if way == "loops":
    runs = [loops_on_a_part() for _ in range(3)]
    part, times = runs[0][0], [seconds for _, seconds in runs]
    tell(
        1,
        sum(times),
        version,
        1,
        multiply_adds=part,
        median_seconds=statistics.median(times),
        examples_per_sec=part / statistics.median(times) / (settings["flops_an_example"] / 2),
        extrapolated=True,
    )
    sys.exit()
predict = numpys_way(read_arrays(settings["params"]))
X = np.load(settings["images"])[:1]
predicted(lambda: predict(X), 1, settings, version, openblas_threads())
