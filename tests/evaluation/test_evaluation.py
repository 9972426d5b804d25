"""A finished run judged: numbers against counting by hand, maps against CAM's closed form, files, refusals."""

import io
import json
import shutil

from gluon_resnet.data.image_folder import open_folder
from gluon_resnet.data.images import PREPARATIONS
from gluon_resnet.data.pictures import PictureBatches
from gluon_resnet.errors import ConfigError, DataError, RunError, WeightsError
from gluon_resnet.evaluation import evaluate, metrics
from gluon_resnet.evaluation import files as evaluation_files
from gluon_resnet.evaluation.predict import look
from gluon_resnet.files import folder_written_whole
from gluon_resnet.instruments.engines import GluonEngine, make_engine
from gluon_resnet.instruments.gradcam import enlarge, grad_cam
from gluon_resnet.runs.config import make
from gluon_resnet.runs.fashion_mnist import FashionMnistConfig, train_fashion_mnist
from gluon_resnet.runs.kinds import as_tested
from gluon_resnet.runs.network import network_of_run
from gluon_resnet.runs.pictures import PicturesConfig, train_pictures
from gluon_resnet.training import precision

import mxnet as mx
import numpy
import pandas as pd
import pytest
from PIL import Image

from tests.conftest import one_line_error, relative_error, small_arrays, write_idx_folder

SPECIES = ("auk", "bee eater", "coot")
SILENT = {"say": lambda line: None, "make_listener": lambda epochs: lambda record: None}


def bird(random, c):
    """A noisy picture that is bright in channel ``c``."""
    image = random.randint(0, 80, (48, 40, 3))
    image[:, :, c] += 120
    return Image.fromarray(image.astype("uint8"))


