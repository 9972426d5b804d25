"""predict, microscope, export, models: networks with trained weights."""

import json
import os
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any, Callable, List, Optional, Tuple

import gluon_resnet as gr

import click
from tqdm import tqdm

from ..errors import WeightsError
from ..instruments import ENGINES, SHORT
from ..machine import env
from . import completion, lazy, options

calibration = lazy("evaluation.calibration")
data_list = lazy("runs.data_list")
catalogue = lazy("weights.catalogue")
text = lazy("text")
figures = lazy("figures")
int8_files = lazy("instruments.int8_files")
preparations = lazy("data.images")
layout = lazy("networks.layout")
models = lazy("networks.models")
plots = lazy("evaluation.plots")
predicting = lazy("evaluation.predict")
quantized = lazy("instruments.quantized")
scope = lazy("instruments.microscope")


@lru_cache(maxsize=1)  # asked for the network, then for its calibration
def _quantized_file(weights: Optional[str], size: Optional[int]) -> Any:
    """What is in the file ``weights`` if it is a .int8 file, else None; WeightsError if it is of another size."""
    if not weights or Path(weights).suffix.lower() != ".int8":
        return None
    content = int8_files.read(weights)
    if size not in (None, content.preparation.crop):
        raise WeightsError(
            f"{weights}: calibrated on images of {content.preparation.crop} pixels: expected the same --size, found "
            f"{size}; calibrate again with gluon-resnet quantize --size {size}"
        )
    return content


def read_with_preparation(weights: str, model: str, size: Optional[int]) -> Tuple[Any, Any, Any]:
    """(spec, parameters, preparation of images); ``size`` is the side of the network's input if not the usual one."""
    content = _quantized_file(weights, size)
    if content is not None:
        return content.spec, content.params, content.preparation
    spec, params = gr.read_network(weights, model)
    channels = layout.input_channels(spec, params)
    if channels not in (1, 3):
        raise WeightsError(
            f"{weights}: its first convolution takes {channels} channels: expected 1 or 3, as images have"
        )
    preparation = preparations.as_published(weights, model) or gr.PREPARATIONS[spec.family]
    return spec, params, preparation.at(size)


def _engine(
    name: str, spec: Any, params: Any, preparation: Any, weights: Optional[str], calibrate: Optional[str]
) -> Any:
    """The engine ``name``; int8 calibrated on the images at ``calibrate``, or as the file ``weights`` says."""
    if name != "int8":
        if calibrate:
            raise click.UsageError("--calibrate goes with the engine int8")
        return gr.make_engine(name, spec, params)
    if calibrate:
        batches = calibration.picture_batches(calibrate, preparation, layout.input_channels(spec, params))
        found = quantized.calibrate(spec, params, batches)
    else:
        content = _quantized_file(weights, None)
        if content is None:
            raise click.UsageError(
                "--engine int8 needs --calibrate DIR with images, or --weights F.int8 of gluon-resnet quantize"
            )
        found = content.calibration
    calibration.say_if_slow()
    return quantized.Int8Engine(spec, params, found)


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGE|DIR...")
@options.model_option
@options.weights
@click.option(
    "--run",
    metavar="RUN",
    shell_complete=completion.runs,
    help="The network of a run folder, instead of --model, --weights, --labels, --size.",
)
@click.option(
    "--labels", metavar="FILE", help="Names of the classes, one per line.  [default: ImageNet's for 1,000 classes]"
)
@options.engine
@options.calibrate
@click.option("--top", type=click.IntRange(min=1), help="Classes shown of each image.  [default: 5; 1 as csv]")
@options.input_size
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "csv"]),
    default="text",
    show_default=True,
    help="csv: one row an image, with file, class and probability.",
)
@click.option("--save", metavar="P.png", help="Also draw the images with their classes.")
@click.pass_context
def predict(
    context: click.Context,
    images: Tuple[str, ...],
    model: str,
    weights: Optional[str],
    run: Optional[str],
    labels: Optional[str],
    engine: Optional[str],
    calibrate: Optional[str],
    top: Optional[int],
    size: Optional[int],
    form: str,
    save: Optional[str],
) -> None:
    """Predict what is in images (JPEG, PNG, GIF, WebP, BMP), with trained weights.

    Of a folder, all images in it and below are taken; those that cannot be read are left out and named.
    """
    env.compute_at_once()
    if save:
        figures.check_picture_path(save)
    if run:
        options.alone(options.given(context) & {"model", "weights", "labels", "size"}, "--run", "network and pictures")
        network = gr.network_of_run(run)
        spec, params, names, preparation = network.spec, network.params, network.class_names, network.preparation
    else:
        spec, params, preparation = read_with_preparation(options.needed(weights, run=True), model, size)
        names = gr.read_labels(labels, spec.num_classes)
    top = min(top or (1 if form == "csv" else 5), len(names))
    engine = engine or ("int8" if _quantized_file(weights, size) else "gluon")
    made = _engine(engine, spec, params, preparation, weights, calibrate)
    channels = layout.input_channels(spec, params)
    files = predicting.image_files(images)
    damaged: Optional[List[str]] = [] if any(map(os.path.isdir, images)) else None
    with tqdm(total=len(files), desc="predicting", unit=" images", leave=False, disable=None) as bar:
        table, views = predicting.predict_files(
            made, files, preparation, names, channels, top, bool(save), damaged, bar.update
        )
    for line in damaged or ():
        click.echo(f"left out: {line}", err=True)
    if form == "csv":
        click.echo(predicting.one_row_an_image(table).to_csv(index=False, float_format="%.6g"), nl=False)
    else:
        click.echo(f"{_predictions(table)}\n")
    click.echo(f"{spec.name} from {run or weights}, engine {engine}", err=form == "csv")
    seen = data_list.trained_on(run, files) if run else []
    if seen:
        click.echo(f"the run was trained on {len(seen)} of {text.count(len(files))}, such as {seen[0]}", err=True)
    if save:
        figures.save_figure(plots.draw_predictions(views, table), save)
        click.echo(f"picture in {save}", err=form == "csv")


