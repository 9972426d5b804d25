"""Any ResNet of the table in NumPy alone: predictions, gradients of all parameters, every layer's output on the way.

    from gluon_resnet import byhand
    from gluon_resnet.networks.specs import parse_model
    net = byhand.ResNet(parse_model("resnet50@torchvision"))
    logits = net.forward(X, watch=lambda name, Y: print(name, Y.shape))     # X (N, 3, H, W)
    loss, gradients = net.loss_and_gradients(X, y)

With ``params={k: p.data().asnumpy() for k, p in net._collect_params_with_prefix().items()}`` it is a Gluon network's
double. Each block computes relu(F(X) + shortcut(X)) and passes both ways' gradients back (He et al., arXiv 1512.03385,
equations 1 and 2; article 004 writes the forward half), or X + F(X) where it is pre-activated (arXiv 1603.05027).
"""

import numpy as np

from ..errors import ConfigError, ShapeError
from ..networks.layout import layout
from . import heads, norm, pooling
from .conv import CONVOLUTIONS
from .folded import Folded
from .params import check_dtype, checked_params, norm_params, random_params, trainable_names
from .shortcuts import pad_shortcut, pad_shortcut_backward

POOL = dict(kernel=3, stride=2)  # behind the stem
DROPPED = 0.5  # of the numbers that article 003's head gives in training


def _watch_nothing(name, array):
    pass


def _pad_settings(pad):
    return pad.stride, pad.before, pad.after


