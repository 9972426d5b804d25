"""From a folder of images, a CSV or record files to a finished run folder: article 000's training, or fine-tuning.

    gluon-resnet train pictures bird_photos
    gluon-resnet train pictures bird_photos --finetune resnet18

A config's fields are in kinds.py, those of its recipe in training/recipe.py.
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, List, Optional, Tuple, Union

from mxnet import npx

from ..data.images import to_train
from ..data.pictures import PictureBatches
from ..devices import try_gpu
from ..errors import ConfigError, DataError, RunError
from ..text import count
from ..training.progress import Result
from . import data_list, finetuning
from .data_list import DataList
from .folder import RunFolder
from .kinds import PicturesConfig
from .launch import Job, execute, network
from .opening import Opened, fits, open_again, open_now


def _open_for(config: PicturesConfig, resumed: Optional[RunFolder], files: Optional[DataList]) -> Opened:
    """The images to train on: split now, or for a run that is resumed as they were split when it began.

    Raises DataError if they are no longer those that the run began with.
    """
    kept = (config.cache, config.cache)
    before = _names_before(resumed) if resumed else []
    if resumed and files:
        unknown = sorted({name for _, name in files.facts()} - set(before))
        if unknown:
            raise RunError(
                f"{resumed.path}/config.json: class names {', '.join(before)}: expected all that {data_list.NAME} has, "
                f"also {unknown[0]}; copy the run folder again"
            )
        opened = open_again(config, fits(config), kept, before, files)
        assert opened.changes is not None  # since it is opened again
        opened.changes.check_same(resumed.path)
        new = [f"{opened.changes.line()}: the run goes on without"] if opened.changes else []
        return replace(opened, notes=new + opened.notes)
    opened = open_now(config, fits(config), kept)
    names = opened.training.source.class_names
    if resumed and names != before:
        raise DataError(
            f"{config.data}: classes {', '.join(names)}: expected those that the run {resumed.path} began with, "
            f"{', '.join(before)}; put them back, or train a new run"
        )
    return opened


def _names_before(resumed: RunFolder) -> List[str]:
    """The names of the classes that a run began with; RunError if its config.json does not say."""
    names = resumed.config.get("class_names")
    if not names:
        raise RunError(f"{resumed.path}/config.json: no class_names: expected those of a run on pictures")
    return list(names)


def job(config: PicturesConfig, resumed: Optional[RunFolder] = None) -> Job:
    """The Job (launch.py) of a config, with its images found and split; raises as :func:`train`.

    If a run is ``resumed``, its images must be those that it began with.
    """
    npx.set_np()
    config.check()
    if not config.data:
        raise ConfigError("no images named: a folder, a CSV or a .rec file is needed, or --resume RUN")
    files = data_list.read(resumed.path) if resumed else None
    opened = _open_for(config, resumed, files)
    table = files.table if files else opened.table()
    training, validation = opened.parts
    class_names = training.source.class_names
    seen = sorted({class_names[label] for label in training.source.labels})
    if len(seen) < 2:
        raise ConfigError(
            f"{config.data}: one class ({seen[0]}) has training pictures, of {len(class_names)} that are named: "
            f"expected two or more to tell apart"
        )
    spec, params = network(config, len(class_names), in_channels=3)
    size, preparation = config.image_size, to_train(spec.family, config.weights, config.model)
    title = (
        f"{spec.name} on {config.data}: {len(training):,} training and {len(validation):,} validation pictures "
        f"of {count(len(class_names), 'class')} at {size}x{size}, {config.reading} reading, batch size "
        f"{config.batch_size}, {config.optimizer}, lr {config.lr:g}, seed {config.seed}, on {try_gpu()}"
    )
    notes = [finetuning.line(config)] if config.weights else []
    return Job(
        spec,
        params,
        PictureBatches(training, config.batch_size, None, config.augment(), shuffle=True, preparation=preparation),
        PictureBatches(validation, config.batch_size, preparation=preparation),
        (1, 3, size, size),
        title,
        f"{spec.name}-{Path(config.data).stem or 'pictures'}",
        (*notes, *opened.notes),
        {"class_names": class_names, "data": os.path.abspath(config.data)},
        None if resumed else table,
        data_list.digest(table),
        f"validation ({count(len(validation), 'image')})",
    )


def train(
    config: PicturesConfig,
    out: Union[str, Path, None] = None,
    say: Callable[[str], Any] = print,
    **options: Any,
) -> Tuple[Optional[Result], Optional[RunFolder]]:
    """Train on a user's images into a new run folder.

    Arguments, result and errors are those of :func:`gluon_resnet.runs.fashion_mnist.train`. The run folder also has
    labels.txt, the class names.
    """
    return execute(config, job(config, options.get("resumed")), out, say, **options)


train_pictures = train  # its name outside of this module