def _predictions(table: Any) -> str:
    """The table of predictions as text: the name of an image next to its first class."""
    rows = [
        ["" if rank > 1 else name, rank, label, f"{probability:.3f}"]
        for name, rank, label, _, probability in table.itertuples(index=False, name=None)
    ]
    return str(
        text.table(
            rows,
            headers=["image", "", "class", "probability"],
            colalign=("left", "right", "left", "right"),
        )
    )


def _engine_option(letter: str, default: str) -> Callable[..., Any]:
    return click.option(
        f"--{letter}", type=click.Choice(ENGINES + SHORT), default=default, show_default=True, help=f"Engine {letter}."
    )


@click.command()
@click.argument("image")
@options.model_option
@options.weights
@_engine_option("a", "gluon")
@_engine_option("b", "byhand")
@options.calibrate
@click.option("--gradients", is_flag=True, help="Compare the gradients of all parameters, too.")
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0, min_open=True),
    default=1e-4,
    show_default=True,
    help="Relative to a layer's largest value.",
)
@click.option("--plant", metavar="LAYER", help="Damage this layer in engine b, to test that it is found.")
@click.option("--layer", metavar="LAYER", help="Draw this layer's feature maps side by side (with --save).")
@click.option("--every", is_flag=True, help="Print every layer, not only the blocks.")
@options.input_size
@click.option("--save", metavar="P.png", help="Draw the differences over depth.")
def microscope(
    image: str,
    model: str,
    weights: Optional[str],
    a: str,
    b: str,
    calibrate: Optional[str],
    gradients: bool,
    tolerance: float,
    plant: Optional[str],
    layer: Optional[str],
    every: bool,
    size: Optional[int],
    save: Optional[str],
) -> None:
    """Send an image through two engines and compare them layer by layer; exit 1 if they differ.

    With --plant: exit 1 if the damaged layer is not the first that differs.
    """
    if layer and not save:
        raise click.UsageError("--layer goes with --save P.png")
    if save:
        figures.check_picture_path(save)
    spec, params, preparation = read_with_preparation(options.needed(weights), model, size)
    _, X = predicting.look([image], preparation, layout.input_channels(spec, params))
    of_b = scope.plant(spec, params, plant) if plant else params
    if calibrate and "int8" not in (a, b):
        raise click.UsageError("--calibrate goes with the engine int8")
    engines = [
        _engine(name, spec, own, preparation, weights, calibrate if name == "int8" else None)
        for name, own in ((a, params), (b, of_b))
    ]
    comparison = scope.look(*engines, X, tolerance, gradients)
    click.echo(scope.as_text(comparison, every))
    if save:
        figures.save_figure(scope.draw(comparison, (a, f"{b}, {plant} damaged" if plant else b), layer), save)
        click.echo(f"picture in {save}")
    if plant:
        caught = comparison.first == scope.shows_first(spec, plant, comparison)
        click.echo(f"planted in {plant} of engine b: {'found' if caught else 'NOT found'}")
    sys.exit(1 if (plant and not caught) or (not plant and (comparison.first or comparison.first_gradient)) else 0)


@click.command()
@click.argument("model", required=False)
@options.weights
@click.option("--run", metavar="RUN", help="The network of a run folder, instead of MODEL and --weights.")
@click.option(
    "--out",
    required=True,
    metavar="FILE",
    help="F.onnx, F.safetensors (torchvision's names) or F.pth (for torchvision's class).",
)
@click.pass_context
def export(context: click.Context, model: Optional[str], weights: Optional[str], run: Optional[str], out: str) -> None:
    """Write MODEL with trained weights, or the network of a run, for other programs.

    The file is read back and checked before it appears: .onnx in ONNX Runtime, .pth in torchvision's network. That of
    a run has the names of its classes, and how images are prepared, in its metadata (.onnx and .safetensors).
    """
    metadata = None
    if run:
        options.alone(options.given(context) & {"model", "weights"}, "--run", "network")
        network = gr.network_of_run(run)
        spec, params, metadata = network.spec, network.params, network.metadata
    elif model is None:
        raise click.UsageError("a network is needed: MODEL with --weights FILE, or --run RUN")
    else:
        spec, params = gr.read_network(options.needed(weights, run=True), model)
    net = models.build(spec)
    gr.set_parameters(net, params)
    exported = gr.export(net, out, metadata)
    click.echo(f"{spec.name} from {run or weights} in {exported.path}: {exported.size:,} bytes, {exported.checked}")


@click.command("models")
@click.argument("pattern", required=False)
@click.option("--format", "style", type=click.Choice(["text", "csv", "json"]), default="text", show_default=True)
def list_models(pattern: Optional[str], style: str) -> None:
    """List the networks and the weights published for them, the default first: what --weights imagenet:TAG can name.

    PATTERN is a part of MODEL@FAMILY:TAG, such as resnet50, keras or :a1. The accuracy, top-1 in percent, is what the
    publisher measured on ImageNet; multiply-adds are those of one image of that side. csv and json also have the
    address, the hash and the source of the facts.
    """
    table = catalogue.table(pattern)
    if style == "csv":
        click.echo(table.to_csv(index=False), nl=False)
    elif style == "json":
        click.echo(json.dumps(json.loads(table.to_json(orient="records")), indent=2))
    else:
        click.echo(catalogue.as_text(table))
