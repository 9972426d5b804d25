"""tests/fixtures/keras, made by Keras 3 and Keras 2: .venv-parity/bin/python scripts/parity/keras_fixtures.py

Files of a network of three layers (in gzip, HDF5 being mostly zeros), whose variables hold 0, 1, 2, ... one after the
other in the order of its ``weights``, and layers.json: the layers of whole ResNets in the order Keras counts them.
"""

import gzip
import json
import os
import tempfile
from pathlib import Path

import keras
import numpy
import tf_keras
from keras_networks import article_000

FOLDER = Path(__file__).resolve().parents[2] / "tests" / "fixtures" / "keras"


def tiny(library, dtype="float32"):
    """(N, 5, 5, 1) to (N, 2), its layers named as those of keras.applications' ResNets."""
    layers = library.layers
    with_dtype = dict(dtype=dtype)
    image = layers.Input((5, 5, 1))
    X = layers.Conv2D(2, 3, name="conv1_conv", **with_dtype)(image)
    X = layers.BatchNormalization(name="conv1_bn", **with_dtype)(X)
    X = layers.Activation("relu", name="conv1_relu", **with_dtype)(X)
    X = layers.GlobalAveragePooling2D(name="avg_pool", **with_dtype)(X)
    net = library.Model(image, layers.Dense(2, name="predictions", **with_dtype)(X))
    values, start = [], 0
    for array in net.get_weights():
        values.append(numpy.arange(start, start + array.size).reshape(array.shape))
        start += array.size
    net.set_weights(values)
    return net


def counted(net):
    """{class: [names]} of a network's layers with variables, in the order of ``net.layers``."""
    names = {}
    for layer in net.layers:
        if layer.weights:
            names.setdefault(type(layer).__name__, []).append(layer.name)
    return names


def save_all():
    """The tiny network in every format that the two still write, into the working directory."""
    net = tiny(keras)
    net.compile("adam", "mse")
    net.fit(numpy.zeros((1, 5, 5, 1)), numpy.zeros((1, 2)), epochs=0, verbose=0)  # makes an optimizer
    net.save_weights("keras3.weights.h5")
    net.save("keras3-whole.h5")
    net.save("keras3.keras")
    tiny(keras, "bfloat16").save_weights("keras3-bfloat16.weights.h5")
    old = tiny(tf_keras)
    old.save_weights("keras2-weights.h5")
    old.save_weights("keras2.weights.h5")
    old.save("keras2-whole.h5")


def orders():
    """{network: what :func:`counted` says of it}; keras.applications' must be alike in Keras 2 and 3."""
    whole = dict(weights=None, input_shape=(64, 64, 3))
    found = {
        f"{name} resnet{depth}": counted(getattr(library.applications, f"ResNet{depth}")(**whole))
        for name, library in (("keras3", keras), ("keras2", tf_keras))
        for depth in (50, 101, 152)
    }
    found.update({"article-000": counted(article_000("article")), "names-of-2016": counted(article_000("2016"))})
    for name in [name for name in found if name.startswith("keras2 ")]:
        if found.pop(name) != found[name.replace("keras2", "keras3")]:
            raise SystemExit(f"{name}: Keras 2 and 3 count its layers differently")
    return {name.replace("keras3 ", ""): order for name, order in found.items()}


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        save_all()
        for path in sorted(Path(folder).iterdir()):
            (FOLDER / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), mtime=0))
    text = json.dumps(orders(), separators=(",", ":")).replace('{"Conv2D', '\n{"Conv2D')
    (FOLDER / "layers.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
