"""launch: a training on several processes, here or on other machines."""

import os
import sys
from typing import Any, Dict, Optional, Tuple

import click

from . import lazy, training

addresses = lazy("distributed.addresses")
jobs = lazy("distributed.jobs")

STORES = ("dist_sync", "dist_async", "allreduce")
SYSTEMS = ("slurm", "mpirun", "jobset")
MOST = 1024  # processes of one kind


@click.command()
@click.option("--workers", type=click.IntRange(1, MOST), required=True, metavar="N", help="Processes that train.")
@click.option(
    "--servers",
    type=click.IntRange(1, MOST),
    default=1,
    show_default=True,
    metavar="M",
    help="Processes that sum the gradients; without effect with allreduce.",
)
@click.option("--hosts", "hosts_file", metavar="FILE", help="Machines, one on each line: an address, then slots=N.")
@click.option(
    "--restarts",
    type=click.IntRange(0, 1000),
    default=0,
    metavar="K",
    help="Start all again up to K times if one fails.",
)
@click.option(
    "--kvstore", type=click.Choice(STORES), default=STORES[0], show_default=True, help="How gradients come together."
)
@click.option(
    "--compress",
    type=click.FloatRange(min=0, min_open=True, max=1e6),
    metavar="THRESHOLD",
    help="Send gradients in 2 bits: minus the threshold, 0 or the threshold, and keep the rest for the next step.",
)
@click.option("--port", type=click.IntRange(1024, 65535), help="Of the scheduler.  [default: one that is free]")
@click.option("--trust", multiple=True, metavar="ADDRESS", help="Allow an address or network that is not private.")
@click.option("--under", type=click.Choice(SYSTEMS), help="Be one of the processes that this system has started.")
@click.option("--root", metavar="HOST", help="With --under: the machine of task 0.")
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- train ...")
def launch(words: Tuple[str, ...], **chosen: Any) -> None:
    """Train with N workers: gluon-resnet launch --workers 2 -- train fashion-mnist ...

    Starts a scheduler, servers and workers, here or by ssh on the machines of --hosts, and ends all of them when one
    fails. The batch size and the learning rate of the command are those of all workers together, so the result does
    not depend on their number. docs/distributed.md has the details.
    """
    if chosen["under"]:
        if chosen["hosts_file"]:
            raise click.UsageError(f"--under leaves --hosts to {chosen['under']}")
        _enter(_job(words, chosen, ()), chosen)
    if chosen["kvstore"] == STORES[2]:
        raise click.UsageError(
            "allreduce is started by mpirun, which ends all when one fails: mpirun -n N gluon-resnet launch --under "
            "mpirun --kvstore allreduce --workers N -- train ..."
        )
    if chosen["root"]:
        raise click.UsageError("--root goes with --under SYSTEM; without it the first machine of --hosts is the root")
    hosts = addresses.read_hosts(chosen["hosts_file"], chosen["trust"]) if chosen["hosts_file"] else ()
    addresses.trusted_networks(chosen["trust"])
    job = _job(words, chosen, tuple(hosts))
    outcome = jobs.run(job, lambda line, is_error: click.echo(line, err=is_error))
    if outcome.line:
        click.echo(f"gluon-resnet: {outcome.line}", err=True)
    sys.exit(outcome.status)


def _job(words: Tuple[str, ...], chosen: Dict[str, Any], hosts: Tuple[Any, ...]) -> Any:
    """The Job of the options; a usage error if they or the training's own do not fit."""
    params = _parsed(words)
    run = params.get("resume") or params.get("out")
    if params.get("find_lr"):
        raise click.UsageError("--find-lr tries rates in one process: leave it out, or leave launch out")
    if chosen["restarts"] and not run:
        raise click.UsageError("--restarts needs the run's name in the command: --out DIR or --resume RUN")
    if chosen["compress"] and chosen["kvstore"] != STORES[0]:
        raise click.UsageError("--compress goes with --kvstore dist_sync: the others send gradients as they are")
    return jobs.Job(
        words,
        chosen["workers"],
        chosen["servers"],
        hosts,
        chosen["kvstore"],
        chosen["compress"] or 0.0,
        chosen["port"] or 0,
        chosen["restarts"],
        run,
    )


def _parsed(words: Tuple[str, ...]) -> Dict[str, Optional[str]]:
    """The options of the training's command line; a usage error if it has a mistake, before anything is started."""
    if words[0] != "train":
        raise click.UsageError(
            f"launch runs train, found {words[0][:40]!r}: gluon-resnet launch --workers 2 -- train ..."
        )
    context = training.train.make_context("gluon-resnet train", list(words[1:]))
    left = [*context.protected_args, *context.args]
    if not left:  # train --resume RUN
        return context.params
    name, command, rest = training.train.resolve_command(context, left)
    assert command is not None
    return command.make_context(name, rest, parent=context).params


def _enter(job: Any, chosen: Dict[str, Any]) -> None:
    """Become this task's process."""
    task = jobs.task(job, chosen["under"], os.environ, chosen["root"], chosen["trust"])
    click.echo(f"launch: {task.role} {task.number}, started by {chosen['under']}")
    sys.stdout.flush()
    os.execve(task.command[0], list(task.command), {**os.environ, **task.variables})
