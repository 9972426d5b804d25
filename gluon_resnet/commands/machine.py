"""doctor, bench and profile: this machine, how fast it is, and where the time goes."""

import json
import sys
from datetime import datetime
from typing import Any, Callable, List, Optional

import click

from ..instruments import ONEDNN
from . import lazy, options
from .groups import Group

comparison = lazy("benchmarks.compare")
depth = lazy("benchmarks.depth")
arguments = lazy("drawing.arguments")
examination = lazy("doctor")
inference = lazy("benchmarks.inference")
pictures = lazy("benchmarks.pictures")
profiles = lazy("benchmarks.profile")
processes = lazy("benchmarks.processes")
shapes = lazy("networks.shapes")
specs = lazy("networks.specs")
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


@click.group(cls=Group)
def bench() -> None:
    """Measure this suite against others, alternating in one run."""


_torch_python = click.option(
    "--torch-python",
    metavar="PATH",
    type=click.Path(exists=True, dir_okay=False),
    help="A Python with torch, instead of the one in --peers.",
)
_peers = click.option(
    "--peers",
    "peers_folder",
    default=".venv-bench",
    show_default=True,
    metavar="DIR",
    help="Has the environments of the other programs: torch, tensorflow, onnxruntime, openvino; made by make bench.",
)
_rounds = click.option(
    "--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="Runs of each program."
)


def _bench_out(name: str) -> Callable[..., Any]:
    return click.option(
        "--out",
        default="bench",
        show_default=True,
        metavar="DIR",
        help=f"Where {name}.md, {name}.json and {name}.png go.",
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


def _next_to_peers(name: str) -> Callable[[Any], Any]:
    """The options that every benchmark next to other programs ends with; ``name`` is the benchmark's."""

    def add(command: Any) -> Any:
        for option in (_docs, _bench_out(name), _torch_python, _peers):  # the last one added is shown first
            command = option(command)
        return command

    return add


@bench.command("train")
@_rounds
@click.option("--batches", type=click.IntRange(min=5), default=8, show_default=True, help="Batches in a run.")
@click.option("--batch-size", type=click.IntRange(min=1), default=256, show_default=True)
@click.option("--size", type=click.IntRange(min=32), default=96, show_default=True, help="Side of the images.")
@click.option(
    "--model",
    default="resnet18@d2l",
    show_default=True,
    metavar="NAME",
    help="Another one trains on random images, without d2l; its files are train-NAME.md and so on.",
)
@_next_to_peers("train")
def bench_train(
    rounds: int,
    batches: int,
    batch_size: int,
    size: int,
    model: str,
    peers_folder: str,
    torch_python: Optional[str],
    out: str,
    docs: Optional[str],
) -> None:
    """Training speed of ResNet-18 against d2l's own train_ch6, PyTorch and TensorFlow, and the memory of a run."""
    _measure(
        training.name_of(model),
        docs,
        lambda: training.train(
            rounds, batches, batch_size, size, out, peers_folder, torch_python, model, say=click.echo
        ),
    )


def _batch_sizes(context: click.Context, option: click.Parameter, value: str) -> List[int]:
    sizes = [int(size) for size in value.split(",") if size.isdigit() and int(size) > 0]
    if len(sizes) != value.count(",") + 1:
        raise click.BadParameter(f"{value}: expected whole numbers of at least 1, such as 1,32")
    return sizes


@bench.command("inference")
@_rounds
@click.option("--repeats", type=click.IntRange(min=4), default=20, show_default=True, help="Predictions in a run.")
@click.option(
    "--batch-sizes",
    default="1,32",
    show_default=True,
    metavar="A,B",
    callback=_batch_sizes,
    help="Images in a batch; the ways by hand take 1.",
)
@click.option("--model", default="resnet50@torchvision", show_default=True, metavar="NAME")
@click.option("--size", type=click.IntRange(min=32), default=224, show_default=True, help="Side of the images.")
@_next_to_peers("inference")
def bench_inference(
    rounds: int,
    repeats: int,
    batch_sizes: List[int],
    model: str,
    size: int,
    peers_folder: str,
    torch_python: Optional[str],
    out: str,
    docs: Optional[str],
) -> None:
    """Predicting with ResNet-50: by hand in NumPy, our engines, PyTorch, TensorFlow, ONNX Runtime, OpenVINO."""
    _measure(
        "inference",
        docs,
        lambda: inference.inference(
            rounds, repeats, out, peers_folder, torch_python, batch_sizes, model, size, say=click.echo
        ),
    )


@bench.command("depth")
@_rounds
@click.option("--steps", type=click.IntRange(min=1), default=5, show_default=True, help="Timed steps of a process.")
@click.option("--size", type=click.IntRange(min=32), default=96, show_default=True, help="Side of the images.")
@_next_to_peers("depth")
def bench_depth(
    rounds: int,
    steps: int,
    size: int,
    peers_folder: str,
    torch_python: Optional[str],
    out: str,
    docs: Optional[str],
) -> None:
    """One example's cost for ResNet-18 to ResNet-152, training and predicting, against PyTorch."""
    _measure("depth", docs, lambda: depth.depth(rounds, steps, size, out, peers_folder, torch_python, say=click.echo))


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


@bench.command("compare")
@click.argument("old", metavar="OLD.json")
@click.argument("new", metavar="NEW.json")
def bench_compare(old: str, new: str) -> None:
    """What changed between two result files of a benchmark, and whether it is outside the spread of the rounds."""
    click.echo(comparison.text(old, new))


@click.command()
@options.model
@click.option("--train/--predict", default=False, help="Profile a training step or a prediction.  [default: predict]")
@options.input_shape
@click.option(
    "--batch-size", type=click.IntRange(min=1), metavar="N", help="Images in the batch, instead of --input's."
)
@click.option(
    "--engine",
    type=click.Choice(ONEDNN),
    default="gluon",
    show_default=True,
    help="What predicts.",
)
@click.option(
    "--precision",
    type=click.Choice(["float32", "bfloat16"]),
    default="float32",
    show_default=True,
    help="Of training.",
)
@click.option("--steps", type=click.IntRange(min=1), default=3, show_default=True, help="Steps that are measured.")
@click.option("--rows", type=click.IntRange(min=1), default=20, show_default=True, help="Layers that are shown.")
@click.option("--save", metavar="P.png", help="Draw the time by block and by primitive.")
@click.option("--json", "json_file", metavar="FILE", help="Write all layers and primitives as JSON.")
def profile(
    model: str,
    train: bool,
    shape: Optional[str],
    batch_size: Optional[int],
    engine: str,
    precision: str,
    steps: int,
    rows: int,
    save: Optional[str],
    json_file: Optional[str],
) -> None:
    """Where the time of a training step or a prediction of MODEL goes, by layer and by primitive of oneDNN."""
    sizes = shapes.parse_shape(shape) if shape else arguments.usual_input(specs.parse_model(model))
    if train and engine != "gluon":
        raise click.UsageError(f"--train has no engine: leave out --engine {engine}, or take --predict")
    if precision != "float32" and not train:
        raise click.UsageError(f"--precision goes with --train; to predict, take --engine {precision}")
    sizes = (batch_size or sizes[0], *sizes[1:])
    task = "train" if train else "predict"
    click.echo(profiles.profile(model, sizes, task, engine, precision, steps, rows, options.picture(save), json_file))
