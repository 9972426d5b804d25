"""Options and arguments that several commands share."""

import click

from ..networks.families import ROWS, by_family, images_of
from . import lazy

figures = lazy("figures")
kinds = lazy("runs.kinds")


def _one_image(family):
    images = images_of(family)
    return f"1,{images.channels},{images.side},{images.side}"


model = click.argument("model")
model_option = click.option(
    "--model", default="resnet50", show_default=True, help="resnet18 to resnet152, @family after it or the file's."
)
input_shape = click.option(
    "--input",
    "shape",
    metavar="N,C,H,W",
    help=f"Shape of the input.  [default: {by_family(_one_image)}]",
)
input_size = click.option("--size", type=click.IntRange(min=32), help="Side of the network's input.  [default: 224]")
classes = click.option(
    "--classes",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"Number of classes.  [default: {by_family(lambda family: ROWS[family]['num_classes'])}]",
)
weights = click.option(
    "--weights",
    metavar="FILE",
    help="Trained weights: .safetensors, .pth, .bin, .h5 or .params. A model without @family takes the file's.",
)
precision = click.option(
    "--precision",
    type=click.Choice(["float32", "bfloat16", "float16"]),
    default="float32",
    show_default=True,
    help="bfloat16: for CPUs with AVX512-BF16, faster on some; float16: for GPUs.",
)
seed = click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True)
new_head = click.option("--new-head", is_flag=True, help="Leave the file's classifier out.")
data_folder = click.option(
    "--data",
    "data_dir",
    metavar="DIR",
    help="Folder with the four idx files, plain or .gz; nothing else is looked at then.",
)


def needed(weights):
    """The file of weights; a usage error where none was given."""
    if not weights:
        raise click.UsageError(
            "--weights FILE is needed, or --run RUN to predict: a network without training knows no classes"
        )
    return weights


def of_config(kind, *names, **settings):
    """An option whose default is the field of its name in the config of a ``kind`` of runs, asked for when needed.

    So a default is written once, in runs/kinds.py, and the module is loaded only for a command of that kind.
    """

    class OfConfig(click.Option):
        """An option that finds its default in a config class."""

        def get_default(self, ctx, call=True):
            """The field's default."""
            return getattr(kinds.kind_named(kind).config, self.name)

    return click.option(*names, cls=OfConfig, show_default=True, **settings)


config_file = click.option(
    "--config", "config_path", metavar="FILE", help="Settings from a .toml or .yaml file, a field a line."
)
settings = click.option(
    "--set", "settings", multiple=True, metavar="FIELD=VALUE", help="One setting; may be given often."
)
resume = click.option("--resume", metavar="RUN", help="Go on with a run that was stopped, as if it had not been.")
out = click.option("--out", metavar="DIR", help="The run folder, new or empty.  [default: runs/<date>-<time>-...]")
tensorboard = click.option("--tensorboard", is_flag=True, help="Write TensorBoard events into the run folder, too.")
find_lr = click.option(
    "--find-lr", metavar="P.png", help="Try learning rates out instead of training, and draw the losses."
)


def run(command):
    """All options that a command which leaves a run folder has, whatever it trains on."""
    for option in (resume, find_lr, tensorboard, out, settings, config_file, new_head, weights, seed, precision):
        command = option(command)
    return command


def picture(path):
    """``path`` if a picture may be written there, or None."""
    if path:
        figures.check_picture_path(path)
    return path


def given(context):
    """Names of the options that were typed, but for --config, --set, --out, --find-lr and --resume."""
    typed = {
        name for name in context.params if context.get_parameter_source(name) == click.core.ParameterSource.COMMANDLINE
    }
    return typed - {"config_path", "settings", "out", "resume", "find_lr"}


def alone(others, option="--resume", what="settings"):
    """A usage error if options are given next to one that takes their values from a run folder."""
    if others:
        raise click.UsageError(f"{option} takes the run's own {what}: leave out {', '.join(sorted(others))}")
