"""Figures without a screen, and their files."""

import io
from pathlib import Path

from matplotlib import font_manager
from matplotlib.figure import Figure

from .errors import RunError
from .files import writing


def new_figure(width: float, height: float) -> Figure:
    """An empty matplotlib Figure of ``width`` x ``height`` inches, made without pyplot: it needs no screen."""
    return Figure(figsize=(width, height), layout="constrained")


def check_picture_path(path):
    """Raise RunError unless a picture may be written at ``path``: its suffix is known and its folder there."""
    path = Path(path)
    if path.suffix not in (".png", ".svg", ".pdf"):
        raise RunError(f"{path}: pictures are written as .png, .svg or .pdf")
    if not path.parent.is_dir():
        raise RunError(f"{path}: there is no folder {path.parent}")


def save_figure(figure, path, dpi=110):
    """Write ``figure`` to ``path`` (.png, .svg, .pdf), whole or not at all; RunError if it cannot be written."""
    check_picture_path(path)
    with writing(path) as temporary:
        figure.savefig(temporary, dpi=dpi)


def as_png(figure, dpi=110):
    """The bytes of ``figure`` as a PNG picture."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=dpi)
    return stream.getvalue()


#: Fonts with Chinese, Japanese and Korean characters, which matplotlib's own font lacks; used where they are installed.
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


def fonts():
    """matplotlib's font, and after it those of CJK_FONTS that this machine has."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in CJK_FONTS if name in installed)]
