"""The command line: parse, call one verb, print. A failure the user can cause is one line and exit status 2.

    gluon-resnet shapes resnet18 --input 1,1,224,224
    gluon-resnet train fashion-mnist --model resnet18 --resize 96 --epochs 1
"""
import json
import os
import re
import sys

import click

from . import __version__
from .engines import ENGINES
from .errors import BackendError, GluonResNetError

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


@click.group(context_settings=CONTEXT)
@click.version_option(__version__, prog_name="gluon-resnet")
def cli():
    """ResNet-18 to ResNet-152 in MXNet/Gluon: shapes, data, training, and a look at this machine."""


def _default_input(name, text):
    from . import shapes, specs

    spec = specs.parse_model(name)
    return shapes.parse_shape(text or ("1,1,224,224" if spec.family == "d2l" else "1,3,224,224"))


_model = click.argument("model")
_input = click.option("--input", "shape", metavar="N,C,H,W",
                      help="Shape of the input.  [default: 1,1,224,224 for d2l, 1,3,224,224 otherwise]")
_classes = click.option("--classes", type=click.IntRange(min=1), metavar="N",
                        help="Number of classes.  [default: 10 for d2l, 1000 otherwise]")


@cli.command()
@_model
@_input
@_classes
def shapes(model, shape, classes):
    """Walk an input through MODEL layer by layer, as the chapter does.

    MODEL is resnet18, 34, 50, 101 or 152, with @d2l (default), @torchvision, @mxnet, @keras or @keras2016 behind it.
    """
    from mxnet import npx

    from . import models
    from . import shapes as layers

    shape = _default_input(model, shape)
    npx.set_np()
    click.echo("\n".join(layers.walk_lines(layers.layer_shapes(models.get_model(model, classes), shape))))


@cli.command()
@_model
@_input
@_classes
@click.option("--depth", type=click.IntRange(min=1), help="Levels of blocks to open.  [default: all]")
@click.option("--format", "style", type=click.Choice(["text", "csv", "json"]), default="text", show_default=True)
def summary(model, shape, classes, depth, style):
    """Output shape, parameters, multiply-adds and output bytes of every layer of MODEL."""
    from mxnet import npx

    from . import models
    from . import shapes as layers

    shape = _default_input(model, shape)
    npx.set_np()
    table = layers.summary(models.get_model(model, classes), shape, depth)
    sums = layers.totals(table)
    if style == "csv":
        click.echo(table.to_csv(index=False), nl=False)
    elif style == "json":
        click.echo(json.dumps({"model": model, "input": shape, "layers": table.to_dict("records"), "totals": sums},
                              indent=2))
    else:
        from tabulate import tabulate

        rows = [[*row[:3], *(f"{value:,}" for value in row[3:])] for row in table.itertuples(index=False, name=None)]
        rows.append(["total", "", "", *(f"{value:,}" for value in sums.values())])
        click.echo(tabulate(rows, headers=[column.replace("_", " ") for column in table.columns],
                            colalign=("left", "left", "left", "right", "right", "right"), disable_numparse=True))
        click.echo(f"\n{sums['parameters']:,} parameters, {sums['multiply_adds'] / 1e9:.3f} G multiply-adds, "
                   f"{sums['output_bytes'] / 2**20:.1f} MiB of outputs for {shape[0]} picture(s)")


_weights = click.option("--weights", metavar="FILE", help="Trained weights: .safetensors, .pth, .bin, .h5, .params; the "
                                                         "family is chosen from them if MODEL names none.")
_new_head = click.option("--new-head", is_flag=True, help="Leave the file's classifier out.")


def _needed(weights):
    if not weights:
        raise click.UsageError("--weights FILE is needed: a network without training knows no classes")
    return weights


_some_model = click.option("--model", default="resnet50", show_default=True,
                           help="resnet18 to resnet152, @family behind it or the file's.")
_input_size = click.option("--size", type=click.IntRange(min=32), help="Side of the network's input.  [default: 224]")


