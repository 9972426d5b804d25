"""Pack a folder of images into record files; record_unpack.py unpacks them again.

    gluon-resnet records pack photos birds --split 0.2        # birds_train.rec, birds_val.rec, an .idx each, birds.json
    gluon-resnet records unpack birds_train.rec copy

One file is read from end to end where a folder's thousands are opened one by one. The files are MXNet's own (RecordIO,
by mxnet.recordio), for mx.io.ImageRecordIter and ImageRecordDataset as well. The names and what else does not fit into
a record go into the .json. Article 003 makes such files (TensorFlow's) with its FlowIO.py before it trains.
"""

import errno
import hashlib
import io
import os
import shutil
import sys
import tempfile
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Callable, Deque, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

from mxnet import recordio
from mxnet.base import MXNetError
from PIL import Image
from tqdm import tqdm

from ..errors import ConfigError, DataError
from ..files import as_json, check_utf8
from ..text import last_line
from .conversion import ORIENTATION
from .findings import LEFT_OUT, Report
from .image_folder import open_folder, open_parts
from .images import FORMATS, decode_image, resize, whole_files_only
from .listing import KERAS_SUFFIXES
from .recordio import LABEL_SIZE, LONGEST
from .records import FORMAT, PARTS, VERSION
from .scan import scan

UPRIGHT = (None, 1)  # EXIF's orientation of a picture that is stored as it is seen


@dataclass(frozen=True)
class Settings:
    """How a folder is packed: all that decides the bytes of the files."""

    split: Optional[float] = None  # share of the pictures that goes into the validation file
    seed: int = 123
    size: int = 256  # pictures whose shorter side is longer are shrunk to it
    quality: int = 95  # of JPEGs written here
    lossless: bool = False  # what cannot be stored as it is becomes PNG, not JPEG

    def __post_init__(self) -> None:
        if self.size < 1 or not 1 <= self.quality <= 100 or not (self.split is None or 0 < self.split < 1):
            raise ConfigError(
                f"size {self.size}, quality {self.quality}, split {self.split}: expected a size of at "
                f"least 1, a quality from 1 to 100 and a split between 0 and 1"
            )


@dataclass(frozen=True)
class Packed:
    """What :func:`pack` has done; ``report`` is the scan's."""

    files: List[Tuple[Path, int, int]]  # record file, records, bytes
    kept: int  # pictures stored byte for byte
    description: Path  # the .json
    report: Report


def _is_plain_jpeg(content: bytes) -> bool:
    """Whether every reader sees the same in these bytes: a JPEG in RGB or grey that no EXIF turns.

    mx.io.ImageRecordIter turns a picture upright, ImageRecordDataset does not.
    """
    try:
        with whole_files_only, Image.open(io.BytesIO(content), formats=FORMATS) as image:
            return (
                image.format in ("JPEG", "MPO")
                and image.mode in ("RGB", "L")
                and image.getexif().get(ORIENTATION) in UPRIGHT
            )
    except Exception:  # odd metadata, at which other readers may stumble, too
        return False


