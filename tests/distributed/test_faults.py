"""Real jobs on this machine, and what can happen to them: each ends or starts again within a minute and leaves nothing.

make test-distributed
"""

import json
import os
import re
import resource
import signal
import socket
import sys
import time
from pathlib import Path

from gluon_resnet import cli
from gluon_resnet.distributed import jobs, supervisor
from gluon_resnet.distributed.addresses import Host
from gluon_resnet.distributed.roles import Layout
from gluon_resnet.runs.network import network_of_run

import pytest

from tests.conftest import small_arrays, write_idx_folder
from tests.distributed.stubs import left

pytestmark = pytest.mark.distributed

LIMIT = 60  # seconds in which a fault has to be dealt with
ROLES = ("worker", "server", "scheduler")


def processes(port):
    """{(role, number): pid} of the processes of the job whose scheduler listens at ``port``, by their environment."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            content = path.read_bytes().decode(errors="replace")
        except OSError:
            continue
        environ = dict(pair.partition("=")[::2] for pair in content.split("\0") if pair)
        if environ.get("DMLC_PS_ROOT_PORT") == port:
            number = int(environ.get("GLUON_RESNET_RANK", 0))
            found[environ["DMLC_ROLE"], number] = int(path.parent.name)
    return found


class Launched:
    """A job of two workers: ``happens(pids)`` once, in its second epoch; the lines with their times."""

    def __init__(self, words, happens=None, restarts=0, run=None, workers=2):
        self.lines, self.happens, self.port, self.hurt = [], happens, "", None
        self.seen = set()  # all processes of all starts
        job = jobs.Job(tuple(map(str, words)), workers, restarts=restarts, run=run and str(run))
        self.outcome = jobs.run(job, self.say)
        self.lines.append((time.monotonic(), self.outcome.line))
        assert left(self.seen) == []

    def say(self, line, is_error):
        self.lines.append((time.monotonic(), line))
        started = re.search(r"scheduler at 127\.0\.0\.1:(\d+)", line)
        self.port = started[1] if started else self.port
        if self.port and "epoch 1/" in line:
            self.seen.update(processes(self.port).values())
        if self.happens and self.hurt is None and "epoch 2/" in line:
            self.hurt = time.monotonic()
            pids = processes(self.port)
            assert set(pids) >= {("worker", 0), ("worker", 1), ("server", 0), ("scheduler", 0)}
            self.happens(pids)

    def seconds_to(self, text):
        """Seconds from what happened to the line with ``text``."""
        return next(at for at, line in self.lines if text in line) - self.hurt


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_idx_folder(tmp_path_factory.mktemp("data") / "small", small_arrays(64, 20))


def command(data, run):
    words = ("train", "fashion-mnist", "--model", "resnet8@narrow", "--data", data, "--unverified", "--no-resize")
    words = (
        *words,
        "--batch-size",
        16,
        "--epochs",
        3,
        "--lr",
        0.01,
        "--set",
        "norm_batches=0",
        "--set",
        "momentum=0.9",
    )
    return (*words, "--out", run)


@pytest.fixture(scope="module")
def undisturbed(data, tmp_path_factory):
    """The parameters of a job that nothing happens to."""
    run = tmp_path_factory.mktemp("undisturbed") / "run"
    assert Launched(command(data, run)).outcome.status == 0
    return parameters(run)


def parameters(run):
    return network_of_run(run).params


def assert_finished(run, expected, but=()):
    """The run has all its epochs and, bit for bit, the parameters of an undisturbed one, but for some names."""
    result = json.loads((run / "result.json").read_text())
    assert (result["status"], result["epochs"]) == ("finished", 3)
    found = parameters(run)
    assert set(found) == set(expected)
    assert [name for name in found if not (found[name] == expected[name]).all() and not name.endswith(but)] == []


def report(capsys, what, seconds, line):
    """One line of a fault and its seconds, for whoever runs `make test-distributed`."""
    with capsys.disabled():
        print(f"\n{what}: {seconds:.1f} s: {line}", file=sys.stderr)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
@pytest.mark.parametrize("role", ROLES)
def test_after_a_fault_all_start_again_from_the_last_checkpoint(data, tmp_path, undisturbed, role, number, capsys):
    run = tmp_path / "run"
    index = 1 if role == "worker" else 0
    job = Launched(command(data, run), lambda pids: os.kill(pids[role, index], number), restarts=1, run=run)
    assert job.outcome.status == 0
    seconds = job.seconds_to("others were ended")
    line = next(line for _, line in job.lines if "all others were ended" in line)
    report(capsys, f"{role}, {number.name}", seconds, line)
    assert seconds < LIMIT
    assert f"{role if role == 'scheduler' else f'{role} {index}'} (process " in line
    assert ("was ended by SIGKILL" if number == signal.SIGKILL else "was stopped (SIGSTOP)") in line
    if role != "scheduler":  # without it workers go on, until they say goodbye
        # the line of epoch 2 is printed just before its checkpoint is written: the job was hurt before or after that
        assert any(re.search("resuming .* at epoch [23], after batch 0", line) for _, line in job.lines)
    assert_finished(run, undisturbed)


def test_worker_0_is_killed_without_restarts_and_the_run_is_resumed_by_another_number(data, tmp_path, undisturbed):
    run = tmp_path / "run"
    job = Launched(command(data, run), lambda pids: os.kill(pids["worker", 0], signal.SIGKILL))
    assert job.outcome.status == 137 and "worker 0 (process " in job.outcome.line
    again = Launched(("train", "fashion-mnist", "--resume", run), workers=1)
    assert again.outcome.status == 0
    assert json.loads((run / "result.json").read_text())["status"] == "finished"


def test_a_worker_without_memory(data, tmp_path, undisturbed, capsys):
    """As if the machine had no more: what the worker has already is all it gets."""

    def happens(pids):
        size = int(Path(f"/proc/{pids['worker', 1]}/statm").read_text().split()[0]) * resource.getpagesize()
        resource.prlimit(pids["worker", 1], resource.RLIMIT_AS, (size, size))

    run = tmp_path / "run"
    words = (*command(data, run), "--set", "checkpoint_seconds=1000")
    job = Launched(words, happens, restarts=1, run=run)
    if any("start 2 of 2" in line for _, line in job.lines):
        report(capsys, "no memory", job.seconds_to("start 2 of 2"), next(x for _, x in job.lines if "were ended" in x))
        assert job.seconds_to("start 2 of 2") < LIMIT
    assert job.outcome.status == 0
    assert_finished(run, undisturbed)


def test_the_schedulers_port_is_taken_on_another_machine(capsys):
    """Where nobody can look before: the scheduler itself fails, and so does the job."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        job = jobs.Job(("train", "fashion-mnist"), workers=1)
        made = jobs.orders(job, Layout(1, 1, "127.0.0.1", port), ("doctor",))
        started = time.monotonic()
        outcome = supervisor.Supervisor(made, lambda line, is_error: None).run()
    report(capsys, "port taken", time.monotonic() - started, outcome.line)
    assert outcome.status and time.monotonic() - started < LIMIT


