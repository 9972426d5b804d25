"""Experiment files, verdicts, the arithmetic of budgets, and tables: everything of the lab that trains nothing."""

import json
from dataclasses import replace
from types import SimpleNamespace

from gluon_resnet.errors import ConfigError, RunError
from gluon_resnet.lab import budget, claims, experiment, published, reproduce, results, table
from gluon_resnet.lab.experiment import Check
from gluon_resnet.runs.fashion_mnist import FashionMnistConfig
from gluon_resnet.runs.pictures import PicturesConfig
from gluon_resnet.training.progress import Record

import pytest

from tests.conftest import one_line_error

CONFIG = 'CONFIG = {"kind": "fashion-mnist", "arms": {"one": {}, "two": {"lr": 0.1}}}\n'
CLAIM = 'CLAIM = {"statement": "s", "source": "t", "checks": [{"metric": "test_acc", "arm": "one", "low": 0.8}]}\n'


def write(folder, text):
    path = folder / "mine.py"
    path.write_text(text)
    return path


def test_a_file_states_what_differs_and_the_rest_is_the_run_configs_own(tmp_path):
    path = write(tmp_path, '"""Words."""\nimport nothing_that_exists\n' + CONFIG + CLAIM)
    found = experiment.load(path)
    assert found.name == "mine" and found.settings.seeds == 3 and found.statement == "s"
    assert found.configs == {"one": FashionMnistConfig(), "two": FashionMnistConfig(lr=0.1)}
    assert found.checks == (Check("test_acc", "one", low=0.8),)


@pytest.mark.parametrize(
    "text, words",
    [
        (CONFIG, "no CLAIM: expected CLAIM = {...}"),
        (CLAIM, "no CONFIG"),
        ("", "no CONFIG"),
        ("CONFIG = {\n" + CLAIM, "line"),
        ("CONFIG = dict(kind=1)\n" + CLAIM, "line 1: CONFIG is not written out"),
        ("CONFIG = [1]\n" + CLAIM, "CONFIG is [1]: expected a dict"),
        ("CONFIG = 1\0", "null byte"),
        (CONFIG.replace("arms", "arm") + CLAIM, "unknown setting 'arm': did you mean arms?"),
        (CONFIG.replace("kind", "seeds") + CLAIM, "CONFIG: seeds is 'fashion-mnist': expected a whole number"),
        (CONFIG.replace('"kind": "fashion-mnist", ', "") + CLAIM, "CONFIG: kind is ''"),
        (
            CONFIG.replace("fashion-mnist", "mnist") + CLAIM,
            "kind is 'mnist': expected one of fashion-mnist, pictures, cost",
        ),
        (CONFIG.replace('"lr"', '"learning_rate"') + CLAIM, "CONFIG: arm two: unknown setting 'learning_rate'"),
        (CONFIG.replace("0.1", '"fast"') + CLAIM, "arm two: lr is 'fast': expected a number"),
        (CONFIG.replace("0.1", "-0.1") + CLAIM, "arm two: lr is -0.1: expected a learning rate above 0"),
        (CONFIG.replace('"lr": 0.1', '"seed": 1') + CLAIM, "arm two: seed is set"),
        (CONFIG.replace('"lr": 0.1', '"model": "resnet17"') + CLAIM, "unknown model 'resnet17'"),
        (CONFIG.replace('"one": {}, "two": {"lr": 0.1}', "") + CLAIM, "no arms"),
        (CONFIG.replace("one", "../one") + CLAIM, "expected a name that a folder can have"),
        (CONFIG.replace('"kind"', '"seeds": 0, "kind"') + CLAIM, "seeds is 0"),
        (CONFIG + CLAIM.replace("one", "three"), "check 1: no arm 'three': CONFIG has one, two"),
        (
            CONFIG + CLAIM.replace("test_acc", "accuracy"),
            "metric is 'accuracy': expected one of loss, train_acc",
        ),
        (CONFIG + CLAIM.replace(', "low": 0.8', ""), "no low and no high"),
        (CONFIG + CLAIM.replace("0.8", '0.8, "high": 0.7'), "low is 0.8, high 0.7"),
        (CONFIG + CLAIM.replace("0.8", '"much"'), "low is 'much'"),
        (CONFIG + CLAIM.replace('"source"', '"sauce"'), "did you mean source?"),
        (CONFIG + CLAIM.replace('"arm": "one", ', ""), "check 1: no arm ''"),
        (CONFIG + CLAIM.replace('"source": "t", ', ""), "CLAIM: no source"),
        (CONFIG + 'CLAIM = {"statement": "s", "source": "t", "checks": []}', "no checks"),
    ],
)
def test_a_broken_file_is_told_in_one_line_with_its_path(tmp_path, text, words):
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        experiment.load(path)
    line = str(caught.value)
    assert words in line and line.startswith(str(path)) and "\n" not in line


