"""Run a chapter's cells in a kernel of their own, one after the other.

    played = runner.play(formats.read("resnet.md"), runner.Settings(limits={"epochs": 1}))

The kernel is this Python, works in the file's folder, and is prepared by kernel.py.
"""

import asyncio
import json
import math
import os
import re
import signal
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence

import nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import ensure_event_loop, run_sync
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from ..editions.limits import Limits
from ..errors import BackendError
from ..files import PACKAGE
from .cells import Cell, Chapter
from .formats import output_text
from .verdicts import Verdict, compare

STARTUP = """\
import sys
sys.path.insert(0, {root!r})
from gluon_resnet.play import kernel
sys.path.remove({root!r})
kernel.prepare(get_ipython(), {options!r})
del sys, kernel
"""
MENDS, PASSES = "mends.jsonl", "passes.json"  # files that the kernel writes


def without_colours(text: str) -> str:
    """``text`` without a terminal's colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


class ThisPython(KernelSpecManager):
    """Every kernel is this very Python, whatever kernels the user has installed."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """The kernel's command line."""
        return KernelSpec(
            argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            display_name="Python 3",
            language="python",
        )


@dataclass(frozen=True)
class Settings:
    """How a chapter is played.

    Args:
        strict: mend nothing.
        seed: of all random generators, before the first cell.
        cell_timeout: seconds a cell may take; None for no limit.
        limits: fields of editions.limits.Limits.
        measure: time the passes over Fashion-MNIST, for play.budget.
    """

    strict: bool = False
    seed: int = 0
    cell_timeout: Optional[float] = None
    limits: Dict[str, int] = field(default_factory=dict)
    measure: bool = False


@dataclass
class Outcome:
    """What became of a cell: its outputs as a notebook has them, the mends, the verdicts, and its error, if any."""

    cell: Cell
    outputs: List[Any] = field(default_factory=list)
    seconds: float = 0.0
    mends: List[Dict[str, str]] = field(default_factory=list)
    verdicts: List[Verdict] = field(default_factory=list)
    error: str = ""
    error_line: int = 0  # of the file; 0 if unknown
    refused: bool = False  # the error is the user's to mend, not the chapter's: a timeout, an unknown name
    ran: bool = False  # to its end


@dataclass
class Played:
    """A chapter that was played, as far as it went."""

    chapter: Chapter
    settings: Settings
    outcomes: List[Outcome]
    seconds: float = 0.0
    stopped: bool = False  # by Ctrl-C
    shortening: str = ""  # how it was shortened, for the top of the result
    passes: List[Dict[str, Any]] = field(default_factory=list)  # with Settings.measure

    @property
    def failure(self) -> Optional[Outcome]:
        """The cell that failed, if any."""
        return next((outcome for outcome in self.outcomes if outcome.error), None)

    @property
    def verdicts(self) -> List[Verdict]:
        """Those of all cells."""
        return [verdict for outcome in self.outcomes for verdict in outcome.verdicts]

    @property
    def mends(self) -> List[Dict[str, str]]:
        """Those of all cells, in order."""
        return [mend for outcome in self.outcomes for mend in outcome.mends]

    @property
    def exit_status(self) -> int:
        """0; 1 if a cell failed; 2 if it failed by what the user can change; 130 after Ctrl-C."""
        if self.stopped:
            return 130
        return 0 if self.failure is None else 2 if self.failure.refused else 1


def _environment(scratch: Path) -> Dict[str, str]:
    variables = {
        **os.environ,
        "IPYTHONDIR": str(scratch / "ipython"),
        "NO_COLOR": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "JUPYTER_PLATFORM_DIRS": "1",
    }
    variables.pop("MPLBACKEND", None)  # the kernel has its own, for plots in the page
    for name, value in variables.items():  # the kernel works in the chapter's folder
        if name.startswith("GLUON_RESNET_") and ("DATA" in name or name.endswith("HOME")) and value:
            variables[name] = os.path.abspath(os.path.expanduser(value))
    return variables


class _Kernel:
    """A running kernel: ``run`` a source in it, as a notebook cell."""

    def __init__(self, folder: Path, scratch: Path) -> None:
        self.notebook = nbformat.v4.new_notebook()
        self.manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=ThisPython())
        self.client = NotebookClient(
            self.notebook,
            km=self.manager,
            timeout=None,
            store_widget_state=False,
            record_timing=False,
            coalesce_streams=True,
            resources={"metadata": {"path": str(folder)}},
        )
        self.client.start_new_kernel(env=_environment(scratch))
        self.client.start_new_kernel_client()

    def run(self, source: str) -> Any:
        """The cell of ``source`` with its outputs; nbclient's exceptions have it as the last of ``notebook``."""
        cell = nbformat.v4.new_code_cell(source)
        self.notebook.cells.append(cell)
        self.client.execute_cell(cell, len(self.notebook.cells) - 1)
        return cell

    def close(self) -> None:
        """End the kernel at once, and with it what nbclient still waits for after Ctrl-C."""
        loop = ensure_event_loop()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.wait(tasks, timeout=5) if tasks else asyncio.sleep(0))
        for task in tasks:
            if task.done() and not task.cancelled():
                task.exception()  # taken note of, or asyncio prints it
        if self.client.kc is not None:
            self.client.kc.stop_channels()
        run_sync(self.manager.shutdown_kernel)(now=True)


