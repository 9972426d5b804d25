"""Image files without what their pixels do not need: a second try where Pillow stumbles over text or profiles.

    pixels_only(content, keep_exif=True)             # bytes of a PNG or JPEG file, or None

A PNG file is a row of chunks with a length, a name and a checksum; those that pixels need have a name in capitals
(section 5.4 of the PNG specification). A JPEG file is a row of segments with a marker and a length up to the first
scan (annex B of ITU-T T.81); APP1 to APP15 and COM hold metadata, but for APP14, which says what the colours are.
"""

import struct
from typing import List, Optional

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"
EXIF = b"Exif\0\0"
APP0, APP1, APP14, APP15, COMMENT, SCAN, END = 0xE0, 0xE1, 0xEE, 0xEF, 0xFE, 0xDA, 0xD9
#: bytes of whole segments of these kinds, with their length: shorter ones are damaged
WHOLE = {APP0: 16, APP14: 14}


def pixels_only(content: bytes, keep_exif: bool) -> Optional[bytes]:
    """The same file with nothing but what its pixels need, and its EXIF with ``keep_exif``; None for other formats."""
    if content.startswith(PNG):
        return _png(content, keep_exif)
    if content.startswith(JPEG):
        return _jpeg(content, keep_exif)
    return None


def _png(content: bytes, keep_exif: bool) -> bytes:
    kept: List[bytes] = [PNG]
    offset, needed = len(PNG), (b"tRNS", b"eXIf") if keep_exif else (b"tRNS",)
    while offset + 12 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, offset)
        end = offset + 12 + length
        if kind[:1].isupper() or kind in needed:
            kept.append(content[offset:end])
        offset = end
    return b"".join(kept)


def _jpeg(content: bytes, keep_exif: bool) -> Optional[bytes]:
    kept: List[bytes] = [JPEG]
    offset = len(JPEG)
    while offset + 4 <= len(content) and content[offset] == 0xFF:
        marker, length = content[offset + 1], struct.unpack_from(">H", content, offset + 2)[0]
        if marker == 0xFF:  # a byte that only fills
            offset += 1
            continue
        if marker in (SCAN, END):
            return b"".join([*kept, content[offset:]])
        segment = content[offset : offset + 2 + length]
        is_metadata = (
            marker == COMMENT or (APP1 <= marker <= APP15 and marker != APP14) or length < WHOLE.get(marker, 0)
        )
        if not is_metadata or (keep_exif and marker == APP1 and segment[4:].startswith(EXIF)):
            kept.append(segment)
        offset += 2 + length
    return None
