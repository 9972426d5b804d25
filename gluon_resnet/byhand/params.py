"""The parameters of a network by hand: a dict of arrays with the layout's names, made at random or checked.

params = random_params(layout(parse_model("resnet18")), seed=0)     # {"0.weight": (64, 3, 7, 7) float32, ...}
"""

from typing import Any, Dict, List, Mapping, Sequence

import numpy as np

from ..errors import ConfigError, ModelError, ShapeError
from ..networks.layout import Layout, Norm

Params = Dict[str, np.ndarray]  # by the layout's names

DTYPES = ("float32", "float64")
RUNNING = ("running_mean", "running_var")


def is_trainable(name: str) -> bool:
    """Is the parameter learned by gradients? Running statistics are not. See :func:`trainable_names` for a network."""
    return not name.endswith(RUNNING)


def trainable_names(layout: Layout) -> List[str]:
    """Names of all parameters that gradients change, in the layout's order: no statistics, no fixed gamma or beta."""
    fixed = layout.fixed()
    return [name for name in layout.params() if is_trainable(name) and name not in fixed]


def norm_params(norm: Norm, params: Params) -> List[np.ndarray]:
    """(gamma, beta, running mean, running variance), each (C,), of the layout's ``norm``; a fixed gamma is 1."""
    gamma, *others = (params[f"{norm.name}.{part}"] for part in ("gamma", "beta", *RUNNING))
    return [gamma if norm.scale else np.ones_like(gamma), *others]


def check_dtype(dtype: Any) -> np.dtype:
    """The NumPy dtype "float32" or "float64"; ConfigError for anything else."""
    try:
        known = np.dtype(dtype)
    except TypeError:
        known = None
    if known is None or known.name not in DTYPES:
        raise ConfigError(f"byhand: dtype is {dtype!r}: expected {' or '.join(DTYPES)}")
    return known


def _start(name: str, shape: Sequence[int], random: np.random.RandomState) -> np.ndarray:
    if name.endswith(("gamma", "running_var")):
        return np.ones(shape)
    if len(shape) == 1:  # biases, beta, running_mean
        return np.zeros(shape)
    fan_in = np.prod(shape[1:])
    return random.standard_normal(shape) * np.sqrt(2 / fan_in)


def random_params(layout: Layout, dtype: Any = "float32", seed: int = 0) -> Params:
    """{name: array}: weights normal with variance 2 / fan-in, biases and beta 0, gamma 1, running statistics 0 and 1.

    Source of the variance: He et al., arXiv 1502.01852, equation 10. One seed gives the same numbers everywhere.
    """
    dtype, random = check_dtype(dtype), np.random.RandomState(seed)
    return {name: _start(name, shape, random).astype(dtype) for name, shape in layout.params().items()}


def checked_params(layout: Layout, params: Mapping[str, Any], dtype: Any = "float32") -> Params:
    """A copy of ``params`` in ``dtype``, in the layout's order. The dict must have its names and shapes and no others.

    Raises ModelError for the first name that is missing or unexpected, ShapeError for the first wrong shape.
    """
    dtype, expected, model = check_dtype(dtype), layout.params(), layout.spec.name
    for name, shape in expected.items():
        if name not in params:
            raise ModelError(
                f"byhand.ResNet({model}): parameter {name} {shape} is missing: {len(params)} given, "
                f"{len(expected)} expected; give those of a {model}"
            )
        if np.shape(params[name]) != shape:
            raise ShapeError(
                f"byhand.ResNet({model}): parameter {name} has shape {np.shape(params[name])}: "
                f"expected {shape}; give those of a {model} with as many classes and input channels"
            )
    for name in params:
        if name not in expected:
            raise ModelError(
                f"byhand.ResNet({model}): parameter {name} is unexpected: the network has no such parameter; "
                f"give those of a {model}"
            )
    return {name: np.array(params[name], dtype=dtype) for name in expected}
