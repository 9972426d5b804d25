"""Any ResNet of the table in NumPy alone: predictions, gradients of all parameters, every layer's output on the way.

    from gluon_resnet import byhand
    from gluon_resnet.specs import parse_model
    net = byhand.ResNet(parse_model("resnet50@torchvision"))
    logits = net.forward(X, watch=lambda name, Y: print(name, Y.shape))     # X (N, 3, H, W)
    loss, gradients = net.loss_and_gradients(X, y)

With ``params={k: p.data().asnumpy() for k, p in net._collect_params_with_prefix().items()}`` it is a Gluon network's
double. Each block computes relu(F(X) + shortcut(X)) and passes both ways' gradients back (He et al., arXiv 1512.03385,
equations 1 and 2; article 004 writes the forward half).
"""
import numpy as np

from ..errors import ConfigError, ShapeError
from ..layout import layout
from . import heads, norm, pooling
from .conv import CONVOLUTIONS
from .folded import Folded
from .params import check_dtype, checked_params, is_trainable, random_params

POOL = dict(kernel=3, stride=2)  # behind the stem


def _watch_nothing(name, array):
    pass


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
        self._conv, self._conv_backward = CONVOLUTIONS[conv]
        self.params = (random_params(self.layout, dtype, seed) if params is None
                       else checked_params(self.layout, params, dtype))
        self._saved = None  # what the last forward pass left for backward, by layer

    # Forward ----------------------------------------------------------------------------------------------------------

    def forward(self, X, training=False, watch=None):
        """Logits (N, num_classes) of X (N, in_channels, H, W).

        In training, batch norm takes the batch's statistics, and the running ones move at once (momentum 0.9; MXNet
        moves them in its backward pass). ``watch(name, array)`` is called with the output of every layer under the
        layout's name: "0" stem, "1" batch norm, "2" ReLU, "3" pooling, "4.0.conv1", "4.0.bn1" (its own output, before
        any ReLU) and so on, "4.0" the block, "8" global pooling (N, C, 1, 1), "9" logits. Watch, but do not write.
        """
        X = np.asarray(X, dtype=self.dtype)
        if X.ndim != 4 or X.shape[1] != self.in_channels or X.shape[0] == 0:
            raise ShapeError(f"byhand.ResNet({self.spec.name}): X has shape {X.shape}: "
                             f"expected (N, {self.in_channels}, H, W)")
        self._saved, self._training, self._watch = {}, training, watch or _watch_nothing
        conv, bn = self.layout.stem
        Y = self._seen("2", heads.relu(self._save("2", self._run_pair(conv, bn, X))))  # (N, 64, H / 2, W / 2)
        Y = self._seen("3", pooling.max_pool(self._save("3", Y), padding=self.layout.pool_padding, **POOL))
        for stage in self.layout.stages:
            for block in stage:
                Y = self._seen(block.name, self._run_block(block, Y))
        classifier = self.layout.classifier
        Y = self._seen("8", pooling.global_avg_pool(self._save("8", Y)))  # (N, C, 1, 1)
        Y = self._save(classifier.name, Y[:, :, 0, 0])  # (N, C)
        return self._seen(classifier.name, heads.linear(Y, *self._weight_and_bias(classifier.name)))

    def _save(self, name, X):
        self._saved[name] = X
        return X

    def _seen(self, name, Y):
        self._watch(name, Y)
        return Y

    def _weight_and_bias(self, name):
        return self.params[f"{name}.weight"], self.params.get(f"{name}.bias")

    def _run_conv(self, conv, X):
        return self._seen(conv.name, self._conv(self._save(conv.name, X), *self._weight_and_bias(conv.name),
                                                stride=conv.stride, padding=conv.padding))

    def _norm_params(self, bn):
        return [self.params[f"{bn.name}.{part}"] for part in ("gamma", "beta", "running_mean", "running_var")]

    def _run_norm(self, bn, X):
        gamma, beta, running_mean, running_var = self._norm_params(bn)
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

    def _run_block(self, block, X):
        Y = X
        for i, (conv, bn) in enumerate(block.body):
            if i > 0:
                Y = heads.relu(self._save(f"{block.name}.relu{i}", Y))
            Y = self._run_pair(conv, bn, Y)
        shortcut = X if block.shortcut is None else self._run_pair(*block.shortcut, X)
        return heads.relu(self._save(block.name, Y + shortcut))

    # Backward ---------------------------------------------------------------------------------------------------------

    def backward(self, dlogits):
        """{name: gradient} of every trainable parameter, in the layout's order, after :meth:`forward`.

        ``dlogits`` (N, num_classes) is the loss's gradient with respect to the logits. Batch norm goes back the way it
        came, by the batch's statistics or by the running ones. ``net.dX`` is then the gradient with respect to X.
        """
        if self._saved is None:
            raise ConfigError(f"byhand.ResNet({self.spec.name}): backward before forward; call forward(X) first")
        self._gradients, name = {}, self.layout.classifier.name
        dY = np.asarray(dlogits, dtype=self.dtype)
        dY, dweight, dbias = heads.linear_backward(dY, self._saved[name], self.params[f"{name}.weight"])
        self._keep(name, weight=dweight, bias=dbias)
        dY = pooling.global_avg_pool_backward(dY[:, :, None, None], self._saved["8"])  # (N, C, H / 32, W / 32)
        for stage in reversed(self.layout.stages):
            for block in reversed(stage):
                dY = self._return_block(block, dY)
        dY = pooling.max_pool_backward(dY, self._saved["3"], padding=self.layout.pool_padding, **POOL)
        conv, bn = self.layout.stem
        self.dX = self._return_pair(conv, bn, heads.relu_backward(dY, self._saved["2"]))  # (N, in_channels, H, W)
        return {key: self._gradients[key] for key in self.params if is_trainable(key)}

    def loss_and_gradients(self, X, y, training=True):
        """(mean cross-entropy as a float, gradients as :meth:`backward` gives them); y (N,) are whole numbers."""
        logits = self.forward(X, training)
        return heads.cross_entropy(logits, y), self.backward(heads.cross_entropy_backward(logits, y))

    def _keep(self, name, **gradients):
        for part, gradient in gradients.items():
            self._gradients[f"{name}.{part}"] = gradient

    def _return_pair(self, conv, bn, dY):
        if bn is not None:
            backward = norm.batch_norm_training_backward if self._training else norm.batch_norm_inference_backward
            X, mean, var = self._saved[bn.name]
            dY, dgamma, dbeta = backward(dY, X, self.params[f"{bn.name}.gamma"], mean, var, bn.eps)
            self._keep(bn.name, gamma=dgamma, beta=dbeta)
        dX, dweight, dbias = self._conv_backward(dY, self._saved[conv.name], self.params[f"{conv.name}.weight"],
                                                 stride=conv.stride, padding=conv.padding)
        self._keep(conv.name, weight=dweight, **({"bias": dbias} if conv.bias else {}))
        return dX

    def _return_block(self, block, dY):
        dY = d_sum = heads.relu_backward(dY, self._saved[block.name])
        for i in reversed(range(len(block.body))):
            dY = self._return_pair(*block.body[i], dY)
            if i > 0:
                dY = heads.relu_backward(dY, self._saved[f"{block.name}.relu{i}"])
        return dY + (d_sum if block.shortcut is None else self._return_pair(*block.shortcut, d_sum))

    # Speed ------------------------------------------------------------------------------------------------------------

    def folded(self):
        """The network as it is now, for prediction alone and fast: see :class:`gluon_resnet.byhand.folded.Folded`."""
        return Folded(self.layout, self.params, self.dtype)
