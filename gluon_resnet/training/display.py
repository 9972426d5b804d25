"""Listeners that show training while it runs: a progress bar in a terminal, a live plot in a notebook."""

import sys

from IPython import display
from tqdm import tqdm

from .. import figures
from . import curves
from .history import History


class ProgressBar:
    """A bar an epoch on standard error with the loss, the accuracy and the rate so far; a line an epoch that stays."""

    def __init__(self, num_epochs, stream=None):
        self.num_epochs, self.stream, self.bar = num_epochs, stream, None

    def __call__(self, record):
        stream = self.stream or sys.stderr
        if record.test_acc is not None:
            self.close()
            print(
                f"epoch {record.epoch}/{self.num_epochs}: loss {record.loss:.3f}, train acc {record.train_acc:.3f}, "
                f"test acc {record.test_acc:.3f}, {record.examples_per_sec:.1f} examples/sec, "
                f"{record.seconds:.0f} s + {record.test_seconds:.0f} s testing",
                flush=True,
            )
            return
        if self.bar is None:
            self.bar = tqdm(
                total=record.num_batches,
                desc=f"epoch {record.epoch}/{self.num_epochs}",
                unit="batch",
                file=stream,
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

    def close(self):
        """Take the bar off the screen."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None


class LivePlot:
    """The book's animated curves, redrawn in the notebook cell a few times an epoch."""

    def __init__(self, num_epochs, points=5):
        self.history = History(points)
        self.num_epochs, self.handle = num_epochs, None

    def __call__(self, record):
        if not self.history.add(record):
            return
        image = display.Image(figures.as_png(curves.draw_curves(self.history.table(), self.num_epochs)))
        if self.handle is None:
            self.handle = display.display(image, display_id=True)
        else:
            self.handle.update(image)


def in_notebook():
    """Is this code run by a Jupyter kernel?"""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return any(kind.__name__ == "ZMQInteractiveShell" for kind in type(shell).__mro__)  # Colab's is derived from it


def default_listener(num_epochs):
    """A LivePlot in a notebook, a ProgressBar elsewhere."""
    return (LivePlot if in_notebook() else ProgressBar)(num_epochs)
