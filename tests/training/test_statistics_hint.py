"""A short trial whose test accuracy is low for want of re-estimated batch-norm statistics says so; others do not."""

import gluon_resnet as gr

import mxnet as mx
import numpy
import pytest

from tests.conftest import small_arrays
from tests.training.test_train import numbers, small_net

(IMAGES, LABELS), (TEST_IMAGES, TEST_LABELS) = small_arrays()


def short_trial():
    """Training and test batches of which the network sees ten: the running statistics keep a third of the initial 0."""
    bright = IMAGES[:160] // 4 + 190  # far from mean 0: the statistics have a long way to go
    dim = TEST_IMAGES[:80] // 4 + 190
    return gr.ArrayBatches(bright, LABELS[:160], 16), gr.ArrayBatches(dim, TEST_LABELS[:80], 16, shuffle=False)


def test_a_short_trial_gets_the_hint_and_norm_batches_mends_it(np_mode, capsys):
    gr.seed_everything(0)
    net = small_net()
    result = gr.train_ch6(net, *short_trial(), num_epochs=1, lr=0.1)
    assert result.last.train_acc - result.last.test_acc > 0.2
    line = capsys.readouterr().out.splitlines()[-1]
    assert line == result.hint and "norm_batches=20 re-estimates them" in line and line in repr(result)
    assert repr(result).startswith("<Result of 1 epoch on cpu(0): loss")

    gr.seed_everything(0)
    mended = gr.train_ch6(small_net(), *short_trial(), num_epochs=1, lr=0.1, norm_batches=10)
    assert mended.last.loss == result.last.loss  # the same training
    assert mended.last.test_acc > result.last.test_acc + 0.2
    assert mended.hint == "" and "hint" not in capsys.readouterr().out


def test_the_arguments_of_fit_are_those_of_the_recipe(np_mode):
    results = []
    for recipe, arguments in ((gr.Recipe(epochs=1, norm_batches=10), {}), (gr.Recipe(epochs=1), {"norm_batches": 10})):
        gr.seed_everything(0)
        results.append(gr.fit(small_net(), *short_trial(), recipe, **arguments))
    assert results[0].last.test_acc == results[1].last.test_acc
    assert results[0].device == str(gr.try_gpu())  # none was given
    with pytest.raises(gr.GluonResNetError, match="norm_batches is -1"):
        gr.fit(small_net(), *short_trial(), norm_batches=-1)


def test_overfitting_gets_no_hint(np_mode):
    """Labels drawn at random are learned by heart, and the test cannot be: the statistics are not to blame."""
    gr.seed_everything(0)
    labels = numpy.random.RandomState(0).randint(0, 10, 32).astype("int32")
    train = gr.ArrayBatches(IMAGES[:32], labels, 16)
    test = gr.ArrayBatches(TEST_IMAGES[:64], TEST_LABELS[:64], 16)
    result = gr.fit(small_net(), train, test, gr.Recipe(epochs=60, lr=0.1))
    assert result.last.train_acc - result.last.test_acc > 0.2 and result.hint == ""


def test_asking_leaves_the_network_and_the_generators_as_they_were(np_mode, monkeypatch):
    from gluon_resnet.training import train

    found = []
    for asked in (True, False):
        if not asked:
            monkeypatch.setattr(train, "hint", lambda *args: "")
        gr.seed_everything(0)
        net = small_net()
        result = gr.fit(net, *short_trial(), gr.Recipe(epochs=1, lr=0.1), mx.cpu())
        assert bool(result.hint) == asked
        found.append((numbers(net), numpy.random.rand(), mx.np.random.uniform().item()))
    (before, *draws), (after, *others) = found
    assert draws == others and all((before[name] == after[name]).all() for name in before)
