"""The books' plots: live in a notebook, and as PNG files in the working folder elsewhere."""

import atexit
import itertools
import sys
from pathlib import Path
from typing import Any, List, Optional, Sequence

import numpy
from matplotlib import pyplot as plt

from ..figures import save_figure
from ..training import curves
from ..training.display import LivePlot, ProgressBar, in_notebook
from ..training.history import History
from ..training.progress import Record
from .base import d2l as base

_numbers = itertools.count(1)


def _new_path(name: str) -> Path:
    """Path of a PNG file in the working folder that is not there yet: d2l-animator-1.png."""
    return next(path for number in _numbers if not (path := Path(f"d2l-{name}-{number}.png")).exists())


class Animator(base.Animator):
    """d2l's Animator. Outside a notebook the figure is written once, when the program ends, as d2l-animator-N.png.

    Args are d2l's: labels, limits and scales of the axes, the legend, formats of the lines, and the figure's size in
    inches. Source: d2l 0.10 to 1.0.
    """

    X: Any
    Y: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.path: Optional[Path] = None
        if not in_notebook():
            plt.close(self.fig)  # pyplot would warn of many open figures
            atexit.register(self.write)

    def add(self, x: Any, y: Any) -> None:
        """Add the points ``y`` at ``x``, a number or a sequence with one for each line; None leaves a line out."""
        if in_notebook():
            super().add(x, y)
            return
        values: Sequence[Any] = y if hasattr(y, "__len__") else [y]
        places: Sequence[Any] = x if hasattr(x, "__len__") else [x] * len(values)
        self.X = self.X or [[] for _ in values]
        self.Y = self.Y or [[] for _ in values]
        for number, (place, value) in enumerate(zip(places, values)):
            if place is not None and value is not None:
                self.X[number].append(place)
                self.Y[number].append(value)

    def write(self) -> None:
        """Write the figure, once, and name its file on standard error."""
        if self.path is not None or not self.X:
            return
        for places, values, form in zip(self.X, self.Y, self.fmts):
            self.axes[0].plot(places, values, form)
        self.config_axes()
        self.path = _new_path("animator")
        save_figure(self.fig, self.path)
        print(f"plot: {self.path}", file=sys.stderr)


_plot = base.plot


def _as_numpy(values: Any) -> Any:
    """mxnet's arrays as NumPy's, also those in a list: matplotlib takes the former for sequences of sequences."""
    if isinstance(values, (list, tuple)):
        return type(values)(map(_as_numpy, values))
    return values.asnumpy() if hasattr(values, "asnumpy") else values


def plot(X: Any, Y: Any = None, *args: Any, **kwargs: Any) -> None:
    """Plot lines, as d2l's own function does; X and Y may hold mxnet's arrays. Source: d2l 0.10 to 1.0."""
    _plot(_as_numpy(X), _as_numpy(Y), *args, **kwargs)


class CurvesFile:
    """A listener of a training that writes the curves to a PNG file after each epoch."""

    def __init__(self, num_epochs: int) -> None:
        self.history, self.num_epochs = History(5), num_epochs
        self.path: Optional[Path] = None

    def __call__(self, record: Record) -> None:
        self.history.add(record)
        if record.test_acc is None:
            return
        if self.path is None:
            self.path = _new_path("train")
            print(f"plot: {self.path}", file=sys.stderr)
        save_figure(curves.draw_curves(self.history.table(), self.num_epochs), self.path)


def listeners(num_epochs: int) -> List[Any]:
    """Listeners of a training: a live plot in a notebook; a progress bar and a PNG file elsewhere."""
    if in_notebook():
        return [LivePlot(num_epochs)]
    return [ProgressBar(num_epochs, lines=False), CurvesFile(num_epochs)]


def semilogy(
    x_vals: Any,
    y_vals: Any,
    x_label: str,
    y_label: str,
    x2_vals: Any = None,
    y2_vals: Any = None,
    legend: Optional[Sequence[str]] = None,
    figsize: Sequence[float] = (3.5, 2.5),
) -> None:
    """Plot one or two lines on a logarithmic vertical axis.

    Args:
        x_vals: places of the first line.
        y_vals: its values.
        x_label: label of the horizontal axis.
        y_label: label of the vertical axis.
        x2_vals: places of the second line, if any.
        y2_vals: its values.
        legend: a name for each line.
        figsize: width and height in inches.

    Source: gluonbook, d2lzh, d2l 0.8 and 0.9.
    """
    base.set_figsize(figsize)
    plt.xlabel(x_label)
    plt.ylabel(y_label)
    plt.semilogy(x_vals, y_vals)
    if x2_vals and y2_vals:
        plt.semilogy(x2_vals, y2_vals, linestyle=":")
        plt.legend(legend)
    plt.show()


def show_fashion_mnist(images: Any, labels: Sequence[str]) -> None:
    """Show images (N, 28, 28) or (N, 1, 28, 28) in a row, each under its label. Source: d2lzh, d2l 0.8 to 0.10."""
    base.use_svg_display()
    _, axes = plt.subplots(1, len(images), figsize=(12, 12), squeeze=False)
    for one, image, label in zip(axes[0], images, labels):
        one.imshow(image.reshape((28, 28)).asnumpy())
        one.set_title(label)
        _without_ticks(one)


def show_images(imgs: Sequence[Any], num_rows: int, num_cols: int, scale: float = 2) -> numpy.ndarray:
    """Show images in rows and columns, as the editions on classic arrays do.

    Args:
        imgs: arrays (H, W) or (H, W, C), of mxnet or NumPy.
        num_rows: rows.
        num_cols: columns.
        scale: inches for each image.

    Returns:
        The axes, (num_rows, num_cols) if there are several rows.
    """
    _, axes = plt.subplots(num_rows, num_cols, figsize=(num_cols * scale, num_rows * scale))
    for one, image in zip(numpy.ravel(axes), imgs):
        one.imshow(image.asnumpy() if hasattr(image, "asnumpy") else image)
        _without_ticks(one)
    return axes


def _without_ticks(axes: Any) -> None:
    axes.axes.get_xaxis().set_visible(False)
    axes.axes.get_yaxis().set_visible(False)


def show_trace_2d(f: Any, res: Sequence[Any]) -> None:
    """Plot the steps ``res`` of an optimizer, pairs (x1, x2), on the contours of ``f``. Source: d2lzh, d2l 0.8 on."""
    first, second = zip(*res)
    base.set_figsize()
    plt.plot(first, second, "-o", color="#ff7f0e")
    x1, x2 = numpy.meshgrid(
        numpy.arange(-5.5, 1.0, 0.1), numpy.arange(min(-3.0, min(second) - 1), max(1.0, max(second) + 1), 0.1)
    )
    plt.contour(x1, x2, f(x1, x2), colors="#1f77b4")
    plt.xlabel("x1")
    plt.ylabel("x2")
