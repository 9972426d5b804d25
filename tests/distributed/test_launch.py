"""The command launch: what it refuses, and what it starts again."""

import os
import re
import socket
import sys

from gluon_resnet.distributed import addresses, jobs
from gluon_resnet.distributed.supervisor import Outcome

import pytest

TRAIN = ("--", "train", "fashion-mnist")


@pytest.mark.parametrize(
    "words, message",
    [
        (("--workers", "0", *TRAIN), "--workers"),
        (("--workers", "two", *TRAIN), "--workers"),
        (("--workers", "2", "--servers", "0", *TRAIN), "--servers"),
        (("--workers", "2", "--restarts", "-1", *TRAIN), "--restarts"),
        (("--workers", "2", "--restarts", "1", *TRAIN), "--restarts needs the run's name in the command"),
        (("--workers", "2", "--port", "80", *TRAIN), "--port"),
        (("--workers", "2", "--kvstore", "local", *TRAIN), "--kvstore"),
        (("--workers", "2", "--compress", "0", *TRAIN), "--compress"),
        (("--workers", "2", "--compress", "1", "--kvstore", "dist_async", *TRAIN), "--compress goes with"),
        (("--workers", "2", "--hosts", "/nowhere/hosts", *TRAIN), "/nowhere/hosts: cannot be read"),
        (("--workers", "2", "--trust", "x", *TRAIN), "--trust x: expected an IPv4 address or network"),
        (("--workers", "2", "--root", "a", *TRAIN), "--root goes with --under"),
        (("--workers", "2", "--kvstore", "allreduce", *TRAIN), "allreduce is started by mpirun"),
        (("--workers", "2", "--under", "pbs", *TRAIN), "--under"),
        (("--workers", "2", "--under", "slurm", "--hosts", "x", *TRAIN), "leaves --hosts to slurm"),
        (("--workers", "2", "--under", "slurm", *TRAIN), "SLURM_PROCID is not set: expected to be started by slurm"),
        (("--workers", "2"), "-- train"),
        (("--workers", "2", "--", "bench", "train"), "launch runs train, found 'bench'"),
        (
            ("--workers", "2", "--", "train", "fashion"),
            "no command 'fashion': did you mean gluon-resnet train fashion-mnist?",
        ),
        (("--workers", "2", *TRAIN, "--lrr", "1"), "--lrr"),
        (("--workers", "2", *TRAIN, "--epochs", "0"), "--epochs"),
        (("--workers", "2", *TRAIN, "--find-lr", "x.png"), "--find-lr tries rates in one process"),
    ],
)
def test_refusals(refusal, monkeypatch, words, message):
    monkeypatch.delenv("SLURM_PROCID", raising=False)
    assert message in refusal("launch", *words)


def test_a_port_that_is_taken(refusal):
    with socket.socket() as taken:
        taken.bind((addresses.LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"port {port} of 127.0.0.1: cannot be used" in refusal(
            "launch", "--workers", "1", "--port", port, *TRAIN
        )


def test_a_public_address_in_the_host_file(refusal, tmp_path):
    (tmp_path / "hosts").write_text("8.8.8.8\n")
    line = refusal("launch", "--workers", "1", "--hosts", tmp_path / "hosts", *TRAIN)
    assert "neither of this machine nor of a private network" in line and "--trust 8.8.8.8" in line


class Starts:
    """In place of the supervisor: ``outcomes`` one after another, and what would have been started."""

    def __init__(self, monkeypatch, outcomes, happens=lambda number: None):
        self.words, self.lines = [], []

        def supervisor(orders, say):
            self.words.append([order.command[3:] for order in orders if order.role == "worker"][0])
            return self

        self.outcomes, self.happens = iter(outcomes), happens
        monkeypatch.setattr(jobs, "Supervisor", supervisor)

    def run(self):
        self.happens(len(self.words))
        return next(self.outcomes)

    def job(self, restarts, run):
        job = jobs.Job(("train", "fashion-mnist", "--out", str(run)), 2, restarts=restarts, run=str(run))
        return jobs.run(job, lambda line, is_error: self.lines.append(line))


def test_a_restart_resumes_the_last_checkpoint(monkeypatch, tmp_path):
    run = tmp_path / "run"

    def happens(number):
        run.mkdir(exist_ok=True)
        (run / "config.json").touch()
        if number == 2:
            (run / "checkpoint.npz").touch()

    starts = Starts(monkeypatch, [Outcome(137, "first"), Outcome(2, "second"), Outcome(0)], happens)
    assert starts.job(5, run).status == 0
    first = ["train", "fashion-mnist", "--out", str(run)]
    assert starts.words == [first, first, ["train", "fashion-mnist", "--resume", str(run)]]
    assert [line for line in starts.lines if "start" in line] == [
        "gluon-resnet: start 2 of 6, from the beginning: there is no checkpoint yet",
        "gluon-resnet: start 3 of 6, from the last checkpoint",
    ]
    assert (tmp_path / "run.failed-1" / "config.json").exists()  # nothing is deleted


def test_no_more_restarts_than_asked_for_and_the_last_status_counts(monkeypatch, tmp_path):
    starts = Starts(monkeypatch, [Outcome(137, "first"), Outcome(134, "second")])
    outcome = starts.job(1, tmp_path / "run")
    assert (outcome.status, outcome.line, len(starts.words)) == (134, "second", 2)


def test_a_failure_after_the_run_was_finished_is_none(monkeypatch, tmp_path):
    """The scheduler may die while the workers say goodbye: nothing is trained again, nothing moved."""
    run = tmp_path / "run"

    def happens(number):
        run.mkdir()
        (run / "result.json").write_text('{"status": "finished"}')

    starts = Starts(monkeypatch, [Outcome(137, "scheduler ... was ended")], happens)
    outcome = starts.job(3, run)
    assert (outcome.status, outcome.line) == (0, f"scheduler ... was ended; the run {run} was finished")
    again = Starts(monkeypatch, [Outcome(2, "refused: nothing to resume")])
    assert again.job(0, run).status == 2  # it was finished before


@pytest.mark.parametrize("outcome", [Outcome(2, "refused"), Outcome(130, "asked", asked=True), Outcome(0)])
def test_what_is_not_started_again(monkeypatch, tmp_path, outcome):
    starts = Starts(monkeypatch, [outcome])
    assert starts.job(3, tmp_path / "run") == outcome


def test_the_line_and_the_status_of_a_failed_job(run_cli, monkeypatch):
    monkeypatch.setattr(jobs, "SERVE", "import sys; sys.exit(3)")
    monkeypatch.setattr(sys, "executable", sys.executable)
    done = run_cli("launch", "--workers", "1", "--servers", "2", "--", "train", "fashion-mnist", "--data", os.devnull)
    assert done.returncode in (2, 3)
    assert re.match(
        r"launch: 1 worker, 2 servers and a scheduler at 127\.0\.0\.1:\d+, on this machine, dist_sync\n", done.stdout
    )
    assert re.search(r"gluon-resnet: [\d:]{8}, after \d+ s: (scheduler|server \d) .*ended with status 3", done.stderr)
