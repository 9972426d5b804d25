"""Starts the processes of a job, streams their lines, and ends all of them when one ends badly.

    outcome = Supervisor(orders, say).run()               # Outcome(status=0, ...)

Nothing here loads mxnet. A dead worker leaves the others waiting in their next step for ever (apache/mxnet #9709): only
a program outside can end them.
"""

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, Any, Callable, Dict, List, Optional, Sequence

from .addresses import Host
from .member import BUSY, IDLE, IDLE_LOOKS, LOOKS, STOPPED, is_stopped
from .roles import WORKER

Say = Callable[[str, bool], None]  # (line, whether it is of standard error)

POLL = 0.1  # seconds between two looks
FINISH = 20.0  # seconds in which servers and scheduler end after the last worker, or workers after Ctrl-C
END = 5.0  # seconds in which a member must have ended its process

#: what ssh is called with: no questions; a host that does not answer is given up after 10 s, a silent one after 15
SSH = ("-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3")
SSH_FAILED = 255
STALLED = 124  # the status of a job whose workers wait for each other, as of a command that timeout ends
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Order:
    """One process: its role and number, its machine, and what is run there."""

    role: str
    number: int
    host: Host
    command: Sequence[str]
    variables: Dict[str, str] = field(default_factory=dict)
    folder: str = "."
    sharing: int = 1  # processes that share the machine's cores

    @property
    def name(self) -> str:
        """``worker 2``; there is only one scheduler."""
        return f"{self.role} {self.number}" if self.role != "scheduler" else self.role


@dataclass(frozen=True)
class Outcome:
    """How a job ended: the exit status, and the line that says why if it ended badly."""

    status: int
    line: str = ""
    asked: bool = False  # to end, by Ctrl-C or SIGTERM


def reason(status: int, host: Host) -> str:
    """Why a process ended, in words, by its exit status."""
    if status == STOPPED:
        return f"was stopped (SIGSTOP) and did not go on for {LOOKS} s"
    if status == SSH_FAILED and not host.is_here:
        return f"cannot be reached: ssh to {host.name} failed or the host does not answer"
    if status > 128 and status - 128 in set(signal.Signals):
        name = signal.Signals(status - 128).name
        return f"was ended by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
    return f"ended with status {status}"


