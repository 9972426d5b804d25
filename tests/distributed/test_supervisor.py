"""The supervisor, with small programs in place of mxnet's: streams, failures, signals, ssh."""

import os
import re
import signal
import stat
import subprocess
import sys
import time

from gluon_resnet.distributed import member, supervisor

import pytest

from tests.distributed.stubs import ELSEWHERE, FOREVER, Job, left, runs


@pytest.fixture(autouse=True)
def fewer_looks(monkeypatch):
    """A member that is stopped counts as dead after 2 s, not 10."""
    monkeypatch.setattr(supervisor, "LOOKS", 2)


def test_lines_come_with_role_and_number_and_a_job_that_ends_well():
    code = "import sys; print('one'); print('two', file=sys.stderr); sys.stdout.write('a\\rb\\x1b[31mred')"
    job = Job({("scheduler", 0): "print('s')", ("worker", 0): code, ("worker", 1): "print('w')"})
    outcome, _ = job.run()
    assert outcome.status == 0 and outcome.line == ""
    assert sorted(job.lines) == sorted(
        ["[scheduler] s", "[worker 0] one", "[worker 0] two", "[worker 0] a", "[worker 0] bred", "[worker 1] w"]
    )


@pytest.mark.parametrize("role", ["worker", "server", "scheduler"])
def test_a_process_that_is_killed_ends_the_job_and_is_named(role):
    def when(job):
        if job.all_up():
            os.kill(job.pid(role), signal.SIGKILL)

    job = Job({("scheduler", 0): FOREVER, ("server", 0): FOREVER, ("worker", 0): FOREVER}, when)
    outcome, seconds = job.run()
    assert outcome.status == 128 + 9 and seconds < 30
    name = role if role == "scheduler" else f"{role} 0"
    assert re.fullmatch(
        rf"\d\d:\d\d:\d\d, after \d+ s: {name} \(process {job.pid(role)} on this machine\) was ended by SIGKILL "
        r"\(out of memory\?\); all others were ended",
        outcome.line,
    )


def test_the_status_is_the_first_failures_and_what_it_has_started_is_ended_too():
    child = "import subprocess, sys; print('child', subprocess.Popen(['sleep', '600']).pid, flush=True); sys.exit(7)"
    job = Job({("worker", 0): FOREVER, ("worker", 1): child})
    outcome, _ = job.run()
    assert outcome.status == 7 and "worker 1" in outcome.line and "ended with status 7" in outcome.line
    pid = next(line.split()[-1] for line in job.lines if " child " in line)
    assert left([int(pid)]) == []


def test_a_program_that_is_not_there(monkeypatch):
    job = Job({("worker", 0): ""})
    order = job.supervisor.orders[0]
    job.supervisor.orders = [type(order)("worker", 0, order.host, ["/nowhere/python"], {}, os.getcwd())]
    outcome, _ = job.run()
    assert outcome.status == 127 and job.lines[0].startswith("[worker 0] /nowhere/python: cannot be started on ")


def test_a_member_that_is_stopped_counts_as_its_process(monkeypatch):
    """Its process cannot be asked for any more; both are ended."""

    def when(job):
        os.kill(job.supervisor.members[0].process.pid, signal.SIGSTOP)

    monkeypatch.setattr(supervisor, "END", 0.5)
    outcome, _ = Job({("worker", 0): FOREVER}, when).run()
    assert outcome.status == member.STOPPED and "was stopped (SIGSTOP)" in outcome.line


def test_a_process_that_is_stopped_is_noticed_and_ended():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    assert not member.is_stopped(child.pid)
    os.kill(child.pid, signal.SIGSTOP)
    assert member.watch(child, interval=0.02) == member.STOPPED == 147
    assert left([child.pid]) == [] and not member.is_stopped(child.pid)


def test_the_processor_time_of_a_process_decides_whether_it_is_idle(monkeypatch, capsys):
    """As /proc counts it: of this process, which computes and then sleeps."""
    monkeypatch.setattr(member, "IDLE_LOOKS", 3)
    idleness = member.Idleness(os.getpid())
    assert member.used_seconds(os.getpid()) == pytest.approx(sum(os.times()[:2]), abs=0.05)
    for _ in range(4):
        idleness.look()
    assert idleness.is_idle
    until = time.process_time() + 0.25
    while time.process_time() < until:
        pass
    idleness.look()
    assert not idleness.is_idle and capsys.readouterr().out == "\n\x02idle\n\n\x02busy\n"


def test_workers_that_all_wait_end_the_job():
    """The members say it by a line; here the processes do. One that waits while another computes is left alone."""
    waits = "import time; print('up'); print('\x02idle', flush=True); time.sleep(600)"
    outcome, _ = Job({("server", 0): FOREVER, ("worker", 0): waits, ("worker", 1): waits}).run()
    assert outcome.status == supervisor.STALLED == 124
    assert (
        "no worker has computed anything for 30 s: one may have failed without an end; all were ended" in outcome.line
    )
    computes = "import time; time.sleep(1.5)"
    code = "import time; print('\x02idle', flush=True); time.sleep(0.7); print('\x02busy', flush=True)"
    assert Job({("worker", 0): code, ("worker", 1): computes}).run()[0].status == 0


