"""Fast prediction by hand: batch norm folded into the convolutions, one matrix product each, buffers kept.

    predict = byhand.ResNet(spec, params).folded()
    logits = predict(X)                                 # X (N, in_channels, H, W)

With s = gamma / sqrt(running_var + eps), a convolution with a batch norm after it is a convolution with the weight
s * weight and the bias beta + s * (bias - running_mean): Jacob et al., arXiv 1712.05877, section 3.2. The rest serves
BLAS:

- images are (C, N, H, W), so that a convolution is one product of (O, K) and (K, N * OH * OW) for any batch;
- each such matrix ends with a row of ones and each weight with the bias as a column, so that the product adds the bias;
- a 1x1 convolution of stride 1 takes its input as it is; others copy their patches, one strided copy for each position
  of the kernel, into columns whose borders are zero from the start;
- a projection's input goes below the last convolution's columns, its weight to the right of that one's: the product
  adds the two;
- a convolution in groups is as many such products, each of its own channels' columns, in one call;
- ReLU is computed after the stem's pooling (max and ReLU commute), and in place, as is the sum with an identity.

Some batch norms fold into no convolution: one that a ReLU follows without a convolution between them (the first of a
pre-activated block, the one after the last stage), and one before a padded convolution. They are computed as
scale * X + shift.
"""

from typing import List, Optional, Tuple

import numpy as np

from ..errors import ShapeError
from ..networks.layout import Conv, Layout, Norm, Pair
from .params import Params, norm_params
from .plan import Plan


def _line(bn: Norm, params: Params) -> Tuple[np.ndarray, np.ndarray]:
    """(scale (C,), shift (C,)) in float64 with which the batch norm ``bn`` is scale * X + shift."""
    gamma, beta, mean, var = (values.astype(np.float64) for values in norm_params(bn, params))
    scale = gamma / np.sqrt(var + bn.eps)
    return scale, beta - scale * mean


def fold(conv: Conv, bn: Optional[Norm], params: Params) -> Tuple[np.ndarray, np.ndarray]:
    """(weight (O, C, KH, KW), bias (O,)) in float64 of ``conv`` with ``bn`` (or None) folded in."""
    weight = params[f"{conv.name}.weight"].astype(np.float64)
    bias = params[f"{conv.name}.bias"].astype(np.float64) if conv.bias else np.zeros(conv.out_channels)
    if bn is None:
        return weight, bias
    scale, shift = _line(bn, params)  # (O,)
    return weight * scale[:, None, None, None], scale * bias + shift


def _matrix(pairs: List[Pair], params: Params, dtype: np.dtype) -> np.ndarray:
    """[weight of the first pair | weight of the second ... | sum of the biases] as (O, K + 1); pairs are (conv, bn).

    Of a convolution in groups, which has no second pair, (groups, O / groups, K + 1).
    """
    folded = [fold(conv, bn, params) for conv, bn in pairs]
    # columns run position by position, all channels at each: a position's rows are then one block of memory
    parts = [weight.transpose(0, 2, 3, 1).reshape(len(weight), -1) for weight, _ in folded]
    biases = np.sum([bias for _, bias in folded], axis=0)
    matrix = np.concatenate([*parts, biases[:, None]], axis=1).astype(dtype)
    groups = pairs[0][0].groups
    return matrix if groups == 1 else matrix.reshape(groups, -1, matrix.shape[1])


def _parts(layout: Layout) -> Tuple[List[List[Pair]], List[Norm]]:
    """(lists of (conv, batch norm or None) that one product computes, the batch norms that fold into none of them)."""
    groups: List[List[Pair]] = [[pair] for pair in layout.stem]
    norms = [layout.input_norm, layout.final_norm]
    for block in (block for stage in layout.stages for block in stage):
        body = list(block.body)
        if block.preactivation:  # what follows a convolution is the next one's batch norm
            norms.append(body[0][1])
            following = [norm for _, norm in body[1:]] + [None]
            body = [(conv, norm) for (conv, _), norm in zip(body, following)]
        groups += [[pair] for pair in body[:-1]]
        groups.append([body[-1]] + ([block.shortcut] if block.shortcut else []))
    return groups, [norm for norm in norms if norm is not None]


class Folded:
    """The fast network of a layout and its parameters; ``predict(X)`` gives logits (N, num_classes) for (N, C, H, W).

    Plan and buffers belong to one shape of X and are re-made when it changes. Not for several threads at once.
    """

    def __init__(self, layout: Layout, params: Params, dtype: np.dtype) -> None:
        self.layout, self.dtype = layout, np.dtype(dtype)
        self._shape: Optional[Tuple[int, ...]] = None  # of X, that the plan is for
        groups, norms = _parts(layout)
        self._matrices = {pairs[0][0].name: _matrix(pairs, params, self.dtype) for pairs in groups}
        self._lines = {}
        for norm in norms:
            scale, shift = _line(norm, params)
            self._lines[norm.name] = scale[:, None].astype(self.dtype), shift[:, None].astype(self.dtype)
        name = layout.classifier.name
        weight = params[f"{name}.weight"]
        self._classifier = weight.reshape(len(weight), -1).T.astype(self.dtype), params[f"{name}.bias"].astype(dtype)

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """Logits (N, num_classes) of X (N, in_channels, H, W); ShapeError if X does not fit."""
        channels = self.layout.stem[0][0].in_channels
        X = np.asarray(X)
        if X.ndim != 4 or X.shape[1] != channels or X.shape[0] == 0:
            raise ShapeError(
                f"byhand.Folded({self.layout.spec.name}): X has shape {X.shape}: expected (N, {channels}, H, W)"
            )
        if X.shape != self._shape:
            self._plan, self._shape = Plan(self.layout, self._matrices, self._lines, self.dtype, X.shape), X.shape
        features = self._plan.run(X)  # (N, C)
        weight, bias = self._classifier
        logits = features @ weight + bias  # (N, num_classes)
        return np.maximum(logits, 0) if self.layout.spec.head == "dense_dropout" else logits