def test_the_command_line_says_so_and_exits_with_2(run_cli, tmp_path):
    path = write(tmp_path, "CONFIG = {\n" + CLAIM)
    assert f"{path}: line " in one_line_error(run_cli("run", path))
    assert "no such file: expected an experiment" in one_line_error(run_cli("run", tmp_path / "absent.py"))
    assert "unknown experiment 'degradaton': did you mean degradation?" in one_line_error(run_cli("run", "degradaton"))


def test_every_experiment_of_the_suite_can_be_loaded_and_states_no_default():
    assert {
        "fashion_mnist_resnet18",
        "fashion_mnist_resnet18_28px",
        "degradation",
        "shortcut_options",
        "depth_cost",
        "bird_photos_scratch",
        "bird_photos_finetune",
    } <= set(experiment.names())
    for name in experiment.names():
        found = experiment.load(name)
        kinds = {"fashion-mnist": FashionMnistConfig, "pictures": PicturesConfig}
        if found.settings.kind in kinds:
            default = kinds[found.settings.kind]()
            for setting, value in found.settings.shared.items():
                assert getattr(default, setting) != value, (name, setting)


@pytest.mark.parametrize(
    "band, value, verdict",
    [
        ((0.865, 0.925, None), 0.865, "pass"),
        ((0.865, 0.925, None), 0.9, "pass"),
        ((0.865, 0.925, None), 0.925, "pass"),
        ((0.865, 0.925, None), 0.94, "near"),
        ((0.865, 0.925, None), 0.84, "near"),  # half the width is 0.03
        ((0.865, 0.925, None), 0.956, "miss"),
        ((0.865, 0.925, None), 0.834, "miss"),
        ((0.5, 1.0, None), 0.25, "near"),
        ((0.5, 1.0, None), 0.2499, "miss"),
        ((0.5, 1.0, 0.125), 0.375, "near"),
        ((0.5, 1.0, 0.125), 0.374, "miss"),
        ((None, -0.02, 0.01), -0.03, "pass"),
        ((None, -0.02, 0.01), -0.011, "near"),
        ((None, -0.02, 0.01), 0.0, "miss"),
        ((None, -0.02, None), -0.0199, "miss"),
        ((0.5, None, None), 0.5, "pass"),
        ((0.5, None, None), 0.49, "miss"),
        ((0.5, None, None), None, "miss"),
    ],
)
def test_verdicts_by_hand(band, value, verdict):
    low, high, near = band
    assert claims.verdict(Check("test_acc", "a", low=low, high=high, near=near), value) == verdict


def test_a_check_compares_means_over_seeds_and_the_worst_verdict_counts():
    arms = {
        "a": {"0": {"loss": 1.0}, "1": {"loss": 3.0}},
        "b": {"0": {"loss": 0.25}, "1": {"loss": 0.75}},
        "c": {"0": {"loss": 1.0}, "1": {"loss": None}},
    }
    checks = [
        Check("loss", "a", low=2, high=2),
        Check("loss", "a", minus="b", low=1.5, high=1.5),
        Check("loss", "a", over="b", low=4, high=4),
        Check("loss", "a", low=2.5, high=3.5),
        Check("loss", "c", low=0, high=9),
        Check("loss", "a", minus="c", low=0, high=9),
    ]
    worst, judged = claims.judge(checks, arms)
    assert [one["value"] for one in judged] == [2, 1.5, 4, 2, None, None]
    assert [one["verdict"] for one in judged] == ["pass", "pass", "pass", "near", "miss", "miss"] and worst == "miss"
    assert claims.judge(checks[:4], arms)[0] == "near" and claims.judge(checks[:3], arms)[0] == "pass"


