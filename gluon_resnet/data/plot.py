"""Images in a grid with their classes, as article 000 shows its birds."""

from typing import Any, Sequence

from matplotlib.figure import Figure

from ..figures import fonts, new_figure

LONGEST = 22  # characters of a title that fit above an image


def _short(title: str) -> str:
    title = title.replace("_", " ")
    return title if len(title) <= LONGEST else title[: LONGEST - 1] + "\N{HORIZONTAL ELLIPSIS}"


def draw_pictures(
    pictures: Sequence[Any], titles: Sequence[str], heading: str = "Bird Photos", num_columns: int = 4
) -> Figure:
    """Images in rows, each below its title.

    Source: article 000, whose figure is 10 x 5 inches with 2 x 4 images.

    Args:
        pictures: the images, (H, W, 3) each, uint8 or 0.0 to 1.0.
        titles: what to write above each.
        heading: above all of them; "" for none.
        num_columns: images in a row.

    Returns:
        The figure.
    """
    num_columns = min(num_columns, len(pictures))
    num_rows = -(-len(pictures) // num_columns)
    height, width = pictures[0].shape[:2]
    figure = new_figure(2.5 * num_columns, 0.5 + (0.28 + 2.3 * height / width) * num_rows)
    cells = figure.subplots(num_rows, num_columns, squeeze=False).ravel()
    for axes in cells:
        axes.axis("off")
    for axes, picture, title in zip(cells, pictures, titles):
        axes.imshow(picture)
        # a title is text, and a class may be called $100
        axes.set_title(_short(title), fontsize=10, fontfamily=fonts())
    if heading:
        figure.suptitle(heading, fontsize=13, fontfamily=fonts())
    return figure
