"""What has to be set before mxnet is imported: threads, CUDA libraries, names that NumPy removed.

    gluon-resnet doctor        # shows what was done

``import gluon_resnet`` calls :func:`prepare` once. By itself mxnet 1.9.1 gives OpenMP half of the processors, and it
reads its settings while it is being loaded, so nothing here helps afterwards.
"""

import ctypes
import glob
import math
import os
import sys
import warnings
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from . import memory
from .import_hook import AroundMxnet, engine_not_named, released_afterwards
from .removed_names import restore_removed_names

#: Settings of OpenMP that decide how many threads run and where; one that the user has set is left alone.
OPENMP_VARIABLES = ("OMP_NUM_THREADS", "OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY")

#: Scratch buffers that mxnet keeps for its operators, used in turn; four by default. Here one operator computes at a
#: time, so three of them would be wasted memory: 0.45 GiB with ResNet-18 at 96x96 and batch size 256.
MXNET_VARIABLES = {"MXNET_CPU_TEMP_COPY": "1"}

#: Lists what prepare() set ("NAME=value;..."), so that a child process does not mistake our settings for the user's.
SET_BY_US = "GLUON_RESNET_SET"

#: Shared libraries of the nvidia-*-cu11 wheels, each after those that it needs: (file name, PyPI package).
CUDA_LIBRARIES = (
    ("libcudart.so.11.0", "nvidia-cuda-runtime-cu11"),
    ("libnvrtc.so.11.2", "nvidia-cuda-nvrtc-cu11"),
    ("libcublasLt.so.11", "nvidia-cublas-cu11"),
    ("libcublas.so.11", "nvidia-cublas-cu11"),
    ("libcudnn.so.8", "nvidia-cudnn-cu11"),
    ("libnccl.so.2", "nvidia-nccl-cu11"),
    ("libcufft.so.10", "nvidia-cufft-cu11"),
    ("libcurand.so.10", "nvidia-curand-cu11"),
    ("libcusolver.so.11", "nvidia-cusolver-cu11"),
    ("libnvToolsExt.so.1", "nvidia-nvtx-cu11"),
)


@dataclass(frozen=True)
class ThreadPlan:
    """How OpenMP is set up for this process: ``threads`` of them, bound to cores or not, and why."""

    threads: int
    bind: bool
    reason: str
    set_by_user: bool = False


@dataclass(frozen=True)
class Prepared:
    """What :func:`prepare` did."""

    plan: ThreadPlan
    variables: Dict[str, str]  # environment variables that prepare() set, by name
    cuda_libraries: Tuple[str, ...]  # paths opened
    too_late: bool  # mxnet had been imported before
    cpus: Tuple[int, ...]  # processors allowed before OpenMP bound this thread to one of them


