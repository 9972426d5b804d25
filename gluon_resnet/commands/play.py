"""play: a book's chapter, its own cells run here, with the lines that it prints next to ours."""

import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import click

from . import lazy

budgets = lazy("play.budget")
errors = lazy("errors")
formats = lazy("play.formats")
pages = lazy("play.page")
runner = lazy("play.runner")
sources = lazy("play.sources")
text = lazy("text")
verdicts = lazy("play.verdicts")

TINY = {"epochs": 1, "examples": 80, "test_examples": 80, "batch_size": 16}


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="FILE|FOLDER|URL...")
@click.option(
    "--budget", metavar="TIME", help="Shorten each chapter to this time (90s, 10m): fewer epochs, then fewer images."
)
@click.option("--epochs", type=click.IntRange(min=1), metavar="N", help="At most N epochs in each training.")
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", help="At most the first N training images, and 5 batches."
)
@click.option("--tiny", is_flag=True, help="Only show that the cells run: 1 epoch, 5 batches of 16 images.")
@click.option("--strict", is_flag=True, help="Run the cells as they are: mend nothing.")
@click.option("--cell-timeout", metavar="TIME", help="Give up if a cell takes longer than this.  [default: no limit]")
@click.option("--seed", type=int, default=0, show_default=True, help="Of all random generators, before the first cell.")
@click.option("--out", metavar="DIR", default="played", show_default=True, help="Folder of the notebook and the page.")
@click.option("--show-cells", is_flag=True, help="Only show what is taken for code, and for its printed lines.")
def play(
    names: Tuple[str, ...],
    budget: Optional[str],
    epochs: Optional[int],
    limit: Optional[int],
    tiny: bool,
    strict: bool,
    cell_timeout: Optional[str],
    seed: int,
    out: str,
    show_cells: bool,
) -> None:
    """Play a book's chapters: their own MXNet cells, unchanged, run here.

    FILE is a notebook, Markdown of d2l or MyST, a jupytext script, or a text such as a copied article. What time broke
    is mended, and each mend is listed. The results are an executed notebook and an HTML page with the printed lines of
    the book next to ours.
    """
    limits: Dict[str, int] = dict(TINY) if tiny else {}
    limits.update({name: value for name, value in (("epochs", epochs), ("examples", limit)) if value is not None})
    if strict and (limits or budget):
        raise click.UsageError("--strict runs everything: leave out --budget, --epochs, --limit and --tiny")
    if budget and limits:
        raise click.UsageError("--budget chooses epochs and images itself: leave out --epochs, --limit and --tiny")
    seconds = budgets.parse(budget) if budget else None
    timeout = budgets.parse(cell_timeout, "--cell-timeout") if cell_timeout else None
    settings = runner.Settings(strict, seed, timeout, limits)
    with tempfile.TemporaryDirectory(prefix="gluon-resnet-chapter-") as folder:
        chapters = _read(sources.find(names, Path(folder)))
        if show_cells:
            for _, chapter in chapters:
                _show(chapter)
            return
        _play_all(chapters, settings, seconds, Path(out))


def _read(found: List[Any]) -> List[Tuple[Any, Any]]:
    """[(source, its chapter)]; of several files, those that are no MXNet chapters are named and left out."""
    chapters, problems = [], []
    for source in found:
        try:
            chapters.append((source, formats.read(source.path)))
        except errors.DataError as error:
            problems.append(error)
    if not chapters:
        raise problems[0]
    for problem in problems:
        click.echo(f"left out: {problem}", err=True)
    return chapters


def _show(chapter: Any) -> None:
    for number, cell in enumerate(chapter.cells, 1):
        click.echo(f"{chapter.path}:{cell.line}: cell {number}")
        click.echo("\n".join(f"    {line}".rstrip() for line in cell.source.splitlines()))
        if cell.printed.strip():
            click.echo("\n".join(f"  > {line}".rstrip() for line in cell.printed.strip().splitlines()))


def _play_all(chapters: List[Tuple[Any, Any]], settings: Any, seconds: Optional[float], out: Path) -> None:
    statuses, rows = [], []
    _make(out)  # before a long run, not after it
    for source, chapter in chapters:
        played = _played(chapter, settings, seconds)
        paths = pages.write(played, out, source.stem)
        _report(played, paths)
        statuses.append(played.exit_status)
        rows.append([source.stem, pages.state(played), f"{played.seconds:.0f} s", verdicts.counts(played.verdicts)])
        if played.stopped:
            break
    if len(chapters) > 1:
        click.echo()
        click.echo(text.table(rows, headers=["chapter", "cells", "time", "printed lines"]))
    sys.exit(max(statuses))


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise errors.DataError(f"--out {folder}: cannot be made ({error.strerror}); expected a folder") from None


def _played(chapter: Any, settings: Any, seconds: Optional[float]) -> Any:
    from tqdm import tqdm

    with tqdm(total=len(chapter.cells), unit="cell", leave=False, file=sys.stderr, disable=None) as bar:
        bar.set_description(Path(chapter.path).name)

        def tell(number: int, cell: Any) -> None:
            bar.n = number - 1
            bar.set_postfix_str(cell.source.strip().splitlines()[0][:40])

        return budgets.play(chapter, settings, seconds, tell) if seconds else runner.play(chapter, settings, tell=tell)


def _report(played: Any, paths: List[Path]) -> None:
    """What is printed of a chapter that was played."""
    click.echo(f"{played.chapter.path}: {pages.state(played)}, {played.seconds:.0f} s")
    if played.shortening:
        click.echo(played.shortening)
    for mend in dict.fromkeys(mend["text"] for mend in played.mends):
        click.echo(f"  mended: {mend}")
    rows = [
        [row.what, _short(row.published), _short(row.ours), pages.MARKS[row.same], row.note] for row in played.verdicts
    ]
    if rows:
        click.echo(text.table(rows, headers=["what", "book", "here", "", ""]))
        click.echo(verdicts.counts(played.verdicts))
    click.echo(f"page: {paths[1]}, notebook: {paths[0]}")
    if played.failure:
        click.echo(f"gluon-resnet: {pages.failure_line(played)}", err=True)
    if played.stopped:
        click.echo("stopped by Ctrl-C: the cells that ran are kept", err=True)


def _short(value: str, most: int = 48) -> str:
    value = " ".join(value.split())
    return value if len(value) <= most else f"{value[: most - 3]}..."
