"""transcript: a book's printed lines next to this suite's."""

import json
from typing import Optional

import click

from . import lazy

errors = lazy("errors")
lines = lazy("lab.transcript")
shapes = lazy("networks.shapes")


@click.command()
@click.argument("file", metavar="FILE")
@click.option(
    "--run",
    metavar="RUN",
    help="Whose losses, accuracies and rates are ours: a finished run folder, or the "
    "results file of an experiment with one arm.",
)
@click.option("--model", metavar="MODEL", help="The network to walk.  [default: the run's, or resnet18]")
@click.option(
    "--input", "shape", metavar="N,C,H,W", help="The network's input.  [default: what leads to the first shape printed]"
)
@click.option("--format", "form", type=click.Choice(["text", "csv", "json"]), default="text", show_default=True)
def transcript(file: str, run: Optional[str], model: Optional[str], shape: Optional[str], form: str) -> None:
    """Take the lines that a book prints out of FILE and show them next to what this suite gives, differences marked.

    FILE is any text: a chapter's page, a notebook, pasted output. Compared are "conv5 output shape: (1, 64, 112, 112)"
    and the like, "loss 0.010, train acc 0.998, test acc 0.907" and "4886.6 examples/sec on gpu(0)".
    """
    text = lines.read_text(file)
    try:
        table = lines.compare(text, model, shapes.parse_shape(shape) if shape else None, run)
    except errors.DataError as error:
        raise errors.DataError(f"{file}: {error}") from None
    if form == "csv":
        click.echo(table.to_csv(index=False), nl=False)
    elif form == "json":
        click.echo(json.dumps({"file": file, "lines": table.to_dict("records")}, indent=2, ensure_ascii=False))
    else:
        click.echo(lines.as_text(table))
