"""The loop against d2l's own train_ch6, on small pictures that can be learned, and its clocks against a slow source."""

import contextlib
import hashlib
import io
import math
import os
import re
import signal
import sys
import threading
import time
from functools import partial

import gluon_resnet as gr
from gluon_resnet.errors import ConfigError, DivergedError, ModelError
from gluon_resnet.training import checkpoint, curves
from gluon_resnet.training.history import History

import mxnet as mx
import numpy
import pytest
from matplotlib.figure import Figure
from mxnet import gluon
from mxnet.gluon import nn
from tqdm import tqdm

from tests.conftest import Tty, relative_error, small_arrays, trainable

(TRAIN_IMAGES, TRAIN_LABELS), (TEST_IMAGES, TEST_LABELS) = small_arrays()


def batches(batch_size=64, count=None, shuffle=True, tests=None):
    return (
        gr.ArrayBatches(TRAIN_IMAGES[:count], TRAIN_LABELS[:count], batch_size, shuffle=shuffle),
        gr.ArrayBatches(TEST_IMAGES[:tests], TEST_LABELS[:tests], batch_size),
    )


def small_net(hybrid=True):
    net = nn.HybridSequential() if hybrid else nn.Sequential()
    net.add(nn.Conv2D(8, kernel_size=5, strides=3), nn.BatchNorm(), nn.Activation("relu"), nn.Dense(10))
    return net


def numbers(net):
    return {name: param.data().asnumpy() for name, param in net._collect_params_with_prefix().items()}


def test_a_resnet_learns(both_modes, capsys):
    gr.seed_everything(1)
    result = gr.train_ch6(
        gr.get_model("resnet8@narrow"), *batches(batch_size=16, count=320, tests=80), num_epochs=3, lr=0.05
    )
    assert result.last.test_acc > 0.9 and len(result.epochs) == 3
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"loss \d+\.\d{3}, train acc [01]\.\d{3}, test acc [01]\.\d{3}", lines[-3])
    assert re.fullmatch(r"\d+\.\d examples/sec on cpu\(0\)", lines[-2])
    assert re.fullmatch(
        r"\d+\.\d examples/sec end to end, \d+\.\d% of the time waiting for data(, other .* cores)?", lines[-1]
    )
    assert [line.split(":")[0] for line in lines[:-3]] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]


def test_it_does_what_d2ls_loop_does(np_mode, capsys, monkeypatch):
    """The same network, seed and batches through d2l's train_ch6 and ours: the same parameters and printed figures."""
    from d2l import mxnet as d2l

    monkeypatch.setattr(d2l.Animator, "add", lambda *args: None)  # no drawing
    train_iter, test_iter = (list(part) for part in batches(shuffle=False))
    results = []
    for train in (d2l.train_ch6, gr.train_ch6):
        net = small_net(hybrid=False)
        gr.seed_everything(5)
        train(net, train_iter, test_iter, 2, 0.1, mx.cpu())
        results.append((numbers(net), re.findall(r"^loss .*", capsys.readouterr().out, re.MULTILINE)))
    (theirs, their_line), (ours, our_line) = results
    assert our_line == their_line
    for name, value in theirs.items():
        assert relative_error(ours[name] + 1, value + 1) < 1e-5, name


def test_one_step_of_sgd_by_hand(np_mode):
    """A dense layer: after one batch W must be W0 - lr * mean over the batch of (softmax - onehot) x."""
    net = nn.HybridSequential()
    net.add(nn.Dense(10, use_bias=False))
    train_iter, test_iter = batches(batch_size=640, shuffle=False)
    (X, y), start = next(iter(train_iter)), {}

    class Peek(mx.init.Xavier):
        def _init_weight(self, name, array):
            super()._init_weight(name, array)
            start["W"] = array.asnumpy()

    original = gluon.Block.initialize
    try:
        gluon.Block.initialize = lambda self, init=None, **kwargs: original(self, init=Peek(), **kwargs)
        gr.fit(net, train_iter, test_iter, gr.Recipe(epochs=1, lr=0.5), mx.cpu())
    finally:
        gluon.Block.initialize = original
    x, labels = X.asnumpy().reshape(640, -1).astype("float64"), y.asnumpy()
    scores = x @ start["W"].T.astype("float64")
    softmax = numpy.exp(scores - scores.max(axis=1, keepdims=True))
    softmax /= softmax.sum(axis=1, keepdims=True)
    softmax[numpy.arange(640), labels] -= 1
    expected = start["W"] - 0.5 * softmax.T @ x / 640
    assert relative_error(net[0].weight.data().asnumpy(), expected) < 1e-4


