"""Pairs of images that are the same, or nearly the same, in arrays of any size.

    near_pairs(images, 250)                          # images uint8 (N, H, W) -> a table: i, j, distance

The distance is Euclidean, over the pixels from 0 to 255. This is for images of one size in memory; duplicates.py of
data/ compares files of any size by perceptual hashes.
"""

import hashlib
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy
import pandas as pd

from ..errors import ConfigError

#: Images that are nearer than this count as near duplicates, unless --distance says otherwise. Of Fashion-MNIST's pairs
#: below it, nearly all show one article; above it, more and more show two that look alike (docs/audit.md).
DISTANCE = 250.0
BLOCK = 1000  # images that are compared with all later ones at once: no more than 1.2 GB, even if all are near
MOST = 500_000  # pairs; with more, the distance says nothing


def firsts(images: numpy.ndarray) -> numpy.ndarray:
    """For each of N images, the index of the first one with the same bytes: int (N,)."""
    seen: Dict[bytes, int] = {}
    return numpy.array(
        [seen.setdefault(hashlib.sha256(image.tobytes()).digest(), i) for i, image in enumerate(images)], dtype=int
    )


def _close(rows: numpy.ndarray, start: int, distance: float) -> Tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    """(i, j, distance) of the pairs with ``start`` <= i < ``start`` + BLOCK and i < j, among rows float32 (N, D)."""
    from sklearn.neighbors import NearestNeighbors

    later = NearestNeighbors(radius=distance, algorithm="brute").fit(rows[start:])
    distances, neighbours = later.radius_neighbors(rows[start : start + BLOCK])
    counts = [len(found) for found in neighbours]
    i = numpy.repeat(numpy.arange(len(counts)), counts)
    j, far = numpy.concatenate(neighbours).astype(int), numpy.concatenate(distances)
    kept = (i < j) & (far < distance)  # scikit-learn's neighbours may also be at the distance itself
    return i[kept] + start, j[kept] + start, far[kept]


def near_pairs(
    images: numpy.ndarray, distance: float = DISTANCE, tell: Optional[Callable[[int], Any]] = None
) -> pd.DataFrame:
    """Pairs of images that are nearer to each other than ``distance``, as a table: i, j (i < j), distance.

    Of equal images only the first is compared with others; the others are paired with it, at the distance 0.

    Args:
        images: uint8 (N, H, W) or (N, H, W, 3).
        distance: Euclidean, over pixels from 0 to 255.
        tell: called with numbers of images that have been compared, N in all, for a progress bar.

    Returns:
        The table, nearest first; equal distances in the order of the images.

    Raises:
        ConfigError: the distance is not above 0, or so large that there are more than MOST pairs.
    """
    if not 0 < distance < numpy.inf:
        raise ConfigError(f"distance is {distance:g}: expected a number above 0, such as {DISTANCE:g}")
    first = firsts(images)
    unique = numpy.flatnonzero(first == numpy.arange(len(images)))
    copies = numpy.flatnonzero(first != numpy.arange(len(images)))
    found: List[Tuple[Any, Any, Any]] = [(first[copies], copies, numpy.zeros(len(copies)))]
    rows = images[unique].reshape(len(unique), -1).astype(numpy.float32)
    total = len(copies)
    for start in range(0, len(rows), BLOCK):
        i, j, far = _close(rows, start, distance)
        total += len(i)
        if total > MOST:
            raise ConfigError(
                f"distance is {distance:g}: more than {MOST:,} pairs of images are nearer than that: expected a "
                f"smaller one, such as {DISTANCE:g}"
            )
        found.append((unique[i], unique[j], far))
        if tell:
            tell(BLOCK if start + BLOCK < len(rows) else len(images) - start)
    i, j, far = (numpy.concatenate(column) for column in zip(*found))
    table = pd.DataFrame({"i": i, "j": j, "distance": far})
    return table.sort_values(["distance", "i", "j"], kind="stable", ignore_index=True)


def by_part(pairs: pd.DataFrame, labels: numpy.ndarray, sizes: Tuple[int, int], names: Tuple[str, str]) -> pd.DataFrame:
    """A table of :func:`near_pairs` over two parts after each other, with parts, indices in them and labels.

    Args:
        pairs: the table.
        labels: texts (N,), of all images.
        sizes: the numbers of images of the two parts.
        names: the names of the two parts.

    Returns:
        A table with the columns part_a, index_a, part_b, index_b, distance, label_a, label_b.
    """
    columns: Dict[str, Any] = {}
    for end, place in (("a", pairs["i"].to_numpy(dtype=int)), ("b", pairs["j"].to_numpy(dtype=int))):
        second = place >= sizes[0]
        columns[f"part_{end}"] = numpy.where(second, names[1], names[0])
        columns[f"index_{end}"] = place - sizes[0] * second
        columns[f"label_{end}"] = labels[place]
    table = pd.DataFrame({**columns, "distance": pairs["distance"].to_numpy(dtype=float)})
    return table[["part_a", "index_a", "part_b", "index_b", "distance", "label_a", "label_b"]]
