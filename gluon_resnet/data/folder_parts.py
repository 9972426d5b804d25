"""Which folders of a data set are its parts, and which are its classes; only names are looked at, no file is opened.

    find_layout(Path("brain_mri"), (".jpg",))        # Training/ trains, Testing/ validates

Data sets come as train/ and val/, as Training/ and Testing/, as seg_train/seg_train/<class>, with one folder around
everything, or with the parts inside each class. Where names and contents leave two readings, the data are refused, and
``parts`` says what is meant.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, NoReturn, Optional, Sequence, Set, Tuple

from ..errors import did_you_mean
from ..text import count
from .findings import refusal

Groups = Sequence[Tuple[str, ...]]  # words for one thing, by preference
TRAINING_WORDS = (("train", "training", "trn"),)
#: by preference: a test part is only taken where there is no other
VALIDATION_WORDS = (("val", "valid", "validation", "dev"), ("test", "testing"))
#: what may follow such a word: trainset, val_images
_ENDINGS = "(set|sets|data|images?|imgs?|pictures|photos|split|part|folder)?"
NO_PARTS = "classes"  # value of ``parts``: all folders are classes, as in Keras
#: folders that archives, desktops and disks leave; names in small letters
NO_CLASSES = ("__macosx", "__pycache__", "@eadir", "$recycle.bin", "system volume information", "lost+found")
#: a folder of pictures next to one of what belongs to them, as in sets for detection and segmentation
OF_PICTURES = ("image", "images", "img", "imgs", "jpegimages", "pictures", "photos")
OF_NOTES = ("mask", "masks", "label", "labels", "annotation", "annotations", "segmentation", "segmentations")
DEEPEST = 5  # folders around the data


@dataclass(frozen=True)
class Inside:
    """What is in one folder: the names of its folders, and how many pictures are in it directly."""

    folders: List[str]
    pictures: int


@dataclass(frozen=True)
class Layout:
    """Where the classes of a data set are; all paths are relative to the folder that was named, with "/".

    Class folders are in ``training`` and ``validation``; without ``validation`` those in ``training`` are split. With
    ``inside``, they are in ``base`` and have the folders ``training`` and ``validation`` in them.
    """

    base: str = ""
    training: str = ""
    validation: Optional[str] = None
    inside: bool = False
    unused: Tuple[str, ...] = ()  # folders

    @property
    def line(self) -> Optional[str]:
        """What is taken for what, for the reader; None where the classes are right in the folder that was named."""
        text = None
        if self.inside:
            text = f"in each class, {self.training}/ trains and {self.validation}/ validates"
        elif self.validation is not None:
            text = f"{self.training}/ trains and {self.validation}/ validates"
        elif self.training:
            text = f"the classes are the folders in {self.training}/, which is split"
        if text and self.unused:
            text += f"; not used: {', '.join(f'{name}/' for name in self.unused)}"
        return text


def joined(*names: str) -> str:
    """The ``names`` that are not empty, as one path with "/"."""
    return "/".join(name for name in names if name)


def is_no_class(name: str) -> bool:
    """Whether a folder of this name is never a class: hidden, or left by an archive or a desktop."""
    return name.startswith(".") or name.lower() in NO_CLASSES


def candidates(names: Sequence[str], groups: Groups) -> List[str]:
    """Those of ``names`` that are called by a word of the first of ``groups`` that any is called by.

    A name that is the word itself comes before those that only contain it: ``Train`` before ``train_extra``.
    """
    for words in groups:
        for word in words:
            exact = [name for name in names if name.lower() == word]
            if exact:
                return exact
        pattern = re.compile(f"({'|'.join(words)}){_ENDINGS}")
        containing = [name for name in names if any(pattern.fullmatch(word) for word in _words(name))]
        if containing:
            return containing
    return []


def _words(name: str) -> List[str]:
    """``seg_train``, ``TrainImages2`` and ``train-set`` in words of small letters."""
    return [word.lower() for word in re.findall("[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)]


def choose_parts(names: Sequence[str]) -> Optional[Tuple[str, str, List[str]]]:
    """(training, validation, those not used) among names of folders, files or values; None if that is not clear."""
    training, validation = candidates(names, TRAINING_WORDS), candidates(names, VALIDATION_WORDS)
    if len(training) != 1 or len(validation) != 1 or training == validation:
        return None
    return training[0], validation[0], [name for name in names if name not in (training[0], validation[0])]


def wanted_parts(parts: str) -> List[str]:
    """The names in "TRAINING,VALIDATION" or "TRAINING"; no name for "classes". DataError for more than two."""
    names = [name.strip().rstrip("/") for name in parts.split(",")]
    if parts.strip().lower() in (NO_PARTS, "none"):
        return []
    if len(names) > 2 or "" in names or len(set(names)) < len(names):
        raise refusal(
            f"parts is {parts!r}: expected TRAINING,VALIDATION (two names), TRAINING (it is split), or {NO_PARTS}"
        )
    return names


class _Finder:
    """Looks for the layout of ``root``; ``suffixes`` are those of pictures."""

    def __init__(self, root: Path, suffixes: Tuple[str, ...]) -> None:
        self.root, self.suffixes = root, suffixes
        self._seen: Dict[str, Inside] = {}

    def look(self, below: str) -> Inside:
        """What is in the folder ``below``; nothing if it cannot be read."""
        if below not in self._seen:
            try:
                with os.scandir(self.root / below) as entries:  # which knows what is a folder without another look
                    kinds = {entry.name: entry.is_dir() for entry in entries}
            except OSError:
                kinds = {}
            folders = sorted(name for name, is_folder in kinds.items() if is_folder and not is_no_class(name))
            pictures = sum(name.lower().endswith(self.suffixes) for name, is_folder in kinds.items() if not is_folder)
            self._seen[below] = Inside(folders, pictures)
        return self._seen[below]

    def unwrapped(self, below: str) -> str:
        """``below``, or the folder inside it that holds everything: seg_train/seg_train."""
        for _ in range(DEEPEST):
            inside = self.look(below)
            if len(inside.folders) != 1 or inside.pictures:
                return below
            inner = joined(below, inside.folders[0])
            if self.look(inner).pictures or not self.look(inner).folders:
                return below
            below = inner
        return below

    def refuse(self, base: str, problem: str) -> NoReturn:
        """Raise DataError: ``problem``, and how to say what is meant."""
        example = self.look(base).folders[0]
        raise refusal(
            f"{self.root / base}: {problem}; name the folder that is meant (such as {self.root / base / example}), or "
            f"say with --parts A,B which folder trains and which validates, with --parts A which one is split, or with "
            f"--parts {NO_PARTS} that all are classes"
        )

    def find(self) -> Layout:
        """The layout by names and contents."""
        base = self.unwrapped("")
        folders = self.look(base).folders
        nested = [name for name in folders if self.look(joined(base, name)).folders]
        training = candidates(nested, TRAINING_WORDS)
        if training:
            return self._parts(base, training, [name for name in nested if name not in training])
        named = candidates(folders, TRAINING_WORDS), candidates(folders, VALIDATION_WORDS)
        if all(named) and named[0] != named[1]:
            inside = self.look(joined(base, named[0][0]))
            self.refuse(
                base,
                f"no class: {_listed(named[0] + named[1])} are named like parts: expected a folder of pictures for "
                f"each class in them, found no folder and {count(inside.pictures)} in {named[0][0]}/",
            )
        return self._classes(base, nested)

    def _parts(self, base: str, training: List[str], nested: List[str]) -> Layout:
        """The layout with folders named like a training part; ``nested`` are others that have folders in them."""
        trains = self.unwrapped(joined(base, training[0]))
        classes = set(self.look(trains).folders)
        validation = candidates([name for name in nested if self._holds(joined(base, name), classes)], VALIDATION_WORDS)
        for found in (training, validation):
            if len(found) > 1:
                self.refuse(base, f"{_listed(found)} are named like the same part")
        others = [name for name in self.look(base).folders if name not in training + validation]
        unused = tuple(joined(base, name) for name in others)
        if validation:
            return Layout(base, trains, self.unwrapped(joined(base, validation[0])), unused=unused)
        with_pictures = [name for name in others if self._has_pictures(joined(base, name))]
        if with_pictures and not candidates(others, VALIDATION_WORDS):
            self.refuse(
                base,
                f"{training[0]}/ holds folders ({_listed(self.look(trains).folders)}) as a part does, and "
                f"{_listed(with_pictures)} next to it hold pictures as classes do",
            )
        return Layout(base, trains, unused=unused)

    def _holds(self, below: str, classes: Set[str]) -> bool:
        """Whether ``below`` can be a part with these ``classes``: test/test/ or test/unknown/ holds no class."""
        folders = self.look(self.unwrapped(below)).folders
        return len(folders) > 1 or bool(classes.intersection(folders))

    def _has_pictures(self, below: str) -> bool:
        inside = self.look(below)
        return bool(inside.pictures) or any(self.look(joined(below, name)).pictures for name in inside.folders)

    def _classes(self, base: str, nested: List[str]) -> Layout:
        """The layout of a folder whose folders are not named like parts."""
        folders = self.look(base).folders
        pictures, notes = ([name for name in folders if name.lower() in names] for names in (OF_PICTURES, OF_NOTES))
        if pictures and notes:
            self.refuse(base, f"{_listed(pictures + notes)} are named like pictures and what belongs to them")
        held = {
            name: self.look(joined(base, name)).folders for name in nested if not self.look(joined(base, name)).pictures
        }
        if held and len(held) == len(folders):
            pairs = {(chosen or (None, None))[:2] for chosen in map(choose_parts, held.values())}
            if len(pairs) == 1 and None not in next(iter(pairs)):
                training, validation = next(iter(pairs))
                return Layout(base, str(training), validation, inside=True)
        for name, inner in held.items():
            other = next((other for other in held if other > name and len(set(held[other]) & set(inner)) > 1), None)
            if other:
                same = sorted(set(held[other]) & set(inner))
                self.refuse(base, f"{name}/ and {other}/ hold the same folders ({_listed(same)}), as parts do")
        for name in nested:
            siblings = [inner for inner in self.look(joined(base, name)).folders if inner in folders]
            if len(siblings) > 1:
                self.refuse(base, f"{name}/ holds folders named like those next to it ({_listed(siblings)})")
        return Layout(base, base)


def _listed(names: Sequence[str]) -> str:
    """The first of ``names`` of folders, for a message."""
    return ", ".join(f"{name}/" for name in names[:4]) + (", ..." if len(names) > 4 else "")


def find_layout(root: Path, suffixes: Tuple[str, ...], parts: Optional[str] = None) -> Layout:
    """The :class:`Layout` of a folder.

    Args:
        root: the folder.
        suffixes: of pictures, in small letters.
        parts: "TRAINING,VALIDATION", folders below ``root`` or in each class; "TRAINING", which is split; "classes":
            all folders are classes; None goes by names and contents.

    Raises:
        DataError: there is no such folder, or two ways to read what is there.
    """
    finder = _Finder(root, suffixes)
    if not parts:
        return finder.find()
    names = wanted_parts(parts)
    if not names:
        return Layout()
    folders = finder.look("").folders
    missing = [name for name in names if not (root / name).is_dir()]
    if len(missing) == 2 and folders and all((root / folder / name).is_dir() for folder in folders for name in names):
        return Layout("", names[0], names[1], inside=True)
    if missing:
        raise refusal(
            f"{root}: parts is {parts!r}: there is no folder {missing[0]} in it: {did_you_mean(missing[0], folders)}"
            f"found {_listed(folders) or 'none'}"
        )
    others = tuple(name for name in folders if name not in [part.split("/")[0] for part in names])
    found = [finder.unwrapped(name) for name in names]
    return Layout("", found[0], found[1] if len(found) == 2 else None, unused=others)