def test_two_runs_with_one_seed_are_bit_equal(np_mode):
    results = []
    for seed in (1, 1, 2):
        gr.seed_everything(seed)
        net = gr.get_model("resnet8@narrow")
        gr.fit(net, *batches(batch_size=16, count=32, tests=16), gr.Recipe(epochs=2, lr=0.05), mx.cpu())
        results.append(numbers(net))
    first, again, other = results
    assert all((first[name] == again[name]).all() for name in first)
    assert any((first[name] != other[name]).any() for name in first)


def test_records_count_everything_once(both_modes):
    records = []
    gr.fit(
        small_net(),
        *batches(batch_size=100),
        gr.Recipe(epochs=2, lr=0.1),
        mx.cpu(),
        gr.Session(listeners=[records.append]),
    )
    ends = [record for record in records if record.test_acc is not None]
    assert [(record.epoch, record.batch, record.examples) for record in ends] == [(1, 7, 640), (2, 7, 640)]
    assert [(record.epoch, record.batch) for record in records if record.test_acc is None] == [
        (epoch, batch) for epoch in (1, 2) for batch in range(1, 8)
    ]
    assert [record.examples for record in records[:7]] == [100, 200, 300, 400, 500, 600, 640]
    assert all(0 <= record.train_acc <= 1 and 0 <= record.wait_seconds <= record.seconds for record in records)
    assert records[6].position == 1.0


def test_evaluate_accuracy_counts_by_hand(both_modes):
    net = nn.HybridSequential()
    net.add(nn.Flatten())  # 28x28 "logits"; pictures whose brightest pixel is the label
    images = numpy.zeros((10, 28, 28), numpy.uint8)
    images[numpy.arange(10), 0, [0, 1, 2, 3, 4, 5, 6, 0, 0, 0]] = 255
    net.add(nn.BatchNorm())
    net.initialize()
    assert gr.evaluate_accuracy(net, gr.ArrayBatches(images, numpy.arange(10), 3), mx.cpu()) == pytest.approx(0.7)


