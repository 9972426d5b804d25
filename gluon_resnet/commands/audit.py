"""audit: what is wrong with a data set itself."""

import sys
from typing import Any, Optional

import click

from . import lazy, options
from .groups import Group

counts = lazy("audit.counts")
lab = lazy("lab.audit")
page = lazy("report.audit")

OUT = "audits/fashion-mnist"


@click.group(cls=Group)
def audit() -> None:
    """Look for images that are there twice, and for doubtful labels."""


@audit.command("fashion-mnist")
@click.option("--out", default=OUT, show_default=True, metavar="DIR", help="A new folder, or that of an earlier audit.")
@options.data_folder
@click.option("--unverified", is_flag=True, help="Accept other images in the same format in --data.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Look at the first N images of each part only.")
@click.option(
    "--distance",
    type=click.FloatRange(min=0, min_open=True),
    default=250,
    show_default=True,
    help="Pairs of images nearer than this are near duplicates (Euclidean, pixels from 0 to 255).",
)
@click.option(
    "--folds",
    type=click.IntRange(min=2),
    metavar="K",
    help="Also train K networks, each on all but a K-th of the training part, and list the labels that they doubt.",
)
@click.option(
    "--recipe",
    metavar="NAME|RUN",
    help="How they are trained: as in an experiment (NAME, or NAME:ARM) or a run folder.  [default: speedrun]",
)
@click.option("--budget", metavar="TIME", help="Refuse to train if it would take longer than this (90s, 20m, 1h).")
def audit_fashion_mnist(
    out: str,
    data_dir: Optional[str],
    unverified: bool,
    limit: Optional[int],
    distance: float,
    folds: Optional[int],
    recipe: Optional[str],
    budget: Optional[str],
) -> None:
    """Look for near duplicates in Fashion-MNIST and, with --folds, for doubtful labels.

    Writes duplicates.csv, labels.csv and index.html, a page to look at. The same command again goes on after Ctrl-C;
    with --folds it adds the labels to an audit without them.
    """
    if unverified and not data_dir:
        raise click.UsageError("--unverified goes with --data DIR")
    for option, value in (("--recipe", recipe), ("--budget", budget)):
        if value and not folds:
            raise click.UsageError(f"{option} goes with --folds K")
    chosen: Any = {"recipe": recipe} if recipe else {}
    request = lab.Request(data_dir, not unverified, limit, distance, folds, budget=budget, **chosen)
    found = lab.conduct(request, out, click.echo)
    if found is None:
        click.echo("stopped: finished folds are kept, and the same command goes on from here", err=True)
        sys.exit(130)
    train, test, _ = lab.load(request)
    click.echo("\n".join(counts.lines(found)))
    click.echo(f"page in {page.write(found, train, test)}")
