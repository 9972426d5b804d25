"""From a folder of pictures, a CSV or record files to a finished run folder: article 000's training, or fine-tuning.

    gluon-resnet train pictures bird_photos
    gluon-resnet train pictures bird_photos --model resnet18 --weights resnet18.safetensors --new-head --set freeze_norm=true
"""
import os
import shlex
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Optional, Tuple

from .config import differences
from .errors import ConfigError, DataError
from .launch import Job, RunConfig, check, execute, network


@dataclass(frozen=True)
class PicturesConfig(RunConfig):
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


def train_pictures(config, out=None, say=print, **options):
    """Run ``config`` and return (Result, run folder); as :func:`gluon_resnet.launch.train_fashion_mnist`.

    The run folder has labels.txt, the class names, beside the parameters.
    """
    from mxnet import npx

    from .devices import try_gpu
    from .images import PREPARATIONS

    npx.set_np()
    check(config)
    if not config.data:
        raise ConfigError("no pictures named: a folder, a CSV or a .rec file is needed, or --resume RUN")
    *sources, notes = open_sources(config)
    class_names = sources[0].class_names
    if len(class_names) < 2:
        raise ConfigError(f"{config.data}: one class ({class_names[0]}): expected two or more to tell apart")
    spec, params = network(config, len(class_names), in_channels=3)
    size = config.image_size
    title = (f"{spec.name} on {config.data}: {len(sources[0]):,} training and {len(sources[1]):,} validation pictures of "
             f"{len(class_names)} classes at {size}x{size}, batch size {config.batch_size}, {config.optimizer}, lr "
             f"{config.lr:g}, seed {config.seed}, on {try_gpu()}")
    job = Job(spec, params, *_batches(config, sources, PREPARATIONS[spec.family]), (1, 3, size, size), title,
              f"{spec.name}-{Path(config.data).stem or 'pictures'}", tuple(notes),
              {"class_names": class_names, "data": os.path.abspath(config.data)})
    return execute(config, job, out, say, **options)
