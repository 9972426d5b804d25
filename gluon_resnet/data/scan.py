"""Look every picture over before training: whole, a picture at all, of a sensible size, and not there twice.

    report = scan(open_folder("bird_photos"))
    report.summary(), report.table

Every file is read and decoded once, by a few threads, and what was decoded may be kept for the batches. Near
duplicates are found by ImageHash's perceptual hash (the signs of the lowest frequencies of a 32x32 grey copy). A wrong
label on a picture that is there once is not found here: that takes a network.
"""

import hashlib
import os
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import List, Optional

import pandas as pd
from imagehash import phash
from PIL import Image
from tqdm import tqdm

from ..errors import DataError
from ..text import printable
from .duplicates import find_copies
from .findings import LEFT_OUT, NOTE, SUSPECT, Problem, Report
from .images import FORMATS, read_image, resize, whole_files_only

MAX_PIXELS = 89_478_485  # Pillow's own limit: 256 MiB as RGB
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

    def say(self, problem, effect, expected, found, advice):
        """One more finding; tells whether the picture can still be used."""
        self.problems.append(Problem(self.name, problem, effect, expected, printable(found), advice))
        return effect != LEFT_OUT


def perceptual_hash(image):
    """ImageHash's phash of ``image`` uint8 (H, W, 3) as an integer of 64 bits; pictures alike differ in few bits."""
    return int(str(phash(Image.fromarray(resize(image, 64, 64)))), 16)


def _look_at_file(look, path):
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
        return look.say("missing file", LEFT_OUT, "a file", "none of this name", "correct the path or remove the line")
    except OSError as error:
        return look.say(
            "file that cannot be read",
            LEFT_OUT,
            "a readable file",
            error.strerror or str(error),
            "check its permissions and the disk",
        )
    return True


def _look_at_header(look, path):
    """Read the header only, so that a bomb is refused before memory is taken for its pixels."""
    try:
        with whole_files_only, Image.open(path, formats=FORMATS) as image:
            look.width, look.height, look.format, look.mode = *image.size, image.format, image.mode
            frames = getattr(image, "n_frames", 1) if image.format != "MPO" else 1  # telephones hide a preview in there
            alpha = "A" in image.mode or "transparency" in image.info
    except Image.DecompressionBombError as error:
        found = f"{int(re.search('[0-9]+', str(error)).group()):,}"  # Pillow gives no size any more then
        return look.say("far too large", LEFT_OUT, f"at most {MAX_PIXELS:,} pixels", found, SMALLER)
    except Exception as error:  # Pillow's plugins raise whatever a damaged header makes them
        return look.say(
            "not a picture" if "cannot identify" in str(error) else "damaged",
            LEFT_OUT,
            "a JPEG, PNG, GIF, WebP or BMP",
            f"a file that begins with {look.start!r}",
            AGAIN,
        )
    size = f"{look.width}x{look.height}"
    if look.width * look.height > MAX_PIXELS:
        return look.say("far too large", LEFT_OUT, f"at most {MAX_PIXELS:,} pixels", size, SMALLER)
    if min(look.width, look.height) < MIN_SIDE:
        return look.say("tiny", LEFT_OUT, f"sides of {MIN_SIDE} pixels or more", size, "find a larger one or remove it")
    _note_conversions(look, frames, alpha)
    return True


def _note_conversions(look, frames, alpha):
    """What is read otherwise than it is written."""
    fitting = SUFFIXES_OF[look.format]
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
    if alpha:
        look.say("transparent", NOTE, "RGB", look.mode, "laid over white")
    if look.mode == "CMYK":
        look.say("CMYK", NOTE, "RGB", look.mode, "converted without a colour profile")
    if look.mode.startswith("I") or look.mode == "F":
        look.say("more than 8 bits", NOTE, "8 bits a channel", look.mode, "scaled to 8 bits")


def examine(path, name, keep=None):
    """Look one file over: a :class:`Look`; ``keep`` is called with its pixels. Nothing in the file makes it raise."""
    look = Look(name)
    if _look_at_file(look, path) and _look_at_header(look, path):
        try:
            image = read_image(path)
        except DataError as error:
            reason = str(error).replace(f"{path}: ", "").split(": expected")[0]
            look.say("damaged", LEFT_OUT, "a whole picture", f"one that {reason}", AGAIN)
        except MemoryError:
            raise
        except Exception as error:  # a decoder that stumbled
            look.say("damaged", LEFT_OUT, "a whole picture", f"one that cannot be decoded ({error!r})", AGAIN)
        else:
            look.hash = perceptual_hash(image)
            if keep is not None:
                keep(image)
    return look


def damaged_records(source, workers=WORKERS, keep=None):
    """Decode every picture of a :class:`~.records.RecordSource` once: a finding for each that cannot be, by its number.

    ``keep`` as in :func:`scan`. What else may be wrong with a record file is found by record_checks.py.
    """

    def look(i):
        try:
            image = source.read(i)
        except DataError as error:
            reason = str(error).partition(": expected")[0].rpartition(": ")[2]
            return Problem(
                source.names[i],
                "damaged",
                LEFT_OUT,
                "a whole picture",
                printable(f"one that {reason}"),
                "gluon-resnet records verify lists all that is wrong; pack again",
            )
        kept = keep and keep(i)
        if kept:
            kept(image)
        return None

    with ThreadPoolExecutor(workers, "scan") as pool:
        found = list(pool.map(look, range(len(source))))
    return {i: problem for i, problem in enumerate(found) if problem}


def scan(source, parts=None, workers=WORKERS, progress=False, keep=None):
    """Look over every picture of a :class:`~.image_folder.FolderSource`; a :class:`~.report.Report`.

    ``parts`` names the part of each of the N pictures ("training", "validation"), so that copies on both sides are
    pointed out. The findings of the source's listing are in the report as well. ``progress`` shows a bar. ``keep(i)``
    may give a function that is called, in one of the threads, with picture i as it was decoded, uint8 (H, W, 3).
    """
    paths = [source.path(i) for i in range(len(source))]
    keepers = map(keep or (lambda i: None), range(len(source)))
    with ThreadPoolExecutor(workers, "scan") as pool:
        looks = pool.map(examine, paths, source.names, keepers)
        if progress:
            title = printable(f"scanning {Path(source.where).name}")
            looks = tqdm(looks, total=len(paths), desc=title, unit=" pictures", leave=False)
        looks = list(looks)
    classes = [source.class_names[label] for label in source.labels]
    rows = [
        (look.name, name, look.width, look.height, look.format, look.mode, look.size)
        for look, name in zip(looks, classes)
    ]
    pictures = pd.DataFrame(rows, columns=["name", "class", "width", "height", "format", "mode", "bytes"])
    pictures = pictures.astype({column: "Int64" for column in ("width", "height", "bytes")})
    found = [problem for look in looks for problem in look.problems]
    return Report(source.where, pictures, [*source.problems, *found, *find_copies(looks, classes, parts)])
