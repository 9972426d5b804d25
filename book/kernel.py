"""What a chapter's kernel is given before its first cell, by run.py; nothing of it stays in the notebook.

Figures are shown as PNG at a resolution for sharp screens, and once more with Chinese texts where chinese.yml has them;
a shell command (``!gluon-resnet ...``) that fails fails the cell.
"""

import base64
import io
import os
import re
import subprocess
from contextlib import contextmanager
from pathlib import Path

from gluon_resnet import figures

import yaml
from matplotlib import rcParams
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import Formatter

from .fonts import chinese_font
from .pictures import png_size

CHINESE_PNG = "image/png+zh"
TEXTS = Path(__file__).with_name("chinese.yml")
SHOWN_DPI, DPI = 96, 144  # a figure of 6 inches is shown 576 pixels wide and has 864


class Translations:
    """English texts of figures in Chinese, from a YAML file of ``English: Chinese``.

    ``{}`` in both stands for any text, in the same order: ``"{} epochs": "{} 轮"``.
    """

    def __init__(self, path=TEXTS):
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        self.texts = {english: chinese for english, chinese in content.items() if "{}" not in english}
        self.patterns = [
            (re.compile(re.escape(english).replace(r"\{\}", "(.+?)"), re.DOTALL), chinese)
            for english, chinese in content.items()
            if "{}" in english
        ]

    def __call__(self, english):
        """The Chinese text, or None where there is none."""
        if english in self.texts:
            return self.texts[english]
        for pattern, chinese in self.patterns:
            match = pattern.fullmatch(english)
            if match:
                return chinese.format(*match.groups())
        return None


class TranslatedTicks(Formatter):
    """Tick labels of another formatter, in Chinese where there is a text."""

    def __init__(self, formatter, translate):
        self.formatter, self.translate = formatter, translate

    def _translated(self, label):
        return self.translate(label) or label

    def __call__(self, value, position=None):
        return self._translated(self.formatter(value, position))

    def format_ticks(self, values):
        """The labels of ``values``."""
        return [self._translated(label) for label in self.formatter.format_ticks(values)]

    def get_offset(self):
        """The other formatter's."""
        return self.formatter.get_offset()


def _axes_of(figure):
    """Every x and y axis of a figure."""
    return [axis for axes in figure.get_axes() for axis in (axes.xaxis, axes.yaxis)]


@contextmanager
def in_chinese(figure, translate):
    """Context in which ``figure`` has its Chinese texts; gives whether there is one."""
    changed = [(text, text.get_text()) for text in figure.findobj(Text) if translate(text.get_text())]
    formatters = [(axis.major, axis.major.formatter) for axis in _axes_of(figure)]
    try:
        for text, english in changed:
            text.set_text(translate(english))
        for major, formatter in formatters:
            major.formatter = TranslatedTicks(formatter, translate)
        yield bool(changed)
    finally:
        for text, english in changed:
            text.set_text(english)
        for major, formatter in formatters:
            major.formatter = formatter


def _with_few_colours(png):
    """A PNG of lines and texts at 256 colours: a third of the bytes, and no eye sees it."""
    from PIL import Image

    stream = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(256).save(stream, format="PNG", optimize=True)
    return stream.getvalue()


def _png(figure):
    """(PNG of a figure as base64 text, its size on the page as metadata), None for a figure with nothing on it."""
    if not (figure.axes or figure.lines or figure.texts or figure.images):
        return None
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=DPI, bbox_inches="tight", facecolor="white")
    data = stream.getvalue()
    if not any(axes.images for axes in figure.axes):
        data = _with_few_colours(data)
    text = base64.b64encode(data).decode()
    width, height = png_size(text)
    return text, {"width": round(width * SHOWN_DPI / DPI), "height": round(height * SHOWN_DPI / DPI)}


class FigurePNG(bytes):
    """A PNG that knows the figure it was drawn from."""

    figure = None


def _remember_figures():
    """plots.as_png gives FigurePNG from now on: the live plot of a training shows such bytes, not a figure."""
    as_png = figures.as_png

    def remembering(figure, *args, **kwargs):
        png = FigurePNG(as_png(figure, *args, **kwargs))
        png.figure = figure
        return png

    figures.as_png = remembering


def _show_chinese(shell, font):
    """Add the second picture to what the shell makes of figures, and of PNGs of figures."""
    from IPython.core.formatters import BaseFormatter
    from IPython.display import Image
    from traitlets import ObjectName, Unicode

    class ChinesePNG(BaseFormatter):
        format_type = Unicode(CHINESE_PNG)
        print_method = ObjectName("_repr_chinese_png_")
        _return_type = (str, tuple)

    translate, formatter = Translations(), ChinesePNG(parent=shell.display_formatter)

    def chinese_png(figure):
        with in_chinese(figure, translate) as any_text:
            return _png(figure) if any_text else None

    formatter.for_type(Figure, chinese_png)
    formatter.for_type(
        Image, lambda image: chinese_png(image.data.figure) if isinstance(image.data, FigurePNG) else None
    )
    shell.display_formatter.formatters[CHINESE_PNG] = formatter
    # glyphs that the font of the English texts lacks come from this one; the others look as before
    rcParams["font.family"] = [*rcParams["font.family"], font]


def _run_commands_strictly(shell):
    """``!command`` prints what the command prints, without a terminal, and raises where its exit status is not 0."""

    def system(command):
        done = subprocess.run(
            shell.var_expand(command, depth=1),
            shell=True,
            executable="/bin/sh",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        print(done.stdout.decode(errors="replace"), end="")
        shell.user_ns["_exit_code"] = done.returncode
        if done.returncode:
            raise RuntimeError(f"exit status {done.returncode}: {command}")

    shell.system = system


def prepare(stand_in=None):
    """Set the running kernel up. ``stand_in``: a folder with drawn files to take for Fashion-MNIST, or None."""
    from IPython import get_ipython

    shell = get_ipython()
    shell.run_line_magic("matplotlib", "inline")  # a later one leaves the formatters alone
    shell.display_formatter.formatters["image/png"].for_type(Figure, _png)
    _run_commands_strictly(shell)
    font = chinese_font(os.environ["IPYTHONDIR"])
    if font:
        _remember_figures()
        _show_chinese(shell, font)
    if stand_in:
        from . import stand_in as drawn

        drawn.take(stand_in)
