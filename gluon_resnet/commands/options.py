"""Options and arguments that several commands share."""

from typing import Any, Callable, Iterable, Optional, Set

import click

from ..instruments import ENGINES, SHORT
from ..networks.families import ROWS, by_family, images_of
from . import completion, lazy

figures = lazy("figures")
kinds = lazy("runs.kinds")
meanings = lazy("runs.settings")


Command = Callable[..., Any]  # a function that click turns into a command, or one that it has turned


def _one_image(family: str) -> str:
    images = images_of(family)
    return f"1,{images.channels},{images.side},{images.side}"


model = click.argument("model", shell_complete=completion.models)
model_option = click.option(
    "--model",
    default="resnet50",
    show_default=True,
    shell_complete=completion.models,
    help="resnet18 to resnet152, with @family; without it, the file's.",
)
input_shape = click.option(
    "--input",
    "shape",
    metavar="N,C,H,W",
    help=f"Shape of the input.  [default: {by_family(_one_image)}]",
)
input_size = click.option(
    "--size",
    type=click.IntRange(min=32),
    help="Side of the network's input.  [default: 224, or that of published weights]",
)
classes = click.option(
    "--classes",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"Number of classes.  [default: {by_family(lambda family: ROWS[family]['num_classes'])}]",
)
weights = click.option(
    "--weights",
    metavar="FILE|NAME",
    help="Trained weights: .safetensors, .pth, .bin, .h5 or .params; or published ones by name: imagenet, imagenet:TAG "
    "(gluon-resnet models). A model without @family takes the file's.",
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
parts = click.option(
    "--parts",
    metavar="A,B",
    help="The folders (or values of a CSV's split, or record files) that train and validate; A alone is split; "
    "'classes': all folders are classes.  [default: by their names]",
)
engine = click.option(
    "--engine",
    type=click.Choice(ENGINES + SHORT),
    help="What runs the network; int8 takes --calibrate, or weights in a .int8 file.  [default: gluon; int8 for such a "
    "file]",
)
calibrate = click.option(
    "--calibrate",
    metavar="DIR|CSV|FILE.rec",
    help="Images from which the engine int8 learns the ranges of its layers.",
)
hold_out = click.option(
    "--hold-out",
    type=click.IntRange(min=1),
    metavar="N",
    help="Test on N of the training images, held out by class, instead of the test part, which is not looked at.",
)
data_folder = click.option(
    "--data",
    "data_dir",
    metavar="DIR",
    help="Folder with the four idx files, plain or .gz; no other place is searched.",
)


def needed(weights: Optional[str], run: bool = False) -> str:
    """The file or name of weights; raises a usage error if none was given. ``run``: the command also has --run."""
    if not weights:
        raise click.UsageError(
            f"--weights FILE is needed, or --weights imagenet for published ones{', or --run RUN' if run else ''}: an "
            f"untrained network cannot predict"
        )
    return weights


def of_config(kind: str, *names: str, **settings: Any) -> Callable[[Command], Command]:
    """An option whose default is the field of the same name in the config of the ``kind`` of runs.

    So a default is written only once, in runs/kinds.py, and the module is loaded only for a command of that kind.
    """

    class OfConfig(click.Option):
        """An option that finds its default in a config class."""

        def get_default(self, ctx: click.Context, call: bool = True) -> Any:
            """The default of the field."""
            return getattr(kinds.kind_named(kind).config, str(self.name))

    return click.option(*names, cls=OfConfig, show_default=True, **settings)


config_file = click.option(
    "--config", "config_path", metavar="FILE", help="Settings from a .toml or .yaml file, one field per line."
)
settings = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="FIELD=VALUE",
    shell_complete=completion.settings,
    help="One setting; can be repeated.",
)


def list_settings(kind: str) -> Callable[[Command], Command]:
    """The option --list-settings of the ``kind`` of runs."""

    def show(context: click.Context, param: click.Parameter, value: bool) -> None:
        if value and not context.resilient_parsing:
            formatter = context.make_formatter()
            titles = ("The recipe (also the arguments of gr.Recipe)", "Every run", f"Runs of train {kind}")
            for title, rows in zip(titles, meanings.settings(kinds.kind_named(kind).config).values()):
                with formatter.section(title):
                    formatter.write_dl([(f"{row.name}={row.default}", row.meaning) for row in rows])
            click.echo(formatter.getvalue().strip("\n"))
            context.exit()

    return click.option(
        "--list-settings",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=show,
        help="Show the fields of --set and --config with their defaults and meanings, and exit.",
    )


resume = click.option(
    "--resume",
    metavar="RUN",
    shell_complete=completion.runs,
    help="Resume a run that was interrupted; the result is as without the interruption.",
)
out = click.option("--out", metavar="DIR", help="The run folder, new or empty.  [default: runs/<date>-<time>-...]")
tensorboard = click.option("--tensorboard", is_flag=True, help="Write TensorBoard events into the run folder, too.")
find_lr = click.option(
    "--find-lr", metavar="P.png", help="Try learning rates instead of training, and draw the losses."
)


def run(command: Command) -> Command:
    """Add the options that all commands that write a run folder have."""
    for option in (resume, find_lr, tensorboard, out, settings, config_file, new_head, weights, seed, precision):
        command = option(command)
    return command


def picture(path: Optional[str]) -> Optional[str]:
    """``path`` itself; raises RunError if it is given but no picture can be written there."""
    if path:
        figures.check_picture_path(path)
    return path


def given(context: click.Context) -> Set[str]:
    """Names of the options on the command line, without --config, --set, --out, --find-lr and --resume."""
    typed = {
        name for name in context.params if context.get_parameter_source(name) == click.core.ParameterSource.COMMANDLINE
    }
    return typed - {"config_path", "settings", "out", "resume", "find_lr"}


def alone(others: Iterable[str], option: str = "--resume", what: str = "settings") -> None:
    """Raise a usage error if there are ``others`` in addition to an ``option`` that takes their values from a run."""
    if others:
        raise click.UsageError(f"{option} takes the run's own {what}: leave out {', '.join(sorted(others))}")
