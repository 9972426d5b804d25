"""Figures without a screen, and their files."""

import io
from pathlib import Path
from typing import List, Union

from matplotlib import font_manager
from matplotlib.figure import Figure

from .errors import RunError
from .files import writing


def new_figure(width: float, height: float) -> Figure:
    """An empty matplotlib Figure of ``width`` x ``height`` inches, made without pyplot, so it needs no screen."""
    return Figure(figsize=(width, height), layout="constrained")


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
