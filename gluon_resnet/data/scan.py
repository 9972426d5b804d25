"""Look every picture over before training: whole, a picture at all, of a sensible size, and not there twice.

    report = scan(open_folder("bird_photos"))
    report.summary(), report.table

Every file is read and decoded once, by a few threads, and DecodedPictures may keep the images for the batches. Near
duplicates are found by ImageHash's perceptual hash (the signs of the lowest frequencies of a 32x32 grey copy). A wrong
label on a picture that is there once is not found here: that takes a network.
"""

import hashlib
import os
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Tuple

import numpy
import pandas as pd
from imagehash import phash
from PIL import Image
from tqdm import tqdm

from ..errors import DataError
from ..text import printable
from .conversion import MAX_PIXELS, Notes, room_for
from .decoded import DecodedPictures
from .duplicates import find_copies
from .findings import LEFT_OUT, NOTE, SUSPECT, Problem, Report
from .images import one_colour, read_image, with_image
from .picture_source import Indices
from .pixels import FAST, resize
from .reading import read_least

MIN_SIDE = 16  # pixels; nothing can be recognised below
WORKERS = 4
CHUNK = 1 << 20
AGAIN, SMALLER = "fetch it again or remove it", "scale it down or remove it"
#: format, as Pillow calls it -> suffixes that fit it; MPO is what telephones write as .jpg
SUFFIXES_OF = {
    "JPEG": (".jpg", ".jpeg"),
    "MPO": (".jpg", ".jpeg"),
    "PNG": (".png",),
    "GIF": (".gif",),
    "WEBP": (".webp",),
    "BMP": (".bmp",),
}


@dataclass(frozen=True)
class Keeper:
    """Who is given an image once it is decoded: ``take`` is called with uint8 (H, W, 3).

    With ``least``, a (height, width), it may be a smaller one, as :func:`~.reading.read_least` returns it.
    """

    take: Callable[[numpy.ndarray], Any]
    least: Optional[Tuple[int, int]] = None


@dataclass
class Look:
    """What one file turned out to be; the fields stay None where the file did not get that far."""

    name: str
    width: Optional[int] = None
    height: Optional[int] = None
    format: Optional[str] = None
    mode: Optional[str] = None
    size: Optional[int] = None  # bytes
    start: Optional[bytes] = None  # the file's first 8 bytes
    digest: Optional[bytes] = None  # SHA-256 of the file
    hash: Optional[int] = None  # perceptual, 64 bits
    problems: List[Problem] = field(default_factory=list)

    def say(self, problem: str, effect: str, expected: str, found: Any, advice: str) -> bool:
        """Add a finding; returns whether the image can still be used."""
        self.problems.append(Problem(self.name, problem, effect, expected, printable(found), advice))
        return effect != LEFT_OUT


def perceptual_hash(image: numpy.ndarray) -> int:
    """ImageHash's phash of ``image`` uint8 (H, W, 3) as an integer of 64 bits; pictures alike differ in few bits."""
    return int(str(phash(Image.fromarray(resize(image, 64, 64)))), 16)


def _look_at_file(look: Look, path: Any) -> bool:
    """Whether there is a file that can be read; its size, start and digest."""
    try:
        if os.path.islink(path) and not os.path.exists(path):
            return look.say(
                "broken link", LEFT_OUT, "a file", f"a link to {os.readlink(path)}, which is not there", "remove it"
            )
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
            return look.say("not a file", LEFT_OUT, "a regular file", stat.filemode(status.st_mode), "remove it")
        look.size = status.st_size
        if not look.size:
            return look.say("empty file", LEFT_OUT, "a picture", "0 bytes", AGAIN)
        digest = hashlib.sha256()
        with open(path, "rb") as stream:
            for chunk in iter(lambda: stream.read(CHUNK), b""):
                look.start = look.start or chunk[:8]
                digest.update(chunk)
        look.digest = digest.digest()
    except FileNotFoundError:
        return look.say("missing file", LEFT_OUT, "a file", f"none at {path}", "correct the path or remove the line")
    except OSError as error:
        return look.say(
            "file that cannot be read",
            LEFT_OUT,
            "a readable file",
            error.strerror or str(error),
            "check its permissions and the disk",
        )
    return True


