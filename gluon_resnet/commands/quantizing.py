"""quantize: a network for the engine int8, as a file."""

from pathlib import Path
from typing import Optional

import gluon_resnet as gr

import click

from ..errors import ExportError
from ..machine import env
from ..text import count
from . import lazy, options
from .weights import read_with_preparation

calibration = lazy("evaluation.calibration")
int8_files = lazy("instruments.int8_files")
layout = lazy("networks.layout")
quantized = lazy("instruments.quantized")
scope = lazy("instruments.microscope")

LAYER_TOLERANCE = 0.1  # of a layer's largest number: past it the table of --layers marks a layer


def _check_target(out: str) -> None:
    if Path(out).suffix.lower() != ".int8":
        raise ExportError(f"{out}: unknown suffix '{Path(out).suffix}': expected .int8")
    if not Path(out).resolve().parent.is_dir():
        raise ExportError(f"{out}: no such folder: expected one that exists")


@click.command()
@options.model
@options.weights
@click.option(
    "--calibrate", required=True, metavar="DIR|CSV|FILE.rec", help="Images like those that the network will see."
)
@click.option("--images", type=click.IntRange(min=1), default=512, show_default=True, help="How many of them to use.")
@click.option(
    "--mode",
    type=click.Choice(["naive", "entropy"]),
    default="naive",
    show_default=True,
    help="The range of a layer: naive, all its numbers; entropy, without those so rare that it is better to cut them.",
)
@options.input_size
@click.option("--layers", is_flag=True, help="Compare with float32 layer by layer, too, on one image.")
@click.option("--out", required=True, metavar="F.int8", help="The file, for --weights of predict.")
def quantize(
    model: str,
    weights: Optional[str],
    calibrate: str,
    images: int,
    mode: str,
    size: Optional[int],
    layers: bool,
    out: str,
) -> None:
    """Calibrate MODEL with trained weights for 8-bit numbers, and compare it with float32.

    The file holds the float weights and the range of each layer. Weights in 8 bits are made from them on the machine
    that predicts.
    """
    env.compute_at_once()
    _check_target(out)
    spec, params, preparation = read_with_preparation(options.needed(weights), model, size)
    int8_files.check_spec(spec)
    batches = calibration.picture_batches(calibrate, preparation, layout.input_channels(spec, params), images)
    found = quantized.calibrate(spec, params, batches, mode)
    calibration.say_if_slow()
    exact, engine = gr.make_engine("gluon", spec, params), quantized.Int8Engine(spec, params, found)
    compared = quantized.Compared(exact, engine)
    for X in batches():
        compared.logits(X)
    int8_files.write(out, int8_files.QuantizedFile(spec, params, found, preparation))
    click.echo(
        f"{spec.name} from {weights} in {out}: {Path(out).stat().st_size:,} bytes, calibrated on "
        f"{count(found.images, 'image')} ({mode})\n{compared.agreement}"
    )
    if layers:
        X = next(iter(batches()))[:1]
        click.echo("\n" + scope.as_text(scope.look(exact, engine, X, tolerance=LAYER_TOLERANCE), every=True))
