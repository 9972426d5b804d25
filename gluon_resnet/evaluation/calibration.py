"""Images to calibrate the engine int8 on: of a folder, a CSV or a record file, or of a run's own training part.

    batches = picture_batches("photos", preparation, 3, 512)
    calibrate(spec, params, batches)

Which images are taken depends on their names and number alone, so the result is the same every time.
"""

import os
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any, Callable, Iterator, List, Tuple, Union

import numpy

from ..data.image_folder import open_folder
from ..data.images import SUFFIXES, Preparation, normalize, read_image, view
from ..data.records import RecordSource
from ..errors import DataError
from ..instruments.quantized import LEAST, Batches
from ..machine import system
from ..text import count as counted

IMAGES = 512
BATCH = 8


@lru_cache(maxsize=None)
def say_if_slow() -> None:
    """Say once, on standard error, that a processor without VNNI gains nothing from 8-bit numbers."""
    if not system.onednn_may_use("avx512_vnni"):
        print(
            "gluon_resnet: this processor has no avx512_vnni, or DNNL_MAX_CPU_ISA keeps oneDNN from it: the engine "
            "int8 works and is not faster than gluon",
            file=sys.stderr,
            flush=True,
        )


def spread(total: int, count: int) -> numpy.ndarray:
    """At most ``count`` of the numbers 0 to ``total`` - 1, evenly spread, rising."""
    return numpy.unique(numpy.linspace(0, max(0, total - 1), min(total, count)).round().astype(int))


def _files(path: Path) -> List[Path]:
    """The images in the folder ``path`` and all below it, sorted by name."""
    found = (Path(folder, name) for folder, _, names in os.walk(path) for name in names if not name.startswith("."))
    return sorted(each for each in found if each.suffix.lower() in SUFFIXES)


def _source(path: Path) -> Tuple[int, Callable[[int], numpy.ndarray]]:
    """(number of images at ``path``, the function that reads one as uint8 (H, W, 3))."""
    if not path.exists():
        raise DataError(f"{path}: no such folder or file: expected images to calibrate on")
    if path.is_dir():
        files = _files(path)
        return len(files), lambda i: read_image(files[i])
    source: Any = RecordSource(path) if path.suffix.lower() == ".rec" else open_folder(path)
    return len(source), source.read


def picture_batches(path: Union[str, Path], preparation: Preparation, in_channels: int, count: int = IMAGES) -> Batches:
    """A function that gives batches X (N, C, H, W) float32 of at most ``count`` images at ``path``.

    Args:
        path: a folder, with folders in it or not, a CSV or a record file.
        preparation: how the network wants its images.
        in_channels: channels of the network's input, 1 or 3.
        count: how many images, spread evenly over all.

    Raises:
        DataError: there are fewer than LEAST images; when a batch is asked for, an image cannot be read.
    """
    total, read = _source(Path(path))
    if not total:
        raise DataError(f"{path}: no picture to calibrate on: expected files named {', '.join(SUFFIXES)} in it")
    chosen = spread(total, count)
    if len(chosen) < LEAST:
        found = counted(len(chosen), "picture")
        raise DataError(f"{path}: {found} to calibrate on: expected {LEAST} or more")

    def batches() -> Iterator[numpy.ndarray]:
        for start in range(0, len(chosen), BATCH):
            indices = chosen[start : start + BATCH]
            yield numpy.stack([normalize(view(read(int(i)), preparation), preparation, in_channels) for i in indices])

    return batches


def example_batches(examples: Any, count: int = IMAGES) -> Batches:
    """As :func:`picture_batches` for the Examples of evaluate.py."""
    chosen = spread(len(examples), count)
    return lambda: (examples.X(chosen[start : start + BATCH]) for start in range(0, len(chosen), BATCH))
