"""Random networks of Keras 2, which wrote the published files: python scripts/parity/keras2_networks.py FOLDER"""

import sys

import numpy
import tf_keras
from cases import CASES
from common import Random, case_folder, pictures, save


def fill(net, seed):
    """Draw every parameter and running statistic of ``net``."""
    random = Random(seed)
    for layer in net.layers:
        if isinstance(layer, (tf_keras.layers.Conv2D, tf_keras.layers.Dense)):
            shape = tuple(layer.kernel.shape)
            layer.set_weights([random.weight(shape, numpy.prod(shape[:-1])), random.bias(tuple(layer.bias.shape))])
        elif isinstance(layer, tf_keras.layers.BatchNormalization):
            shape = tuple(layer.gamma.shape)
            layer.set_weights([random.gamma(shape), random.bias(shape), random.bias(shape), random.variance(shape)])


def build(case):
    """keras.applications' network; its published files call the classifier probs, as keras-applications 1.0.8 did."""
    if case == "keras2-probs":
        body = tf_keras.applications.ResNet50(weights=None, include_top=False, pooling="avg", input_shape=(64, 64, 3))
        return tf_keras.Model(body.input, tf_keras.layers.Dense(1000, name="probs")(body.output))
    depth = case.rpartition("resnet")[2] if "resnet" in case else "50"
    make = getattr(tf_keras.applications, f"ResNet{depth}")
    return make(weights=None, input_shape=(64, 64, 3), classifier_activation=None)


def main(folder):
    for seed, (case, (_, files)) in enumerate(CASES["keras2"].items()):
        path, X = case_folder(folder, "keras2", case), pictures(seed)
        net = build(case)
        fill(net, seed)
        for name in files:
            (net.save_weights if name in ("weights.h5", "net.weights.h5") else net.save)(str(path / name))
        save(path, X, net(X.transpose(0, 2, 3, 1), training=False))
        tf_keras.backend.clear_session()


if __name__ == "__main__":
    main(sys.argv[1])
