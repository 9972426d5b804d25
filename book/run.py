"""Run chapters, and keep what a full run shows.

For example:

    python -m book.run chapters/02-resnet18.md --mode tiny --out /tmp/x.ipynb
    python -m book.run --all --mode full --stale        # make chapters-full
"""

import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from gluon_resnet.files import written_whole
from gluon_resnet.lab.results import now
from gluon_resnet.machine import system
from gluon_resnet.play.runner import ThisPython, line_in_cell

import click
import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from . import stand_in
from .chapters import MAX_BYTES, ROOT, ChapterError, command_line, english_chapters, parameters_cell, read_chapter
from .fonts import chinese_font
from .tidy import replacements, tidy, tidy_text

TINY_TIMEOUT = 600  # seconds a cell may take in tiny mode
STARTUP = """\
import sys
sys.path.insert(0, {root!r})
from book import kernel
kernel.prepare({stand_in!r})
sys.path.remove({root!r})
del sys, kernel
"""


@dataclass(frozen=True)
class Outcome:
    """A chapter that was run: the executed notebook, and the seconds it took."""

    notebook: nbformat.NotebookNode
    seconds: float


def with_tiny_values(chapter, mode):
    """A copy of the chapter's notebook; in tiny mode with a cell of the header's values behind the parameters."""
    notebook, parameters = nbformat.from_dict(chapter.notebook), parameters_cell(chapter)
    if mode == "tiny" and chapter.tiny:
        source = "\n".join(f"{name} = {value!r}" for name, value in chapter.tiny.items())
        place = [cell.get("id") for cell in notebook.cells].index(parameters.get("id")) + 1
        notebook.cells.insert(
            place, nbformat.v4.new_code_cell(source, id="tiny_values", metadata={"name": "tiny_values"})
        )
    return notebook


def environment(mode, scratch):
    """The environment of a chapter's kernel."""
    variables = {
        **os.environ,
        "GLUON_RESNET_CHAPTERS": mode,
        "IPYTHONDIR": str(scratch / ".ipython"),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "COLUMNS": "110",
        "NO_COLOR": "1",
        "PYTHONHASHSEED": "0",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    variables.pop("MPLBACKEND", None)
    for name in ("GLUON_RESNET_REAL_DATA", "GLUON_RESNET_WEIGHTS", "GLUON_RESNET_HOME"):
        if variables.get(name):  # the kernel works elsewhere
            variables[name] = os.path.abspath(os.path.expanduser(variables[name]))
    return variables


def execute(chapter, mode, drawn=None):
    """Run a chapter in a fresh kernel and return its :class:`Outcome`; ChapterError says which cell failed, and how.

    ``drawn``: a folder of files that stand in for Fashion-MNIST, or None.
    """
    with tempfile.TemporaryDirectory(prefix="gluon-resnet-chapter-") as folder:
        scratch = Path(folder).resolve()
        work = scratch / "work"
        work.mkdir()
        notebook = with_tiny_values(chapter, mode)
        startup = STARTUP.format(root=str(ROOT), stand_in=str(drawn) if drawn else None)
        notebook.cells.insert(0, nbformat.v4.new_code_cell(startup, id="startup", metadata={"name": "startup"}))
        manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=ThisPython())
        last = []  # the cell that was begun last
        client = NotebookClient(
            notebook,
            km=manager,
            timeout=TINY_TIMEOUT if mode == "tiny" else None,
            store_widget_state=False,
            record_timing=False,
            iopub_timeout=60,
            resources={"metadata": {"path": str(work)}},
            on_cell_start=lambda cell, cell_index: last.append(cell),
        )
        began, known = time.monotonic(), replacements(work)
        try:
            client.execute(env=environment(mode, scratch), cleanup_kc=True)
        except (CellExecutionError, CellTimeoutError, DeadKernelError, AttributeError) as error:
            if _interrupted(client):
                raise KeyboardInterrupt from None
            if isinstance(error, AttributeError):
                raise
            raise ChapterError(failure(chapter, last[-1], error, known)) from None
        seconds = time.monotonic() - began
    notebook.cells = [cell for cell in notebook.cells if cell.metadata.get("name") not in ("startup", "tiny_values")]
    tidy(notebook, known, chapter.shown_path)
    return Outcome(notebook, seconds)


def _interrupted(client):
    """Has Ctrl-C ended the kernel? nbclient catches it, and what then reaches the caller is chance."""
    future = getattr(client, "_async_cleanup_kernel_future", None)
    if future is None:
        return False
    if not future.cancel() and not future.cancelled():
        future.exception()  # taken note of, or asyncio prints it
    return True


