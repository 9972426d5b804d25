"""The command line. An error that the user can cause is printed as one line, with exit status 2.

For example:

    gluon-resnet shapes resnet18 --input 1,1,224,224
    gluon-resnet train fashion-mnist --model resnet18 --resize 96 --epochs 1
"""

import fcntl
import io
import os
import re
import sys
from typing import NoReturn, Optional, Sequence

import click

from . import __version__
from .commands import (
    audit,
    completion,
    evaluation,
    experiments,
    launch,
    machine,
    networks,
    pictures,
    play,
    quantizing,
    records,
    scaling,
    training,
    transcript,
    weights,
)
from .commands.groups import Group
from .errors import BackendError, GluonResNetError
from .text import Terminal, last_line

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


@click.group(cls=Group, context_settings=CONTEXT)
@click.version_option(__version__, prog_name="gluon-resnet")
def cli() -> None:
    """ResNet-18 to ResNet-152 in MXNet/Gluon: shapes, training, trained weights, and a check of this machine."""


for _command in (
    networks.shapes,
    networks.summary,
    networks.reconcile,
    networks.table1,
    networks.draw,
    training.data,
    training.train,
    launch.launch,
    weights.predict,
    weights.microscope,
    weights.export,
    quantizing.quantize,
    weights.list_models,
    records.records,
    evaluation.evaluate,
    evaluation.runs,
    experiments.run,
    experiments.results,
    experiments.reproduce,
    machine.doctor,
    machine.bench,
    machine.profile,
):
    cli.add_command(_command)
cli.add_command(transcript.transcript)
cli.add_command(audit.audit)
cli.add_command(play.play)
cli.add_command(scaling.scaling)
training.data.add_command(pictures.data_show)


def main(args: Optional[Sequence[str]] = None) -> None:
    """Run the command line on ``args``, by default those of the process.

    The exit status is 0, 1 (a check found a problem), 2 (an error, one line on standard error) or 130 (Ctrl-C).
    """
    streams = sys.stdout, sys.stderr
    _open_streams()
    # the one place through which all that is printed goes: names from outside are shown, not obeyed
    sys.stdout, sys.stderr = Terminal(sys.stdout), Terminal(sys.stderr)
    completion.prepare()
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
        if type(error).__name__ != "MXNetError":  # mxnet itself failed: mostly out of memory
            raise
        _fail(BackendError(f"mxnet: {last_line(error)}; try a smaller --batch-size or --resize"))
    finally:
        sys.stdout, sys.stderr = streams


def _open_streams() -> None:
    """Have both streams take every name, also of bytes that are not UTF-8, and be there if the caller closed them.

    Otherwise the next file that is opened would get the number of a closed stream, and what mxnet prints.
    """
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is not None and not _is_writable(number):
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)  # a shell script that was started without it reads itself
        if getattr(sys, name) is None:
            try:
                os.fstat(number)
            except OSError:  # a file opened now gets the lowest number that is free
                while os.open(os.devnull, os.O_RDWR) < number:
                    pass
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115  open to the end
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _is_writable(number: int) -> bool:
    """Whether what is open under the number of a stream, if anything, is open for writing."""
    try:
        return fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
    except OSError:
        return True


def _fail(problem: object) -> NoReturn:
    click.echo(f"gluon-resnet: {' '.join(str(problem).split())}", err=True)
    sys.exit(2)
