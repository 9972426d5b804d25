"""An audit as a folder: audit.json (counts and settings), duplicates.csv, labels.csv, pairs.png and index.html.

duplicates.csv has the columns part_a, index_a, part_b, index_b, distance, label_a, label_b. If networks were trained,
labels.csv has part, index, label, prediction, probability, probability_of_label. The parts are "train" and "test",
indices begin at 0 in each, labels are names. Each file is written whole.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple, Union

import numpy
import pandas as pd

from ..errors import RunError
from ..files import as_json, writing
from ..text import parse_json

FORMAT = 1  # of audit.json
TRAIN, TEST = PARTS = ("train", "test")
NAME = "audit.json"
DUPLICATES = ("part_a", "index_a", "part_b", "index_b", "distance", "label_a", "label_b")
LABELS = ("part", "index", "label", "prediction", "probability", "probability_of_label")
NUMBERS = {"distance", "probability", "probability_of_label"}
INDICES = {"index", "index_a", "index_b"}
AGAIN = "remove it, and run the same gluon-resnet audit again"

Arrays = Tuple[numpy.ndarray, numpy.ndarray]  # images and labels


@dataclass(frozen=True)
class Audit:
    """A finished audit, or one whose networks are not trained yet: then ``labels`` is None."""

    path: Path
    about: Dict[str, Any]  # of audit.json
    duplicates: pd.DataFrame
    labels: Optional[pd.DataFrame]

    def leaked(self) -> List[int]:
        """Indices of the test images of which a near duplicate is in the training part, sorted."""
        across = self.duplicates[self.duplicates["part_a"] != self.duplicates["part_b"]]
        return sorted({int(i) for i in across["index_b"]})

    def doubted(self, part: str = TEST) -> List[int]:
        """Indices of the images of a part whose labels are doubted, sorted; none if no networks were trained."""
        if self.labels is None:
            return []
        return sorted(int(i) for i in self.labels.loc[self.labels["part"] == part, "index"])


def digest(train: Arrays, test: Arrays) -> str:
    """SHA-256 of the images and labels of both parts, by which an audit knows its data."""
    digest = hashlib.sha256()
    for array in (*train, *test):
        digest.update(repr((array.shape, str(array.dtype))).encode())
        digest.update(numpy.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV; RunError if that fails."""
    with writing(path, "make room, or name another folder with --out") as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g")


def write_about(folder: Path, about: Dict[str, Any]) -> None:
    """Write audit.json; RunError if that fails."""
    with writing(folder / NAME, "make room, or name another folder with --out") as temporary:
        temporary.write_text(as_json({"format": FORMAT, **about}), encoding="utf-8")


def _table(path: Path, columns: Tuple[str, ...], sizes: Dict[str, int]) -> pd.DataFrame:
    """The CSV at ``path``; RunError if it is not as :func:`write_table` writes it, for parts of these sizes."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        if tuple(table) != columns:
            raise ValueError(f"columns {', '.join(table)}: expected {', '.join(columns)}")
        for name in columns:
            if name in NUMBERS | INDICES:
                table[name] = table[name].astype(float if name in NUMBERS else int)
            elif name.startswith("part") and not table[name].isin(PARTS).all():
                raise ValueError(f"{name}: expected {' or '.join(PARTS)}")
        for name in INDICES & set(columns):
            most = table[name.replace("index", "part")].map(sizes)
            if ((table[name] < 0) | (table[name] >= most)).any():
                raise ValueError(f"{name}: an image that is not there")
    except (OSError, ValueError, OverflowError) as error:  # pandas' own errors are ValueErrors
        reason = getattr(error, "strerror", None) or error
        raise RunError(f"{path}: cannot be read as part of an audit ({reason}); {AGAIN}") from None
    return table


def read(folder: Union[str, Path]) -> Audit:
    """The audit in ``folder``; RunError if there is none, or a file of it is missing or damaged."""
    folder = Path(folder)
    if not folder.is_dir():
        raise RunError(f"{folder}: no such folder: expected one of gluon-resnet audit fashion-mnist")
    content = about(folder / NAME)
    duplicates = _table(folder / "duplicates.csv", DUPLICATES, content["images"])
    has_labels = content["labels"] is not None
    labels = _table(folder / "labels.csv", LABELS, content["images"]) if has_labels else None
    return Audit(folder, content, duplicates, labels)


def about(path: Path) -> Dict[str, Any]:
    """The content of an audit.json; RunError if it is missing or damaged."""
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(f"version {content['format']}: expected {FORMAT}")
        images = content["images"]
        if not isinstance(content["digest"], str) or not isinstance(content["limit"], (int, type(None))):
            raise ValueError("expected its digest and limit")
        if not isinstance(content["verified"], bool):
            raise ValueError("expected whether its images were verified")
        if set(images) != set(PARTS) or not all(type(images[part]) is int for part in PARTS):
            raise ValueError("expected its numbers of images")
        labels = content.setdefault("labels", None)
        float(content["distance"])
        if labels is not None and not (
            type(labels["folds"]) is int and isinstance(labels["recipe"], str) and set(labels["accuracy"]) == set(PARTS)
        ):
            raise ValueError("expected the folds, recipe and accuracies of its labels")
        for accuracy in () if labels is None else labels["accuracy"].values():
            float(accuracy)
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror}): expected the folder of an audit") from None
    except (ValueError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise RunError(
            f"{path}: damaged ({type(error).__name__}: {error}): expected an audit's; remove the folder, and run "
            f"gluon-resnet audit again"
        ) from None
    return content
