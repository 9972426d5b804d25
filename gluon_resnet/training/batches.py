"""Batches as any program makes them, as the loop takes them: X (N, C, H, W) float32 and y (N,), MXNet's arrays.

    for X, y in Taken(mx.io.NDArrayIter(images, labels, 64), "train_iter", net):
        ...

What has one meaning is taken: arrays of NumPy and of both kinds of MXNet's, pictures of another dtype (their values
stay as they are: 255 is 255), labels (N, 1), mx.io's DataBatch (without the rows that only fill up the last one). The
rest is a DataError in one line. A look costs microseconds: shapes and dtypes are looked at in each batch, the labels'
values in the first before it is used, and in the others when their loss is fetched, so that nothing waits for them.
"""

from contextlib import suppress
from time import perf_counter
from typing import Any, Iterable, Iterator, Optional, Set, Tuple

import mxnet as mx
import numpy
from mxnet.gluon import nn

from ..errors import ConfigError, DataError, GluonResNetError, ModelError, ShapeError
from ..networks.shapes import complaint
from ..text import count
from .randomness import borrowed
from .rounds import Rounds, split

FEW = (1, 3, 4)  # channels of a picture
MANY = 100_000  # more classes than any data set has


def described(values: Any) -> str:
    """``int32 (64,) from 0 to 9``: dtype, shape and range of an array."""
    values = values.asnumpy() if hasattr(values, "asnumpy") else numpy.asarray(values)
    text = f"{values.dtype} {values.shape}"
    if not values.size or values.dtype.kind not in "iuf":
        return text
    low, high = values.min(), values.max()
    return f"{text} from {low:g} to {high:g}" if values.dtype.kind == "f" else f"{text} from {low} to {high}"


def _pair(batch: Any, where: str) -> Tuple[Any, Any]:
    """(X, y) of a batch, still of any kind."""
    if isinstance(batch, mx.io.DataBatch):
        data, label = batch.data or [], batch.label or []
        if len(data) != 1 or len(label) != 1:
            raise DataError(
                f"{where}: a DataBatch of {len(data)} data and {count(len(label), 'label')}: expected one of each"
            )
        return split(batch, batch.pad or 0)[0]
    if isinstance(batch, (tuple, list)) and len(batch) == 2:
        return batch[0], batch[1]
    found = count(len(batch), "part") if isinstance(batch, (tuple, list)) else type(batch).__name__
    raise DataError(
        f"{where}: found {found}{' ' + described(batch) if hasattr(batch, 'shape') else ''}: expected a pair (X, y); "
        f"the iterator gives one such pair for each batch"
    )


def _readable(values: Any, name: str, where: str) -> Any:
    """An MXNet array as it is, and anything else as a NumPy array of numbers."""
    if isinstance(values, mx.nd.NDArray):
        return values.tostype("default") if isinstance(values, mx.nd.sparse.BaseSparseNDArray) else values
    try:
        content = numpy.asarray(values)
    except Exception:  # objects of other libraries may raise anything
        content = numpy.asarray(None)
    if content.dtype.kind not in "biuf":
        raise DataError(f"{where}: {name} is {type(values).__name__} of {content.dtype}: expected an array of numbers")
    return content


def _mx(values: Any) -> Any:
    """``values`` as an MXNet array of the kind in force: ``mx.np`` under ``npx.set_np()``, ``mx.nd`` otherwise."""
    if not isinstance(values, mx.nd.NDArray):
        exact = values.dtype.name in ("float16", "float32", "float64", "uint8", "int8", "int32", "int64")
        values = mx.nd.array(values, dtype=values.dtype.name if exact else "int64")
    if mx.util.is_np_array():
        return values if isinstance(values, mx.np.ndarray) else values.as_np_ndarray()
    return values.as_nd_ndarray() if isinstance(values, mx.np.ndarray) else values


def _name(dtype: Any) -> str:
    """float32 of numpy.float32, numpy.dtype("float32") or "float32"."""
    try:
        return numpy.dtype(dtype).name
    except TypeError:  # mxnet's own bfloat16
        return str(dtype)


