"""A job from its options to its end: which process runs where, and the starts after a failure.

outcome = run(Job(words=("train", "fashion-mnist"), workers=2), say)
"""

import json
import os
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import List, Mapping, Optional, Sequence, Tuple

from ..errors import ConfigError
from ..training.checkpoint_files import checkpoints
from .addresses import Host, address_of, free_port, here, own_address, resolved
from .roles import ALLREDUCE, PORT, SCHEDULER, SERVER, SYNC, WORKER, Layout, port_of, root_of, task_of
from .supervisor import Order, Outcome, Say, Supervisor

#: what a server or the scheduler runs: mxnet serves while it is imported, and ends the process there
SERVE = "import gluon_resnet, mxnet"
REFUSED = 2  # the exit status of a command that cannot be run
NAME_SECONDS = 60  # in which the machine of task 0 must have its name


@dataclass(frozen=True)
class Job:
    """What ``gluon-resnet launch`` is asked for."""

    words: Tuple[str, ...]  # of the training's command line, after gluon-resnet
    workers: int
    servers: int = 1
    hosts: Tuple[Host, ...] = ()  # this machine alone if there are none
    store: str = SYNC
    compression: float = 0.0
    port: int = 0  # of the scheduler; any free one if 0
    restarts: int = 0
    run: Optional[str] = None  # the run folder, if the command names it


def machines(hosts: Sequence[Host], number: int) -> List[Host]:
    """The machine of each of ``number`` workers: a host takes as many as it has slots, then the next one does.

    Raises ConfigError if there are not enough slots.
    """
    places = [host for host in hosts for _ in range(host.slots)]
    if hosts and number > len(places):
        raise ConfigError(f"--workers is {number}: expected at most {len(places)}, as the host file has slots")
    return places[:number] if hosts else [here()] * number


def layout_of(job: Job, start: int = 0) -> Layout:
    """The layout of a job's ``start``-th start, from 0, with a port for its scheduler."""
    root = job.hosts[0] if job.hosts else here()
    # elsewhere nobody can look, and the last start's may still be held
    port = free_port(root.address, job.port) if root.is_here else (job.port or PORT) + start
    return Layout(job.workers, job.servers, root.address, port, job.store, job.compression)


def orders(job: Job, layout: Layout, words: Sequence[str]) -> List[Order]:
    """One order for each process: the scheduler on the first machine, servers one machine after the other."""
    hosts = job.hosts or (here(),)
    workers = machines(job.hosts, job.workers)
    on_machine = Counter(workers)
    places = [(SCHEDULER, 0, hosts[0])]
    places += [(SERVER, number, hosts[number % len(hosts)]) for number in range(job.servers)]
    places += [(WORKER, number, host) for number, host in enumerate(workers)]
    made = []
    for role, number, host in places:
        command = ["-m", "gluon_resnet", *words] if role == WORKER else ["-c", SERVE]
        variables = {**passed_on(os.environ), **layout.variables(role, number, host.address)}
        sharing = max(1, on_machine[host])
        made.append(Order(role, number, host, [sys.executable, *command], variables, os.getcwd(), sharing))
    return made


def passed_on(environ: Mapping[str, str]) -> Mapping[str, str]:
    """The variables that every process gets, on other machines, too: ps-lite's, mxnet's and this suite's."""
    own = ("GLUON_RESNET_SET",)  # what this process has set for itself (machine/env.py)
    begins = ("PS_", "MXNET_", "GLUON_RESNET_")
    return {name: value for name, value in environ.items() if name.startswith(begins) and name not in own}


def has_checkpoint(run: str) -> bool:
    """Whether a run folder has a checkpoint to go on from."""
    return bool(checkpoints(run))


def is_finished(run: Optional[str]) -> bool:
    """Whether all results of a run have been written."""
    try:
        return bool(json.loads((Path(run or "") / "result.json").read_text())["status"] == "finished")
    except (OSError, ValueError, KeyError, TypeError):
        return False


def next_words(job: Job, makes_room: bool = True) -> Tuple[str, ...]:
    """The command of the next start: it resumes the run, or begins again if there is no checkpoint yet.

    A folder without one has only what its start has written; it is moved aside, if this process ``makes_room``.
    """
    assert job.run is not None
    if has_checkpoint(job.run):
        kind = job.words[1:2] if not job.words[1].startswith("-") else ()
        return ("train", *kind, "--resume", job.run)
    folder = Path(job.run)
    if makes_room and folder.is_dir() and any(folder.iterdir()):
        number = 1
        while folder.with_name(f"{folder.name}.failed-{number}").exists():
            number += 1
        folder.rename(folder.with_name(f"{folder.name}.failed-{number}"))
    return job.words


