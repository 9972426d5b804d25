"""Which record files belong together, as training and validation part, and what their labels leave open.

    training, validation, lines = open_record_parts("train.rec")     # val.rec next to it validates

The parts are told by their names, like folders (folder_parts.py): birds_train.rec and birds_val.rec, train.rec and
val.rec, train_480.rec and test_480.rec.
"""

import re
from pathlib import Path
from typing import Any, List, Optional, Tuple

import numpy

from ..errors import DataError
from .findings import refusal
from .folder_parts import NO_PARTS, TRAINING_WORDS, VALIDATION_WORDS, Groups, candidates, wanted_parts
from .records import RecordSource, description_path

MOST_NAMED = 5  # classes in a message


def _without_part(stem: str, groups: Groups) -> Optional[str]:
    """``stem`` with a star for the word that names its part; None if there is no such word."""
    words = re.split("([^a-zA-Z0-9]+)", stem)
    stars = ["*" if candidates([word], groups) else word for word in words]
    return "".join(stars) if stars != words else None


def validation_file(path: Path) -> Optional[Path]:
    """The record file that is the validation part of the training part ``path``; None if there is none.

    Raises DataError if more than one may be meant, or if the two were packed together and one is missing.
    """
    key = _without_part(path.stem, TRAINING_WORDS)
    stems = sorted(other.stem for other in path.parent.glob("*.rec"))
    same = [stem for stem in stems if stem != path.stem and _without_part(stem, VALIDATION_WORDS) == key]
    found = candidates(same, VALIDATION_WORDS) if key else []
    if len(found) > 1:
        raise refusal(
            f"{path}: {' and '.join(f'{stem}.rec' for stem in found)} are named like its validation part: say which is "
            f"meant (--parts {path.name},{found[0]}.rec), or --parts {NO_PARTS} to split {path.name}"
        )
    if not found and description_path(path)[1] == "train":
        raise refusal(
            f"{path.with_name(path.stem[: -len('train')] + 'val.rec')}: cannot be read (No such file or directory): "
            f"expected the validation part that was packed with {path.name}; --parts {NO_PARTS} splits {path.name}"
        )
    return path.with_name(f"{found[0]}.rec") if found else None


def open_record_parts(path: Any, parts: Optional[str] = None) -> Tuple[RecordSource, Optional[RecordSource], List[str]]:
    """The images of a record file, and those of its validation part.

    Args:
        path: the record file.
        parts: "TRAINING.rec,VALIDATION.rec" in its folder; "TRAINING.rec" or "classes" for no validation part; None
            goes by the names.

    Returns:
        (training images, validation images or None, what a reader should know: a line each).

    Raises:
        DataError: there is no such file, or the classes of the two are not the same.
    """
    training_file, other_file = Path(path), None if parts else validation_file(Path(path))
    wanted = [training_file.with_name(name) for name in wanted_parts(parts)] if parts else []
    if wanted:
        training_file, other_file = wanted[0], wanted[1] if len(wanted) == 2 else None
    training, lines = RecordSource(training_file), []
    if other_file is None:
        return training, None, empty_classes(training)
    other = RecordSource(other_file)
    if training.numbered and other.numbered:  # the last class may be missing in one of them
        training.class_names = other.class_names = max(training.class_names, other.class_names, key=len)
    if other.class_names != training.class_names:
        raise DataError(
            f"{other.where}: classes {_some(other.class_names)}: expected those of {training_file.name}, "
            f"{_some(training.class_names)}"
        )
    if description_path(training_file)[1] != "train":
        lines.append(f"{training_file.parent}: {training_file.name} trains and {other_file.name} validates")
    return training, other, lines + empty_classes(training) + empty_classes(other)


def _some(names: List[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + (f", ... ({len(names):,})" if len(names) > MOST_NAMED else "")


def empty_classes(source: RecordSource) -> List[str]:
    """A line if classes have no record, which a folder's empty classes are called, too."""
    counts = numpy.bincount(source.labels, minlength=len(source.class_names))
    empty = [source.class_names[label] for label in numpy.flatnonzero(counts == 0)]
    if not empty:
        return []
    lowest, highest = int(source.labels.min()), int(source.labels.max())
    where = f" in record {int(source.labels.argmax())} only" if counts[highest] == 1 else ""
    advice = "number the labels from 0" if lowest else "check the labels"
    return [
        f"{source.where}: suspect: empty class ({len(empty):,}): expected records of every class, found none of "
        f"{_some(empty)}, though it counts as a class; the labels go from {lowest} to {highest}{where}; {advice}"
    ]