def write_birds(folder, count, seed):
    random = numpy.random.RandomState(seed)
    for c, name in enumerate(SPECIES):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            bird(random, c).save(folder / name / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of four epochs on 30 pictures of 3 classes that colours tell apart; it keeps its best parameters, too."""
    folder = tmp_path_factory.mktemp("evaluation")
    config = make(
        PicturesConfig,
        {
            "data": str(write_birds(folder / "photos", 10, 0)),
            "model": "resnet8@narrow",
            "image_size": 32,
            "batch_size": 3,
            "epochs": 4,
            "lr": 0.003,
            "keep_best": True,
        },
    )
    _, made = train_pictures(config, folder / "run", **SILENT)
    mx.npx.reset_np()
    return made.path


@pytest.fixture
def copy(run, tmp_path):
    """The run again, to be damaged."""
    return shutil.copytree(str(run), str(tmp_path / "copy"))


def change_config(path, **changes):
    file = f"{path}/config.json"
    with open(file) as stream:
        content = json.load(stream)
    with open(file, "w") as stream:
        json.dump({**content, **changes}, stream)


def random_answers(count=200, num_classes=7, seed=3):
    random = numpy.random.RandomState(seed)
    y = random.randint(0, num_classes, count)
    logits = random.randn(count, num_classes)
    logits[numpy.arange(count), y] += 1
    return y, logits.astype("float32")


def test_loss_and_accuracies_are_those_counted_by_hand():
    y, logits = random_answers()
    found = metrics.summary(y, logits)
    exponentials = numpy.exp(logits.astype("float64"))
    expected = [-numpy.log(row[label] / row.sum()) for row, label in zip(exponentials, y)]
    assert relative_error(metrics.losses(y, logits), expected) < 1e-12
    assert abs(found["loss"] - sum(expected) / 200) < 1e-12
    ranks = [sum(value > row[label] for value in row) for row, label in zip(logits, y)]
    assert found["top1"] == sum(rank < 1 for rank in ranks) / 200
    assert found["top5"] == sum(rank < 5 for rank in ranks) / 200
    assert 0 < found["top1"] < found["top5"] < 1
    assert metrics.summary(y % 5, logits[:, :5])["top5"] is None


def test_precision_recall_and_f1_are_those_counted_by_hand():
    y, logits = random_answers()
    y_hat, names = logits.argmax(axis=1), list("abcdefg")
    table = metrics.by_class(y, y_hat, names)
    rows = []
    for c in range(7):
        hits = sum((y == c) & (y_hat == c))
        precision, recall = hits / sum(y_hat == c), hits / sum(y == c)
        rows.append((precision, recall, 2 * precision * recall / (precision + recall), sum(y == c)))
    rows = numpy.array(rows)
    assert table["class"].tolist() == names + ["macro mean", "weighted mean"]
    values = table[["precision", "recall", "f1", "support"]].to_numpy()
    assert relative_error(values[:7], rows) < 1e-12
    assert relative_error(values[7, :3], rows[:, :3].mean(axis=0)) < 1e-12
    assert relative_error(values[8, :3], (rows[:, :3] * rows[:, 3:]).sum(axis=0) / 200) < 1e-12
    assert values[7, 3] == values[8, 3] == 200


def test_a_class_that_does_not_occur_has_no_part_in_the_means():
    table = metrics.by_class([0, 0, 1, 1], [0, 1, 1, 1], ["a", "b", "never"]).set_index("class")
    assert table.loc["never"].tolist() == [0, 0, 0, 0]
    assert abs(table.loc["macro mean", "recall"] - 0.75) < 1e-12
    assert abs(table.loc["macro mean", "precision"] - 5 / 6) < 1e-12


def test_confusion_has_true_classes_as_rows_and_the_pairs_come_largest_first():
    table = metrics.confusion([0, 0, 0, 0, 1, 1, 2], [0, 1, 1, 2, 0, 1, 2], ["a", "b", "c"])
    assert table.to_numpy().tolist() == [[1, 2, 1], [1, 1, 0], [0, 0, 1]] and table.index.name == "true"
    pairs = metrics.most_confused(table)
    assert pairs.values.tolist() == [["a", "b", 2, 0.5], ["b", "a", 1, 0.5], ["a", "c", 1, 0.25]]
    assert len(metrics.most_confused(table, 1)) == 1


def test_the_calibration_error_is_the_paper_s_sum_worked_out_on_paper():
    # confidences 0.95 (right), 0.95 (wrong), 0.62 (right), 2/3 (wrong): bins 15, 15, 10, 10
    probabilities = numpy.array([[0.95, 0.05], [0.95, 0.05], [0.38, 0.62], [2 / 3, 1 / 3]])
    table, error = metrics.calibration([0, 1, 1, 1], probabilities)
    assert table["count"].tolist() == [0] * 9 + [2] + [0] * 4 + [2]
    assert table["accuracy"].dropna().tolist() == [0.5, 0.5]
    expected = 2 / 4 * abs(0.5 - (0.62 + 2 / 3) / 2) + 2 / 4 * abs(0.5 - 0.95)
    assert abs(error - expected) < 1e-12
    certain = numpy.array([[1.0, 0.0], [0.0, 1.0]])
    assert metrics.calibration([0, 1], certain)[1] == 0 and metrics.calibration([1, 0], certain)[1] == 1


def test_a_run_has_the_accuracy_that_it_had_in_training(run, np_mode):
    network = network_of_run(run)
    examples = evaluate.open_examples(network)
    found = evaluate.evaluate_run(network, examples)
    result = json.loads((run / "result.json").read_text())
    assert len(examples) == 6 and set(examples.parts) == {"validation"}
    assert found.summary["top1"] == result["test_acc"]
    everything = evaluate.open_examples(network, part="all")
    assert (everything.parts.count("training"), everything.parts.count("validation")) == (24, 6)
    assert sorted(everything.names) == sorted(f"{name}/{i}.png" for name in SPECIES for i in range(10))
    best = evaluate.evaluate_run(network_of_run(run, best=True), examples)
    assert best.summary["top1"] == result["best_test_acc"]


def test_the_network_by_hand_gives_the_same_evaluation(run, np_mode):
    network = network_of_run(run)
    examples = evaluate.open_examples(network, part="all")
    one = evaluate.evaluate_run(network, examples)
    other = evaluate.evaluate_run(network, examples, make_engine("byhand", network.spec, network.params))
    assert (one.predictions["predicted"] == other.predictions["predicted"]).all()
    assert relative_error(one.predictions["loss"], other.predictions["loss"]) < 1e-3


def test_a_mislabelled_picture_has_the_largest_loss(run, tmp_path, np_mode):
    folder = write_birds(tmp_path / "new", 4, 9)
    bird(numpy.random.RandomState(5), 0).save(folder / "coot" / "planted.png")  # an auk
    network = network_of_run(run)
    examples = evaluate.open_examples(network, str(folder))
    found = evaluate.evaluate_run(network, examples)
    worst = found.top_losses().iloc[0]
    assert len(examples) == 13 and worst["name"] == "coot/planted.png" and worst["true"] == "coot"
    assert not worst["right"] and worst["predicted"] == "auk"
    assert found.pairs.values.tolist()[0][:3] == ["coot", "auk", 1]
    assert abs(worst["loss"] + numpy.log(worst["probability_of_true"])) < 1e-9


def test_classes_of_other_data_are_matched_by_name(run, tmp_path, np_mode):
    folder = write_birds(tmp_path / "new", 3, 9)
    shutil.rmtree(str(folder / "auk"))
    (folder / "coot" / "damaged.png").write_bytes(b"no picture")
    network = network_of_run(run)
    examples = evaluate.open_examples(network, str(folder))
    assert examples.y.tolist() == [1, 1, 1, 2, 2, 2]  # the damaged one left out
    (folder / "coot").rename(folder / "dodo")
    with pytest.raises(DataError, match="1 of its 2 classes unknown to the run, such as dodo: expected auk, bee eater"):
        evaluate.open_examples(network, str(folder))


def test_record_files_are_judged_as_the_folder_is(run, tmp_path, np_mode):
    from gluon_resnet.data import record_files

    record_files.pack(write_birds(tmp_path / "new", 3, 9), tmp_path / "packed", record_files.Settings(lossless=True))
    network = network_of_run(run)
    one, other = (
        evaluate.evaluate_run(network, evaluate.open_examples(network, str(tmp_path / name)))
        for name in ("new", "packed.rec")
    )
    assert one.predictions["name"].tolist() == other.predictions["name"].tolist()
    assert one.summary == other.summary


@pytest.mark.parametrize("family", ["torchvision", "keras", "d2l"])
@pytest.mark.parametrize("crop", [False, True])
@pytest.mark.parametrize("reading", ["fast", "exact"])
def test_a_file_is_prepared_for_predict_as_for_the_run_s_tests(family, crop, reading, tmp_path):
    source = open_folder(write_birds(tmp_path / "new", 1, 1))
    batches = PictureBatches(source, 2, 33, preparation=PREPARATIONS[family], crop=crop, reading=reading)
    _, X = look([source.path(i) for i in range(3)], as_tested(family, 33, crop, reading=reading))
    assert (numpy.stack([batches.example(i) for i in range(3)]) == X).all()


def test_fashion_mnist_is_judged_on_its_test_part(tmp_path, np_mode):
    data = write_idx_folder(tmp_path / "data", small_arrays(128, 50))
    config = make(
        FashionMnistConfig,
        {
            "data": str(data),
            "model": "resnet8@narrow",
            "verify": False,
            "resize": None,
            "epochs": 1,
            "batch_size": 32,
            "limit": 96,
        },
    )
    _, made = train_fashion_mnist(config, tmp_path / "run", **SILENT)
    network = network_of_run(made.path)
    examples = evaluate.open_examples(network)
    found = evaluate.evaluate_run(network, examples)
    assert (network.in_channels, network.image_size, len(examples)) == (1, 28, 50)
    assert found.summary["top1"] == json.loads((made.path / "result.json").read_text())["test_acc"]
    assert found.summary["top5"] >= found.summary["top1"] and found.confusion.to_numpy().sum() == 50
    assert len(evaluate.open_examples(network, part="training")) == 96
    assert len(evaluate.open_examples(network, part="all")) == 146
    assert examples.picture(0).shape == (28, 28) and examples.find("00007") == 7
    evaluation_files.save(network, examples, found, tmp_path / "report", cams=["test/00003"])
    assert (tmp_path / "report" / "cam_test_00003.png").exists()


def test_grad_cam_is_the_closed_form_of_cam(run, both_modes):
    network = network_of_run(run)
    X = numpy.random.RandomState(0).randn(3, 3, 96, 64).astype("float32")
    engine = GluonEngine(network.spec, network.params)
    features = make_engine("byhand", network.spec, network.params).activations(X)["5.0"]  # (3, 128, 12, 8)
    for classes in (None, [2, 0, 1]):
        seen = grad_cam(engine.net, X, classes)
        assert seen.classes.tolist() == (classes or engine.logits(X).argmax(axis=1).tolist())
        weights = network.params["7.weight"][seen.classes]  # (3, 128)
        expected = numpy.maximum((weights[:, :, None, None] * features).sum(axis=1), 0) / 96  # (3, 12, 8)
        assert seen.maps.shape == (3, 12, 8) and expected.max() > 0
        assert relative_error(seen.maps, expected) < 1e-4
    with pytest.raises(ConfigError, match="expected 3 whole numbers from 0 to 2"):
        grad_cam(engine.net, X, [0, 1, 3])


def test_a_map_is_enlarged_to_its_largest_value():
    heat = enlarge([[0, 2], [0, 0]], 8, 6)
    assert heat.shape == (8, 6) and heat.max() == 1 and heat.min() == 0 and heat[0, 5] == 1 and (heat[:, 0] == 0).all()
    assert (enlarge(numpy.zeros((2, 2)), 4, 4) == 0).all()


def test_the_folder_of_an_evaluation(run, tmp_path, np_mode):
    network = network_of_run(run)
    examples = evaluate.open_examples(network, part="all")
    found = evaluate.evaluate_run(network, examples)
    files = evaluation_files.save(network, examples, found, tmp_path / "report", "all", ["coot/3.png"], "auk")
    assert files == [
        "cam_coot_3.png",
        "classes.csv",
        "confusion.csv",
        "confusion.png",
        "metrics.json",
        "predictions.csv",
        "predictions.png",
        "reliability.png",
        "top_losses.png",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report"]
    for name in files:
        if name.endswith(".png"):
            assert min(Image.open(tmp_path / "report" / name).convert("RGB").size) > 300
    written = pd.read_csv(tmp_path / "report" / "predictions.csv")
    numbers = json.loads((tmp_path / "report" / "metrics.json").read_text())
    assert len(written) == 30 and written["right"].mean() == numbers["top1"]
    assert abs(written["loss"].mean() - numbers["loss"]) < 1e-5 and numbers["classes"][0]["class"] == "auk"
    confusion = pd.read_csv(tmp_path / "report" / "confusion.csv", index_col="true")
    assert confusion.to_numpy().tolist() == numbers["confusion"]
    assert confusion.to_numpy().trace() == written["right"].sum()
    with pytest.raises(RunError, match="not empty"):
        evaluation_files.save(network, examples, found, tmp_path / "report")


def test_a_folder_that_cannot_be_finished_leaves_nothing(tmp_path, monkeypatch):
    with pytest.raises(RunError, match="cannot be written"), folder_written_whole(tmp_path / "report") as temporary:
        (temporary / "half.txt").write_text("half")
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_runs_that_cannot_be_used_are_told(run, copy, tmp_path):
    for path, problem in ((tmp_path / "none", "no such run folder"), (tmp_path, "not a run folder that can be read")):
        with pytest.raises(RunError, match=problem):
            network_of_run(path)
    change_config(copy, class_names=["auk", "coot"])
    with pytest.raises(RunError, match="2 class names: expected 3"):
        network_of_run(copy)
    change_config(copy, class_names=list(SPECIES), network={"depth": 18})
    with pytest.raises(RunError, match="no network that this version knows"):
        network_of_run(copy)
    shutil.copy(str(run / "config.json"), copy)
    for name, best, problem in (("best.params", True, "keep_best=true"), ("net.params", False, "not finished")):
        (tmp_path / "copy" / name).unlink()
        with pytest.raises(RunError, match=problem):
            network_of_run(copy, best)
    (tmp_path / "copy" / "net.params").write_bytes((run / "net.params").read_bytes()[:5000])
    with pytest.raises(WeightsError, match="the parameters of the run"):
        network_of_run(copy)


def test_names_of_pictures_are_found_by_their_end_where_it_is_one_s(run, np_mode):
    examples = evaluate.open_examples(network_of_run(run), part="all")
    assert examples.names[examples.find("coot/3.png")] == "coot/3.png"
    with pytest.raises(DataError, match="3 pictures are called 3.png, such as"):
        examples.find("3.png")
    with pytest.raises(DataError, match="no picture 77.png: expected a name such as"):
        examples.find("77.png")


def test_evaluate_from_the_command_line(run, tmp_path, run_cli):
    done = run_cli("evaluate", run, "--best", "--format", "json", "--save", tmp_path / "report")
    assert done.returncode == 0, done.stderr
    content = json.loads(done.stdout)
    assert content == json.loads((tmp_path / "report" / "metrics.json").read_text())
    assert content["pictures"] == 6 and content["part"] == "validation"
    assert content["top1"] == json.loads((run / "result.json").read_text())["best_test_acc"]


def test_the_report_for_the_eye_and_as_csv(run):
    from gluon_resnet.commands.evaluation import evaluate

    from click.testing import CliRunner

    text = CliRunner().invoke(evaluate, [str(run), "--part", "all"]).output
    assert "(training+validation): 30 pictures of 3 classes" in text and "largest losses" in text
    assert "top-5" not in text
    table = pd.read_csv(io.StringIO(CliRunner().invoke(evaluate, [str(run), "--format", "csv"]).output))
    mx.npx.reset_np()
    assert table["class"].tolist() == [*SPECIES, "macro mean", "weighted mean"] and table["support"].iloc[-1] == 6


def test_pictures_that_evaluate_leaves_out_are_told(run, tmp_path):
    from gluon_resnet.commands.evaluation import evaluate

    from click.testing import CliRunner

    photos = write_birds(tmp_path / "photos", 3, 5)
    (photos / "coot" / "bad.png").write_bytes(b"")
    for part in ("all", "validation"):
        shown = CliRunner(mix_stderr=False).invoke(evaluate, [str(run), "--data", str(photos), "--part", part])
        mx.npx.reset_np()
        assert shown.exit_code == 0 and "bad.png" not in shown.stdout
        assert shown.stderr.startswith(f"{photos}: 9 of 10 pictures usable; left out: empty file (1)")


@pytest.mark.parametrize("engine", ["int8", "bfloat16"])
def test_evaluate_with_shorter_numbers_is_compared_with_float32(run, run_cli, engine):
    if engine == "bfloat16" and not precision.is_native():
        assert "no avx512_bf16" in one_line_error(run_cli("evaluate", run, "--engine", engine))
        return
    exact = json.loads(run_cli("evaluate", run, "--part", "all", "--format", "json").stdout)
    done = run_cli("evaluate", run, "--part", "all", "--engine", engine, "--format", "json")
    assert done.returncode == 0, done.stderr
    found, total = json.loads(done.stdout), 30
    same = int(done.stderr.split(" of 30 images")[0].rsplit(" ", 1)[1])
    # without VNNI, a line before it says that int8 is not faster
    assert f"engine {engine}: the same class as float32 for {same} of {total} images" in done.stderr
    assert same >= 27 and abs(found["top1"] - exact["top1"]) <= (total - same) / total + 1e-9
    assert found["loss"] == pytest.approx(exact["loss"], abs=0.2) and found["loss"] != exact["loss"]


def test_evaluate_calibrates_on_the_images_that_are_named(run, tmp_path, run_cli):
    photos = write_birds(tmp_path / "photos", 2, 3)
    done = run_cli("evaluate", run, "--engine", "int8", "--calibrate", photos)
    assert done.returncode == 0 and " of 6 images" in done.stderr, done.stderr
    for words, expected in (
        (("--calibrate", photos), "--calibrate goes with --engine int8"),
        (("--engine", "int8", "--calibrate", tmp_path / "none"), "none: no such folder or file"),
    ):
        assert expected in one_line_error(run_cli("evaluate", run, *words))


def test_evaluate_refuses_in_one_line(run, tmp_path, run_cli):
    for words, expected in (
        ((tmp_path / "none",), "no such run folder"),
        ((run, "--cam", "auk/1.png"), "go with --save"),
        ((run, "--save", tmp_path / "r", "--cam", "x.png"), "no picture x.png"),
    ):
        assert expected in one_line_error(run_cli("evaluate", *words)), words
    assert not (tmp_path / "r").exists()


def test_data_that_are_gone_and_unknown_parts_and_classes_are_told(copy, tmp_path, np_mode):
    network = network_of_run(copy)
    examples = evaluate.open_examples(network)
    with pytest.raises(ConfigError, match="class 'dodo': expected one of auk, bee eater, coot"):
        evaluation_files.class_maps(network, examples, 0, "dodo")
    with pytest.raises(ConfigError, match="part is 'test': expected one of validation, training, all"):
        evaluate.open_examples(network, part="test")
    change_config(copy, data=str(tmp_path / "moved away"))
    with pytest.raises(DataError, match="moved or removed; name them with --data"):
        evaluate.open_examples(network_of_run(copy))
    with pytest.raises(DataError, match="no such folder or file: check the name"):
        evaluate.open_examples(network, str(tmp_path / "nothing"))
