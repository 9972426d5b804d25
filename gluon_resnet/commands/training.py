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
@click.option("--out", metavar="DIR", help="The run folder, new or empty.  [default: runs/<date>-<time>-...]")
def train_fashion_mnist(model, resize, no_resize, batch_size, lr, epochs, precision, limit, seed, weights, new_head, data_dir,
                        unverified, out):
    """Train MODEL on Fashion-MNIST as article 001 does, on a GPU where there is one."""
    from ..launch import FashionMnistConfig
    from ..launch import train_fashion_mnist as run

    if unverified and not data_dir:
        raise click.UsageError("--unverified goes with --data DIR")
    if new_head and not weights:
        raise click.UsageError("--new-head goes with --weights FILE")
    config = FashionMnistConfig(model=model, resize=None if no_resize else resize, batch_size=batch_size, lr=lr,
                                epochs=epochs, precision=precision, seed=seed, limit=limit, data=data_dir,
                                verify=not unverified, weights=weights, new_head=new_head)
    result, _ = run(config, out, click.echo)
    if result.stopped:
        sys.exit(130)


