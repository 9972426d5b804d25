"""A Pillow image as pixels: upright RGB, in little more memory than they need themselves.

    with Image.open("cat.png") as image:
        pixels, turn = rgb(image, notes)                  # uint8 (H, W, 3), as stored
    upright = turned(pixels, turn)

A small file can be a large picture: 671 KB of PNG decode to 88 million pixels of 16 bits. So MAX_PIXELS are decoded at
once, however many threads there are, and a large image is converted piece by piece.
"""

import ctypes
import threading
from contextlib import contextmanager
from typing import Any, Iterator, List, Optional, Tuple

import numpy
from PIL import Image

MAX_PIXELS = 89_478_485  # Pillow's own limit, from which on it warns: 256 MiB as RGB
PIECE = 2**22  # pixels that are converted at once
LARGE = 2**24  # pixels, after which the memory goes back to the system: the C library keeps some for each thread
ORIENTATION = 0x0112  # EXIF's number of it
#: EXIF's orientation -> how an image is turned upright
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
#: the turns that swap height and width
LYING = {Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270, Image.Transpose.TRANSPOSE, Image.Transpose.TRANSVERSE}
#: turn -> (whether rows become columns, step along the rows, step along the columns), in this order
_STEPS = {
    None: (False, 1, 1),
    Image.Transpose.FLIP_LEFT_RIGHT: (False, 1, -1),
    Image.Transpose.ROTATE_180: (False, -1, -1),
    Image.Transpose.FLIP_TOP_BOTTOM: (False, -1, 1),
    Image.Transpose.TRANSPOSE: (True, 1, 1),
    Image.Transpose.ROTATE_270: (True, 1, -1),
    Image.Transpose.TRANSVERSE: (True, -1, -1),
    Image.Transpose.ROTATE_90: (True, -1, 1),
}
Notes = List[Tuple[str, str, str, str]]  # what was not read as it is stored: problem, expected, found, advice


class _Room:
    """Contexts of ``pixels`` each, of which all threads together have ``most``: who finds too few left waits."""

    def __init__(self, most: int) -> None:
        self.free, self.change = most, threading.Condition()

    @contextmanager
    def __call__(self, pixels: int) -> Iterator[None]:
        with self.change:
            self.change.wait_for(lambda: pixels <= self.free)
            self.free -= pixels
        try:
            yield
        finally:
            with self.change:
                self.free += pixels
                self.change.notify_all()


_room = _Room(MAX_PIXELS)
_libc = ctypes.CDLL(None)
_own = threading.local()  # ``has_room``: whether this thread is in a context of room_for


@contextmanager
def room_for(size: Tuple[int, int]) -> Iterator[None]:
    """Context in which an image of this size is decoded, and its pixels are used, when there is room for them.

    In the context of another image's or of its own, a thread does not wait again. Raises DecompressionBombError if the
    image has more than MAX_PIXELS; Pillow itself only does so above twice as many.
    """
    pixels = size[0] * size[1]
    if pixels > MAX_PIXELS:
        raise Image.DecompressionBombError(f"{pixels} pixels, more than {MAX_PIXELS}")
    if getattr(_own, "has_room", False):
        yield
        return
    with _room(pixels):
        _own.has_room = True
        try:
            yield
        finally:
            _own.has_room = False
            trim = getattr(_libc, "malloc_trim", None)  # only glibc has it
            if pixels > LARGE and trim is not None:
                trim(0)


def odd(notes: Notes, error: Exception) -> None:
    """Note metadata that could not be read."""
    reason = " ".join(str(error).split())[:100] or type(error).__name__
    notes.append(("odd metadata", "metadata that can be read", reason, "the pixels are used"))


def turned(pixels: numpy.ndarray, turn: Optional[Any]) -> numpy.ndarray:
    """``pixels`` (H, W, 3) after a turn of TURNS' or None, in memory of their own if anything changes."""
    swapped, down, across = _STEPS[turn]
    return numpy.ascontiguousarray((pixels.transpose(1, 0, 2) if swapped else pixels)[::down, ::across])


def rgb(image: Any, notes: Notes) -> Tuple[numpy.ndarray, Optional[Any]]:
    """(the pixels of an open Pillow image as uint8 (H, W, 3), how its EXIF says they are turned upright or None).

    Alpha is laid over white, 16 bits become 8; palettes, grey and CMYK are converted. ``notes`` takes what was odd.
    """
    with room_for(image.size):
        image.load()
        turn = _turn(image, notes)
        return _to_rgb(image, notes), turn


def _turn(image: Any, notes: Notes) -> Optional[Any]:
    """How the EXIF of an image, if it can be read, says that it is turned upright."""
    turn = None
    try:
        exif = image.getexif()
        turn = TURNS.get(exif.get(ORIENTATION))
        if turn is not None:
            exif.tobytes()  # only to see whether the rest can be read
    except Exception as error:  # whatever odd EXIF makes Pillow raise
        odd(notes, error)
    return turn


def _pieces(image: Any) -> Iterator[Tuple[int, Any]]:
    """(its first row, an image of some rows) of all rows of ``image``; of a small one (0, itself)."""
    width, height = image.size
    if width * height <= PIECE:
        yield 0, image
        return
    rows = max(1, PIECE // width)
    for top in range(0, height, rows):
        yield top, image.crop((0, top, width, min(height, top + rows)))


def _to_rgb(image: Any, notes: Notes) -> numpy.ndarray:
    """An image of any kind as uint8 (H, W, 3).

    An alpha channel that is 0 everywhere would leave nothing to see: it counts as none.
    """
    mode = image.mode
    has_alpha = not _is_deep(mode) and ("A" in mode or "transparency" in image.info)
    seen = has_alpha and any(piece.convert("RGBA").getchannel("A").getextrema()[1] for _, piece in _pieces(image))
    if has_alpha and seen:
        notes.append(("transparent", "RGB", mode, "laid over white"))
    elif has_alpha:
        notes.append(("empty alpha channel", "something to see", f"{mode}, alpha 0 everywhere", "read without alpha"))
    width, height = image.size
    pixels = numpy.empty((height, width, 3), numpy.uint8)
    for top, piece in _pieces(image):
        pixels[top : top + piece.size[1]] = _piece_to_rgb(piece, has_alpha, seen)
    return pixels


def _is_deep(mode: str) -> bool:
    """Whether a mode has more than 8 bits."""
    return mode.startswith("I") or mode == "F"


def _piece_to_rgb(image: Any, has_alpha: bool, seen: bool) -> numpy.ndarray:
    """:func:`_to_rgb` of a few rows; ``seen`` is whether the alpha channel counts."""
    if _is_deep(image.mode):  # 16-bit grey: Pillow's own conversion clips at 255
        values = numpy.asarray(image, dtype=numpy.float64)
        image = Image.fromarray((values / 257).round().clip(0, 255).astype(numpy.uint8))
    if has_alpha:
        image = image.convert("RGBA")
    if seen:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return numpy.asarray(image.convert("RGB"))
