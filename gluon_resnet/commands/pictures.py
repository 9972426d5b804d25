"""data show: what is in a folder of images, before any training."""

import json
import sys
from pathlib import Path
from typing import Any, Dict, Optional, Sequence

import gluon_resnet as gr

import click

from . import lazy, options

figures = lazy("figures")
image_folder = lazy("data.image_folder")
text = lazy("text")


def _quantities(series: Any) -> Dict[str, int]:
    """Smallest, median and largest of a column, as whole numbers."""
    values = series.dropna().astype(int)
    return {"smallest": int(values.min()), "median": int(values.median()), "largest": int(values.max())}


def _overview(report: Any, parts: Sequence[Any], batch_size: int, X: Any, y: Any) -> Dict[str, Any]:
    """What the command shows, as a dict for JSON; class names may have any characters."""
    pictures, usable = report.pictures, report.pictures.iloc[report.usable]
    names = parts[0].class_names
    classes = []
    for label, name in enumerate(names):
        numbers = [int((pictures["class"] == name).sum()), *(int((part.labels == label).sum()) for part in parts)]
        classes.append(
            {
                "class": text.printable(name),
                "pictures": numbers[0],
                "training": numbers[1],
                "validation": numbers[2],
                "left_out": numbers[0] - numbers[1] - numbers[2],
            }
        )
    sizes = usable.groupby(["width", "height"]).size().sort_values(ascending=False, kind="stable")
    return {
        "pictures": len(pictures),
        "training": len(parts[0]),
        "validation": len(parts[1]),
        "classes": classes,
        "sizes": {
            "width": _quantities(usable["width"]),
            "height": _quantities(usable["height"]),
            "different": len(sizes),
            "most_common": [
                {"width": int(w), "height": int(h), "pictures": int(n)} for (w, h), n in sizes.head(3).items()
            ],
        },
        "formats": {
            f"{name} {mode}": int(number) for (name, mode), number in usable.groupby(["format", "mode"]).size().items()
        },
        "report": report.as_dict(),
        "batch": {
            "X": list(X.shape),
            "X_dtype": X.dtype.name,
            "y": list(y.shape),
            "y_dtype": y.dtype.name,
            "lowest": float(X.min()),
            "highest": float(X.max()),
        },
    }


def _as_text(overview: Dict[str, Any], report: Any, where: str, full: bool) -> str:
    sizes, batch = overview["sizes"], overview["batch"]
    rows = [list(row.values()) for row in overview["classes"]]
    rows.append(["total", *(sum(row[column] for row in rows) for column in range(1, 5))])
    common = ", ".join(f"{size['width']}x{size['height']} ({size['pictures']:,})" for size in sizes["most_common"])
    spread = "; ".join(
        f"{side} {numbers['smallest']} to {numbers['largest']}, median {numbers['median']}"
        for side, numbers in (("width", sizes["width"]), ("height", sizes["height"]))
    )
    N, C, H, W = batch["X"]
    return "\n".join(
        [
            f"{where}: {text.count(overview['pictures'], 'picture')}",
            *([report.layout] if report.layout else []),
            "",
            text.table(
                rows,
                headers=["class", "pictures", "training", "validation", "left out"],
                colalign=("left", *["right"] * 4),
            ),
            "",
            f"sizes: {common}{', ...' if sizes['different'] > 3 else ''}; {spread}",
            "formats: " + ", ".join(f"{name} ({number:,})" for name, number in overview["formats"].items()),
            f"one training batch: X {N, C, H, W} {batch['X_dtype']} from {batch['lowest']:.2f} to "
            f"{batch['highest']:.2f}, y {tuple(batch['y'])} {batch['y_dtype']}",
            f"  (picture, channel, row, column: MXNet's order; article 000 prints {N, H, W, C}, Keras's)",
            "",
            *report.lines(None if full else 3),
        ]
    )


@click.command("show")
@click.argument("path", metavar="DIR|CSV")
@click.option(
    "--split",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.2,
    show_default=True,
    help="Share held back for validation.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=123,
    show_default=True,
    help="Seed of the split; the images held back are those of Keras.",
)
@click.option("--size", type=click.IntRange(min=1), default=224, show_default=True, help="Side of the network's input.")
@click.option("--batch-size", type=click.IntRange(min=1), default=8, show_default=True)
@click.option("--strict", is_flag=True, help="Stop at anything that would be left out or looks wrong.")
@options.parts
@click.option("--full", is_flag=True, help="List every finding, not three of each kind.")
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--save", metavar="P.png", help="Draw the first batch with its classes.")
def data_show(
    path: str,
    split: float,
    seed: int,
    size: int,
    batch_size: int,
    strict: bool,
    parts: Optional[str],
    full: bool,
    style: str,
    save: Optional[str],
) -> None:
    """Show what is in a folder of images: classes, sizes, formats, damaged files, one batch.

    DIR holds a folder for each class, or train/ and val/ with such folders; CSV has the columns path,label[,split].
    """
    if save:
        figures.check_picture_path(save)
    training, validation, report = image_folder.open_parts(
        path, split, seed, strict=strict, progress=sys.stderr.isatty(), parts=parts
    )
    first = image_folder.shuffled(len(training), seed)[:batch_size]  # unshuffled, it would have one class only
    X, y = gr.PictureBatches(training, batch_size, size, cache=False).batch(first)
    overview = _overview(report, (training, validation), batch_size, X, y)
    click.echo(
        json.dumps(overview, indent=2) if style == "json" else _as_text(overview, report, text.printable(path), full)
    )
    if save:
        titles = [text.printable(training.class_names[label]) for label in y]
        figures.save_figure(gr.draw_pictures(X.transpose(0, 2, 3, 1), titles, _heading(path)), save)
        click.echo(f"picture in {save}", err=style == "json")


def _heading(path: str) -> str:
    """``bird_photos`` as a heading: Bird Photos."""
    name = text.printable(Path(path).resolve().stem).replace("_", " ")
    return name.title() if name.islower() else name
