"""transcript: a book's printed lines next to this suite's."""

import json
from typing import Optional

import click

from . import completion, lazy

errors = lazy("errors")
lines = lazy("lab.transcript")
shapes = lazy("networks.shapes")


@click.command()
@click.argument("file", metavar="FILE")
@click.option(
    "--run",
    metavar="RUN",
    shell_complete=completion.runs,
    help="Our losses, accuracies and rates: a finished run folder, or the results file of an experiment with one arm.",
)
@click.option(
    "--model",
    metavar="MODEL",
    shell_complete=completion.models,
    help="The network to walk.  [default: the run's, or resnet18]",
)
@click.option(
    "--input", "shape", metavar="N,C,H,W", help="The network's input.  [default: guessed from the first shape printed]"
)
@click.option("--format", "form", type=click.Choice(["text", "csv", "json"]), default="text", show_default=True)
def transcript(file: str, run: Optional[str], model: Optional[str], shape: Optional[str], form: str) -> None:
    """Compare the lines that a book prints, in FILE, with what this suite gives.

    FILE is any text: a chapter's page, a notebook, pasted output. The lines are those such as
    "conv5 output shape: (1, 64, 112, 112)", "loss 0.010, train acc 0.998, test acc 0.907" and
    "4886.6 examples/sec on gpu(0)".
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
