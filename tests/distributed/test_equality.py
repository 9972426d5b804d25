"""Workers together train as one process does: the parameters are the same up to the order of sums."""

import json
import sys

from gluon_resnet.distributed import group, jobs, share, supervisor
from gluon_resnet.errors import ConfigError
from gluon_resnet.runs.config import RunConfig
from gluon_resnet.training.group import ALONE, Group

import mxnet as mx
import numpy
import pytest

from tests.conftest import ROOT
from tests.distributed import tiny_worker


def launched(out, workers, kind="plain", settings=None, servers=1, store="dist_sync", compression=0.0, **variables):
    """What worker 0 of a job of tiny workers has written: {name: array}."""
    job = jobs.Job(("train",), workers, servers, store=store, compression=compression)
    lines = []
    orders = [
        order
        if order.role != "worker"
        else supervisor.Order(
            order.role,
            order.number,
            order.host,
            [sys.executable, "-m", "tests.distributed.tiny_worker", str(out), kind, json.dumps(settings or {})],
            {**order.variables, **variables},
            str(ROOT),
        )
        for order in jobs.orders(job, jobs.layout_of(job), ())
    ]
    outcome = supervisor.Supervisor(orders, lambda line, is_error: lines.append(line)).run()
    if "TINY_FAILS" in variables:
        return outcome, lines
    # where messages are lost, ps-lite may abort at its end, after the results are written (docs/distributed.md)
    assert outcome.status == 0 or ("PS_DROP_MSG" in variables and out.exists()), (outcome, lines)
    with numpy.load(out) as written:
        return dict(written)


def alone(kind="plain", settings=None):
    """The same of one process without a store."""
    params, records = tiny_worker.fit(kind == "norm", settings or {})
    table = [[each.loss, each.train_acc, each.test_acc, each.test_loss, each.examples] for each in records]
    return {"table": numpy.array(table), **params}


def difference(found, expected):
    """The largest difference of a parameter."""
    assert set(found) == set(expected)
    return max(abs(found[name] - expected[name]).max() for name in found if name != "table")


def test_two_workers_end_with_the_parameters_and_metrics_of_one(tmp_path):
    expected, found = alone(), launched(tmp_path / "two.npz", 2)
    assert difference(found, expected) < 1e-5
    assert abs(found["table"] - expected["table"]).max() < 1e-5
    assert list(found["table"][:, 4]) == [104, 104]


@pytest.mark.distributed
@pytest.mark.parametrize("workers, servers", [(1, 1), (2, 1), (2, 2), (4, 1)])
def test_any_number_of_workers_and_servers_gives_the_same(tmp_path, workers, servers):
    found = launched(tmp_path / "out.npz", workers, servers=servers)
    assert difference(found, alone()) < 1e-5


@pytest.mark.distributed
@pytest.mark.parametrize("settings", [{"accumulate": 2}, {"ema": 0.9}, {"optimizer": "nag"}])
def test_other_recipes_give_the_same(tmp_path, settings):
    found, expected = launched(tmp_path / "out.npz", 2, settings=settings), alone(settings=settings)
    assert difference(found, expected) < 1e-5 and abs(found["table"] - expected["table"]).max() < 1e-5


@pytest.mark.distributed
def test_messages_that_are_lost_are_sent_again(tmp_path):
    """ps-lite itself drops a tenth of what it receives."""
    lossy = {"PS_DROP_MSG": "10", "PS_RESEND": "1", "PS_RESEND_TIMEOUT": "2000"}
    found = launched(tmp_path / "out.npz", 2, settings={"epochs": 1}, **lossy)
    assert difference(found, alone(settings={"epochs": 1})) < 1e-5


@pytest.mark.distributed
def test_with_batch_norm_workers_differ_by_what_they_normalize_by(tmp_path, capsys):
    """Each normalizes by its own 8 pictures, one process by all 16: another function, not another order of sums."""
    one = launched(tmp_path / "one.npz", 1, "norm")
    assert difference(one, alone("norm")) < 1e-5
    apart = difference(launched(tmp_path / "two.npz", 2, "norm"), alone("norm"))
    fixed = difference(
        launched(tmp_path / "fixed.npz", 2, "norm", {"freeze_norm": True}), alone("norm", {"freeze_norm": True})
    )
    with capsys.disabled():
        print(f"\nbatch norm, 2 workers of 8 against one of 16: {apart:.2g}; with its statistics fixed: {fixed:.2g}")
    assert apart > 1e-3 and fixed < 1e-5


@pytest.mark.distributed
def test_a_worker_with_an_error_ends_although_its_gradients_are_not_answered(tmp_path):
    outcome, lines = launched(tmp_path / "out.npz", 2, TINY_FAILS="1")
    assert outcome.status == 2 and "worker 1 " in outcome.line
    assert any("a picture that cannot be read" in line for line in lines)


