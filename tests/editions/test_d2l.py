"""The drop-in's training and loading against d2l 1.0.3's own functions."""

import re

from gluon_resnet import d2l
from gluon_resnet.editions import images, limits, loops, notes, plots

import mxnet as mx
import numpy
import pytest
from mxnet import gluon, npx
from mxnet.gluon import nn


@pytest.fixture(autouse=True)
def no_plots_at_the_end(monkeypatch):
    """An Animator writes its file when the program ends: not in the folder of the tests."""
    monkeypatch.setattr(plots.atexit, "register", lambda write: None)


@pytest.fixture
def said(monkeypatch):
    """The notes of a test, as (kind, text)."""
    kept = []
    notes.forget()
    monkeypatch.setattr(notes, "listeners", [lambda kind, text: kept.append((kind, text))])
    return kept


@pytest.fixture
def small_cache(small_is_published, small_folder, monkeypatch, tmp_path):
    """The small files are where the suite's cache is."""
    home = tmp_path / "home" / "fashion-mnist"
    home.parent.mkdir(parents=True, exist_ok=True)
    small_folder.rename(home)
    return home


class Residual(nn.Block):
    """A block as article 001 writes it."""

    def __init__(self, num_channels, use_1x1conv=False, strides=1, **kwargs):
        super().__init__(**kwargs)
        self.conv1 = nn.Conv2D(num_channels, kernel_size=3, padding=1, strides=strides)
        self.conv2 = nn.Conv2D(num_channels, kernel_size=3, padding=1)
        self.conv3 = nn.Conv2D(num_channels, kernel_size=1, strides=strides) if use_1x1conv else None
        self.bn1, self.bn2 = nn.BatchNorm(), nn.BatchNorm()

    def forward(self, X):
        Y = npx.relu(self.bn1(self.conv1(X)))
        Y = self.bn2(self.conv2(Y))
        if self.conv3:
            X = self.conv3(X)
        return npx.relu(Y + X)


def small_resnet():
    net = nn.Sequential()
    net.add(nn.Conv2D(4, kernel_size=3, strides=2), nn.BatchNorm(), nn.Activation("relu"))
    net.add(Residual(4), Residual(8, use_1x1conv=True, strides=2), nn.GlobalAvgPool2D(), nn.Dense(10))
    return net


def printed_numbers(text):
    return [float(number) for number in re.findall(r"(?:loss|train acc) ([\d.]+)", text)]


def test_train_ch6_trains_as_d2ls_own_does(np_mode, small_cache, said, capsys, tmp_path, monkeypatch):
    import d2l.mxnet as own

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(own.display, "display", lambda *args, **kwargs: None)
    lines = []
    for train in (d2l.train_ch6, own.train_ch6):
        mx.random.seed(3)
        numpy.random.seed(3)
        train_iter, test_iter = d2l.load_data_fashion_mnist(64)
        train(small_resnet(), train_iter, test_iter, 2, 0.1, mx.cpu())
        lines.append(capsys.readouterr().out)
    ours, theirs = map(printed_numbers, lines)
    assert len(ours) == 2 and numpy.allclose(ours, theirs, atol=2e-3)
    assert re.fullmatch(r"loss \S+, train acc \S+, test acc \S+\n\S+ examples/sec on cpu\(0\)\n", lines[0])
    assert [text for kind, text in said if kind == "compiled"] == [
        "Sequential: run as one compiled graph; outputs and gradients agree with its own on the first batch"
    ]
    assert (tmp_path / "d2l-train-1.png").read_bytes()[1:4] == b"PNG"


@pytest.mark.parametrize("resize", [None, 96, (40, 32)])
def test_batches_are_to_the_bit_those_of_d2ls_own_loader(np_mode, small_cache, said, monkeypatch, resize):
    vision = gluon.data.vision
    monkeypatch.setattr(vision.FashionMNIST, "_get_data", None)
    images.install()
    steps = [vision.transforms.Resize(resize[::-1] if isinstance(resize, tuple) else resize)] if resize else []
    transform = vision.transforms.Compose([*steps, vision.transforms.ToTensor()])
    numpy.random.seed(5)
    own = gluon.data.DataLoader(vision.FashionMNIST(train=True).transform_first(transform), 64, shuffle=True)
    theirs = list(own)
    numpy.random.seed(5)
    ours = list(d2l.load_data_fashion_mnist(64, resize)[0])
    assert len(ours) == len(theirs) == 10
    for (X, y), (own_X, own_y) in zip(ours, theirs):
        assert X.dtype == own_X.dtype and y.dtype == own_y.dtype
        assert (own_X == X).all() and (y == own_y).all()


