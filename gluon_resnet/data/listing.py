"""Which images are in a folder, and with which labels; no image is opened here. For CSV files: csv_listing.py.

    listing = list_folder(Path("bird_photos"))
    listing.names[0], listing.labels[0], listing.class_names

A folder for each class, with images at any depth below it. The order is that of Keras's image_dataset_from_directory,
for it decides which files a seed holds back: classes by name, in a class its folders by their whole path, in a folder
the files by name, all compared character by character; capitals come before small letters.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

import numpy

from ..text import count
from .findings import LEFT_OUT, NOTE, SUSPECT, Problem, refusal

Suffixes = Tuple[str, ...]  # in lower case, with their dot
KERAS_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
#: Suffixes of images that are not among Keras's: left out, but always reported.
OTHER_SUFFIXES = (
    ".webp",
    ".tif",
    ".tiff",
    ".heic",
    ".heif",
    ".avif",
    ".jfif",
    ".jp2",
    ".svg",
    ".cr2",
    ".nef",
    ".dng",
    ".raw",
)

TRAINING, VALIDATION = "training", "validation"
TRAINING_FOLDERS = ("train", "training")
VALIDATION_FOLDERS = ("val", "valid", "validation", "dev", "test")  # the first that exists is used


@dataclass
class Listing:
    """N images by name in Keras's order; ``parts`` holds the part of each if the folder or CSV is already split."""

    where: str
    root: Path
    class_names: List[str]
    names: List[str] = field(default_factory=list)
    labels: List[int] = field(default_factory=list)
    parts: Optional[List[str]] = None
    problems: List[Problem] = field(default_factory=list)

    def add(self, name: str, label: int, part: Optional[str] = None) -> None:
        """Add an image."""
        self.names.append(name)
        self.labels.append(label)
        if self.parts is not None and part is not None:
            self.parts.append(part)

    def say(self, file: str, problem: str, effect: str, expected: str, found: str, advice: str) -> None:
        """Add a finding.

        Args:
            file: the file or folder, relative to ``root``.
            problem: the kind of finding in a few words.
            effect: one of findings.EFFECTS.
            expected: what should be there.
            found: what is there.
            advice: what to do about it.
        """
        self.problems.append(Problem(file, problem, effect, expected, found, advice))

    @property
    def counts(self) -> numpy.ndarray:
        """Images in each class, (num_classes,)."""
        return numpy.bincount(numpy.asarray(self.labels, dtype=int), minlength=len(self.class_names))


def choose_parts(names: Sequence[str]) -> Optional[Tuple[str, str, List[str]]]:
    """(training, validation, those not used) among names of folders or values of a column; None without such a pair."""
    lower = {name.lower(): name for name in names}
    training = next((lower[name] for name in TRAINING_FOLDERS if name in lower), None)
    validation = next((lower[name] for name in VALIDATION_FOLDERS if name in lower), None)
    if training is None or validation is None:
        return None
    return training, validation, [name for name in names if name not in (training, validation)]


def _entries(folder: Path) -> Tuple[List[str], List[str]]:
    """(names of the folders in ``folder``, names of its files), sorted; DataError if it cannot be read."""
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise refusal(f"{folder}: cannot be read ({error.strerror}): check its permissions") from None
    folders = [name for name in names if os.path.isdir(os.path.join(folder, name))]
    return folders, sorted(set(names) - set(folders))


def list_folder(root: Path, suffixes: Suffixes = KERAS_SUFFIXES) -> Listing:
    """The :class:`Listing` of a folder of class folders, or with train/ and val/ of such. Raises DataError."""
    folders, _ = _entries(root)
    chosen = choose_parts(folders)
    if chosen is None:
        listing = Listing(str(root), root, [])
        listing.class_names = _classes(listing, "", suffixes)
        for label, name in enumerate(listing.class_names):
            _walk(listing, name, label, suffixes)
        return listing
    training, validation, others = chosen
    listing = Listing(str(root), root, [], parts=[])
    listing.class_names = _classes(listing, training, suffixes)
    for name in others:
        listing.say(
            f"{name}/",
            "part not used",
            NOTE,
            f"the parts {training}/ and {validation}/",
            "another folder",
            f"name {root / name} itself to use it",
        )
    for label, name in enumerate(listing.class_names):
        _walk(listing, f"{training}/{name}", label, suffixes, TRAINING)
    validation_classes = _classes(listing, validation, suffixes)
    for name in validation_classes:
        if name in listing.class_names:
            _walk(listing, f"{validation}/{name}", listing.class_names.index(name), suffixes, VALIDATION)
        else:
            listing.say(
                f"{validation}/{name}/",
                "class without training pictures",
                LEFT_OUT,
                f"a folder {training}/{name}",
                "none",
                "add one, or remove this folder",
            )
    for name in sorted(set(listing.class_names) - set(validation_classes)):
        listing.say(
            f"{training}/{name}/",
            "class without validation pictures",
            SUSPECT,
            f"a folder {validation}/{name}",
            "none",
            "add one",
        )
    return listing


