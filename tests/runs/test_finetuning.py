"""Fine-tuning by one option: its settings, each of which can be overridden, and the networks and files it takes."""

import json
import shutil

import gluon_resnet as gr
from gluon_resnet.runs import finetuning
from gluon_resnet.weights.export import export

import mxnet as mx
import numpy
import pytest
from PIL import Image
from safetensors.numpy import load_file

CIFAR = "cifar_resnet20:B"  # which torchvision's names can tell from other networks


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A folder with photos/, 2 classes x 5 images, and random weights of 10 classes: cifar.safetensors, grey.params."""
    folder, random = tmp_path_factory.mktemp("finetuning"), numpy.random.RandomState(0)
    for c, name in enumerate(("auk", "coot")):
        (folder / "photos" / name).mkdir(parents=True)
        for i in range(5):
            image = random.randint(0, 80, (40, 40, 3))
            image[:, :, c] += 120
            Image.fromarray(image.astype("uint8")).save(folder / "photos" / name / f"{i}.png")
    for name, channels, file in ((CIFAR, 3, "cifar.safetensors"), ("resnet8@narrow", 1, "grey.params")):
        net = gr.get_model(name)
        net.initialize(mx.init.Xavier())
        net(mx.nd.zeros((1, channels, 32, 32)))
        if file.endswith(".params"):
            net.save_parameters(str(folder / file))
        else:
            export(net, folder / file)
    (folder / "run").mkdir()
    shutil.copy(folder / "grey.params", folder / "run" / "net.params")
    (folder / "bare.csv").write_text("path\nphotos/auk/0.png\n")
    return folder


def test_one_option_trains_the_last_stage_and_a_new_head_of_the_file(here, run_cli, tmp_path):
    words = ("photos", "--finetune", "cifar.safetensors", "--epochs", 1)
    done = run_cli("train", "pictures", *words, "--out", tmp_path / "run", cwd=here)
    assert done.returncode == 0, done.stderr
    config = json.loads((tmp_path / "run" / "config.json").read_text())["config"]
    assert (
        f"from trained weights: model={CIFAR}, weights=cifar.safetensors, new_head=true, optimizer=sgd, "
        "lr=0.001, momentum=0.9, schedule=cosine, head_lr=10.0, epochs=1, freeze_norm=true, freeze_stages=3, "
        "crop=true, flip=0.5, image_size=32, batch_size=8"
    ) in done.stdout.splitlines()
    assert config["model"] == CIFAR and config["flip"] == 0.5 and config["freeze_stages"] == 3
    before = load_file(str(here / "cifar.safetensors"))
    assert run_cli("export", "--run", tmp_path / "run", "--out", tmp_path / "tuned.safetensors").returncode == 0
    after = load_file(str(tmp_path / "tuned.safetensors"))
    same = {name for name in before if before[name].shape == after[name].shape and (before[name] == after[name]).all()}
    learned = {name for name in set(before) - same}
    assert {name.partition(".")[0] for name in learned} == {"layer3", "fc"}
    assert not any("bn" in name or "running" in name for name in learned)
    assert before["fc.weight"].shape == (10, 64) and after["fc.weight"].shape == (2, 64)


CHANGES = {
    "optimizer": "nag",
    "lr": 0.5,
    "momentum": 0.25,
    "schedule": "poly",
    "head_lr": 3.0,
    "epochs": 2,
    "freeze_norm": False,
    "freeze_stages": 0,
    "crop": False,
    "flip": 0.0,
    "new_head": False,
    "image_size": 64,
    "model": CIFAR,
}


def test_each_setting_can_be_overridden_and_leaves_the_others(here, tmp_path):
    file = str(here / "cifar.safetensors")
    usual = finetuning.load(file, {"data": "photos"})
    assert set(finetuning.DEFAULTS) <= set(CHANGES)
    for name, value in CHANGES.items():
        (tmp_path / "run.yaml").write_text(f"{name}: {json.dumps(value)}\n")
        for words in (
            ({name: value}, None, ()),
            ({}, tmp_path / "run.yaml", ()),
            ({}, None, (f"{name}={json.dumps(value)}",)),
        ):
            config = finetuning.load(file, {"data": "photos", **words[0]}, *words[1:])
            assert getattr(config, name) == value
            others = {other: kept for other, kept in vars(usual).items() if other != name}
            assert {other: kept for other, kept in vars(config).items() if other != name} == others
            config.check()


def test_an_optimizer_without_momentum_has_a_rate_of_its_own(here):
    config = finetuning.load(str(here / "cifar.safetensors"), {"optimizer": "adam"})
    config.check()
    assert (config.momentum, config.lr, config.head_lr) == (0.0, 1e-4, 10.0)


@pytest.mark.parametrize(
    "name, model, expected",
    [
        ("resnet18", None, ("resnet18@torchvision", "imagenet:tv")),
        ("resnet50", None, ("resnet50@torchvision", "imagenet:tv2")),
        ("resnet50:a1", None, ("resnet50@torchvision", "imagenet:a1")),
        ("resnet50@keras", None, ("resnet50@keras", "imagenet:keras")),
        ("ResNet34@mxnet", None, ("resnet34@mxnet", "imagenet:mxnet")),
        ("imagenet", None, ("resnet50@torchvision", "imagenet:tv2")),
        ("a2", "resnet18", ("resnet18@torchvision", "imagenet:a2")),
        ("resnet18", "resnet18@torchvision", ("resnet18@torchvision", "imagenet:tv")),
        ("resnet50", "resnet50@keras", ("resnet50@keras", "imagenet:keras")),
        ("resnet50@v2", "resnet50", ("resnet50@v2", "imagenet:mxnet")),
    ],
)
def test_names_are_those_of_the_table_of_published_weights(name, model, expected):
    assert tuple(finetuning.network(name, model).values()) == expected
    config = finetuning.load(name, {"model": model} if model else {})
    assert (config.image_size, config.weights) == (224, expected[1])


@pytest.mark.parametrize(
    "words, expected",
    [
        (
            ("resnet81",),
            "resnet81: neither a file nor a network with published weights: did you mean resnet18? expected",
        ),
        (("resnet50@keros",), "did you mean resnet50@keras? expected a file of weights, or resnet18, resnet34"),
        (("none.pth",), "none.pth: neither a file nor a network with published weights: expected a file"),
        (("resnet50:a9",), "no tag of resnet50: "),
        (("resnet50@slim",), "no published weights of resnet50@slim are known"),
        (("run",), "run: a folder: expected a file of weights, such as net.params in the folder of a run"),
        (("bare.csv",), "bare.csv: not a weight file"),
        (("grey.params",), "grey.params: its first convolution takes 1 channel: expected 3"),
        (
            ("cifar.safetensors", "--model", "resnet18"),
            "holds cifar_resnet20:B: expected resnet18; leave --model out, or",
        ),
        (("resnet18", "--model", "resnet50"), "resnet18: another network than --model resnet50: leave --model out"),
        (("resnet18", "--weights", "x.pth"), "weights is 'x.pth': --finetune resnet18 names others: leave one of them"),
        (("resnet18", "--set", "weights=y"), "weights is 'y': --finetune resnet18 names others: leave one of them out"),
        (("resnet18", "--resume", "run"), "--resume takes the run's own settings: leave out finetune, path"),
        (("resnet18", "--set", "flap=1"), "unknown setting 'flap': did you mean flip?"),
        (("cifar.safetensors", "--set", "new_head=false"), "its head has 10 classes, the network 2"),
    ],
)
def test_refusals(here, refusal, tmp_path, monkeypatch, words, expected):
    monkeypatch.chdir(here)
    out = () if "--resume" in words else ("--out", tmp_path / "out")
    assert expected in refusal("train", "pictures", "photos", "--finetune", *words, *out)
    assert not (tmp_path / "out").exists()


def test_a_csv_without_labels_is_one_line(here, refusal, monkeypatch, tmp_path):
    monkeypatch.chdir(here)
    line = refusal("train", "pictures", "bare.csv", "--finetune", "cifar.safetensors", "--out", tmp_path / "out")
    assert line.startswith("gluon-resnet: bare.csv: ") and not (tmp_path / "out").exists()
