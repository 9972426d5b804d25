"""From a folder of images, a CSV or record files to a finished run folder: article 000's training, or fine-tuning.

    gluon-resnet train pictures bird_photos
    gluon-resnet train pictures bird_photos --model resnet18 --weights resnet18.safetensors --new-head \\
        --set freeze_norm=true

A config's fields are in kinds.py, those of its recipe in training/recipe.py.
"""

import os
from pathlib import Path
from typing import Any, Callable, List, Optional, Sequence, Tuple, Union

from ..data.findings import refusal
from ..data.image_folder import open_parts, split_indices
from ..data.images import PREPARATIONS, Preparation
from ..data.scan import damaged_records
from ..errors import ConfigError, DataError
from ..text import count
from ..training.progress import Result
from .folder import RunFolder
from .kinds import PicturesConfig
from .launch import Job, execute, network


def fits(config: PicturesConfig) -> List[Any]:
    """How decoded training and validation images are kept for :func:`_batches`: two Fits, or None for not at all."""
    from ..data.pictures import make_fit

    if not config.cache:
        return [None, None]
    return [make_fit(config.image_size, augment, crop=config.crop) for augment in (config.augment(), None)]


def open_sources(config: PicturesConfig, kept_as: Sequence[Any] = (None, None)) -> Tuple[Any, Any, List[str]]:
    """The images of a folder, a CSV, FILE.rec, or the pair of NAME_train.rec.

    Args:
        config: the run's config.
        kept_as: what :func:`fits` returned, to keep the images as the scan decodes them; Nones to keep none.

    Returns:
        (training source, validation source, lines for the reader).

    Raises:
        DataError: there are no such images, or damaged ones with ``strict``.
        ConfigError: a setting outside its range.
    """
    path = Path(config.data)
    if path.suffix != ".rec":
        training, validation, report = open_parts(
            config.data,
            config.validation_split,
            config.split_seed,
            strict=config.strict,
            fits=kept_as,
            cache_bytes=_cache_bytes(config),
        )
        return training, validation, [report.summary()] if report.has_findings else []
    if not path.exists():
        raise DataError(f"{path}: no such file; make it with: gluon-resnet records pack DIR {path.with_suffix('')}")
    parts = _record_parts(config, path)
    notes: List[str] = []
    total = sum(map(len, parts))
    for number, (source, fit) in enumerate(zip(parts, kept_as)):
        if fit is not None:
            memory = _cache_bytes(config) * len(source) // total
            parts[number], lines = _whole_records(source, fit, memory, config.strict)
            notes += lines
    training, validation = parts
    return training, validation, notes


def _cache_bytes(config: PicturesConfig) -> int:
    if config.cache_mb < 0:
        raise ConfigError(f"cache_mb is {config.cache_mb}: expected a number of MiB of at least 0")
    return config.cache_mb * 2**20


def _record_parts(config: PicturesConfig, path: Path) -> List[Any]:
    """[training source, validation source] of a record file."""
    from ..data.records import RecordSource

    source = RecordSource(path)
    if path.stem.endswith("_train"):
        other = RecordSource(path.with_name(path.stem[: -len("train")] + "val.rec"))
        if other.class_names != source.class_names:
            raise DataError(
                f"{other.where}: classes {other.class_names}: expected those of {path.name}, {source.class_names}"
            )
        return [source, other]
    return [source.subset(part) for part in split_indices(len(source), config.validation_split, config.split_seed)]


def _whole_records(source: Any, fit: Any, cache_bytes: int, strict: bool) -> Tuple[Any, List[str]]:
    """Decode and keep the images of a record file.

    Args:
        source: the RecordSource.
        fit: the Fit in which decoded images are kept.
        cache_bytes: memory for them.
        strict: refuse damaged images.

    Returns:
        (the source without damaged images, lines for the reader).

    Raises:
        DataError: all images are damaged, or any with ``strict``.
    """
    from ..data.picture_cache import PictureCache

    source.cache = cache = PictureCache(len(source), fit, cache_bytes, source.where)
    damaged = damaged_records(source, keep=lambda i: lambda image: cache.put(i, image))
    if not damaged:
        return source, []
    first = f"{source.where}: {count(len(damaged), 'damaged picture')} of {len(source):,}, the first: "
    if strict or len(damaged) == len(source):
        raise refusal(f"{first}{next(iter(damaged.values()))}")
    return source.subset([i for i in range(len(source)) if i not in damaged]), [
        f"{first}left out: {next(iter(damaged.values()))}"
    ]


def _batches(config: PicturesConfig, sources: Sequence[Any], preparation: Preparation) -> Tuple[Any, Any]:
    from ..data.pictures import PictureBatches

    training, validation = sources
    common = dict(preparation=preparation, crop=config.crop, cache=config.cache, cache_bytes=_cache_bytes(config))
    return (
        PictureBatches(training, config.batch_size, config.image_size, config.augment(), shuffle=True, **common),
        PictureBatches(validation, config.batch_size, config.image_size, **common),
    )


def job(config: PicturesConfig) -> Job:
    """The Job (launch.py) of a config, with its images found and split; raises as :func:`train`."""
    from mxnet import npx

    from ..devices import try_gpu

    npx.set_np()
    config.check()
    if not config.data:
        raise ConfigError("no images named: a folder, a CSV or a .rec file is needed, or --resume RUN")
    *sources, notes = open_sources(config, fits(config))
    class_names = sources[0].class_names
    if len(class_names) < 2:
        raise ConfigError(f"{config.data}: one class ({class_names[0]}): expected two or more to tell apart")
    spec, params = network(config, len(class_names), in_channels=3)
    size = config.image_size
    title = (
        f"{spec.name} on {config.data}: {len(sources[0]):,} training and {len(sources[1]):,} validation pictures "
        f"of {len(class_names)} classes at {size}x{size}, batch size {config.batch_size}, {config.optimizer}, lr "
        f"{config.lr:g}, seed {config.seed}, on {try_gpu()}"
    )
    return Job(
        spec,
        params,
        *_batches(config, sources, PREPARATIONS[spec.family]),
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
