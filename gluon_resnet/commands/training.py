"""data and train: from files to a run folder."""

import os
import sys
from typing import Any, Callable, Dict, Optional

import click

from . import completion, lazy, options
from .groups import Group

configs = lazy("runs.config")
finetuning = lazy("runs.finetuning")
fashion_mnist = lazy("data.fashion_mnist")
kinds = lazy("runs.kinds")
launch = lazy("runs.launch")
roles = lazy("distributed.roles")
run_folder = lazy("runs.folder")


@click.group(cls=Group)
def data() -> None:
    """Find, fetch and verify data sets."""


@data.command("fashion-mnist")
@options.data_folder
def data_fashion_mnist(data_dir: Optional[str]) -> None:
    """Find Fashion-MNIST on this machine or fetch it, verify it, and say where it is."""
    (train_images, _), (test_images, _), where = fashion_mnist.load_arrays(data_dir)
    click.echo(
        f"Fashion-MNIST: {len(train_images):,} training and {len(test_images):,} test images, "
        f"SHA-256 verified\nin {where}"
    )


@click.group(cls=Group, invoke_without_command=True, no_args_is_help=True)
@options.resume
@click.pass_context
def train(context: click.Context, resume: Optional[str]) -> None:
    """Train a network and write a run folder, or resume one."""
    if resume and context.invoked_subcommand:
        raise click.UsageError(
            f"--resume RUN needs no {context.invoked_subcommand}, the run knows its own kind: leave that out"
        )
    if resume:
        _end(launch.resume(None, resume, click.echo)[0])


def _end(result: Any) -> None:
    """Exit with status 130 if Ctrl-C has stopped a training."""
    if result and result.stopped:
        sys.exit(130)


Settings = Dict[str, Any]  # {field of the config: value}


def _run(context: click.Context, chosen: Settings, values: Callable[[Settings], Settings], kind: Any) -> None:
    """Train a run with a config made from the command line and a file, or resume one.

    Args:
        context: click's context of the command.
        chosen: all options of the command.
        values: function that makes fields of the config from the options on the command line.
        kind: the kind of run.
    """
    option_names = options.given(context)
    if chosen["resume"]:
        others = [name for name in ("config_path", "settings", "out", "find_lr") if chosen[name]]
        options.alone(option_names | set(others))
        result, _ = launch.resume(kind, chosen["resume"], click.echo)
    else:
        finetune = chosen.get("finetune")
        if chosen["new_head"] and not (chosen["weights"] or finetune):
            raise click.UsageError("--new-head goes with --weights FILE")
        asked = values({name: value for name, value in chosen.items() if name in option_names - {"finetune"}})
        if finetune:
            config = finetuning.load(finetune, asked, chosen["config_path"], chosen["settings"])
        else:
            config = configs.load(kind.config, asked, chosen["config_path"], chosen["settings"])
        if chosen["out"] and not roles.follows(os.environ):
            run_folder.check_unused(chosen["out"])  # before the data are looked at
        result, _ = kind.train(config, chosen["out"], click.echo, find_lr=options.picture(chosen["find_lr"]))
    _end(result)


@train.command("fashion-mnist")
@options.of_config(
    "fashion-mnist", "--model", shell_complete=completion.models, help="resnet18 to resnet152, with @family if not d2l."
)
@options.of_config("fashion-mnist", "--resize", type=click.IntRange(min=1), help="Side of the images.")
@click.option("--no-resize", is_flag=True, help="Keep the images at 28x28.")
@options.of_config("fashion-mnist", "--batch-size", type=click.IntRange(min=1))
@options.of_config("fashion-mnist", "--lr", type=click.FloatRange(min=0, min_open=True), help="Learning rate of SGD.")
@options.of_config("fashion-mnist", "--epochs", type=click.IntRange(min=1))
@options.of_config("fashion-mnist", "--keep", type=click.IntRange(min=1), help="Checkpoints that are kept.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Train on the first N images only.")
@options.hold_out
@options.data_folder
@click.option("--unverified", is_flag=True, help="Accept other images in the same format in --data.")
@options.run
@options.list_settings("fashion-mnist")
@click.pass_context
def train_fashion_mnist(context: click.Context, **chosen: Any) -> None:
    """Train MODEL on Fashion-MNIST as article 001 does, on a GPU if there is one.

    Everything else (momentum, schedules, mixup, averaged parameters, ...) is off by default; switch it on with --set
    field=value or a file with one field per line. --list-settings shows the fields. One exception: before each test,
    batch-norm statistics are re-estimated from 20 training batches; --set norm_batches=0 tests as the article does.
    """
    if chosen["unverified"] and not chosen["data_dir"]:
        raise click.UsageError("--unverified goes with --data DIR")

    def values(given: Settings) -> Settings:
        if "no_resize" in given:
            del given["no_resize"]
            given["resize"] = None
        if "data_dir" in given:
            given["data"] = given.pop("data_dir")
        if "unverified" in given:
            del given["unverified"]
            given["verify"] = False
        return given

    _run(context, chosen, values, kinds.FASHION_MNIST)


@train.command("pictures")
@click.argument("path", metavar="DIR|CSV|FILE.rec", required=False)
@options.of_config(
    "pictures", "--model", shell_complete=completion.models, help="resnet18 to resnet152, with @family if not d2l."
)
@options.of_config("pictures", "--image-size", type=click.IntRange(min=32), help="Side of the images.")
@options.of_config("pictures", "--batch-size", type=click.IntRange(min=1))
@options.of_config("pictures", "--optimizer", help="sgd, nag, adam, adamw, lamb or muon.")
@options.of_config("pictures", "--lr", type=click.FloatRange(min=0, min_open=True), help="Learning rate.")
@options.of_config("pictures", "--epochs", type=click.IntRange(min=1))
@options.of_config("pictures", "--keep", type=click.IntRange(min=1), help="Checkpoints that are kept.")
@click.option(
    "--finetune",
    metavar="FILE|NAME",
    help="Start from trained weights, with settings for that: a file, or a network of gluon-resnet models by name.",
)
@click.option("--strict", is_flag=True, help="Stop if an image cannot be used or is suspect.")
@options.parts
@options.run
@options.list_settings("pictures")
@click.pass_context
def train_pictures(context: click.Context, path: Optional[str], **chosen: Any) -> None:
    """Train MODEL on your own images: a folder for each class, a CSV of paths and labels, or record files.

    The defaults are article 000's for its bird photos, or with --finetune those of docs/images.md. Split, augmentation
    and everything else are set with --set field=value or a file with one field per line: --list-settings shows the
    fields.
    """

    def values(given: Settings) -> Settings:
        if path:
            given["data"] = path
        return given

    _run(context, chosen, values, kinds.PICTURES)
