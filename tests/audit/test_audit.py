"""An audit from end to end on small images with planted copies and wrong labels, and results without them."""

import csv
import html.parser
import json
import shutil
from dataclasses import replace

from gluon_resnet import cli, figures
from gluon_resnet.audit import clean, counts, duplicates, files, picture
from gluon_resnet.data.fashion_mnist import LABELS
from gluon_resnet.errors import ConfigError, DataError, RunError
from gluon_resnet.evaluation import evaluate
from gluon_resnet.lab import audit, folds, sweep
from gluon_resnet.lab.clean import clean_accuracy_of_run
from gluon_resnet.report import audit as page
from gluon_resnet.runs.fashion_mnist import FashionMnistConfig, train_fashion_mnist
from gluon_resnet.runs.network import network_of_run
from gluon_resnet.runs.table import read_run
from gluon_resnet.text import count

import mxnet as mx
import numpy
import pytest

from tests.conftest import one_line_error, small_arrays, write_idx_folder

#: {index: wrong label} of the training part and of the test part
WRONG = {40: 3, 111: 9, 322: 0, 555: 1}, {17: 2, 90: 5}
RECIPE = """
CONFIG = {"kind": "fashion-mnist", "arms": {"small": {}, "other": {"lr": 0.2}}, "shared": {"model": "resnet8@narrow",
          "resize": None, "batch_size": 32, "epochs": 3, "lr": 0.1, "momentum": 0.9, "norm_batches": 5}}
CLAIM = {"statement": "none", "source": "nobody", "checks": [{"metric": "test_acc", "arm": "small", "low": 0}]}
"""