def _look_at_header(look: Look, path: Any) -> bool:
    """Read the header only, so that a bomb is refused before memory is taken for its pixels."""
    try:
        width, height, look.format, look.mode, frames = with_image(path, _header)
        look.width, look.height = width, height
    except Image.DecompressionBombError as error:
        pixels = int(re.findall("[0-9]+", str(error))[0])  # Pillow gives the size in its message only
        return look.say("far too large", LEFT_OUT, f"at most {MAX_PIXELS:,} pixels", f"{pixels:,}", SMALLER)
    except Exception as error:  # Pillow's plugins raise whatever a damaged header makes them
        return look.say(
            "not a picture" if "cannot identify" in str(error) else "damaged",
            LEFT_OUT,
            "a JPEG, PNG, GIF, WebP or BMP",
            f"a file that begins with {look.start!r}",
            AGAIN,
        )
    size = f"{width}x{height}"
    if width * height > MAX_PIXELS:
        return look.say("far too large", LEFT_OUT, f"at most {MAX_PIXELS:,} pixels", size, SMALLER)
    if min(width, height) < MIN_SIDE:
        return look.say("tiny", LEFT_OUT, f"sides of {MIN_SIDE} pixels or more", size, "find a larger one or remove it")
    _note_conversions(look, frames)
    return True


def _header(image: Any, notes: Notes) -> Tuple[int, int, str, str, int]:
    """(width, height, format, mode, number of frames) of an open Pillow image."""
    frames = 1
    if image.format != "MPO":  # telephones hide a preview in there
        try:
            frames = getattr(image, "n_frames", 1)
        except Exception:  # damage after the first frame, which is all that is used
            frames = 1
    return (*image.size, image.format, image.mode, frames)


def _note_conversions(look: Look, frames: int) -> None:
    """Note what is read in another way than it is stored."""
    fitting, mode = SUFFIXES_OF[look.format or ""], look.mode or ""
    if not look.name.lower().endswith(fitting):
        look.say(
            "suffix of another format",
            SUSPECT,
            " or ".join(fitting),
            f"{look.format} in a {os.path.splitext(look.name)[1]} file",
            "read as what it is; rename it, and check where it came from",
        )
    if frames > 1:
        look.say("animation", NOTE, "one picture", f"{frames} frames", "the first is used")
    if mode == "CMYK":
        look.say("CMYK", NOTE, "RGB", mode, "converted without a colour profile")
    if mode.startswith("I") or mode == "F":
        look.say("more than 8 bits", NOTE, "8 bits a channel", mode, "scaled to 8 bits")


def examine(path: Any, name: str, keeper: Optional[Keeper] = None) -> Look:
    """Look one file over; its pixels are given to the ``keeper``, if any. Nothing in the file makes this raise."""
    look = Look(name)
    if _look_at_file(look, path) and _look_at_header(look, path):
        with room_for((look.width or 0, look.height or 0)):
            _look_at_pixels(look, path, keeper)
    return look


def _look_at_pixels(look: Look, path: Any, keeper: Optional[Keeper]) -> None:
    """Decode the image, look at its pixels and give them to the ``keeper``, if any."""
    notes: Notes = []
    try:
        least = keeper.least if keeper else None
        image = read_least(path, least, notes) if least else read_image(path, notes)
    except DataError as error:
        reason = str(error).replace(f"{path}: ", "").split(": expected")[0]
        look.say("damaged", LEFT_OUT, "a whole picture", f"one that {reason}", AGAIN)
    except MemoryError:
        raise
    except Exception as error:  # a decoder that stumbled
        look.say("damaged", LEFT_OUT, "a whole picture", f"one that cannot be decoded ({error!r})", AGAIN)
    else:
        for problem, expected, found, advice in notes:
            look.say(problem, NOTE, expected, found, advice)
        if one_colour(image):
            colour = ", ".join(map(str, image[0, 0]))
            look.say("one colour", SUSPECT, "something to see", f"every pixel about {colour}", "look at it")
        look.hash = perceptual_hash(image)
        if keeper is not None:
            keeper.take(image)


