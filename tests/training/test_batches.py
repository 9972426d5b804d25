"""What the loop makes of the batches that other programs give it: taken as they are meant, or refused in one line."""

from functools import lru_cache

import gluon_resnet as gr
from gluon_resnet.errors import ConfigError, DataError, ModelError, ShapeError
from gluon_resnet.training import lr_finder
from gluon_resnet.training.batches import Taken
from gluon_resnet.training.rounds import Rounds

import mxnet as mx
import numpy
import pytest
from mxnet import gluon
from mxnet.gluon import nn

from tests.conftest import array

CPU = mx.cpu()
LABELS = numpy.arange(40) % 3
IMAGES = (numpy.random.RandomState(0).rand(40, 1, 6, 6) + LABELS[:, None, None, None]).astype("float32")


def network(outputs=3):
    net = nn.HybridSequential()
    net.add(nn.Conv2D(4, kernel_size=3), nn.BatchNorm(), nn.Activation("relu"), nn.GlobalAvgPool2D(), nn.Dense(outputs))
    return net


def parts(labels=LABELS, images=IMAGES, make=array, label_type="int32"):
    """Batches of 8 that ``make`` made of NumPy arrays."""
    labels = numpy.asarray(labels).astype(label_type)
    return [(make(images[i : i + 8], str(images.dtype)), make(labels[i : i + 8], label_type)) for i in range(0, 40, 8)]


def numpy_array(values, dtype):
    return values


def trained(batches, net=None, **settings):
    """(parameters, Result) after two epochs; with the same seed for all."""
    gr.seed_everything(0)
    net = net or network()
    result = gr.fit(net, batches, batches, gr.Recipe(epochs=2, lr=0.1, **settings), CPU)
    return [param.data().asnumpy() for param in net._collect_params_with_prefix().values()], result


@lru_cache(maxsize=None)
def plainly_trained(numpy_arrays):
    return trained(parts())


def other_kind(values, dtype):
    kind = mx.nd if mx.util.is_np_array() else mx.np
    return kind.array(values, dtype=dtype)


ONE_MEANING = {
    "column": lambda: parts(LABELS[:, None]),
    "column3": lambda: parts(LABELS[:, None, None], label_type="float32"),
    "int64": lambda: parts(label_type="int64"),
    "uint8": lambda: parts(label_type="uint8"),
    "numpy": lambda: parts(make=numpy_array, label_type="int64"),
    "float64": lambda: parts(make=numpy_array, label_type="float64"),
    "uint16": lambda: parts(make=numpy_array, label_type="uint16"),
    "lists": lambda: parts(make=lambda values, dtype: values.tolist()),
    "other_kind": lambda: parts(make=other_kind),
    "pictures64": lambda: parts(images=IMAGES.astype("float64")),
    "DataBatch": lambda: [mx.io.DataBatch([X.as_nd_ndarray()], [y.as_nd_ndarray()], pad=0) for X, y in parts()],
    "NDArrayIter": lambda: mx.io.NDArrayIter(IMAGES, LABELS, 8),
    "DataLoader": lambda: gluon.data.DataLoader(gluon.data.ArrayDataset(IMAGES, LABELS.astype("int32")), 8),
}


def check_same(batches):
    expected, plain = plainly_trained(mx.util.is_np_array())
    found, result = trained(batches)
    assert all((one == other).all() for one, other in zip(found, expected))
    assert (result.last.loss, result.last.train_acc, result.last.test_acc, result.last.test_loss) == (
        plain.last.loss,
        plain.last.train_acc,
        plain.last.test_acc,
        plain.last.test_loss,
    )
    assert [record.examples for record in result.epochs] == [40, 40] and result.last.num_batches == 5


@pytest.mark.parametrize("name", ONE_MEANING)
def test_what_has_one_meaning_trains_like_plain_batches(np_mode, name):
    check_same(ONE_MEANING[name]())


@pytest.mark.parametrize("name", ["column", "numpy", "other_kind", "NDArrayIter"])
def test_so_it_does_with_classic_arrays(name):
    assert not mx.util.is_np_array()
    check_same(ONE_MEANING[name]())


def test_pictures_of_whole_numbers_keep_their_values(np_mode):
    pictures = numpy.random.RandomState(1).randint(0, 256, (40, 1, 6, 6)).astype("uint8")
    expected, _ = trained(parts(images=pictures.astype("float32")))
    found, _ = trained(parts(images=pictures))
    assert all((one == other).all() for one, other in zip(found, expected))


def test_rows_that_fill_up_the_last_batch_do_not_count(np_mode):
    """NDArrayIter's last batch has 8 of the 40 pictures and, again, the first 8."""
    gr.seed_everything(0)
    net = network()
    result = gr.fit(net, parts(), mx.io.NDArrayIter(IMAGES, LABELS, 16), gr.Recipe(epochs=1, lr=0.1), CPU)
    right = (net(mx.np.array(IMAGES)).asnumpy().argmax(axis=1) == LABELS).mean()
    assert result.last.test_acc == right
    assert gr.evaluate_accuracy(net, mx.io.NDArrayIter(IMAGES, LABELS[:, None], 16), CPU) == right


