"""A run as one HTML page: its numbers are those of the run's files, it needs no other file, and all is escaped."""

import csv
import fnmatch
import json
import os
import re
import shutil
import types
from html.parser import HTMLParser

from gluon_resnet.errors import RunError
from gluon_resnet.evaluation import evaluate
from gluon_resnet.evaluation import files as evaluation_files
from gluon_resnet.files import write_json
from gluon_resnet.networks.specs import parse_model
from gluon_resnet.report import page as report
from gluon_resnet.runs import folder as runs
from gluon_resnet.runs import table
from gluon_resnet.runs.config import make
from gluon_resnet.runs.fashion_mnist import FashionMnistConfig, train_fashion_mnist
from gluon_resnet.runs.pictures import PicturesConfig

import mxnet as mx
import numpy
import pandas as pd
import pytest
import tomli
from PIL import Image

from tests.conftest import ROOT, one_line_error, small_arrays, write_idx_folder
from tests.runs.test_table import RESULT, make_run, row, without_test_loss

EVIL = "<script>alert(1)</script>"
SMALL = {"model": "resnet8@narrow", "resize": None}
VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """A parsed page: ``elements``, ``tables`` {caption: rows of cell texts}, ``text`` all its text."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.tables, self.text, self.open, self.rows = [], {}, "", [], None
        self.feed(text)
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.rows, self.caption = [], ""
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        if tag == "table":
            self.tables[self.caption.strip()] = self.rows

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data
        if "caption" in self.open:
            self.caption += data
        elif {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def page(path, **options):
    return Page(report.write(path, **options).read_text(encoding="utf-8"))


def read_csv(path):
    with open(path, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished run of two epochs on small pictures of ten classes, evaluated into its own folder."""
    folder = tmp_path_factory.mktemp("report")
    data = write_idx_folder(folder / "data", small_arrays(320, 100))
    config = make(
        FashionMnistConfig,
        {**SMALL, "data": str(data), "verify": False, "epochs": 2, "batch_size": 32, "momentum": 0.9},
    )
    _, made = train_fashion_mnist(
        config, folder / "run", say=lambda line: None, make_listener=lambda epochs: lambda record: None
    )
    mx.npx.reset_np()
    return made.path


@pytest.fixture(scope="module")
def evaluated(trained, tmp_path_factory):
    """The run with an evaluation in it; made by the command line."""
    path = tmp_path_factory.mktemp("evaluated") / "run"
    shutil.copytree(str(trained), str(path))
    from gluon_resnet.cli import cli

    cli.main(["runs", "report", str(path), "--evaluate"], standalone_mode=False)
    mx.npx.reset_np()
    return path


@pytest.fixture
def copy(evaluated, tmp_path):
    """The evaluated run again, to be damaged; without its page."""
    path = tmp_path / "run"
    shutil.copytree(str(evaluated), str(path))
    (path / "report.html").unlink()
    return path


def judged(path, class_names, run_path):
    """An evaluation folder of random answers of a network with these classes, as evaluate --save writes it."""
    random = numpy.random.RandomState(0)
    y = numpy.arange(3 * len(class_names)) % len(class_names)
    examples = evaluate.Examples(
        f"data of {class_names[0]}",
        [f"{class_names[k]}/{i}.png" for i, k in enumerate(y)],
        ["validation"] * len(y),
        y,
        None,
        lambda i: random.randint(0, 255, (32, 32, 3)).astype("uint8"),
    )
    found = evaluate.judge(examples, random.randn(len(y), len(class_names)).astype("float32"), class_names)
    network = types.SimpleNamespace(
        path=run_path, spec=parse_model(SMALL["model"], len(class_names)), class_names=class_names
    )
    evaluation_files.save(network, examples, found, path, "validation")


def picture_run(path, class_names, **settings):
    """A run folder on pictures of these classes, without the training."""
    made = make_run(path, PicturesConfig, model=SMALL["model"], image_size=32, **settings)
    content = json.loads((made / "config.json").read_text())
    content.update(
        class_names=class_names,
        title=f"a run on {class_names[0]}",
        network={**content["network"], "num_classes": len(class_names)},
    )
    write_json(made / "config.json", content)
    return made