class Member:
    """One process of the job, seen from the supervisor: member.py, here or at the other end of ssh."""

    def __init__(self, order: Order, say: Say, python: str, ssh: Sequence[str]) -> None:
        self.order, self.say, self.pid = order, say, ""
        words = [python, "-m", "gluon_resnet.distributed.member"]
        if not order.host.is_here:
            quoted = " ".join(map(shlex.quote, words))
            path = os.environ.get("PYTHONPATH")
            prefix = f"PYTHONPATH={shlex.quote(path)} " if path else ""
            words = [*ssh, *SSH, order.host.name, f"cd {shlex.quote(order.folder)} && {prefix}exec {quoted}"]
        self.process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.looks, self.is_idle = 0, False
        self.readers = [
            threading.Thread(target=self._stream, args=(stream, is_error), daemon=True)
            for stream, is_error in ((self.process.stdout, False), (self.process.stderr, True))
        ]
        for reader in self.readers:
            reader.start()
        content = {name: getattr(order, name) for name in ("command", "variables", "folder", "sharing")}
        self.write(json.dumps(content))

    def write(self, line: str) -> None:
        """Send a line to the member; nothing if it is gone."""
        try:
            assert self.process.stdin
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()
        except (OSError, ValueError):
            pass

    def _stream(self, stream: IO[bytes], is_error: bool) -> None:
        """Say each line of a stream; a progress bar's are separated by carriage returns."""
        rest = b""
        while True:
            part = os.read(stream.fileno(), 65536)
            *lines, rest = re.split(rb"[\r\n]", rest + part) if part else [rest, b""]
            for line in lines:
                if line in (IDLE.encode(), BUSY.encode()):
                    self.is_idle = line == IDLE.encode()
                    continue
                self._take(CONTROL.sub("", line.decode(errors="replace")).rstrip(), is_error)
            if not part:
                return

    def _take(self, line: str, is_error: bool) -> None:
        if not is_error and not self.pid and line.isdigit():
            self.pid = line
        elif line:
            self.say(f"[{self.order.name}] {line}", is_error)

    def status(self) -> Optional[int]:
        """The exit status, or None while it runs; a member that is stopped itself counts as its process does."""
        status = self.process.poll()
        if status is None:
            return None
        return status if status >= 0 else 128 - status

    def look(self) -> bool:
        """Whether the member itself, on this machine, was found stopped so often that it counts as dead."""
        self.looks = self.looks + 1 if is_stopped(self.process.pid) else 0
        return self.looks >= LOOKS

    def close(self) -> None:
        """Ask the member to end its process: the end of its input."""
        try:
            assert self.process.stdin
            self.process.stdin.close()
        except OSError:
            pass

    def kill(self) -> None:
        """End the member at once; on Linux its process ends with it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Supervisor:
    """Runs the processes of ``orders`` to their end; :meth:`run` is called once.

    Args:
        orders: the processes.
        say: called with each line of theirs, from several threads.
        python: the interpreter on each machine.
        ssh: the command that reaches other machines.
    """

    def __init__(
        self, orders: Sequence[Order], say: Say, python: str = sys.executable, ssh: Sequence[str] = ("ssh",)
    ) -> None:
        self.orders, self.python, self.ssh = orders, python, ssh
        lock = threading.Lock()

        def one_at_a_time(line: str, is_error: bool) -> None:
            with lock:
                say(line, is_error)

        self.say = one_at_a_time
        self.members: List[Member] = []
        self.asked: List[int] = []  # signals that have asked to end
        self.started = time.monotonic()

    def run(self) -> Outcome:
        """Start all, wait, end all; nothing is left whatever happens."""
        handlers = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            for order in self.orders:
                self.members.append(Member(order, self.say, self.python, self.ssh))
            return self._wait()
        finally:
            self._end()
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _ask(self, number: int, _: Any) -> None:
        self.asked.append(number)

    def _wait(self) -> Outcome:
        """Watch until all workers have ended well, one process has ended badly, or a signal asks to end."""
        looked = sent = ended = 0.0  # when members were looked at, when a signal was sent on, when the workers ended
        while True:
            time.sleep(POLL)
            now = time.monotonic()
            statuses = [(member, member.status()) for member in self.members]
            workers = [status for member, status in statuses if member.order.role == WORKER]
            if self.asked:
                if not sent:
                    sent = now
                    self._send_on()
                if len(self.asked) > 1 or now - sent > FINISH or None not in workers:
                    return self._was_asked(workers)
                continue
            if all(status == 0 for status in workers):  # all that was to be done is done
                ended = ended or now
                if now - ended > FINISH or None not in [status for _, status in statuses]:
                    return Outcome(0)
                continue
            bad = [(member, status) for member, status in statuses if status]
            if bad:
                return self._failed(*bad[0])
            at_work = [member for member, status in statuses if member.order.role == WORKER and status is None]
            if all(member.is_idle for member in at_work):
                why = f"no worker has computed anything for {IDLE_LOOKS} s: one may have failed without an end"
                return Outcome(STALLED, f"{self._when()}: {why}; all were ended")
            if now - looked >= 1:
                looked = now
                for member in self.members:
                    if member.look():
                        return self._failed(member, STOPPED)

    def _send_on(self) -> None:
        for member in self.members:
            if member.order.role == WORKER:
                member.write("SIGINT")

    def _was_asked(self, workers: Sequence[Optional[int]]) -> Outcome:
        name = signal.Signals(self.asked[0]).name
        how = "the workers have stopped" if None not in workers else "the workers were ended"
        return Outcome(128 + self.asked[0], f"{self._when()}: asked to end by {name}: {how}", asked=True)

    def _when(self) -> str:
        return f"{datetime.now():%H:%M:%S}, after {time.monotonic() - self.started:.0f} s"

    def _failed(self, member: Member, status: int) -> Outcome:
        for reader in member.readers:
            reader.join(0.5)  # its last lines come before ours
        order = member.order
        where = "this machine" if order.host.is_here else order.host.name
        process = f"process {member.pid} on {where}" if member.pid else where
        why = reason(status, order.host)
        return Outcome(status, f"{self._when()}: {order.name} ({process}) {why}; all others were ended")

    def _end(self) -> None:
        """End every process: first by asking the members, then the members themselves."""
        for member in self.members:
            member.close()
        deadline = time.monotonic() + END
        for member in self.members:
            with contextlib.suppress(subprocess.TimeoutExpired):
                member.process.wait(max(0.0, deadline - time.monotonic()))
            member.kill()
        for member in self.members:
            for reader in member.readers:
                reader.join(1.0)
