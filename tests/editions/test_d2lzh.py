"""The first edition's functions on mxnet.nd arrays: their signatures, lines and results."""

import inspect
import re

from gluon_resnet import d2lzh
from gluon_resnet.editions import notes

import mxnet as mx
import numpy
import pytest
from mxnet import gluon, init, nd
from mxnet.gluon import nn

from tests.editions.test_d2l import small_cache  # noqa: F401

# d2lzh 1.0.0's signatures, written down from its package
SIGNATURES = {
    "train_ch3": "net train_iter test_iter loss num_epochs batch_size params lr trainer",
    "train": "train_iter test_iter net loss trainer ctx num_epochs",
    "train_ch7": "trainer_fn states hyperparams features labels batch_size num_epochs",
    "train_gluon_ch7": "trainer_name trainer_hyperparams features labels batch_size num_epochs",
    "evaluate_accuracy": "data_iter net ctx",
    "load_data_fashion_mnist": "batch_size resize root",
    "semilogy": "x_vals y_vals x_label y_label x2_vals y2_vals legend figsize",
    "show_images": "imgs num_rows num_cols scale",
    "data_iter": "batch_size features labels",
    "linreg": "X w b",
    "sgd": "params lr batch_size",
    "squared_loss": "y_hat y",
    "corr2d": "X K",
    "optimize": "batch_size trainer num_epochs decay_epoch log_interval features labels net",
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_the_arguments_are_the_editions(name):
    assert list(inspect.signature(getattr(d2lzh, name)).parameters) == SIGNATURES[name].split()


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    notes.forget()
    monkeypatch.setattr(notes, "listeners", [])


EPOCH = r"epoch \d, loss \d\.\d{4}, train acc \d\.\d{3}, test acc \d\.\d{3}"


def softmax_by_hand():
    W, b = nd.random.normal(scale=0.01, shape=(784, 10)), nd.zeros(10)
    for param in (W, b):
        param.attach_grad()
    return (lambda X: nd.dot(X.reshape((-1, 784)), W) + b), [W, b]


def test_train_ch3_with_parameters_and_with_a_trainer_agree(small_cache, capsys):  # noqa: F811
    lines = []
    for by_hand in (True, False):
        mx.random.seed(0)
        numpy.random.seed(0)
        train_iter, test_iter = d2lzh.load_data_fashion_mnist(64)
        loss = gluon.loss.SoftmaxCrossEntropyLoss()
        if by_hand:
            net, params = softmax_by_hand()
            for param in params:
                param[:] = 0
            d2lzh.train_ch3(net, train_iter, test_iter, loss, 2, 64, params, 0.1)
        else:
            net = nn.Sequential()
            net.add(nn.Dense(10))
            net.initialize(init.Zero())
            trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1})
            d2lzh.train_ch3(net, train_iter, test_iter, loss, 2, 64, None, None, trainer)
        lines.append(capsys.readouterr().out)
    assert lines[0] == lines[1] and re.fullmatch(rf"({EPOCH}\n){{2}}", lines[0])


def resnet():
    net = nn.Sequential()
    net.add(nn.Conv2D(4, kernel_size=3, strides=2), d2lzh.Residual(4), nn.GlobalAvgPool2D(), nn.Dense(10))
    return net


@pytest.mark.parametrize("order", ["d2lzh 1.0", "gluonbook 0.6", "by name"])
def test_train_ch5_in_both_orders(small_cache, capsys, order):  # noqa: F811
    mx.random.seed(0)
    numpy.random.seed(0)
    train_iter, test_iter = d2lzh.load_data_fashion_mnist(64)
    net, ctx = resnet(), mx.cpu()
    net.initialize(force_reinit=True, ctx=ctx, init=init.Xavier())
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.2})
    if order == "d2lzh 1.0":
        d2lzh.train_ch5(net, train_iter, test_iter, 64, trainer, ctx, 2)
    elif order == "gluonbook 0.6":
        d2lzh.train_ch5(net, train_iter, test_iter, gluon.loss.SoftmaxCrossEntropyLoss(), 64, trainer, ctx, 2)
    else:
        d2lzh.train_ch5(net, train_iter, test_iter, batch_size=64, trainer=trainer, ctx=ctx, num_epochs=2)
    first, *epochs = capsys.readouterr().out.splitlines()
    assert first == "training on cpu(0)" and len(epochs) == 2
    assert all(re.fullmatch(rf"{EPOCH}, time \d+\.\d sec", line) for line in epochs)
    losses = [float(line.split()[3].rstrip(",")) for line in epochs]
    assert losses[1] < losses[0]
    # the accuracy that is printed is the network's own, counted by hand
    correct = sum((net(X).asnumpy().argmax(1) == y.asnumpy()).sum() for X, y in test_iter)
    assert f"test acc {correct / 160:.3f}" in epochs[1]