def test_results_are_those_of_the_run_folder(evaluated):
    found = page(evaluated)
    result = json.loads((evaluated / "result.json").read_text())
    for name in ("loss", "train_acc", "test_acc", "test_loss", "best_test_acc"):
        assert f"{result[name]:.3f}" in found.text, name
    assert f"{result['examples_per_sec']:,.1f}" in found.text
    assert f"{result['examples_per_sec_end_to_end']:,.1f}" in found.text
    whole = dict(found.tables["What result.json holds"][1:])
    assert set(whole) == set(result)
    assert float(whole["train_seconds"]) == pytest.approx(result["train_seconds"], rel=1e-5)
    assert "finished" in found.text and "It goes on" not in found.text


def test_epochs_are_those_of_the_history(evaluated):
    rows = page(evaluated).tables["Epoch by epoch"][1:]
    ends = [line for line in read_csv(evaluated / "history.csv") if line["test_acc"]]
    assert [one[0] for one in rows] == [line["epoch"] for line in ends] == ["1", "2"]
    for one, line in zip(rows, ends):
        names = ("loss", "train_acc", "test_acc", "test_loss", "lr", "seconds", "wait_seconds", "test_seconds")
        for text, name in zip(one[1:], (*names, "examples_per_sec")):
            assert float(text.replace(",", "")) == pytest.approx(
                float(line[name]), abs=0.051 if "sec" in name else 5.1e-5
            ), name


def test_settings_command_and_machine_are_those_written(evaluated):
    found = page(evaluated)
    written, env = (json.loads((evaluated / name).read_text()) for name in ("config.json", "env.json"))
    assert written["command"] in found.text and written["title"] in found.text and written["data"] in found.text
    changed = {name: (value, default) for name, value, default in found.tables["Settings that are not the default"][1:]}
    assert changed == {
        "model": ("resnet8@narrow", "resnet18"),
        "resize": ("none", "96"),
        "epochs": ("2", "10"),
        "momentum": ("0.9", "0.0"),
        "batch_size": ("32", "256"),
        "verify": ("false", "true"),
        "data": (written["config"]["data"], "none"),
    }
    assert [name for name, *_ in found.tables["All settings"][1:]] == list(written["config"])
    assert dict(found.tables["versions"]) == env["versions"]
    assert dict(found.tables["threads, variables"]) == env["threads"]["variables"]
    assert dict(found.tables["cpu"])["model"] == env["cpu"]["model"]
    assert dict(found.tables["run"])["started"] == env["started"]
    assert dict(found.tables["run"])["git_commit"] == str(env["git_commit"] or "\N{EN DASH}")


def test_the_evaluation_is_the_one_that_was_saved(evaluated):
    found, folder = page(evaluated), evaluated / "evaluation"
    numbers = json.loads((folder / "metrics.json").read_text())
    assert f"{numbers['top1']:.4f}" in found.text and f"{numbers['ece']:.4f}" in found.text
    classes = [
        [line["class"], *(f"{float(line[name]):.3f}" for name in ("precision", "recall", "f1")), line["support"]]
        for line in read_csv(folder / "classes.csv")
    ]
    assert found.tables["By class"][1:] == classes
    with open(folder / "confusion.csv", newline="") as stream:
        assert [one[1:] for one in found.tables["Pictures by true class (rows) and predicted class (columns)"][1:]] == [
            one[1:] for one in list(csv.reader(stream))[1:]
        ]
    predictions = sorted(read_csv(folder / "predictions.csv"), key=lambda line: -float(line["loss"]))[:12]
    assert [one[0] for one in found.tables["The pictures above"][1:]] == [line["name"] for line in predictions]
    (image,) = found.all("img")
    assert (int(image["width"]), int(image["height"])) == Image.open(folder / "top_losses.png").size
    assert "was not evaluated" not in found.text


def test_the_layers_are_article_001_s_walk(tmp_path):
    found = page(make_run(tmp_path / "run", resize=224))
    rows = next(rows for caption, rows in found.tables.items() if caption.startswith("Shapes of one picture"))
    shapes = {one[0]: one[2].replace(" \N{MULTIPLICATION SIGN} ", ",") for one in rows[1:-1]}
    assert shapes == {
        "conv0": "1,64,112,112",
        "batchnorm0": "1,64,112,112",
        "relu0": "1,64,112,112",
        "pool0": "1,64,56,56",
        "hybridsequential1": "1,64,56,56",
        "hybridsequential2": "1,128,28,28",
        "hybridsequential3": "1,256,14,14",
        "hybridsequential4": "1,512,7,7",
        "pool1": "1,512,1,1",
        "dense0": "1,3",
    }
    # 11,178,378 are published for ten classes; this run has three
    assert int(rows[-1][3].replace(",", "")) == 11_178_378 - 7 * 513
    assert sum(int(one[3].replace(",", "")) for one in rows[1:-1]) == int(rows[-1][3].replace(",", ""))


