"""Muon's direction: a matrix with its singular values brought near 1, by products of matrices alone.

    orthogonal(mx.nd.random.normal(shape=(64, 288)))       # (64, 288), singular values from about 0.7 to 1.2

The optimizer that updates 3x3 weights so is in optimizers.py. A weight (out, in, 3, 3) is taken as a matrix (out,
in * 9). So no direction of a weight is left almost still because others have much larger gradients. Source: Jordan et
al., "Muon: An optimizer for hidden layers in neural networks", https://kellerjordan.github.io/posts/muon/.
"""

from typing import Any, Tuple

import mxnet as mx

STEPS = 5
#: of the iteration f(x) = ax + bx^3 + cx^5 on all singular values; the source's, by which small ones grow fast
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
LEAST = 1e-7  # added to the length that a matrix is divided by


def is_hidden(shape: Tuple[int, ...]) -> bool:
    """Whether a parameter of this shape has Muon's updates: the weights of 3x3 convolutions."""
    return len(shape) == 4 and tuple(shape[2:]) == (3, 3)


def orthogonal(X: Any) -> Any:
    """The matrix X (n, m) of mx.nd with its singular vectors kept and its singular values brought near 1."""
    a, b, c = COEFFICIENTS
    is_tall = X.shape[0] > X.shape[1]
    X = X.T if is_tall else X
    X = mx.nd.broadcast_div(X, (mx.nd.norm(X) + LEAST).reshape((1, 1)))
    for _ in range(STEPS):
        A = mx.nd.linalg.syrk(X)  # X times its transpose
        B = mx.nd.linalg.gemm(A, A, A, alpha=c, beta=b)  # b A + c A A
        X = mx.nd.linalg.gemm(B, X, X, beta=a)  # a X + B X
    return X.T if is_tall else X
