"""Who does what in a job, as ps-lite's variables: one mapping for this suite's launcher, Slurm, mpirun and JobSet.

    layout = Layout(workers=4, servers=1, root="10.0.0.1", port=9092)
    layout.variables("worker", 2, host="10.0.0.3")        # {"DMLC_ROLE": "worker", ...}
    task_of("slurm", os.environ)                          # this process's number, from SLURM_PROCID

Task 0 is the scheduler, then come the servers, then the workers. ps-lite numbers workers by itself, in an order that
differs from start to start, so each worker gets the number that counts here in a variable of its own.
"""

import re
from dataclasses import dataclass
from typing import Dict, Mapping, Optional, Tuple

from ..errors import ConfigError

SCHEDULER, SERVER, WORKER = "scheduler", "server", "worker"
SYNC, ASYNC, ALLREDUCE = "dist_sync", "dist_async", "allreduce"
STORES = (SYNC, ASYNC, ALLREDUCE)
PORT = 9092  # of the scheduler, where nobody can look for a free one

#: this suite's own variables: a worker's number, the kind of store, and how gradients are compressed
RANK, STORE, COMPRESSION = "GLUON_RESNET_RANK", "GLUON_RESNET_KVSTORE", "GLUON_RESNET_COMPRESSION"

#: ps-lite: seconds between two signs of life, and without one until a node counts as dead; off by default
HEARTBEATS = {"PS_HEARTBEAT_INTERVAL": "5", "PS_HEARTBEAT_TIMEOUT": "30"}

#: system -> variables of (task number, number of tasks); a JobSet says only the number
SYSTEMS: Mapping[str, Tuple[Tuple[str, ...], Tuple[str, ...]]] = {
    "slurm": (("SLURM_PROCID",), ("SLURM_NTASKS",)),
    "mpirun": (("OMPI_COMM_WORLD_RANK", "PMI_RANK"), ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE")),
    "jobset": (("JOB_COMPLETION_INDEX",), ()),
}


@dataclass(frozen=True)
class Layout:
    """The size of a job, where its scheduler is, and what its workers exchange."""

    workers: int
    servers: int
    root: str  # IPv4 address of the scheduler
    port: int
    store: str = SYNC
    compression: float = 0.0  # threshold of 2-bit compression; 0 is none

    @property
    def tasks(self) -> int:
        """Processes in all."""
        return self.workers if self.store == ALLREDUCE else 1 + self.servers + self.workers

    def place(self, task: int) -> Tuple[str, int]:
        """(role, number within the role) of a task."""
        if self.store == ALLREDUCE:
            return WORKER, task
        if task == 0:
            return SCHEDULER, 0
        return (SERVER, task - 1) if task <= self.servers else (WORKER, task - 1 - self.servers)

    def variables(self, role: str, number: int, host: str) -> Dict[str, str]:
        """The variables of one process.

        Args:
            role: scheduler, server or worker.
            number: within the role, from 0.
            host: IPv4 address by which the others reach its machine.
        """
        own = {RANK: str(number), STORE: self.store} if role == WORKER else {}
        if role == WORKER and self.compression:
            own[COMPRESSION] = repr(self.compression)
        if self.store == ALLREDUCE:
            return own
        return {
            "DMLC_ROLE": role,
            "DMLC_PS_ROOT_URI": self.root,
            "DMLC_PS_ROOT_PORT": str(self.port),
            "DMLC_NUM_WORKER": str(self.workers),
            "DMLC_NUM_SERVER": str(self.servers),
            "DMLC_NODE_HOST": host,
            **HEARTBEATS,
            **own,
        }


def _number(environ: Mapping[str, str], names: Tuple[str, ...]) -> Optional[int]:
    """The whole number in the first variable of ``names`` that is set."""
    for name in names:
        text = environ.get(name)
        if text is not None:
            if not (text.isascii() and text.isdigit() and len(text) < 10):
                raise ConfigError(f"{name} is {text[:40]!r}: expected a whole number")
            return int(text)
    return None


def task_of(system: str, environ: Mapping[str, str], tasks: int) -> int:
    """This process's task number by the variables of a ``system`` that has started it.

    Args:
        system: slurm, mpirun or jobset.
        environ: the environment.
        tasks: processes that the job has.

    Raises:
        ConfigError: there is no such variable, or the system has started another number of tasks.
    """
    ranks, sizes = SYSTEMS[system]
    task, started = _number(environ, ranks), _number(environ, sizes)
    if task is None:
        raise ConfigError(f"--under {system}: {ranks[0]} is not set: expected to be started by {system}")
    if (started is not None and started != tasks) or task >= tasks:
        found = f"{started} tasks" if started is not None else f"task {task}"
        raise ConfigError(
            f"--under {system}: found {found}: expected {tasks} in all, numbered from 0: a scheduler, the servers and "
            f"the workers, or with allreduce the workers alone"
        )
    return task


def root_of(system: str, environ: Mapping[str, str]) -> Optional[str]:
    """The name of the machine of task 0, if the system says it: the first node of Slurm's list."""
    if system != "slurm":
        return None
    nodes = environ.get("SLURM_STEP_NODELIST") or environ.get("SLURM_JOB_NODELIST") or ""
    found = re.match(r"([^\[,]+)(?:\[(\w+)[^\]]*\]([^,]*))?", nodes)  # node7, node[03-08,12], a1,a2
    return "".join(filter(None, found.groups())) if found else None


def port_of(system: str, environ: Mapping[str, str]) -> int:
    """A port for the scheduler: on Slurm by the job's number, so that two jobs on a node do not meet."""
    job = _number(environ, ("SLURM_JOB_ID",)) if system == "slurm" else None
    return PORT if job is None else 20000 + job % 10000


def follows(environ: Mapping[str, str]) -> bool:
    """Whether this process is a worker that leaves the run folder to worker 0."""
    return STORE in environ and environ.get(RANK) != "0"
