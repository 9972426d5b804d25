"""Each option of a recipe by itself: stopped and resumed, a run ends bit for bit as one that never stopped."""

import gluon_resnet as gr
from gluon_resnet.training import loop, precision
from gluon_resnet.training.precision import LossScale
from gluon_resnet.training.recipe import Recipe

import mxnet as mx
import pytest

from tests.training import test_recipe
from tests.training.test_recipe import run, values

pytestmark = pytest.mark.faults

OPTIONS = [
    {"accumulate": 4},  # of 6 batches: the second update of an epoch is of 2
    {"ema": 0.9},
    {"mixup": 0.4},
    {"cutmix": 1.0},
    {"mixup": 0.4, "cutmix": 1.0},
    {"fmix": 1.0},
    {"erase": 0.5, "cutout": 8},
    {"schedule": "onecycle"},
    {"schedule": "step", "step_epochs": (0.5, 1.5)},
    {"schedule": "cosine", "warmup_epochs": 0.5},
    {"schedule": "poly"},
    {"label_smoothing": 0.1},
    {"clip": 0.1},
    {"momentum": 0.9, "weight_decay": 0.01, "decay_all": True},
    {"optimizer": "nag", "momentum": 0.9},
    {"optimizer": "adam"},
    {"optimizer": "adamw", "weight_decay": 0.01},
    {"optimizer": "lamb"},
    {"optimizer": "muon", "momentum": 0.9, "muon_lr": 0.5, "weight_decay": 0.01},
    {"bias_lr": 8.0, "momentum": 0.9},
    {"lookahead": 3},
    {"lookahead": 2, "lookahead_share": 0.8, "ema": 0.9, "optimizer": "nag", "momentum": 0.9},
    {"dirac": True, "zero_gamma": True},
    {"whiten_batches": 2},
    {"freeze_stages": 2},
    {"freeze_norm": True},
    {"head_lr": 3.0},
    {"norm_batches": 3},
    {"winograd": False},
    {"test_views": 2},
    {"patience": 1, "patience_metric": "test_loss"},
]


def assert_resumed_is_whole(folder, settings, stops=(2, 5, 9)):
    made = Recipe(**settings)
    whole, expected = run(None, made)
    whole = values(whole)
    for stop_after in stops:
        _, part = run(folder / str(stop_after), made, stop_after)
        assert part.stopped
        again, result = run(folder / str(stop_after), made, resume=True)
        found = values(again)
        assert all((whole[name] == found[name]).all() for name in whole), stop_after
        assert [(r.loss, r.train_acc, r.test_acc, r.test_loss) for r in result.epochs] == [
            (r.loss, r.train_acc, r.test_acc, r.test_loss) for r in expected.epochs
        ]


@pytest.fixture
def folder(tmp_path):
    """Where each stop has a folder of its own."""
    for stop_after in (2, 5, 9):
        (tmp_path / str(stop_after)).mkdir()
    return tmp_path


@pytest.mark.parametrize("settings", OPTIONS, ids=lambda settings: ", ".join(settings))
def test_an_option(np_mode, folder, settings):
    assert_resumed_is_whole(folder, settings)


class Scale(LossScale):
    """Doubles after two updates, and once meets a gradient that is not finite, as float16's does now and then."""

    patience = 2

    def accept(self, gradients):
        return super().accept([mx.np.array([float("inf")])] if self.factor == 2.0**18 and self.good else gradients)


def test_the_scale_of_float16(np_mode, folder, monkeypatch):
    """On a CPU the network itself stays float32: the scale is what a checkpoint has to keep."""
    monkeypatch.setattr(loop, "make_loss_scale", lambda net: Scale())
    assert_resumed_is_whole(folder, {"momentum": 0.9})


@pytest.mark.skipif(not precision.is_native(), reason="this processor does not multiply bfloat16")
def test_bfloat16(np_mode, folder, monkeypatch):
    def small_resnet():
        net = gr.get_model("resnet8@narrow")
        gr.set_precision(net, "bfloat16")
        return net

    monkeypatch.setattr(test_recipe, "small_resnet", small_resnet)
    assert_resumed_is_whole(folder, {"momentum": 0.9})
