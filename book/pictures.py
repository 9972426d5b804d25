"""What pictures say about themselves: their size, and an SVG its title and description. Needs no other library."""

import base64
import re


def svg_size(text):
    """(width, height) in pixels of an SVG text, of its width and height or else its viewBox; None without either."""
    tag = re.search(r"<svg\b[^>]*>", text)
    if not tag:
        return None
    sizes = [re.search(rf'\b{name}="([\d.]+)(?:px)?"', tag.group()) for name in ("width", "height")]
    if all(sizes):
        return tuple(round(float(size.group(1))) for size in sizes)
    box = re.search(r'\bviewBox="[\d.-]+[ ,]+[\d.-]+[ ,]+([\d.]+)[ ,]+([\d.]+)"', tag.group())
    return tuple(round(float(size)) for size in box.groups()) if box else None


def png_size(text):
    """(width, height) in pixels of a PNG as base64 text."""
    header = base64.b64decode(text[:64])
    return tuple(int.from_bytes(header[start : start + 4], "big") for start in (16, 20))


def svg_words(text):
    """What an SVG says about itself: its title and description as one text."""
    parts = [re.search(rf"<{name}\b[^>]*>(.*?)</{name}>", text, re.DOTALL) for name in ("title", "desc")]
    return ". ".join(" ".join(part.group(1).split()).rstrip(".") for part in parts if part)