def test_train_counts_labels_on_several_contexts(capsys):
    X, y = nd.ones((8, 1, 4, 4)), nd.zeros((8,))
    batches = gluon.data.DataLoader(gluon.data.ArrayDataset(X, y), 4)
    net, contexts = nn.Sequential(), [mx.cpu(0), mx.cpu(1)]
    net.add(nn.Dense(2))
    net.initialize(ctx=contexts, init=init.Zero())
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1})
    d2lzh.train(batches, batches, net, gluon.loss.SoftmaxCrossEntropyLoss(), trainer, contexts, 1)
    # the first batch: log 2 by zero weights; the second is after one step of 0.1 on 16 inputs and a bias of 1
    margin = 0.1 * 0.5 * 2 * 17
    expected = (numpy.log(2) + numpy.log1p(numpy.exp(-margin))) / 2
    assert f"epoch 1, loss {expected:.4f}, train acc 1.000, test acc 1.000, time" in capsys.readouterr().out


def test_optimizers_chapters(tmp_path, monkeypatch, capsys):
    random = numpy.random.RandomState(0)
    features = random.normal(size=(200, 5))
    table = numpy.column_stack([features, features @ [1, 2, 3, 4, 5]])
    numpy.savetxt(tmp_path / "airfoil_self_noise.dat", table, delimiter="\t")
    monkeypatch.setenv("GLUON_RESNET_DATA_AIRFOIL_SELF_NOISE", str(tmp_path))
    X, y = d2lzh.get_data_ch7()
    assert (
        X.shape == (200, 5) and abs(float(X.mean().asscalar())) < 1e-6 and float(y.asnumpy().std()) == pytest.approx(1)
    )

    def sgd(params, states, hyperparams):
        d2lzh.sgd(params, hyperparams["lr"], 1)

    d2lzh.train_ch7(sgd, None, {"lr": 0.1}, X, y, 10, 2)
    d2lzh.train_gluon_ch7("sgd", {"learning_rate": 0.1}, X, y, 10, 2)
    losses = [float(number) for number in re.findall(r"loss: ([\d.]+), [\d.]+ sec per epoch", capsys.readouterr().out)]
    assert len(losses) == 2 and max(losses) < 0.01


def test_train_2d_by_hand(capsys):
    steps = d2lzh.train_2d(lambda x1, x2, s1, s2: (x1 * 0.5, x2 * 0.5, 0, 0))
    assert len(steps) == 21 and steps[1] == (-2.5, -1.0)
    assert capsys.readouterr().out == f"epoch 20, x1 {-5 * 0.5**20:f}, x2 {-2 * 0.5**20:f}\n"


def test_small_functions_by_hand():
    assert d2lzh.corr2d(nd.array([[0, 1, 2], [3, 4, 5], [6, 7, 8]]), nd.array([[0, 1], [2, 3]])).asnumpy().tolist() == [
        [19, 25],
        [37, 43],
    ]
    batches = list(d2lzh.data_iter(4, nd.arange(10).reshape((10, 1)), nd.arange(10)))
    assert [len(y) for _, y in batches] == [4, 4, 2]
    assert sorted(nd.concat(*[y for _, y in batches], dim=0).asnumpy().tolist()) == list(range(10))
    assert d2lzh.accuracy(nd.array([[0.1, 0.9], [0.8, 0.2]]), nd.array([1, 1])) == 0.5
    assert d2lzh.squared_loss(nd.array([[3.0]]), nd.array([1.0])).asscalar() == 2
    with d2lzh.Benchmark("work"):
        pass


def test_resnet18_is_the_books(capsys):
    net = d2lzh.resnet18(10)
    net.initialize()
    assert net(nd.zeros((1, 3, 32, 32))).shape == (1, 10)
    # 3x3 stem on 3 channels, 16 3x3 convolutions, three 1x1; biases of all convolutions; batch norms; the dense layer
    weights = 27 * 64 + 4 * 9 * 64**2 + sum(9 * c * c // 2 + 3 * 9 * c * c + c * c // 2 for c in (128, 256, 512))
    biases = 64 + 4 * 64 + sum(5 * c for c in (128, 256, 512))
    norms = 2 * (64 + 4 * 64 + sum(4 * c for c in (128, 256, 512)))
    total = sum(int(numpy.prod(param.shape)) for param in net.collect_params().values() if param.grad_req != "null")
    assert total == weights + biases + norms + 512 * 10 + 10