def test_networks_of_float64_and_of_words_get_what_they_take(np_mode):
    net = network()
    net.cast("float64")
    X, _ = next(iter(Taken(parts(), "doubles", net)))
    assert X.dtype == numpy.float64
    words = nn.HybridSequential()
    words.add(nn.Embedding(50, 4), nn.Dense(3))
    taken = Taken([(numpy.arange(40).reshape(8, 5), numpy.zeros(8, int))], "words", words)
    X, _ = next(iter(taken))
    assert X.dtype == numpy.int64


ONE_HOT = numpy.eye(3)[LABELS]
LATE = numpy.where(numpy.arange(40) == 35, 3, LABELS)  # in the fifth batch


@pytest.mark.parametrize(
    "batches, error, words",
    [
        (
            lambda: parts(LABELS + 1),
            DataError,
            r"int32 \(8,\) from 1 to 3: expected .* from 0 to 2, .* 3 outputs; .* y - 1",
        ),
        (lambda: parts(LABELS - 1), DataError, r"int32 \(8,\) from -1 to 1: expected whole numbers from 0 to 2"),
        (lambda: parts(numpy.arange(40) % 5), DataError, r"from 0 to 4: .* 3 outputs; build the network for 5 classes"),
        (lambda: parts(LATE), DataError, r"^train_iter, epoch 1, batch 5: the labels y are int32 \(8,\) from 0 to 3"),
        (
            lambda: parts(ONE_HOT),
            DataError,
            r"int32 \(8, 3\) from 0 to 1: expected class numbers \(8,\).*argmax\(axis=1\)",
        ),
        (
            lambda: parts(LABELS / 2, label_type="float32"),
            DataError,
            r"float32 \(8,\) from 0 to 1: expected whole numbers",
        ),
        (lambda: parts(LABELS * numpy.nan, label_type="float32"), DataError, "from nan to nan: expected whole numbers"),
        (
            lambda: parts(LABELS + 2**32, make=numpy_array, label_type="int64"),
            DataError,
            "from 4294967296 to 4294967298",
        ),
        (lambda: [(X, y[:5]) for X, y in parts()], DataError, r"X is float32 \(8, 1, 6, 6\) .* y is int32 \(5,\) from"),
        (
            lambda: [(X, y[None]) for X, y in parts()],
            DataError,
            r"y is int32 \(1, 8\) from 0 to 2: expected as many labels",
        ),
        (
            lambda: parts(images=IMAGES.transpose(0, 2, 3, 1).repeat(3, 3)),
            DataError,
            r"\(8, 6, 6, 3\) .*\(N, H, W, C\): exp",
        ),
        (
            lambda: parts(images=IMAGES[:, 0]),
            ShapeError,
            r"cannot take X float32 \(8, 6, 6\).* expected \(N, C, H, W\)",
        ),
        (lambda: [(X, y, y) for X, y in parts()], DataError, "found 3 parts: expected a pair"),
        (lambda: [{"X": X, "y": y} for X, y in parts()], DataError, "found dict: expected a pair"),
        (lambda: (IMAGES, LABELS), DataError, r"found ndarray float32 \(40, 1, 6, 6\) .*: expected a pair"),
        (lambda: gluon.data.ArrayDataset(IMAGES, LABELS), DataError, "DataLoader makes batches of a dataset"),
        (lambda: [(IMAGES, ["a"] * 40)], DataError, "y is list of <U1: expected an array of numbers"),
        (lambda: mx.io.NDArrayIter(IMAGES, None, 8), DataError, "a DataBatch of 1 data and 0 labels"),
        (lambda: None, DataError, "^train_iter is a NoneType: expected batches"),
        (lambda: (batch for batch in parts()), ConfigError, "train_iter is a generator, which gives its batches once"),
    ],
)
def test_the_rest_is_one_line(np_mode, batches, error, words):
    with pytest.raises(error, match=words) as told:
        trained(batches())
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("labels, epochs", [(LATE, 0), (ONE_HOT, 0), (LABELS + 1, 0)])
def test_test_data_are_looked_at_too(np_mode, labels, epochs):
    net = network()
    with pytest.raises(DataError, match="^test_iter, batch"):
        gr.fit(net, parts(), parts(labels), gr.Recipe(epochs=1, lr=0.1), CPU)
    with pytest.raises(DataError, match="^data_iter, batch"):
        gr.evaluate_accuracy(net, parts(labels), CPU)


@pytest.mark.parametrize("settings", [{"label_smoothing": 0.1}, {"mixup": 0.2}])
def test_labels_are_looked_at_before_they_are_softened(np_mode, settings):
    """-1 would count as the last class there, as in any index of NumPy."""
    with pytest.raises(DataError, match="^train_iter: the labels y are int32"):
        trained(parts(numpy.where(numpy.arange(40) == 35, -1, LABELS)), **settings)


