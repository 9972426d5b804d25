"""Passes over the iterators that mxnet has in C++, such as ImageRecordIter: each example once a pass.

With round_batch, which is on by default, such an iterator fills up the last batch with the first examples of the next
pass, and leaves them out of that pass. So passes would differ, and an accuracy would be that of some of the examples.
Here these examples are held until the next pass, and all batches but the last have the same size. Without round_batch,
mxnet fills up the last batch with what happens to be in memory and does not tell: such an iterator needs a batch size
that divides the number of examples.
"""

from typing import Any, Iterator, Optional, Tuple

import mxnet as mx

from ..errors import DataError

Rows = Tuple[Any, Any]  # (X, y)


def split(batch: Any, fill: int) -> Tuple[Rows, Optional[Rows]]:
    """(its own rows, the ``fill`` last rows or None) of a DataBatch with one X and one y."""
    X, y = batch.data[0], batch.label[0]
    if not fill:
        return (X, y), None
    count = X.shape[0] - fill
    return (X[:count], y[:count]), (X[count:].copy(), y[count:].copy())


class Rounds:
    """The passes over ``source``, an MXDataIter: iterate as often as you like, one pass after the other."""

    def __init__(self, source: Any) -> None:
        if source.first_batch is None:  # mxnet keeps it until someone reads or resets the iterator
            raise DataError("an iterator of mx.io that has been read or reset before: expected a new one")
        self.source, self.used = source, False
        self.total: Optional[int] = None  # examples, known after the first pass
        self.held: Optional[Rows] = None  # the rows of the next pass that have come already
        self.reading: Iterator[Rows] = iter(())

    @classmethod
    def of(cls, source: Any) -> "Rounds":
        """The Rounds of ``source``, always the same: it must know what of the next pass has come."""
        if not hasattr(source, "rounds"):
            source.rounds = cls(source)
        return source.rounds

    def __iter__(self) -> Iterator[Rows]:
        for _ in self.reading:  # the rest of a pass that was broken off
            pass
        size, held, self.reading = self.source.batch_size, self.held, self._read()
        for X, y in self.reading:
            if held:
                X, y = mx.nd.concat(held[0], X, dim=0), mx.nd.concat(held[1], y, dim=0)
            if X.shape[0] < size:
                held = X, y
                continue
            yield X[:size], y[:size]
            held = (X[size:], y[size:]) if X.shape[0] > size else None
        if held:
            yield held

    def _read(self) -> Iterator[Rows]:
        """The rows that a pass of the source has of its own, batch by batch; in the end its other rows are held."""
        if self.used:
            self.source.reset()
        self.used, size, batches, fill = True, self.source.batch_size, 0, 0
        rest, coming = None, next(self.source, None)
        while coming is not None:
            batch, coming, batches = coming, next(self.source, None), batches + 1
            if coming is None:
                fill = self._fill(batch)
            rows, rest = split(batch, fill)
            yield rows
        if self.total is None:
            self.total = batches * size - fill
        elif batches * size - fill != self._own():
            raise DataError(
                "an iterator of mx.io that other code has read or reset between two passes: expected one that nothing "
                "else reads"
            )
        self.held = rest

    def _own(self) -> int:
        """Examples that a pass of the source has of its own; for the passes after the first."""
        return (self.total or 0) - (self.held[1].shape[0] if self.held else 0)

    def _fill(self, batch: Any) -> int:
        """How many rows fill up a pass's last batch; after the first pass, mxnet's own number may be an old one."""
        return (batch.pad or 0) if self.total is None else -self._own() % self.source.batch_size
