"""Any ResNet of the table in NumPy alone: predictions, gradients of all parameters, every layer's output on the way.

    from gluon_resnet import byhand
    from gluon_resnet.networks.specs import parse_model
    net = byhand.ResNet(parse_model("resnet50@torchvision"))
    logits = net.forward(X, watch=lambda name, Y: print(name, Y.shape))     # X (N, 3, H, W)
    loss, gradients = net.loss_and_gradients(X, y)

With ``params={k: p.data().asnumpy() for k, p in net._collect_params_with_prefix().items()}`` it computes the same as a
Gluon network. Each block computes relu(F(X) + shortcut(X)) and adds up the gradients of both ways (He et al., arXiv
1512.03385, equations 1 and 2; article 004 has the forward half), or X + F(X) if it is pre-activated (arXiv 1603.05027).
"""

from typing import Any, Callable, Dict, Optional, Tuple

import numpy as np

from ..errors import ConfigError, ShapeError
from ..networks.layout import Block, Conv, Norm, Pad, layout, stem_kinds
from ..networks.specs import ResNetSpec
from . import heads, norm, pooling
from .conv import CONVOLUTIONS, grouped, grouped_backward
from .folded import Folded
from .params import Params, check_dtype, checked_params, norm_params, random_params, trainable_names
from .shortcuts import mean_shortcut, mean_shortcut_backward, pad_shortcut, pad_shortcut_backward

POOL = dict(kernel=3, stride=2)  # after the stem
DROPPED = 0.5  # of the numbers that article 003's head returns in training


def _watch_nothing(name: str, array: np.ndarray) -> None:
    pass


def _pad_settings(pad: Pad) -> Tuple[int, int, int]:
    return pad.stride, pad.before, pad.after


