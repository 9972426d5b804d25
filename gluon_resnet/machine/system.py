"""What machine and what software this is, for run folders and for ``gluon-resnet doctor``.

    report()["versions"]      # {"python": "3.11.2", "mxnet": "1.9.1", ...}

mxnet is never imported here, only looked up among the installed packages.
"""

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any, Dict, List, Optional

from ..files import CHECKOUT
from . import driver, env

PIP = f"{sys.executable} -m pip"
PACKAGES = ("d2l", "gluoncv", "numpy", "pandas", "matplotlib", "Pillow")

#: Instruction sets that decide how fast oneDNN's convolutions are, slowest first, as /proc/cpuinfo calls them.
INSTRUCTION_SETS = ("sse4_2", "avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile")

#: instruction set -> values of oneDNN's DNNL_MAX_CPU_ISA that allow it
ALLOWED_BY = {
    "avx512f": ("ALL", "DEFAULT", "AVX512_CORE", "AVX512_CORE_VNNI", "AVX512_CORE_BF16", "AVX512_CORE_AMX"),
    "avx512_vnni": ("ALL", "DEFAULT", "AVX512_CORE_VNNI", "AVX512_CORE_BF16", "AVX512_CORE_AMX"),
    "avx512_bf16": ("ALL", "DEFAULT", "AVX512_CORE_BF16", "AVX512_CORE_AMX"),
}


def _cpuinfo(key: str, root: str = "/") -> str:
    try:
        lines = Path(root, "proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.split(":")[0].strip() == key), "")


def cpu() -> Dict[str, Any]:
    """The processor: model, instruction sets that matter here, logical processors and physical cores allowed."""
    flags = set(_cpuinfo("flags").split())
    cpus = env.prepare().cpus
    return {
        "model": _cpuinfo("model name") or platform.processor() or platform.machine(),
        "instruction_sets": [name for name in INSTRUCTION_SETS if name in flags],
        "logical": len(cpus),
        "physical": env.physical_cores(cpus),
    }


def onednn_may_use(instruction_set: str) -> bool:
    """Whether the processor has an instruction set of :data:`ALLOWED_BY`, and DNNL_MAX_CPU_ISA lets oneDNN use it."""
    limit = os.environ.get("DNNL_MAX_CPU_ISA", "ALL").upper()
    return instruction_set in cpu()["instruction_sets"] and limit in ALLOWED_BY[instruction_set]


def gpus() -> List[str]:
    """A line for each card that NVIDIA's driver finds: "GPU 0: NVIDIA T4, compute capability 7.5"."""
    return [f"GPU {number}: {card}" for number, card in enumerate(driver.ask_apart().cards)]


def version_of(package: str) -> Optional[str]:
    """Installed version of a package, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def versions() -> Dict[str, Optional[str]]:
    """Python, the mxnet build and the packages that results depend on: {name: version}."""
    name, version = env.mxnet_build()
    return {
        "python": platform.python_version(),
        name or "mxnet": version,
        **{package: version_of(package) for package in PACKAGES},
    }


def requirements_file(build: Optional[str]) -> Path:
    """Path of the requirements file for an mxnet build ("mxnet" or "mxnet-cu112"), of the checkout or the wheel."""
    return CHECKOUT / ("requirements-cu112.txt" if build == "mxnet-cu112" else "requirements.txt")


def install_command(build: Optional[str]) -> str:
    """The command that installs everything an mxnet build needs, with this Python, from any folder."""
    return f"{PIP} install -r {requirements_file(build)} -c {CHECKOUT / 'constraints.txt'}"


def git_commit() -> Optional[str]:
    """Commit of the checkout that this package runs from, or that its wheel was built from; None if unknown.

    It ends in ``-dirty`` if files differed from the commit.
    """
    built_from = CHECKOUT / "COMMIT"  # written by setup.py
    if built_from.is_file():
        return built_from.read_text().strip()
    if not (CHECKOUT / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(CHECKOUT), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=20,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def report() -> Dict[str, Any]:
    """All of it as one dict for JSON."""
    return {
        "versions": versions(),
        "platform": platform.platform(),
        "cpu": cpu(),
        "gpus": gpus(),
        "threads": env.threads_report(),
        "git_commit": git_commit(),
        "executable": sys.executable,
    }