@pytest.mark.parametrize(
    "text, seconds", [("90s", 90), ("20m", 1200), ("1h", 3600), ("1h30m", 5400), ("0.5m", 30), ("1 H", 3600)]
)
def test_a_budget_is_a_time(text, seconds):
    assert budget.parse(text) == seconds


@pytest.mark.parametrize("text", ["20", "soon", "", "-5m", "0s", "5d", "m", "1..5m", "nan"])
def test_a_budget_that_is_none(text):
    with pytest.raises(ConfigError, match="--budget .*: expected"):
        budget.parse(text)


def miniature(watch, clock, warm_up=3):
    """What a run of two epochs tells its listener: a step takes 2 s, a test batch 0.5 s, a checkpoint 4 s."""

    def record(epoch, batch, seconds, **tested):
        watch(Record(epoch, batch, len(watch.passes.counts), 10 * batch, 1.0, 0.5, seconds, 0.0, **tested))

    clock.now = 30.0  # data, network, compilation: the first batch takes 7 s longer than those after it
    for batch in range(1, warm_up + 1):
        record(1, batch, 7 + 2 * batch)
        clock.now += 2
    record(1, warm_up, 7 + 2 * warm_up, test_acc=0.1, test_seconds=1.0)
    clock.now += 4 + 1  # the checkpoint, and a second until the first batch is ready
    timed = watch.passes.counts[1]
    for batch in range(1, timed + 1):
        clock.now += 2
        record(2, batch, 1 + 2 * batch)
    clock.now += 3
    record(2, timed, 1 + 2 * timed, test_acc=0.1, test_seconds=3.0)


@pytest.mark.parametrize("share, timed", [(100.0, 20), (9.0, 4), (0.0, 2)])
def test_the_stopwatch_by_hand(share, timed):
    clock = SimpleNamespace(now=0.0)
    passes = budget.Passes([], (3, 20))
    watch = budget.Stopwatch(passes, 1000, share, lambda: clock.now)
    miniature(watch, clock)
    assert passes.counts[1] == timed  # 20 steps, or as many as the share of the budget has room for
    clock.now += 11
    cost = watch.cost(tests=6)
    assert cost.step == pytest.approx(2) and cost.test == pytest.approx(0.5)
    assert cost.epoch == pytest.approx(1 + 4)  # the wait for the first batch, and the checkpoint
    total = clock.now
    assert cost.run == pytest.approx(total - 2 * 5 - (3 + timed) * 2 - 7 * 0.5)


def test_the_stopwatch_gives_up_when_the_budget_is_gone():
    clock = SimpleNamespace(now=0.0)
    watch = budget.Stopwatch(budget.Passes([], (3, 20)), 31, 1, lambda: clock.now)
    with pytest.raises(budget.TooLong):
        miniature(watch, clock)
    assert len(watch.seen) == 2  # at 30 s there was time left, at 32 s there was none


def test_passes_take_as_many_batches_as_they_are_told_and_begin_anew():
    passes = budget.Passes([1, 2, 3], (2, 7))
    assert len(passes) == 2 and list(passes) == [1, 2]
    assert len(passes) == 7 and list(passes) == [1, 2, 3, 1, 2, 3, 1]


COST = budget.Cost(run=10, epoch=1, step=2, test=0.5)


def load(runs=2, epochs=10, examples=1000, tests=200, batch_size=100, cost=COST):
    return budget.Load(runs, cost, epochs, examples, tests, batch_size)


