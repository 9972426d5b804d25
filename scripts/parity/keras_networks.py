"""Random Keras 3 networks, saved in each of its formats: python scripts/parity/keras_networks.py FOLDER

Beside keras.applications there is article 000's network under its own names and under those of 2016. Keras 1 does not
run any more: the file as it was in 2016 is made of Keras 3's numbers; test_keras_h5.py says where its names come from.
"""

import shutil
import sys

import h5py
import keras
import numpy
from cases import CASES
from common import Random, case_folder, pictures, save


def fill(net, seed):
    """Draw every parameter and running statistic of ``net`` and of the models in it."""
    random = Random(seed)
    for layer in net._flatten_layers(include_self=False):
        if isinstance(layer, (keras.layers.Conv2D, keras.layers.Dense)):
            shape = layer.kernel.shape
            layer.set_weights([random.weight(shape, numpy.prod(shape[:-1])), random.bias(layer.bias.shape)])
        elif isinstance(layer, keras.layers.BatchNormalization):
            shape = layer.gamma.shape
            layer.set_weights([random.gamma(shape), random.bias(shape), random.bias(shape), random.variance(shape)])


def article_block(X, filters, stage, block, strides, names):
    """A block as article 000's listing describes it; with ``strides``, a projection on the shortcut."""
    kind = "identity" if strides is None else "conv"
    article = {"conv": f"{stage}{block}_{kind}_block_conv{{}}", "bn": f"{stage}{block}_{kind}_block_bn{{}}"}
    of_2016 = {"conv": f"res{stage}{block}_branch2{{}}", "bn": f"bn{stage}{block}_branch2{{}}"}
    Y = X
    for i, (channels, kernel) in enumerate(zip(filters, (1, 3, 1))):
        number, own = (i + 1, article) if names == "article" else ("abc"[i], of_2016)
        Y = keras.layers.Conv2D(
            channels, kernel, strides=strides or 1 if i == 0 else 1, padding="same", name=own["conv"].format(number)
        )(Y)
        Y = keras.layers.BatchNormalization(name=own["bn"].format(number))(Y)
        if i < 2:
            Y = keras.layers.Activation("relu")(Y)
    if strides is not None:
        conv, norm = (
            (f"{stage}{block}_conv_block_res_conv", f"{stage}{block}_conv_block_res_bn")
            if names == "article"
            else (f"res{stage}{block}_branch1", f"bn{stage}{block}_branch1")
        )
        X = keras.layers.Conv2D(filters[2], 1, strides=strides, name=conv)(X)
        X = keras.layers.BatchNormalization(name=norm)(X)
    return keras.layers.Activation("relu")(keras.layers.add([Y, X]))


def article_000(names):
    """Article 000's ResNet-50, but for the softmax, and with a pooling of any size; ``names``: "article" or "2016"."""
    image = keras.Input((64, 64, 3))
    X = keras.layers.ZeroPadding2D(3)(image)
    X = keras.layers.Conv2D(64, 7, strides=2, name="conv1")(X)
    X = keras.layers.BatchNormalization(name="bn_conv1")(X)
    X = keras.layers.Activation("relu")(X)
    X = keras.layers.MaxPooling2D(3, strides=2)(X)
    for stage, blocks in zip((2, 3, 4, 5), ("abc", "abcd", "abcdef", "abc")):
        width = 64 * 2 ** (stage - 2)
        for block in blocks:
            strides = None if block != "a" else 1 if stage == 2 else 2
            X = article_block(X, (width, width, 4 * width), stage, block, strides, names)
    X = keras.layers.GlobalAveragePooling2D(name="avg_pool")(X)
    return keras.Model(image, keras.layers.Dense(1000, name="fc1000")(X))


def in_a_sequential():
    """As in transfer learning: keras.applications' network below a new head, the optimizer saved with it."""
    body = keras.applications.ResNet50(weights=None, include_top=False, pooling="avg", input_shape=(64, 64, 3))
    net = keras.Sequential([body, keras.layers.Dropout(0.5), keras.layers.Dense(4, name="predictions")])
    net.compile("adam", "mse")
    net.fit(numpy.zeros((1, 64, 64, 3)), numpy.zeros((1, 4)), verbose=0)
    return net


def without_names(source, target):
    """What Keras before 3.6 would have written: no names beside the numbers."""
    shutil.copy(source, target)
    with h5py.File(target, "r+") as file:
        for layer in file["layers"].values():
            del layer["vars"].attrs["name"]


def as_in_2016(net, target):
    """A group a layer, without one for the scope, under Keras 1's names."""
    before = {"kernel": "W", "bias": "b", "moving_mean": "running_mean", "moving_variance": "running_std"}
    with h5py.File(target, "w") as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in net.layers]
        for layer in net.layers:
            group = file.create_group(layer.name)
            weights = {f"{layer.name}_{before.get(weight.name, weight.name)}_1:0": weight for weight in layer.weights}
            group.attrs["weight_names"] = [name.encode() for name in weights]
            for name, weight in weights.items():
                group[name] = keras.ops.convert_to_numpy(weight)


def build(case):
    if case == "article-000":
        return article_000("article")
    if case == "names-of-2016":
        return article_000("2016")
    if case == "keras3-in-a-sequential":
        return in_a_sequential()
    depth = case.rpartition("resnet")[2] if "resnet" in case else "50"
    make = getattr(keras.applications, f"ResNet{depth}")
    return make(weights=None, input_shape=(64, 64, 3), classifier_activation=None)


def main(folder):
    for seed, (case, (_, files)) in enumerate(CASES["keras"].items()):
        path, X = case_folder(folder, "keras", case), pictures(seed)
        net = build(case)
        fill(net, seed)
        for name in files:
            if name.startswith("net."):
                (net.save_weights if name.endswith(".h5") else net.save)(path / name)
            elif name == "whole.h5":
                net.save(path / name)
            elif name == "as-in-2016.h5":
                as_in_2016(net, path / name)
            else:
                without_names(path / "net.weights.h5", path / name)
        save(path, X, net(X.transpose(0, 2, 3, 1), training=False))
        keras.utils.clear_session()


if __name__ == "__main__":
    main(sys.argv[1])
