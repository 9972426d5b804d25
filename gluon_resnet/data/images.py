"""Images from files, and what a trained network expects of them.

    X = prepare(read_image("cat.png"), PREPARATIONS["torchvision"])     # (3, 224, 224) float32

Decoded by Pillow, resized by OpenCV; reading.py is the faster way, for batches. A network only recognises images that
are prepared as in its training, so every family has a row: torchvision's and the MXNet zoo's trained weights take RGB
scaled to mean 0 and variance 1 over ImageNet, those of Keras take BGR from 0 to 255 with ImageNet's mean taken off, and
the book's networks plain numbers from 0 to 1.
"""

import io
import re
import threading
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Optional, Tuple, TypeVar, Union

import cv2
import numpy
from PIL import Image, ImageFile

from ..errors import DataError
from ..networks.families import ROWS, images_of
from ..weights.published import find
from .conversion import MAX_PIXELS, Notes, odd, rgb, turned
from .metadata import pixels_only
from .pixels import EXACT, look_up, resize, tables

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP")
SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp")
SAME = 2  # grey levels by which an image of one colour may differ, as after JPEG
Result = TypeVar("Result")
#: A side is this many times the other at most before an image is cropped: what is further out of the middle is cut off,
#: as a picture of 60,000x1 would be enlarged to 15 million pixels by 256 first.
LONGEST = 16


@dataclass(frozen=True)
class Preparation:
    """How one family's networks, or the weights of one file, want their images."""

    resize: Optional[int]  # the shorter side before the centre crop; None squeezes the whole image to the crop's size
    scale: float  # factor on 0..255
    mean: Tuple[float, ...]  # by channel, after the scale
    std: Tuple[float, ...]
    bgr: bool = False
    crop: int = 224
    interpolation: Optional[str] = None  # Pillow's name of it, as torchvision and timm resize; None as resize() does
    reading: str = EXACT  # or FAST: how files are decoded and resized for it (reading.py, pixels.py)

    @property
    def side(self) -> int:
        """The least height and width, in pixels, of an image that is resized for this network."""
        return max(self.crop, self.resize or 0)

    def at(self, crop: Optional[int]) -> "Preparation":
        """The same for another side of the network's input; None keeps it."""
        if crop is None:
            return self
        return replace(self, crop=crop, resize=self.resize and round(self.resize * crop / self.crop))


IMAGENET = Preparation(256, 1 / 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CAFFE = Preparation(None, 1.0, (103.939, 116.779, 123.68), (1.0, 1.0, 1.0), bgr=True)
PLAIN = Preparation(None, 1 / 255, (0.0,), (1.0,))
HALF = Preparation(256, 1 / 255, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))  # of some of timm's weights

#: preparation -> its numbers; which family has which is in the table of families, networks/families.py
NAMED = {"imagenet": IMAGENET, "caffe": CAFFE, "plain": PLAIN, "half": HALF}


def _preparation(images: Any) -> Preparation:
    """The Preparation of a family's ``images``; what is not of 224x224, such as CIFAR's, is not cropped."""
    named = NAMED[images.preparation]
    return named if images.side == named.crop else replace(named, resize=None, crop=images.side)


#: family -> how its published weights were trained to see images
PREPARATIONS = {family: _preparation(images_of(family)) for family in ROWS}


def as_published(weights: Union[str, Path], model: str) -> Optional[Preparation]:
    """How images were prepared when the weights that ``weights`` names were tested; None if it is a file.

    Raises WeightsError if ``model`` has no such published weights.
    """
    row = find(weights, model)
    if row is None:
        return None
    return replace(NAMED[row.pixels], resize=row.resize, crop=row.crop, interpolation=row.interpolation)


def to_train(family: str, weights: Union[str, Path, None], model: str) -> Preparation:
    """The preparation of ``family``, with the pixels as numbers that the published ``weights`` to start from want."""
    own, published = PREPARATIONS[family], as_published(weights, model) if weights else None
    if published is None:
        return own
    return replace(own, scale=published.scale, mean=published.mean, std=published.std, bgr=published.bgr)


class _WholeFilesOnly:
    """Context in which Pillow refuses files that are cut off, even if another library (gluoncv) allows them.

    Pillow's switch and the warning filters belong to the whole process, and several threads read images. The first
    thread to enter remembers how both were set, the last one to leave restores them.
    """

    def __init__(self) -> None:
        self.lock, self.inside = threading.Lock(), 0

    def __enter__(self) -> None:
        with self.lock:
            if not self.inside:
                self.quiet, self.before = warnings.catch_warnings(), ImageFile.LOAD_TRUNCATED_IMAGES
                self.quiet.__enter__()
                warnings.simplefilter("ignore")  # of Pillow, about metadata and large images
                ImageFile.LOAD_TRUNCATED_IMAGES = False
            self.inside += 1

    def __exit__(self, *error: Any) -> None:
        with self.lock:
            self.inside -= 1
            if not self.inside:
                ImageFile.LOAD_TRUNCATED_IMAGES = self.before
                self.quiet.__exit__(*error)


whole_files_only = _WholeFilesOnly()


def with_image(file: Any, work: Callable[[Any, Notes], Result], notes: Optional[Notes] = None) -> Result:
    """``work(image, notes)`` for the Pillow image in ``file``; if that fails, again without the file's metadata.

    Args:
        file: a path, or a BytesIO.
        work: what is done with the open image.
        notes: takes what was odd.

    Raises:
        Exception: what Pillow raises for a file whose pixels cannot be read either.
    """
    found: Notes = []
    try:
        with whole_files_only, Image.open(file, formats=FORMATS) as image:
            result = work(image, found)
    except (MemoryError, FileNotFoundError, Image.DecompressionBombError):
        raise
    except Exception as error:  # Pillow's plugins raise whatever a damaged file makes them
        found = []
        result = _without_metadata(file, work, found, error)
        odd(found, error)
    if notes is not None:
        notes += found
    return result


