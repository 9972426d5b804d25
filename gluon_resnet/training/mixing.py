"""Random changes to a batch of training images and their labels: parts erased, two images mixed to one.

    X = erase(recipe, X)                               # random erasing, cutout
    drawn = draw_mix(recipe, len(X), 28, 28)           # mixup, cutmix or fmix
    mix(X, drawn), mix(soft_labels(y, 10), drawn)

Arrays are NumPy's; everything random comes from its global generator, whose state is in a run's checkpoints. Sources:
label smoothing, arXiv 1512.00567, section 7; mixup, arXiv 1710.09412; cutmix, arXiv 1905.04899; fmix, arXiv 2002.12047;
random erasing, arXiv 1708.04896; cutout, arXiv 1708.04552.
"""

import math
from typing import Any, Optional, Tuple, Union

import numpy

from .recipe import Recipe

#: where an image is pasted into another: (top, bottom, left, right), or a mask (H, W) of the pixels that are left
Where = Union[None, Tuple[int, int, int, int], numpy.ndarray]
#: how a batch is mixed: (partners, share, where), see :func:`draw_mix`
Mix = Tuple[numpy.ndarray, float, Where]

ERASED = (0.02, 0.4)  # least and largest share of an image's area, as in the paper
RATIO = 0.3  # least height / width of what is erased; the largest is its inverse
TRIES = 10  # rectangles drawn for an image before nothing is erased
DECAY = 3  # fmix: an amplitude falls with this power of its frequency


def soft_labels(y: Any, num_classes: int, smoothing: float = 0.0) -> numpy.ndarray:
    """(N,) class numbers as float32 (N, num_classes): 1 - smoothing at the class, smoothing spread over all."""
    labels = numpy.full((len(y), num_classes), smoothing / num_classes, dtype=numpy.float32)
    labels[numpy.arange(len(y)), numpy.asarray(y, dtype=int)] += 1 - smoothing
    return labels


def draw_mix(recipe: Recipe, count: int, height: int, width: int, random: Any = numpy.random) -> Optional[Mix]:
    """Draw how a batch of images is mixed, by mixup, cutmix or fmix.

    Args:
        recipe: its fields ``mixup``, ``cutmix`` and ``fmix`` are used.
        count: number of images N.
        height: of an image, in pixels.
        width: of an image, in pixels.
        random: numpy.random, or a numpy.random.RandomState.

    Returns:
        (partners, share, where), or None if the recipe has none of them. Image i is mixed with image ``partners[i]``.
        With mixup, ``where`` is None, and the mixed image is ``share`` times the image plus 1 - ``share`` times its
        partner. With cutmix, the rectangle ``where`` = (top, bottom, left, right) of the partner is pasted into the
        image; with fmix, what the mask ``where``, bool (H, W), leaves out. ``share`` is then the share of the area
        that is left.
    """
    kinds = [kind for kind in ("mixup", "cutmix", "fmix") if getattr(recipe, kind)]
    if not kinds:
        return None
    kind = kinds[0] if len(kinds) == 1 else kinds[random.randint(len(kinds))]
    share = float(random.beta(getattr(recipe, kind), getattr(recipe, kind)))
    partners = random.permutation(count)
    if kind == "mixup":
        return partners, share, None
    if kind == "fmix":
        mask = fourier_mask(share, height, width, random)
        return partners, float(mask.mean()), mask
    side = math.sqrt(1 - share)
    middle = random.randint(height), random.randint(width)
    top, left = (int(max(0, at - size * side / 2)) for at, size in zip(middle, (height, width)))
    bottom, right = (int(min(size, at + size * side / 2)) for at, size in zip(middle, (height, width)))
    return partners, 1 - (bottom - top) * (right - left) / (height * width), (top, bottom, left, right)


def grey_noise(height: int, width: int, random: Any = numpy.random) -> numpy.ndarray:
    """Smooth noise (H, W): normal amplitudes, smaller the higher their frequency, transformed back. Source: fmix."""
    rows, columns = (numpy.fft.fftfreq(size) for size in (height, width))  # type: ignore[call-overload]
    frequency = numpy.hypot(rows[:, None], columns)
    amplitude = random.normal(size=(height, width)) + 1j * random.normal(size=(height, width))
    return numpy.fft.ifft2(amplitude / numpy.maximum(frequency, 1 / max(height, width)) ** DECAY).real


