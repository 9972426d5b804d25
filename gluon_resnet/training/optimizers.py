"""MXNet's optimizers, with the usual additions: no weight decay on norms and biases, a learning rate for the head.

    trainer = make_trainer(net, Recipe(optimizer="adamw", lr=1e-3, weight_decay=0.05))

"sgd" (with momentum), "adam" and "lamb" are MXNet's own. "nag" is MXNet's, except that it applies weight decay itself.
"adamw" is MXNet's operator of that name, for which Gluon lacks an optimizer. "muon" is ours, see muon.py. Adam adds the
weight decay to the gradient, LAMB to the layer's update. Sources: Adam, arXiv 1412.6980; AdamW, arXiv 1711.05101; LAMB,
arXiv 1904.00962.
"""

import math
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import mxnet as mx
from mxnet import gluon
from mxnet.gluon import nn

from ..errors import ConfigError, ModelError
from ..networks.blocks import blocks_by_name
from ..networks.layout import Layout, layout, stem_kinds
from .muon import is_hidden, orthogonal
from .recipe import HAVE_MOMENTUM, Recipe

UNDECAYED = ("gamma", "beta", "bias")


@mx.optimizer.register
class GluonResNetAdamW(mx.optimizer.Optimizer):
    """w -= lr * (c m / (sqrt(v) + epsilon) + wd w), with c = sqrt(1 - beta2^t) / (1 - beta1^t).

    Weight decay is separate from the gradient.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon

    def create_state(self, index: int, weight: Any) -> Tuple[Any, ...]:
        return tuple(mx.nd.zeros(weight.shape, weight.context, dtype=weight.dtype) for _ in range(2))

    def update(self, index: int, weight: Any, grad: Any, state: Tuple[Any, ...]) -> None:
        self._update_count(index)
        t = self._index_update_count[index]
        correction = math.sqrt(1 - self.beta2**t) / (1 - self.beta1**t)
        mean, var = state
        weight, grad = (value.as_nd_ndarray() for value in (weight, grad))
        mx.nd.contrib.adamw_update(
            weight,
            grad,
            mean,
            var,
            rescale_grad=mx.nd.array([self.rescale_grad], weight.context),
            lr=correction,
            eta=self._get_lr(index),
            wd=self._get_wd(index),
            beta1=self.beta1,
            beta2=self.beta2,
            epsilon=self.epsilon,
            out=weight,
        )


@mx.optimizer.register
class GluonResNetNAG(mx.optimizer.Optimizer):
    """g += wd w; m = momentum m + g; w -= lr (g + momentum m): Nesterov's momentum with the decay in the gradient.

    MXNet 1.9.1's operator decays by the weight it has just written, unless that weight is in oneDNN's memory layout at
    that time, which testing between epochs may cause. The same run then gave different results. Without decay the
    operator is exact.
    """

    def __init__(self, learning_rate: float = 0.1, momentum: float = 0.0, **kwargs: Any) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.momentum = momentum

    def create_state(self, index: int, weight: Any) -> Any:
        return mx.nd.zeros(weight.shape, weight.context, dtype=weight.dtype)

    def update(self, index: int, weight: Any, grad: Any, state: Any) -> None:
        self._update_count(index)
        weight, grad = (value.as_nd_ndarray() for value in (weight, grad))
        decayed = self.rescale_grad * grad + self._get_wd(index) * weight
        mx.nd.nag_mom_update(
            weight, decayed, state, lr=self._get_lr(index), wd=0.0, momentum=self.momentum, rescale_grad=1.0, out=weight
        )


@mx.optimizer.register
class GluonResNetMuon(GluonResNetNAG):
    """m = momentum m + g; w -= lr (s orthogonal(g + momentum m) + wd w), s = max(1, n / m)^0.5 of a matrix (n, m).

    That is for 3x3 weights (muon.py); other parameters are updated as by :class:`GluonResNetNAG`.
    """

    def update(self, index: int, weight: Any, grad: Any, state: Any) -> None:
        if not is_hidden(weight.shape):
            super().update(index, weight, grad, state)
            return
        self._update_count(index)
        weight, grad = (value.as_nd_ndarray() for value in (weight, grad))
        grad = self.rescale_grad * grad
        state[:] = self.momentum * state + grad
        direction = orthogonal((grad + self.momentum * state).reshape((weight.shape[0], -1)))
        scale = max(1.0, direction.shape[0] / direction.shape[1]) ** 0.5
        direction = direction.reshape(weight.shape)
        rates = {"lr": self._get_lr(index), "wd": self._get_wd(index)}
        mx.nd.sgd_update(weight, direction, rescale_grad=scale, out=weight, **rates)


#: ours by their names in a recipe; mxnet registers names in lower case
OWN = {"adamw": "gluonresnetadamw", "nag": "gluonresnetnag", "muon": "gluonresnetmuon"}


def _settings(recipe: Recipe) -> Tuple[str, Dict[str, float]]:
    """(MXNet's name of the recipe's optimizer, its keywords)."""
    settings = {"learning_rate": recipe.lr, "wd": recipe.weight_decay}
    if recipe.optimizer in HAVE_MOMENTUM:
        settings["momentum"] = recipe.momentum
    return OWN.get(recipe.optimizer, recipe.optimizer), settings


def prepare_parameters(net: nn.Block, recipe: Recipe) -> None:
    """Set each parameter's weight decay, learning rate and whether it is trained, by the recipe.

    Raises ModelError if head_lr or freeze_stages is set for a network that is not of this suite, and ConfigError for
    more stages than it has.
    """
    params = net._collect_params_with_prefix()
    spec = getattr(net, "spec", None)
    if spec is None and (recipe.head_lr != 1 or recipe.freeze_stages or recipe.whiten_batches):
        raise ModelError(
            f"{net.name} is not a network of this suite: head_lr, freeze_stages and whiten_batches need one"
        )
    plan = layout(spec) if spec else None
    head = plan.classifier.name if plan else None
    frozen = frozen_prefixes(plan, recipe.freeze_stages) if plan and recipe.freeze_stages else []
    whitened = f"{plan.stem[0][0].name}.weight" if plan and recipe.whiten_batches else None
    for name, param in params.items():
        part = name.rpartition(".")[2]
        if part.startswith("running"):
            continue
        param.wd_mult = 0.0 if part in UNDECAYED and not recipe.decay_all else 1.0
        param.lr_mult = recipe.head_lr if name.startswith(f"{head}.") else _rate_factor(part, param.shape, recipe)
        is_frozen = name.startswith(tuple(frozen)) or (recipe.freeze_norm and part in ("gamma", "beta"))
        is_frozen = is_frozen or name == whitened
        param.grad_req = "null" if is_frozen else "add" if recipe.accumulate > 1 else "write"
    _freeze_norms(net, recipe, frozen)


def _rate_factor(part: str, shape: Sequence[int], recipe: Recipe) -> float:
    """The factor on the learning rate of a parameter outside the head, by the last part of its name and its shape."""
    if part == "beta":
        return recipe.bias_lr
    return recipe.muon_lr if recipe.optimizer == "muon" and shape and is_hidden(tuple(shape)) else 1.0


def frozen_prefixes(plan: Layout, count: int) -> List[str]:
    """Prefixes of the parameter names of the stem and the first ``count`` - 1 stages; empty for a ``count`` of 0.

    Raises ConfigError for a ``count`` larger than the number of stages and the stem.
    """
    if not 0 <= count <= len(plan.stages) + 1:
        raise ConfigError(
            f"freeze_stages is {count}: expected 0 to {len(plan.stages) + 1}: the stem, then stage by stage"
        )
    stem = [kind for stem in stem_kinds(plan.spec) for kind in (stem, f"{stem}_norm")]
    kinds = ["input_norm", *stem, *(f"stage{stage}" for stage in range(1, count))] if count else []
    return [f"{plan.places[kind]}." for kind in kinds if kind in plan.places]


def _freeze_norms(net: nn.Block, recipe: Recipe, frozen: Sequence[str]) -> None:
    """Let the batch norms of frozen parts, or all with freeze_norm, use their running statistics in training, too."""
    for path, block in blocks_by_name(net).items():
        if isinstance(block, nn.BatchNorm):
            is_frozen = recipe.freeze_norm or f"{path}.".startswith(tuple(frozen))
            block._kwargs["use_global_stats"] = bool(is_frozen)
    net.apply(lambda block: getattr(block, "_clear_cached_op", lambda: None)())


def make_trainer(net: nn.Block, recipe: Recipe, store: Optional[Mapping[str, Any]] = None) -> gluon.Trainer:
    """A gluon.Trainer over the parameters of ``net`` that are not frozen; call :func:`prepare_parameters` first.

    ``store`` has the trainer's options of a group's store (group.py). Raises ConfigError if all are frozen.
    """
    name, settings = _settings(recipe)
    # A list, as Trainer sorts a dict by mxnet's names, batchnorm10 before batchnorm9: the sum of clip_global_norm would
    # depend on how many layers the process has made before.
    params = [param for param in net.collect_params().values() if param.grad_req != "null"]
    if not params:
        raise ConfigError("every parameter is frozen: nothing to train")
    return gluon.Trainer(params, name, settings, **(store or {"kvstore": None}))
