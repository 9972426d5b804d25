"""The learning rate finder on losses made up and on a small network; TensorBoard's events read back byte by byte."""

import struct

import gluon_resnet as gr
from gluon_resnet.errors import ConfigError
from gluon_resnet.training import lr_finder
from gluon_resnet.training.progress import Record
from gluon_resnet.training.tensorboard import Events

import mxnet as mx
import numpy
import pandas as pd
import pytest

from tests.conftest import small_arrays
from tests.figures import assert_curves_in_the_frame_and_legends_outside


def test_smoothing_by_hand():
    assert lr_finder.smooth([4, 2]).tolist() == pytest.approx([4, (0.9 * 0.4 + 0.2) / 0.19])


def test_the_steepest_fall_is_found():
    rates = numpy.geomspace(1e-5, 1, 101)
    losses = 2 - numpy.tanh(2 * (numpy.log10(rates) + 2.5)) + 5 * rates**2  # steepest at 10 ** -2.5
    assert lr_finder.suggest(rates, losses) == pytest.approx(10**-2.5, rel=0.1)
    with pytest.raises(ConfigError, match="does not fall"):
        lr_finder.suggest(rates, numpy.arange(101.0))


def test_a_first_loss_that_happens_to_be_large_suggests_nothing():
    """Batches of few images: the average of the first two losses falls faster than training ever does."""
    rates = numpy.geomspace(1e-6, 1, 100)
    falling = 2 - numpy.tanh(2 * (numpy.log10(rates) + 2.5)) + 5 * rates**2
    falling[0] += 3
    assert lr_finder.suggest(rates, lr_finder.smooth(falling)) > 1e-3


def test_losses_of_small_batches_do_not_hide_where_they_fall():
    """Eight images a batch: from one loss to the next the jump is as large as the whole fall."""
    rates = numpy.geomspace(1e-6, 1, 100)
    clean = 1.3 - 0.6 * numpy.tanh(2 * (numpy.log10(rates) + 2.5)) + 50 * rates**2
    for seed in range(5):
        noisy = clean + numpy.random.RandomState(seed).normal(scale=0.4, size=100)
        assert 1e-3 < lr_finder.suggest(rates, lr_finder.smooth(noisy)) < 0.1


def test_on_a_network_it_stops_where_the_loss_blows_up(np_mode):
    (images, labels), _ = small_arrays(train=320)
    gr.seed_everything(0)
    net = gr.get_model("resnet8@narrow")
    found = lr_finder.find_lr(
        net, gr.ArrayBatches(images, labels, 16, shuffle=True), mx.cpu(), low=1e-4, high=100, steps=40
    )
    assert 1e-4 < found.suggestion < 10 and found.table["loss"].min() < found.table["loss"].iloc[0]
    assert found.table["lr"].iloc[0] == pytest.approx(1e-4)
    assert numpy.diff(numpy.log(found.table["lr"])) == pytest.approx(numpy.log(1e6) / 39)
    assert len(lr_finder.draw(found).axes[0].lines) == 3


def test_the_drawing_has_all_of_its_curves_and_nothing_over_them():
    rates = numpy.geomspace(1e-6, 1, 80)
    losses = 2.3 - 1.5 * rates**0.2 + 400 * rates**4  # ends at 200 times its minimum
    losses[::7] *= 0.3
    table = pd.DataFrame({"lr": rates, "loss": losses, "smoothed": lr_finder.smooth(losses)})
    figure = lr_finder.draw(lr_finder.Found(table, 1e-3))
    assert_curves_in_the_frame_and_legends_outside(figure)


def test_events_are_read_back_by_hand(tmp_path):
    from tensorboardX.proto.event_pb2 import Event

    events = Events(tmp_path)
    events(Record(2, 3, 10, 96, 0.5, 0.75, 2.0, 0.5))
    events(Record(2, 10, 10, 320, 0.25, 0.875, 4.0, 0.5, test_acc=0.625, test_seconds=1.0, test_loss=0.375))
    events.close()
    content, found = next(tmp_path.iterdir()).read_bytes(), {}
    while content:
        size = struct.unpack("<Q", content[:8])[0]  # length, its checksum, the event, its checksum
        event = Event.FromString(content[12 : 12 + size])
        content = content[12 + size + 4 :]
        found.update({value.tag: (event.step, value.simple_value) for value in event.summary.value})
    assert found == {
        "loss": (13, 0.5),
        "train_acc": (13, 0.75),
        "examples_per_sec": (13, 64.0),
        "test_acc": (20, 0.625),
        "test_loss": (20, 0.375),
    }


def test_from_the_command_line(tmp_path, small_folder, run_cli):
    common = (
        "train",
        "fashion-mnist",
        "--model",
        "resnet8@narrow",
        "--no-resize",
        "--data",
        small_folder,
        "--unverified",
        "--batch-size",
        16,
        "--limit",
        64,
    )
    found = run_cli(*common, "--find-lr", tmp_path / "lr.png")
    assert found.returncode == 0, found.stderr
    assert "the loss falls fastest at" in found.stdout and (tmp_path / "lr.png").stat().st_size > 5000
    done = run_cli(*common, "--epochs", 1, "--tensorboard", "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "run" / "tensorboard").iterdir())) == 1