def log_softmax_loss(outputs, labels):
    """Mean softmax cross-entropy in float64, by its definition."""
    outputs = outputs.astype("float64")
    shares = numpy.exp(outputs - outputs.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return -numpy.log(shares[numpy.arange(len(labels)), labels]).mean()


class Counting:
    """Batches that count how many of them are taken."""

    def __init__(self, batches):
        self.batches, self.taken = list(batches), 0

    def __iter__(self):
        for batch in self.batches:
            self.taken += 1
            yield batch


@pytest.mark.parametrize("settings", [{}, {"label_smoothing": 0.3, "ema": 0.5}], ids=["plain", "smoothed labels"])
def test_the_test_loss_is_cross_entropy_from_the_one_pass_over_the_test_data(both_modes, settings):
    """Of all examples alike, the smaller last batch's too; without label smoothing; with the averaged parameters."""
    gr.seed_everything(3)
    net, test_iter = small_net(), Counting(batches()[1])  # 64, 64 and 32 pictures
    result = gr.fit(net, batches()[0], test_iter, gr.Recipe(epochs=2, lr=0.1, **settings), mx.cpu())
    assert test_iter.taken == 2 * 3
    outputs = numpy.concatenate([net(X).asnumpy() for X, _ in test_iter.batches])
    assert result.last.test_loss == pytest.approx(log_softmax_loss(outputs, TEST_LABELS), rel=1e-5)
    assert result.last.test_acc == (outputs.argmax(axis=1) == TEST_LABELS).mean()
    assert result.summary()["test_loss"] == result.last.test_loss != result.epochs[0].test_loss


def test_a_test_loss_that_is_not_finite_is_told(np_mode):
    """Running statistics that are no numbers: training, which does not use them, goes on with a finite loss."""
    net = nn.HybridSequential()
    net.add(nn.Flatten(), nn.BatchNorm(), nn.Dense(10))

    def spoil(record):
        if record.epoch == 2 and record.batch == record.num_batches:
            net[1].running_mean.set_data(net[1].running_mean.data() * math.inf)

    with pytest.raises(DivergedError, match=r"nan|inf|running_mean") as told:
        gr.fit(net, *batches(), gr.Recipe(epochs=3, lr=0.1), mx.cpu(), gr.Session([spoil]))
    assert len(told.value.result.epochs) == 1 and "smaller learning rate" in str(told.value)


class Slow:
    """Batches that take their time: what the loop then waits is known."""

    def __init__(self, items, delay):
        self.items, self.delay = items, delay

    def __len__(self):
        return len(self.items)

    def __iter__(self):
        for item in self.items:
            time.sleep(self.delay)
            yield item


def test_computing_is_not_counted_as_waiting(np_mode):
    """Batches that arrive late leave the book's clock where it was: near the rate of the same batches without delay."""
    train_iter, test_iter = (list(part) for part in batches(batch_size=16, count=80, tests=16))
    rates = {}
    for delay in (0, 0.3):
        net = gr.get_model("cifar_resnet20")
        result = gr.fit(net, Slow(train_iter, delay), test_iter, gr.Recipe(epochs=2, lr=0.05), mx.cpu())
        rates[delay] = result.epochs[-1].examples_per_sec
    assert result.epochs[-1].wait_seconds >= 5 * 0.3
    assert result.examples_per_sec_end_to_end <= 80 / (5 * 0.3)
    assert rates[0.3] < 3 * rates[0]  # counting the wait's computing as waiting would make it far larger


def test_result_by_hand():
    record = dict(batch=4, num_batches=4, loss=0.5, train_acc=0.8)
    result = gr.Result(
        "cpu(0)",
        [
            gr.Record(
                1, examples=100, seconds=5, wait_seconds=1, test_acc=0.75, test_seconds=2, test_loss=0.6, **record
            ),
            gr.Record(
                2, examples=100, seconds=15, wait_seconds=3, test_acc=0.7, test_seconds=2, test_loss=0.5, **record
            ),
        ],
    )
    assert result.lines() == [
        "loss 0.500, train acc 0.800, test acc 0.700",
        "12.5 examples/sec on cpu(0)",
        "10.0 examples/sec end to end, 20.0% of the time waiting for data",
    ]
    summary = result.summary()
    assert (summary["best_test_acc"], summary["epochs"], summary["test_seconds"]) == (0.75, 2, 4)
    assert summary["test_loss"] == 0.5
    assert (result.epochs_since("test_acc"), result.epochs_since("test_loss")) == (1, 0)
    assert summary["others_cores"] is None


@pytest.mark.parametrize("cores, ending", [((0.9, 0.3), "data, other programs used 0.5 cores"), ((0.1, 0.05), "data")])
def test_what_other_programs_took_is_said_if_it_slowed_the_run_down(cores, ending):
    first, second = (
        gr.Record(epoch, 4, 4, 100, 0.5, 0.8, seconds, 1, others_cores=of_others)
        for epoch, seconds, of_others in zip((1, 2), (5, 10), cores)
    )
    result = gr.Result("cpu(0)", [first, second])
    assert result.lines()[-1].endswith(ending)
    assert result.summary()["others_cores"] == pytest.approx((5 * cores[0] + 10 * cores[1]) / 15)


def test_an_iterator_without_batches_is_said(np_mode):
    with pytest.raises(ConfigError, match="gave no batch"):
        gr.fit(small_net(), [], batches()[1], gr.Recipe(epochs=1, lr=0.1), mx.cpu())


def test_d2ls_own_network_and_loader(np_mode):
    from d2l import mxnet as d2l

    net = nn.Sequential()
    net.add(
        nn.Conv2D(8, kernel_size=3),
        d2l.Residual(8),
        d2l.Residual(16, use_1x1conv=True, strides=2),
        nn.GlobalAvgPool2D(),
        nn.Dense(10),
    )
    dataset = gluon.data.ArrayDataset(
        TRAIN_IMAGES[:128, None].astype("float32") / 255, TRAIN_LABELS[:128].astype("int32")
    )
    loader = gluon.data.DataLoader(dataset, 32, shuffle=True)
    result = gr.fit(net, loader, loader, gr.Recipe(epochs=1, lr=0.05), mx.cpu())
    assert result.last.examples == 128


def test_gluoncvs_own_networks(both_modes):
    import gluoncv

    result = gr.fit(
        gluoncv.model_zoo.get_model("resnet18_v1b", classes=10),
        *batches(batch_size=16, count=32, tests=16),
        gr.Recipe(epochs=1, lr=0.05),
        mx.cpu(),
    )
    assert result.last.examples == 32 and math.isfinite(result.last.loss)


def test_gluoncvs_cifar_networks_take_classic_arrays_alone():
    import gluoncv

    result = gr.fit(
        gluoncv.model_zoo.get_model("cifar_resnet20_v1", classes=10),
        *batches(batch_size=16, count=32, tests=16),
        gr.Recipe(epochs=1, lr=0.05),
        mx.cpu(),
    )
    assert result.last.examples == 32


def test_a_network_that_refuses_numpy_arrays_says_what_to_do(np_mode):
    import gluoncv

    with pytest.raises(ModelError, match=r"refuse NumPy arrays.*npx.reset_np\(\)"):
        gr.fit(
            gluoncv.model_zoo.get_model("cifar_resnet20_v1", classes=10),
            *batches(count=128),
            gr.Recipe(epochs=1, lr=0.05),
            mx.cpu(),
        )


def test_stop_keeps_what_there_is(np_mode):
    records = []
    result = gr.fit(
        small_net(),
        *batches(batch_size=64),
        gr.Recipe(epochs=3, lr=0.1),
        mx.cpu(),
        gr.Session(listeners=[records.append], stop=lambda: len(records) >= 4),
    )
    assert result.stopped and result.last.epoch == 1 and 4 < result.last.batch <= 6 and result.last.test_acc is None
    assert "not measured" in result.lines()[0]
    assert not [thread for thread in threading.enumerate() if thread.name == "batches"]


def test_the_first_ctrl_c_asks_and_the_second_interrupts():
    from gluon_resnet.training.train import interruptible

    before = signal.getsignal(signal.SIGINT)
    with interruptible() as stop:
        assert not stop()
        os.kill(os.getpid(), signal.SIGINT)
        assert stop()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_training_that_diverges_says_so(np_mode):
    gr.seed_everything(0)
    with pytest.raises(
        DivergedError, match=r"the loss is (nan|inf) at epoch 1, batch \d+ of 10.*smaller learning rate"
    ):
        gr.fit(gr.get_model("resnet8@narrow"), *batches(), gr.Recipe(epochs=1, lr=1e38), mx.cpu())


def test_a_network_of_nans_has_diverged_though_its_loss_is_finite(np_mode):
    net = small_net()

    def spoil(record):
        if record.batch == record.num_batches:
            net[0].weight.set_data(net[0].weight.data() * math.nan)

    with pytest.raises(DivergedError, match="parameter 0.weight is no longer finite after epoch 1.*smaller learning"):
        gr.fit(net, *batches(), gr.Recipe(epochs=1, lr=0.1), mx.cpu(), gr.Session([spoil]))


def test_statistics_that_are_not_finite_end_training_with_the_last_good_checkpoint(np_mode, tmp_path):
    net, last = small_net(), 2

    def spoil(record):
        if record.epoch == last and record.batch == record.num_batches:
            net[1].running_var.set_data(net[1].running_var.data() * math.inf)

    for seconds in (300, 0):  # found at the epoch's end, and before a checkpoint within it
        with pytest.raises(
            DivergedError, match="^1.running_var is no longer finite after epoch 2, batch .*smaller learning"
        ):
            gr.fit(
                net,
                *batches(),
                gr.Recipe(epochs=3, lr=0.1),
                mx.cpu(),
                gr.Session([spoil], keeper=gr.Keeper(tmp_path, seconds)),
            )
        arrays, note = checkpoint.read(tmp_path)
        assert note["at"]["epoch"] == last and all(numpy.isfinite(values).all() for values in arrays.values())
        net = small_net()


@pytest.mark.parametrize(
    "epochs, lr, words",
    [
        (0, 0.1, "^epochs is 0"),
        (1.5, 0.1, "^epochs is 1.5"),
        (1, 0, "lr is 0"),
        (1, -0.1, "lr is -0.1"),
        (1, float("nan"), "lr is nan"),
    ],
)
def test_impossible_settings(epochs, lr, words):
    with pytest.raises(ConfigError, match=words):
        gr.fit(small_net(), *batches(), gr.Recipe(epochs=epochs, lr=lr), mx.cpu())


def trained_with(listener, epochs=1, **recipe):
    """What a training with a listener prints on standard output."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        gr.fit(small_net(), *batches(), gr.Recipe(epochs=epochs, lr=0.1), mx.cpu(), gr.Session([listener]), **recipe)
    return out.getvalue()


EPOCH_LINE = r"epoch 1/1: loss \d\.\d{3}, train acc [01]\.\d{3}, test acc [01]\.\d{3}, test loss \d\.\d{3}, \d"


def test_the_progress_bar_shows_loss_and_rate_and_the_test(monkeypatch):
    from gluon_resnet.training import display

    monkeypatch.setenv("COLUMNS", "140")
    every = {"mininterval": 0, "miniters": 1}  # no step is left out
    monkeypatch.setattr(display, "tqdm", lambda **options: tqdm(**{**options, **every}))
    stream = Tty()
    out = trained_with(display.ProgressBar(1, stream))
    shown = stream.getvalue()
    assert re.search(r"epoch 1/1: 100%.*10/10 .*loss \d\.\d{3}, acc \d\.\d{3}, \d+ ex/s", shown)
    assert re.search(r"epoch 1/1, testing:  33%.* 1/3 ", shown)
    assert re.match(EPOCH_LINE, out)


def test_a_log_gets_lines_without_carriage_returns():
    from gluon_resnet.training.display import ProgressBar

    stream = io.StringIO()
    assert re.match(EPOCH_LINE, trained_with(ProgressBar(1, stream, interval=0)))
    lines = stream.getvalue().splitlines()
    assert "\r" not in stream.getvalue() and len(lines) == 10 + 4
    assert re.fullmatch(
        r"epoch 1/1, batch 3 of 10: [\d,]+ examples/sec, about \d+ s left, and the tests, loss .*, acc .*", lines[2]
    )
    assert lines[10:] == [f"epoch 1/1, testing: batch {batch} of 3" for batch in range(4)]
    quiet = io.StringIO()
    trained_with(ProgressBar(1, quiet))  # a line a minute
    assert quiet.getvalue() == ""


def test_a_full_disk_under_the_log_ends_the_display_and_not_the_training(np_mode, monkeypatch):
    from gluon_resnet.training.display import ProgressBar

    ignored = []
    monkeypatch.setattr(sys, "unraisablehook", ignored.append)
    with open("/dev/full", "w") as stream:  # every write fails: no space left on device
        bar = ProgressBar(1, stream)
        result = gr.fit(small_net(), *batches(), gr.Recipe(epochs=1, lr=0.1), mx.cpu(), gr.Session([bar]))
        bar.close()
        del bar
        with contextlib.suppress(OSError):  # what is left in the buffer
            stream.close()
    assert len(result.epochs) == 1 and ignored == []


class Notebook:
    """Stands in for a notebook cell: the images that IPython shows in it, and the titles they were drawn with."""

    def __init__(self, monkeypatch):
        from IPython import display

        self.images, self.titles = [], []
        plain = curves.draw_curves
        monkeypatch.setattr(display, "display", lambda image, display_id: self.images.append(image) or self)
        monkeypatch.setattr(curves, "draw_curves", lambda *args: self.titles.append(args[-1]) or plain(*args))

    def update(self, image):
        self.images.append(image)


def test_the_live_plot_redraws_one_figure(monkeypatch):
    from gluon_resnet.training.display import LivePlot

    notebook = Notebook(monkeypatch)
    plot = LivePlot(2, points=2, interval=0)
    trained_with(plot, epochs=2)
    assert len(notebook.images) == 2 * 2 + 2
    mime, _ = notebook.images[-1]._repr_mimebundle_()  # what a notebook shows of it
    assert set(mime) >= {"image/png"}
    monkeypatch.undo()
    older = plot.history.table().drop(columns="test_loss")
    assert [len(axes.lines) for axes in curves.draw_curves(older).axes] == [1, 2]
    left, right = curves.draw_curves(plot.history.table()).axes
    assert [len(line.get_xdata()) for line in (*left.lines, *right.lines)] == [4, 2, 4, 2]


def test_rate_and_remaining_time_are_over_the_live_plot(monkeypatch):
    from gluon_resnet.training.display import LivePlot

    notebook = Notebook(monkeypatch)
    monkeypatch.setattr(curves, "draw_curves", lambda *args: notebook.titles.append(args[2]) or Figure())
    plot = LivePlot(2, points=1, interval=0, refresh=0)
    trained_with(plot, epochs=2)
    first, *others, last = notebook.titles
    assert re.fullmatch(r"epoch 1/2, batch 1 of 10: [\d,]+ examples/sec, about \d+ s left, and the tests", first)
    assert others[9:13] == [f"epoch 1/2, testing: batch {batch} of 3" for batch in range(4)]
    assert re.fullmatch(r"epoch 2/2, batch 1 of 10: [\d,]+ examples/sec, about \d+ s left", others[14])
    assert last is None  # the finished plot is the book's
    plot.testing(1, None)
    assert notebook.titles[-1] == "epoch 2/2, testing: batch 1"
    plot.close()
    assert notebook.titles[-1] is None


def test_the_remaining_time_by_hand():
    from gluon_resnet.training.progress import Remaining

    remaining = Remaining(3)
    record = gr.Record(1, 5, 20, 320, 1.0, 0.5, 30.0, 6.0)  # a quarter of an epoch in 30 s, 24 of them computing
    assert remaining.line(record) == "epoch 1/3, batch 5 of 20: 13 examples/sec, about 5 min 30 s left, and the tests"
    remaining.add(gr.Record(1, 20, 20, 1280, 1.0, 0.5, 120.0, 24.0, test_acc=0.5, test_seconds=20.0))
    record = gr.Record(2, 10, 20, 640, 1.0, 0.5, 60.0, 12.0)
    assert remaining.words(record) == "about 3 min 40 s left"  # 180 s of training, two tests of 20 s


def test_a_notebook_is_told_from_a_terminal(monkeypatch):
    from gluon_resnet.training import display

    class ZMQInteractiveShell:
        pass

    class Colab(ZMQInteractiveShell):
        pass

    assert not display.in_notebook()
    for shell in (ZMQInteractiveShell(), Colab()):
        monkeypatch.setitem(
            display.sys.modules,
            "IPython",
            type("IPython", (), {"get_ipython": staticmethod(partial(lambda each: each, shell))}),
        )
        assert display.in_notebook() and isinstance(display.default_listener(1), display.LivePlot)


def test_history_keeps_some_points_and_every_end():
    history = History(points=5)
    for epoch in (1, 2):
        for batch in range(1, 24):
            history.add(gr.Record(epoch, batch, 23, batch * 10, 1.0, 0.5, 1.0, 0.0))
        history.add(gr.Record(epoch, 23, 23, 230, 1.0, 0.5, 1.0, 0.0, 0.75, 0.1, 0.9))
    table = history.table()
    assert list(table["test_loss"].dropna()) == [0.9, 0.9]
    assert list(table["batch"]) == [4, 8, 12, 16, 20, 23] * 2
    assert list(table[table["test_acc"].notna()]["position"]) == [1.0, 2.0]


def test_the_digest_of_an_older_versions_history_stays():
    """Its table had no side and no views; from a row that has them on, they count."""
    history = History()
    for batch in (1, 2, 3):
        history.add(gr.Record(1, batch, 3, 10 * batch, 1.0, 0.5, 1.0, 0.0))
    names = "epoch,batch,position,examples,loss,train_acc,test_acc,test_loss,seconds,wait_seconds,test_seconds"
    rows = [
        f"1,{batch},{position},{10 * batch},1,0.5,,,1,0,,{10 * batch},"
        for batch, position in ((1, 0.333333), (2, 0.666667))
    ]
    text = "\n".join([f"{names},examples_per_sec,others_cores", *rows, ""])
    before = history.digest(1, 3)
    assert before == hashlib.sha256(text.encode()).hexdigest()
    history.rows[1]["side"] = 28
    assert history.digest(1, 3) != before


def test_history_has_the_learning_rate_of_each_row(np_mode):
    history, recipe = History(points=4), gr.Recipe(epochs=2, lr=0.1, schedule="cosine")
    gr.fit(small_net(), *batches(), recipe, mx.cpu(), gr.Session(listeners=[history.add]))
    table = history.table()
    before = (
        10 * (table["epoch"] - 1) + table["batch"] - 1
    ) / 20  # share of the run's 20 batches before the row's last
    assert list(table["lr"]) == pytest.approx([0.05 * (1 + math.cos(math.pi * share)) for share in before])
    assert table["lr"].is_monotonic_decreasing and len(table) == 10
    assert [axes.get_ylabel() for axes in curves.draw_curves(table).axes] == ["loss", "accuracy", "learning rate"]
    drawn = curves.draw_curves(table).axes[2].lines[0]
    assert list(drawn.get_ydata()) == list(table["lr"])
    constant = curves.draw_curves(table.assign(lr=0.05))
    assert [axes.get_xlabel() for axes in constant.axes] == ["epoch (learning rate 0.05)"] * 2


def test_a_history_without_learning_rates_has_the_hash_that_its_version_wrote():
    """Of the text of a history.csv before 2026-11-28, which had no column lr; written here by hand."""
    old = (
        "epoch,batch,position,examples,loss,train_acc,test_acc,test_loss,seconds,wait_seconds,test_seconds,"
        "examples_per_sec,others_cores\n1,2,1,20,1.25,0.5,0.75,0.875,1,0.5,0.25,40,\n"
    )
    history = History()
    history.add(gr.Record(1, 2, 2, 20, 1.25, 0.5, 1.0, 0.5, 0.75, 0.25, 0.875))
    assert history.digest(2, 1) == hashlib.sha256(old.encode()).hexdigest()
    assert History().digest(1, 1) == hashlib.sha256(old.splitlines(True)[0].encode()).hexdigest()
    history.add(gr.Record(2, 1, 2, 10, 1.25, 0.5, 1.0, 0.5, lr=0.05))
    assert history.digest(2, 1) == hashlib.sha256(old.encode()).hexdigest() != history.digest(2, 2)


def test_trainable_parameters_do_not_change_by_training(np_mode):
    net = gr.resnet18()
    gr.fit(net, *batches(batch_size=16, count=16, tests=16), gr.Recipe(epochs=1, lr=0.05), mx.cpu())
    assert trainable(net) == 11_178_378  # references.md


def test_devices(monkeypatch):
    from gluon_resnet import devices

    assert gr.try_gpu() == (mx.gpu(0) if gr.num_gpus() else mx.cpu())
    monkeypatch.setattr(devices, "num_gpus", lambda: 2)
    assert (gr.try_gpu(), gr.try_gpu(1), gr.try_gpu(2)) == (mx.gpu(0), mx.gpu(1), mx.cpu())
