"""Checks of this machine: what keeps mxnet from running, or from running fast, and the command that fixes it.

    gluon-resnet doctor

mxnet itself is imported last, in another process, after everything that can be checked without it.
"""

import re
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Union

from .data import sources
from .data.fashion_mnist import FASHION_MNIST
from .files import PACKAGE
from .machine import driver, elf, env, fatbin, system
from .machine.system import PIP, install_command, requirements_file
from .training import amx, winograd

PYTHONS = ((3, 8), (3, 13))  # oldest and newest that the suite is tested on

#: Library -> Debian package, for what a minimal system may lack.
DEBIAN_PACKAGES = {
    "libgomp.so.1": "libgomp1",
    "libquadmath.so.0": "libquadmath0",
    "libstdc++.so.6": "libstdc++6",
    "libgcc_s.so.1": "libgcc-s1",
    "libGL.so.1": "libgl1",  # this and the next are for OpenCV
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libcuda.so.1": "nvidia-driver",
}

#: Oldest CUDA that the driver must know for the libraries of CUDA 11.8 to run on it.
#: Source: https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html
OLDEST_CUDA = (11, 0)

#: Code for check_import.
MXNET_WORKS = (
    "a = mxnet.nd.ones((2, 3)); assert (a + a).asnumpy().sum() == 12; "
    "print(mxnet.__version__, 'on', mxnet.context.num_gpus(), 'GPUs')"
)
OPENCV_WORKS = "import numpy; assert cv2.countNonZero(numpy.eye(4)) == 4; print(cv2.__version__)"


@dataclass(frozen=True)
class Check:
    """The result of a check: ``status`` is ok, note (worth knowing) or problem; ``fix`` is a command that fixes it."""

    name: str
    status: str
    found: str
    fix: str = ""


def change_build(build: str) -> str:
    """The command that replaces the installed mxnet by ``build``."""
    other = "mxnet" if build == "mxnet-cu112" else "mxnet-cu112"
    return f"{PIP} uninstall -y {other} && {install_command(build)}"


def read_pins(path: Union[str, Path], environment: Optional[Mapping[str, str]] = None) -> Dict[str, str]:
    """{package: version} of the ``==`` lines of a requirements file.

    Lines with markers count if the markers hold for this Python, or for ``environment`` if given.
    """
    # not at the top: doctor reports missing packages, and packaging may be one of them
    from packaging.requirements import InvalidRequirement, Requirement

    pins = {}
    for line in Path(path).read_text().splitlines():
        line = line.split("#")[0].strip()
        if not line or line.startswith("-"):
            continue
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        if requirement.marker and not requirement.marker.evaluate(None if environment is None else dict(environment)):
            continue
        for specifier in requirement.specifier:
            if specifier.operator == "==":
                pins[requirement.name] = specifier.version
    return pins


def check_python() -> Check:
    """Check that mxnet 1.9.1 runs on this Python."""
    version = sys.version_info[:2]
    text = f"{sys.version.split()[0]} at {sys.executable}"
    if PYTHONS[0] <= version <= PYTHONS[1]:
        return Check("Python", "ok", text)
    return Check("Python", "problem", f"{text}; expected 3.8 to 3.13", "apt-get install python3 python3-venv")


def check_packages() -> Iterator[Check]:
    """Compare every pinned package with what is installed, mxnet's build first."""
    build, version = env.mxnet_build()
    path = requirements_file(build)
    install = install_command(build)
    if build is None:
        yield Check("mxnet", "problem", "not installed", install)
    elif build == "mxnet-cu112" and system.version_of("mxnet"):
        yield Check(
            "mxnet",
            "problem",
            "mxnet and mxnet-cu112 are both installed, into one folder",
            f"{PIP} uninstall -y mxnet mxnet-cu112 && {install}",
        )
    else:
        yield Check("mxnet", "ok", f"{build} {version} ({'CUDA 11.2' if build == 'mxnet-cu112' else 'CPU'} build)")
    if not path.is_file():
        yield Check("packages", "note", f"no {path.name} next to the package: versions not compared")
        return
    pins, wrong = read_pins(path), 0
    for package, pin in sorted(pins.items()):
        installed = system.version_of(package)
        if installed != pin and not (package == build or (package == "mxnet" and build is None)):
            wrong += 1
            yield Check(package, "problem", f"{installed or 'not installed'}; pinned is {pin}", install)
    if not wrong:
        yield Check("packages", "ok", f"all {len(pins)} pinned versions of {path.name}")