def damaged_records(decoded: DecodedPictures, workers: int = WORKERS) -> Dict[int, Problem]:
    """Decode every image of a record file once: {number of the image: finding} of those that cannot be decoded.

    The others are kept in ``decoded``, whose source is a :class:`~.records.RecordSource`. What else may be wrong with a
    record file is found by record_checks.py.
    """

    def look(i: int) -> Optional[Problem]:
        try:
            image = decoded.decode(i)
        except DataError as error:
            reason = str(error).partition(": expected")[0].rpartition(": ")[2]
            return Problem(
                decoded.source.names[i],
                "damaged",
                LEFT_OUT,
                "a whole picture",
                printable(f"one that {reason}"),
                "gluon-resnet records verify lists all that is wrong; pack again",
            )
        decoded.keep(i, image)
        return None

    with ThreadPoolExecutor(workers, "scan") as pool:
        problems = list(pool.map(look, range(len(decoded))))
    return {i: problem for i, problem in enumerate(problems) if problem}


def scan(
    source: Any,
    parts: Optional[Sequence[Optional[str]]] = None,
    workers: int = WORKERS,
    progress: bool = False,
    decoded: Sequence[Tuple[DecodedPictures, Indices]] = (),
) -> Report:
    """Look over every image of a :class:`~.image_folder.FolderSource`.

    Args:
        source: N images.
        parts: the part of each ("training", "validation"), so that copies on both sides are pointed out.
        workers: threads.
        progress: whether to show a bar.
        decoded: what keeps the decoded images, each with the indices in ``source`` of its own images.

    Returns:
        The findings, among them those of the source's listing.
    """
    paths, keepers = [source.path(i) for i in range(len(source))], _keepers(len(source), decoded)
    with ThreadPoolExecutor(workers, "scan") as pool:
        results: Iterable[Look] = pool.map(examine, paths, source.names, keepers)
        if progress:
            title = printable(f"scanning {Path(source.where).name}")
            results = tqdm(results, total=len(paths), desc=title, unit=" pictures", leave=False, disable=None)
        looks = list(results)
    classes = [source.class_names[label] for label in source.labels]
    rows = [
        (look.name, name, look.width, look.height, look.format, look.mode, look.size)
        for look, name in zip(looks, classes)
    ]
    pictures = pd.DataFrame(rows, columns=["name", "class", "width", "height", "format", "mode", "bytes"])
    pictures = pictures.astype({column: "Int64" for column in ("width", "height", "bytes")})
    problems = [problem for look in looks for problem in look.problems]
    problems += [*find_copies(looks, classes, parts), *_without_usable(looks, classes)]
    report = Report(source.where, pictures, [*source.problems, *problems], source.layout)
    report.digests = {look.name: look.digest.hex() for look in looks if look.digest is not None}
    return report


def _without_usable(looks: Sequence[Look], classes: Sequence[str]) -> List[Problem]:
    """A finding for each class of whose images none can be used."""
    left_out: Dict[str, List[bool]] = {}
    for look, name in zip(looks, classes):
        left_out.setdefault(name, []).append(any(problem.effect == LEFT_OUT for problem in look.problems))
    return [
        Problem(
            f"{name}/",
            "empty class",
            SUSPECT,
            "pictures that can be used",
            f"{len(found):,} that cannot",
            "put some in, or remove the folder: it counts as a class",
        )
        for name, found in left_out.items()
        if all(found)
    ]


def _keepers(number: int, decoded: Sequence[Tuple[DecodedPictures, Indices]]) -> List[Optional[Keeper]]:
    """Who is given the pixels of each of ``number`` images; None for those that nobody keeps."""
    keepers: List[Optional[Keeper]] = [None] * number
    for pictures, indices in decoded:
        least = pictures.fit.least if pictures.fit.reading == FAST else None
        for place, i in enumerate(indices):
            if pictures.keeps:
                keepers[i] = Keeper(partial(pictures.keep, place), least)
    return keepers