def play(
    chapter: Chapter,
    settings: Optional[Settings] = None,
    folder: Optional[Path] = None,
    tell: Callable[[int, Cell], Any] = lambda number, cell: None,
) -> Played:
    """Run the cells of ``chapter`` until one fails.

    Args:
        chapter: what to play.
        settings: how; everything as printed, with mends, if None.
        folder: where the cells work; the file's own folder if None.
        tell: called before each cell, with its number from 1.

    Returns:
        The :class:`Played`, with the reason if a cell failed or Ctrl-C came.

    Raises:
        BackendError: the kernel does not start.
    """
    settings, began = settings or Settings(), time.monotonic()
    played = Played(chapter, settings, [Outcome(cell) for cell in chapter.cells])
    with tempfile.TemporaryDirectory(prefix="gluon-resnet-play-") as name:
        scratch = Path(name)
        mends = scratch / MENDS
        kernel = _Kernel(folder or Path(chapter.path).absolute().parent, scratch)
        try:
            _start(kernel, chapter, settings, scratch)
            if settings.cell_timeout is not None:
                kernel.client.timeout = math.ceil(settings.cell_timeout)
            with _ended_by_ctrl_c(kernel, played):
                for number, outcome in enumerate(played.outcomes, 1):
                    tell(number, outcome.cell)
                    _run(kernel, outcome, mends, len(played.mends), chapter, bool(settings.limits))
                    if played.stopped:
                        outcome.error = ""  # the kernel died because it was ended
                    if played.stopped or outcome.error:
                        break
            passes = scratch / PASSES
            played.passes = json.loads(passes.read_text(encoding="utf-8")) if passes.is_file() else []
        except KeyboardInterrupt:
            played.stopped = True
        finally:
            kernel.close()
    played.seconds = time.monotonic() - began
    cuts = dict.fromkeys(mend["text"] for mend in played.mends if mend["kind"] == "shortened")
    if cuts:
        played.shortening = f"Shortened: {'; '.join(cuts)}. Losses and accuracies are not the book's."
    return played


@contextmanager
def _ended_by_ctrl_c(kernel: _Kernel, played: Played) -> Iterator[None]:
    """Context in which Ctrl-C ends the kernel, too.

    The exception alone may be lost among nbclient's tasks; that the kernel died is noticed in any case. Threads other
    than the main one do not get Ctrl-C.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(signum: int, frame: Optional[FrameType]) -> None:
        played.stopped = True
        process = getattr(kernel.manager.provisioner, "process", None)
        if process is not None:
            process.kill()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _start(kernel: _Kernel, chapter: Chapter, settings: Settings, scratch: Path) -> None:
    options = {
        "path": chapter.path,
        "mends": str(scratch / MENDS),
        "passes": str(scratch / PASSES) if settings.measure else None,
        "classic": chapter.classic,
        "stand_ins": chapter.stand_ins,
        "devices": chapter.devices,
        "gpus": chapter.gpus,
        "strict": settings.strict,
        "seed": settings.seed,
        "limits": {**Limits().__dict__, **settings.limits},
    }
    try:
        kernel.run(STARTUP.format(root=str(PACKAGE.parent), options=json.dumps(options)))
    except (CellExecutionError, DeadKernelError) as error:
        raise BackendError(f"the kernel cannot be prepared: {_problem(error, kernel)}") from None


def _run(kernel: _Kernel, outcome: Outcome, mends: Path, taken: int, chapter: Chapter, shortened: bool) -> None:
    """Run a cell, and fill its outcome; ``taken`` mends belong to the cells before it."""
    began = time.monotonic()
    try:
        kernel.run(outcome.cell.source)
        outcome.ran = True
    except CellTimeoutError:
        outcome.error = (
            f"still running after {kernel.client.timeout:g} s: expected it to end; give it longer with --cell-timeout"
        )
        outcome.refused = True
    except (CellExecutionError, DeadKernelError) as error:
        if outcome.cell.may_fail and _raised(kernel):
            outcome.ran = True
            return
        outcome.error = _problem(error, kernel)
        outcome.refused = "docs/d2l.md" in outcome.error
        outcome.error_line = _line(kernel, outcome.cell)
    finally:  # after Ctrl-C, too
        outcome.outputs = kernel.notebook.cells[-1].get("outputs", [])
        outcome.seconds = time.monotonic() - began
        outcome.mends = [json.loads(line) for line in _lines(mends)[taken:]]
    ours = "\n".join(filter(None, map(output_text, outcome.outputs)))
    if not outcome.error:
        in_text = chapter.form == "text"
        outcome.verdicts = compare(outcome.cell.printed, ours, outcome.cell.source, shortened, in_text)


def _lines(path: Path) -> List[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def _raised(kernel: _Kernel) -> Any:
    outputs = kernel.notebook.cells[-1].get("outputs", [])
    return next((output for output in outputs if output.get("output_type") == "error"), None)


def _problem(error: Exception, kernel: _Kernel) -> str:
    """The reason of a failure in one line."""
    raised = _raised(kernel)
    if raised is None:
        return "the kernel died (most likely out of memory)" if isinstance(error, DeadKernelError) else str(error)
    value = " ".join(without_colours(str(raised["evalue"])).split())
    value = re.sub(r" \(\d+\.py, line \d+\)$", "", value)  # IPython's name for the cell, after a SyntaxError
    if raised["ename"] == "MXNetError":
        value = re.sub(r"Traceback .most recent call last.: File \S+, line \d+ |MXNetError: ", "", value)
    return f"{raised['ename']}: {value}".rstrip(": ")


def _line(kernel: _Kernel, cell: Cell) -> int:
    """The line of the file in which a cell failed; 0 if unknown."""
    raised = _raised(kernel)
    if raised is None or not cell.line:
        return cell.line
    return cell.line + (line_in_cell(raised["traceback"]) or 1) - 1


def line_in_cell(traceback: Sequence[str]) -> Optional[int]:
    """The line of the cell that an exception went through, from IPython's traceback; None if it does not say."""
    match = re.search(r"Cell In\s?\[\d+\], line (\d+)", without_colours("\n".join(traceback)))
    return int(match[1]) if match else None