def test_the_curves_are_the_history_drawn_to_scale(tmp_path):
    path = make_run(tmp_path / "run", **SMALL)
    text = report.write(path).read_text()
    assert (
        len(
            re.findall(
                '<svg role="img" aria-label="Training loss from 0.900 to 0.500, test loss from 0.400 to 0.250', text
            )
        )
        == 1
    )
    accuracies = text[
        text.index('aria-label="Accuracies: train accuracy from 0.800 to 0.800, test accuracy from 0.600 to 0.750') :
    ]
    line = re.search(r'd="M ([\d.]+) ([\d.]+) \s*L ([\d.]+) ([\d.]+) \s*"[^>]*stroke-dasharray', accuracies)
    left, low, right, high = map(float, line.groups())
    ticks = {label: float(y) for y, label in re.findall(r'y="([\d.]+)"[^>]*>(0\.\d+)</text>', accuracies)}
    a, b = sorted(ticks)[0], sorted(ticks)[-1]
    slope = (ticks[a] - ticks[b]) / (float(b) - float(a))  # pixels for an accuracy of 1
    assert (low - high) / slope == pytest.approx(0.15, abs=0.002)  # test accuracy from 0.6 to 0.75
    assert left < right


@pytest.mark.parametrize("rates, curves", [((0.1, 0.05), 3), ((0.1, 0.1), 2), ((None, None), 2)])
def test_learning_rates_are_drawn_if_they_change_and_are_in_the_table(tmp_path, rates, curves):
    path = make_run(tmp_path / "run", **SMALL)
    history = pd.read_csv(path / "history.csv").query("test_acc.notna()")
    history.assign(lr=rates).to_csv(path / "history.csv", index=False)
    found = page(path)
    assert [one[5] for one in found.tables["Epoch by epoch"]] == [
        "learning rate",
        *("\N{EN DASH}" if rate is None else f"{rate:g}" for rate in rates),
    ]
    drawn = [attributes["aria-label"] for attributes in found.all("svg")]
    assert len(drawn) == curves and (curves == 2 or drawn[2] == "Learning rate from 0.1 to 0.05, over 2 epochs")
    assert curves != 2 or rates[0] is None or "epoch (learning rate 0.1)" in found.text


def test_a_run_without_test_losses_has_its_page(tmp_path):
    path = make_run(tmp_path / "run", **SMALL)
    without_test_loss(path)
    found = page(path)
    assert 'aria-label="Training loss from 0.900 to 0.500, over' in (path / "report.html").read_text()
    assert [one[3:5] for one in found.tables["Epoch by epoch"][1:]] == [
        ["0.6000", "\N{EN DASH}"],
        ["0.7500", "\N{EN DASH}"],
    ]


def test_a_page_needs_no_other_file_and_no_script(evaluated):
    text = report.write(evaluated).read_text()
    found = Page(text)
    for _, attributes in found.elements:
        for name, value in attributes.items():
            assert not name.startswith("on"), (name, value)
            if name in ("src", "href", "xlink:href", "srcset", "action", "poster"):
                assert value.startswith(("#", "data:")), (name, value[:80])
    assert not found.all("script") and not found.all("iframe") and not found.all("base")
    assert not re.search(r"@import|url\((?!#)|https?:|//[a-z]+\.", re.sub(r"base64,[\w+/=]+", "", text))


