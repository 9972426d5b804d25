"""gluon-resnet: the ResNet chapters of the MXNet textbooks, running today.

    import gluon_resnet as gr                     # before mxnet: it sets the threads up
    train_iter, test_iter = gr.load_data_fashion_mnist(256, resize=96)
    gr.train_ch6(gr.resnet18(), train_iter, test_iter, num_epochs=10, lr=0.05)

Importing calls ``env.prepare()`` and nothing else; each public name is loaded when it is first used.
"""

import importlib
from typing import Any, List

from .errors import GluonResNetError
from .machine import env
from .version import VERSION

__version__ = VERSION

#: public name -> module of this package that defines it, and its name there if that is another
_HOMES = {
    "Residual": "networks.blocks",
    "Bottleneck": "networks.blocks",
    "ResNeXtBlock": "networks.blocks",
    "BatchNorm": "networks.layers",
    "resnet_block": "networks.blocks",
    "resnet18": "weights.pretrained",
    "resnet34": "weights.pretrained",
    "resnet50": "weights.pretrained",
    "resnet101": "weights.pretrained",
    "resnet152": "weights.pretrained",
    "build": "networks.models",
    "get_model": "weights.pretrained",
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
    "DepthLog": "lab.depth",
    "draw_depth": "lab.depth:draw",
    "FASHION_MNIST_LABELS": "data.fashion_mnist:LABELS",
    "experiments_folder": "lab.experiment",
    "PUBLISHED": "lab.published:ENTRIES",
    "count_layers": "networks.cost:network",
    "reconcile": "instruments.reconcile:compare",
    "split_indices": "data.image_folder",
    "open_folder": "data.image_folder",
    "RecordSource": "data.records",
    "draw_pictures": "data.plot",
    "pack_records": "data.record_files:pack",
    "RecordSettings": "data.record_files:Settings",
    "PicturesConfig": "runs.pictures",
    "train_pictures": "runs.pictures",
    "network_of_run": "runs.network",
    "draw_curves": "training.curves",
    "evaluate_run": "evaluation.evaluate",
    "open_examples": "evaluation.evaluate",
    "class_maps": "evaluation.files",
    "draw_prediction_grid": "evaluation.plots",
    "draw_confusion": "evaluation.plots",
    "draw_top_losses": "evaluation.plots",
    "draw_reliability": "evaluation.plots",
    "look": "evaluation.predict",
    "predict": "evaluation.predict",
    "PREPARATIONS": "data.images",
    "IMAGENET": "data.images",
    "read_labels": "data.labels",
    "make_engine": "instruments.engines",
    "grad_cam": "instruments.gradcam",
    "microscope": "instruments.microscope:look",
    "plant": "instruments.microscope",
    "read_network": "weights",
    "set_parameters": "weights",
    "layout": "networks.layout",
    "NAMINGS": "weights.names",
    "weight_names": "weights.names:names",
    "published_weights": "weights.catalogue:table",
    "export": "weights.export",
    "Keeper": "training.checkpoint",
    "read_checkpoint": "training.checkpoint:read",
    "cpu": "machine.system",
    "has_bfloat16": "training.precision:is_native",
    "winograd_convolutions": "training.winograd:convolutions",
    "winograd_problem": "training.winograd:problem",
}

#: modules of the books' editions, under the names that the books give them
_EDITIONS = ("d2l", "d2lzh", "gluonbook")

__all__ = sorted(_HOMES) + [*_EDITIONS, "GluonResNetError", "env"]

env.prepare()


def __getattr__(name: str) -> Any:
    if name in _EDITIONS:
        return importlib.import_module(f".editions.{name}", __name__)
    if name not in _HOMES:
        raise AttributeError(f"module 'gluon_resnet' has no attribute '{name}'")
    home, _, own_name = _HOMES[name].partition(":")
    module = importlib.import_module(f".{home}", __name__)
    globals()[name] = value = getattr(module, own_name or name)
    return value


def __dir__() -> List[str]:
    return sorted(set(globals()) | set(__all__))
