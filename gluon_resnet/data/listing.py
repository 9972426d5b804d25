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
from .folder_parts import Layout, find_layout, is_no_class, joined

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
    layout: Optional[str] = None  # what was taken for what, if the classes are not right in ``root``

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


def _entries(folder: Path) -> Tuple[List[str], List[str]]:
    """(names of the folders in ``folder``, names of its files), sorted; DataError if it cannot be read."""
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise refusal(f"{folder}: cannot be read ({error.strerror}): check its permissions") from None
    folders = [name for name in names if os.path.isdir(os.path.join(folder, name))]
    return folders, sorted(set(names) - set(folders))


def list_folder(root: Path, suffixes: Suffixes = KERAS_SUFFIXES, parts: Optional[str] = None) -> Listing:
    """The :class:`Listing` of a folder of class folders, or of one that has parts with such.

    Args:
        root: the folder.
        suffixes: of the files to take.
        parts: see :func:`~.folder_parts.find_layout`.

    Raises:
        DataError: there is no class, or it is not clear what the folders are.
    """
    layout = find_layout(root, suffixes + OTHER_SUFFIXES, parts)
    is_split = layout.validation is not None
    listing = Listing(str(root), root, [], parts=[] if is_split else None, layout=layout.line)
    below = layout.base if layout.inside else layout.training
    listing.class_names = _classes(listing, below, suffixes)
    for name in layout.unused:
        listing.say(
            f"{name}/",
            "part not used",
            NOTE,
            layout.line or "",
            "another folder",
            f"name {root / name} itself to use it",
        )
    if layout.inside:
        _list_inside(listing, layout, suffixes)
        return listing
    for label, name in enumerate(listing.class_names):
        _walk(listing, joined(layout.training, name), label, suffixes, TRAINING if is_split else None)
    if layout.validation is not None:
        _list_validation(listing, layout.training, layout.validation, suffixes)
    return listing


def _list_inside(listing: Listing, layout: Layout, suffixes: Suffixes) -> None:
    """Add the images of classes that have the parts inside."""
    for label, name in enumerate(listing.class_names):
        for part, folder in ((TRAINING, layout.training), (VALIDATION, str(layout.validation))):
            _walk(listing, joined(layout.base, name, folder), label, suffixes, part)
        top = joined(layout.base, name)
        for other in _entries(listing.root / top)[0]:
            if other not in (layout.training, layout.validation):
                listing.say(
                    f"{top}/{other}/",
                    "part not used",
                    NOTE,
                    layout.line or "",
                    "another folder",
                    "name the parts with --parts to use it",
                )


def _list_validation(listing: Listing, training: str, validation: str, suffixes: Suffixes) -> None:
    """Add the images of the validation part, whose classes should be those of the training part."""
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
    classes = [name for name in folders if not is_no_class(name)]
    for name in sorted(set(folders) - set(classes)):
        if name.startswith("."):
            kind, found, advice = "hidden folder", "a name that begins with a dot", "not read, as in Keras"
        else:
            kind, found, advice = "folder of another program", "one that an archive or a desktop leaves", "not read"
        listing.say(f"{prefix}{name}/", kind, NOTE, "folders of classes", found, advice)
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