def encode(path: Any, settings: Settings) -> Tuple[bytes, int, int, bool]:
    """The file ``path`` as it is stored: (bytes, height, width, whether they are the file's own). DataError."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    picture = decode_image(content, path)  # (H, W, 3)
    height, width = picture.shape[:2]
    factor = settings.size / min(height, width)
    kept = factor >= 1 and _is_plain_jpeg(content)
    if factor < 1:
        height, width = round(height * factor), round(width * factor)
        picture = resize(picture, height, width)
    if not kept:
        stream = io.BytesIO()
        how: Dict[str, Any] = (
            {"format": "PNG"} if settings.lossless else {"format": "JPEG", "quality": settings.quality}
        )
        Image.fromarray(picture).save(stream, **how)
        content = stream.getvalue()
    if len(content) + LABEL_SIZE > LONGEST:
        raise DataError(
            f"{path}: {len(content):,} bytes: expected at most {LONGEST - LABEL_SIZE:,}, the most a record "
            f"holds; shrink it, or leave --lossless out"
        )
    return content, height, width, kept


def in_order(function: Callable[[Any], Any], items: Iterable[Any], jobs: int) -> Iterator[Any]:
    """Yield ``function(item)`` for each of ``items``, in their order, computed by ``jobs`` threads a little ahead."""
    waiting: Deque[Future[Any]] = deque()
    with ThreadPoolExecutor(jobs, "pack") as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > 2 * jobs:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _names(out: Path, part: str) -> List[str]:
    stem = out.name if part == "all" else f"{out.name}_{part}"
    return [f"{stem}.rec", f"{stem}.idx"]


def _parts(
    path: Any, settings: Settings, strict: bool, webp: bool, named: Optional[str]
) -> Tuple[Dict[str, Any], Report]:
    """({part: source}, report of the scan): the folder loader's two parts, or with no split all usable pictures.

    Args:
        path, settings, strict, webp: see :func:`pack`.
        named: its ``parts``.
    """
    suffixes, progress = KERAS_SUFFIXES + ((".webp",) if webp else ()), sys.stderr.isatty()
    source = open_folder(path, suffixes, named)
    if settings.split is not None or source.parts is not None:
        share = settings.split or 0.5  # does not count where it is split already
        *sources, report = open_parts(path, share, settings.seed, suffixes, strict, progress, named)
        return dict(zip(PARTS, sources)), report
    report = scan(source, progress=progress)
    if strict:
        report.refuse()
    if not report.usable:
        raise DataError(f"{path}: expected at least one picture that can be used; {report.summary()}; {report.first()}")
    return {"all": source.subset(report.usable)}, report


def _write_part(
    scratch: Path, names: Sequence[str], source: Any, settings: Settings, jobs: int, bar: Any
) -> List[Dict[str, Any]]:
    """Write one record file and its index into ``scratch``; descriptions of its records."""
    records: List[Dict[str, Any]] = []
    record_file, index = (scratch / name for name in names)
    writer = recordio.MXIndexedRecordIO(str(index), str(record_file), "w")
    try:
        paths = (source.path(i) for i in range(len(source)))
        for content, height, width, kept in in_order(lambda path: encode(path, settings), paths, jobs):
            number = len(records)
            label = int(source.labels[number])
            writer.write_idx(number, recordio.pack(recordio.IRHeader(0, label, number, 0), content))
            records.append(
                {
                    "name": source.names[number],
                    "label": label,
                    "height": height,
                    "width": width,
                    "bytes": len(content),
                    "sha256": hashlib.sha256(content).hexdigest(),
                    "kept": kept,
                }
            )
            bar.update()
        size = writer.tell()
    finally:
        writer.close()
    written = record_file.stat().st_size
    if written != size:  # mxnet does not look whether its last bytes reach the disk
        raise OSError(errno.ENOSPC, f"{written:,} of {size:,} bytes of {names[0]} reached the disk")
    return records


@contextmanager
def _scratch(out: Path) -> Iterator[Path]:
    """A folder next to ``out`` that is gone afterwards; what mxnet and the disk say becomes a DataError."""
    scratch = None
    try:
        scratch = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
        yield scratch
    except MXNetError as error:
        raise DataError(f"{out}: cannot be written ({last_line(error)}); is the disk full?") from None
    except OSError as error:
        raise DataError(
            f"{out}: cannot be written ({error.strerror}): expected room in a folder that is there"
        ) from None
    finally:
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)


def _publish(scratch: Path, names: Sequence[str], old: Sequence[str], folder: Path) -> None:
    """Move ``names`` from ``scratch`` to ``folder``, all or none; ``old`` files there give way, or come back."""
    aside, moved = scratch / "old", []
    aside.mkdir()
    try:
        for name in old:
            os.replace(folder / name, aside / name)
        for name in names:
            moved.append(name)
            os.replace(scratch / name, folder / name)
    except BaseException:
        for name in moved:
            if (folder / name).exists():
                (folder / name).unlink()
        for name in old:
            if (aside / name).exists():
                os.replace(aside / name, folder / name)
        raise


def pack(
    folder: Any,
    out: Any,
    settings: Settings = Settings(),
    jobs: Optional[int] = None,
    strict: bool = False,
    overwrite: bool = False,
    webp: bool = False,
    parts: Optional[str] = None,
) -> Packed:
    """Pack the images of a folder into a record file, or with a split into two.

    That is ``out``.rec with its index ``out``.idx, or ``out``_train and ``out``_val. ``out``.json has the class names
    and each record's name, label, size and SHA-256. The order is the folder loader's, as is the split. The scan decides
    what cannot be used: that is left out and reported. All files appear whole and together, or none does.

    Args:
        folder: with a folder for each class, or a CSV file; one that is split already gives two files anyway.
        out: the path to the record file, without its suffix.
        settings: plain JPEGs no longer than ``size`` on the shorter side are stored byte for byte, other images are
            encoded again.
        jobs: threads, one for each processor if None; neither order nor bytes depend on it.
        strict: whether anything that the scan would leave out, or finds suspect, raises DataError.
        overwrite: whether files that are there may be replaced.
        webp: whether .webp files are taken, too.
        parts: which folders are the parts, if their names do not say it (:func:`~.folder_parts.find_layout`).

    Raises:
        DataError, ConfigError: nothing was written.
    """
    check_utf8(out, "mxnet", DataError, "name another file")
    out = Path(out)
    out = out.with_suffix("") if out.suffix == ".rec" else out
    if not out.name:
        raise ConfigError(f"{out}: expected what to call the record file, as in {out / 'pictures'}")
    every = [name for part in ("all",) + PARTS for name in _names(out, part)] + [f"{out.name}.json"]
    old = [name for name in every if (out.parent / name).exists()]
    if old and not overwrite:
        raise DataError(f"{out.parent / old[0]}: already there; choose another name, or overwrite it (--overwrite)")
    jobs = jobs or len(os.sched_getaffinity(0))
    names, described = [], {}
    with _scratch(out) as scratch:
        sources, report = _parts(folder, settings, strict, webp, parts)
        with tqdm(total=sum(map(len, sources.values())), unit="picture", leave=False, disable=None) as bar:
            for part, source in sources.items():
                names += _names(out, part)
                described[part] = {"records": _write_part(scratch, _names(out, part), source, settings, jobs, bar)}
        names.append(f"{out.name}.json")
        (scratch / names[-1]).write_text(
            as_json(
                {
                    "format": FORMAT,
                    "version": VERSION,
                    "class_names": source.class_names,
                    "settings": asdict(settings),
                    "left_out": [asdict(problem) for problem in report.of(LEFT_OUT)],
                    "parts": described,
                }
            )
        )
        _publish(scratch, names, old, out.parent)
    files = [out.parent / _names(out, part)[0] for part in described]
    records = [description["records"] for description in described.values()]
    return Packed(
        [(path, len(part), path.stat().st_size) for path, part in zip(files, records)],
        sum(record["kept"] for part in records for record in part),
        out.parent / names[-1],
        report,
    )
