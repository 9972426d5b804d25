"""The images of a run, opened: split as its config says, or as they were split when the run began.

training, validation, notes = open_pictures(config, fits(config))
opened = open_again(config, fits(config), (True, True), class_names, data_list.read("runs/..."))
opened.changes                                   # which images are gone, new or altered since
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy
import pandas as pd

from ..data.decoded import DecodedPictures, Fit, make_fit
from ..data.findings import Report, refusal
from ..data.image_folder import FolderSource, decode_parts, open_folder, split_indices
from ..data.record_parts import open_record_parts
from ..data.scan import damaged_records, scan
from ..errors import ConfigError, DataError
from ..text import count
from . import data_list
from .data_list import LEFT_OUT, PARTS, Changes, DataList, Facts, Key, compare, is_file, keys_of, record_facts
from .kinds import PicturesConfig


def fits(config: PicturesConfig) -> List[Fit]:
    """How decoded training and validation images are kept for the batches of a run."""
    return [
        make_fit(config.image_size, augment, crop=config.crop, reading=config.reading)
        for augment in (config.augment(), None)
    ]


@dataclass(frozen=True)
class Opened:
    """A run's images: two parts, lines for the reader, and what was found out about their files."""

    training: DecodedPictures
    validation: DecodedPictures
    notes: List[str]
    facts: Dict[Key, Facts]
    all_keys: List[Key]  # of the images that can be used, and of the others
    changes: Optional[Changes] = None  # since the run began, if it has begun

    @property
    def parts(self) -> Tuple[DecodedPictures, DecodedPictures]:
        """Training and validation images."""
        return self.training, self.validation

    def table(self) -> pd.DataFrame:
        """The table of the run's data list; records are read to be hashed."""
        facts = dict(self.facts)
        if not facts:
            for images in self.parts:
                facts.update(record_facts(images.source))
        keys = {part: keys_of(images.source) for part, images in zip(PARTS, self.parts)}
        used = {key for part in keys.values() for key in part}
        return data_list.make({**keys, LEFT_OUT: [key for key in self.all_keys if key not in used]}, facts)


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
    opened = open_now(config, fits, kept)
    return opened.training, opened.validation, opened.notes


def open_now(config: PicturesConfig, fits: Sequence[Fit], kept: Sequence[bool]) -> Opened:
    """As :func:`open_pictures`: the images as they are now, split as the config says."""
    path, memory = Path(config.data), _cache_bytes(config)
    if path.suffix != ".rec":
        split = config.validation_split, config.split_seed
        training, validation, report = decode_parts(
            config.data, fits, memory, kept, *split, strict=config.strict, parts=config.parts
        )
        pictures = report.pictures
        keys = list(zip(pictures["name"], pictures["class"]))
        return Opened(training, validation, report.first_lines(), _facts(report), keys)
    whole, notes = _record_parts(config, path)
    (training, lines), (validation, more) = _decoded_records(whole, fits, kept, memory, config.strict)
    return Opened(training, validation, notes + lines + more, {}, [key for source in whole for key in keys_of(source)])


def open_again(
    config: PicturesConfig,
    fits: Sequence[Fit],
    kept: Sequence[bool],
    class_names: Sequence[str],
    files: DataList,
) -> Opened:
    """The images of a run that has begun, split as they were then.

    Args:
        config: the run's config, with the place where the images are now.
        fits: as for :func:`open_pictures`.
        kept: as for :func:`open_pictures`.
        class_names: the run's.
        files: the list of the run's files. Its images that are gone or altered are left out, and :attr:`Opened.changes`
            says so.

    Raises:
        DataError: none of the run's images is left in one of its parts, or there are damaged ones with ``strict``.
    """
    path, memory = Path(config.data), _cache_bytes(config)
    if path.suffix != ".rec":
        return _folder_again(config, fits, kept, class_names, files)
    sources, notes = _record_sources(path, config.parts, config.strict)
    now = [key for source in sources for key in keys_of(source)]
    parts = [
        _listed(source, files.keys(part), class_names)
        for source, part in zip(sources if len(sources) == 2 else sources * 2, PARTS)
    ]
    facts = {key: fact for source in parts for key, fact in record_facts(source).items()}
    changes = compare(files, str(path), now, facts)
    whole = [_unaltered(source, changes) for source in parts]
    _check_any(whole, changes)
    (training, lines), (validation, more) = _decoded_records(whole, fits, kept, memory, config.strict)
    return Opened(training, validation, notes + lines + more, facts, now, changes)


def has_any(config: PicturesConfig, files: DataList) -> bool:
    """Whether at least one image of a run's list is in the config's data as it was: with its name, class and bytes."""
    path, before = Path(config.data), files.facts()
    if path.suffix == ".rec":
        sources, _ = _record_sources(path, config.parts)
        return any(before.get(key) == fact for source in sources for key, fact in record_facts(source).items())
    source = open_folder(path, parts=config.parts)
    return any(key in before and is_file(source.path(i), before[key]) for i, key in enumerate(keys_of(source)))


