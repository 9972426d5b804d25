"""The functions of the first edition's drafts: their signatures, shapes and lines."""

import inspect
import re

from gluon_resnet.editions import drafts

import numpy
import pytest
from mxnet import autograd, gluon, init, nd
from mxnet.gluon import nn

from tests.editions.test_d2l import small_cache  # noqa: F401

# written down from utils.py of d2l-zh 0.6.1
SIGNATURES = {
    "DataLoader": "dataset batch_size shuffle transform",
    "SGD": "params lr",
    "accuracy": "output label",
    "resnet18": "num_classes",
    "show_images": "imgs nrows ncols figsize",
    "train": "train_data test_data net loss trainer ctx num_epochs print_batches",
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_the_arguments_are_the_drafts(name):
    assert list(inspect.signature(getattr(drafts, name)).parameters) == SIGNATURES[name].split()


def test_the_cells_of_a_chapter(small_cache, capsys):  # noqa: F811
    train_data, test_data = drafts.load_data_fashion_mnist(64, resize=8)
    X, y = next(iter(train_data))
    assert X.shape == (64, 1, 8, 8) and y.dtype == numpy.float32
    net = nn.Sequential()
    net.add(nn.Flatten(), nn.Dense(10))
    net.initialize(init.Zero())
    loss, trainer = (
        gluon.loss.SoftmaxCrossEntropyLoss(),
        gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0}),
    )
    drafts.train(train_data, test_data, net, loss, trainer, drafts.try_gpu(), num_epochs=1)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Start training on  ")
    # equal outputs: the loss is log(10), and class 0 is predicted for all of ten classes of equal size
    match = re.fullmatch(r"Epoch 0\. Loss: (\S+), Train acc (\S+), Test acc (\S+), Time \d+\.\d sec", lines[1])
    share = numpy.mean([float(part.asscalar() == 0) for _, labels in test_data for part in labels])
    assert match[1] == "2.303" and float(match[3]) == pytest.approx(share, abs=0.005)
    assert drafts.accuracy(nd.array([[1, 0], [0, 1]]), nd.array([0, 0])) == 0.5


def test_a_step_of_sgd_by_hand():
    param = nd.array([1.0, 2.0])
    param.attach_grad()
    with autograd.record():
        (param * param).sum().backward()
    drafts.SGD([param], 0.25)
    assert param.asnumpy().tolist() == [0.5, 1.0]


def test_the_loader_of_whole_batches():
    data = gluon.data.ArrayDataset(nd.arange(5).reshape((5, 1)), numpy.arange(5))
    batches = [(X.asnumpy().ravel().tolist(), y.asnumpy().tolist()) for X, y in drafts.DataLoader(data, 2, False)]
    assert batches == [([0, 1], [0, 1]), ([2, 3], [2, 3])]
    (shuffled,) = drafts.DataLoader(data, 5, True, lambda X, y: (X + 1, y))
    assert sorted(shuffled[1].asnumpy()) == [0, 1, 2, 3, 4] and (shuffled[0][:, 0] == shuffled[1] + 1).min() == 1


def test_the_small_resnet():
    net = drafts.resnet18(10)
    net.initialize()
    assert net(nd.ones((2, 3, 32, 32))).shape == (2, 10)
    block = drafts.Residual(8, same_shape=False)
    block.initialize()
    assert block(nd.ones((1, 4, 6, 6))).shape == (1, 8, 3, 3)
