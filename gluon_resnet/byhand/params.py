"""The parameters of a network by hand: a dict of arrays with the layout's names, made at random or checked."""

import numpy as np

from ..errors import ConfigError, ModelError, ShapeError

DTYPES = ("float32", "float64")
RUNNING = ("running_mean", "running_var")


def is_trainable(name):
    """Is the parameter learned by gradients? Running statistics are not. Of a network: :func:`trainable_names`."""
    return not name.endswith(RUNNING)


def trainable_names(layout):
    """Names of all parameters that gradients change, in the layout's order: no statistics, no fixed gamma or beta."""
    fixed = layout.fixed()
    return [name for name in layout.params() if is_trainable(name) and name not in fixed]


def norm_params(norm, params):
    """(gamma, beta, running mean, running variance), each (C,), of the layout's ``norm``; a fixed gamma is 1."""
    gamma, *others = (params[f"{norm.name}.{part}"] for part in ("gamma", "beta", *RUNNING))
    return [gamma if norm.scale else np.ones_like(gamma), *others]


def check_dtype(dtype):
    """The NumPy dtype behind "float32" or "float64"; ConfigError for anything else."""
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = None
    if found is None or found.name not in DTYPES:
        raise ConfigError(f"byhand: dtype is {dtype!r}: expected {' or '.join(DTYPES)}")
    return found


def _start(name, shape, random):
    if name.endswith(("gamma", "running_var")):
        return np.ones(shape)
    if len(shape) == 1:  # biases, beta, running_mean
        return np.zeros(shape)
    fan_in = np.prod(shape[1:])
    return random.standard_normal(shape) * np.sqrt(2 / fan_in)


def random_params(layout, dtype="float32", seed=0):
    """{name: array}: weights normal with variance 2 / fan-in, biases and beta 0, gamma 1, running statistics 0 and 1.

    Source of the variance: He et al., arXiv 1502.01852, equation 10. One seed gives the same numbers everywhere.
    """
    dtype, random = check_dtype(dtype), np.random.RandomState(seed)
    return {name: _start(name, shape, random).astype(dtype) for name, shape in layout.params().items()}


def checked_params(layout, params, dtype="float32"):
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
                f"byhand.ResNet({model}): parameter {name} is unexpected: the network has no such one; "
                f"give those of a {model}"
            )
    return {name: np.array(params[name], dtype=dtype) for name in expected}
