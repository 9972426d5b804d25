"""doctor and bench: this machine, and how fast it is."""

import json
import sys
from datetime import datetime
from typing import Any, Callable, Optional

import click

from . import lazy

examination = lazy("doctor")
inference = lazy("benchmarks.inference")
pictures = lazy("benchmarks.pictures")
processes = lazy("benchmarks.processes")
training = lazy("benchmarks.training")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(as_json: bool) -> None:
    """Check this machine: packages, libraries, threads, GPU, data; exit 1 if anything is wrong."""
    checks = examination.examine()
    if as_json:
        click.echo(json.dumps(examination.as_dict(checks), indent=2))
    else:
        click.echo(examination.as_text(checks))
    sys.exit(1 if any(check.status == "problem" for check in checks) else 0)


@click.group()
def bench() -> None:
    """Measure this suite against others, alternating in one run."""


_torch_python = click.option(
    "--torch-python",
    metavar="PATH",
    type=click.Path(exists=True, dir_okay=False),
    help="A Python with torch, to measure PyTorch, too.",
)


def _bench_out(name: str) -> Callable[..., Any]:
    return click.option(
        "--out", default="bench", show_default=True, metavar="DIR", help=f"Where {name}.md and {name}.json go."
    )


def _measure(name: str, docs: Optional[str], benchmark: Callable[[], str]) -> None:
    """Run ``benchmark``, print its text, and put it into the document ``docs``, if given.

    The marks of the document are checked first.
    """
    if docs:
        processes.section_of(docs, name)
    text = benchmark()
    click.echo(text)
    if docs:
        processes.update_document(docs, name, text, f"{datetime.now():%Y-%m-%d}")
        click.echo(f"written into {docs}", err=True)


_docs = click.option(
    "--docs", metavar="FILE.md", help="Put the table into this document, too, between its marks (docs/benchmarks.md)."
)


@bench.command("train")
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="Runs of each program.")
@click.option("--batches", type=click.IntRange(min=5), default=8, show_default=True, help="Batches in a run.")
@click.option("--batch-size", type=click.IntRange(min=1), default=256, show_default=True)
@click.option("--size", type=click.IntRange(min=32), default=96, show_default=True, help="Side of the images.")
@_torch_python
@click.option(
    "--depths/--no-depths",
    default=True,
    show_default=True,
    help="Also measure one example's cost for ResNet-18 to 152.",
)
@_bench_out("train")
@_docs
def bench_train(
    rounds: int,
    batches: int,
    batch_size: int,
    size: int,
    torch_python: Optional[str],
    depths: bool,
    out: str,
    docs: Optional[str],
) -> None:
    """Training speed of ResNet-18 against d2l's own train_ch6, and the memory of a run on all of Fashion-MNIST."""
    _measure(
        "train",
        docs,
        lambda: training.train(rounds, batches, batch_size, size, torch_python, depths, out, say=click.echo),
    )


@bench.command("inference")
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="Runs of each program.")
@click.option("--repeats", type=click.IntRange(min=4), default=20, show_default=True, help="Images in a run.")
@_torch_python
@_bench_out("inference")
@_docs
def bench_inference(rounds: int, repeats: int, torch_python: Optional[str], out: str, docs: Optional[str]) -> None:
    """ResNet-50 on one image of 224x224: by hand in NumPy (loops, vectorised, im2col, folded), Gluon, PyTorch."""
    _measure("inference", docs, lambda: inference.inference(rounds, repeats, torch_python, out, say=click.echo))


@bench.command("pictures")
@click.argument("folder", metavar="DIR")
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="Runs of each reader.")
@click.option(
    "--passes", type=click.IntRange(min=1), default=10, show_default=True, help="Passes over the images in a run."
)
@_bench_out("pictures")
@_docs
def bench_pictures(folder: str, rounds: int, passes: int, out: str, docs: Optional[str]) -> None:
    """Images a second from files to batches of 224x224, against Pillow, MXNet and bare decoding."""
    _measure("pictures", docs, lambda: pictures.pictures(folder, rounds, passes, out=out, say=click.echo))
