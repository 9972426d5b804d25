"""Write the images of a record file back to class folders.

    gluon-resnet records unpack birds_train.rec copy
    unpack("birds_train.rec", "copy")                # copy/<class>/<file>

A record's name is a path as a folder or a CSV file has it; whatever it is, the image goes to the folder of its label's
class, and never out of the folder that was named.
"""

import hashlib
import os
import re
from pathlib import Path
from typing import Any, Dict, List, Sequence

from tqdm import tqdm

from ..errors import DataError
from ..files import written_whole
from ..text import OBEYED
from .folder_parts import TRAINING_WORDS, VALIDATION_WORDS, candidates
from .records import RecordSource

LONGEST_NAME = 200  # bytes; file systems take 255, and another number may follow
DEEPEST = 16  # folders in the folder of a class
#: what no name of a file has: see _as_name
UNFIT = re.compile(f"[/\\\\{OBEYED}\\t\\n\ud800-\udc7f\udd00-\udfff]")
#: how an image's file begins -> its suffix, for records without a name
STARTS = {b"\xff\xd8": ".jpg", b"\x89PNG": ".png", b"GIF8": ".gif", b"BM": ".bmp", b"RIFF": ".webp"}


def _as_name(text: str) -> str:
    """``text`` as the name of one file or folder: without a slash, not too long, and not only dots.

    What a terminal would obey, and half a character (a lone surrogate that stands for no byte), become _ as well.
    """
    name = UNFIT.sub("_", text).strip()
    name = f"_{name}" if not name.strip(".") else name
    stem, suffix = (part[:LONGEST_NAME] for part in os.path.splitext(name))
    while len(os.fsencode(stem + suffix)) > LONGEST_NAME:
        stem, suffix = (stem[:-1], suffix) if stem else ("", suffix[:-1])
    return stem + suffix


def _unlike(name: str, taken: Dict[str, int]) -> str:
    """``name``, or with a number if it is among ``taken``; puts it there, with the last number that followed it."""
    stem, suffix = os.path.splitext(name)
    number, free = taken.get(name, 0), name
    while free in taken:
        number += 1
        free = f"{stem}-{number}{suffix}" if number > 1 else name
    taken[name] = max(number, 1)
    taken.setdefault(free, 1)
    return free


def _class_folders(class_names: Sequence[str]) -> List[str]:
    """The name of each class's folder: the class's own, if a folder that is read back can be called so."""
    taken: Dict[str, int] = {}
    names = [_as_name(name) for name in class_names]
    return [_unlike(f"_{name}" if name.startswith(".") else name, taken) for name in names]


def unpacked_names(names: Sequence[str], classes: Sequence[str], folders: Sequence[str]) -> List[str]:
    """Where each image goes, as paths with "/": no two are the same, and none leads out.

    What comes after the class in a name is kept, and a part, such as train/, in front of it.

    Args:
        names: N names of records.
        classes: the class of each, N names.
        folders: the folder of each class, N names.
    """
    targets = []
    for name, class_name, folder in zip(names, classes, folders):
        words = [word for word in name.replace("\\", "/").split("/") if word not in ("", ".", "..")]
        place = words[:-1].index(class_name) if class_name in words[:-1] else None
        if place is None:
            inner = words[-1:] or ["picture"]
        else:
            inner = words[place + 1 :]
            part = words[place - 1 : place] if place else []
            folder = "/".join([*map(_as_name, candidates(part, (*TRAINING_WORDS, *VALIDATION_WORDS))), folder])
        targets.append("/".join([folder, *map(_as_name, inner[-DEEPEST:])]))
    # a file cannot be called like a folder that another one is in
    taken = {
        "/".join(words[:end]): 1 for words in (target.split("/") for target in targets) for end in range(1, len(words))
    }
    return [_unlike(target, taken) for target in targets]


def _target(folder: Path, name: str) -> Path:
    """Where the picture ``name`` goes below ``folder``; DataError if a link leads elsewhere, or a file is there."""
    target = folder / name
    inside = Path(os.path.realpath(folder))
    if inside not in Path(os.path.realpath(target)).parents:  # a link that is already there
        raise DataError(f"{target}: leads out of {folder} by a link; nothing was unpacked")
    if os.path.lexists(target):
        raise DataError(f"{target}: already there; unpack into another folder; nothing was unpacked")
    return target


def _names(source: RecordSource) -> List[str]:
    """What the images of ``source`` are called: as in the .json, or numbered, with the suffix of what is stored."""
    if not source.numbered:
        return source.names
    starts = [source.stored(i)[:4] for i in range(len(source))]
    suffixes = [next((suffix for start, suffix in STARTS.items() if found.startswith(start)), "") for found in starts]
    return [name + suffix for name, suffix in zip(source.names, suffixes)]


def unpack(path: Any, folder: Any) -> int:
    """Write the pictures of the record file ``path`` to class folders in ``folder``: number of pictures.

    Each file appears whole or not at all, byte for byte what is stored (whatever format it has been given since), in
    the folder of its class, under its name in the .json, or numbered without one. DataError for files that are there
    already, before anything is written, and for bytes that are not those of the .json.
    """
    source, folder = RecordSource(path), Path(folder)
    folders, labels = _class_folders(source.class_names), source.labels.tolist()
    classes = [source.class_names[label] for label in labels]
    names = unpacked_names(_names(source), classes, [folders[label] for label in labels])
    targets = [_target(folder, name) for name in names]
    for i in tqdm(range(len(source)), unit="picture", leave=False, disable=None):
        content = source.stored(i)
        if source.digests is not None and hashlib.sha256(content).hexdigest() != source.digests[i]:
            raise DataError(
                f"{path}: {source.names[i]}: expected the bytes with SHA-256 {source.digests[i]}, found "
                f"others; run gluon-resnet records verify"
            )
        try:
            targets[i].parent.mkdir(parents=True, exist_ok=True)
            with written_whole(targets[i]) as temporary:
                temporary.write_bytes(content)
        except OSError as error:
            raise DataError(
                f"{targets[i]}: cannot be written ({error.strerror}); {i:,} of {len(source):,} were unpacked"
            ) from None
    return len(source)