class ResNet:
    """The network of a spec in NumPy; ``net.params`` is its own dict of parameters.

    Args:
        spec: a row of the table, such as ``parse_model("resnet50@torchvision")``.
        params: {parameter name of the layout: array}, copied and never changed; random ones if None.
        in_channels: channels of the images.
        dtype: "float32" or "float64".
        conv: how convolutions are computed: "loops", "vectorised" or "im2col".
        seed: for random parameters, and for the dropout of article 003's head.

    Raises:
        ConfigError: another ``conv`` or ``dtype``.
        ModelError: a parameter is missing or unexpected.
        ShapeError: a parameter has another shape.
    """

    def __init__(
        self,
        spec: ResNetSpec,
        params: Optional[Params] = None,
        in_channels: int = 3,
        dtype: str = "float32",
        conv: str = "im2col",
        seed: int = 0,
    ) -> None:
        if conv not in CONVOLUTIONS:
            raise ConfigError(f"byhand.ResNet: conv is {conv!r}: expected one of {', '.join(CONVOLUTIONS)}")
        self.spec, self.in_channels, self.dtype = spec, in_channels, check_dtype(dtype)
        self.layout = layout(spec, in_channels)
        self.places, self._random = self.layout.places, np.random.RandomState(seed)
        self._conv, self._conv_backward = CONVOLUTIONS[conv]
        self.params = (
            random_params(self.layout, dtype, seed) if params is None else checked_params(self.layout, params, dtype)
        )
        self._saved: Dict[str, Any] = {}  # what the last forward pass left for backward, by layer
        self._gradients: Params = {}

    # Forward ----------------------------------------------------------------------------------------------------------

    def forward(
        self, X: np.ndarray, training: bool = False, watch: Optional[Callable[[str, np.ndarray], Any]] = None
    ) -> np.ndarray:
        """Logits (N, num_classes) of X (N, in_channels, H, W).

        In training, batch norm takes the batch's statistics, and article 003's dense head drops half of its numbers.
        The running statistics move at once, with momentum 0.9. (MXNet moves them in its backward pass, and therefore
        never those of v2's input norm, which learns nothing.)

        ``watch(name, array)`` is called with every layer's output under its name in the Gluon network: of ResNet-18 "0"
        stem, "1" batch norm, "2" ReLU, "3" pooling, "4.0.conv1", "4.0.bn1" (its own output, before any ReLU) and so on,
        "4.0" the block, "8" global pooling (N, C, 1, 1), "9" logits. It must not change the array.
        """
        X = np.asarray(X, dtype=self.dtype)
        if X.ndim != 4 or X.shape[1] != self.in_channels or X.shape[0] == 0:
            raise ShapeError(
                f"byhand.ResNet({self.spec.name}): X has shape {X.shape}: expected (N, {self.in_channels}, H, W)"
            )
        self._saved, self._training, self._watch = {}, training, watch or _watch_nothing
        Y = self._run_stem(X)
        for stage in self.layout.stages:
            for block in stage:
                Y = self._seen(block.name, self._run_block(block, Y))
        if self.layout.final_norm is not None:
            Y = self._run_relu(self.places["final_relu"], self._run_norm(self.layout.final_norm, Y))
        features = self.places["average_pool"]
        return self._run_head(self._seen(features, pooling.global_avg_pool(self._save(features, Y))))  # (N, classes)

    def _save(self, name: str, X: Any) -> Any:
        self._saved[name] = X
        return X

    def _seen(self, name: str, Y: np.ndarray) -> np.ndarray:
        self._watch(name, Y)
        return Y

    def _weight_and_bias(self, name: str) -> Tuple[np.ndarray, Any]:
        return self.params[f"{name}.weight"], self.params.get(f"{name}.bias")

    def _run_conv(self, conv: Conv, X: np.ndarray) -> np.ndarray:
        X, (weight, bias) = self._save(conv.name, X), self._weight_and_bias(conv.name)
        window = dict(stride=conv.stride, padding=conv.padding)
        return self._seen(conv.name, grouped(self._conv, X, weight, bias, conv.groups, **window))

    def _run_norm(self, bn: Any, X: np.ndarray) -> np.ndarray:
        gamma, beta, running_mean, running_var = norm_params(bn, self.params)
        if not self._training:
            self._save(bn.name, (X, running_mean, running_var))
            return self._seen(bn.name, norm.batch_norm_inference(X, gamma, beta, running_mean, running_var, bn.eps))
        Y, mean, var = norm.batch_norm_training(X, gamma, beta, bn.eps)
        self._save(bn.name, (X, mean, var))
        self.params[f"{bn.name}.running_mean"] = norm.updated_running(running_mean, mean)
        self.params[f"{bn.name}.running_var"] = norm.updated_running(running_var, var)
        return self._seen(bn.name, Y)

    def _run_pair(self, conv: Conv, bn: Optional[Norm], X: np.ndarray) -> np.ndarray:
        Y = self._run_conv(conv, X)
        return Y if bn is None else self._run_norm(bn, Y)

    def _run_relu(self, name: str, X: np.ndarray) -> np.ndarray:
        return self._seen(name, heads.relu(self._save(name, X)))

    def _run_stem(self, X: np.ndarray) -> np.ndarray:
        if self.layout.input_norm is not None:
            X = self._run_norm(self.layout.input_norm, X)
        Y = X
        for kind, (conv, bn) in zip(stem_kinds(self.spec), self.layout.stem):
            Y = self._run_pair(conv, bn, Y)  # (N, 64, H / 2, W / 2)
            if bn is not None:
                Y = self._run_relu(self.places[f"{kind}_relu"], Y)
        if self.layout.pool_padding is None:
            return Y
        Y = self._save(self.places["max_pool"], Y)
        return self._seen(self.places["max_pool"], pooling.max_pool(Y, padding=self.layout.pool_padding, **POOL))

    def _run_block(self, block: Block, X: np.ndarray) -> np.ndarray:
        Y, X_projected = self._run_body(block, X)
        if block.shortcut is not None:
            Y = Y + self._run_pair(*block.shortcut, self._run_pool(block, X_projected))
        elif block.pad is not None:
            Y = Y + pad_shortcut(self._save(f"{block.name}.pad", X), *_pad_settings(block.pad))
        elif block.adds:
            Y = Y + X
        return Y if block.preactivation else heads.relu(self._save(block.name, Y))

    def _run_pool(self, block: Block, X: np.ndarray) -> np.ndarray:
        """What the projection of ``block`` takes: X, or its means."""
        return mean_shortcut(self._save(f"{block.name}.pool", X)) if block.pooled else X

    def _run_body(self, block: Block, X: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        """(F(X), what a projection takes: X, or X after the first activation if pre-activated)."""
        Y = X
        for i, (conv, bn) in enumerate(block.body):
            if block.preactivation:
                Y = heads.relu(self._save(f"{block.name}.relu{i + 1}", self._run_norm(bn, Y)))
                X = Y if i == 0 else X
                Y = self._run_conv(conv, Y)
            else:
                Y = heads.relu(self._save(f"{block.name}.relu{i}", Y)) if i > 0 else Y
                Y = self._run_pair(conv, bn, Y)
        return Y, X

    def _run_head(self, Y: np.ndarray) -> np.ndarray:
        """Logits of the pooled features (N, C, 1, 1)."""
        name = self.layout.classifier.name
        weight, bias = self._weight_and_bias(name)
        Y = self._save(name, Y[:, :, 0, 0])  # (N, C)
        Y = self._seen(name, heads.linear(Y, weight.reshape(len(weight), -1), bias))  # (N, num_classes)
        if self.spec.head != "dense_dropout":
            return Y
        Y = heads.relu(self._save(self.places["head_relu"], Y))
        kept = self._random.random_sample(Y.shape) >= DROPPED if self._training else np.ones(Y.shape)
        self._save(self.places["dropout"], (kept / (1 - DROPPED) if self._training else kept).astype(self.dtype))
        return Y * self._saved[self.places["dropout"]]

    # Backward ---------------------------------------------------------------------------------------------------------

    def backward(self, dlogits: np.ndarray) -> Params:
        """{name: gradient} of every trainable parameter, in the layout's order, after :meth:`forward`.

        ``dlogits`` (N, num_classes) is the loss's gradient with respect to the logits. Batch norm uses the statistics
        of the forward pass, the batch's or the running ones. Afterwards ``net.dX`` is the gradient with respect to X.
        """
        if not self._saved:
            raise ConfigError(f"byhand.ResNet({self.spec.name}): backward before forward; call forward(X) first")
        self._gradients, features = {}, self.places["average_pool"]
        dY = self._return_head(np.asarray(dlogits, dtype=self.dtype))
        dY = pooling.global_avg_pool_backward(dY[:, :, None, None], self._saved[features])  # (N, C, H / 32, W / 32)
        if self.layout.final_norm is not None:
            dY = self._return_norm(self.layout.final_norm, self._return_relu(self.places["final_relu"], dY))
        for stage in reversed(self.layout.stages):
            for block in reversed(stage):
                dY = self._return_block(block, dY)
        self.dX = self._return_stem(dY)  # (N, in_channels, H, W)
        return {key: self._gradients[key] for key in trainable_names(self.layout)}

    def loss_and_gradients(self, X: np.ndarray, y: np.ndarray, training: bool = True) -> Tuple[float, Params]:
        """(mean cross-entropy as a float, gradients as from :meth:`backward`); y (N,) are whole numbers."""
        logits = self.forward(X, training)
        return heads.cross_entropy(logits, y), self.backward(heads.cross_entropy_backward(logits, y))

    def _keep(self, name: str, **gradients: np.ndarray) -> None:
        for part, gradient in gradients.items():
            self._gradients[f"{name}.{part}"] = gradient

    def _return_head(self, dY: np.ndarray) -> np.ndarray:
        name = self.layout.classifier.name
        if self.spec.head == "dense_dropout":
            dY = heads.relu_backward(dY * self._saved[self.places["dropout"]], self._saved[self.places["head_relu"]])
        weight = self.params[f"{name}.weight"]
        dY, dweight, dbias = heads.linear_backward(dY, self._saved[name], weight.reshape(len(weight), -1))
        self._keep(name, weight=dweight.reshape(weight.shape), bias=dbias)
        return dY  # (N, C)

    def _return_relu(self, name: str, dY: np.ndarray) -> np.ndarray:
        return heads.relu_backward(dY, self._saved[name])

    def _return_norm(self, bn: Any, dY: np.ndarray) -> np.ndarray:
        backward = norm.batch_norm_training_backward if self._training else norm.batch_norm_inference_backward
        X, mean, var = self._saved[bn.name]
        dX, dgamma, dbeta = backward(dY, X, norm_params(bn, self.params)[0], mean, var, bn.eps)
        self._keep(bn.name, gamma=dgamma, beta=dbeta)
        return dX

    def _return_conv(self, conv: Conv, dY: np.ndarray) -> np.ndarray:
        X, weight = self._saved[conv.name], self.params[f"{conv.name}.weight"]
        window = dict(stride=conv.stride, padding=conv.padding)
        dX, dweight, dbias = grouped_backward(self._conv_backward, dY, X, weight, conv.groups, **window)
        self._keep(conv.name, weight=dweight, **({"bias": dbias} if conv.bias else {}))
        return dX

    def _return_pair(self, conv: Conv, bn: Optional[Norm], dY: np.ndarray) -> np.ndarray:
        return self._return_conv(conv, dY if bn is None else self._return_norm(bn, dY))

    def _return_stem(self, dY: np.ndarray) -> np.ndarray:
        if self.layout.pool_padding is not None:
            X = self._saved[self.places["max_pool"]]
            dY = pooling.max_pool_backward(dY, X, padding=self.layout.pool_padding, **POOL)
        for kind, (conv, bn) in reversed(list(zip(stem_kinds(self.spec), self.layout.stem))):
            if bn is not None:
                dY = self._return_relu(self.places[f"{kind}_relu"], dY)
            dY = self._return_pair(conv, bn, dY)
        return dY if self.layout.input_norm is None else self._return_norm(self.layout.input_norm, dY)

    def _return_block(self, block: Block, dY: np.ndarray) -> np.ndarray:
        d_sum = dY if block.preactivation else self._return_relu(block.name, dY)
        d_projected: Any = 0 if block.shortcut is None else self._return_pair(*block.shortcut, d_sum)
        if block.pooled:
            d_projected = mean_shortcut_backward(d_projected, self._saved[f"{block.name}.pool"])
        dX = self._return_body(block, d_sum, d_projected)
        if block.pad is not None:
            return dX + pad_shortcut_backward(d_sum, self._saved[f"{block.name}.pad"], *_pad_settings(block.pad))
        return dX + d_sum if block.adds and block.shortcut is None else dX

    def _return_body(self, block: Block, dY: np.ndarray, d_projected: Any) -> np.ndarray:
        """The gradient with respect to the block's input, through its body and through a projection's input."""
        for i, (conv, bn) in reversed(list(enumerate(block.body))):
            if block.preactivation:
                dY = self._return_conv(conv, dY) + (d_projected if i == 0 else 0)
                dY = self._return_norm(bn, self._return_relu(f"{block.name}.relu{i + 1}", dY))
            else:
                dY = self._return_pair(conv, bn, dY)
                dY = self._return_relu(f"{block.name}.relu{i}", dY) if i > 0 else dY + d_projected
        return dY

    # Speed ------------------------------------------------------------------------------------------------------------

    def folded(self) -> Folded:
        """The network as it is now, for prediction alone and fast: see :class:`gluon_resnet.byhand.folded.Folded`."""
        return Folded(self.layout, self.params, self.dtype)