def check_structure(found):
    """What a screen reader and a keyboard need: language, title, headings in order, names, captions, scopes, sizes."""
    assert found.all("html") == [{"lang": "en"}] and len(found.all("h1")) == len(found.all("main")) == 1
    levels = [int(tag[1]) for tag, _ in found.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and all(after <= before + 1 for before, after in zip(levels, levels[1:]))
    ids = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    for tag, attributes in found.elements:
        for name in ("aria-labelledby", "href"):
            target = attributes.get(name, "").replace("#", "")
            assert not target or target.startswith("data:") or target in ids, (tag, name, target)
    tables = [i for i, (tag, _) in enumerate(found.elements) if tag == "table"]
    assert tables and len(found.tables) == len(tables)
    for i in tables:
        box = found.elements[i - 1][1]
        assert box["class"].startswith("scroll") and box["tabindex"] == "0" and box["role"] == "region"
        assert found.elements[i + 1][0] == "caption"
    assert all(attributes["scope"] in ("col", "row") for attributes in found.all("th"))
    assert all(attributes["alt"] and attributes["width"] and attributes["height"] for attributes in found.all("img"))
    assert all(attributes["role"] == "img" and attributes["aria-label"] for attributes in found.all("svg"))


def test_structure(evaluated, tmp_path):
    check_structure(page(evaluated))
    check_structure(page(make_run(tmp_path / "bare", result=None, **SMALL)))


def test_contrast_of_the_colours_is_at_least_4_5():
    text = (ROOT / "gluon_resnet" / "report" / "templates" / "report.css").read_text()
    schemes = [
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))
        for block in re.findall(r":root \{(.*?)\}", text, re.DOTALL)
    ]
    assert len(schemes) == 2 and set(schemes[0]) == set(schemes[1])

    def luminance(colour):  # WCAG 2.1, relative luminance
        parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
        return sum(
            weight * (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4)
            for weight, part in zip((0.2126, 0.7152, 0.0722), parts)
        )

    def contrast(one, other):
        low, high = sorted((luminance(one), luminance(other)))
        return (high + 0.05) / (low + 0.05)

    for colours in schemes:
        for front, ground in [
            (front, ground) for front in ("text", "quiet", "accent") for ground in ("page", "surface")
        ]:
            assert contrast(colours[front], colours[ground]) >= 4.5, (front, ground)
        for name in ("good", "bad", "open"):
            assert contrast(colours[name], colours[f"{name}-ground"]) >= 4.5, name
        heat, surface = ([int(colours[name][i : i + 2], 16) for i in (1, 3, 5)] for name in ("heat", "surface"))
        strongest = "#" + "".join(f"{round(0.6 * a + 0.4 * b):02x}" for a, b in zip(heat, surface))
        assert contrast(colours["text"], strongest) >= 4.5  # the confusion matrix's
        for name in ("series-1", "series-2"):
            assert contrast(colours[name], colours["surface"]) >= 3, name


