"""Workers: scripts that are run and timed in processes of their own, each with the Python and the settings it needs."""

import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

from .. import files
from ..errors import BackendError, ConfigError

WORKERS = Path(__file__).resolve().parent / "workers"
MACHINE = WORKERS.parents[1] / "machine"  # its memory.py, for workers whose Python does not have this package


def run_worker(python, worker, settings, environ):
    """Run a worker script on ``settings`` and return the dict that it prints as its last line."""
    command = [python, str(WORKERS / worker), json.dumps(settings)]
    path = os.pathsep.join(filter(None, (str(MACHINE), environ.get("PYTHONPATH"))))
    done = subprocess.run(command, capture_output=True, text=True, env={**environ, "PYTHONPATH": path})
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise BackendError(f"{worker} failed with {python}: {last}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def writable_folder(out):
    """The folder for results, made where it is not there; ConfigError if nothing can be written in it."""
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be written ({error.strerror}); name another folder with --out") from None
    return folder


def check_positive(benchmark, **numbers):
    """Raise ConfigError for a number below 1; ``benchmark`` is what to call it in the message."""
    for name, value in numbers.items():
        if value < 1:
            raise ConfigError(f"{benchmark}: {name} is {value}: expected at least 1")


def machine(report):
    """What a system's report says of where something was measured, for the head of a table."""
    cpu = report["cpu"]
    return (
        f"{cpu['model']} ({', '.join(cpu['instruction_sets'])}), {cpu['physical']} cores; {report['platform']}; "
        f"commit {report['git_commit']}"
    )


def write_results(folder, name, content, text):
    """``content`` as name.json and ``text`` as name.md in ``folder``, each whole or not at all."""
    files.write_json(folder / f"{name}.json", content)
    with files.written_whole(folder / f"{name}.md") as temporary:
        temporary.write_text(text + "\n")


def _marks(name):
    return f"<!-- bench {name}: begin -->", f"<!-- bench {name}: end -->"


def section_of(path, name):
    """(text before, text after) the place of the benchmark ``name`` in the document ``path``.

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


def update_document(path, name, text, date):
    """Put ``text``, what the benchmark ``name`` measured on ``date``, between its marks in the document ``path``."""
    head, tail = section_of(path, name)
    text = re.sub(r"^#", "###", text, flags=re.MULTILINE)  # below the document's own headings
    with files.writing(path) as temporary:
        temporary.write_text(f"{head}\n{text}\n\nMeasured on {date}.\n{tail}", encoding="utf-8")


class OtherPrograms:
    """Context that finds out how much of the machine other programs had meanwhile: ``cores``, None without /proc/stat.

    OpenMP's and OpenBLAS's threads wait for each other, so that a busy neighbour costs them far more than its share.
    """

    def _seconds(self):
        own = os.times()
        fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
        busy = sum(fields[:3]) + sum(fields[5:8])  # all but idle and waiting for a disk
        return busy / os.sysconf("SC_CLK_TCK") - sum(own[:4]), own.elapsed

    def __enter__(self):
        self.cores = None
        try:
            self.before = self._seconds()
        except (OSError, ValueError):
            self.before = None
        return self

    def __exit__(self, *_):
        if self.before is not None:
            used, elapsed = (now - then for now, then in zip(self._seconds(), self.before))
            self.cores = round(max(0.0, used) / elapsed, 3) if elapsed > 0 else None
