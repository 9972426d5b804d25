"""scaling: how fast many machines would train, on paper."""

import json
from datetime import date
from typing import Any, Optional

import click

from ..errors import ConfigError
from . import completion, lazy

jobs = lazy("distributed.jobs")
paper = lazy("distributed.scaling")
cost = lazy("networks.cost")
specs = lazy("networks.specs")
processes = lazy("benchmarks.processes")

NAME = "scaling"  # of the section of a document
MOST = 10**9


@click.command()
@click.argument("model", shell_complete=completion.models)
@click.option(
    "--rate", type=click.FloatRange(0, MOST, min_open=True), required=True, help="Images a second of one machine."
)
@click.option("--images", type=click.IntRange(1, 10**6), default=256, show_default=True, help="Batch of one machine.")
@click.option("--channels", type=click.Choice(["1", "3"]), default="1", show_default=True, help="Of an image.")
@click.option("--classes", type=click.IntRange(1, 10**6), default=10, show_default=True)
@click.option(
    "--store",
    type=click.FloatRange(0, MOST, min_open=True),
    metavar="GB/S",
    help="What the store moves each way on loopback.",
)
@click.option("--measure", is_flag=True, help="Measure it here: a worker, a server and 20 seconds.")
@click.option("--docs", metavar="FILE.md", help="Write the table into a document, between its two marks.")
def scaling(model: str, rate: float, images: int, channels: str, classes: int, **chosen: Any) -> None:
    """Predict how fast 1 to 256 machines train MODEL over 1, 10 and 100 Gbit/s, and how many servers they need.

    Only one machine's speed (--rate) and the store's (--measure) are measured; docs/scaling.md has the model.
    """
    if bool(chosen["store"]) == chosen["measure"]:
        raise click.UsageError("one of --store GB/S and --measure is needed")
    spec = specs.parse_model(model, classes)
    gradients = 4.0 * cost.network(spec, int(channels)).total("parameters")
    if chosen["docs"]:
        processes.section_of(chosen["docs"], NAME)
    store = chosen["store"] * 1e9 if chosen["store"] else _measured()
    text = paper.markdown(spec.name, paper.Machine(images, images / rate, gradients, store))
    click.echo(text)
    if chosen["docs"]:
        processes.update_document(chosen["docs"], NAME, text, f"{date.today()}")


def _measured() -> float:
    """Bytes a second that the store moves each way between a worker and a server on this machine."""
    found: Optional[float] = None

    def take(line: str, is_error: bool) -> None:
        nonlocal found
        _, brace, content = line.partition("{")
        if brace and not is_error:
            found = float(json.loads(brace + content)["bytes_per_second"])

    outcome = jobs.run_module("gluon_resnet.distributed.probe", take)
    if outcome.status or found is None:
        raise ConfigError(f"--measure: the store did not run ({outcome.line}): give its speed with --store GB/S")
    return found