def _parts(net: Any) -> Tuple[Set[str], bool]:
    """(dtypes of the network's parameters, whether it looks numbers up and so takes whole ones)."""
    blocks: list = []
    if isinstance(net, mx.gluon.Block):
        net.apply(blocks.append)
        params = net.collect_params().values()
        return {_name(param.dtype) for param in params}, any(isinstance(block, nn.Embedding) for block in blocks)
    return set(), False


class Taken:
    """``batches`` as the loop takes them: iterate as often as ``batches`` allow; ``len()`` is their number.

    Args:
        batches: gives pairs (X, y) or DataBatches; iterators of mx.io are reset at the start of a pass.
        name: what messages call them.
        net: the network that X is for.
    """

    def __init__(self, batches: Iterable[Any], name: str, net: Any) -> None:
        self.batches, self.name = batches, name
        self.dtypes, self.looks_up = _parts(net)
        self.dtype = "float32" if "float32" in self.dtypes or not self.dtypes else min(self.dtypes)
        self.number: Optional[int] = None
        self.rounds = Rounds.of(batches) if isinstance(batches, mx.io.MXDataIter) else None

    def __len__(self) -> int:
        if self.known_number is None:
            self.number = self._count()
        return self.known_number or 0

    @property
    def known_number(self) -> Optional[int]:
        """The number of batches if ``batches`` know it or it has been counted; otherwise None."""
        try:
            return len(self.batches)  # type: ignore[arg-type]
        except TypeError:
            return self.number

    def _count(self) -> int:
        """The number of batches of a pass, which is spent on it."""
        if not hasattr(self.batches, "reset") and self.begin() is self.batches:
            raise ConfigError(
                f"{self.name} is a {type(self.batches).__name__}, which gives its batches once and does not know how "
                f"many: expected what can be read again for each epoch, such as a list or a DataLoader"
            )
        with borrowed(self) as batches:
            return sum(1 for _ in batches)

    def set_epoch(self, epoch: int) -> None:
        """Tell the batches which epoch comes, from 1, if they can be told."""
        getattr(self.batches, "set_epoch", lambda epoch: None)(epoch)

    def begin(self) -> Iterator[Any]:
        """An iterator over the batches as they are, from the first on."""
        if self.rounds:
            return iter(self.rounds)
        if hasattr(self.batches, "reset"):
            self.batches.reset()
        try:
            return iter(self.batches)
        except TypeError:
            raise DataError(
                f"{self.name} is a {type(self.batches).__name__}: expected batches (X, y), as a list or a DataLoader"
            ) from None

    def __iter__(self) -> "_Pass":
        return _Pass(self)

    def take(self, batch: Any, where: str) -> Tuple[Any, Any]:
        """(X, y) of one batch, which messages call ``where``."""
        X, y = _pair(batch, where)
        X, y = _readable(X, "X", where), _readable(y, "y", where)
        if not X.shape or not y.shape or X.shape[0] != y.shape[0] or not X.shape[0]:
            raise DataError(
                f"{where}: X is {described(X)}, y is {described(y)}: expected as many labels as pictures, at "
                f"least one; gluon.data.DataLoader makes batches of a dataset"
            )
        if len(y.shape) > 1 and y.size == y.shape[0]:
            y = y.reshape((-1,))
        X, y = _mx(X), _mx(y)
        y = y.astype("int32") if _name(y.dtype) == "bool" else y
        dtype = _name(X.dtype)
        if dtype != self.dtype and dtype not in self.dtypes and not self.looks_up:
            X = X.astype(self.dtype)
        return X, y


class _Pass:
    """One pass over the batches of a :class:`Taken`."""

    def __init__(self, taken: Taken) -> None:
        self.taken, self.count, self.iterator = taken, 0, taken.begin()

    def __iter__(self) -> "_Pass":
        return self

    def __next__(self) -> Tuple[Any, Any]:
        batch = next(self.iterator)
        self.count += 1
        return self.taken.take(batch, f"{self.taken.name}, batch {self.count}")

    def close(self) -> None:
        """End the pass; what prepares batches in the background ends, too."""
        getattr(self.iterator, "close", lambda: None)()


