"""Pictures within the pixel limit, or not far beyond: small files, large pictures, very long ones."""

from PIL import Image

from tests.fuzz.registry import hostile


def picture(folder, width, height, mode, name="picture.png"):
    """A black PNG of so many pixels."""
    Image.new(mode, (width, height)).save(folder / name, compress_level=1)
    return name


def pictures(folder, width, height, mode):
    """Four times the same :func:`picture`."""
    names = [f"{i}.png" for i in range(4)]
    content = (folder / picture(folder, width, height, mode)).read_bytes()
    for name in names:
        (folder / name).write_bytes(content)
    return names


@hostile("scan: four 16-bit pictures of 88 million pixels", value=True, heavy=True)
def _(folder):
    return ("scan", *pictures(folder, 9400, 9400, "I;16"))


@hostile("scan: four pictures with an alpha channel of 88 million pixels", value=True, heavy=True)
def _(folder):
    return ("scan", *pictures(folder, 9400, 9400, "RGBA"))


@hostile("image: 60,000 x 1 pixels", value=True)
def _(folder):
    return "image", picture(folder, 60_000, 1, "L")


@hostile("image: 1 x 50 million pixels", value=True, heavy=True)
def _(folder):
    return "image", picture(folder, 1, 50_000_000, "L")


@hostile("image: 1 x 170 million pixels", heavy=True)
def _(folder):
    return "image", picture(folder, 1, 170_000_000, "L")


@hostile("image: 13,000 x 13,000 pixels")
def _(folder):
    return "image", picture(folder, 13_000, 13_000, "L")
