"""Runs one process of a job on its machine, and ends it with all that it has started; the supervisor starts this.

    python -m gluon_resnet.distributed.member            # here, or through ssh

The order comes as one line of JSON on standard input. A later line ``SIGINT`` is sent on; the end of standard input
(the supervisor or its ssh is gone) ends the process. Its lines go where this program's go. So nothing is left on a
machine whatever happens to the others. The first line of output is the process's number; the exit status is the
process's, or 128 + the signal that ended it, as in a shell.
"""

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from typing import Any, Dict, Optional

from ..machine import env, process

#: A process that is found stopped (SIGSTOP) so many times in a row, a second apart, counts as dead. Looks are counted,
#: not seconds: if the whole machine was suspended, nobody looked.
LOOKS = 10
#: A process that has used less than so many seconds of its cores in so many looks is idle: it waits for something. The
#: supervisor is told by a line of its own, and ends the job if all workers wait.
IDLE_SECONDS, IDLE_LOOKS = 0.15, 30
IDLE, BUSY = "\x02idle", "\x02busy"
STOPPED = 128 + int(signal.SIGSTOP)
PDEATHSIG = 1  # prctl of Linux: the signal that a process gets when its parent ends


def is_stopped(pid: int) -> bool:
    """Whether a process of this machine is stopped by a signal, as /proc says; False if it is gone."""
    found = process.fields(pid)
    return found is not None and found[0] in ("T", "t")


def used_seconds(pid: int) -> float:
    """The processor time of a process of this machine so far, as /proc says; 0 if it is gone."""
    found = process.fields(pid)
    return (int(found[11]) + int(found[12])) / os.sysconf("SC_CLK_TCK") if found else 0.0


class Idleness:
    """Looks at a process once in a while, and says when it begins to be idle and when it ends."""

    def __init__(self, pid: int) -> None:
        self.pid, self.looks, self.used, self.is_idle = pid, 0, 0.0, False

    def look(self) -> None:
        """Look once."""
        used = used_seconds(self.pid)
        if used - self.used > IDLE_SECONDS:
            self.looks, self.used = 0, used
        else:
            self.looks += 1
        idle = self.looks >= IDLE_LOOKS
        if idle != self.is_idle:
            self.is_idle = idle
            print(f"\n{IDLE if idle else BUSY}", flush=True)


def share_of_cores(processes: int) -> Dict[str, str]:
    """The variables that give OpenMP this process's share of the cores, if ``processes`` have to share them."""
    plan = env.prepare().plan
    if processes == 1 or plan.set_by_user:
        return {}
    return {"OMP_NUM_THREADS": str(max(1, plan.threads // processes))}


def end(child: "subprocess.Popen[bytes]", number: int = signal.SIGKILL) -> None:
    """Send a signal to a process and all that it has started: it leads a group of its own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, number)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PDEATHSIG, signal.SIGKILL)


def start(order: Dict[str, Any]) -> "subprocess.Popen[bytes]":
    """Start the process of an order: its command, variables, folder, and how many processes share the cores."""
    environ = {**env.without_prepared_variables(), **share_of_cores(order["sharing"]), **order["variables"]}
    return subprocess.Popen(
        order["command"],
        env=environ,
        cwd=order["folder"],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=_die_with_parent if sys.platform == "linux" else None,
    )


def _obey(child: "subprocess.Popen[bytes]") -> None:
    """Send on what comes on standard input; at its end, end the process."""
    for line in sys.stdin:
        end(child, getattr(signal, line.strip()))
    end(child)


def watch(child: "subprocess.Popen[bytes]", interval: float = 1.0) -> int:
    """Wait until a process ends or counts as dead; its exit status. What it has started is ended, too."""
    looks, idleness = 0, Idleness(child.pid)
    while True:
        try:
            status = child.wait(interval)
            break
        except subprocess.TimeoutExpired:
            looks = looks + 1 if is_stopped(child.pid) else 0
            idleness.look()
        if looks >= LOOKS:
            end(child)
            child.wait()
            status = STOPPED
            break
    end(child)
    return status if status >= 0 else 128 - status


def main(interval: Optional[float] = None) -> int:
    """Run the order on standard input; the exit status."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)  # only what comes on standard input counts
    order = json.loads(sys.stdin.readline())
    try:
        child = start(order)
    except OSError as error:
        print(f"{order['command'][0]}: cannot be started on {socket.gethostname()} ({error.strerror})", file=sys.stderr)
        return 127
    print(child.pid, flush=True)
    threading.Thread(target=_obey, args=(child,), daemon=True).start()
    return watch(child, interval or 1.0)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # a thread still reads standard input
