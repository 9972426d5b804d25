"""Listeners that show training while it runs: a progress bar in a terminal, a live plot in a notebook."""

import sys
import time
from typing import Any, Callable, Optional, TextIO, Union

from IPython import display
from tqdm import tqdm

from .. import figures
from . import curves
from .history import History
from .progress import Record, busy


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

    The bar shows the loss, the accuracy and the throughput so far. ``tested`` is what the lines call the part that is
    tested on after each epoch.
    """

    def __init__(
        self, num_epochs: int, stream: Optional[TextIO] = None, lines: bool = True, tested: str = "test"
    ) -> None:
        self.num_epochs, self.stream, self.lines, self.tested = num_epochs, stream, lines, tested
        self.bar: Any = None

    def __call__(self, record: Record) -> None:
        stream = self.stream or sys.stderr
        if record.test_acc is not None:
            self.close()
            if not self.lines:
                return
            test_loss = "" if record.test_loss is None else f"{self.tested} loss {record.test_loss:.3f}, "
            print(
                f"epoch {record.epoch}/{self.num_epochs}: loss {record.loss:.3f}, train acc {record.train_acc:.3f}, "
                f"{self.tested} acc {record.test_acc:.3f}, {test_loss}{record.examples_per_sec:.1f} examples/sec, "
                f"{record.seconds:.0f} s + {record.test_seconds:.0f} s testing{busy(record.others_cores)}",
                flush=True,
            )
            return
        if self.bar is None:
            self.bar = tqdm(
                total=record.num_batches,
                desc=f"epoch {record.epoch}/{self.num_epochs}",
                unit="batch",
                file=_Decoration(stream),
                leave=False,
                mininterval=0.2 if stream.isatty() else 10,
                dynamic_ncols=True,
            )
        self.bar.set_postfix_str(
            f"loss {record.loss:.3f}, acc {record.train_acc:.3f}, {record.examples_per_sec:.0f} ex/s", refresh=False
        )
        self.bar.update(record.batch - self.bar.n)
        if record.batch == record.num_batches:
            self.bar.set_postfix_str(f"loss {record.loss:.3f}, acc {record.train_acc:.3f}; testing", refresh=True)

    def close(self) -> None:
        """Remove the bar from the screen."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None


class LivePlot:
    """A listener that redraws the book's curves in the notebook cell, ``points`` times an epoch.

    A drawing takes a tenth of a second, so there are ``interval`` seconds between two, and always one at the end.
    """

    def __init__(self, num_epochs: int, points: int = 5, interval: float = 1.0, tested: str = "test") -> None:
        self.history, self.tested = History(points), tested
        self.num_epochs, self.interval = num_epochs, interval
        self.handle: Any = None
        self.drawn = -1.0  # when it was drawn last, in seconds

    def __call__(self, record: Record) -> None:
        last = record.epoch == self.num_epochs and record.test_acc is not None
        if not self.history.add(record) or (time.monotonic() - self.drawn < self.interval and not last):
            return
        figure = curves.draw_curves(self.history.table(), self.num_epochs, tested=self.tested)
        image = display.Image(figures.as_png(figure))
        if self.handle is None:
            self.handle = display.display(image, display_id=True)
        else:
            self.handle.update(image)
        self.drawn = time.monotonic()


def in_notebook() -> bool:
    """Whether this code is run by a Jupyter kernel."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return any(kind.__name__ == "ZMQInteractiveShell" for kind in type(shell).__mro__)  # Colab's is derived from it


def default_listener(num_epochs: int, tested: str = "test") -> Union[LivePlot, ProgressBar]:
    """A LivePlot in a notebook, a ProgressBar elsewhere; ``tested`` names the part that is tested on."""
    return LivePlot(num_epochs, tested=tested) if in_notebook() else ProgressBar(num_epochs, tested=tested)