def test_no_test_data_is_said(np_mode):
    with pytest.raises(DataError, match="test_iter gave no batch"):
        gr.fit(network(), parts(), [], gr.Recipe(epochs=1, lr=0.1), CPU)
    net = network()
    net.initialize()
    with pytest.raises(DataError, match="data_iter gave no batch"):
        gr.evaluate_accuracy(net, [], CPU)


def test_outputs_that_are_no_classes_are_said(np_mode):
    net = nn.HybridSequential()
    net.add(nn.Conv2D(3, kernel_size=3), nn.GlobalAvgPool2D())
    with pytest.raises(ModelError, match=r"outputs are \(8, 3, 1, 1\): expected \(N, classes\); nn.Flatten"):
        trained(parts(), net)


def test_an_accuracy_of_pixels_is_the_share_of_the_pixels(np_mode):
    """A 1x1 convolution that tells apart by the sign: 3 of the 4 labels of each picture are right."""
    net = nn.Conv2D(2, kernel_size=1, use_bias=False)
    net.initialize()
    pixels = numpy.array([[1, 1], [-1, -1]], dtype="float32").reshape(1, 1, 2, 2).repeat(5, 0)
    net(mx.np.array(pixels))
    net.weight.set_data(mx.np.array([-1.0, 1.0]).reshape(2, 1, 1, 1))
    labels = numpy.array([[1, 0], [0, 0]]).reshape(1, 2, 2).repeat(5, 0)
    assert gr.evaluate_accuracy(net, [(pixels, labels)], CPU) == 0.75


def test_pictures_of_another_shape_than_the_networks_are_said(np_mode):
    net = network()
    net.initialize()
    gr.layer_shapes(net, (1, 3, 6, 6))
    with pytest.raises(ShapeError, match=r"cannot take X float32 \(8, 1, 6, 6\)"):
        gr.evaluate_accuracy(net, parts(), CPU)


def test_the_search_for_a_rate_looks_too(np_mode):
    with pytest.raises(DataError, match="train_iter, batch 5: the labels"):
        lr_finder.find_lr(network(), parts(LATE), CPU, steps=10)
    found = lr_finder.find_lr(network(), mx.io.NDArrayIter(IMAGES, LABELS, 8), CPU, low=1e-3, steps=30)
    assert len(found.table) > 3


@pytest.fixture
def records(tmp_path):
    """``records(count, ...)``: an ImageRecordIter over pictures; the i-th has the label i and the brightness i."""

    def make(count, batch_size=4, **options):
        path = str(tmp_path / str(count))
        writer = mx.recordio.MXIndexedRecordIO(path + ".idx", path + ".rec", "w")
        for i in range(count):
            picture = numpy.full((4, 4, 3), i, dtype="uint8")
            writer.write_idx(i, mx.recordio.pack_img(mx.recordio.IRHeader(0, float(i), i, 0), picture, img_fmt=".png"))
        writer.close()
        return mx.io.ImageRecordIter(path_imgrec=path + ".rec", data_shape=(3, 4, 4), batch_size=batch_size, **options)

    return make


@pytest.mark.parametrize("options", [{}, {"shuffle": True, "seed": 3}])
@pytest.mark.parametrize("count, sizes", [(10, [4, 4, 2]), (11, [4, 4, 3]), (8, [4, 4]), (3, [3])])
def test_each_record_comes_once_a_pass(records, count, sizes, options):
    rounds = Rounds(records(count, **options))
    for epoch in range(6):
        seen = [(X.asnumpy()[:, 0, 0, 0], y.asnumpy()) for X, y in rounds]
        assert [len(y) for _, y in seen] == sizes and all((y == X).all() for X, y in seen)
        assert sorted(numpy.concatenate([y for _, y in seen])) == list(range(count))
        if epoch in (2, 4):
            broken_off = iter(rounds)
            next(broken_off)
            broken_off.close()


def test_record_iterators_train_and_test(np_mode, records):
    batches = records(10)
    net = network(10)
    _, result = trained(batches, net)
    assert [record.examples for record in result.epochs] == [10, 10] and result.last.num_batches == 3
    pictures = numpy.arange(10, dtype="float32")[:, None, None, None].repeat(3, 1).repeat(4, 2).repeat(4, 3)
    right = (net(mx.np.array(pictures)).asnumpy().argmax(axis=1) == numpy.arange(10)).mean()
    assert result.last.test_acc == gr.evaluate_accuracy(net, batches, CPU) == right


def test_a_record_iterator_that_others_read_is_refused(np_mode, records):
    batches = records(10)
    next(batches)
    with pytest.raises(DataError, match="read or reset before: expected a new one"):
        gr.evaluate_accuracy(network(), batches, CPU)