def _folder_again(
    config: PicturesConfig, fits: Sequence[Fit], kept: Sequence[bool], class_names: Sequence[str], files: DataList
) -> Opened:
    source, memory = open_folder(config.data, parts=config.parts), _cache_bytes(config)
    now = keys_of(source)
    parts = [_listed(source, files.keys(part), class_names) for part in PARTS]
    _check_any(parts, compare(files, source.where, now, {}))
    whole = FolderSource(
        source.root,
        [name for part in parts for name in part.names],
        numpy.concatenate([part.labels for part in parts]),
        class_names,
        source.where,
        source.problems,
        layout=source.layout,
    )
    split = numpy.split(numpy.arange(len(whole)), [len(parts[0])])
    decoded = [
        DecodedPictures(part, fit, memory * len(part) // max(len(whole), 1) if keeps else None)
        for part, fit, keeps in zip(parts, fits, kept)
    ]
    names = [name for name, part in zip(PARTS, parts) for _ in range(len(part))]
    report = scan(whole, names, decoded=list(zip(decoded, split)))
    if config.strict:
        report.refuse()
    facts = _facts(report)
    changes, usable = compare(files, source.where, now, facts), set(report.usable)
    altered = set(changes.altered)
    places = [
        [place for place, (i, key) in enumerate(zip(indices, keys_of(part))) if i in usable and key not in altered]
        for indices, part in zip(split, parts)
    ]
    _check_any(places, changes)
    training, validation = (part.subset(chosen) for part, chosen in zip(decoded, places))
    return Opened(training, validation, report.first_lines(), facts, now, changes)


def _facts(report: Report) -> Dict[Key, Facts]:
    """Size and hash of the files of a scan."""
    pictures = report.pictures
    return {
        (name, label): (int(size), report.digests[name])
        for name, label, size in zip(pictures["name"], pictures["class"], pictures["bytes"])
        if name in report.digests
    }


def _listed(source: Any, keys: Sequence[Key], class_names: Sequence[str]) -> Any:
    """The images ``keys`` of ``source`` that are still there, in this order, with the labels of ``class_names``."""
    places = {key: i for i, key in enumerate(keys_of(source))}
    there = [key for key in keys if key in places]
    part, numbers = source.subset([places[key] for key in there]), {name: c for c, name in enumerate(class_names)}
    part.labels = numpy.array([numbers[label] for _, label in there], dtype=numpy.int32)
    part.class_names = list(class_names)
    return part


def _unaltered(source: Any, changes: Changes) -> Any:
    altered = set(changes.altered)
    return source.subset([i for i, key in enumerate(keys_of(source)) if key not in altered])


def _check_any(parts: Sequence[Any], changes: Changes) -> None:
    """Raise DataError if a part has no image left."""
    for name, part in zip(PARTS, parts):
        if not len(part):
            raise DataError(
                f"{changes.line()}: none of the run's {name} pictures is as it was: expected one or more; put them "
                f"back, or name other images with --data"
            )


def _cache_bytes(config: PicturesConfig) -> int:
    if config.cache_mb < 0:
        raise ConfigError(f"cache_mb is {config.cache_mb}: expected a number of MiB of at least 0")
    return config.cache_mb * 2**20


def _record_sources(path: Path, parts: Optional[str] = None, strict: bool = False) -> Tuple[List[Any], List[str]]:
    """([source], or [training source, validation source], lines for the reader) of a record file."""
    if not path.exists():
        raise DataError(f"{path}: no such file; make it with: gluon-resnet records pack DIR {path.with_suffix('')}")
    training, validation, lines = open_record_parts(path, parts)
    suspect = [line for line in lines if ": suspect: " in line]
    if strict and suspect:
        raise refusal(f"{suspect[0]} (strict)")
    return [training] if validation is None else [training, validation], lines


def _record_parts(config: PicturesConfig, path: Path) -> Tuple[List[Any], List[str]]:
    """([training source, validation source], lines for the reader) of a record file."""
    sources, lines = _record_sources(path, config.parts, config.strict)
    if len(sources) == 2:
        return sources, lines
    [source] = sources
    indices = split_indices(len(source), config.validation_split, config.split_seed)
    return [source.subset(part) for part in indices], lines


def _decoded_records(
    parts: Sequence[Any], fits: Sequence[Fit], kept: Sequence[bool], memory: int, strict: bool
) -> List[Tuple[DecodedPictures, List[str]]]:
    """[(images, lines for the reader)] of the two parts of a record file, without the damaged ones."""
    shares = [memory * len(source) // sum(map(len, parts)) if keeps else None for source, keeps in zip(parts, kept)]
    decoded = [DecodedPictures(source, fit, share) for source, fit, share in zip(parts, fits, shares)]
    return [_whole_records(images, strict) for images in decoded]


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
