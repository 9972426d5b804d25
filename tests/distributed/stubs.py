"""Jobs of small Python programs in place of mxnet's: what the supervisor does does not depend on what it runs."""

import os
import sys
import time
from pathlib import Path

from gluon_resnet.distributed.addresses import Host, here
from gluon_resnet.distributed.supervisor import Order, Supervisor

ELSEWHERE = Host("far.example", "10.0.0.9")

#: a program that is up until it is ended
FOREVER = "import time; print('up', flush=True); time.sleep(600)"


class Job:
    """A job of the programs ``codes``, {(role, number): code}; its lines are in ``lines``.

    ``when`` is called with the job at each new line.
    """

    def __init__(self, codes, when=lambda job: None, hosts=(), ssh=("ssh",), variables=None):
        self.lines, self.when = [], when
        hosts = dict(hosts)
        orders = [
            Order(
                role,
                number,
                hosts.get((role, number), here()),
                [sys.executable, "-c", code],
                variables or {},
                os.getcwd(),
            )
            for (role, number), code in codes.items()
        ]
        self.supervisor = Supervisor(orders, self.say, ssh=ssh)

    def say(self, line, is_error):
        self.lines.append(line)
        self.when(self)

    def pid(self, role, number=0):
        """The number of a process that has printed."""
        member = next(
            each for each in self.supervisor.members if (each.order.role, each.order.number) == (role, number)
        )
        return int(member.pid)

    def all_up(self):
        return sum("] up" in line for line in self.lines) == len(self.supervisor.orders)

    def run(self):
        """(outcome, seconds); nothing of the job is left."""
        started = time.monotonic()
        outcome = self.supervisor.run()
        seconds = time.monotonic() - started
        assert left([int(each.pid) for each in self.supervisor.members if each.pid]) == []
        assert left([each.process.pid for each in self.supervisor.members]) == []
        return outcome, seconds


def runs(pid):
    """Whether a process is there; one that has ended but that nobody has asked for its status does not run."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def left(pids):
    """Those of ``pids`` that still run, after five seconds at most."""
    for _ in range(100):
        there = [pid for pid in pids if runs(pid)]
        if not there:
            break
        time.sleep(0.05)
    return there
