"""From a folder of pictures, a CSV or record files to a finished run folder: article 000's training, or fine-tuning.

    gluon-resnet train pictures bird_photos
    gluon-resnet train pictures bird_photos --model resnet18 --weights resnet18.safetensors --new-head --set freeze_norm=true
"""
import os
import shlex
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Optional, Tuple

from .checkpoint import read
from .config import differences, make
from .errors import ConfigError, DataError
from .launch import find_rate, run
from .recipe import Recipe


@dataclass(frozen=True)
class PicturesConfig(Recipe):
    """A training run on pictures; the defaults are article 000's: ResNet-50 of Keras, Adam, 10 epochs of batches of 8.

    ``random_crop`` to ``saturation`` change training pictures (data/augment.py). What a recipe has (recipe.py) comes in
    addition.
    """

    lr: float = 0.001
    optimizer: str = "adam"
    data: str = ""  # folder, CSV or .rec file
    model: str = "resnet50@keras"
    image_size: int = 224
    batch_size: int = 8
    epochs: int = 10
    validation_split: float = 0.2
    split_seed: int = 123
    crop: bool = False  # cut the middle out instead of squeezing the whole picture
    random_crop: Optional[Tuple[float, float]] = None  # least and largest share of the area
    flip: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    strict: bool = False
    precision: str = "float32"
    weights: Optional[str] = None  # a file of trained weights to start from
    new_head: bool = False  # but for its classifier
    keep_best: bool = False  # the parameters of the best epoch, as best.params
    checkpoint_seconds: int = 300  # between checkpoints within an epoch
    tensorboard: bool = False  # events for TensorBoard in the run folder, too

    def command(self):
        """The command that makes this run again."""
        words = ["gluon-resnet", "train", "pictures", os.path.abspath(self.data)]
        for setting in differences(self):
            name, _, value = setting.partition("=")
            if name != "data":
                words += ["--set", f"{name}={os.path.abspath(value) if name == 'weights' else value}"]
        return " ".join(shlex.quote(word) for word in words)

    def augment(self):
        """The changes to training pictures, or None."""
        from .data.augment import Augment

        wanted = {one.name: getattr(self, one.name) for one in fields(Augment) if one.name not in ("crop", "ratio")}
        if self.random_crop is None and not any(wanted.values()):
            return None
        return Augment(crop=self.random_crop, **wanted)


def open_sources(config):
    """(training source, validation source, lines to say) of a folder, a CSV, FILE.rec or NAME_train.rec with NAME_val.rec."""
    from .data.image_folder import open_parts, split_indices
    from .data.records import RecordSource

    path = Path(config.data)
    if path.suffix != ".rec":
        *sources, report = open_parts(config.data, config.validation_split, config.split_seed, strict=config.strict)
        return (*sources, [report.summary()] if report.has_findings else [])
    if not path.exists():
        raise DataError(f"{path}: no such file; make it with: gluon-resnet records pack DIR {path.with_suffix('')}")
    source = RecordSource(path)
    if path.stem.endswith("_train"):
        other = RecordSource(path.with_name(path.stem[:-len("train")] + "val.rec"))
        if other.class_names != source.class_names:
            raise DataError(f"{other.where}: classes {other.class_names}: expected those of {path.name}, {source.class_names}")
        return source, other, []
    training, validation = split_indices(len(source), config.validation_split, config.split_seed)
    return source.subset(training), source.subset(validation), []


def _batches(config, sources, preparation):
    from .data.pictures import PictureBatches

    training, validation = sources
    common = dict(preparation=preparation, crop=config.crop)
    return (PictureBatches(training, config.batch_size, config.image_size, config.augment(), shuffle=True, **common),
            PictureBatches(validation, config.batch_size, config.image_size, **common))


def _network(config, num_classes):
    from .specs import parse_model
    from .weights import read_network

    if config.weights is None:
        return parse_model(config.model, num_classes), None
    return read_network(config.weights, config.model, num_classes, in_channels=3, new_head=config.new_head)


def train_pictures(config, out=None, say=print, make_listener=None, resume=None, find_lr=None):
    """Run ``config`` and return (Result, run folder); as :func:`gluon_resnet.launch.train_fashion_mnist`.

    The run folder has labels.txt, the class names, beside the parameters. With ``find_lr``, the path of a picture, nothing
    is trained: learning rates are tried out and (None, None) returned.
    """
    from mxnet import npx

    from . import models, runs, shapes, train
    from .devices import try_gpu
    from .images import PREPARATIONS
    from .layout import layout
    from .optimizers import frozen_prefixes
    from .precision import set_precision

    npx.set_np()
    train.check_settings(config.epochs, config.lr)
    config.check()
    checkpoint = read(resume.path) if resume else None
    *sources, notes = open_sources(config)
    class_names = sources[0].class_names
    if len(class_names) < 2:
        raise ConfigError(f"{config.data}: one class ({class_names[0]}): expected two or more to tell apart")
    (spec, params), device = _network(config, len(class_names)), try_gpu()
    frozen_prefixes(layout(spec), config.freeze_stages)  # refused before anything is written
    preparation = PREPARATIONS[spec.family]
    train_iter, val_iter = _batches(config, sources, preparation)
    net = models.build(spec)
    if find_lr:
        find_rate(config, net, params, train_iter, device, find_lr, say)
        return None, None
    set_precision(net, config.precision, device)
    walk = shapes.walk_lines(shapes.layer_shapes(net, (1, 3, config.image_size, config.image_size)))
    title = (f"{spec.name} on {config.data}: {len(sources[0]):,} training and {len(sources[1]):,} validation pictures of "
             f"{len(class_names)} classes at {config.image_size}x{config.image_size}, batch size {config.batch_size}, "
             f"{config.optimizer}, lr {config.lr:g}, seed {config.seed}, on {device}")
    folder = resume or runs.RunFolder(out or runs.default_folder(f"{spec.name}-{Path(config.data).stem or 'pictures'}"),
                                      {"command": config.command(), "title": title, "config": asdict(config),
                                       "network": asdict(spec), "class_names": class_names, "data": os.path.abspath(config.data)})
    folder.write("labels.txt", "\n".join(class_names) + "\n")
    for line in (title, *notes, f"shapes of one picture, 1x3x{config.image_size}x{config.image_size}:", *walk):
        say(line)
    return run(config, folder, net, params, train_iter, val_iter, device, say, make_listener, checkpoint)


def resume_pictures(path, say=print, make_listener=None):
    """Take the run in the folder ``path`` up where its last checkpoint stands; as :func:`train_pictures`."""
    from . import runs

    folder = runs.RunFolder.reopen(path)
    config = make(PicturesConfig, folder.config["config"], f"{path}/config.json")
    return train_pictures(config, say=say, make_listener=make_listener, resume=folder)