def check_processor() -> Iterator[Check]:
    """Check the processor's instruction sets, the threads, and which convolution algorithm training uses."""
    cpu, prepared = system.cpu(), env.prepare()
    sets = cpu["instruction_sets"]
    fast = "avx512f" in sets or "avx2" in sets
    yield Check(
        "processor",
        "ok" if fast else "note",
        f"{cpu['model']}: {', '.join(sets) or 'no vector instructions known'}"
        + ("" if fast else "; without AVX2 training is several times slower"),
    )
    plan = prepared.plan
    yield Check(
        "threads",
        "ok",
        f"{plan.threads} for OpenMP{', bound to cores' if plan.bind else ''} ({plan.reason}); "
        f"{cpu['physical']} physical cores, {cpu['logical']} logical processors allowed",
    )
    reason = winograd.unsuitable()
    yield Check(
        "convolutions",
        "note" if reason else "ok",
        f"the direct algorithm ({reason})"
        if reason
        else "Winograd's algorithm in training and for batches, where it is measured to be faster",
    )
    without = amx.unsuitable()
    yield Check(
        "bfloat16",
        "ok" if "avx512_bf16" in sets else "note",
        "multiplied by the processor; "
        + (f"without AMX ({without})" if without else "with AMX if a test at the start of a run finds it right")
        if "avx512_bf16" in sets
        else "this processor has no avx512_bf16: --precision bfloat16 is refused",
    )
    yield Check(
        "int8",
        "ok" if "avx512_vnni" in sets else "note",
        "multiplied by the processor (VNNI)" if "avx512_vnni" in sets else "no avx512_vnni: no faster than float32",
    )


def library_fix(name: str) -> str:
    """The command that installs the missing library ``name``, such as "libgomp.so.1"."""
    for library, package in env.CUDA_LIBRARIES:
        if library == name:
            path = requirements_file("mxnet-cu112")
            pin = read_pins(path).get(package) if path.is_file() else None
            return f"{PIP} install {package}{f'=={pin}' if pin else ''}"
    debian = DEBIAN_PACKAGES.get(name)
    return f"apt-get install {debian}" if debian else f"apt-file search {name}"


def check_libraries() -> Iterator[Check]:
    """Check every shared library that libmxnet.so needs, as its ELF file lists them."""
    path = elf.mxnet_library()
    if path is None:
        return
    if not path.is_file():
        yield Check(
            "libmxnet.so",
            "problem",
            f"{path} is missing",
            f"{PIP} install --force-reinstall --no-deps {'=='.join(filter(None, env.mxnet_build()))}",
        )
        return
    libraries = elf.needed_libraries(path)
    for name, place in libraries:
        yield Check(
            name,
            "ok" if place else "problem",
            place or ("not found: no NVIDIA driver on this machine" if name == "libcuda.so.1" else "not found"),
            "" if place else library_fix(name),
        )


def check_driver(found: driver.Driver) -> Check:
    """Check that NVIDIA's driver is new enough for the CUDA build."""
    text = f"{driver.kernel_version() or 'of unknown version'}, for CUDA up to {fatbin.dotted(found.cuda)}"
    if env.mxnet_build()[0] == "mxnet-cu112" and found.cuda < OLDEST_CUDA:
        expected = f"expected {fatbin.dotted(OLDEST_CUDA)} or newer"
        return Check("driver", "problem", f"{text}; {expected}", library_fix(driver.LIBRARY))
    return Check("driver", "ok", text)


def _refused(code: fatbin.GpuCode) -> str:
    return f"has {code.contents}: it cannot run here; use the CPU build, or a card of {code.generations}"


def check_used_cards(cards: Sequence[driver.Card]) -> Iterator[Check]:
    """Check for each card that the installed CUDA build has code for it; a problem if it has for none of them."""
    code = fatbin.installed_gpu_code()
    some_run = any(code.for_card(card.capability) for card in cards)
    for number, card in enumerate(cards):
        name, own = f"GPU {number}", code.for_card(card.capability)
        if own:
            yield Check(name, "ok", f"{card}: runs ({own})")
        elif not code:
            yield Check(name, "note", f"{card}; no GPU code can be read in libmxnet.so: it may not run here")
        elif some_run:  # try_gpu() leaves this card out
            yield Check(name, "note", f"{card}: this mxnet {_refused(code)}")
        else:
            yield Check(name, "problem", f"{card}: this mxnet {_refused(code)}", change_build("mxnet"))


