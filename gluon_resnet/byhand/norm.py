"""Batch norm over the channels of (N, C, H, W), in training and in prediction, forward and backward.

    Y, mean, var = batch_norm_training(X, gamma, beta, eps=1e-5)
    dX, dgamma, dbeta = batch_norm_training_backward(dY, X, gamma, mean, var, eps=1e-5)

    Y = gamma * X_hat + beta, X_hat = (X - mean) / sqrt(var + eps)

Training takes mean and variance (divided by n, not n - 1) of the batch, over N, H and W; prediction takes running ones.
gamma, beta, means and variances are (C,). Source: Ioffe and Szegedy, arXiv 1502.03167, algorithm 1 and section 3.
"""

from typing import Tuple

import numpy as np

from .checks import check_channels, check_rank, check_shape

MOMENTUM = 0.9  # Gluon's


def _check(where: str, X: np.ndarray, **params: np.ndarray) -> None:
    check_rank(where, "X", X, "(N, C, H, W)")
    for name, param in params.items():
        check_channels(where, name, param, X.shape[1])


def _by_channel(values: np.ndarray) -> np.ndarray:
    return values[:, None, None]  # (C, 1, 1)


def _normalize(X: np.ndarray, mean: np.ndarray, var: np.ndarray, eps: float) -> np.ndarray:
    return (X - _by_channel(mean)) * _by_channel(1 / np.sqrt(var + X.dtype.type(eps)))  # (N, C, H, W)


def batch_norm_training(
    X: np.ndarray, gamma: np.ndarray, beta: np.ndarray, eps: float = 1e-5
) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(Y, mean, var): X normalized by the batch's own statistics, of shapes (N, C, H, W), (C,) and (C,)."""
    _check("batch_norm_training", X, gamma=gamma, beta=beta)
    mean, var = X.mean(axis=(0, 2, 3)), X.var(axis=(0, 2, 3))  # (C,)
    return _by_channel(gamma) * _normalize(X, mean, var, eps) + _by_channel(beta), mean, var


def batch_norm_training_backward(
    dY: np.ndarray, X: np.ndarray, gamma: np.ndarray, mean: np.ndarray, var: np.ndarray, eps: float = 1e-5
) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(dX, dgamma, dbeta) of :func:`batch_norm_training`; mean and var depend on X, too.

    With m numbers in a channel, dX = gamma / sqrt(var + eps) * (dY - sum(dY) / m - X_hat * sum(dY * X_hat) / m).
    """
    _check("batch_norm_training_backward", X, gamma=gamma, mean=mean, var=var)
    check_shape("batch_norm_training_backward", "dY", dY, X.shape)
    X_hat = _normalize(X, mean, var, eps)
    dbeta, dgamma = dY.sum(axis=(0, 2, 3)), (dY * X_hat).sum(axis=(0, 2, 3))  # (C,)
    m = X.dtype.type(X.size // X.shape[1])
    dX = dY - _by_channel(dbeta / m) - X_hat * _by_channel(dgamma / m)
    return dX * _by_channel(gamma / np.sqrt(var + X.dtype.type(eps))), dgamma, dbeta


def batch_norm_inference(
    X: np.ndarray,
    gamma: np.ndarray,
    beta: np.ndarray,
    running_mean: np.ndarray,
    running_var: np.ndarray,
    eps: float = 1e-5,
) -> np.ndarray:
    """X (N, C, H, W) normalized by the running statistics, which are the same for every image."""
    _check("batch_norm_inference", X, gamma=gamma, beta=beta, running_mean=running_mean, running_var=running_var)
    return _by_channel(gamma) * _normalize(X, running_mean, running_var, eps) + _by_channel(beta)


def batch_norm_inference_backward(
    dY: np.ndarray,
    X: np.ndarray,
    gamma: np.ndarray,
    running_mean: np.ndarray,
    running_var: np.ndarray,
    eps: float = 1e-5,
) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(dX, dgamma, dbeta) of :func:`batch_norm_inference`, whose statistics are constants."""
    _check("batch_norm_inference_backward", X, gamma=gamma, running_mean=running_mean, running_var=running_var)
    check_shape("batch_norm_inference_backward", "dY", dY, X.shape)
    dgamma = (dY * _normalize(X, running_mean, running_var, eps)).sum(axis=(0, 2, 3))
    dX = dY * _by_channel(gamma / np.sqrt(running_var + X.dtype.type(eps)))
    return dX, dgamma, dY.sum(axis=(0, 2, 3))


def updated_running(running: np.ndarray, of_batch: np.ndarray, momentum: float = MOMENTUM) -> np.ndarray:
    """The running statistic after a batch: momentum * running + (1 - momentum) * of_batch, all (C,).

    As MXNet does it, the running variance takes the batch's variance divided by n (PyTorch divides that one by n - 1).
    """
    check_shape("updated_running", "of_batch", of_batch, running.shape)
    return (momentum * running + (1 - momentum) * of_batch).astype(running.dtype)