def not_finite(batches: Taken, seconds: float = 10.0) -> str:
    """In words, a batch with pictures that are not numbers; empty if none is found in about so many seconds."""
    end = perf_counter() + seconds
    with suppress(GluonResNetError), borrowed(batches) as passing:
        for number, (X, _) in enumerate(passing, 1):
            wrong = ~numpy.isfinite(X.asnumpy())
            if wrong.any():
                return (
                    f"{wrong.sum():,} of the {wrong.size:,} numbers of X in {batches.name}, batch {number} of a pass, "
                    f"are not finite"
                )
            if perf_counter() > end:
                break
    return ""


def forward(net: Any, X: Any) -> Any:
    """net(X); ModelError or ShapeError, in one line, if the network cannot take X."""
    try:
        return net(X)
    except TypeError as error:
        if "legacy operator" not in str(error):
            raise
        raise ModelError(
            f"{net.name} calls operators that refuse NumPy arrays, which npx.set_np() or importing d2l "
            f"puts in force: call npx.reset_np(), then build the network and its batches again"
        ) from None
    except (mx.MXNetError, ValueError, AssertionError) as error:
        own = isinstance(error, mx.MXNetError) or "shape" in str(
            error
        )  # gluon's own, of parameters whose shape differs
        if not own or "memory" in str(error):
            raise
        raise ShapeError(
            f"{net.name} cannot take X {_name(X.dtype)} {tuple(X.shape)}: {complaint(error)}; expected (N, "
            f"C, H, W) as it was built for, or as it first saw: correct X, or build the network again"
        ) from None


def check_layout(net: Any, X: Any) -> None:
    """DataError if the network, after its first call with X, took the height of (N, H, W, C) for channels."""
    if len(X.shape) != 4 or X.shape[3] not in FEW or min(X.shape[1:3]) <= max(FEW):
        return
    convolutions: list = []
    net.apply(lambda block: convolutions.append(block) if isinstance(block, nn.conv_layers._Conv) else None)
    first = convolutions[0] if convolutions else None
    if first is not None and first._kwargs["layout"] == "NCHW" and first.weight.shape[1] == X.shape[1]:
        raise DataError(
            f"X is {described(X)}, (N, H, W, C): expected (N, C, H, W); give X.transpose((0, 3, 1, 2)), or "
            f"transforms.ToTensor() to the dataset, and build the network again"
        )


def check_outputs(y_hat: Any, y: Any, where: str, classify: bool = True) -> None:
    """DataError or ModelError unless the outputs ``y_hat`` and the labels ``y`` of a batch fit each other.

    Args:
        y_hat: what the network gave, expected (N, classes); without ``classify`` also (N, classes, H, W).
        y: the labels, expected (N,), or (N, H, W).
        where: what messages call the batch.
        classify: whether there must be one label for each example.
    """
    if not hasattr(y_hat, "shape"):
        raise ModelError(
            f"the network gives a {type(y_hat).__name__} of {count(len(y_hat), 'output')}: expected one (N, classes)"
        )
    shape = tuple(y_hat.shape)
    if len(shape) < 2 or (classify and len(shape) > 2):
        raise ModelError(
            f"the network's outputs are {shape}: expected (N, classes); nn.Flatten() at its end makes them so"
        )
    if tuple(y.shape) != shape[:1] + shape[2:]:
        raise DataError(
            f"{where}: the labels y are {described(y)}: expected class numbers {shape[:1] + shape[2:]} for the "
            f"network's outputs {shape}; if they are one-hot, give y.argmax(axis=1)"
        )


def check_labels(y: Any, num_classes: int, where: str) -> None:
    """DataError unless the labels ``y`` (N,) are whole numbers from 0 to ``num_classes`` - 1."""
    values = y.asnumpy()
    low, high = values.min(), values.max()
    if low >= 0 and high < num_classes and (values.dtype.kind != "f" or (values == numpy.floor(values)).all()):
        return
    advice = ""
    if low == 1 and high == num_classes:
        advice = "; if the classes are numbered from 1, give y - 1"
    elif low < 0:
        advice = "; leave out examples without a class, or number the classes from 0"
    elif num_classes <= high < MANY:
        advice = f"; build the network for {count(int(high) + 1, 'class')}, or correct the labels"
    raise DataError(
        f"{where}: the labels y are {described(values)}: expected whole numbers from 0 to {num_classes - 1}, for the "
        f"network's {count(num_classes, 'output')}{advice}"
    )
