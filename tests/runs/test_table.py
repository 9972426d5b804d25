"""Run folders listed, shown and compared; damaged ones do not stop the others."""

import csv
import io
import json
import shlex
from dataclasses import asdict

from gluon_resnet import files
from gluon_resnet.errors import RunError
from gluon_resnet.networks.specs import parse_model
from gluon_resnet.runs import config
from gluon_resnet.runs import folder as runs
from gluon_resnet.runs import table as run_table
from gluon_resnet.runs.fashion_mnist import FashionMnistConfig
from gluon_resnet.runs.pictures import PicturesConfig

import pandas as pd
import pytest
from PIL import Image

RESULT = {
    "status": "finished",
    "epochs": 2,
    "loss": 0.5,
    "train_acc": 0.8,
    "test_acc": 0.75,
    "test_loss": 0.7,
    "best_test_acc": 0.77,
    "examples_per_sec": 100.0,
    "train_seconds": 3600.0,
    "test_seconds": 61.0,
    "device": "cpu(0)",
    "problem": None,
}


def row(epoch, loss, test_acc):
    return {
        "epoch": epoch,
        "batch": 4,
        "position": float(epoch),
        "examples": 40 * epoch,
        "loss": loss,
        "train_acc": 0.8,
        "test_acc": test_acc,
        "test_loss": None if test_acc is None else 1 - test_acc,
        "seconds": 1.0,
        "wait_seconds": 0.0,
        "test_seconds": 0.1,
        "examples_per_sec": 90.0,
    }


def make_run(path, kind=FashionMnistConfig, result=RESULT, **settings):
    """A run folder as training leaves it, without the training."""
    made = config.make(kind, {"epochs": 2, **settings})
    content = {
        "command": made.command(),
        "title": f"a run at {made.lr}",
        "config": asdict(made),
        "network": asdict(parse_model(made.model, 3)),
        "data": "somewhere",
    }
    if kind is PicturesConfig:
        content["class_names"] = ["a", "b", "c"]
    folder = runs.RunFolder(path, content)
    folder.history.rows = [row(1, 0.9, 0.6), row(2, 0.5, 0.75)]
    folder.save_history()
    if result:
        files.write_json(path / "result.json", result)
    return path


def without_test_loss(path):
    """Make of the run folder ``path`` one of the versions that computed no test loss."""
    history = pd.read_csv(path / "history.csv")
    history.drop(columns="test_loss").to_csv(path / "history.csv", index=False)
    result = json.loads((path / "result.json").read_text())
    del result["test_loss"]
    files.write_json(path / "result.json", result)


@pytest.fixture
def some(tmp_path):
    """Three runs, one of them not finished, and two damaged ones, beside a folder that is none."""
    there = tmp_path / "runs"
    make_run(there / "one", lr=0.1)
    make_run(there / "three", PicturesConfig, data="photos/birds", model="resnet50@keras", flip=0.5)
    make_run(there / "two", result=None, momentum=0.9)
    (make_run(there / "broken") / "result.json").write_text("{")
    (make_run(there / "headless") / "config.json").unlink()
    (there / "notes").mkdir()
    return there


def test_the_list_fits_a_terminal(some, run_cli, monkeypatch):
    for name in ("one", "two", "three"):
        (some / name).rename(some / f"20261128-103301-{name}-resnet18@d2l-fashion-mnist")
    whole = run_cli("runs", "list", some)
    assert max(map(len, whole.stdout.splitlines())) > 130 and "left out" not in whole.stderr
    narrow = "data, model, best, train acc, ex/s"
    for width, left_out in ((80, f"{narrow}, loss, time, epochs"), (100, narrow), (200, None)):
        monkeypatch.setattr("gluon_resnet.text.terminal_width", lambda stream=None, width=width: width)
        done = run_cli("runs", "list", some)
        assert max(map(len, done.stdout.splitlines())) <= width
        assert ("left out for want of room" in done.stderr) == bool(left_out)
        if left_out:
            assert f"left out for want of room: {left_out}; --format csv has them" in " ".join(done.stderr.split())


