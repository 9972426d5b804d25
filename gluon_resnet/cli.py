"""The command line: parse, call one verb, print. A failure the user can cause is one line and exit status 2.

For example:

    gluon-resnet shapes resnet18 --input 1,1,224,224
    gluon-resnet train fashion-mnist --model resnet18 --resize 96 --epochs 1
"""

import os
import re
import sys

import click

from . import __version__
from .commands import evaluation, experiments, machine, networks, pictures, records, training, transcript, weights
from .errors import BackendError, GluonResNetError
from .text import last_line

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


@click.group(context_settings=CONTEXT)
@click.version_option(__version__, prog_name="gluon-resnet")
def cli():
    """ResNet-18 to ResNet-152 in MXNet/Gluon: shapes, training, trained weights, and a check of this machine."""


for _command in (
    networks.shapes,
    networks.summary,
    networks.reconcile,
    networks.table1,
    networks.draw,
    training.data,
    training.train,
    weights.predict,
    weights.microscope,
    weights.export,
    records.records,
    evaluation.evaluate,
    evaluation.runs,
    experiments.run,
    experiments.results,
    experiments.reproduce,
    machine.doctor,
    machine.bench,
):
    cli.add_command(_command)
cli.add_command(transcript.transcript)
training.data.add_command(pictures.data_show)


def main(args=None):
    """Entry point: exit status 0, 1 (doctor found a problem), 2 (one line on standard error) or 130 (Ctrl-C)."""
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
        _fail(BackendError(f"mxnet: {last_line(error)}; try a smaller --batch-size or --resize"))


def _fail(problem):
    click.echo(f"gluon-resnet: {' '.join(str(problem).split())}", err=True)
    sys.exit(2)
