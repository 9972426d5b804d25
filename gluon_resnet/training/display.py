"""Listeners that show training while it runs: a progress bar in a terminal, a live plot in a notebook."""

import sys
import time
from typing import Any, Callable, Optional, TextIO, Union

from IPython import display
from tqdm import tqdm

from .. import figures
from . import curves
from .history import History
from .progress import Record, Remaining, busy, testing_line


class _Decoration:
    """A stream that takes no more after it could not be written, such as a log on a full disk: the training goes on.

    tqdm itself would keep its lock then, and the program would not end.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.failed = stream, False

    def write(self, text: str) -> None:
        """Write ``text`` if that is possible."""
        self._try(lambda: self.stream.write(text))

    def flush(self) -> None:
        """Flush the stream if that is possible."""
        self._try(self.stream.flush)

    def _try(self, action: Callable[[], Any]) -> None:
        if not self.failed:
            try:
                action()
            except OSError:
                self.failed = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


class ProgressBar:
    """A listener with a bar for each epoch on standard error and, with ``lines``, a line for each on standard output.

    The bar shows the loss, the accuracy and the throughput so far, and a bar of its own each test. In a log, where
    nothing can be drawn over, there is a plain line every ``interval`` seconds instead. ``tested`` is what the lines
    call the part that is tested on after each epoch.
    """

    def __init__(
        self,
        num_epochs: int,
        stream: Optional[TextIO] = None,
        lines: bool = True,
        interval: float = 60.0,
        tested: str = "test",
    ) -> None:
        self.num_epochs, self.stream, self.lines, self.interval = num_epochs, stream, lines, interval
        self.tested = tested
        self.remaining = Remaining(num_epochs)
        self.last: Optional[Record] = None
        self.logged = time.monotonic()  # when the last line was written to a log
        self.bar: Any = None

    def __call__(self, record: Record) -> None:
        self.last = record
        self.remaining.add(record)
        if record.test_acc is not None:
            self.close()
            if self.lines:
                self._print(record)
            return
        if not self._output.isatty():
            self._log(f"{self.remaining.line(record)}, loss {record.loss:.3f}, acc {record.train_acc:.3f}")
            return
        if self.bar is None:
            self.bar = self._new_bar(f"epoch {record.epoch}/{self.num_epochs}", record.num_batches)
        self.bar.set_postfix_str(
            f"loss {record.loss:.3f}, acc {record.train_acc:.3f}, {record.examples_per_sec:.0f} ex/s", refresh=False
        )
        self.bar.update(record.batch - self.bar.n)

    def testing(self, batch: int, num_batches: Optional[int]) -> None:
        """Show that ``batch`` of a test's ``num_batches`` are done; None if their number is not known."""
        line = testing_line(self.last, self.num_epochs, batch, num_batches)
        if not self._output.isatty():
            self._log(line)
            return
        if batch == 0:
            self.close()
            self.bar = self._new_bar(line.partition(":")[0], num_batches)
        self.bar.update(batch - self.bar.n)

    @property
    def _output(self) -> TextIO:
        return self.stream or sys.stderr

    def _new_bar(self, title: str, total: Optional[int]) -> Any:
        stream = _Decoration(self._output)
        return tqdm(
            total=total, desc=title, unit="batch", file=stream, leave=False, mininterval=0.2, dynamic_ncols=True
        )

    def _log(self, line: str) -> None:
        """Write ``line`` to the log if the last one is long ago."""
        if time.monotonic() - self.logged >= self.interval:
            _Decoration(self._output).write(line + "\n")
            self.logged = time.monotonic()

    def _print(self, record: Record) -> None:
        """Print the line of an epoch."""
        test_loss = "" if record.test_loss is None else f"{self.tested} loss {record.test_loss:.3f}, "
        print(
            f"epoch {record.epoch}/{self.num_epochs}: loss {record.loss:.3f}, train acc {record.train_acc:.3f}, "
            f"{self.tested} acc {record.test_acc:.3f}, {test_loss}{record.examples_per_sec:.1f} examples/sec, "
            f"{record.seconds:.0f} s + {record.test_seconds:.0f} s testing{busy(record.others_cores)}",
            flush=True,
        )

    def close(self) -> None:
        """Remove the bar from the screen."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None


class LivePlot:
    """A listener that redraws the book's curves in the notebook cell, with rate and remaining time over them.

    A drawing takes a tenth of a second. So the curves get ``points`` new points an epoch, with ``interval`` seconds
    between two at least, and the line over them is at most ``refresh`` seconds old. The last drawing has no line.
    """

    def __init__(
        self, num_epochs: int, points: int = 5, interval: float = 1.0, refresh: float = 5.0, tested: str = "test"
    ) -> None:
        self.history, self.tested = History(points), tested
        self.num_epochs, self.interval, self.refresh = num_epochs, interval, refresh
        self.remaining = Remaining(num_epochs)
        self.last: Optional[Record] = None
        self.handle: Any = None
        self.titled = False
        self.drawn = time.monotonic() - interval  # when it was drawn last, in seconds

    def __call__(self, record: Record) -> None:
        self.last = record
        self.remaining.add(record)
        done = record.epoch == self.num_epochs and record.test_acc is not None
        due = self.interval if self.history.add(record) else self.refresh
        if done or self._age() >= due:
            self._draw(None if done else self.remaining.line(record))

    def testing(self, batch: int, num_batches: Optional[int]) -> None:
        """Show that ``batch`` of a test's ``num_batches`` are done; None if their number is not known."""
        if self._age() >= self.refresh:
            self._draw(testing_line(self.last, self.num_epochs, batch, num_batches))

    def close(self) -> None:
        """Leave the curves without the line over them."""
        if self.titled:
            self._draw(None)

    def _age(self) -> float:
        """Seconds since the last drawing."""
        return time.monotonic() - self.drawn

    def _draw(self, title: Optional[str]) -> None:
        figure = curves.draw_curves(self.history.table(), self.num_epochs, title, self.tested)
        image = display.Image(figures.as_png(figure))
        if self.handle is None:
            self.handle = display.display(image, display_id=True)
        else:
            self.handle.update(image)
        self.titled, self.drawn = title is not None, time.monotonic()


def in_notebook() -> bool:
    """Whether this code is run by a Jupyter kernel."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return any(kind.__name__ == "ZMQInteractiveShell" for kind in type(shell).__mro__)  # Colab's is derived from it


def default_listener(num_epochs: int, tested: str = "test") -> Union[LivePlot, ProgressBar]:
    """A LivePlot in a notebook, a ProgressBar elsewhere; ``tested`` names the part that is tested on."""
    return LivePlot(num_epochs, tested=tested) if in_notebook() else ProgressBar(num_epochs, tested=tested)
