"""Images read for batches of a known size: a JPEG file is not decoded larger than is of use there.

    read_least("cat.jpg", (224, 224))                # uint8 (H, W, 3), at least 448x448 of a larger photograph

Decoded by OpenCV, which lets other threads work meanwhile. A photograph that is at least four times as high and wide
as is of use comes out of the decoder 2, 4 or 8 times smaller. Otherwise OpenCV's pixels are Pillow's own, as both have
libjpeg-turbo. Everything but 8-bit JPEG in grey or RGB (other formats, CMYK, damaged files) is read by Pillow.
"""

import io
import struct
from pathlib import Path
from typing import Any, Optional, Tuple, Union

import cv2
import numpy
from PIL import Image

from .conversion import LYING, ORIENTATION, TURNS, Notes, room_for, turned
from .images import Preparation, decode_image, read_image, whole_files_only
from .pixels import EXACT

Size = Tuple[int, int]  # (height, width)
JPEG = b"\xff\xd8\xff"
#: Markers of a JPEG file (ISO/IEC 10918-1, table B.1): JFIF's header, Huffman and quantization tables, restart
#: interval, comment; and the frames that libjpeg decodes: baseline, extended, progressive.
JFIF, JFIF_LENGTH = 0xE0, 16
WITHOUT_METADATA, FRAMES = (JFIF, 0xC4, 0xDB, 0xDD, 0xFE), (0xC0, 0xC1, 0xC2)
LEFT = 2  # times the size wanted is left at least, so that resizing still averages over several pixels
LEAST = 64  # pixels of a side are left in any case: the scan finds copies by so many (scan.py)
#: by how much the decoder makes an image smaller -> how OpenCV is told to
SMALLER = {
    8: cv2.IMREAD_REDUCED_COLOR_8,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    1: cv2.IMREAD_COLOR,
}
AS_STORED = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION


def read_least(path: Union[str, Path], least: Size, notes: Optional[Notes] = None) -> numpy.ndarray:
    """:func:`~.images.read_image`, or the same image made smaller.

    Args:
        path: of the file.
        least: (height, width), in pixels, that the image will be resized to.
        notes: as for read_image.

    Returns:
        uint8 (H, W, 3), either as large as it is stored, or at least twice ``least`` and 64x64.

    Raises:
        DataError: as read_image.
    """
    try:
        content = Path(path).read_bytes()
    except OSError:
        return read_image(path, notes)  # says what is wrong
    image = _decode_jpeg(content, least)
    return read_image(path, notes) if image is None else image


def decode_least(content: bytes, name: Any, least: Size) -> numpy.ndarray:
    """:func:`read_least` of the bytes ``content`` of a file; ``name`` is what to call it in a message."""
    image = _decode_jpeg(content, least)
    return decode_image(content, name) if image is None else image


def read_for(path: Union[str, Path], preparation: Preparation) -> numpy.ndarray:
    """The image at ``path`` as ``preparation.reading`` says: by :func:`~.images.read_image` or :func:`read_least`."""
    if preparation.reading == EXACT:
        return read_image(path)
    return read_least(path, (preparation.side, preparation.side))


def _decode_jpeg(content: bytes, least: Size) -> Optional[numpy.ndarray]:
    """An upright image from a JPEG file, uint8 (H, W, 3) RGB; None for what Pillow has to look at."""
    if not content.startswith(JPEG):
        return None
    try:
        size, turn = _size_of_plain(content), None
        if size is None:
            with whole_files_only, Image.open(io.BytesIO(content), formats=("JPEG",)) as header:
                if header.mode not in ("L", "RGB"):
                    return None
                exif, size = header.getexif(), header.size[::-1]
                turn = TURNS.get(exif.get(ORIENTATION))
                if turn is not None:
                    exif.tobytes()  # as read_image(), which notes EXIF that cannot be read
        with room_for(size):
            pixels = cv2.imdecode(numpy.frombuffer(content, numpy.uint8), _smaller(size, least, turn))
    except Exception:  # whatever a damaged file makes either of them raise
        return None
    if pixels is None:  # cut off
        return None
    return turned(pixels, turn)


def _size_of_plain(content: bytes) -> Optional[Size]:
    """(height, width) of a JPEG file in grey or RGB without metadata; None for any other, which Pillow has to look at.

    Nothing in such a file turns the image. Pillow takes a quarter of the time for a small image to read its header,
    and holds Python's lock meanwhile.
    """
    place = 2
    while content[place] == 0xFF and content[place + 1] in WITHOUT_METADATA:
        length = int.from_bytes(content[place + 2 : place + 4], "big")
        if content[place + 1] == JFIF and length < JFIF_LENGTH:
            return None  # cut short, which is noted
        place += 2 + length
    if content[place] != 0xFF or content[place + 1] not in FRAMES:
        return None
    bits, height, width, colours = struct.unpack_from(">BHHB", content, place + 4)
    return (height, width) if bits == 8 and colours in (1, 3) else None


def _smaller(stored: Size, least: Size, turn: Any) -> int:
    """OpenCV's flags for an image of the size ``stored``, which is then turned and resized to ``least``."""
    wanted = [max(LEFT * side, LEAST) for side in (least[::-1] if turn in LYING else least)]
    factor = min(have / want for have, want in zip(stored, wanted))
    return next(flag for times, flag in SMALLER.items() if factor >= times or times == 1) | AS_STORED
