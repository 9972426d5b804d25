"""Drawn birds in the place of photographs that may not be shown: a folder for each class of chapter 4."""

import numpy
from PIL import Image, ImageDraw, ImageFilter

#: class -> (colour of the head, body, wing, length of the beak, length of the neck), lengths as shares of the body
SPECIES = {
    "Red_headed_Woodpecker": ((178, 24, 32), (240, 238, 232), (28, 28, 40), 0.30, 0.05),
    "Rufous_Hummingbird": ((214, 96, 36), (228, 170, 116), (150, 92, 48), 0.55, 0.00),
    "Scarlet_Tanager": ((214, 30, 34), (214, 30, 34), (24, 24, 28), 0.16, 0.00),
    "Western_Grebe": ((34, 34, 42), (236, 236, 236), (112, 112, 120), 0.34, 0.45),
}
OF_EACH, SIDE = 60, 256  # as many as the photographs, and their usual shorter side
BACKGROUNDS = ((138, 176, 120), (150, 190, 222), (206, 190, 160), (110, 140, 104))


def _ellipse(draw, centre, radii, colour):
    (x, y), (across, up) = centre, radii
    draw.ellipse([x - across, y - up, x + across, y + up], fill=colour)


def bird(species, random):
    """An image (SIDE, SIDE) of a bird of ``species``, seen from the side; size, place and background are random."""
    head, body, wing, beak, neck = SPECIES[species]
    background = numpy.array(BACKGROUNDS[random.randint(len(BACKGROUNDS))]) + random.randint(-25, 26, 3)
    blotches = Image.fromarray(random.randint(0, 256, (8, 8, 3)).astype("uint8")).resize((SIDE, SIDE), Image.BICUBIC)
    image = Image.blend(Image.new("RGB", (SIDE, SIDE), tuple(int(value) for value in background)), blotches, 0.25)
    draw = ImageDraw.Draw(image)
    length = random.uniform(0.20, 0.30) * SIDE  # half of the body's
    x, y = SIDE * random.uniform(0.42, 0.58, 2)
    top = (x + 0.85 * length, y - (0.55 + neck) * length)
    draw.line([(0, y + 0.75 * length), (SIDE, y + 0.7 * length)], fill=(92, 70, 50), width=7)
    draw.polygon(
        [(x - 0.8 * length, y - 6), (x - 1.7 * length, y + 0.3 * length), (x - 0.7 * length, y + 12)], fill=wing
    )
    for leg in (-0.1, 0.2):
        draw.line(
            [(x + leg * length, y + 0.4 * length), (x + leg * length, y + 0.75 * length)], fill=(70, 50, 40), width=3
        )
    draw.line([(x + 0.55 * length, y - 0.1 * length), top], fill=body, width=int(0.4 * length))
    _ellipse(draw, (x, y), (length, 0.55 * length), body)
    _ellipse(draw, (x - 0.2 * length, y), (0.65 * length, 0.32 * length), wing)
    tip = (top[0] + (0.3 + beak) * length, top[1] + 0.06 * length)
    draw.polygon([(top[0], top[1] - 0.1 * length), tip, (top[0], top[1] + 0.14 * length)], fill=(60, 56, 50))
    _ellipse(draw, top, (0.32 * length, 0.3 * length), head)
    _ellipse(draw, (top[0] + 0.1 * length, top[1] - 0.06 * length), (3, 3), (10, 10, 10))
    image = image.filter(ImageFilter.GaussianBlur(0.8))
    return image.transpose(Image.FLIP_LEFT_RIGHT) if random.rand() < 0.5 else image


def draw_folder(folder):
    """Write OF_EACH JPEG files of each species into a folder of its own in ``folder``."""
    random = numpy.random.RandomState(0)
    for species in SPECIES:
        (folder / species).mkdir(parents=True)
        for number in range(OF_EACH):
            bird(species, random).save(folder / species / f"{number:04}.jpg", quality=90)