def test_a_process_that_goes_on_in_time_is_left_alone():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.6)"], start_new_session=True)
    os.kill(child.pid, signal.SIGSTOP)
    time.sleep(0.1)
    os.kill(child.pid, signal.SIGCONT)
    assert member.watch(child, interval=0.1) == 0


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_lets_the_workers_stop_by_themselves(number, status):
    code = (
        "import signal, sys, time\n"
        "def stop(*_): print('saved', flush=True); sys.exit(130)\n"
        "signal.signal(signal.SIGINT, stop); print('up', flush=True); time.sleep(600)"
    )

    def when(job):
        if job.all_up() and not job.supervisor.asked:
            os.kill(os.getpid(), number)

    job = Job({("server", 0): FOREVER, ("worker", 0): code, ("worker", 1): code}, when)
    outcome, _ = job.run()
    assert outcome.status == status and outcome.asked and "the workers have stopped" in outcome.line
    assert sorted(line for line in job.lines if "saved" in line) == ["[worker 0] saved", "[worker 1] saved"]


def test_workers_that_do_not_stop_are_ended(monkeypatch):
    monkeypatch.setattr(supervisor, "FINISH", 0.3)
    code = (
        "import signal, time; signal.signal(signal.SIGINT, lambda *_: None); print('up', flush=True); time.sleep(600)"
    )
    job = Job({("worker", 0): code}, lambda job: job.all_up() and os.kill(os.getpid(), signal.SIGINT))
    outcome, _ = job.run()
    assert outcome.status == 130 and "the workers were ended" in outcome.line


def test_servers_that_stay_after_the_last_worker_are_ended(monkeypatch):
    monkeypatch.setattr(supervisor, "FINISH", 0.3)
    outcome, _ = Job({("server", 0): FOREVER, ("worker", 0): "print('up')"}).run()
    assert outcome.status == 0


def test_the_death_of_the_supervisor_ends_the_processes(tmp_path):
    """SIGKILL cannot be caught: the members see the end of their input."""
    code = (
        "from tests.distributed.stubs import FOREVER, Job\n"
        "job = Job({('worker', 0): FOREVER}, lambda job: print(job.pid('worker'), flush=True))\n"
        "job.supervisor.run()"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    pid = int(process.stdout.readline())
    assert runs(pid)
    process.kill()
    process.wait()
    assert left([pid]) == []


def fake_ssh(folder, rest):
    """A program that takes ssh's words and, as ``rest`` says, runs the command here or fails."""
    path = folder / "ssh"
    path.write_text(f'#!/bin/sh\necho "$@" > "{folder}/words"\nwhile [ "$1" = -o ]; do shift 2; done\nshift\n{rest}\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return [str(path)]


def test_another_machine_is_reached_by_ssh_and_gets_variables_and_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.getcwd())
    code = "import os; print(os.environ['DMLC_ROLE'], os.getcwd())"
    ssh = fake_ssh(tmp_path, 'cd / && exec sh -c "$1"')
    job = Job({("worker", 0): code}, hosts={("worker", 0): ELSEWHERE}, ssh=ssh, variables={"DMLC_ROLE": "worker"})
    outcome, _ = job.run()
    assert (outcome.status, job.lines) == (0, [f"[worker 0] worker {os.getcwd()}"])
    words = (tmp_path / "words").read_text()
    assert "ConnectTimeout=10" in words and "BatchMode=yes" in words and " far.example " in words
    assert "DMLC_ROLE" not in words  # variables go in the order, not where ps shows them


def test_a_host_that_does_not_answer(tmp_path):
    ssh = fake_ssh(tmp_path, "echo 'ssh: connect to host far.example port 22: Connection timed out' >&2; exit 255")
    job = Job({("worker", 0): FOREVER, ("worker", 1): FOREVER}, hosts={("worker", 1): ELSEWHERE}, ssh=ssh)
    outcome, _ = job.run()
    assert outcome.status == 255
    assert "worker 1 (far.example) cannot be reached: ssh to far.example failed or the host does" in outcome.line
    assert any("Connection timed out" in line for line in job.lines)


def test_the_end_of_the_connection_ends_the_process_on_the_other_machine(tmp_path):
    """As if ssh had been killed: the member at the other end, which goes on, sees the end of its input."""
    ssh = fake_ssh(tmp_path, 'exec sh -c "$1"')

    def when(job):
        if job.all_up():
            os.kill(job.pid("worker", 1), signal.SIGKILL)

    job = Job({("worker", 0): FOREVER, ("worker", 1): FOREVER}, when, hosts={("worker", 0): ELSEWHERE}, ssh=ssh)
    outcome, _ = job.run()  # asserts that no process is left
    assert outcome.status == 137
