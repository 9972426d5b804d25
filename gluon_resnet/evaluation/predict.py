"""What a trained network says about images: a table of the most probable classes.

For example:

    gluon-resnet predict cat.jpg dog.jpg --model resnet50 --weights resnet50.safetensors
    gluon-resnet predict photos --run runs/20261128-101500-resnet18@torchvision-birds --format csv
"""

import os
from pathlib import Path
from typing import Any, Callable, Iterable, List, Optional, Sequence, Tuple, Union

import numpy
import pandas as pd
import scipy.special

from ..data.images import SUFFIXES, Preparation, normalize, read_image, view
from ..data.reading import read_for
from ..errors import ConfigError, DataError
from ..text import count, one_line

BATCH = 8  # images that go through the network at once


def softmax(y_hat: Any) -> numpy.ndarray:
    """Probabilities (N, num_classes) of logits (N, num_classes), in float64."""
    return scipy.special.softmax(numpy.asarray(y_hat, dtype=numpy.float64), axis=1)


def look(
    paths: Iterable[Union[str, Path]], preparation: Preparation, in_channels: int = 3
) -> Tuple[numpy.ndarray, numpy.ndarray]:
    """The images at ``paths`` as (what the network sees, its input).

    What the network sees is uint8 (N, crop, crop, 3) for a person to look at; the input is float32
    (N, in_channels, crop, crop). Raises DataError if an image cannot be read, or ``in_channels`` is not 1 or 3.
    """
    _, views, X = _look(paths, preparation, in_channels, None)
    return views, X


def _look(
    paths: Iterable[Union[str, Path]], preparation: Preparation, in_channels: int, damaged: Optional[List[str]]
) -> Tuple[List[Union[str, Path]], numpy.ndarray, numpy.ndarray]:
    """(the paths that could be read, what the network sees, its input) as :func:`look`.

    The list ``damaged`` takes a line for each image that cannot be read; if it is None, such an image is an error.
    """
    if in_channels not in (1, 3):
        raise DataError(f"the network takes images of {in_channels} channels: expected 1 (grey) or 3 (colour)")
    seen = []
    for path in paths:
        try:
            seen.append((path, view(read_for(path, preparation), preparation)))
        except DataError as error:
            if damaged is None:
                raise
            damaged.append(one_line(error))
    if not seen:
        side = preparation.crop
        return [], numpy.empty((0, side, side, 3), "uint8"), numpy.empty((0, in_channels, side, side), "float32")
    views = numpy.stack([image for _, image in seen])
    X = numpy.stack([normalize(image, preparation, in_channels) for image in views])
    return [path for path, _ in seen], views, X  # (N, crop, crop, 3), (N, C, crop, crop)


def image_files(paths: Iterable[Union[str, Path]]) -> List[str]:
    """The ``paths``, with the images in and below a folder in place of the folder, sorted; hidden ones are left out.

    Raises DataError for a folder without images, or that cannot be read.
    """
    files: List[str] = []
    for path in map(str, paths):
        found = [path] if not os.path.isdir(path) else sorted(_below(path), key=lambda file: Path(file).parts)
        if not found:
            raise DataError(f"{path}: no picture: expected files such as {', '.join(SUFFIXES)} in it or below")
        files += found
    return files


def _below(folder: str) -> Iterable[str]:
    for root, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                yield os.path.join(root, name)


def _refuse(error: OSError) -> None:
    raise DataError(f"{error.filename}: cannot be read ({error.strerror}): check its permissions") from None


def predict(
    engine: Any, X: numpy.ndarray, labels: Sequence[str], names: Sequence[Union[str, Path]], top: int = 5
) -> pd.DataFrame:
    """The ``top`` most probable classes of every image.

    Args:
        engine: what runs the network, from make_engine.
        X: its input, float32 (N, C, H, W).
        labels: names of all classes.
        names: what to call the N images.
        top: how many classes.

    Returns:
        A table with the columns image, rank (from 1), label, class (its number) and probability.

    Raises:
        ConfigError: ``top`` is not from 1 to the number of labels.
    """
    if not 1 <= top <= len(labels):
        raise ConfigError(f"top is {top}: expected 1 to {len(labels)}, the number of classes")
    rows = []
    for start in range(0, len(X), BATCH):
        probabilities = softmax(engine.logits(X[start : start + BATCH]))  # (N, num_classes)
        for name, row in zip(names[start : start + BATCH], probabilities):
            order = numpy.argsort(-row, kind="stable")[:top]
            rows += [(str(name), rank, labels[c], int(c), float(row[c])) for rank, c in enumerate(order, 1)]
    return pd.DataFrame(rows, columns=["image", "rank", "label", "class", "probability"])


def predict_files(
    engine: Any,
    paths: Sequence[Union[str, Path]],
    preparation: Preparation,
    labels: Sequence[str],
    in_channels: int = 3,
    top: int = 5,
    keep_views: bool = False,
    damaged: Optional[List[str]] = None,
    tell: Callable[[int], Any] = lambda number: None,
) -> Tuple[pd.DataFrame, Optional[numpy.ndarray]]:
    """:func:`look` and :func:`predict` for any number of images, of which a few at a time are held.

    Args:
        engine: what runs the network, from make_engine.
        paths: the image files, at least one.
        preparation: how the network wants its images.
        labels: names of all classes.
        in_channels: channels of the network's input, 1 or 3.
        top: how many classes.
        keep_views: also return what the network saw, which is 0.14 MiB an image of 224x224.
        damaged: takes a line for each image that cannot be read, which is then left out; without it, it is an error.
        tell: called with the number of images that were done since the last call.

    Returns:
        (the table of :func:`predict`, uint8 (N, crop, crop, 3) or None).

    Raises:
        DataError: an image is missing, which is found out before the first prediction, or cannot be read; or none can.
        ConfigError: ``top`` is not from 1 to the number of labels.
    """
    for path in paths:
        if not os.path.exists(path) or os.path.isdir(path):
            read_image(path)  # says what is wrong
    tables: List[pd.DataFrame] = []
    kept: List[numpy.ndarray] = []
    for start in range(0, len(paths), BATCH):
        batch = paths[start : start + BATCH]
        names, views, X = _look(batch, preparation, in_channels, damaged)
        tables += [predict(engine, X, labels, names, top)] if names else []
        kept += [views] if keep_views else []
        tell(len(batch))
    if damaged and len(damaged) == len(paths):
        raise DataError(f"{damaged[0]}; nor can any other of {count(len(paths))} be read")
    return pd.concat(tables, ignore_index=True), numpy.concatenate(kept) if keep_views else None


def one_row_an_image(table: pd.DataFrame) -> pd.DataFrame:
    """The table of :func:`predict` with the columns file, class and probability; class_2, probability_2, ... if any."""
    parts = []
    for rank, part in table.groupby("rank", sort=True):
        end = "" if rank == 1 else f"_{rank}"
        names = {"image": "file", "label": f"class{end}", "probability": f"probability{end}"}
        chosen = part[["image", "label", "probability"] if rank == 1 else ["label", "probability"]]
        parts.append(chosen.rename(columns=names).reset_index(drop=True))
    return pd.concat(parts, axis=1)
