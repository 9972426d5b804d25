"""Changes to training images that leave their class alone: a random crop, a flip, colours.

    augment = Augment(crop=(0.25, 1.0), flip=0.5, brightness=0.2, contrast=0.2, saturation=0.2)
    train_iter, val_iter = gr.load_data_bird_photos("bird_photos", augment=augment)

Each image of a pass has its own seed, so the result does not depend on which thread makes it. The crop is that of
Szegedy et al., 2014 (arXiv 1409.4842, section 6); the colours are Pillow's ImageEnhance.
"""

import math
from dataclasses import dataclass
from typing import Optional, Tuple

import numpy
from PIL import Image, ImageEnhance

from ..errors import ConfigError
from .images import resize

TRIES = 10  # crops drawn before the whole image is taken
ENLARGED = 256 / 224  # side of the kept image to that of the network's, where crops are cut out of it


def _share(low: float, high: float) -> bool:
    return 0 < low <= high <= 1


@dataclass(frozen=True)
class Augment:
    """What may happen to a training image; each field is off at None or 0. ConfigError for one out of range."""

    crop: Optional[Tuple[float, float]] = (0.25, 1.0)  # least and largest share of the image's area
    ratio: Tuple[float, float] = (3 / 4, 4 / 3)  # least and largest width / height of a crop
    flip: float = 0.5  # probability of swapping left and right
    brightness: float = 0.0  # a factor from 1 - brightness to 1 + brightness, as for the next two
    contrast: float = 0.0
    saturation: float = 0.0

    def __post_init__(self) -> None:
        if self.crop is not None and not (len(self.crop) == 2 and _share(*self.crop)):
            raise ConfigError(f"crop is {self.crop}: expected (least, largest) share of the area, up to 1, or None")
        if len(self.ratio) != 2 or not 0 < self.ratio[0] <= self.ratio[1]:
            raise ConfigError(f"ratio is {self.ratio}: expected (least, largest) width / height")
        for name in ("flip", "brightness", "contrast", "saturation"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} is {getattr(self, name)}: expected 0 to 1")

    def draw_crop(self, height: int, width: int, random: numpy.random.RandomState) -> Tuple[int, int, int, int]:
        """(top, left, height, width) of a random part of ``height`` x ``width`` pixels; ``random`` is a RandomState."""
        for _ in range(TRIES):
            area = random.uniform(*(self.crop or (1.0, 1.0))) * height * width
            ratio = math.exp(random.uniform(*numpy.log(self.ratio)))  # so that 3:4 is as likely as 4:3
            h, w = round(math.sqrt(area / ratio)), round(math.sqrt(area * ratio))
            if 0 < h <= height and 0 < w <= width:
                return random.randint(height - h + 1), random.randint(width - w + 1), h, w
        return 0, 0, height, width

    def __call__(self, image: numpy.ndarray, height: int, width: int, seed: int) -> numpy.ndarray:
        """``image`` changed as ``seed`` decides, uint8 (height, width, 3).

        Args:
            image: uint8 (H, W, 3).
            height: of the result, in pixels.
            width: of the result, in pixels.
            seed: the same seed gives the same result.

        Returns:
            The changed image.
        """
        random = numpy.random.RandomState(seed)
        if self.crop is not None:
            top, left, h, w = self.draw_crop(image.shape[0], image.shape[1], random)
            image = image[top : top + h, left : left + w]
        if image.shape[:2] != (height, width):
            image = resize(image, height, width)
        if random.uniform() < self.flip:
            image = image[:, ::-1]
        for strength, change in (
            (self.brightness, ImageEnhance.Brightness),
            (self.contrast, ImageEnhance.Contrast),
            (self.saturation, ImageEnhance.Color),
        ):
            if strength:
                factor = random.uniform(1 - strength, 1 + strength)
                image = numpy.asarray(change(Image.fromarray(numpy.ascontiguousarray(image))).enhance(factor))
        return image