def check_unused_cards(cards: Sequence[driver.Card]) -> Iterator[Check]:
    """Say for each card, which the CPU build does not use, whether the CUDA build would run on it."""
    for number, card in enumerate(cards):
        name, own = f"GPU {number}", fatbin.CU112.for_card(card.capability)
        if own:
            text = f"{card}; the CPU build of mxnet does not use it, the CUDA build would ({own})"
            yield Check(name, "note", text, change_build("mxnet-cu112"))
        else:
            yield Check(name, "note", f"{card}; the CUDA build of mxnet {_refused(fatbin.CU112)}")


def check_gpus() -> Iterator[Check]:
    """Check NVIDIA's driver and each card against the installed mxnet; nothing is run on the cards."""
    found = driver.ask_apart()
    if not found.cards:
        yield Check("GPU", "note", f"{found.complaint}: computing on the CPU")
        return
    yield check_driver(found)
    check_cards = check_used_cards if env.mxnet_build()[0] == "mxnet-cu112" else check_unused_cards
    yield from check_cards(found.cards)


def check_data() -> Iterator[Check]:
    """Check that Fashion-MNIST is on this machine, complete and undamaged."""
    complaints: List[str] = []
    local = sources.load_local(FASHION_MNIST, complaints.append)
    fetch = f"{sys.executable} -m gluon_resnet data fashion-mnist"
    for complaint in complaints:  # a damaged copy is harmless if another place has the data
        yield Check("Fashion-MNIST", "note" if local else "problem", complaint, "" if local else fetch)
    if local:
        yield Check("Fashion-MNIST", "ok", f"verified in {local[1]} ({local[0]})")
    elif not complaints:
        yield Check("Fashion-MNIST", "note", "not on this machine yet; the first run fetches it", fetch)


def check_import(name: str, code: str) -> Check:
    """Check in another process that the package ``name`` loads, and that ``code`` runs, which prints one line."""
    try:
        process = subprocess.run(
            [sys.executable, "-c", f"import gluon_resnet, {name}; {code}"],
            capture_output=True,
            text=True,
            timeout=120,
            cwd=str(PACKAGE.parent),
        )
    except subprocess.TimeoutExpired:
        return Check(
            f"import {name}",
            "problem",
            "no answer within 120 s",
            f"{sys.executable} -X faulthandler -c 'import {name}'",
        )
    if process.returncode == 0:
        return Check(f"import {name}", "ok", f"loads and computes: {process.stdout.strip()}")
    last = (process.stderr.strip().splitlines() or ["no message"])[-1]
    library = re.match(r"(?:ImportError|OSError): (\S+\.so\S*): cannot open", last)
    fix = library_fix(library[1]) if library else f"{install_command(env.mxnet_build()[0])} --force-reinstall"
    return Check(f"import {name}", "problem", last, fix)


def examine() -> List[Check]:
    """All checks, each after those that it depends on."""
    checks = [check_python(), *check_packages(), *check_processor(), *check_libraries(), *check_gpus(), *check_data()]
    checks.append(check_import("cv2", OPENCV_WORKS))
    if not any(check.status == "problem" and check.name.startswith(("mxnet", "lib")) for check in checks):
        checks.append(check_import("mxnet", MXNET_WORKS))
    return checks


def as_dict(checks: List[Check]) -> Dict[str, Any]:
    """The checks and the machine's report as a dict for JSON."""
    return {
        "problems": sum(check.status == "problem" for check in checks),
        "checks": [asdict(check) for check in checks],
        "system": system.report(),
    }


def as_text(checks: List[Check]) -> str:
    """The checks as lines, each problem followed by the command that fixes it."""
    width = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        lines.append(f"{check.status:<8} {check.name:<{width}}  {check.found}")
        if check.fix:
            lines.append(f"{'':<8} {'':<{width}}  -> {check.fix}")
    problems = sum(check.status == "problem" for check in checks)
    lines.append(f"{problems or 'no'} problem{'' if problems == 1 else 's'} found")
    return "\n".join(lines)