@cli.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@_some_model
@_weights
@click.option("--labels", metavar="FILE", help="Names of the classes, one a line.  [default: ImageNet's for 1,000 classes]")
@click.option("--engine", type=click.Choice(ENGINES), default="gluon", show_default=True, help="What runs the network.")
@click.option("--top", type=click.IntRange(min=1), default=5, show_default=True, help="Classes shown of each picture.")
@_input_size
@click.option("--save", metavar="P.png", help="Also draw the pictures with their classes.")
def predict(images, model, weights, labels, engine, top, size, save):
    """Say what is in pictures (JPEG, PNG, GIF, WebP, BMP), with trained weights."""
    from . import plots
    from . import predict as predicting
    from .engines import make_engine
    from .images import PREPARATIONS
    from .labels import read_labels
    from .runs import check_picture_path, save_figure
    from .weights import read_network

    if save:
        check_picture_path(save)
    spec, params = read_network(_needed(weights), model)
    labels = read_labels(labels, spec.num_classes)
    top = min(top, len(labels))
    views, X = predicting.look(images, PREPARATIONS[spec.family].at(size), params["0.weight"].shape[1])
    table = predicting.predict(make_engine(engine, spec, params), X, labels, images, top)
    from tabulate import tabulate

    shown = [["" if rank > 1 else name, rank, label, f"{probability:.3f}"]
             for name, rank, label, _, probability in table.itertuples(index=False, name=None)]
    click.echo(tabulate(shown, headers=["image", "", "class", "probability"], disable_numparse=True,
                        colalign=("left", "right", "left", "right")))
    click.echo(f"\n{spec.name} from {weights}, engine {engine}")
    if save:
        save_figure(plots.draw_predictions(views, table), save)
        click.echo(f"picture in {save}")


def _engine_option(letter, default):
    return click.option(f"--{letter}", type=click.Choice(ENGINES), default=default, show_default=True, help=f"Engine {letter}.")


@cli.command()
@click.argument("image")
@_some_model
@_weights
@_engine_option("a", "gluon")
@_engine_option("b", "byhand")
@click.option("--gradients", is_flag=True, help="Compare the gradients of all parameters, too.")
@click.option("--tolerance", type=click.FloatRange(min=0, min_open=True), default=1e-4, show_default=True,
              help="Relative to a layer's largest value.")
@click.option("--plant", metavar="LAYER", help="Damage this layer in engine b, to see it found.")
@click.option("--layer", metavar="LAYER", help="Draw this layer's feature maps side by side (with --save).")
@click.option("--every", is_flag=True, help="Print every layer, not only the blocks.")
@_input_size
@click.option("--save", metavar="P.png", help="Draw the differences over depth.")
def microscope(image, model, weights, a, b, gradients, tolerance, plant, layer, every, size, save):
    """Send a picture through two engines and compare them layer by layer; exit 1 where they differ.

    With --plant: exit 1 where the damaged layer is not the first that differs.
    """
    from . import microscope as scope
    from . import predict as predicting
    from .engines import make_engine
    from .images import PREPARATIONS
    from .runs import check_picture_path, save_figure
    from .weights import read_network

    if layer and not save:
        raise click.UsageError("--layer goes with --save P.png")
    if save:
        check_picture_path(save)
    spec, params = read_network(_needed(weights), model)
    _, X = predicting.look([image], PREPARATIONS[spec.family].at(size), params["0.weight"].shape[1])
    of_b = scope.plant(spec, params, plant) if plant else params
    found = scope.look(make_engine(a, spec, params), make_engine(b, spec, of_b), X, tolerance, gradients)
    click.echo(scope.as_text(found, every))
    if save:
        save_figure(scope.draw(found, (a, f"{b}, {plant} damaged" if plant else b), layer), save)
        click.echo(f"picture in {save}")
    if plant:
        caught = found.first == scope.shows_first(spec, plant)
        click.echo(f"planted in {plant} of engine b: {'found' if caught else 'NOT found'}")
    sys.exit(1 if (plant and not caught) or (not plant and (found.first or found.first_gradient)) else 0)


@cli.group()
def data():
    """Find, fetch and verify data sets."""


_data_folder = click.option("--data", "data_dir", metavar="DIR",
                            help="Folder with the four idx files, plain or .gz; nothing else is looked at then.")


@data.command("fashion-mnist")
@_data_folder
def data_fashion_mnist(data_dir):
    """Find Fashion-MNIST on this machine or fetch it, verify it, and say where it is."""
    from .data.fashion_mnist import load_arrays

    (train_images, _), (test_images, _), where = load_arrays(data_dir)
    click.echo(f"Fashion-MNIST: {len(train_images):,} training and {len(test_images):,} test pictures, "
               f"SHA-256 verified\nin {where}")


@cli.group()
def train():
    """Train a network; leaves a run folder behind."""