def allowed_cpus() -> List[int]:
    """Numbers of the logical processors that this process may run on, sorted (affinity respected)."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def physical_cores(cpus: Sequence[int], root: str = "/") -> int:
    """Number of physical cores among the logical processors ``cpus``; two hyperthreads of one core count once."""
    cores: set = set()
    for cpu in cpus:
        topology = Path(root, f"sys/devices/system/cpu/cpu{cpu}/topology")
        try:
            cores.add(tuple((topology / name).read_text().strip() for name in ("physical_package_id", "core_id")))
        except OSError:
            cores.add(cpu)
    return max(1, len(cores))


def _cgroup_quota(folder: Path) -> float:
    """CPUs granted by the quota in one cgroup folder (v2 or v1), infinity without a quota."""
    try:
        quota, period = (folder / "cpu.max").read_text().split()[:2]
    except (OSError, ValueError):
        try:
            quota = (folder / "cpu.cfs_quota_us").read_text().strip()
            period = (folder / "cpu.cfs_period_us").read_text().strip()
        except OSError:
            return math.inf
    try:
        granted = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):  # "max"
        return math.inf
    return granted if granted > 0 else math.inf  # v1 writes -1 for no limit


def cgroup_cpus(root: str = "/") -> float:
    """CPUs that the control groups of this process grant (a float, infinity without a quota).

    The smallest quota of all levels counts, from the process's own group up to the root.
    """
    mount = Path(root, "sys/fs/cgroup")
    try:
        lines = Path(root, "proc/self/cgroup").read_text().splitlines()
    except OSError:
        lines = []
    folders = {mount, mount / "cpu", mount / "cpu,cpuacct"}
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers in ("", "cpu", "cpu,cpuacct", "cpuacct,cpu"):
            folder = mount / controllers / group.lstrip("/")
            folders.update(parent for parent in (folder, *folder.parents) if mount in parent.parents)
    return min((_cgroup_quota(folder) for folder in folders), default=math.inf)


def _binds(environ: Mapping[str, str]) -> bool:
    """Do the variables in force make GNU OpenMP bind its threads?"""
    binding = environ.get("OMP_PROC_BIND", "").strip().lower()
    return bool(environ.get("GOMP_CPU_AFFINITY")) or binding not in ("", "false")


def thread_plan(environ: Optional[Mapping[str, str]] = None, root: str = "/") -> ThreadPlan:
    """Decide how many OpenMP threads to use and whether to bind them, without changing anything.

    oneDNN's convolutions are fastest with one thread for each physical core. Threads are bound only if they may use
    every core that this process sees. Otherwise two processes that share a machine by quota, or by OMP_NUM_THREADS,
    would bind themselves to the same first cores.
    """
    environ = os.environ if environ is None else environ
    cores = physical_cores(allowed_cpus(), root)
    asked = environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if asked:
        if asked.isdigit() and int(asked) > 0:
            return ThreadPlan(int(asked), _binds(environ), "OMP_NUM_THREADS is set by the user", set_by_user=True)
        warnings.warn(
            f"gluon_resnet: OMP_NUM_THREADS={asked!r} is not a positive number: ignored, {cores} used", stacklevel=2
        )
    quota = cgroup_cpus(root)
    if quota < cores:
        return ThreadPlan(
            max(1, math.floor(quota)), False, f"the control group grants {quota:g} of {cores} physical cores"
        )
    placed = [name for name in OPENMP_VARIABLES[1:] if environ.get(name)]
    if placed:
        return ThreadPlan(
            cores,
            _binds(environ),
            f"physical cores this process may use; {placed[0]} is set by the user",
            set_by_user=True,
        )
    return ThreadPlan(cores, True, "physical cores this process may use")


def mxnet_build() -> Tuple[Optional[str], Optional[str]]:
    """The installed mxnet distribution as (name, version), such as ("mxnet-cu112", "1.9.1"), or (None, None)."""
    for name in ("mxnet-cu112", "mxnet"):
        try:
            return name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None, None


def find_cuda_library(name: str) -> Optional[str]:
    """Path of a CUDA library inside an installed nvidia-* wheel, or None."""
    for folder in sys.path:
        hits = sorted(glob.glob(os.path.join(glob.escape(folder or "."), "nvidia", "*", "lib", name)))
        if hits:
            return hits[0]
    return None


def open_cuda_libraries() -> Tuple[str, ...]:
    """Open the CUDA libraries of the nvidia wheels, so that libmxnet.so finds them loaded; the paths opened."""
    opened = []
    for name, _ in CUDA_LIBRARIES:
        path = find_cuda_library(name)
        if path is None:
            continue  # a CUDA toolkit on the machine may have it; doctor names it if nothing has
        try:
            ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)
        except OSError as error:
            warnings.warn(f"gluon_resnet: cannot open {path}: {error}; run: gluon-resnet doctor", stacklevel=2)
            continue
        opened.append(path)
    return tuple(opened)


_prepared: Optional[Prepared] = None


def prepare() -> Prepared:
    """Set threads, CUDA libraries and removed names up for mxnet; does its work once and returns what it did.

    Variables that the user has set are kept. If mxnet has been imported already, one warning says what is lost.
    """
    global _prepared
    if _prepared is not None:
        return _prepared
    for name, value in _inherited(os.environ).items():
        if os.environ.get(name) == value:
            del os.environ[name]
    os.environ.pop(SET_BY_US, None)
    memory.keep_freed_memory()
    cpus, plan = tuple(allowed_cpus()), thread_plan()
    variables: Dict[str, str] = {}
    opened: Tuple[str, ...] = ()
    too_late = "mxnet" in sys.modules
    if too_late:
        if not os.environ.get("OMP_NUM_THREADS"):
            warnings.warn(
                f"mxnet was imported before gluon_resnet, so OpenMP keeps mxnet's default (half of the processors) "
                f"instead of {plan.threads} bound threads, and training may run at half speed; "
                f"put 'import gluon_resnet' above 'import mxnet' and start Python again",
                stacklevel=3,
            )
    else:
        if not plan.set_by_user:
            variables.update(OMP_NUM_THREADS=str(plan.threads))
            if plan.bind:
                variables.update(OMP_PROC_BIND="true", OMP_PLACES="cores")
        elif not os.environ.get("OMP_NUM_THREADS"):
            variables.update(OMP_NUM_THREADS=str(plan.threads))
        variables.update((name, value) for name, value in MXNET_VARIABLES.items() if name not in os.environ)
        _set(variables)
        if plan.bind and hasattr(os, "sched_setaffinity"):
            sys.meta_path.insert(0, AroundMxnet(released_afterwards(cpus)))
        build = mxnet_build()[0]
        if build:  # without mxnet nothing uses the names, and a wheel without its packages has one error alone to print
            try:
                restore_removed_names()
            except ImportError as error:  # PackageNotFoundError too: doctor must be able to say what is missing
                warnings.warn(f"gluon_resnet: {error}; run: gluon-resnet doctor", stacklevel=3)
        if build == "mxnet-cu112":
            opened = open_cuda_libraries()
    _prepared = Prepared(plan, variables, opened, too_late, cpus)
    return _prepared


def compute_at_once() -> bool:
    """Let mxnet compute in the thread that calls it, for programs that only predict; whether it will.

    By default mxnet computes in threads of its own while Python goes on, which helps training, but a program that
    waits for each answer waits for these threads, too. To predict one image by ResNet-50 in the calling thread
    takes 10 % less time in float32 and 15 % less in int8 (docs/benchmarks.md). Nothing is done if mxnet has been
    loaded, for the GPU build, or if the user has set MXNET_ENGINE_TYPE.
    """
    if "mxnet" in sys.modules or "MXNET_ENGINE_TYPE" in os.environ or mxnet_build()[0] != "mxnet":
        return False
    set_variable("MXNET_ENGINE_TYPE", "NaiveEngine")
    sys.meta_path.insert(0, AroundMxnet(engine_not_named()))
    return True


def set_variable(name: str, value: str) -> None:
    """Set an environment variable for this process; child processes take it back as they do with prepare()'s."""
    variables = prepare().variables
    variables[name] = value
    _set(variables)


def _set(variables: Mapping[str, str]) -> None:
    """Put ``variables``, all that are set by this program, into the environment and into SET_BY_US."""
    os.environ.update(variables)
    if variables:
        os.environ[SET_BY_US] = ";".join(f"{name}={value}" for name, value in variables.items())


def _inherited(environ: Mapping[str, str]) -> Dict[str, str]:
    """What a parent process's prepare() set, as listed in SET_BY_US: {name: value}."""
    pairs = (pair.partition("=") for pair in environ.get(SET_BY_US, "").split(";") if pair)
    return {name: value for name, _, value in pairs}


def without_prepared_variables() -> Dict[str, str]:
    """A copy of the environment without what :func:`prepare` set: for another program with its own defaults."""
    ours = (*prepare().variables, SET_BY_US)
    return {name: value for name, value in os.environ.items() if name not in ours}


def threads_report() -> Dict[str, Any]:
    """The thread plan as a dict for a report: threads, bind, reason and the OpenMP variables in force."""
    prepared = prepare()
    return {
        **asdict(prepared.plan),
        "too_late": prepared.too_late,
        "variables": {name: os.environ[name] for name in (*OPENMP_VARIABLES, *MXNET_VARIABLES) if name in os.environ},
    }