def test_a_prediction_by_hand():
    # two runs, each 10 + 10 epochs * (1 + 10 steps * 2 + 2 test batches * 0.5)
    assert load().seconds() == 2 * (10 + 10 * (1 + 20 + 1))
    assert load().seconds(epochs=3, limit=250) == 2 * (10 + 3 * (1 + 5 + 1))
    assert load(examples=50).seconds(limit=70, epochs=99) == 2 * (10 + 10 * (1 + 1 + 1))
    # six passes forward after each epoch for batch norm's statistics, or as many as there are batches
    assert replace(load(), norm_batches=6).seconds() == pytest.approx(2 * (10 + 10 * (1 + 20 + 2 * 2 + 1)))
    assert replace(load(), norm_batches=99).seconds() == pytest.approx(2 * (10 + 10 * (1 + 20 + 20 / 3 + 1)))


def test_epochs_go_first_then_the_part_of_the_data():
    assert budget.fit([load()], 460) == (None, None, 460)
    assert budget.fit([load()], 459) == (9, None, 2 * (10 + 9 * 22))
    assert budget.fit([load()], 64) == (1, None, 64)
    assert budget.fit([load()], 63) == (1, 900, 2 * (10 + 1 + 18 + 1))
    assert budget.fit([load()], 28) == (1, 100, 28)  # one batch
    with pytest.raises(budget.TooLong):
        budget.fit([load()], 27.9)
    with pytest.raises(budget.TooLong):
        budget.fit([load()], 63, can_limit=False)
    assert budget.least([load()]) == 28 and budget.least([load()], can_limit=False) == 64
    dear = budget.Cost(10, 1, 4, 0.5)
    assert budget.fit([load(), load(cost=dear)], 460 + 860 - 1)[0] == 9  # one number for all arms
    assert budget.fit([load(epochs=1)], 63)[0] is None  # not a change


def test_a_shorter_run_keeps_the_shape_of_its_schedule():
    config = FashionMnistConfig(epochs=10, warmup_epochs=2.0, step_epochs=(5.0, 8.0))
    shorter = budget.shortened(config, 5, 2000)
    assert (shorter.epochs, shorter.warmup_epochs, shorter.step_epochs, shorter.limit) == (5, 1.0, (2.5, 4.0), 2000)
    assert budget.shortened(config, None, None) == config
    assert budget.shortened(FashionMnistConfig(epochs=2, limit=500), 5, 2000) == FashionMnistConfig(epochs=2, limit=500)
    assert budget.changes(FashionMnistConfig(), FashionMnistConfig(epochs=3)) == {"epochs": [10, 3]}


def seed(last, best, **others):
    return {
        "status": "finished",
        "epochs": 2,
        "loss": 0.25,
        "train_acc": 0.95,
        "test_acc": last,
        "best_test_acc": best,
        "examples": 1000,
        "train_seconds": 50.0,
        "wait_seconds": 1.0,
        "test_seconds": 13.0,
        "examples_per_sec": 20.4,
        "examples_per_sec_end_to_end": 20.0,
        "device": "cpu(0)",
        "history": [],
        **others,
    }


def content(**others):
    """A results file by hand: one arm of three seeds, the mean 0.9 is inside its band."""
    arms = {"resnet18": {"0": seed(0.88, 0.91), "1": seed(0.90, 0.90), "2": seed(0.92, 0.93)}}
    check = {
        "metric": "test_acc",
        "arm": "resnet18",
        "minus": None,
        "over": None,
        "low": 0.865,
        "high": 0.925,
        "near": None,
        "value": 0.9,
        "verdict": "pass",
    }
    return {
        "format": results.FORMAT,
        "name": "small",
        "kind": "fashion-mnist",
        "claim": {"statement": "it | works", "source": "nobody"},
        "verdict": "pass",
        "checks": [check],
        "config": {"resnet18": {}},
        "budget": None,
        "arms": arms,
        "machine": {
            "cpu": {"model": "A CPU", "physical": 2},
            "gpus": [],
            "threads": {"threads": 2},
            "platform": "Linux",
            "versions": {"python": "3.11.2", "mxnet": "1.9.1", "numpy": "1.23.5"},
        },
        "commits": ["abc"],
        "seeds": [0, 1, 2],
        "command": "gluon-resnet run small",
        "started": "2026-11-22T05:00:00+00:00",
        "date": "2026-11-22T06:00:00+00:00",
        **others,
    }