class ResNet:
    """The network of ``spec`` on pictures (N, in_channels, H, W), in ``dtype`` float32 or float64.

    ``params`` has the layout's names (copied, never changed); None draws them with ``seed``. ``conv`` is one of
    "loops", "vectorised", "im2col". ``net.params`` is the network's own dict. ConfigError, ModelError and
    ShapeError say what is wrong.
    """

    def __init__(self, spec, params=None, in_channels=3, dtype="float32", conv="im2col", seed=0):
        if conv not in CONVOLUTIONS:
            raise ConfigError(f"byhand.ResNet: conv is {conv!r}: expected one of {', '.join(CONVOLUTIONS)}")
        self.spec, self.in_channels, self.dtype = spec, in_channels, check_dtype(dtype)
        self.layout = layout(spec, in_channels)
        self.places, self._random = self.layout.places, np.random.RandomState(seed)
        self._conv, self._conv_backward = CONVOLUTIONS[conv]
        self.params = (
            random_params(self.layout, dtype, seed) if params is None else checked_params(self.layout, params, dtype)
        )
        self._saved = None  # what the last forward pass left for backward, by layer

    # Forward ----------------------------------------------------------------------------------------------------------

    def forward(self, X, training=False, watch=None):
        """Logits (N, num_classes) of X (N, in_channels, H, W).

        In training, batch norm takes the batch's statistics, the running ones move at once (momentum 0.9; MXNet moves
        them in its backward pass, and so never those of v2's input norm, which learns nothing), and article 003's dense
        head drops half of its numbers.

        ``watch(name, array)`` is called with every layer's output under its name in the Gluon network: of ResNet-18 "0"
        stem, "1" batch norm, "2" ReLU, "3" pooling, "4.0.conv1", "4.0.bn1" (its own output, before any ReLU) and so on,
        "4.0" the block, "8" global pooling (N, C, 1, 1), "9" logits. Watch, but do not write.
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

    def _save(self, name, X):
        self._saved[name] = X
        return X

    def _seen(self, name, Y):
        self._watch(name, Y)
        return Y

    def _weight_and_bias(self, name):
        return self.params[f"{name}.weight"], self.params.get(f"{name}.bias")

    def _run_conv(self, conv, X):
        return self._seen(
            conv.name,
            self._conv(
                self._save(conv.name, X), *self._weight_and_bias(conv.name), stride=conv.stride, padding=conv.padding
            ),
        )

    def _run_norm(self, bn, X):
        gamma, beta, running_mean, running_var = norm_params(bn, self.params)
        if not self._training:
            self._save(bn.name, (X, running_mean, running_var))
            return self._seen(bn.name, norm.batch_norm_inference(X, gamma, beta, running_mean, running_var, bn.eps))
        Y, mean, var = norm.batch_norm_training(X, gamma, beta, bn.eps)
        self._save(bn.name, (X, mean, var))
        self.params[f"{bn.name}.running_mean"] = norm.updated_running(running_mean, mean)
        self.params[f"{bn.name}.running_var"] = norm.updated_running(running_var, var)
        return self._seen(bn.name, Y)

    def _run_pair(self, conv, bn, X):
        Y = self._run_conv(conv, X)
        return Y if bn is None else self._run_norm(bn, Y)

    def _run_relu(self, name, X):
        return self._seen(name, heads.relu(self._save(name, X)))

    def _run_stem(self, X):
        if self.layout.input_norm is not None:
            X = self._run_norm(self.layout.input_norm, X)
        conv, bn = self.layout.stem
        Y = self._run_pair(conv, bn, X)  # (N, 64, H / 2, W / 2)
        if bn is not None:
            Y = self._run_relu(self.places["stem_relu"], Y)
        if self.layout.pool_padding is None:
            return Y
        Y = self._save(self.places["max_pool"], Y)
        return self._seen(self.places["max_pool"], pooling.max_pool(Y, padding=self.layout.pool_padding, **POOL))

    def _run_block(self, block, X):
        Y, X_projected = self._run_body(block, X)
        if block.shortcut is not None:
            Y = Y + self._run_pair(*block.shortcut, X_projected)
        elif block.pad is not None:
            Y = Y + pad_shortcut(self._save(f"{block.name}.pad", X), *_pad_settings(block.pad))
        elif block.adds:
            Y = Y + X
        return Y if block.preactivation else heads.relu(self._save(block.name, Y))

    def _run_body(self, block, X):
        """(F(X), what a projection takes: X, before the activation or behind the first one)."""
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

    def _run_head(self, Y):
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

    def backward(self, dlogits):
        """{name: gradient} of every trainable parameter, in the layout's order, after :meth:`forward`.

        ``dlogits`` (N, num_classes) is the loss's gradient with respect to the logits. Batch norm goes back the way it
        came, by the batch's statistics or by the running ones. ``net.dX`` is then the gradient with respect to X.
        """
        if self._saved is None:
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

    def loss_and_gradients(self, X, y, training=True):
        """(mean cross-entropy as a float, gradients as :meth:`backward` gives them); y (N,) are whole numbers."""
        logits = self.forward(X, training)
        return heads.cross_entropy(logits, y), self.backward(heads.cross_entropy_backward(logits, y))

    def _keep(self, name, **gradients):
        for part, gradient in gradients.items():
            self._gradients[f"{name}.{part}"] = gradient

    def _return_head(self, dY):
        name = self.layout.classifier.name
        if self.spec.head == "dense_dropout":
            dY = heads.relu_backward(dY * self._saved[self.places["dropout"]], self._saved[self.places["head_relu"]])
        weight = self.params[f"{name}.weight"]
        dY, dweight, dbias = heads.linear_backward(dY, self._saved[name], weight.reshape(len(weight), -1))
        self._keep(name, weight=dweight.reshape(weight.shape), bias=dbias)
        return dY  # (N, C)

    def _return_relu(self, name, dY):
        return heads.relu_backward(dY, self._saved[name])

    def _return_norm(self, bn, dY):
        backward = norm.batch_norm_training_backward if self._training else norm.batch_norm_inference_backward
        X, mean, var = self._saved[bn.name]
        dX, dgamma, dbeta = backward(dY, X, norm_params(bn, self.params)[0], mean, var, bn.eps)
        self._keep(bn.name, gamma=dgamma, beta=dbeta)
        return dX

    def _return_conv(self, conv, dY):
        dX, dweight, dbias = self._conv_backward(
            dY, self._saved[conv.name], self.params[f"{conv.name}.weight"], stride=conv.stride, padding=conv.padding
        )
        self._keep(conv.name, weight=dweight, **({"bias": dbias} if conv.bias else {}))
        return dX

    def _return_pair(self, conv, bn, dY):
        return self._return_conv(conv, dY if bn is None else self._return_norm(bn, dY))

    def _return_stem(self, dY):
        conv, bn = self.layout.stem
        if self.layout.pool_padding is not None:
            X = self._saved[self.places["max_pool"]]
            dY = pooling.max_pool_backward(dY, X, padding=self.layout.pool_padding, **POOL)
        if bn is not None:
            dY = self._return_relu(self.places["stem_relu"], dY)
        dX = self._return_pair(conv, bn, dY)
        return dX if self.layout.input_norm is None else self._return_norm(self.layout.input_norm, dX)

    def _return_block(self, block, dY):
        d_sum = dY if block.preactivation else self._return_relu(block.name, dY)
        d_projected = 0 if block.shortcut is None else self._return_pair(*block.shortcut, d_sum)
        dX = self._return_body(block, d_sum, d_projected)
        if block.pad is not None:
            return dX + pad_shortcut_backward(d_sum, self._saved[f"{block.name}.pad"], *_pad_settings(block.pad))
        return dX + d_sum if block.adds and block.shortcut is None else dX

    def _return_body(self, block, dY, d_projected):
        """The gradient with respect to the block's input, by way of its body and of a projection's input."""
        for i, (conv, bn) in reversed(list(enumerate(block.body))):
            if block.preactivation:
                dY = self._return_conv(conv, dY) + (d_projected if i == 0 else 0)
                dY = self._return_norm(bn, self._return_relu(f"{block.name}.relu{i + 1}", dY))
            else:
                dY = self._return_pair(conv, bn, dY)
                dY = self._return_relu(f"{block.name}.relu{i}", dY) if i > 0 else dY + d_projected
        return dY

    # Speed ------------------------------------------------------------------------------------------------------------

    def folded(self):
        """The network as it is now, for prediction alone and fast: see :class:`gluon_resnet.byhand.folded.Folded`."""
        return Folded(self.layout, self.params, self.dtype)
