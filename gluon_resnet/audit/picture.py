"""Pairs of images at several distances, as a figure: it shows what a distance means."""

from typing import Sequence

import numpy
import pandas as pd
from matplotlib.figure import Figure

from ..figures import new_figure

ROWS, COLUMNS = 10, 8  # bands of distance, and pairs from each
FAR = 500.0  # of Fashion-MNIST's images, 5,361 pairs are nearer; with more distance they are soon millions


def reach(distance: float) -> float:
    """Where the bands end: at twice the distance asked for, but not beyond FAR, unless the distance itself is."""
    return max(distance, min(2 * distance, FAR))


def shown(pairs: pd.DataFrame, low: float, high: float) -> pd.DataFrame:
    """Up to COLUMNS pairs of a table of near_pairs with a distance from ``low`` to below ``high``, evenly spread."""
    band = pairs[(pairs["distance"] >= low) & (pairs["distance"] < high)]
    places = numpy.unique(numpy.linspace(0, len(band) - 1, COLUMNS).round().astype(int)) if len(band) else []
    return band.iloc[places]


def draw(images: numpy.ndarray, pairs: pd.DataFrame, distance: float, names: Sequence[str]) -> Figure:
    """A row of pairs for each band of distance, with the line that ``distance`` draws.

    Args:
        images: uint8 (N, H, W).
        pairs: a table of near_pairs, up to :func:`reach` of ``distance``.
        distance: below which pairs count as near.
        names: N short names, written below the images.
    """
    figure = new_figure(COLUMNS * 1.5, ROWS * 1.15)
    axes = figure.subplots(ROWS, COLUMNS, squeeze=False)
    edges = numpy.linspace(0, reach(distance), ROWS + 1)
    gap = numpy.zeros((images.shape[1], 2), numpy.uint8)
    for row, low, high in zip(axes, edges, edges[1:]):
        total = int(((pairs["distance"] >= low) & (pairs["distance"] < high)).sum())
        near = "near" if high <= distance else "not near"
        row[0].set_ylabel(f"{low:g} to {high:g}\n{near}: {total:,}", rotation=0, ha="right", va="center", fontsize=9)
        for axis in row:
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        for axis, pair in zip(row, shown(pairs, low, high).itertuples(index=False)):
            axis.imshow(255 - numpy.hstack([images[pair.i], gap, images[pair.j]]), cmap="gray", vmin=0, vmax=255)
            axis.set_xlabel(f"{names[pair.i]}, {names[pair.j]}", fontsize=6.5)
    figure.suptitle("pairs by distance", fontsize=11)
    return figure