def test_list_has_every_run_and_names_the_damaged(some):
    found, problems = run_table.read_runs([some])
    table = run_table.list_table(found).set_index("name")
    assert table.index.tolist() == ["one", "three", "two"]
    assert table["model"].tolist() == ["resnet18@d2l", "resnet50@keras", "resnet18@d2l"]
    assert table["data"].tolist() == ["Fashion-MNIST", "birds", "Fashion-MNIST"]
    assert table["status"].tolist() == ["finished", "finished", "unfinished"]
    assert table["best_test_acc"].tolist() == [0.77, 0.77, 0.75]  # of the unfinished run from its history
    assert table["seconds"].iloc[0] == 3661 and pd.isna(table["seconds"].iloc[2])
    assert len(problems) == 2
    assert "broken" in problems[0] and "damaged" in problems[0] and "headless" in problems[1]
    (some / "two" / "checkpoint.npz").write_bytes(b"")
    assert run_table.read_run(some / "two").status == "unfinished, can be resumed"


def test_list_from_the_command_line(some, run_cli):
    done = run_cli("runs", "list", cwd=some.parent)
    assert done.returncode == 0, done.stderr
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["damaged", "damaged"]
    lines = {line.split()[0]: line for line in done.stdout.splitlines()[2:]}
    assert sorted(lines) == ["one", "three", "two"]
    assert "2/2" in lines["one"] and "0.770" in lines["one"] and lines["one"].split()[-1] == "1:01:01"
    as_csv = run_cli("runs", "list", some / "one", some / "three", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(as_csv.stdout)))
    assert [one["name"] for one in rows] == ["one", "three"] and float(rows[0]["test_acc"]) == 0.75


def test_show_has_what_is_not_the_default_and_the_command(some, run_cli):
    table = run_table.show_table(run_table.read_run(some / "three"))
    sections = {name: dict(zip(part["name"], part["value"])) for name, part in table.groupby("section")}
    assert sections["settings that are not the default"] == {"data": "photos/birds", "epochs": "2", "flip": "0.5"}
    assert sections["result"]["test_acc"] == "0.75" and sections["environment"]["versions.mxnet"] == "1.9.1"
    words = shlex.split(sections["to make it again"]["command"])
    assert words[:3] == ["gluon-resnet", "train", "pictures"] and "flip=0.5" in words
    done = run_cli("runs", "show", some / "two")
    assert done.returncode == 0 and "momentum" in done.stdout and "none yet" in done.stdout


def test_compare_shows_the_settings_that_differ_and_all_results(some):
    found = [run_table.read_run(some / name) for name in ("one", "two")]
    table = run_table.compare_table(found)
    settings = table[table["section"] == "setting"].set_index("name")[["one", "two"]]
    assert settings.T.to_dict("list") == {"lr": ["0.1", "0.05"], "momentum": ["0", "0.9"]}
    results = table[table["section"] == "result"].set_index("name")
    assert set(results.index) == set(run_table.RESULTS)
    assert results.loc["test_acc", ["one", "two"]].tolist() == ["0.75", ""]
    assert results.loc["test_loss", ["one", "two"]].tolist() == ["0.7", ""]
    assert results.loc["status", "two"] == "unfinished"
    assert not (table["section"] == "machine").any()  # both ran here


def test_runs_of_both_kinds_compare_by_what_they_share(some):
    table = run_table.compare_table([run_table.read_run(some / name) for name in ("one", "three")]).set_index("name")
    assert table.loc["network", ["one", "three"]].tolist() == ["resnet18@d2l", "resnet50@keras"]
    assert table.loc["flip", ["one", "three"]].tolist() == ["False", "0.5"] and "saturation" not in table.index