def _classes(listing: Listing, below: str, suffixes: Suffixes) -> List[str]:
    """Names of the class folders in ``below``, sorted; what else is there is noted. DataError if there is none."""
    prefix = f"{below}/" if below else ""
    folders, files = _entries(listing.root / below)
    for name in files:
        if name.lower().endswith(suffixes + OTHER_SUFFIXES):
            listing.say(
                prefix + name,
                "in no class",
                LEFT_OUT,
                "pictures in a folder named after their class",
                "one next to these folders",
                "move it into a class",
            )
        else:
            _not_a_picture(listing, prefix + name)
    classes = [name for name in folders if not name.startswith(".")]
    for name in sorted(set(folders) - set(classes)):
        listing.say(
            f"{prefix}{name}/",
            "hidden folder",
            NOTE,
            "folders of classes",
            "a name that begins with a dot",
            "not read, as in Keras",
        )
    if not classes:
        pictures = sum(name.lower().endswith(suffixes) for name in files)
        raise refusal(
            f"{listing.root / below}: no class: expected a folder of pictures for each class, found no "
            f"folder and {count(pictures)}; sort the pictures into folders named after their classes"
        )
    return classes


def _not_a_picture(listing: Listing, name: str) -> None:
    listing.say(name, "not a picture file", NOTE, "a picture's suffix", "another name", "not read")


def _walk(listing: Listing, below: str, label: int, suffixes: Suffixes, part: Optional[str] = None) -> None:
    """Add the images of the class folder ``below``, at any depth, in Keras's order."""
    top = str(listing.root / below)
    errors: List[OSError] = []
    for folder, inner, files in sorted(os.walk(top, onerror=errors.append), key=lambda step: step[0]):
        prefix = below if folder == top else f"{below}/{Path(folder).relative_to(top).as_posix()}"
        pictures = [name for name in sorted(files) if name.lower().endswith(suffixes)]
        for name in pictures:
            listing.add(f"{prefix}/{name}", label, part)
        if pictures and folder != top:
            listing.say(
                f"{prefix}/",
                "nested folder",
                NOTE,
                f"pictures in {below}/ itself",
                f"{count(len(pictures))} deeper",
                f"they count as {listing.class_names[label]}, as in Keras",
            )
        _look_at_others(listing, prefix, sorted(set(files) - set(pictures)), suffixes)
        for name in sorted(inner):
            if os.path.islink(os.path.join(folder, name)):
                listing.say(
                    f"{prefix}/{name}/",
                    "link to a folder",
                    LEFT_OUT,
                    "a folder",
                    "a link, which is not followed",
                    "put the folder itself there",
                )
    for error in errors:
        name = Path(error.filename).relative_to(listing.root).as_posix()
        listing.say(
            f"{name}/",
            "folder that cannot be read",
            LEFT_OUT,
            "a readable folder",
            error.strerror or str(error),
            "check its permissions",
        )


def _look_at_others(listing: Listing, prefix: str, names: Sequence[str], suffixes: Suffixes) -> None:
    for name in names:
        if name.lower().endswith(OTHER_SUFFIXES):
            suffix = os.path.splitext(name)[1].lower()
            listing.say(
                f"{prefix}/{name}",
                f"{suffix} picture",
                LEFT_OUT,
                f"one of {', '.join(suffixes)}",
                suffix,
                "convert it to PNG or JPEG" + (", or add '.webp' to suffixes" if suffix == ".webp" else ""),
            )
        else:
            _not_a_picture(listing, f"{prefix}/{name}")