def _without_metadata(file: Any, work: Callable[[Any, Notes], Result], found: Notes, error: Exception) -> Result:
    """:func:`with_image` of the pixels alone; raises ``error``, the first one, if that fails, too."""
    try:
        content = file.getvalue() if isinstance(file, io.BytesIO) else Path(file).read_bytes()
    except OSError:
        raise error from None
    for keep_exif in (True, False):
        pixels = pixels_only(content, keep_exif)
        if pixels is None:
            break
        try:
            with whole_files_only, Image.open(io.BytesIO(pixels), formats=FORMATS) as image:
                return work(image, found)
        except MemoryError:
            raise
        except Exception:
            found.clear()
    raise error


def read_image(path: Union[str, Path], notes: Optional[Notes] = None) -> numpy.ndarray:
    """The image at ``path`` as uint8 (H, W, 3) RGB, upright as its EXIF says; of an animation the first frame.

    JPEG, PNG, GIF, WebP and BMP; grey, palette, alpha (over white), CMYK and 16 bits. ``notes`` takes what was not read
    as it is stored. DataError for anything else. May be called by several threads at once.
    """
    return _decode(path, path) if notes is None else _decode(path, path, notes)


def decode_image(content: bytes, name: Any) -> numpy.ndarray:
    """:func:`read_image` of the bytes ``content`` of a file; ``name`` is what to call it in a message."""
    return _decode(io.BytesIO(content), name)


def _decode(file: Any, name: Any, notes: Optional[Notes] = None) -> numpy.ndarray:
    try:
        return turned(*with_image(file, rgb, notes))
    except Image.DecompressionBombError as error:
        pixels = int(re.findall("[0-9]+", str(error))[0])
        raise DataError(f"{name}: has {pixels:,} pixels: expected at most {MAX_PIXELS:,}; scale it down") from None
    except FileNotFoundError:
        raise DataError(f"{name}: no such file") from None
    except MemoryError:
        raise
    except Exception as error:  # Pillow's plugins raise whatever a damaged file makes them
        strange = "cannot identify" in str(error)
        plain = error if isinstance(error, (OSError, SyntaxError, ValueError)) else repr(error)
        reason = "is not a picture in one of these formats" if strange else f"cannot be decoded ({plain})"
        raise DataError(f"{name}: {reason}: expected a whole {', '.join(suffix[1:] for suffix in SUFFIXES)}") from None


def one_colour(image: numpy.ndarray) -> bool:
    """Whether there is nothing to see in ``image`` uint8 (H, W, 3): all pixels are the same, but for SAME levels."""
    step = max(1, min(image.shape[:2]) // 32)  # a few pixels tell of nearly every image that there is something
    for pixels in (image[::step, ::step], image):
        pixels = pixels.reshape(-1, 3)
        if int((pixels.max(axis=0).astype(int) - pixels.min(axis=0)).max()) > SAME:
            return False
    return True


def view(image: numpy.ndarray, preparation: Preparation) -> numpy.ndarray:
    """The part of the image that the network sees, uint8 (crop, crop, 3): resized, then cropped at the centre."""
    crop = preparation.crop
    if preparation.resize is None:
        return resize(image, crop, crop, preparation.reading)
    image = _middle(image)
    if preparation.interpolation is not None:
        return _pillow_view(image, preparation.resize, crop, preparation.interpolation)
    height, width = image.shape[:2]
    factor = preparation.resize / min(height, width)
    image = resize(image, max(crop, round(height * factor)), max(crop, round(width * factor)), preparation.reading)
    top, left = (image.shape[0] - crop) // 2, (image.shape[1] - crop) // 2
    return image[top : top + crop, left : left + crop]


def _middle(image: numpy.ndarray) -> numpy.ndarray:
    """What is at most LONGEST times as long as it is wide of an image, or the other way round."""
    height, width = image.shape[:2]
    most = LONGEST * min(height, width)
    top, left = max(0, height - most) // 2, max(0, width - most) // 2
    return image[top : top + most, left : left + most]


def _pillow_view(image: numpy.ndarray, shorter: int, crop: int, interpolation: str) -> numpy.ndarray:
    """:func:`view` to the pixel as Resize and CenterCrop of torchvision.transforms do it, on which timm builds, too."""
    height, width = image.shape[:2]
    short, long = min(height, width), max(height, width)
    longer = int(shorter * long / short)
    size = (shorter, longer) if width <= height else (longer, shorter)  # (width, height)
    resized = Image.fromarray(image).resize(size, Image.Resampling[interpolation.upper()])
    left, top = (int(round((side - crop) / 2)) for side in size)
    return numpy.asarray(resized.crop((left, top, left + crop, top + crop)))


def normalize(
    seen: numpy.ndarray, preparation: Preparation, in_channels: int = 3, out: Optional[numpy.ndarray] = None
) -> numpy.ndarray:
    """What :func:`view` gave, as the network's input.

    Args:
        seen: uint8 (crop, crop, 3) RGB.
        preparation: the network's.
        in_channels: channels of its input, 1 (grey) or 3.
        out: where to put the result, such as a place in a batch; new if None.

    Returns:
        float32 (in_channels, crop, crop).
    """
    if in_channels == 1:
        seen = cv2.cvtColor(seen, cv2.COLOR_RGB2GRAY)[:, :, None]
    elif preparation.bgr:
        seen = seen[:, :, ::-1]
    return look_up(seen, tables(preparation.scale, preparation.mean, preparation.std, in_channels), out)