def test_compare_from_the_command_line_draws_the_curves(some, tmp_path, run_cli):
    done = run_cli("runs", "compare", some / "one", some / "two", "--save", tmp_path / "both.png")
    assert done.returncode == 0, done.stderr
    assert "momentum" in done.stdout and Image.open(tmp_path / "both.png").size[0] > 800
    as_csv = run_cli("runs", "compare", some / "one", some / "two", "--format", "csv")
    assert next(csv.reader(io.StringIO(as_csv.stdout))) == ["section", "name", "one", "two"]


def test_the_curves_are_the_histories(some):
    from gluon_resnet.evaluation.plots import draw_runs

    found = [run_table.read_run(some / name) for name in ("one", "two")]
    left, right = draw_runs(run_table.histories(found)).axes
    assert [line.get_ydata().tolist() for line in left.lines] == [[0.9, 0.5]] * 2
    assert [line.get_ydata().tolist() for line in right.lines] == [[0.6, 0.75]] * 2
    found[1].history.drop(found[1].history.index, inplace=True)
    with pytest.raises(RunError, match="no history yet"):
        run_table.histories(found)


def test_a_run_without_test_losses_is_read(some, run_cli):
    """As older versions of the suite wrote it: no such column in history.csv, and no such number in result.json."""
    without_test_loss(some / "one")
    run = run_table.read_run(some / "one")
    assert run.history["test_acc"].tolist() == [0.6, 0.75] and run.history["test_loss"].isna().all()
    assert run_table.list_table([run])["test_acc"].tolist() == [0.75]
    done = run_cli("runs", "compare", some / "one", some / "three", "--format", "csv")
    rows = {row[1]: row[2:] for row in csv.reader(io.StringIO(done.stdout))}
    assert rows["test_loss"] == ["", "0.7"] and rows["test_acc"] == ["0.75", "0.75"]
    assert run_table.so_far(run_table.read_run(some / "two").history)["test_loss"] == 0.25


def test_refusals(some, tmp_path, refusal):
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match="no run folder in it"):
        run_table.read_runs([tmp_path / "empty"])
    with pytest.raises(RunError, match="named twice"):
        run_table.compare_table([run_table.read_run(some / "one")] * 2)
    for words, expected in (
        (("list", tmp_path / "none"), "no such folder"),
        (("show", some / "broken"), "damaged"),
        (("compare", some / "one"), "two or more"),
        (("compare", some / "one", some / "two", "--save", tmp_path / "a.txt"), ".png"),
    ):
        assert expected in refusal("runs", *words), words


def test_damaged_files_of_many_kinds_are_told_in_a_line(some):
    for name, content in (
        ("config.json", "[]"),
        ("config.json", '{"version": 1}'),
        ("config.json", '{"version": 1, "config": {"lr": "x"}}'),
        ("env.json", "3"),
        ("result.json", "{}"),
        ("history.csv", ""),
        ("history.csv", "a,b\n1,2\n"),
    ):
        path = some / "one" / name
        before = path.read_text()
        path.write_text(content)
        with pytest.raises(RunError) as told:
            run_table.read_run(some / "one")
        assert "one" in str(told.value) and "\n" not in str(told.value), (name, content)
        path.write_text(before)
    assert json.loads((some / "one" / "config.json").read_text())["version"] == 1
    assert run_table.read_run(some / "one").status == "finished"


@pytest.mark.parametrize(
    "models",
    [
        ("cifar_resnet20", "cifar_plain20"),
        ("resnet34@d2l", "plain34@d2l"),
        ("resnet34@torchvision", "resnet34@torchvision:A"),
    ],
)
def test_networks_of_one_depth_and_family_keep_their_own_names(tmp_path, models):
    """The arms of an experiment differ in their network alone: compare says so, and list tells them apart."""
    found = [run_table.read_run(make_run(tmp_path / f"run{i}", model=model)) for i, model in enumerate(models)]
    assert tuple(run_table.list_table(found)["model"]) == models
    table = run_table.compare_table(found)
    assert table[table["section"] == "setting"].values.tolist() == [["setting", "network", *models]]
