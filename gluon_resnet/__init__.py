"""gluon-resnet: the ResNet chapters of the MXNet textbooks, running today.

    import gluon_resnet as gr                     # before mxnet: it sets the threads up
    train_iter, test_iter = gr.load_data_fashion_mnist(256, resize=96)
    gr.train_ch6(gr.resnet18(), train_iter, test_iter, num_epochs=10, lr=0.05)

Importing calls ``env.prepare()`` and nothing else; each public name is loaded when it is first used.
"""
import importlib

from . import env
from .errors import GluonResNetError
from .version import VERSION

__version__ = VERSION

#: public name -> module of this package that defines it
_HOMES = {
    "Residual": "blocks", "Bottleneck": "blocks", "BatchNorm": "blocks", "resnet_block": "blocks",
    "resnet18": "models", "resnet34": "models", "resnet50": "models", "resnet101": "models", "resnet152": "models",
    "build": "models", "get_model": "models", "cifar_resnet": "models",
    "ResidualV2": "blocks_v2", "BottleneckV2": "blocks_v2", "head_penalty": "heads",
    "RESNET_DEMO": "slim", "slim_resnet": "slim", "slim_spec": "slim",
    "ResNetSpec": "specs", "get_spec": "specs", "parse_model": "specs", "model_names": "specs",
    "layer_shapes": "shapes", "summary": "shapes", "totals": "shapes", "walk_lines": "shapes",
    "load_data_fashion_mnist": "data.fashion_mnist", "ArrayBatches": "data.batches",
    "train_ch6": "train", "fit": "train", "Record": "progress", "Result": "progress",
    "evaluate_accuracy": "evaluate",
    "try_gpu": "devices", "num_gpus": "devices", "seed_everything": "devices",
    "set_precision": "precision", "Conv2D": "blocks",
    "load_weights": "weights", "identify_weights": "weights",
    "load_data_bird_photos": "data.image_folder", "load_data_image_folder": "data.image_folder",
    "PictureBatches": "data.pictures", "Augment": "data.augment", "Recipe": "recipe", "find_lr": "lr_finder",
    "draw": "drawing", "draw_block": "drawing",
}

__all__ = sorted(_HOMES) + ["GluonResNetError", "env"]

env.prepare()


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module 'gluon_resnet' has no attribute '{name}'")
    module = importlib.import_module(f".{_HOMES[name]}", __name__)
    globals()[name] = value = getattr(module, name)
    return value


def __dir__():
    return sorted(set(globals()) | set(__all__))
