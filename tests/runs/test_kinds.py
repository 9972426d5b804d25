"""The kinds of runs: each told by its name in config.json, runs of before there were names, and a third kind."""

import json
import shutil

from gluon_resnet.data.images import Preparation
from gluon_resnet.errors import RunError
from gluon_resnet.networks.models import build
from gluon_resnet.report import page
from gluon_resnet.runs import kinds
from gluon_resnet.runs import table as run_table
from gluon_resnet.runs.kinds import FASHION_MNIST, PICTURES
from gluon_resnet.runs.launch import resume
from gluon_resnet.runs.network import network_of_run

import mxnet as mx
import pytest

from tests.conftest import ROOT

#: one run of each kind, made with commit b2db5e9, before config.json named the kind; without parameters and curves
OLD = ROOT / "tests" / "fixtures" / "runs"


@pytest.fixture(params=[FASHION_MNIST, PICTURES], ids=lambda kind: kind.name)
def old(request, tmp_path):
    """(kind, folder) of an old run, in a folder of the test's own."""
    shutil.copytree(str(OLD / request.param.name), str(tmp_path / "run"))
    assert "kind" not in json.loads((tmp_path / "run" / "config.json").read_text())
    return request.param, tmp_path / "run"


def test_an_old_run_is_listed_shown_and_reported(old, tmp_path):
    kind, folder = old
    run = run_table.read_run(folder)
    assert run.kind is kind and type(run.config) is kind.config
    row = run_table.list_table([run]).iloc[0]
    assert (row["model"], row["data"], row["epochs"], row["status"]) == {
        "fashion-mnist": ("resnet8@narrow", "Fashion-MNIST", 2, "finished"),
        "pictures": ("resnet18@d2l", "birds", 2, "finished"),
    }[kind.name]
    shown = dict(run_table.show_table(run)[["name", "value"]].values)
    assert shown["batch_size"] == {"fashion-mnist": "16", "pictures": "4"}[kind.name]
    page.write(folder, tmp_path / "report.html")
    assert row["model"] in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_network_of_an_old_run_is_read(old):
    kind, folder = old
    spec = run_table.read_run(folder).spec
    net = build(spec)
    net.initialize()
    side = kind.side(run_table.read_run(folder).config)
    net(mx.nd.zeros((1, kind.in_channels, side, side)))
    net.save_parameters(str(folder / "net.params"))
    run = network_of_run(folder)
    names = {"fashion-mnist": 10, "pictures": 2}
    assert run.kind is kind and len(run.class_names) == spec.num_classes == names[kind.name]
    assert (run.in_channels, run.image_size) == {"fashion-mnist": (1, 28), "pictures": (3, 32)}[kind.name]
    assert isinstance(run.preparation, Preparation) and run.preparation.crop == side
    # it was read before there was a faster way, and its command says so from now on
    assert run.preparation.reading == "exact" and (kind is FASHION_MNIST or "reading=exact" in run.config.command())
    assert PICTURES.config().reading == "fast"


def test_the_classes_of_unverified_images_have_numbers():
    """Digits in the format of Fashion-MNIST are not clothes."""
    digits = FASHION_MNIST.class_names({"config": {"verify": False}})
    assert digits == ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
    for written in ({"config": {"verify": True}}, {"config": {}}):
        names = FASHION_MNIST.class_names(written)
        assert len(names) == 10 and names[0] == "t-shirt" and names[9] == "ankle boot"


def test_an_old_run_without_a_setting_that_its_version_lacked_has_the_recipes_default(old):
    kind, folder = old
    content = json.loads((folder / "config.json").read_text())
    del content["config"]["norm_batches"]
    (folder / "config.json").write_text(json.dumps(content))
    assert run_table.read_run(folder).config.norm_batches == 0  # a recipe's, not the 20 of train fashion-mnist


def test_an_unknown_kind_is_one_line(old):
    _, folder = old
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**content, "kind": "sounds"}))
    with pytest.raises(
        RunError, match=r"config.json: kind 'sounds': expected one of fashion-mnist, pictures; the run is"
    ):
        run_table.read_run(folder)


def test_a_run_of_another_kind_is_not_resumed(old):
    kind, folder = old
    other = PICTURES if kind is FASHION_MNIST else FASHION_MNIST
    with pytest.raises(RunError, match=f"another kind, {kind.name}: resume it with: gluon-resnet train --resume"):
        resume(other, folder)


def test_a_third_kind_is_an_object_in_the_table_of_kinds(old, monkeypatch):
    _, folder = old

    class Digits(kinds.FashionMnist):
        """Runs on handwritten digits."""

        def data_name(self, config):
            return "digits"

    content = json.loads((OLD / "fashion-mnist" / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**content, "kind": "digits"}))
    monkeypatch.setattr(kinds, "KINDS", [*kinds.KINDS, Digits("digits", kinds.FashionMnistConfig, 1, "nowhere")])
    assert run_table.list_table([run_table.read_run(folder)])["data"].tolist() == ["digits"]
