"""shapes, summary, reconcile, table1, draw: what a network is made of."""

import json
from typing import Any, Optional, Tuple

import gluon_resnet as gr

import click

from . import completion, lazy, options

text = lazy("text")
devices = lazy("devices")
arguments = lazy("drawing.arguments")
layers = lazy("networks.shapes")
layout = lazy("networks.layout")
models = lazy("networks.models")
paper = lazy("instruments.table1")
comparisons = lazy("instruments.reconcile")
reconcile_plot = lazy("instruments.reconcile_plot")
specs = lazy("networks.specs")


def _built(model: str, text: Optional[str], classes: Optional[int], weights: Optional[str]) -> Tuple[Any, Any]:
    """(network, input shape) for the options of shapes and summary; ``text`` is the shape, if given."""
    spec, params = specs.parse_model(model, classes), None
    if weights:
        spec, params = gr.read_network(weights, model, classes)
    channels = layout.input_channels(spec, params) if params else None
    shape = layers.parse_shape(text) if text else arguments.usual_input(spec, channels)
    devices.use_numpy_arrays()
    net = models.build(spec)
    if params:
        gr.set_parameters(net, params)
    return net, shape


@click.command()
@options.model
@options.input_shape
@options.classes
@options.weights
def shapes(model: str, shape: Optional[str], classes: Optional[int], weights: Optional[str]) -> None:
    """Walk an input through MODEL layer by layer, as the chapter does.

    MODEL is resnet18, 34, 50, 101 or 152, with @d2l (default), @torchvision, @mxnet, @keras, @keras2016 or @v2
    (pre-activation) after it, from 50 on @slim or @slim_fc (article 003); plain18 to plain152 without shortcuts;
    cifar_resnet20, 32, 44, 56, 110 or any 6n + 2; cifar_plain20 and so on. At the end, :A (zero padding), :B
    (projection where the shape changes), :C (projection everywhere) or :none replaces the shortcut:
    resnet34@torchvision:A.
    """
    click.echo("\n".join(layers.walk_lines(layers.layer_shapes(*_built(model, shape, classes, weights)))))


@click.command()
@options.model
@options.input_shape
@options.classes
@click.option("--depth", type=click.IntRange(min=1), help="Levels of blocks to open.  [default: all]")
@click.option("--format", "style", type=click.Choice(["text", "csv", "json"]), default="text", show_default=True)
@options.weights
def summary(
    model: str,
    shape: Optional[str],
    classes: Optional[int],
    depth: Optional[int],
    style: str,
    weights: Optional[str],
) -> None:
    """Output shape, parameters, multiply-adds and output bytes of every layer of MODEL.

    MODEL is any network that gluon-resnet shapes --help lists, such as resnet50@torchvision,
    plain34 or cifar_resnet56:B.
    """
    net, sizes = _built(model, shape, classes, weights)
    table = layers.summary(net, sizes, depth)
    sums = layers.totals(table)
    if style == "csv":
        click.echo(table.to_csv(index=False), nl=False)
    elif style == "json":
        click.echo(
            json.dumps({"model": model, "input": sizes, "layers": table.to_dict("records"), "totals": sums}, indent=2)
        )
    else:
        first = len(table.columns) - len(sums)  # the columns of text come first
        rows = [
            [*row[:first], *(f"{value:,}" for value in row[first:])] for row in table.itertuples(index=False, name=None)
        ]
        rows.append(["total", *[""] * (first - 1), *(f"{value:,}" for value in sums.values())])
        click.echo(
            text.table(
                rows,
                headers=[column.replace("_", " ") for column in table.columns],
                colalign=("left",) * first + ("right",) * len(sums),
            )
        )
        click.echo(
            f"\n{sums['parameters']:,} parameters, {sums['multiply_adds'] / 1e9:.3f} G multiply-adds, "
            f"{sums['output_bytes'] / 2**20:.1f} MiB of outputs for {sizes[0]} picture(s)"
        )


@click.command()
@click.argument("models", nargs=-1, metavar="A B", shell_complete=completion.models)
@click.option("--weights", metavar="FILE", help="Instead of A and B: say which network a weight file holds.")
@click.option("--input", "shape", metavar="C,H,W", default="3,224,224", show_default=True, help="One image.")
@click.option("--format", "style", type=click.Choice(["text", "csv"]), default="text", show_default=True)
@click.option("--full", is_flag=True, help="List every layer that differs, not only the kinds of difference.")
@click.option("--save", metavar="P.png", help="Draw the two networks side by side.")
def reconcile(
    models: Tuple[str, ...], weights: Optional[str], shape: str, style: str, full: bool, save: Optional[str]
) -> None:
    """Say in which layers the networks A and B differ, in what, and by how many parameters and multiply-adds.

    Networks of one name are not always one network: try resnet50@torchvision resnet50@keras. gluon-resnet shapes --help
    lists what A and B can be.
    """
    if weights and not models:
        match = gr.identify_weights(weights)
        click.echo(f"{weights}: {match.description}")
        if len(match.specs) > 1:
            click.echo(f"fits {', '.join(spec.name for spec in match.specs[1:])} as well")
        return
    if len(models) != 2 or weights:
        raise click.UsageError(f"{text.count(len(models), 'network')}: expected two, or --weights FILE alone")
    _, channels, *size = layers.parse_shape(f"1,{shape}")
    comparison = gr.reconcile(*(gr.parse_model(name) for name in models), channels, tuple(size))
    if style == "csv":
        click.echo(comparison.table.to_csv(index=False), nl=False)
    else:
        click.echo(comparisons.as_text(comparison, full))
    if save:
        reconcile_plot.draw(comparison, save)
        click.echo(f"picture in {save}", err=style == "csv")


@click.command()
@click.option("--cifar", is_flag=True, help="The CIFAR networks of the paper's Table 6 instead.")
@click.option("--format", "style", type=click.Choice(["text", "csv", "json"]), default="text", show_default=True)
def table1(cifar: bool, style: str) -> None:
    """The paper's Table 1: stages, output sizes and blocks of the five depths, multiply-adds next to the paper's."""
    table = paper.cifar_table() if cifar else paper.table1()
    if style == "csv":
        click.echo(table.to_csv(index=False), nl=False)
    elif style == "json":
        click.echo(json.dumps(table.to_dict("records"), indent=2))
    else:
        click.echo((paper.cifar_text if cifar else paper.as_text)(table))


@click.command()
@options.model
@options.input_shape
@options.classes
@click.option("--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True, help="English or Chinese.")
@click.option("--save", metavar="P.svg", help="Write the picture to this file.  [default: to standard output]")
def draw(model: str, shape: Optional[str], classes: Optional[int], lang: str, save: Optional[str]) -> None:
    """Draw the stages of MODEL as SVG: blocks, convolutions, shortcuts, shapes between them, parameters of each.

    MODEL is any network that gluon-resnet shapes --help lists, such as resnet50@keras, plain34 or cifar_resnet56:B.
    """
    X = None
    if shape:
        X = layers.parse_shape(shape)
    picture = gr.draw(gr.parse_model(model, classes), X, lang)
    if save:
        picture.save(save)
        click.echo(f"picture in {save}")
    else:
        click.echo(picture.svg, nl=False)
