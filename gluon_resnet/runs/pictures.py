"""From a folder of images, a CSV or record files to a finished run folder: article 000's training, or fine-tuning.

    gluon-resnet train pictures bird_photos
    gluon-resnet train pictures bird_photos --model resnet18 --weights resnet18.safetensors --new-head \\
        --set freeze_norm=true

A config's fields are in kinds.py, those of its recipe in training/recipe.py.
"""

import os
from pathlib import Path
from typing import Any, Callable, List, Optional, Sequence, Tuple, Union

from mxnet import npx

from ..data.decoded import DecodedPictures, Fit, make_fit
from ..data.findings import refusal
from ..data.image_folder import decode_parts, split_indices
from ..data.images import to_train
from ..data.pictures import PictureBatches
from ..data.record_parts import open_record_parts
from ..data.scan import damaged_records
from ..devices import try_gpu
from ..errors import ConfigError, DataError
from ..text import count
from ..training.progress import Result
from .folder import RunFolder
from .kinds import PicturesConfig
from .launch import Job, execute, network


def fits(config: PicturesConfig) -> List[Fit]:
    """How decoded training and validation images are kept for the batches of a run."""
    return [make_fit(config.image_size, augment, crop=config.crop) for augment in (config.augment(), None)]


def open_pictures(
    config: PicturesConfig, fits: Sequence[Fit], kept: Sequence[bool] = (True, True)
) -> Tuple[DecodedPictures, DecodedPictures, List[str]]:
    """The images of a folder, a CSV, FILE.rec, or the pair of NAME_train.rec.

    Args:
        config: the run's config.
        fits: how training and validation images are kept, such as :func:`fits` says.
        kept: whether those of each part are kept as they are decoded. Record files of which none are kept are not
            looked over.

    Returns:
        (training images, validation images, lines for the reader).

    Raises:
        DataError: there are no such images, or damaged ones with ``strict``.
        ConfigError: a setting outside its range.
    """
    path, memory = Path(config.data), _cache_bytes(config)
    if path.suffix != ".rec":
        split = config.validation_split, config.split_seed
        training, validation, report = decode_parts(
            config.data, fits, memory, kept, *split, strict=config.strict, parts=config.parts
        )
        return training, validation, report.first_lines()
    if not path.exists():
        raise DataError(f"{path}: no such file; make it with: gluon-resnet records pack DIR {path.with_suffix('')}")
    parts, notes = _record_parts(config, path)
    shares = [memory * len(source) // sum(map(len, parts)) if keeps else None for source, keeps in zip(parts, kept)]
    decoded = [DecodedPictures(source, fit, share) for source, fit, share in zip(parts, fits, shares)]
    (training, lines), (validation, more) = (_whole_records(images, config.strict) for images in decoded)
    return training, validation, notes + lines + more


def _cache_bytes(config: PicturesConfig) -> int:
    if config.cache_mb < 0:
        raise ConfigError(f"cache_mb is {config.cache_mb}: expected a number of MiB of at least 0")
    return config.cache_mb * 2**20


def _record_parts(config: PicturesConfig, path: Path) -> Tuple[List[Any], List[str]]:
    """([training source, validation source], lines for the reader) of a record file."""
    training, validation, lines = open_record_parts(path, config.parts)
    suspect = [line for line in lines if ": suspect: " in line]
    if config.strict and suspect:
        raise refusal(f"{suspect[0]} (strict)")
    if validation is not None:
        return [training, validation], lines
    indices = split_indices(len(training), config.validation_split, config.split_seed)
    return [training.subset(part) for part in indices], lines


def _whole_records(images: DecodedPictures, strict: bool) -> Tuple[DecodedPictures, List[str]]:
    """Decode the images of a record file, unless they are not to be kept.

    Returns:
        (``images`` without damaged ones, lines for the reader).

    Raises:
        DataError: all images are damaged, or any with ``strict``.
    """
    damaged = damaged_records(images) if images.keeps else {}
    if not damaged:
        return images, []
    first = f"{images.source.where}: {count(len(damaged), 'damaged picture')} of {len(images):,}, the first: "
    problem = next(iter(damaged.values()))
    if strict or len(damaged) == len(images):
        raise refusal(f"{first}{problem}")
    return images.subset([i for i in range(len(images)) if i not in damaged]), [f"{first}left out: {problem}"]


def job(config: PicturesConfig) -> Job:
    """The Job (launch.py) of a config, with its images found and split; raises as :func:`train`."""
    npx.set_np()
    config.check()
    if not config.data:
        raise ConfigError("no images named: a folder, a CSV or a .rec file is needed, or --resume RUN")
    training, validation, notes = open_pictures(config, fits(config), (config.cache, config.cache))
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
        f"of {len(class_names)} classes at {size}x{size}, batch size {config.batch_size}, {config.optimizer}, lr "
        f"{config.lr:g}, seed {config.seed}, on {try_gpu()}"
    )
    return Job(
        spec,
        params,
        PictureBatches(training, config.batch_size, None, config.augment(), shuffle=True, preparation=preparation),
        PictureBatches(validation, config.batch_size, preparation=preparation),
        (1, 3, size, size),
        title,
        f"{spec.name}-{Path(config.data).stem or 'pictures'}",
        tuple(notes),
        {"class_names": class_names, "data": os.path.abspath(config.data)},
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
    return execute(config, job(config), out, say, **options)


train_pictures = train  # its name outside of this module
