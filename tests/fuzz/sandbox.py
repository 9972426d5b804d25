"""One input, one child process: what a target made of it, under limits of memory and time.

    with Sandbox() as sandbox:
        sandbox.attempt("torch", folder, "net.pth")              # Outcome("refused", "WeightsError: net.pth: ...")

A server loads the suite once and forks a child for each input. Allowed are "value" and "refused", which is an error of
errors.py. The others are harm: "crash" of the interpreter, "hang", "memory", "wrote" outside its folder, "ran" a
program, and "raised", any other exception. Seconds are those of the processor: a busy machine is no hang.
"""

import gc
import json
import os
import resource
import signal
import subprocess
import sys
import traceback
from pathlib import Path
from typing import NamedTuple

SECONDS = 10  # of the processor
WAIT = 600  # seconds by the clock, for what waits without computing
MEMORY = 2**30  # bytes that are in use at once, more than before
ADDRESSES = 3 * 2**30  # bytes that may be asked for, more than before; asking for more is harm, too
ALLOWED = ("value", "refused")


class Outcome(NamedTuple):
    """What came of an input, the message or the place that goes with it, and what it took."""

    kind: str
    text: str = ""
    memory: int = 0  # bytes
    seconds: float = 0.0  # of the processor

    @property
    def allowed(self):
        """Is it a value, or a typed error?"""
        return self.kind in ALLOWED


class Sandbox:
    """The server, as a context."""

    def __enter__(self):
        # threads that wait in a pool are lost in a fork
        alone = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MXNET_ENGINE_TYPE": "NaiveEngine"}
        self.server = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.sandbox"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **alone},
            cwd=Path(__file__).resolve().parents[2],
        )
        return self

    def __exit__(self, *_):
        self.server.stdin.close()
        self.server.wait()
        self.server.stdout.close()

    def attempt(self, target, folder, *names, seconds=SECONDS):
        """The :class:`Outcome` of a target of targets.py, in ``folder``, on files or words in it."""
        self.server.stdin.write(json.dumps([target, str(folder), seconds, *names]) + "\n")
        self.server.stdin.flush()
        return Outcome(*json.loads(self.server.stdout.readline()))


def _memory(name):
    """A number of bytes of this process by its name in /proc/self/status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def _watch(folder, harm):
    """Note what the interpreter is about to write outside ``folder``, or to run."""
    runs = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "socket.connect")
    changes = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod")

    def inside(path):
        if isinstance(path, int):
            return True
        place = os.path.realpath(os.fsdecode(path))
        return place == "/dev/null" or place == folder or place.startswith(folder + os.sep)

    def look(event, args):
        if event in runs:
            harm.append(["ran", f"{event} {args[0]!r}"[:200]])
        opened = event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if (opened or event in changes) and not inside(args[0]):
            harm.append(["wrote", f"{event} {args[0]!r}"[:200]])

    sys.addaudithook(look)


def _lacked_memory(error):
    """Whether a MemoryError, of Python or of OpenCV, came before ``error``, however it was caught."""
    while error is not None:
        if isinstance(error, MemoryError) or "Insufficient memory" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _try(work, folder, names):
    """What ``work`` makes of the input, as a list for an Outcome."""
    from gluon_resnet.errors import GluonResNetError

    harm, before = [], _memory("VmRSS")
    _watch(os.path.realpath(folder), harm)
    try:
        work(*names)
        outcome = ["value"]
    except GluonResNetError as error:
        outcome = ["refused", f"{type(error).__name__}: {str(error)[:1000]}"]
        if _lacked_memory(error):
            outcome = ["memory", f"asked for more than {ADDRESSES:,} bytes, then {outcome[1]}"]
    except MemoryError:
        outcome = ["memory", f"asked for more than {ADDRESSES:,} bytes"]
    except BaseException as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        lines = str(error)[:200].splitlines() or [""]
        outcome = ["raised", f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}: {lines[0]}"]
    peak = _memory("VmHWM") - before
    if peak > MEMORY:
        outcome = ["memory", f"{peak:,} bytes in use"]
    kind, text = harm[0] if harm else (*outcome, "")[:2]
    return [kind, text, peak, sum(os.times()[:2])]


def _child(work, folder, names, seconds, answer):
    """Run in the child: limits, the input, the answer as JSON into the pipe ``answer``."""
    os.chdir(folder)
    os.environ["GLUON_RESNET_HOME"] = os.path.join(folder, "home")
    silent = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(silent, number)
    most = _memory("VmSize") + ADDRESSES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.alarm(WAIT)
    outcome = _try(work, folder, names)
    os.write(answer, json.dumps(outcome).encode())
    os._exit(0)


def _forked(work, folder, names, seconds):
    """The outcome of a child of its own."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            _child(work, folder, names, seconds, writing)
        finally:
            os._exit(1)
    os.close(writing)
    with open(reading, "rb") as pipe:
        answer = pipe.read()
    _, status = os.waitpid(pid, 0)
    if answer:
        return json.loads(answer)
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    if number in (signal.SIGXCPU, signal.SIGALRM, signal.SIGKILL):  # beyond the hard limit of time comes SIGKILL
        return ["hang", f"more than {seconds} s of the processor, or {WAIT} s"]
    return ["crash", signal.Signals(number).name if number else "ended without an answer"]


def main():
    """Answer the lines of standard input, each [target, folder, seconds, names...], by an Outcome's values in lines."""
    from tests.fuzz.targets import TARGETS

    gc.freeze()  # else each child would copy what its garbage collector looks at
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for line in sys.stdin:
        target, folder, seconds, *names = json.loads(line)
        answers.write(json.dumps(_forked(TARGETS[target].parse, folder, names, seconds)) + "\n")


if __name__ == "__main__":
    main()