def test_train_ch3_and_its_parts(np_mode, small_cache, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    numpy.random.seed(0)
    train_iter, test_iter = d2l.load_data_fashion_mnist(64)
    net, loss = nn.Sequential(), gluon.loss.SoftmaxCrossEntropyLoss()
    net.add(nn.Dense(10))
    net.initialize()
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1})
    first = d2l.train_epoch_ch3(net, train_iter, loss, trainer)
    d2l.train_ch3(net, train_iter, test_iter, loss, 3, trainer)
    last = d2l.train_epoch_ch3(net, train_iter, loss, lambda batch_size: None)
    assert last[0] < first[0] and last[1] > first[1]
    (X, y), *_ = test_iter
    assert loops.accuracy(net(X), y) == (net(X).asnumpy().argmax(1) == y.asnumpy()).sum()
    assert ("restored", "d2l.train_ch3: in gluonbook 0.6 to 0.8; d2lzh 1.0; d2l 0.8 to 0.17") in said


def test_with_few_batches_train_ch13_does_not_divide_by_zero(np_mode, capsys, tmp_path, monkeypatch, said):
    monkeypatch.chdir(tmp_path)
    X, y = mx.np.ones((6, 1, 4, 4)), mx.np.zeros((6,), dtype="int32")
    batches = gluon.data.DataLoader(gluon.data.ArrayDataset(X, y), 3)
    net = nn.Sequential()
    net.add(nn.Dense(2))
    net.initialize()
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1})
    d2l.train_ch13(net, batches, batches, gluon.loss.SoftmaxCrossEntropyLoss(), trainer, 2)
    assert re.match(
        r"loss 0\.\d{3}, train acc 1\.000, test acc 1\.000\n.*examples/sec on \[cpu\(0\)\]\n", capsys.readouterr().out
    )


def test_d2l_1_0s_objects_train_on_the_same_data(np_mode, small_cache, said, monkeypatch):
    monkeypatch.setattr(d2l.Module, "plot", lambda *args, **kwargs: None)
    data = d2l.FashionMNIST(batch_size=64)
    model = d2l.SoftmaxRegression(num_outputs=10, lr=0.1)
    model.initialize()
    X, y = next(iter(data.val_dataloader()))
    before = float(model.loss(model(X), y).mean())
    monkeypatch.setattr(limits.current, "epochs", 2)
    trainer = d2l.Trainer(max_epochs=10)
    trainer.fit(model, data)
    assert trainer.max_epochs == 2 and float(model.loss(model(X), y).mean()) < before
    assert X.shape == (64, 1, 28, 28)


def test_a_plot_outside_a_notebook_is_a_file(np_mode, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    animator = d2l.Animator(xlabel="epoch", legend=["a", "b"])
    animator.add(1, (0.5, None))
    animator.add(2, (0.25, 0.75))
    assert (animator.X, animator.Y) == ([[1, 2], [2]], [[0.5, 0.25], [0.75]])
    animator.write()
    animator.write()
    assert [path.name for path in tmp_path.iterdir()] == [animator.path.name]
    assert capsys.readouterr().err.count("plot: ") == 1


def test_cuts_are_counted_and_said(said, monkeypatch):
    monkeypatch.setattr(limits, "current", limits.Limits(epochs=2, examples=100, batch_size=16))
    assert [limits.epochs(10), limits.epochs(1), limits.batch_size(256), limits.examples(60_000, 16)] == [2, 1, 16, 100]
    assert limits.examples(60_000, 256) == 5 * 256 and limits.examples(7, 256) == 7
    assert ("shortened", "10 epochs: 2 run") in said