@train.command("fashion-mnist")
@click.option("--model", default="resnet18", show_default=True, help="resnet18 to resnet152, @family behind it.")
@click.option("--resize", type=click.IntRange(min=1), default=96, show_default=True, help="Side of the pictures.")
@click.option("--no-resize", is_flag=True, help="Keep the pictures at 28x28.")
@click.option("--batch-size", type=click.IntRange(min=1), default=256, show_default=True)
@click.option("--lr", type=click.FloatRange(min=0, min_open=True), default=0.05, show_default=True,
              help="Learning rate of SGD.")
@click.option("--epochs", type=click.IntRange(min=1), default=10, show_default=True)
@click.option("--precision", type=click.Choice(["float32", "bfloat16"]), default="float32", show_default=True,
              help="bfloat16: faster convolutions on a CPU with AVX512-BF16.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Train on the first N pictures only.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True)
@_data_folder
@click.option("--unverified", is_flag=True, help="Take other pictures in the same format from --data.")
@click.option("--out", metavar="DIR", help="The run folder, new or empty.  [default: runs/<date>-<time>-...]")
def train_fashion_mnist(model, resize, no_resize, batch_size, lr, epochs, precision, limit, seed, data_dir, unverified,
                        out):
    """Train MODEL on Fashion-MNIST as article 001 does, on a GPU where there is one."""
    from .launch import FashionMnistConfig
    from .launch import train_fashion_mnist as run

    if unverified and not data_dir:
        raise click.UsageError("--unverified goes with --data DIR")
    config = FashionMnistConfig(model=model, resize=None if no_resize else resize, batch_size=batch_size, lr=lr,
                                epochs=epochs, precision=precision, seed=seed, limit=limit, data=data_dir, verify=not unverified)
    result, _ = run(config, out, click.echo)
    if result.stopped:
        sys.exit(130)


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="The same as JSON.")
def doctor(as_json):
    """Look this machine over: packages, libraries, threads, GPU, data; exit 1 if anything is wrong."""
    from . import doctor as examination

    checks = examination.examine()
    if as_json:
        click.echo(json.dumps(examination.as_dict(checks), indent=2))
    else:
        click.echo(examination.as_text(checks))
    sys.exit(1 if any(check.status == "problem" for check in checks) else 0)


@cli.group()
def bench():
    """Measure this suite against others, alternating in one run."""


@bench.command("train")
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="Runs of each program.")
@click.option("--batches", type=click.IntRange(min=5), default=8, show_default=True, help="Batches in a run.")
@click.option("--batch-size", type=click.IntRange(min=1), default=256, show_default=True)
@click.option("--size", type=click.IntRange(min=32), default=96, show_default=True, help="Side of the pictures.")
@click.option("--torch-python", metavar="PATH", type=click.Path(exists=True, dir_okay=False), help="A Python with torch: PyTorch takes part too.")
@click.option("--depths/--no-depths", default=True, show_default=True, help="One example's cost for 18 to 152, too.")
@click.option("--out", default="bench", show_default=True, metavar="DIR", help="Where train.md and train.json go.")
def bench_train(rounds, batches, batch_size, size, torch_python, depths, out):
    """Training speed of ResNet-18 against d2l's own train_ch6, and the memory of a run on all of Fashion-MNIST."""
    from . import benchmark

    click.echo(benchmark.train(rounds, batches, batch_size, size, torch_python, depths, out, say=click.echo))


def main(args=None):
    """Entry point of ``gluon-resnet``: exit 0, 1 (doctor found a problem), 2 (one line on standard error), 130 (Ctrl-C)."""
    try:
        cli.main(args, prog_name="gluon-resnet", standalone_mode=False)
    except click.ClickException as error:
        _fail(error.format_message())
    except GluonResNetError as error:
        _fail(error)
    except ImportError as error:
        _fail(BackendError(f"{error}; run: gluon-resnet doctor"))
    except BrokenPipeError:  # ... | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        if re.search(r"\.so[.\d]*: ", str(error)):
            _fail(BackendError(f"mxnet cannot be loaded: {error}; run: gluon-resnet doctor"))
        _fail(error)
    except (KeyboardInterrupt, click.Abort):
        click.echo("stopped by Ctrl-C", err=True)
        sys.exit(130)
    except Exception as error:
        if type(error).__name__ != "MXNetError":  # mxnet itself gave up: out of memory, most of the time
            raise
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        _fail(BackendError(f"mxnet: {lines[-1]}; try a smaller --batch-size or --resize"))


def _fail(problem):
    click.echo(f"gluon-resnet: {' '.join(str(problem).split())}", err=True)
    sys.exit(2)
