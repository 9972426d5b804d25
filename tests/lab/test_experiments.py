"""Experiments from end to end: sweeps of real runs on small images, stopped, resumed, fitted to a budget, published."""

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

from gluon_resnet import cli
from gluon_resnet.benchmarks import bounds
from gluon_resnet.errors import ConfigError, DataError, RunError
from gluon_resnet.lab import budget, conduct, experiment, published, reproduce, sweep, table
from gluon_resnet.lab.conduct import Request
from gluon_resnet.lab.depth import read as read_depth
from gluon_resnet.runs.kinds import kind_of

import mxnet as mx
import numpy
import pandas as pd
import pytest
from PIL import Image

from tests.conftest import ROOT, one_line_error, small_arrays, write_idx_folder
from tests.runs.test_launch import wait_for

FILE = """CONFIG = {{
    "kind": "fashion-mnist",
    "shared": {{"resize": None, "model": "resnet8@narrow", "batch_size": 16, "epochs": 2, "limit": 48, "momentum": 0.9,
               "data": {data!r}, "verify": False}},
    "arms": {arms!r},
    "seeds": 2, {more}
}}
CLAIM = {{"statement": "it learns", "source": "these tests",
         "checks": [{{"metric": "train_acc", "arm": "slow", "low": 0.0, "high": 1.0}}]}}
"""
pytestmark = pytest.mark.usefixtures("plain_curves", "known_bound")
ONE, TWO = {"slow": {}}, {"slow": {}, "fast": {"lr": 0.1}}


@pytest.fixture
def known_bound(monkeypatch):
    """As if this machine did 100 GFLOP/s: to measure it takes longer than these runs."""
    monkeypatch.setattr(bounds, "float32_gflops", lambda side: 100.0)


@pytest.fixture
def mine(tmp_path, np_mode, monkeypatch):
    """A function that writes an experiment file of some arms and loads it, in a working directory of its own."""
    monkeypatch.chdir(tmp_path)
    data = write_idx_folder(tmp_path / "small", small_arrays(60, 20))

    def make(arms=ONE, more="", name="mine"):
        path = tmp_path / f"{name}.py"
        path.write_text(FILE.format(data=str(data), arms=arms, more=more))
        return experiment.load(path)

    return make


def quiet(line):
    pass


class Interrupt:
    """A listener that presses Ctrl-C at the second batch of the n-th run."""

    def __init__(self, run):
        self.run, self.runs = run, 0

    def make(self, epochs):
        self.runs += 1
        return self

    def __call__(self, record):
        if self.runs == self.run and (record.epoch, record.batch) == (1, 2):
            os.kill(os.getpid(), signal.SIGINT)


def parameters(folder):
    return {name: values.asnumpy() for name, values in mx.npx.load(str(folder / "net.params")).items()}


def test_a_sweep_that_is_stopped_and_taken_up_ends_as_one_that_was_not(mine, tmp_path):
    made = mine()
    whole = conduct.conduct(made, Request(out=str(tmp_path / "whole")), quiet)
    out, lines = tmp_path / "stopped", []
    assert conduct.conduct(made, Request(out=str(out)), quiet, Interrupt(run=2).make) is None
    assert sorted(path.name for path in out.iterdir() if path.is_dir()) == ["slow-seed0", "slow-seed1"]
    before = {path: path.stat().st_mtime_ns for path in out.glob("slow-seed0/*")}
    assert before and list((out / "slow-seed1").glob("checkpoint-*.npz"))

    content = conduct.conduct(made, Request(out=str(out)), lines.append)
    assert lines[0] == "done already: 1 of 2 runs" and "slow-seed1, resumed" in lines[1]
    assert {path: path.stat().st_mtime_ns for path in out.glob("slow-seed0/*")} == before
    for unit in ("slow-seed0", "slow-seed1"):
        one, two = parameters(tmp_path / "whole" / unit), parameters(out / unit)
        assert set(one) == set(two) and all((one[name] == two[name]).all() for name in one), unit
    for seed in ("0", "1"):
        for metric in ("loss", "train_acc", "test_acc", "best_test_acc"):
            assert content["arms"]["slow"][seed][metric] == whole["arms"]["slow"][seed][metric]
    assert content["arms"]["slow"]["0"]["loss"] != content["arms"]["slow"]["1"]["loss"]  # the seed counts

    again = []
    conduct.conduct(made, Request(out=str(out)), again.append)
    assert again[0] == "done already: 2 of 2 runs" and not [line for line in again if line.startswith("run ")]


