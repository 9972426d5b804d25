"""The accuracies that a reader should reach with article 001's recipe, on the full Fashion-MNIST. Minutes: make test-slow."""
import mxnet as mx
import pytest

import gluon_resnet as gr
from gluon_resnet.data import fashion_mnist, sources
from tests.conftest import REAL_HOME

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("resize, num_epochs, at_least", [(None, 2, 0.85), (96, 1, 0.80)])
def test_resnet18_on_all_of_fashion_mnist(np_mode, monkeypatch, resize, num_epochs, at_least):
    monkeypatch.setenv("GLUON_RESNET_HOME", str(REAL_HOME))
    if sources.load_local(fashion_mnist.FASHION_MNIST) is None:
        pytest.skip("Fashion-MNIST is not cached: gluon-resnet data fashion-mnist fetches it")
    gr.seed_everything(0)
    train_iter, test_iter = gr.load_data_fashion_mnist(256, resize)
    result = gr.fit(gr.resnet18(), train_iter, test_iter, num_epochs, 0.05, mx.cpu())
    assert result.last.test_acc >= at_least
