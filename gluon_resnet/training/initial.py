"""Initial values that a recipe may ask for in place of Xavier's.

    fit(net, train_iter, test_iter, Recipe(dirac=True, zero_gamma=True, whiten_batches=20))

``dirac``: 3x3 convolutions begin with filters that hand channels on (Zagoruyko and Komodakis, arXiv 1706.00388).
``zero_gamma``: so does a block, as the scale of its last batch norm is 0 (Goyal et al., arXiv 1706.02677, section 5.1).
``whiten_batches``: the stem's filters are the directions in which patches of the training images vary most, each
divided by its standard deviation, and then the same with the other sign; they are not trained (Jordan, arXiv
2404.00498, section 3.1). Whitened patches have the identity as their covariance.
"""

from itertools import islice
from typing import Any, Callable, List, Sequence

import mxnet as mx
import numpy
from mxnet import gluon, init

from ..devices import array
from ..errors import ConfigError, ModelError
from ..networks.layout import Conv, Layout, layout
from .batches import Taken
from .randomness import borrowed
from .recipe import Recipe

#: least variance of a direction, as a share of the largest: what lies below is noise of the arithmetic
LEAST = 1e-6


@mx.init.register
class Dirac(init.Initializer):
    """Xavier's values, then filter i is replaced by a 1 in the middle of channel i, as far as there are channels."""

    def _init_weight(self, name: str, array: Any) -> None:
        init.Xavier()._init_weight(name, array)
        values = array.asnumpy()
        number, (height, width) = min(values.shape[:2]), values.shape[2:]
        values[:number] = 0
        values[range(number), range(number), height // 2, width // 2] = 1
        array[:] = values


def plan_of(net: gluon.Block, recipe: Recipe, in_channels: int = 3) -> Layout:
    """The layout of ``net``, checked for the recipe's initial values; ModelError if it is not of this suite."""
    spec = getattr(net, "spec", None)
    if spec is None:
        raise ModelError(f"{net.name} is not a network of this suite: dirac, zero_gamma and whiten_batches need one")
    plan = layout(spec, in_channels)
    check(plan, recipe)
    return plan


def check(plan: Layout, recipe: Recipe) -> None:
    """Raise ConfigError if the network of ``plan`` cannot have the recipe's initial values."""
    if recipe.zero_gamma:
        for block in (block for stage in plan.stages for block in stage):
            norm = block.body[-1][1]
            if block.preactivation or not block.adds or norm is None or not norm.scale:
                raise ConfigError(
                    f"zero_gamma is true: {plan.spec.name} has blocks without a sum right after a batch norm with a "
                    f"scale, which would learn nothing: leave it out"
                )
    stem = plan.stem[0][0]
    numbers = stem.in_channels * stem.kernel**2  # of a patch
    if recipe.whiten_batches and (stem.out_channels % 2 or stem.out_channels > 2 * numbers):
        raise ConfigError(
            f"whiten_batches is {recipe.whiten_batches}: the stem of {plan.spec.name} has {stem.out_channels} filters "
            f"of {numbers} numbers: expected an even number up to {2 * numbers}, half of them the others' negatives"
        )


def initialize(net: gluon.Block, recipe: Recipe, device: mx.Context) -> None:
    """Give ``net`` Xavier's initial values, and those that the recipe asks for but for the stem's."""
    net.initialize(force_reinit=True, ctx=device, init=init.Xavier())
    if not (recipe.dirac or recipe.zero_gamma):
        return
    params = net._collect_params_with_prefix()
    for block in (block for stage in plan_of(net, recipe).stages for block in stage):
        if recipe.dirac:
            for conv in (conv for conv, _ in block.body if conv.kernel == 3):
                params[f"{conv.name}.weight"].initialize(Dirac(), device, force_reinit=True)
        norm = block.body[-1][1]
        if recipe.zero_gamma and norm is not None:
            params[f"{norm.name}.gamma"].initialize(init.Zero(), device, force_reinit=True)


def whitening(sums: Sequence[float], stem: Conv) -> numpy.ndarray:
    """The weight of a stem that whitens patches, float32 (out_channels, in_channels, kernel, kernel).

    ``sums`` are those of the patches, each of D numbers: their number, their sum (D), and the sum of their outer
    products (D * D). The second half of the filters are the negatives of the first.
    """
    size, half = stem.in_channels * stem.kernel**2, stem.out_channels // 2
    mean = numpy.array(sums[1 : 1 + size]) / sums[0]
    covariance = numpy.array(sums[1 + size :]).reshape(size, size) / sums[0] - numpy.outer(mean, mean)
    variances, directions = numpy.linalg.eigh(covariance)  # in rising order
    variances = numpy.maximum(variances[::-1][:half], LEAST * variances[-1])
    filters = directions.T[::-1][:half] / numpy.sqrt(variances)[:, None]
    return numpy.concatenate([filters, -filters]).astype("float32").reshape(stem.params[f"{stem.name}.weight"])


def patch_sums(X: numpy.ndarray, kernel: int) -> numpy.ndarray:
    """The sums for :func:`whitening` over all patches of images X (N, C, H, W) that lie inside an image, float64."""
    windows: Any = numpy.lib.stride_tricks.sliding_window_view(X, (kernel, kernel), axis=(2, 3))  # type: ignore[call-overload]
    patches = windows.transpose(0, 2, 3, 1, 4, 5).reshape(-1, X.shape[1] * kernel**2).astype("float64")
    return numpy.concatenate([[len(patches)], patches.sum(axis=0), (patches.T @ patches).ravel()])


def whiten(
    net: gluon.Block,
    recipe: Recipe,
    train_iter: Taken,
    totals: Callable[[Sequence[float]], List[float]] = list,
) -> None:
    """Let the stem of ``net`` whiten patches of the recipe's ``whiten_batches`` first batches.

    The random generators are left as they were.

    Args:
        net: the network, with initial values.
        recipe: of the training.
        train_iter: the training batches.
        totals: gives the sums of some numbers over all processes that train together (group.py).

    Raises:
        ConfigError: the network's stem cannot whiten.
    """
    if not recipe.whiten_batches:
        return
    with borrowed(train_iter) as batches:
        images = [X.asnumpy() for X, _ in islice(batches, recipe.whiten_batches)]
    stem = plan_of(net, recipe, images[0].shape[1]).stem[0][0]
    sums = totals(numpy.sum([patch_sums(X, stem.kernel) for X in images], axis=0).tolist())
    net._collect_params_with_prefix()[f"{stem.name}.weight"].set_data(array(whitening(sums, stem)))
