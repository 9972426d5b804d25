"""Train or predict with TensorFlow; prints one JSON line.

Runs in an environment of its own (requirements-bench.txt), with TensorFlow's default threads, its oneDNN, its own order
of axes (N, H, W, C) and one graph for a step; a graph that predicts has its parameters as constants, so that TensorFlow
can fold batch norms. The way is float32 or bfloat16 (Keras' policy mixed_bfloat16).
"""

import json
import os
import sys
from typing import Any, Dict, List, Tuple

import numpy
import tensorflow as tf
from common import Timed, predicted, read_arrays, tell
from tensorflow import keras
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

settings = json.loads(sys.argv[1])
layers = keras.layers
version = f"tensorflow {tf.__version__}"
threads = tf.config.threading.get_intra_op_parallelism_threads() or len(os.sched_getaffinity(0))


class Builder:
    """Makes Keras' layers of a plan's, and keeps the values to put into them."""

    def __init__(self, params: Dict[str, Any]) -> None:
        self.params = params
        self.values: List[Tuple[Any, Tuple[Any, ...]]] = []

    def _called(self, module: Any, X: Any, *arrays: Any) -> Any:
        Y = module(X)
        self.values.append((module, arrays))
        return Y

    def conv(self, X: Any, layer: Dict[str, Any]) -> Any:
        """A convolution, padded on all sides alike, which Keras' "same" does not do with a stride."""
        if layer["padding"]:
            X = layers.ZeroPadding2D(layer["padding"])(X)
        weight = self.params[f"{layer['name']}.weight"].transpose(2, 3, 1, 0)
        bias = [self.params[f"{layer['name']}.bias"]] if layer["bias"] else []
        module = layers.Conv2D(layer["out_channels"], layer["kernel"], layer["stride"], use_bias=layer["bias"])
        return self._called(module, X, weight, *bias)

    def norm(self, X: Any, layer: Any) -> Any:
        """A batch norm; None is nothing."""
        if layer is None:
            return X
        parts = ("gamma", "beta", "running_mean", "running_var")
        arrays = [self.params[f"{layer['name']}.{part}"] for part in parts]
        return self._called(layers.BatchNormalization(momentum=0.9, epsilon=layer["eps"]), X, *arrays)

    def block(self, X: Any, block: Dict[str, Any]) -> Any:
        """A residual block."""
        Y, last = X, len(block["body"]) - 1
        for i, (conv, norm) in enumerate(block["body"]):
            Y = self.norm(self.conv(Y, conv), norm)
            if i < last:
                Y = layers.ReLU()(Y)
        if block["shortcut"]:
            conv, norm = block["shortcut"]
            X = self.norm(self.conv(X, conv), norm)
        return layers.ReLU()(layers.Add()([Y, X]))


def build(plan: Dict[str, Any], params: Dict[str, Any], shape: Any) -> Any:
    """The network of a plan for images of ``shape`` (H, W, C); its logits are float32."""
    builder = Builder(params)
    inputs = X = keras.Input(shape)
    conv, norm = plan["stem"]
    X = layers.ReLU()(builder.norm(builder.conv(X, conv), norm))
    if plan["pool_padding"] is not None:
        if plan["pool_padding"]:
            X = layers.ZeroPadding2D(plan["pool_padding"])(X)  # nothing is below 0 after a ReLU
        X = layers.MaxPooling2D(3, 2)(X)
    for stage in plan["stages"]:
        for block in stage:
            X = builder.block(X, block)
    X = layers.GlobalAveragePooling2D()(X)
    head = plan["classifier"]
    weight, bias = (params[f"{head['name']}.{part}"] for part in ("weight", "bias"))
    outputs = builder._called(layers.Dense(head["units"], dtype="float32"), X, weight.T, bias)
    net = keras.Model(inputs, outputs)
    for module, arrays in builder.values:
        module.set_weights(list(arrays))
    return net


def train(net: Any, X: Any, y: Any) -> None:
    """Plain SGD on one batch again and again."""
    optimizer = keras.optimizers.SGD(settings["lr"])
    loss_function = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    @tf.function
    def step(X: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = loss_function(y, net(X, training=True))
        optimizer.apply_gradients(zip(tape.gradient(loss, net.trainable_variables), net.trainable_variables))
        return loss

    losses: List[Any] = []
    timed = Timed([(X, y)] * settings["batches"], lambda: losses and losses[-1].numpy())
    for X, y in timed:
        losses.append(step(X, y))
    tell(timed.examples, timed.seconds, version, threads, first_loss=float(losses[0].numpy()))


def predict(net: Any, X: Any) -> None:
    """Predict one batch again and again."""
    graph = tf.function(lambda X: net(X, training=False)).get_concrete_function(tf.TensorSpec(X.shape, X.dtype))
    frozen = convert_variables_to_constants_v2(graph)
    predicted(lambda: frozen(X)[0].numpy(), len(X), settings, version, threads)


if settings["precision"] == "bfloat16":
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
X = tf.constant(numpy.load(settings["images"])[: settings["batch_size"]].transpose(0, 2, 3, 1))
net = build(settings["plan"], read_arrays(settings["params"]), X.shape[1:])
if settings["task"] == "train":
    train(net, X, tf.constant(numpy.load(settings["labels"])[: settings["batch_size"]]))
else:
    predict(net, X)