def test_the_table_by_arm_by_hand():
    (row,) = table.arms_table(content()).to_dict("records")
    assert row == {
        "arm": "resnet18",
        "n": 3,
        "last": "0.880 0.900 0.920",
        "mean": "0.900",
        "min-max": "0.880-0.920",
        "sd": "0.0200",
        "best": "0.930",
        "train acc": "0.950",
        "loss": "0.250",
        "ex/s": "20.4",
        "end to end": "20.0",
        "time a run": "1 min 3 s",
    }
    assert table.claim_lines(content())[2:] == [
        "  test_acc of resnet18: 0.9, claimed 0.865 to 0.925: pass",
        "verdict: pass",
    ]


def test_a_seed_that_diverged_is_shown_as_such():
    none = dict(loss=None, train_acc=None, test_acc=None, best_test_acc=None, status="diverged")
    (row,) = table.arms_table(content(arms={"resnet18": {"0": seed(0.9, 0.9), "1": seed(0, 0, **none)}})).to_dict(
        "records"
    )
    assert row["last"] == "0.900 diverged" and row["mean"] == "" and row["best"] == "0.900"


def test_the_markdown_table_from_results_files(tmp_path, run_cli):
    folder = tmp_path / "results"
    folder.mkdir()
    missed = content(
        name="worse",
        verdict="miss",
        budget={"text": "20m", "changed": {"resnet18": {"epochs": [10, 3]}}, "line": "epochs 10 -> 3"},
    )
    missed["checks"] = [{**missed["checks"][0], "value": 0.5, "verdict": "miss"}]
    for one in (content(), missed):
        (folder / f"{one['name']}.json").write_text(json.dumps(one))
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n")
    for _ in range(2):  # the second time changes nothing
        process = run_cli("results", "--folder", folder, "--update", readme)
        assert process.returncode == 0, process.stderr
    text = readme.read_text()
    assert text.startswith(f"before\n{table.BEGIN}\n") and text.endswith(f"{table.END}\nafter\n") and "old" not in text
    lines = text.splitlines()
    assert [cell.strip() for cell in lines[5].replace("\\|", "/").strip("|").split("|")] == [
        "small",
        "it / works",
        "test_acc of resnet18",
        "0.865 to 0.925",
        "0.9",
        "3",
        "pass",
    ]
    assert [cell.strip() for cell in lines[6].replace("\\|", "/").strip("|").split("|")] == [
        "worse (budget 20m: epochs 10 -> 3)",
        "it / works",
        "test_acc of resnet18",
        "0.865 to 0.925",
        "0.5",
        "3",
        "miss",
    ]
    (origin,) = [line for line in lines if line.startswith("**small**")]
    for word in (
        "A CPU, 2 cores, 2 threads",
        "mxnet 1.9.1",
        "seeds 0, 1, 2",
        "commit abc",
        "2026-11-22",
        "`gluon-resnet run small`",
    ):
        assert word in origin
    assert run_cli("results", "--folder", folder).stdout.strip() in text


@pytest.mark.parametrize(
    "text, words",
    [
        (json.dumps(content(format=99)), "version 99 of the results file: expected 1"),
        ("{", "damaged"),
        ("[]", "not a results file"),
        ("{}", "not a results file"),
        (json.dumps({"format": 1, "name": "x"}), "damaged: no kind"),
        (b"\xff\xfe", "damaged"),
    ],
)
def test_a_bad_results_file_is_one_line(tmp_path, text, words):
    path = tmp_path / "x.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(RunError) as caught:
        results.read(path)
    assert words in str(caught.value) and str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_the_command_for_results_fails_in_one_line(tmp_path, run_cli):
    (tmp_path / "old.json").write_text(json.dumps(content(format=0)))
    assert "version 0 of the results file" in one_line_error(run_cli("results", "--folder", tmp_path))
    (tmp_path / "old.json").unlink()
    assert "no results in it" in one_line_error(run_cli("results", "--folder", tmp_path))
    (tmp_path / "new.json").write_text(json.dumps(content()))
    (tmp_path / "README.md").write_text("no markers")
    process = run_cli("results", "--folder", tmp_path, "--update", tmp_path / "README.md")
    assert table.BEGIN in one_line_error(process) and (tmp_path / "README.md").read_text() == "no markers"


