"""A font with simplified Chinese for matplotlib, out of those that this machine has."""

from pathlib import Path

from matplotlib import font_manager

#: beginnings of the names of fonts with simplified Chinese, the best first; the last ones draw some characters as in
#: Japan
CHINESE_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "WenQuanYi",
    "PingFang SC",
    "Microsoft YaHei",
    "SimHei",
    "Noto Sans CJK",
    "Source Han Sans",
    "Droid Sans Fallback",
)
#: in names of files that may hold them
FILES = ("notosanscjk", "notosanssc", "sourcehansans", "wqy", "pingfang", "msyh", "simhei", "droidsansfallback")


def _known():
    """The name of the best font that matplotlib knows, or None."""
    installed = sorted({font.name for font in font_manager.fontManager.ttflist})
    return next((name for wanted in CHINESE_FONTS for name in installed if name.startswith(wanted)), None)


def _simplified_face(path, folder):
    """Of a collection of fonts (.ttc) the face for simplified Chinese, as a file in ``folder``; None without one.

    matplotlib reads the first face of a collection only, which in Noto's is the Japanese one.
    """
    from fontTools.ttLib import TTCollection

    for font in TTCollection(str(path), lazy=True).fonts:
        name = font["name"].getDebugName(4) or ""
        if name.startswith(("Noto Sans CJK SC", "Source Han Sans SC")):
            target = Path(folder) / f"{name.replace(' ', '')}.otf"
            font.save(str(target))
            return target
    return None


def chinese_font(folder):
    """The name of a font with simplified Chinese, made known to matplotlib, or None.

    ``folder`` is for files of this process.

    matplotlib's list may be older than the font, so the machine's files are looked at, too.
    """
    for path in sorted(map(Path, font_manager.findSystemFonts())):
        stem = path.stem.lower()
        if not stem.replace("-", "").startswith(FILES) or "bold" in stem:
            continue
        face = _simplified_face(path, folder) if path.suffix.lower() == ".ttc" and "cjk" in stem else None
        font_manager.fontManager.addfont(str(face or path))
    return _known()
