"""Two processes in one run folder, dead owners, and owners on other machines."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

from gluon_resnet.errors import RunError
from gluon_resnet.runs import lock
from gluon_resnet.runs.lock import alone_in

import pytest

from tests.conftest import ROOT

HOLD = (
    "import sys\nfrom gluon_resnet.runs.lock import alone_in\nwith alone_in(sys.argv[1]): print(1, flush=True); input()"
)


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock of tmp_path."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        cwd=str(ROOT),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout.readline() == "1\n"
    yield process
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def written(folder):
    return json.loads((folder / lock.NAME).read_text())


def test_a_second_process_is_refused_and_a_dead_owners_lock_taken_over(holder, tmp_path):
    host = socket.gethostname()
    with pytest.raises(RunError) as refusal, alone_in(tmp_path):
        pass
    assert str(refusal.value) == (
        f"{tmp_path}: process {holder.pid} on {host} is at work in this run: wait for it, or end it"
    )
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert written(tmp_path)["pid"] == holder.pid  # it could not remove its lock
    with alone_in(tmp_path):
        assert (written(tmp_path)["pid"], written(tmp_path)["host"]) == (os.getpid(), host)
        with pytest.raises(RunError, match=f"process {os.getpid()} on"), alone_in(tmp_path):
            pass
        assert written(tmp_path)["pid"] == os.getpid()  # a refusal leaves it as it is
    assert os.listdir(tmp_path) == []


def test_an_owner_that_ends_leaves_nothing(holder, tmp_path):
    holder.communicate("\n")
    assert holder.returncode == 0 and os.listdir(tmp_path) == []


def write(folder, **owner):
    (folder / lock.NAME).write_text(json.dumps({"host": socket.gethostname(), **owner}))


def test_another_process_with_the_number_of_a_dead_owner_is_not_taken_for_it(tmp_path):
    """This very process, but the lock was written by one that was started at another time, or before the last boot."""
    started = lock.started(os.getpid())
    ticks, _, boot = started.partition(" after ")
    for other in (f"{int(ticks) - 1} after {boot}", f"{ticks} after another boot", None, 5):
        write(tmp_path, pid=os.getpid(), started=other)
        with alone_in(tmp_path):
            assert written(tmp_path)["started"] == started
    write(tmp_path, pid=os.getpid(), started=started)  # as on a file system whose locks are not seen
    with pytest.raises(RunError, match="is at work in this run"), alone_in(tmp_path):
        pass


def uptime():
    """Seconds since the boot, in hundredths."""
    return float(Path("/proc/uptime").read_text().split()[0])


def test_the_start_of_a_process_is_the_time_between_before_and_after():
    before, child, after = uptime(), subprocess.Popen(["sleep", "60"]), uptime()
    ticks = int(lock.started(child.pid).split()[0])
    child.kill()
    child.wait()
    assert before - 0.02 <= ticks / os.sysconf("SC_CLK_TCK") <= after + 0.02


def test_a_process_that_has_ended_and_was_not_fetched_yet_is_dead(tmp_path):
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert lock.started(child.pid) is None
    child.wait()


def test_the_lock_of_another_machine_is_not_taken_over(tmp_path):
    write(tmp_path, host="elsewhere", pid=1, started="1 after a boot")
    with pytest.raises(RunError) as refusal, alone_in(tmp_path):
        pass
    assert str(refusal.value) == (
        f"{tmp_path}: process 1 on elsewhere is at work in this run: wait for it, or end it; if it is dead, remove "
        f"{tmp_path}/.lock"
    )
    assert written(tmp_path)["host"] == "elsewhere"


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"host": 7}', "\0" * 99, "[" * 9999])
def test_a_lock_that_was_not_written_whole_is_nobodys_unless_it_names_another_host(tmp_path, content):
    (tmp_path / lock.NAME).write_text(content)
    if "host" in content:
        with pytest.raises(RunError, match="on 7 is at work"), alone_in(tmp_path):
            pass
    else:
        with alone_in(tmp_path):
            assert written(tmp_path)["pid"] == os.getpid()


def test_of_many_at_once_one_gets_it(tmp_path):
    (tmp_path / lock.NAME).write_text(json.dumps({"host": socket.gethostname(), "pid": 2**22 + 1, "started": "dead"}))
    inside, most, start = [], [], threading.Barrier(8)

    def work():
        start.wait()
        for _ in range(50):
            try:
                with alone_in(tmp_path):
                    inside.append(1)
                    most.append(len(inside))
                    inside.pop()
            except RunError:
                pass

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(most) == {1} and os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    words = "nowhere: cannot be written .No such file or directory.: expected"
    with pytest.raises(RunError, match=words), alone_in(tmp_path / "nowhere"):
        pass
