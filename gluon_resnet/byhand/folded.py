"""Fast prediction by hand: batch norm folded into the convolutions, one matrix product each, buffers kept.

    predict = byhand.ResNet(spec, params).folded()
    logits = predict(X)                                 # X (N, in_channels, H, W)

With s = gamma / sqrt(running_var + eps), batch norm behind a convolution is the convolution with the weight s * weight
and the bias beta + s * (bias - running_mean): Jacob et al., arXiv 1712.05877, section 3.2. The rest is bookkeeping for
BLAS:

- pictures lie as (C, N, H, W), so that a convolution is one product of (O, K) and (K, N * OH * OW) for any batch;
- each such matrix ends with a row of ones and each weight with the bias as a column, so that the product adds the bias;
- a 1x1 convolution of stride 1 takes what is there; others copy their patches, one strided copy for each position of
  the kernel, into columns whose borders are zero from the start;
- a projection's input is put below the last convolution's columns, its weight beside that one's: the product sums;
- ReLU waits until the stem's pooling is done (max and ReLU commute) and works in place, as the identity's sum does.
"""
import numpy as np

from ..errors import ShapeError
from .plan import Plan


def fold(conv, bn, params):
    """(weight (O, C, KH, KW), bias (O,)) in float64 of ``conv`` with ``bn`` (or None) folded in."""
    weight = params[f"{conv.name}.weight"].astype(np.float64)
    bias = params[f"{conv.name}.bias"].astype(np.float64) if conv.bias else np.zeros(conv.out_channels)
    if bn is None:
        return weight, bias
    gamma, beta, mean, var = (params[f"{bn.name}.{part}"].astype(np.float64)
                              for part in ("gamma", "beta", "running_mean", "running_var"))
    scale = gamma / np.sqrt(var + bn.eps)  # (O,)
    return weight * scale[:, None, None, None], beta + scale * (bias - mean)


def _matrix(pairs, params, dtype):
    """[weight of the first pair | weight of the second ... | sum of the biases] as (O, K + 1); pairs are (conv, bn)."""
    folded = [fold(conv, bn, params) for conv, bn in pairs]
    # columns run position by position, all channels at each: a position's rows are then one block of memory
    parts = [weight.transpose(0, 2, 3, 1).reshape(len(weight), -1) for weight, _ in folded]
    return np.concatenate(parts + [sum(bias for _, bias in folded)[:, None]], axis=1).astype(dtype)


class Folded:
    """The fast network of a layout and its parameters; ``predict(X)`` gives logits (N, num_classes) for (N, C, H, W).

    Plan and buffers belong to one shape of X and are made anew when it changes. Not for several threads at once.
    """

    def __init__(self, layout, params, dtype):
        self.layout, self.dtype, self._shape = layout, np.dtype(dtype), None
        self._matrices = {}
        groups = [[layout.stem]]  # what one product computes
        for block in (block for stage in layout.stages for block in stage):
            groups += [[pair] for pair in block.body[:-1]]
            groups.append([block.body[-1]] + ([block.shortcut] if block.shortcut else []))
        for pairs in groups:
            self._matrices[pairs[0][0].name] = _matrix(pairs, params, self.dtype)
        name = layout.classifier.name
        self._classifier = params[f"{name}.weight"].T.astype(self.dtype), params[f"{name}.bias"].astype(self.dtype)

    def __call__(self, X):
        """Logits (N, num_classes) of X (N, in_channels, H, W); ShapeError where X does not fit."""
        channels = self.layout.stem[0].in_channels
        X = np.asarray(X)
        if X.ndim != 4 or X.shape[1] != channels or X.shape[0] == 0:
            raise ShapeError(f"byhand.Folded({self.layout.spec.name}): X has shape {X.shape}: "
                             f"expected (N, {channels}, H, W)")
        if X.shape != self._shape:
            self._plan, self._shape = Plan(self.layout, self._matrices, self.dtype, X.shape), X.shape
        features = self._plan.run(X)  # (N, C)
        weight, bias = self._classifier
        return features @ weight + bias  # (N, num_classes)