def fourier_mask(share: float, height: int, width: int, random: Any = numpy.random) -> numpy.ndarray:
    """A mask bool (H, W), true at about ``share`` of the pixels: those where smooth noise is largest."""
    noise = grey_noise(height, width, random).ravel()
    mask = numpy.zeros(noise.size, dtype=bool)
    mask[numpy.argsort(-noise, kind="stable")[: round(share * noise.size)]] = True
    return mask.reshape(height, width)


def mix(values: numpy.ndarray, drawn: Mix) -> numpy.ndarray:
    """Images (N, C, H, W) or soft labels (N, num_classes), float32, mixed as ``drawn`` by :func:`draw_mix`."""
    partners, share, where = drawn
    if where is None or values.ndim == 2:
        return numpy.float32(share) * values + numpy.float32(1 - share) * values[partners]
    if isinstance(where, numpy.ndarray):
        return numpy.where(where, values, values[partners])
    top, bottom, left, right = where
    mixed = values.copy()
    mixed[:, :, top:bottom, left:right] = values[partners][:, :, top:bottom, left:right]
    return mixed


def inside(boxes: numpy.ndarray, height: int, width: int) -> numpy.ndarray:
    """bool (N, H, W): which pixels are inside an image's box; ``boxes`` (N, 4) are top, bottom, left, right."""
    top, bottom, left, right = boxes.T[:, :, None]
    rows, columns = numpy.arange(height), numpy.arange(width)
    within = (rows >= top) & (rows < bottom), (columns >= left) & (columns < right)
    return within[0][:, :, None] & within[1][:, None, :]


def draw_rectangles(count: int, height: int, width: int, random: Any = numpy.random) -> numpy.ndarray:
    """Boxes (count, 4) to erase, each inside its image: area uniform within ERASED, height / width from RATIO on.

    Source: algorithm 1 of arXiv 1708.04896. A rectangle that does not fit is drawn again, in the end left empty.
    """
    sizes = numpy.zeros((count, 2), dtype=int)
    missing = numpy.arange(count)
    for _ in range(TRIES):
        area = random.uniform(*ERASED, len(missing)) * height * width
        ratio = random.uniform(RATIO, 1 / RATIO, len(missing))
        drawn = numpy.rint(numpy.sqrt(numpy.stack([area * ratio, area / ratio], axis=1))).astype(int)
        fits = (drawn <= (height, width)).all(axis=1)
        sizes[missing[fits]] = drawn[fits]
        missing = missing[~fits]
    top, left = (random.rand(2, count) * (numpy.array([[height], [width]]) - sizes.T + 1)).astype(int)
    return numpy.stack([top, top + sizes[:, 0], left, left + sizes[:, 1]], axis=1)


def draw_squares(side: int, count: int, height: int, width: int, random: Any = numpy.random) -> numpy.ndarray:
    """Boxes (count, 4) of cutout: squares with their middles anywhere in the image, so that a part may be outside."""
    middle = numpy.stack([random.randint(height, size=count), random.randint(width, size=count)], axis=1)
    start = middle - side // 2
    return numpy.stack([start[:, 0], start[:, 0] + side, start[:, 1], start[:, 1] + side], axis=1)


def erase(recipe: Recipe, X: numpy.ndarray, random: Any = numpy.random) -> numpy.ndarray:
    """A batch X float32 (N, C, H, W) with parts of its images erased, as the recipe's ``erase`` and ``cutout`` say.

    Random erasing fills a rectangle with noise between the batch's least and largest number, cutout a square with 0.
    """
    count, channels, height, width = X.shape
    changed = X.copy()
    if recipe.erase:
        chosen = random.rand(count) < recipe.erase
        pixels = inside(draw_rectangles(count, height, width, random), height, width) & chosen[:, None, None]
        pixels = numpy.broadcast_to(pixels[:, None], X.shape)
        changed[pixels] = random.uniform(X.min(), X.max(), int(pixels.sum()))
    if recipe.cutout:
        squares = draw_squares(recipe.cutout, count, height, width, random)
        changed[numpy.broadcast_to(inside(squares, height, width)[:, None], X.shape)] = 0
    return changed
