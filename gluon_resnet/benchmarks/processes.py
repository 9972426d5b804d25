"""Run workers, the scripts that are timed, in processes of their own with the Python and the settings they need."""

import json
import os
import re
import subprocess
import tempfile
import textwrap
from datetime import datetime
from pathlib import Path
from typing import Any, Dict, Mapping, Tuple, Union

from .. import figures, files
from ..errors import BackendError, ConfigError
from ..text import count
from . import results

WORKERS = Path(__file__).resolve().parent / "workers"
MACHINE = WORKERS.parents[1] / "machine"  # has memory.py, for workers whose Python lacks this package


def run_script(python: str, worker: str, settings: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    """Run a worker script in a process of its own.

    Args:
        python: path of the Python to use.
        worker: file name of the script in workers/.
        settings: are given to the script as JSON.
        environ: environment variables of the process.

    Returns:
        What the script prints.

    Raises:
        BackendError: the script failed.
    """
    command = [python, str(WORKERS / worker), json.dumps(settings)]
    path = os.pathsep.join(filter(None, (str(MACHINE), environ.get("PYTHONPATH"))))
    process = subprocess.run(command, capture_output=True, text=True, env={**environ, "PYTHONPATH": path})
    if process.returncode:
        last = (process.stderr.strip().splitlines() or [f"no message, exit status {process.returncode}"])[-1]
        raise BackendError(f"{worker} failed with {python}: {last}")
    return process.stdout


def run_worker(python: str, worker: str, settings: Mapping[str, Any], environ: Mapping[str, str]) -> Dict[str, Any]:
    """The dict that a worker script prints as its last line; the arguments and errors are those of :func:`run_script`.

    A last line that is no JSON is a BackendError, too.
    """
    printed = run_script(python, worker, settings, environ)
    last = (printed.strip().splitlines() or [""])[-1]
    try:
        return json.loads(last)
    except ValueError:
        raise BackendError(f"{worker} with {python}: expected measurements as JSON, found '{last[:80]}'") from None


def writable_folder(out: Union[str, Path]) -> Path:
    """The folder ``out``, made if it does not exist; raises ConfigError if nothing can be written into it."""
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be written ({error.strerror}); name another folder with --out") from None
    return folder


def check_positive(benchmark: str, **numbers: int) -> None:
    """Raise ConfigError if a number is below 1; the message begins with ``benchmark``."""
    for name, value in numbers.items():
        if value < 1:
            raise ConfigError(f"{benchmark}: {name} is {value}: expected at least 1")


def machine(report: Mapping[str, Any]) -> str:
    """The machine of a system's report in one line, for the head of a table."""
    cpu = report["cpu"]
    return (
        f"{cpu.get('model')} ({', '.join(map(str, cpu['instruction_sets']))}), {count(cpu.get('physical'), 'core')}; "
        f"{report.get('platform')}; commit {report.get('git_commit')}"
    )


def write_results(folder: Path, name: str, content: Mapping[str, Any], text: str) -> None:
    """Write a benchmark's results into ``folder``: <name>.json, <name>.md and bars as <name>.png, spaces as "-".

    Args:
        folder: is there.
        name: of the benchmark.
        content: for the JSON file, which also says the benchmark and the date; content["measured"] is drawn.
        text: for the Markdown file.
    """
    now = f"{datetime.now():%Y-%m-%d %H:%M}"
    stem = name.replace(" ", "-")
    files.write_json(folder / f"{stem}.json", {"benchmark": name, "date": now, **content})
    with files.written_whole(folder / f"{stem}.md") as temporary:
        temporary.write_text(text + "\n")
    title = f"bench {name}; {machine(content['system'])}; {now}"
    figures.save_figure(results.bars(content["measured"], textwrap.fill(title, 110)), folder / f"{stem}.png")


def _marks(name: str) -> Tuple[str, str]:
    return f"<!-- bench {name}: begin -->", f"<!-- bench {name}: end -->"


def section_of(path: Union[str, Path], name: str) -> Tuple[str, str]:
    """(text before, text after) the section of the benchmark ``name`` in the document ``path``.

    Raises ConfigError if the document cannot be read or lacks the two marks.
    """
    begin, end = _marks(name)
    try:
        head, first, rest = Path(path).read_text(encoding="utf-8").partition(begin)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); name a Markdown document with --docs") from None
    _, last, tail = rest.partition(end)
    if not first or not last:
        raise ConfigError(f"{path}: no place for 'bench {name}': expected a line {begin} and after it a line {end}")
    return head + begin, end + tail


def update_document(path: Union[str, Path], name: str, text: str, date: str) -> None:
    """Put the results of a benchmark into a document, between its two marks.

    Args:
        path: the Markdown document.
        name: the benchmark.
        text: its results.
        date: when they were measured.

    Raises:
        ConfigError: the document cannot be read or lacks the marks.
        RunError: the document cannot be written.
    """
    head, tail = section_of(path, name)
    text = re.sub(r"^#", "###", text, flags=re.MULTILINE)  # below the document's own headings
    with files.writing(path) as temporary:
        temporary.write_text(f"{head}\n{text}\n\nMeasured on {date}.\n{tail}", encoding="utf-8")