def test_every_published_row_is_listed_and_those_without_data_say_so(run_cli):
    process = run_cli("reproduce")
    assert process.returncode == 0 and "d2l-resnet18-fashion-mnist" in process.stdout
    rows = {entry.name: entry for entry in published.ENTRIES}
    accuracies = sorted(entry.test_acc for entry in rows.values() if entry.experiment and entry.test_acc)
    assert accuracies == [0.865, 0.893, 0.894, 0.907, 0.922, 0.925]
    assert rows["he2015-cifar10-resnet110"].test_acc == 0.9357 and rows["he2015-imagenet-resnet-34"].test_acc == 0.7497
    line = one_line_error(run_cli("reproduce", "he2015-cifar10-resnet20"))
    assert "0.9125" in line and "CIFAR-10 is not available here" in line
    assert (
        rows["random-erasing-wrn-28-10"].test_acc == 0.9635 and rows["random-erasing-resnet-32-base"].test_acc == 0.9584
    )
    assert rows["d2l-1.0-resnet18"].test_acc is None and rows["d2l-1.0-resnet18"].experiment == "d2l_1_0_resnet18"
    assert "did you mean d2l-numpy?" in one_line_error(run_cli("reproduce", "d2l-numpi"))
    assert "--seeds goes with a NAME" in one_line_error(run_cli("reproduce", "--seeds", 2))


def test_a_cited_figure_beside_our_seeds_by_hand():
    entry = published.find("d2l-resnet18-fashion-mnist")
    rows = reproduce.compare(entry, content()).set_index("")
    assert rows.loc["test acc"].to_dict() == {
        "cited": "0.907",
        "last, by seed": "0.880 0.900 0.920",
        "mean": "0.900",
        "min-max": "0.880-0.920",
        "sd": "0.0200",
        "best": "0.930",
    }
    assert rows.loc["examples/sec, the book's clock", "cited"] == "4,886.6"
    assert rows.loc["examples/sec end to end", ["cited", "mean"]].to_list() == ["", "20.0"]
    assert "is within the last epochs of 3 seeds, 0.880 to 0.920; the mean is -0.007" in reproduce.position(
        entry, content()
    )
    assert "is above" in reproduce.position(published.find("d2l-tensorflow-2021"), content())


def test_verdicts_on_published_numbers_by_hand():
    """Seeds of 0.880, 0.900 and 0.920: from these is reproduced, half a point further near."""
    verdicts = {
        accuracy: reproduce.verdict(published.Entry("e", "what", "somebody", accuracy, experiment="x"), content())
        for accuracy in (0.8749, 0.8751, 0.88, 0.907, 0.92, 0.9249, 0.9251)
    }
    assert list(verdicts.values()) == ["missed", "near", "reproduced", "reproduced", "reproduced", "near", "missed"]
    assert reproduce.verdict(published.find("d2l-numpy"), None) == "not run yet"
    plotted = published.find("d2l-1.0-resnet18")  # no number: what counts is the verdict on what the text says
    assert reproduce.verdict(plotted, None) == "not run yet" and reproduce.verdict(plotted, content()) == "reproduced"
    assert "what its text says: missed" in reproduce.position(plotted, {**content(), "verdict": "miss"})
    erasing = published.find("random-erasing-resnet-20")
    assert reproduce.verdict(erasing, None).startswith("not checkable: 300 epochs, on the first files")
    table = reproduce.listing([published.find("d2l-numpy"), erasing], {"fashion_mnist_resnet18": content()})
    assert list(table["verdict"])[0] == "near" and list(table["test acc"]) == ["0.922", "0.9598"]
    broken = content()
    next(iter(next(iter(broken["arms"].values())).values()))["test_acc"] = None
    assert reproduce.verdict(published.find("d2l-numpy"), broken) == "missed"