def test_everything_from_a_run_is_escaped(tmp_path):
    names = [EVIL, '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }} & \N{LATIN SMALL LETTER E WITH ACUTE}\ud8ff"]
    path = picture_run(tmp_path / "<b>run", names, data=f"photos/{EVIL}", weights="</style><script>alert(2)</script>")
    judged(path / "evaluation", names[:2] + ["{{ 7 * 7 }}"], path)
    (path / "env.json").write_text(json.dumps({"started": EVIL, "versions": {EVIL: EVIL}}))
    write_json(path / "result.json", {**RESULT, "status": "diverged", "problem": EVIL, "device": EVIL})
    found = page(path)
    assert not found.all("script") and not found.all("b") and len(found.all("img")) == 1
    assert not any(name.startswith("on") for _, attributes in found.elements for name in attributes)
    assert found.text.count(EVIL) > 10 and "{{ 7 * 7 }} & \N{LATIN SMALL LETTER E WITH ACUTE}?" in found.text
    rows = found.tables["By class"]
    assert [one[0] for one in rows[1:4]] == [*names[:2], "{{ 7 * 7 }}"]
    check_structure(found)


def test_more_than_twenty_classes_have_their_matrix_as_a_picture(tmp_path):
    names = [f"class {i}" for i in range(25)]
    path = picture_run(tmp_path / "run", names, data="photos")
    judged(path / "evaluation", names, path)
    found = page(path)
    assert len(found.all("img")) == 2 and len(found.tables["By class"]) == 1 + 25 + 2
    assert not any(caption.startswith("Pictures by true class") for caption in found.tables)
    check_structure(found)


def test_how_a_run_ended_is_said(tmp_path):
    path = make_run(tmp_path / "my run", result=None, **SMALL)
    text = page(path).text
    assert "unfinished" in text and "nothing to evaluate" in text and "2 of 2" in text and "0.750" in text
    assert "--resume" not in text
    (path / "checkpoint.npz").write_bytes(b"")
    assert f"gluon-resnet train fashion-mnist --resume '{path}'" in page(path).text
    for result, expected in (
        ({"status": "stopped"}, "stopped by Ctrl-C"),
        ({"ended_early": True}, "patience"),
        ({"status": "diverged", "loss": float("nan"), "problem": "loss is nan at batch 3"}, "nan at batch 3"),
    ):
        write_json(path / "result.json", {**RESULT, **result})
        assert expected in page(path).text, result
    write_json(path / "result.json", RESULT)
    (path / "net.params").write_bytes(b"")
    text = page(path).text
    assert f"gluon-resnet runs report '{path}' --evaluate" in text
    assert f"gluon-resnet evaluate '{path}' --save '{path}/evaluation'" in text


def test_a_run_that_has_just_begun(tmp_path):
    path = make_run(tmp_path / "run", result=None, **SMALL)
    (path / "history.csv").unlink()
    found = page(path)
    assert "no history yet" in found.text and not found.all("svg") and "0 of 2" in found.text
    folder = runs.RunFolder.reopen(path)
    folder.history.rows = [{**row(1, 0.9, None), "batch": 3, "position": 0.3, "test_seconds": None}]
    folder.save_history()
    assert page(path).tables["Epoch by epoch"][1][:4] == ["1, up to batch 3", "0.9000", "0.8000", "\N{EN DASH}"]


@pytest.mark.parametrize("loss", ["", "inf"])
def test_a_run_that_diverged_at_once(tmp_path, loss):
    path = make_run(
        tmp_path / "run", result={**RESULT, "status": "diverged", "loss": None, "problem": "loss is nan"}, **SMALL
    )
    lines = (path / "history.csv").read_text().splitlines()
    column = lines[0].split(",").index("loss")
    rows = [[loss if i == column else value for i, value in enumerate(line.split(","))] for line in lines[1:]]
    (path / "history.csv").write_text("\n".join([lines[0], *map(",".join, rows)]))
    found = page(path)
    assert ("Training loss: no number, test loss from" in found.text) == (loss == "") and "diverged" in found.text
    assert found.tables["Epoch by epoch"][1][1] == (loss or "\N{EN DASH}")


def test_an_arm_of_an_experiment_is_told(tmp_path):
    results = json.loads((ROOT / "experiments" / "results" / "speedrun.json").read_text())
    arm = sorted(results["arms"])[0]
    shutil.copy(str(ROOT / "experiments" / "results" / "speedrun.json"), str(tmp_path / "speedrun.json"))
    (tmp_path / "budget.json").write_text("{}")
    text = page(make_run(tmp_path / f"{arm}-seed1", seed=1, **SMALL)).text
    assert f"arm {arm}, seed 1" in text and results["claim"]["statement"] in text and results["command"] in text
    assert "of the experiment" not in page(make_run(tmp_path / "other", seed=1, **SMALL)).text


def test_an_evaluation_elsewhere_is_taken_when_it_is_of_this_run(copy, tmp_path):
    moved = tmp_path / "elsewhere"
    os.rename(str(copy / "evaluation"), str(moved))
    assert "was not evaluated" in page(copy).text
    assert "By class" in page(copy, evaluation=moved).tables
    change(moved / "metrics.json", run="runs/another")
    with pytest.raises(RunError, match="an evaluation of the run runs/another: expected one of .*run; make one with"):
        report.write(copy, evaluation=moved)
    change(moved / "metrics.json", network="resnet18@d2l")
    with pytest.raises(RunError, match="an evaluation of resnet18@d2l: expected one of resnet8@narrow"):
        report.write(copy, evaluation=moved)


def test_parameters_newer_than_the_evaluation_are_told(copy):
    assert "newer than this evaluation" not in page(copy).text
    after = (copy / "evaluation" / "metrics.json").stat().st_mtime + 10
    os.utime(str(copy / "net.params"), (after, after))
    assert "newer than this evaluation" in page(copy).text


def change(path, **changes):
    write_json(path, {**json.loads(path.read_text()), **changes})


def damage_network(path):
    content = json.loads((path / "config.json").read_text())
    change(path / "config.json", network={**content["network"], "family": "nobody"})


def damage_stages(path):
    content = json.loads((path / "config.json").read_text())
    change(path / "config.json", network={**content["network"], "stage_sizes": ["x"]})


@pytest.mark.parametrize(
    "damage, expected",
    [
        (
            lambda path: (path / "history.csv").write_text((path / "history.csv").read_text().replace("1,", "one,", 1)),
            "history.csv: damaged: line 2: epoch is 'one': expected a whole number",
        ),
        (
            lambda path: (path / "history.csv").write_text(
                "\n".join(re.sub(r"^1,\d+,", "1,,", line) for line in (path / "history.csv").read_text().splitlines())
            ),
            "history.csv: damaged: line 2: batch is 'nan': expected a whole number",
        ),
        (
            lambda path: change(path / "result.json", loss="small"),
            "result.json: damaged: loss is 'small': expected a number",
        ),
        (lambda path: (path / "result.json").write_text("{"), "result.json: damaged"),
        (lambda path: (path / "env.json").unlink(), "env.json: no such file"),
        (damage_network, "config.json: no network that this version knows"),
        (damage_stages, "config.json: a network that cannot be built"),
        (lambda path: (path / "evaluation" / "metrics.json").write_text("[]"), "not an evaluation that can be read"),
        (
            lambda path: change(path / "evaluation" / "metrics.json", confusion=[[1]]),
            "not an evaluation that can be read",
        ),
        (lambda path: change(path / "evaluation" / "metrics.json", loss="x"), "not an evaluation that can be read"),
        (
            lambda path: (path / "evaluation" / "predictions.csv").unlink(),
            "predictions.csv: cannot be read (No such file",
        ),
        (
            lambda path: (path / "evaluation" / "predictions.csv").write_text("name\n1\n"),
            "not an evaluation that can be read",
        ),
        (lambda path: (path / "evaluation" / "top_losses.png").write_bytes(b"\x89PNG\r\n"), "top_losses.png"),
        (
            lambda path: (path / "evaluation" / "top_losses.png").write_bytes(
                (path / "evaluation" / "top_losses.png").read_bytes()[:3000]
            ),
            "top_losses.png",
        ),
    ],
)
def test_what_is_damaged_is_told_in_a_line_and_nothing_is_written(copy, damage, expected):
    damage(copy)
    before = sorted(copy.iterdir())
    with pytest.raises(RunError) as told:
        report.write(copy)
    assert expected in str(told.value) and "\n" not in str(told.value) and str(copy) in str(told.value)
    assert sorted(copy.iterdir()) == before


def test_files_that_cannot_be_written_are_told(copy, tmp_path):
    for out, expected in (
        (tmp_path / "page.txt", "written as .html"),
        (tmp_path / "none" / "page.html", "there is no folder"),
        (tmp_path / "folder.html", "a folder"),
    ):
        (tmp_path / "folder.html").mkdir(exist_ok=True)
        with pytest.raises(RunError, match=expected):
            report.write(copy, out)
    with pytest.raises(RunError, match="no such run folder"):
        report.write(tmp_path / "nowhere")
    with pytest.raises(RunError, match="none.metrics.json: cannot be read"):
        report.write(copy, evaluation=tmp_path / "none")


def test_from_the_command_line(copy, tmp_path, run_cli):
    done = run_cli("runs", "report", copy, "--out", tmp_path / "page.html")
    assert done.returncode == 0 and done.stdout == f"report in {tmp_path / 'page.html'}\n" and done.stderr == ""
    assert (tmp_path / "page.html").read_text() == report.page(table.read_run(copy))
    assert "is there already: leave --evaluate out" in one_line_error(run_cli("runs", "report", copy, "--evaluate"))
    (copy / "result.json").write_text("{")
    assert "result.json: damaged" in one_line_error(run_cli("runs", "report", copy))


def test_evaluating_at_once_gives_what_evaluate_gives(evaluated, trained, tmp_path, run_cli):
    done = run_cli("evaluate", trained, "--save", tmp_path / "evaluation")
    assert done.returncode == 0, done.stderr
    one, other = (json.loads((path / "evaluation" / "metrics.json").read_text()) for path in (tmp_path, evaluated))
    assert one.pop("run") != other.pop("run") and one == other


def test_the_templates_are_installed():
    settings = tomli.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    patterns = settings["package-data"]["gluon_resnet.report"]
    files = [path for path in (ROOT / "gluon_resnet" / "report" / "templates").iterdir()]
    assert len(files) == 6
    for path in files:
        assert any(fnmatch.fnmatch(f"templates/{path.name}", pattern) for pattern in patterns), path