def planted():
    """Small arrays with three pairs of copies, one near copy and the labels of WRONG."""
    (images, labels), (test_images, test_labels) = small_arrays()
    images[20] = images[10]
    test_images[33] = images[103]
    test_images[50] = images[200]
    test_images[50, 0, 0] += 7
    test_images[71] = test_images[61]
    for array, wrong in zip((labels, test_labels), WRONG):
        for index, label in wrong.items():
            assert array[index] != label
            array[index] = label
    return (images, labels), (test_images, test_labels)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder of the images, that of their audit with two folds, what was said, and a recipe."""
    folder = tmp_path_factory.mktemp("audit")
    write_idx_folder(folder / "small", planted())
    (folder / "recipe.py").write_text(RECIPE)
    said = []
    request = audit.Request(str(folder / "small"), False, folds=2, recipe=f"{folder / 'recipe.py'}:small")
    found = audit.conduct(request, folder / "made", said.append, lambda epochs: lambda record: None)
    page.write(found, *audit.load(request)[:2])
    mx.npx.reset_np()
    return folder, found, said


@pytest.fixture
def copy(made, tmp_path):
    """The audit again, to be damaged."""
    return shutil.copytree(str(made[1].path), str(tmp_path / "copy"))


@pytest.fixture
def plain_pairs(monkeypatch):
    """An audit has an empty picture as its pairs.png: drawing 80 pairs takes seconds."""
    monkeypatch.setattr(picture, "draw", lambda *args: figures.new_figure(1, 1))


def rows(path):
    with open(path, newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_planted_pairs_are_found(made):
    found = {
        (row["part_a"], row["index_a"], row["part_b"], row["index_b"], row["distance"], row["label_a"], row["label_b"])
        for row in rows(made[1].path / "duplicates.csv")
    }
    assert found == {
        ("train", "10", "train", "20", "0", "0", "0"),
        ("train", "103", "test", "33", "0", "3", "3"),
        ("train", "200", "test", "50", "7", "0", "0"),
        ("test", "61", "test", "71", "0", "1", "1"),
    }
    assert made[1].leaked() == [33, 50]


def test_the_planted_labels_are_doubted(made):
    found = made[1]
    for wrong, part, least in ((WRONG[0], "train", 3), (WRONG[1], "test", 1)):
        # a network that is not sure enough doubts nothing: of the four and the two, one may be missed
        assert len(set(wrong) & set(found.doubted(part))) >= least and len(found.doubted(part)) < 2 * len(wrong) + 5
        for row in rows(found.path / "labels.csv"):
            if row["part"] == part and int(row["index"]) in wrong:
                assert int(row["label"]) == wrong[int(row["index"])]
                assert int(row["prediction"]) == int(row["index"]) % 10  # the label before it was changed
                assert float(row["probability"]) > 0.5 > float(row["probability_of_label"])


def test_the_folds_are_half_each_and_judged_by_the_other_half_as_their_runs_say(made):
    folder, found, said = made
    labels = planted()[0][1]
    held = folds.folds(labels, 2)
    assert sorted(numpy.concatenate(held)) == list(range(640)) and len(held[0]) == 320
    assert abs(numpy.bincount(labels[held[0]]) - numpy.bincount(labels) / 2).max() <= 1
    units = [found.path / "folds" / f"fold{k}-of-2" for k in (1, 2)]
    accuracies = [read_run(unit).result["test_acc"] for unit in units]
    assert found.about["labels"]["accuracy"]["train"] == pytest.approx(numpy.mean(accuracies), abs=0.005)
    assert [read_run(unit).config.seed for unit in units] == [0, 1]
    assert not (found.path / "folds" / "data").exists()
    assert sum(line.startswith("fold ") for line in said) == 2


def test_what_is_done_is_not_done_again_and_labels_can_be_added_later(made, tmp_path, monkeypatch, plain_pairs):
    folder, found, _ = made
    first = audit.Request(str(folder / "small"), False)
    copy, quiet = tmp_path / "later", {"make_listener": lambda epochs: lambda record: None}
    alone = audit.conduct(first, copy, lambda line: None)
    assert alone.labels is None and alone.doubted() == [] and "--folds 5" in counts.lines(alone)[-1]
    before = (copy / "duplicates.csv").stat().st_mtime_ns
    shutil.copytree(str(found.path / "folds"), str(copy / "folds"))
    monkeypatch.setattr(sweep, "train_unit", lambda *args: pytest.fail("trained again"))
    for unit in (copy / "folds").glob("fold*"):  # they were trained in another folder
        content = json.loads((unit / "config.json").read_text())
        content["config"]["data"] = str(copy / "folds" / "data")
        (unit / "config.json").write_text(json.dumps(content))
    request = audit.Request(str(folder / "small"), False, folds=2, recipe=f"{folder / 'recipe.py'}:small")
    added = audit.conduct(request, copy, lambda line: None, **quiet)
    assert (copy / "labels.csv").read_text() == (found.path / "labels.csv").read_text()
    monkeypatch.setattr(folds, "predictions", lambda *args: pytest.fail("predicted again"))
    assert audit.conduct(request, copy, lambda line: None).about == added.about
    assert (copy / "duplicates.csv").stat().st_mtime_ns == before
    (copy / "audit.json").rename(copy.parent / "audit.json")  # as if it was ended in the middle
    shutil.rmtree(copy / "folds"), (copy / "labels.csv").unlink()
    audit.conduct(first, copy, lambda line: None)
    assert (copy / "audit.json").exists() and (copy / "duplicates.csv").stat().st_mtime_ns > before
    (copy.parent / "audit.json").replace(copy / "audit.json"), shutil.copy(found.path / "labels.csv", copy)
    closer = audit.conduct(audit.Request(str(folder / "small"), False, distance=5), copy, lambda line: None)
    assert len(closer.duplicates) == 3 and closer.labels is not None


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text.append(data)


def test_the_page_shows_every_pair_and_doubt_once_and_escapes(made, copy):
    found = made[1]
    parsed = Page((found.path / "index.html").read_text())
    sources = [attributes["src"] for tag, attributes in parsed.tags if tag == "img"]
    assert len(sources) == 1 + 2 * len(found.duplicates) + len(found.labels)
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert not [
        tag for tag, attributes in parsed.tags if tag == "script" or "href" in attributes and "//" in attributes["href"]
    ]
    text = (found.path / "labels.csv").read_text()
    (files.Path(copy) / "labels.csv").write_text(text.replace("test,17,2,", "test,17,<script>x</script>,"))
    evil = page.write(files.read(copy), *planted()).read_text()
    assert "<script" not in evil and "&lt;script&gt;x" in evil


def test_results_without_what_was_found_by_hand(made, tmp_path, run_cli):
    folder, found, _ = made
    config = FashionMnistConfig(
        data=str(folder / "small"), verify=False, model="resnet8@narrow", resize=None, epochs=1, batch_size=32, lr=0.1
    )
    _, run = train_fashion_mnist(
        config, tmp_path / "run", say=lambda line: None, make_listener=lambda n: lambda r: None
    )
    network = network_of_run(run.path)
    right = evaluate.evaluate_run(network, evaluate.open_examples(network)).predictions["right"].to_numpy()
    left = [i for i in range(160) if i not in (33, 50)]
    better = [
        i
        for i in left
        if str(i) not in {row["index"] for row in rows(found.path / "labels.csv") if row["part"] == "test"}
    ]
    done = run_cli("evaluate", run.path, "--clean", found.path, "--format", "json")
    expected = [(160, right.mean()), (158, right[left].mean()), (len(better), right[better].mean())]
    table = json.loads(done.stdout)["clean"]
    assert [row["images"] for row in table] == [images for images, _ in expected]
    assert [row["accuracy"] for row in table] == pytest.approx([accuracy for _, accuracy in expected])
    assert table[1]["test part"] == "without 2 near duplicates of training images"
    assert table[2]["test part"] == f"nor {count(len(found.doubted()), 'image')} with doubted labels"
    mx.npx.set_np()
    assert clean_accuracy_of_run(run.path, found.path).to_dict("records") == table
    shown = run_cli("evaluate", run.path, "--clean", found.path)
    assert "without 2 near duplicates of training images" in shown.stdout and f"{expected[1][1]:.4f}" in shown.stdout
    assert "leave out --part training" in one_line_error(
        run_cli("evaluate", run.path, "--clean", found.path, "--part", "training")
    )
    other = write_idx_folder(tmp_path / "other", small_arrays(40, 160))
    line = one_line_error(run_cli("evaluate", run.path, "--clean", found.path, "--data", other))
    assert "an audit of other images or labels" in line


def test_an_experiment_without_what_was_found(made, tmp_path, run_cli):
    folder, found, _ = made
    recipe = RECIPE.replace('"epochs": 3', '"epochs": 1, "verify": False, "test_views": 2')
    (tmp_path / "mine.py").write_text(recipe.replace(', "other": {"lr": 0.2}', ""))
    words = ("run", tmp_path / "mine.py", "--data", folder / "small", "--seeds", 2, "--out", tmp_path / "runs")
    done = run_cli(*words, "--clean", found.path)
    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / "runs" / "mine.json").read_text())
    assert [part["images"] for part in content["clean"]["parts"]][:2] == [160, 158]
    for seed, metrics in content["arms"]["small"].items():
        every, left, _ = content["clean"]["arms"]["small"][seed]
        assert every == pytest.approx(metrics["views_acc"])  # as training found it, image by image and mirrored
        assert (every * 160 - left * 158) == pytest.approx(round(every * 160 - left * 158), abs=1e-3)
        assert 0 <= round(every * 160 - left * 158) <= 2
    assert "without 2 near duplicates of training images" in done.stdout and "158" in done.stdout
    assert "leave one of the two out" in one_line_error(run_cli(*words, "--clean", found.path, "--hold-out", 50))
    assert "no such folder" in one_line_error(run_cli(*words, "--clean", tmp_path / "none"))
    for name in ("bird_photos_scratch", "depth_cost"):
        line = one_line_error(run_cli("run", name, "--clean", found.path, "--data", folder / "small"))
        assert "--clean: " in line or "--data: " in line


def test_published_counts_are_shown_for_the_published_images_alone(made):
    found = made[1]
    assert "published" not in "\n".join(counts.lines(found)) and "zalando" not in page.page(found, *planted())
    own = replace(found, about={**found.about, "verified": True})
    said, shown = counts.lines(own), page.page(own, *planted())
    assert (
        "0 in the training part" not in said[0] and "published: 43, 1, 10: zalandoresearch/fashion-mnist #44" in said[0]
    )
    assert "published: 64 wrong ones: arXiv 1912.05283" in said[-2] and "<td>43</td>" in shown
    assert said[1] == "near pairs, distance below 250: 0 in the training part, 0 in the test part, 1 across"


def test_a_result_over_no_images():
    about = {"images": {"test": 2}, "limit": None}
    pairs = [["train", 0, "test", 0, 1.0, "a", "a"], ["train", 0, "test", 1, 1.0, "a", "a"]]
    found = files.Audit(files.Path("x"), about, files.pd.DataFrame(pairs, columns=list(files.DUPLICATES)), None)
    table = clean.clean_accuracy([True, False], found)
    assert list(table["images"]) == [2, 0] and table["accuracy"][0] == 0.5 and numpy.isnan(table["accuracy"][1])
    with pytest.raises(DataError, match="an audit of 2 test images: expected one of 3"):
        clean.clean_accuracy([True] * 3, found)


def test_refusals_of_the_command(made, small_folder, tmp_path, run_cli, plain_pairs):
    folder, found, _ = made

    def line(*words):
        return one_line_error(run_cli("audit", "fashion-mnist", *words))

    small = ("--unverified", "--data", small_folder, "--out", tmp_path / "new")
    fast = ("--recipe", f"{folder / 'recipe.py'}:small")
    assert "--unverified goes with --data" in line("--unverified")
    assert "--recipe goes with --folds" in line(*small, "--recipe", "speedrun")
    assert "an experiment of 2 arms: expected one, such as" in line(
        *small, "--folds", 2, "--recipe", folder / "recipe.py"
    )
    assert "no arm 'x'" in line(*small, "--folds", 2, "--recipe", f"{folder / 'recipe.py'}:x")
    assert "did you mean speedrun?" in line(*small, "--folds", 2, "--recipe", "speedrum")
    assert "expected fashion-mnist" in line(*small, "--folds", 2, "--recipe", "bird_photos_scratch")
    assert "class t-shirt has 64 images: expected at least 65" in line(*small, "--folds", 65, *fast)
    assert "expected a time such as" in line(*small, "--folds", 2, *fast, "--budget", "soon")
    assert not (tmp_path / "new").exists()  # all refused before anything is written
    assert "expected a longer" in line(*small, "--folds", 2, *fast, "--budget", "1s")
    assert not (tmp_path / "new" / "folds" / "data").exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    assert "not empty, and no audit" in line(*small[:3], "--out", tmp_path / "full")
    assert "with another --limit" in line(*small, "--limit", 30)
    assert "cannot be written" in line(*small[:3], "--out", tmp_path / "full" / "mine.txt" / "new")
    (images, labels), test = small_arrays(40, 20)
    one = write_idx_folder(tmp_path / "one", ((images, labels * 0 + 3), (test[0], test[1] * 0 + 3)))
    assert f"all 60 images are of one class, {LABELS[3]}" in line(
        "--unverified", "--data", one, "--out", tmp_path / "o"
    )


@pytest.mark.parametrize(
    "name, before, after, expected",
    [
        ("audit.json", '"format": 1', '"format": 7', "version 7: expected 1"),
        ("audit.json", '"digest"', '"digits"', "damaged"),
        ("audit.json", '"verified": false', '"verified": 0', "expected whether"),
        ("audit.json", '"train": 640', '"train": "640"', "expected its numbers of images"),
        ("audit.json", "{", "", "damaged"),
        ("duplicates.csv", "part_a", "part", "columns part"),
        ("duplicates.csv", "train,103", "trial,103", "expected train or test"),
        ("duplicates.csv", "test,33", "test,160", "an image that is not there"),
        ("duplicates.csv", "test,33", "test,x", "invalid literal"),
        ("labels.csv", "test,17,", "test,-17,", "an image that is not there"),
    ],
)
def test_a_damaged_audit_is_one_line(copy, name, before, after, expected):
    file = files.Path(copy) / name
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after, 1))
    with pytest.raises(RunError, match=expected) as caught:
        files.read(copy)
    assert "again" in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_audit_or_file_is_one_line(copy, tmp_path):
    with pytest.raises(RunError, match="no such folder"):
        files.read(tmp_path / "none")
    for name in ("labels.csv", "duplicates.csv", "audit.json"):
        (files.Path(copy) / name).unlink()
        with pytest.raises(RunError, match=rf"{name}: cannot be read.*No such file"):
            files.read(copy)


def test_the_options_have_the_defaults_of_a_request():
    params = {param.name: param for param in cli.cli.commands["audit"].commands["fashion-mnist"].params}
    assert params["distance"].default == audit.Request().distance == duplicates.DISTANCE
    assert f"[default: {audit.Request().recipe}]" in params["recipe"].help


def test_recipes_of_runs(made, tmp_path):
    folder, found, _ = made
    config = folds.recipe(str(found.path / "folds" / "fold2-of-2"))
    assert (config.epochs, config.model, config.data, config.seed) == (3, "resnet8@narrow", None, 0)
    (tmp_path / "w.py").write_text(RECIPE.replace('"lr": 0.1', '"lr": 0.1, "weights": "w.params"'))
    with pytest.raises(ConfigError, match="may know the images of a fold"):
        folds.recipe(f"{tmp_path / 'w.py'}:small")