def test_a_hold_out_and_a_comparison_of_runs_that_are_done(mine, tmp_path, run_cli):
    made = mine(TWO)
    first = run_cli("run", made.path, "--hold-out", 20, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    started = [line.split(": ")[1] for line in first.stdout.splitlines() if line.startswith("run ")]
    assert started == ["slow-seed0", "fast-seed0", "slow-seed1", "fast-seed1"]  # whole seeds, if it is stopped
    folder = tmp_path / "runs" / "experiments" / "mine-holdout20"
    assert (folder / "mine-holdout20.json").exists() and not (folder.parent / "mine").exists()

    done = run_cli("run", made.path, "--hold-out", 20, "--compare", "fast", "--save-results", cwd=tmp_path)
    assert done.returncode == 0 and "done already: 4 of 4 runs" in done.stdout, done.stderr
    found = json.loads((tmp_path / "results" / "mine-holdout20.json").read_text())
    assert found["tested_on"] == "hold-out (20 training images)" and found["config"]["slow"]["hold_out"] == 20
    assert found["command"] == f"gluon-resnet run {made.path} --hold-out 20 --compare fast --save-results"
    results = {
        (arm, seed): json.loads((folder / f"{arm}-seed{seed}" / "result.json").read_text())
        for arm in ("slow", "fast")
        for seed in "01"
    }
    for metric in ("test_acc", "train_seconds"):
        compared = found["comparison"]["arms"]["slow"][metric]
        by_hand = [results["slow", seed][metric] - results["fast", seed][metric] for seed in "01"]
        assert list(compared["differences"].values()) == pytest.approx(by_hand, rel=1e-3, abs=1e-5)
        half = 12.7062 * abs(by_hand[0] - by_hand[1]) / 2  # Student's t with one degree of freedom
        assert compared["high"] == pytest.approx(sum(by_hand) / 2 + half, rel=1e-3, abs=1e-4)
    slow = found["arms"]["slow"]["0"]
    assert slow["sgemm_gflops"] == 100 and slow["bound_seconds"] == pytest.approx(slow["operations"] / 100e9, rel=1e-5)
    # training and testing have clocks of their own
    assert slow["train_seconds"] > 0 and slow["test_seconds"] > 0
    assert slow["train_seconds"] == pytest.approx(sum(row["seconds"] for row in slow["history"]), rel=1e-4)
    assert slow["test_seconds"] == pytest.approx(sum(row["test_seconds"] for row in slow["history"]), rel=1e-4)
    lines = done.stdout.splitlines()
    assert "accuracies: on the hold-out (20 training images); the test part was not looked at" in lines
    assert any(line.startswith("each arm minus fast, paired by seed, on the hold-out") for line in lines)

    assert run_cli("evaluate", folder / "slow-seed0").returncode == 0
    again = run_cli("run", made.path, "--hold-out", 20, cwd=tmp_path)
    assert "; the test part was looked at 1 time, with evaluate" in again.stdout

    line = one_line_error(run_cli("run", made.path, "--hold-out", 60, "--out", tmp_path / "no", cwd=tmp_path))
    assert "hold_out is 60: expected fewer than the 60 pictures" in line and not (tmp_path / "no").exists()
    other = run_cli("run", made.path, "--seeds", 1, "--out", folder, cwd=tmp_path)
    assert "slow-seed0: holds a run with another config (hold_out 20, here 0)" in one_line_error(other)


def test_a_run_of_a_sweep_is_the_run_of_the_train_command(mine, tmp_path, run_cli):
    conduct.conduct(mine(TWO), Request(seeds=1), quiet)
    folder = tmp_path / "runs" / "experiments" / "mine" / "fast-seed0"  # not the first network of its process
    command = shlex.split(json.loads((folder / "config.json").read_text())["command"])
    assert run_cli(*command[1:], "--out", tmp_path / "again").returncode == 0
    one, two = parameters(folder), parameters(tmp_path / "again")
    assert all((one[name] == two[name]).all() for name in one)


def test_the_command_line_from_end_to_end(mine, tmp_path, run_cli):
    made = mine(more='"depth_probe": True')
    process = run_cli("run", made.path, "--seeds", 1, "--save-results", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    lines = process.stdout.splitlines()
    assert lines[0] == "run 1 of 1: slow-seed0" and [line[:9] for line in lines[1:3]] == ["epoch 1/2", "epoch 2/2"]
    assert "\r" not in process.stderr  # no bar is drawn into a log
    assert lines[-1] == "verdict: pass" and "claim: it learns" in lines and "source: these tests" in lines

    folder = tmp_path / "results"
    names = ["mine-depth.csv", "mine-depth.png", "mine.csv", "mine.json", "mine.png"]
    assert sorted(path.name for path in folder.iterdir()) == names
    run = tmp_path / "runs" / "experiments" / "mine" / "slow-seed0"
    result, found = json.loads((run / "result.json").read_text()), json.loads((folder / "mine.json").read_text())
    seed = found["arms"]["slow"]["0"]
    assert seed["test_acc"] == pytest.approx(result["test_acc"], rel=1e-5) and seed["status"] == "finished"
    assert [epoch["epoch"] for epoch in seed["history"]] == [1, 2]
    assert seed["history"][-1]["test_acc"] == seed["test_acc"]
    assert found["seeds"] == [0] and found["config"]["slow"]["momentum"] == 0.9 and found["budget"] is None
    assert found["command"] == f"gluon-resnet run {made.path} --seeds 1 --save-results"
    assert found["machine"]["cpu"]["model"] and found["commits"]
    assert mx.__version__ in found["machine"]["versions"].values()
    assert found["checks"][0]["value"] == pytest.approx(result["train_acc"], rel=1e-5)
    curves = pd.read_csv(folder / "mine.csv")
    assert set(curves["arm"]) == {"slow"} and list(curves[curves["test_acc"].notna()]["epoch"]) == [1, 2]
    for name in ("mine.png", "mine-depth.png"):
        assert Image.open(folder / name).size[0] >= 900 and (folder / name).stat().st_size < 200_000
    assert set(read_depth(run / "depth.csv")["epoch"]) == {0, 2}

    tables = run_cli("results", "--folder", folder).stdout
    assert "| mine " in tables and f"{seed['test_acc']:.3f}" in tables


def test_the_depth_probe_at_the_start_sees_the_values_that_training_starts_from(mine, monkeypatch):
    from gluon_resnet.lab import depth, depth_probes

    started = []

    made = mine(more='"depth_probe": True')
    conduct.conduct(made, Request(seeds=1), quiet, lambda epochs: lambda record: started.append(record.loss))
    unit = sweep.make_units(conduct.with_sources(made), 1, sweep.runs_folder("mine"))[0]
    losses = []

    def probe(net, X, y):
        numpy.random.seed(0)  # the order of the first epoch, as the run with seed 0 has drawn it
        order = numpy.random.permutation(48)[:16]
        X, y = batches.batch(order)
        with mx.autograd.train_mode():
            loss = mx.gluon.loss.SoftmaxCrossEntropyLoss()(net(mx.np.array(X)), mx.np.array(y)).mean()
        losses.append(loss.item())
        return pd.DataFrame({name: [] for name in depth.COLUMNS})

    batches = kind_of(unit.config).job(unit.config).train_iter
    monkeypatch.setattr(depth, "probe", probe)
    depth_probes._probe_run(unit)
    assert losses[0] == pytest.approx(started[0], rel=1e-6) and losses[1] != pytest.approx(started[0], rel=1e-3)


def test_ctrl_c_on_the_command_line_says_how_to_go_on(mine, tmp_path, run_cli):
    made = mine({"slow": {"epochs": 1000}})
    command = [sys.executable, "-m", "gluon_resnet", "run", str(made.path), "--seeds", "2"]
    with open(tmp_path / "log", "w") as stream:
        process = subprocess.Popen(
            command, stdout=stream, stderr=subprocess.STDOUT, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
        try:
            folder = tmp_path / "runs" / "experiments" / "mine"
            wait_for((folder / "slow-seed0" / "history.csv").exists, process)
            busy = run_cli(*command[3:], cwd=tmp_path)
            assert "another gluon-resnet run is at work in it" in one_line_error(busy)
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 130
        finally:
            process.kill()
    text = (tmp_path / "log").read_text()
    assert f"go on with: gluon-resnet run {made.path} --seeds 2" in text and "Traceback" not in text
    assert list((folder / "slow-seed0").glob("checkpoint-*.npz")) and not (folder / "slow-seed1").exists()


def test_folders_with_something_else_in_them_are_left_alone(mine, tmp_path):
    made = mine()
    conduct.conduct(made, Request(seeds=1), quiet)
    folder = tmp_path / "runs" / "experiments" / "mine"
    other = mine({"slow": {"epochs": 1}})
    with pytest.raises(RunError, match="slow-seed0: holds a run with another config .epochs 2, here 1."):
        conduct.conduct(other, Request(seeds=2), quiet)
    assert not (folder / "slow-seed1").exists()  # looked at before anything is trained
    (folder / "slow-seed1").mkdir()
    # an empty one is no obstacle
    assert sweep.state(sweep.make_units(conduct.with_sources(made), 2, folder)[1]) == sweep.NEW
    (folder / "slow-seed2").mkdir()
    (folder / "slow-seed2" / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match="slow-seed2: not a run folder"):
        conduct.conduct(made, Request(seeds=3), quiet)
    assert (folder / "slow-seed2" / "notes.txt").exists()


def test_a_run_that_diverged_is_done_though_it_keeps_its_last_good_checkpoint(mine, tmp_path):
    made = mine()
    conduct.conduct(made, Request(seeds=1), quiet)
    [unit] = sweep.make_units(conduct.with_sources(made), 1, tmp_path / "runs" / "experiments" / "mine")
    (unit.path / "checkpoint.npz").write_bytes(b"")
    states = []
    for status in (
        "finished",
        "stopped",
        "diverged",
    ):  # of the first, killed before the checkpoint went, resuming is right
        result = json.loads((unit.path / "result.json").read_text())
        (unit.path / "result.json").write_text(json.dumps({**result, "status": status}))
        states.append(sweep.state(unit))
    assert states == [sweep.STOPPED, sweep.STOPPED, sweep.DONE]


def test_a_run_ended_before_its_first_checkpoint_begins_anew(mine, tmp_path):
    made = mine()
    conduct.conduct(made, Request(seeds=1), quiet)
    folder = tmp_path / "runs" / "experiments" / "mine" / "slow-seed0"
    before = parameters(folder)
    for name in ("result.json", "net.params", "curves.png"):
        (folder / name).unlink()
    conduct.conduct(made, Request(seeds=1), quiet)
    assert all((parameters(folder)[name] == before[name]).all() for name in before)
    (folder / "result.json").unlink()
    (folder.parent / sweep.LOCK).write_text("slow-seed7")  # so it is not this sweep's: somebody may be at work in it
    with pytest.raises(RunError, match="slow-seed0: no checkpoint and no result: the run is under way elsewhere"):
        conduct.conduct(made, Request(seeds=1), quiet)
    assert (folder / "net.params").exists()


def test_a_seed_that_diverges_is_published_as_a_miss_and_the_others_go_on(mine):
    lines = []
    content = conduct.conduct(mine({"slow": {"lr": 1e30}, "fast": {}}), Request(seeds=1), lines.append)
    assert content["verdict"] == "miss" and content["checks"][0]["value"] is None
    assert content["arms"]["slow"]["0"]["status"] == "diverged" and content["arms"]["fast"]["0"]["test_acc"] is not None
    assert any("training diverged" in line for line in lines)


@pytest.fixture
def measured(monkeypatch):
    """As if every run took 10 s, and an epoch 1 s, 2 s a batch, and 0.5 s a test batch; names of what was timed."""
    timed = []

    def measure(config, runs, most, arms=1):
        timed.append((config.lr, runs))
        return budget.Load(runs, budget.Cost(10, 1, 2, 0.5), config.epochs, config.limit, 80, config.batch_size)

    monkeypatch.setattr(budget, "measure", measure)
    return timed


def test_a_budget_changes_epochs_and_data_says_so_and_keeps_to_it(mine, measured, tmp_path):
    # a run: 10 + 2 epochs * (1 + 3 batches * 2 + 5 test batches * 0.5) = 29; of one epoch 19.5; of two batches 17.5
    made, lines = mine(TWO), []
    content = conduct.conduct(made, Request(budget="36s", seeds=1), lines.append)
    assert [line for line in lines if line.startswith("budget")][-1].startswith(
        "budget 36s: epochs 2 -> 1, limit 48 -> 32; predicted 35 s for 2 runs"
    )
    assert content["budget"]["changed"]["fast"] == {"epochs": [2, 1], "limit": [48, 32]}
    assert content["budget"]["took_seconds"] > 0
    assert content["config"]["slow"]["epochs"] == 1 and content["arms"]["slow"]["0"]["examples"] == 32
    folder = tmp_path / "runs" / "experiments" / "mine-36s"
    assert (folder / "mine-36s.json").exists() and measured == [(0.05, 1), (0.1, 1)]

    again = []
    conduct.conduct(made, Request(budget="36s", seeds=1), again.append)  # as fitted before, nothing timed
    assert again[:2] == ["budget 36s, fitted before: epochs 2 -> 1, limit 48 -> 32", "done already: 2 of 2 runs"]
    assert len(measured) == 2
    with pytest.raises(ConfigError, match="fitted to the budget for 1 seed, here 2"):
        conduct.conduct(made, Request(budget="36s", seeds=2), quiet)


def test_a_budget_that_suffices_changes_nothing_and_finished_seeds_do_not_count(mine, measured, tmp_path):
    made, lines = mine(ONE), []
    conduct.conduct(made, Request(seeds=1), quiet)
    content = conduct.conduct(made, Request(budget="30s", seeds=2), lines.append)  # 29 s for the seed that is left
    assert "budget 30s: nothing changed; predicted 29 s for 1 run," in lines[1] and measured == [(0.05, 1)]
    assert content["name"] == "mine" and (tmp_path / "runs" / "experiments" / "mine" / "slow-seed1").exists()
    conduct.conduct(made, Request(budget="1s", seeds=2), quiet)  # nothing is left, so nothing is timed
    assert measured == [(0.05, 1)]


def test_a_shorter_run_is_another_one_so_no_seed_of_it_is_done(mine, measured, tmp_path):
    made = mine({"slow": {"epochs": 4}})
    conduct.conduct(made, Request(seeds=1), quiet)
    plan = conduct.make_plan(made, conduct.with_sources(made), Request(budget="47s", seeds=2), quiet)
    assert measured == [(0.05, 1)]  # the seed that is left would take 48 s; two seeds of one epoch take 39 s
    assert plan.budget["runs"] == 2 and plan.budget["predicted_seconds"] == 39 and plan.configs["slow"].epochs == 1
    assert [unit.path.parent.name for unit in plan.units] == ["mine-47s"] * 2


def test_a_budget_that_is_too_small_trains_nothing(mine, measured, tmp_path):
    made = mine()
    with pytest.raises(ConfigError, match="budget 15s: one epoch of one batch of every run takes about 31 s already"):
        conduct.conduct(made, Request(budget="15s"), quiet)
    assert not (tmp_path / "runs").exists()


def test_a_budget_that_timing_uses_up_is_one_line_and_trains_nothing(mine, tmp_path, run_cli):
    process = run_cli("run", mine().path, "--budget", "0.01s", cwd=tmp_path)
    assert "budget 0.01s: gone before the first run" in one_line_error(process)
    assert not (tmp_path / "runs").exists()


def test_the_miniature_run_measures_the_real_thing(mine):
    made = mine()
    load = budget.measure(made.configs["slow"], 3, most=300)
    assert (load.runs, load.epochs, load.examples, load.tests, load.batch_size) == (3, 2, 48, 20, 16)
    assert all(value > 0 for value in vars(load.cost).values()) and not Path("runs").exists()
    with pytest.raises(budget.TooLong):
        budget.measure(made.configs["slow"], 1, most=0.001)


def test_reproduce_runs_the_experiment_of_an_entry(mine, monkeypatch, capsys):
    made = mine()
    entry = published.Entry("e", "what", "somebody", 0.9, experiment=str(made.path))
    monkeypatch.setattr(published, "ENTRIES", (entry,))
    assert reproduce.experiment_of(entry) == made
    content = conduct.conduct(made, Request(), quiet)
    last = [content["arms"]["slow"][seed]["test_acc"] for seed in "01"]
    cli.main(["reproduce", "e", "--seeds", "2"])
    lines = capsys.readouterr().out.splitlines()
    assert "done already: 2 of 2 runs" in lines and "what: somebody" in lines  # those of the experiment
    (row,) = [line for line in lines if line.startswith("test acc")]
    assert row.split()[2:6] == ["0.900", *(f"{value:.3f}" for value in last), f"{numpy.mean(last):.3f}"]
    assert f"{numpy.std(last, ddof=1):.4f}" in row and lines[-1] == "verdict: pass"


def test_pictures_and_weights_that_are_not_there_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GLUON_RESNET_REAL_DATA", raising=False)
    scratch, finetune = experiment.load("bird_photos_scratch"), experiment.load("bird_photos_finetune")
    with pytest.raises(DataError, match="no bird_photos in .*name it with --data"):
        conduct.with_sources(scratch)
    with pytest.raises(DataError, match="--data nowhere: no such folder of pictures"):
        conduct.with_sources(scratch, data="nowhere")
    (tmp_path / "real" / "bird_photos").mkdir(parents=True)
    monkeypatch.setenv("GLUON_RESNET_REAL_DATA", str(tmp_path / "real"))
    assert conduct.with_sources(scratch)["ResNet-50"].data == str(tmp_path / "real" / "bird_photos")
    with pytest.raises(DataError, match="no resnet18.safetensors in .*name it with --weights"):
        conduct.with_sources(finetune)
    (tmp_path / "resnet18.safetensors").touch()
    with pytest.raises(DataError, match="no resnet50.safetensors in .*name it with --weights"):
        conduct.with_sources(finetune)
    (tmp_path / "resnet50.safetensors").touch()
    assert conduct.with_sources(finetune)["ResNet-18"].weights == "resnet18.safetensors"
    (tmp_path / "trained").mkdir()
    (tmp_path / "trained" / "resnet18.safetensors").touch()
    with pytest.raises(DataError, match="--weights trained/resnet50.safetensors: no such file of weights"):
        conduct.with_sources(finetune, weights="trained")
    (tmp_path / "trained" / "resnet50.safetensors").touch()
    found = conduct.with_sources(finetune, weights="trained")
    assert {arm: config.weights for arm, config in found.items()} == {
        "ResNet-18": "trained/resnet18.safetensors",
        "ResNet-50": "trained/resnet50.safetensors",
    }
    with pytest.raises(ConfigError, match="bird_photos_scratch starts from no weights"):
        conduct.with_sources(scratch, weights="resnet18.safetensors")


def test_an_experiment_that_costs_networks(tmp_path, monkeypatch):
    from gluon_resnet.lab import cost

    asked = []

    def compare(models, shape, batch_size, steps, rounds, say):
        asked.append((models, shape, batch_size, steps, rounds))
        return {
            model: {
                way: [
                    dict(
                        parameters=10,
                        multiply_adds=int(1e9) * i,
                        median_seconds=0.1 * i,
                        peak_memory_bytes=2**20,
                        others_cores=None,
                        threads=2,
                        winograd=False,
                    )
                ]
                * rounds
                for way in cost.WAYS
            }
            for i, model in enumerate(models, start=1)
        }

    monkeypatch.setattr(cost, "compare", compare)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "dear.py"
    path.write_text(
        'CONFIG = {"kind": "cost", "shared": {"shape": [1, 28, 28]}, "arms": {"resnet18": {}, "deep": '
        '{"model": "resnet34"}}}\nCLAIM = {"statement": "s", "source": "t", "checks": [{"metric": '
        '"train_ms", "arm": "deep", "over": "resnet18", "low": 2, "high": 2}]}'
    )
    made = experiment.load(path)
    content = conduct.conduct(made, Request(save_results=True), quiet)
    assert asked == [(["resnet18", "resnet34"], (1, 28, 28), 32, 5, 3)] and content["verdict"] == "pass"
    assert table.cost_table(content).to_dict("records")[1] == {
        "network": "deep",
        "parameters": "10",
        "multiply-adds (G)": "2.000",
        "train (ms)": "6.25 (6.25-6.25)",
        "train peak (MiB)": "1",
        "predict (ms)": "6.25 (6.25-6.25)",
        "predict peak (MiB)": "1",
        "others (cores)": "",
        "rounds": 3,
    }
    assert "| deep " in table.markdown([content]) and "seeds" not in table.markdown([content])
    assert sorted(file.name for file in (tmp_path / "results").iterdir()) == ["dear.csv", "dear.json", "dear.png"]
    with pytest.raises(ConfigError, match="--budget: dear measures networks"):
        conduct.conduct(made, Request(budget="1m"), quiet)