def run(job: Job, say: Say) -> Outcome:
    """Run a job; after a failure start all again, as often as it says.

    Args:
        job: the :class:`Job`.
        say: called with each line, and whether it is of standard error.

    Returns:
        The last start's :class:`Outcome`. A command that was refused before its first checkpoint is not started again.
        A failure after all results were written is none: servers and scheduler are no longer needed.

    Raises:
        ConfigError: before anything is started.
    """
    words, finished_before = job.words, is_finished(job.run)
    for start in range(job.restarts + 1):
        layout = layout_of(job, start)
        if start == 0:
            say(described(layout, job), False)
        outcome = Supervisor(orders(job, layout, words), say).run()
        if outcome.status and is_finished(job.run) and not finished_before:
            return Outcome(0, f"{outcome.line}; the run {job.run} was finished")
        refused = outcome.status == REFUSED and not (job.run and has_checkpoint(job.run))
        if outcome.status == 0 or outcome.asked or refused or start == job.restarts:
            return outcome
        words = next_words(job)
        say(f"gluon-resnet: {outcome.line}", True)
        how = "from the last checkpoint" if "--resume" in words else "from the beginning: there is no checkpoint yet"
        say(f"gluon-resnet: start {start + 2} of {job.restarts + 1}, {how}", True)
    raise AssertionError("the last start returns")


def run_module(module: str, say: Say, workers: int = 1) -> Outcome:
    """Run a module as the workers of a job on this machine, with one server, instead of a training."""
    job = Job((), workers)
    layout = layout_of(job)
    command = [sys.executable, "-m", module]
    made = [replace(order, command=command) if order.role == WORKER else order for order in orders(job, layout, ())]
    return Supervisor(made, say).run()


def described(layout: Layout, job: Job) -> str:
    """The line that says who will work where."""
    where = "this machine" if not job.hosts else ", ".join(host.name for host in job.hosts)
    parts = [f"{layout.workers} worker{'s' * (layout.workers > 1)}"]
    parts += [f"{layout.servers} server{'s' * (layout.servers > 1)} and a scheduler at {layout.root}:{layout.port}"]
    squeezed = f", gradients in 2 bits (threshold {layout.compression:g})" if layout.compression else ""
    return f"launch: {', '.join(parts)}, on {where}, {layout.store}{squeezed}"


@dataclass(frozen=True)
class Task:
    """A process that Slurm, mpirun or a JobSet has started for a job: its place and its variables."""

    role: str
    number: int
    variables: Mapping[str, str]
    command: Tuple[str, ...]


def task(
    job: Job, system: str, environ: Mapping[str, str], root: Optional[str] = None, trusted: Sequence[str] = ()
) -> Task:
    """This process's part in a job whose processes a cluster's own launcher has started.

    Args:
        job: the :class:`Job`; its hosts are the launcher's. With ``restarts``, which the launcher counts, a run that
            has a checkpoint is resumed.
        system: slurm, mpirun or jobset.
        environ: the environment.
        root: name or address of the machine of task 0; Slurm says it itself.
        trusted: further addresses and networks.

    Raises:
        ConfigError: the variables do not fit, or nobody says where task 0 is.
    """
    layout = Layout(job.workers, job.servers, "", 0, job.store, job.compression)
    role, number = layout.place(task_of(system, environ, layout.tasks))
    host = ""
    if job.store != ALLREDUCE:
        name = root or root_of(system, environ)
        if not name:
            raise ConfigError(f"--under {system} needs --root HOST, the machine of task 0: {system} does not say it")
        address = _address_in_time(name, trusted)
        layout = replace(layout, root=address, port=job.port or port_of(system, environ))
        host = address if role == SCHEDULER else own_address(address)
    words = next_words(job, makes_room=number == 0) if job.restarts and role == WORKER else job.words
    command = ("-m", "gluon_resnet", *words) if role == WORKER else ("-c", SERVE)
    return Task(role, number, layout.variables(role, number, host), (sys.executable, *command))


def _address_in_time(name: str, trusted: Sequence[str]) -> str:
    """The address of a host whose name may not be known yet: a JobSet's is once its pod has been placed."""
    for _ in range(NAME_SECONDS):
        with suppress(ConfigError):
            resolved(name)
            break
        time.sleep(1)
    return address_of(name, trusted)