@pytest.mark.distributed
def test_compressed_gradients_train_and_everything_else_is_exact(tmp_path):
    """2 bits a gradient: other parameters, the same number of pictures, and metrics that are no multiples of it."""
    settings = {"clip": 0.0, "momentum": 0.0, "epochs": 4, "schedule": "constant"}
    found = launched(tmp_path / "out.npz", 2, settings=settings, compression=0.5)
    expected = alone(settings=settings)
    assert difference(found, expected) > 1e-4
    assert list(found["table"][:, 4]) == [104] * 4
    accuracies = found["table"][:, 1] * 104, found["table"][:, 2] * 37  # whole numbers of pictures
    assert all(abs(values - values.round()).max() < 1e-4 for values in accuracies)
    assert abs(found["table"][0, 0] - expected["table"][0, 0]) < 0.3


@pytest.mark.distributed
def test_asynchronous_workers_train(tmp_path):
    settings = {"clip": 0.0, "schedule": "constant", "weight_decay": 0.0, "momentum": 0.0, "epochs": 4, "lr": 0.05}
    found = launched(tmp_path / "out.npz", 2, settings=settings, store="dist_async")
    assert numpy.isfinite(found["table"]).all() and list(found["table"][:, 4]) == [48] * 4
    assert found["table"][-1, 0] < found["table"][0, 0]


def test_a_number_next_to_compressed_gradients_is_sent_by_its_bits():
    """Two workers' vectors, of which each number is minus the threshold, 0 or the threshold, add up exactly."""
    vectors = numpy.array([[0.0, 1.5, -2.25, 1e-6, 12345.678], [7.0, -0.5, -1.0, 2e-6, -0.001]], "float32")
    sent = [group._in_bits(mx.nd.array(values), 0.25) for values in vectors]
    assert all(set(numpy.unique(values.asnumpy())) <= {-0.25, 0.0, 0.25} for values in sent)
    found = group._from_bits(sent[0] + sent[1], 0.25).asnumpy()
    assert numpy.allclose(found, vectors.astype("float64").sum(0), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    "number, size, expected",
    [
        (8, 2, [[0, 1, 4, 5], [2, 3, 6, 7]]),
        (10, 2, [[0, 1, 4, 5, 8], [2, 3, 6, 7, 9]]),
        (11, 2, [[0, 1, 4, 5, 8], [2, 3, 6, 7, 9]]),
        (5, 4, [[0], [1], [2], [3]]),
    ],
)
def test_rows_of_batches_of_4_by_hand(number, size, expected):
    """The last batch is cut so that all have as many; no picture is used twice."""
    found = [list(share.training_rows(number, 4, rank, size)) for rank in range(size)]
    assert found == expected


def test_workers_together_see_the_batches_that_one_sees():
    training, test = tiny_worker.batches()
    numpy.random.seed(3)
    expected = [X.asnumpy() for X, _ in training]
    parts = []
    for rank in range(2):
        numpy.random.seed(3)
        own, own_test = share.shares(training, test, Fake(rank, 2))
        assert len(own) == len(expected)
        parts.append([X.asnumpy() for X, _ in own])
    for both, whole in zip(zip(*parts), expected):
        assert (numpy.concatenate(both) == whole).all()
    tested = sorted(
        int(y)
        for rank in range(2)
        for _, labels in share.shares(training, test, Fake(rank, 2))[1]
        for y in labels.asnumpy()
    )
    assert tested == sorted(int(y) for _, labels in test for y in labels.asnumpy())


class Fake(Group):
    """A worker's place in a group that is not there."""

    def __init__(self, rank, workers):
        self.rank, self.size, self.workers = rank, workers, workers


@pytest.mark.parametrize("workers, message", [(3, "expected a multiple of 3"), (64, "expected a multiple of 64")])
def test_a_batch_that_cannot_be_divided(workers, message):
    with pytest.raises(ConfigError, match=f"batch_size is 16, that of all {workers} workers together: {message}"):
        share.shares(*tiny_worker.batches(), Fake(0, workers))


@pytest.mark.parametrize(
    "settings",
    [{"momentum": 0.9, "optimizer": "nag"}, {"schedule": "cosine"}, {"clip": 1.0}, {"accumulate": 2}, {"head_lr": 2.0}],
)
def test_what_servers_cannot_do_is_refused_for_dist_async(settings):
    with pytest.raises(ConfigError, match="with dist_async the servers update"):
        group.check_apart(RunConfig(**settings))
    group.check_apart(RunConfig())


def test_a_process_that_was_started_alone_has_no_group():
    assert group.join({}, None) is ALONE
    with pytest.raises(ConfigError, match="expected those that gluon-resnet launch sets"):
        group.join({"GLUON_RESNET_KVSTORE": "local", "GLUON_RESNET_RANK": "0"}, None)
