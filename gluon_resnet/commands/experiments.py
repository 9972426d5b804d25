"""run, results and reproduce: experiments with a claim, their results, and published numbers."""

import shlex
import sys
from typing import Any, Callable, Dict, List, Optional

import gluon_resnet as gr

import click

from . import lazy

text = lazy("text")
conduct = lazy("lab.conduct")
experiments = lazy("lab.experiment")
lab = lazy("lab.reproduce")
published = lazy("lab.published")
saved = lazy("lab.results")
table = lazy("lab.table")

SEEDS = click.option(
    "--seeds", type=click.IntRange(min=1), metavar="N", help="Seeds 0 to N-1.  [default: the experiment's]"
)
BUDGET = click.option(
    "--budget", metavar="TIME", help="Shorten the runs to this time (90s, 20m, 1h): fewer epochs, then fewer images."
)
OUT = click.option("--out", metavar="DIR", help="Folder of the run folders.  [default: runs/experiments/<name>]")
DATA = click.option("--data", metavar="DIR", help="Folder of the images, if it is not where the experiment expects it.")
SAVE = click.option(
    "--save-results", is_flag=True, help="Also write the results to results/ next to the experiment's file."
)


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (SAVE, DATA, OUT, BUDGET, SEEDS):
        command = option(command)
    return command


def _table(table: Any) -> str:
    return text.table(table)


def _command(words: List[str], chosen: Dict[str, Any]) -> str:
    """The command line with these words and options."""
    for name, value in chosen.items():
        option = f"--{name.replace('_', '-')}"
        if value is not None and value is not False:
            words += [option] if value is True or value == "" else [option, str(value)]
    return " ".join(shlex.quote(word) for word in ["gluon-resnet", *words])


def _conduct(experiment: Any, request: Any, conduct: Callable[..., Any]) -> Dict[str, Any]:
    """The results of an experiment; after Ctrl-C, say how to resume it and exit with 130."""
    try:
        content = conduct(experiment, request, click.echo)
    except KeyboardInterrupt:
        content = None
    if content is None:
        click.echo(f"stopped: finished runs are kept, go on with: {request.command}", err=True)
        sys.exit(130)
    return content


@click.command()
@click.argument("file", metavar="FILE|NAME")
@_options
@click.option(
    "--weights",
    metavar="FILE|DIR|NAME",
    help="Trained weights, their folder, or a name such as imagenet, if the experiment starts from some.",
)
@click.option(
    "--hold-out",
    type=click.IntRange(min=0),
    metavar="N",
    help="Test on N of the training images, held out by class, instead of the test part; 0: on the test part.  "
    "[default: as the experiment says]",
)
@click.option(
    "--compare",
    is_flag=False,
    flag_value="",
    metavar="[ARM]",
    help="Also show what each arm differs from ARM by, over seeds, with 95 % confidence intervals.  [ARM: the first]",
)
@click.option(
    "--clean",
    metavar="DIR",
    help="Also show the accuracies without what the audit in DIR found: near duplicates and doubted labels.",
)
def run(file: str, **chosen: Any) -> None:
    """Run the experiment in FILE, or the one called NAME in experiments/, and judge its claim.

    Finished runs are not repeated; interrupted ones are resumed.
    """
    experiment = experiments.load(file)
    request = conduct.Request(**chosen, command=_command(["run", file], chosen))
    content = _conduct(experiment, request, conduct.conduct)
    for line, rows in table.tables(content):
        if line:
            click.echo(line)
        click.echo(_table(rows))
    click.echo("\n".join(table.claim_lines(content)))


@click.command()
@click.option("--folder", metavar="DIR", help="[default: experiments/results]")
@click.option("--update", metavar="FILE", help="Write the tables into FILE, between its two marker comments.")
def results(folder: Optional[str], update: Optional[str]) -> None:
    """All results in a folder as Markdown tables: each claim with its verdict, each experiment by arm."""
    text = table.markdown(saved.read_all(folder or gr.experiments_folder() / "results"))
    if update:
        table.update(update, text)
        click.echo(f"tables written to {update}")
    else:
        click.echo(text)


@click.command()
@click.argument("name", required=False)
@_options
def reproduce(name: Optional[str], **chosen: Any) -> None:
    """Run the recipe of the published number NAME with several seeds, and show both results.

    Without NAME, list the published numbers, each with a verdict. The runs are those of the experiment, so none is
    repeated.
    """
    if name is None:
        options = [option for option, value in chosen.items() if value]
        if options:
            raise click.UsageError(f"--{options[0].replace('_', '-')} goes with a NAME")
        contents = {content["name"]: content for content in saved.read_all(gr.experiments_folder() / "results")}
        click.echo(_table(lab.listing(published.ENTRIES, contents)))
        return
    entry = published.find(name)
    request = conduct.Request(**chosen, command=_command(["reproduce", name], chosen))
    content = _conduct(lab.experiment_of(entry), request, conduct.conduct)
    click.echo(f"{entry.what}: {entry.source}")
    click.echo(_table(lab.compare(entry, content)))
    click.echo("\n".join([lab.position(entry, content), *table.claim_lines(content)]))
