"""data and train: from files to a run folder."""
import sys

import click

from . import options


@click.group()
def data():
    """Find, fetch and verify data sets."""


@data.command("fashion-mnist")
@options.data_folder
def data_fashion_mnist(data_dir):
    """Find Fashion-MNIST on this machine or fetch it, verify it, and say where it is."""
    from ..data.fashion_mnist import load_arrays

    (train_images, _), (test_images, _), where = load_arrays(data_dir)
    click.echo(f"Fashion-MNIST: {len(train_images):,} training and {len(test_images):,} test pictures, "
               f"SHA-256 verified\nin {where}")


@click.group()
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
@options.weights
@options.new_head
@options.data_folder
@click.option("--unverified", is_flag=True, help="Take other pictures in the same format from --data.")
@options.config_file
@options.settings
@click.option("--out", metavar="DIR", help="The run folder, new or empty.  [default: runs/<date>-<time>-...]")
@options.tensorboard
@options.find_lr
@options.resume
@click.pass_context
def train_fashion_mnist(context, config_path, settings, out, resume, find_lr, **chosen):
    """Train MODEL on Fashion-MNIST as article 001 does, on a GPU where there is one.

    What else a training can have (momentum, schedules, mixup, averaged parameters, ...) is set by --set or a file: the
    fields of gluon_resnet/recipe.py, one a line.
    """
    from .. import config as configs
    from .. import launch

    given = options.given(context)
    if resume:
        options.alone(given | ({"config"} if config_path or settings else set()) | ({"out"} if out else set()))
        result, _ = launch.resume_fashion_mnist(resume, click.echo)
    else:
        if chosen["unverified"] and not chosen["data_dir"]:
            raise click.UsageError("--unverified goes with --data DIR")
        if chosen["new_head"] and not chosen["weights"]:
            raise click.UsageError("--new-head goes with --weights FILE")
        values = {name: value for name, value in chosen.items() if name in given}
        for option, field, turn in (("no_resize", "resize", lambda value: None), ("data_dir", "data", str),
                                    ("unverified", "verify", lambda value: False)):
            if option in values:
                values[field] = turn(values.pop(option))
        config = configs.load(launch.FashionMnistConfig, values, config_path, settings)
        result, _ = launch.train_fashion_mnist(config, out, click.echo, find_lr=options.picture(find_lr))
    if result and result.stopped:
        sys.exit(130)


@train.command("pictures")
@click.argument("path", metavar="DIR|CSV|FILE.rec", required=False)
@click.option("--model", default="resnet50@keras", show_default=True, help="resnet18 to resnet152, @family behind it.")
@click.option("--image-size", type=click.IntRange(min=32), default=224, show_default=True, help="Side of the pictures.")
@click.option("--batch-size", type=click.IntRange(min=1), default=8, show_default=True)
@click.option("--optimizer", default="adam", show_default=True, help="sgd, nag, adam, adamw or lamb.")
@click.option("--lr", type=click.FloatRange(min=0, min_open=True), default=0.001, show_default=True, help="Learning rate.")
@click.option("--epochs", type=click.IntRange(min=1), default=10, show_default=True)
@click.option("--precision", type=click.Choice(["float32", "bfloat16"]), default="float32", show_default=True,
              help="bfloat16: faster convolutions on a CPU with AVX512-BF16.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True)
@options.weights
@options.new_head
@click.option("--strict", is_flag=True, help="Stop where a picture cannot be used or is suspect.")
@options.config_file
@options.settings
@click.option("--out", metavar="DIR", help="The run folder, new or empty.  [default: runs/<date>-<time>-...]")
@options.tensorboard
@options.find_lr
@options.resume
@click.pass_context
def train_pictures(context, path, config_path, settings, out, resume, find_lr, **chosen):
    """Train MODEL on your own pictures: a folder a class, a CSV of paths and labels, or record files.

    The defaults are article 000's bird photos. Split, augmentation and everything else a training can have are set by
    --set or a file: the fields of gluon_resnet/launch_pictures.py and recipe.py, one a line.
    """
    from .. import config as configs
    from .. import launch_pictures as launch

    given = options.given(context)
    if resume:
        options.alone(given | ({"config"} if config_path or settings else set()) | ({"out"} if out else set()))
        result, _ = launch.resume_pictures(resume, click.echo)
    else:
        values = {name: value for name, value in chosen.items() if name in given}
        if path:
            values["data"] = path
        config = configs.load(launch.PicturesConfig, values, config_path, settings)
        if not config.data:
            raise click.UsageError("a folder, a CSV or a .rec file is needed, or --resume RUN")
        if config.new_head and not config.weights:
            raise click.UsageError("--new-head goes with --weights FILE")
        result, _ = launch.train_pictures(config, out, click.echo, find_lr=options.picture(find_lr))
    if result and result.stopped:
        sys.exit(130)