def test_a_host_that_does_not_answer(capsys):
    """Real ssh to an address that nobody has."""
    job = jobs.Job(("train", "fashion-mnist"), workers=1, hosts=(Host("10.255.255.254", "10.255.255.254"),))
    started = time.monotonic()
    outcome = jobs.run(job, lambda line, is_error: None)
    report(capsys, "no host", time.monotonic() - started, outcome.line)
    assert outcome.status == 255 and "does not answer" in outcome.line and time.monotonic() - started < LIMIT


def test_ctrl_c_keeps_a_checkpoint_and_the_run_goes_on(data, tmp_path, undisturbed):
    run = tmp_path / "run"
    job = Launched(command(data, run), lambda pids: os.kill(os.getpid(), signal.SIGINT))
    assert job.outcome.status == 130 and "the workers have stopped" in job.outcome.line
    assert jobs.has_checkpoint(str(run))
    assert Launched(("train", "fashion-mnist", "--resume", run)).outcome.status == 0
    assert_finished(run, undisturbed, but=("running_mean", "running_var"))  # within an epoch worker 0's were kept


def test_training_that_diverges_is_written_before_all_end(data, tmp_path):
    """All workers see it in the same step; the others wait until worker 0 has written."""
    run = tmp_path / "run"
    job = Launched((*command(data, run), "--lr", 1e30))
    assert job.outcome.status == 2
    assert json.loads((run / "result.json").read_text())["status"] == "diverged"
    assert json.loads((run / "config.json").read_text())["workers"] == 2


def test_a_mistake_in_the_training_is_not_started_again(data, tmp_path, capsys):
    """A batch of 16 cannot be divided among 3 workers: all refuse it."""
    words = [str(word) for word in command(data, tmp_path / "run")]
    with pytest.raises(SystemExit) as ended:
        cli.main(["launch", "--workers", "3", "--restarts", "5", "--", *words])
    error = capsys.readouterr().err
    assert ended.value.code == 2 and "expected a multiple of 3" in error and "start 2" not in error
    assert not (tmp_path / "run").exists()