def failure(chapter, cell, error, known):
    """What went wrong in a cell: its place in the text, its name, the exception, and the end of what it printed."""
    line, problem = None, " ".join(str(error).split())  # of a kernel that died, or took too long
    raised = next((output for output in cell.outputs if output.output_type == "error"), None)
    if raised:
        problem = tidy_text(f"{raised['ename']}: {raised['evalue']}".strip(), known)
        line = line_in_cell(raised["traceback"])
    at, source = chapter.line_of(cell, line or 1), cell.source.splitlines()
    lines = [
        f"{chapter.shown_path}{f':{at}' if at else ''}: cell "
        f"{cell.metadata['name']}{f', line {line}' if line else ''}: {problem}"
    ]
    if line and line <= len(source):
        lines.append(f"    {source[line - 1].strip()}")
    lines += [f"    {name}: {text}" for name in ("stdout", "stderr") for text in _printed(cell, name, known)]
    return "\n".join(lines)


def _printed(cell, name, known, most=10):
    """The last lines that a cell wrote to stdout or stderr."""
    text = "".join(output["text"] for output in cell.outputs if output.get("name") == name)
    return [line for line in tidy_text(text, known).splitlines() if line.strip()][-most:]


def with_execution(chapter, outcome, mode):
    """The executed notebook with what is to be known about its run in its metadata."""
    report = system.report()
    outcome.notebook.metadata.setdefault("gluon_resnet", {})["executed"] = {
        "date": now(),
        "machine": {name: report[name] for name in ("cpu", "gpus", "threads", "platform")},
        "versions": report["versions"],
        "commit": report["git_commit"],
        "seconds": round(outcome.seconds, 1),
        "mode": mode,
        "code": chapter.hash,
    }
    return outcome.notebook


def as_text(chapter, notebook):
    """The notebook as JSON text; ChapterError where it is too large to be kept, naming the largest cell."""
    text = nbformat.writes(notebook) + "\n"
    if len(text.encode()) > MAX_BYTES:
        cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
        largest = max(cells, key=lambda cell: len(str(cell["outputs"])))
        raise ChapterError(
            f"{chapter.shown_path}: {len(text.encode()):,} bytes with outputs, expected at most "
            f"{MAX_BYTES:,}: cell {largest.metadata['name']} has the most; show fewer or smaller "
            f"pictures"
        )
    return text


def run_chapter(chapter, mode, out=None, drawn=None):
    """Run one chapter and write ``out`` (in full mode, by default, the kept result).

    Returns the seconds it took. Raises ChapterError.
    """
    outcome = execute(chapter, mode, drawn)
    text = as_text(chapter, with_execution(chapter, outcome, mode))
    out = out or (chapter.kept_path if mode == "full" else None)
    if out:
        out = Path(out)
        out.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(out) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return outcome.seconds


def run_all(chapters, mode, out, drawn):
    """Run chapters one behind the other with a line for each; gives how many failed."""
    failed = 0
    for chapter in chapters:
        began = time.monotonic()
        try:
            run_chapter(chapter, mode, out, drawn)
            state, report = "ok", None
        except ChapterError as error:
            failed, state, report = failed + 1, "failed", error
        click.echo(f"{chapter.name:24} {mode}  {time.monotonic() - began:7.1f} s  {state}")
        if report:
            click.echo(report, err=True)
    return failed


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.argument("texts", nargs=-1, metavar="[CHAPTER.md...]")
@click.option("--all", "everything", is_flag=True, help="All chapters, in order.")
@click.option(
    "--mode",
    type=click.Choice(["tiny", "full"]),
    default="tiny",
    show_default=True,
    help="tiny: the header's values, in seconds; full: real data, kept in chapters/executed.",
)
@click.option("--stale", is_flag=True, help="Only those whose kept result does not belong to their code.")
@click.option("--out", metavar="X.ipynb", help="Write the executed notebook of the one chapter there.")
def main(texts, everything, mode, stale, out):
    """Run chapters: their code in a fresh kernel, from a scratch folder. Exit status 2 where one fails."""
    if bool(texts) == everything:
        raise click.UsageError("name chapters, or --all")
    chapters = [read_chapter(path) for path in (english_chapters() if everything else texts)]
    if out and len(chapters) != 1:
        raise click.UsageError("--out takes one chapter")
    if stale:
        chapters = [chapter for chapter in chapters if chapter.kept_state() != "current"]
    with tempfile.TemporaryDirectory(prefix="gluon-resnet-drawn-") as folder:
        if mode == "full" and chapters and not chinese_font(folder):
            click.echo(
                "no font with Chinese here, so the figures are kept in English only: apt-get install fonts-noto-cjk"
            )
        drawn = stand_in.where_needed(Path(folder), click.echo) if mode == "tiny" and chapters else None
        sys.exit(2 if run_all(chapters, mode, out, drawn) else 0)


if __name__ == "__main__":
    command_line(main, "python -m book.run")
