"""gluon-resnet: the ResNet chapters of the MXNet textbooks, running today.

    import gluon_resnet as gr                     # before mxnet: it sets the threads up
    train_iter, test_iter = gr.load_data_fashion_mnist(256, resize=96)
    gr.train_ch6(gr.resnet18(), train_iter, test_iter, num_epochs=10, lr=0.05)

Importing calls ``env.prepare()`` and nothing else; each public name is loaded when it is first used.
"""

import importlib

from .errors import GluonResNetError
from .machine import env, old_names
from .version import VERSION

__version__ = VERSION

#: public name -> module of this package that defines it
_HOMES = {
    "Residual": "networks.blocks",
    "Bottleneck": "networks.blocks",
    "BatchNorm": "networks.layers",
    "resnet_block": "networks.blocks",
    "resnet18": "networks.models",
    "resnet34": "networks.models",
    "resnet50": "networks.models",
    "resnet101": "networks.models",
    "resnet152": "networks.models",
    "build": "networks.models",
    "get_model": "networks.models",
    "cifar_resnet": "networks.models",
    "ResidualV2": "networks.preactivation",
    "BottleneckV2": "networks.preactivation",
    "head_penalty": "networks.heads",
    "RESNET_DEMO": "networks.slim",
    "slim_resnet": "networks.slim",
    "slim_spec": "networks.slim",
    "ResNetSpec": "networks.specs",
    "get_spec": "networks.specs",
    "parse_model": "networks.specs",
    "model_names": "networks.specs",
    "layer_shapes": "networks.shapes",
    "summary": "networks.shapes",
    "totals": "networks.shapes",
    "walk_lines": "networks.shapes",
    "load_data_fashion_mnist": "data.fashion_mnist",
    "ArrayBatches": "data.batches",
    "train_ch6": "training.train",
    "fit": "training.train",
    "Session": "training.train",
    "Record": "training.progress",
    "Result": "training.progress",
    "evaluate_accuracy": "training.accuracy",
    "try_gpu": "devices",
    "num_gpus": "devices",
    "seed_everything": "devices",
    "set_precision": "training.precision",
    "Conv2D": "networks.layers",
    "load_weights": "weights",
    "identify_weights": "weights",
    "load_data_bird_photos": "data.image_folder",
    "load_data_image_folder": "data.image_folder",
    "PictureBatches": "data.pictures",
    "Augment": "data.augment",
    "Recipe": "training.recipe",
    "find_lr": "training.lr_finder",
    "draw": "drawing",
    "draw_block": "drawing",
}

__all__ = sorted(_HOMES) + ["GluonResNetError", "env"]

env.prepare()
old_names.install()


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module 'gluon_resnet' has no attribute '{name}'")
    module = importlib.import_module(f".{_HOMES[name]}", __name__)
    globals()[name] = value = getattr(module, name)
    return value


def __dir__():
    return sorted(set(globals()) | set(__all__))
