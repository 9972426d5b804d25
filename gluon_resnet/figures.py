"""Figures without a screen, and their files."""

import io
import sys
import textwrap
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, List, Set, Union

from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import LogFormatter

from .errors import RunError
from .files import writing
from .text import printable

ADVICE = "no font here has all characters of the names in figures: as root run 'apt-get install fonts-noto-cjk'"
CHARACTER = 0.65  # width of most texts' letters on average, as a share of the font's size


class PlainFigure(Figure):
    """A Figure that draws its texts as they are: names of files and classes may have ``$`` and any bytes in them.

    matplotlib's own powers of ten on logarithmic axes stay formulas.
    """

    def draw(self, renderer: Any) -> None:
        """Draw the figure; matplotlib calls this whenever the figure is shown or saved."""
        powers = self._powers_of_ten()
        for text in self.findobj(Text):
            if text not in powers:
                text.set_parse_math(False)
                self._make_plain(text)
                if not text.get_text().isascii():
                    text.set_fontfamily(fonts())
        with _glyphs_told():
            super().draw(renderer)

    def _powers_of_ten(self) -> Set[Text]:
        ticks = [
            tick
            for axes in self.axes
            for axis in (axes.xaxis, axes.yaxis)
            if isinstance(axis.get_major_formatter(), LogFormatter)
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())
        ]
        return {label for tick in ticks for label in (tick.label1, tick.label2)}

    def _make_plain(self, text: Text) -> None:
        """Make the characters of ``text`` printable, and break its lines here if it has a dollar sign.

        matplotlib 3.8 and later measure the lines of a text with ``wrap`` as formulas, whatever ``parse_math`` says.
        """
        words = text.get_text()
        if printable(words) != words:
            text.set_text(printable(words))
        if text.get_wrap() and "$" in words:
            points = 72 * self.get_figwidth()
            longest = max(1, int(points / (CHARACTER * text.get_fontsize())))
            text.set(text=textwrap.fill(text.get_text(), longest), wrap=False)


_advised: Set[str] = set()  # what has been said in this process


@contextmanager
def _glyphs_told() -> Iterator[None]:
    """Context in which characters that no font has are told in one line of advice, once, not by a warning each."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    others = [warning for warning in caught if "Glyph" not in str(warning.message)]
    for warning in others:
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    if len(others) < len(caught) and ADVICE not in _advised:
        _advised.add(ADVICE)
        print(ADVICE, file=sys.stderr, flush=True)


def new_figure(width: float, height: float) -> Figure:
    """An empty matplotlib Figure of ``width`` x ``height`` inches, made without pyplot, so it needs no screen.

    Every text in it is drawn as it is, never read as a formula.
    """
    return PlainFigure(figsize=(width, height), layout="constrained")


def check_picture_path(path: Union[str, Path]) -> None:
    """Raise RunError unless ``path`` ends in .png, .svg or .pdf and its folder exists."""
    path = Path(path)
    if path.suffix not in (".png", ".svg", ".pdf"):
        raise RunError(f"{path}: figures are written as .png, .svg or .pdf")
    if not path.parent.is_dir():
        raise RunError(f"{path}: there is no folder {path.parent}")


def save_figure(figure: Figure, path: Union[str, Path], dpi: float = 110) -> None:
    """Write ``figure`` to ``path`` (.png, .svg, .pdf), whole or not at all; RunError if it cannot be written."""
    check_picture_path(path)
    with writing(path) as temporary:
        figure.savefig(temporary, dpi=dpi)


def as_png(figure: Figure, dpi: float = 110) -> bytes:
    """The bytes of ``figure`` as a PNG file."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=dpi)
    return stream.getvalue()


#: Fonts with Chinese, Japanese and Korean characters, which matplotlib's own font lacks; used if they are installed.
CJK_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Source Han Sans SC",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Droid Sans Fallback",
    "SimHei",
    "Microsoft YaHei",
    "PingFang SC",
)


def fonts() -> List[str]:
    """Names of matplotlib's own font and of the installed :data:`CJK_FONTS`, in order of preference."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in CJK_FONTS if name in installed)]
