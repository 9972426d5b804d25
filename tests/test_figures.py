"""Texts in figures are drawn as they are: nothing in a name is read as a formula."""

import re
import warnings
from xml.etree import ElementTree

from gluon_resnet import figures
from gluon_resnet.data.plot import draw_pictures
from gluon_resnet.evaluation import metrics, plots
from gluon_resnet.training.curves import draw_curves
from gluon_resnet.training.history import COLUMNS

import numpy
import pandas as pd
import pytest
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg

#: even numbers of dollar signs, unknown commands, an open brace: matplotlib's parser stumbles over each
NAMES = ("$USER_$HOST", r"a$\x$b", "$100$", "$", r"\$5 \$6", r"$\frac{$", "x^{2$ $_")


def texts(figure, path):
    """The texts in a figure saved as SVG, read by Python's own XML parser."""
    with rc_context({"svg.fonttype": "none"}):
        figures.save_figure(figure, path)
    tree = ElementTree.parse(path)
    return ["".join(element.itertext()) for element in tree.iter("{http://www.w3.org/2000/svg}text")]


def history():
    row = {name: 1 for name in COLUMNS}
    return pd.DataFrame([row, {**row, "position": 2}], columns=COLUMNS)


def test_names_are_drawn_letter_by_letter(tmp_path):
    spaced = [name.replace("_", " ") for name in NAMES]
    pictures = [numpy.zeros((8, 8, 3), numpy.uint8) for _ in NAMES]
    rows = pd.DataFrame(
        {
            "name": [f"a/{name}" for name in NAMES],
            "true": NAMES,
            "predicted": NAMES,
            "probability": 0.5,
            "loss": 0.7,
            "right": False,
        }
    )
    predicted = pd.DataFrame({"image": NAMES, "label": NAMES, "probability": 0.9})
    confusion = metrics.confusion(range(len(NAMES)), range(len(NAMES)), NAMES)
    for figure, expected in (
        (draw_pictures(pictures, NAMES, ""), spaced),
        (plots.draw_confusion(confusion), spaced),
        (plots.draw_top_losses(pictures, rows), [f"predicted: {name}" for name in spaced]),
        (plots.draw_prediction_grid(pictures, rows), spaced),
        (plots.draw_class_maps(pictures[0], [numpy.zeros((8, 8))] * len(NAMES), NAMES, "heading"), spaced),
        (plots.draw_runs({name: history() for name in NAMES}), spaced),
        (plots.draw_predictions(numpy.stack(pictures), predicted), NAMES),
    ):
        found = texts(figure, tmp_path / "figure.svg")
        assert [name for name in expected if name not in found] == [], found
    figure = draw_curves(history(), title=NAMES[0])  # a PNG, as in a run folder
    assert figures.as_png(figure).startswith(b"\x89PNG") and NAMES[0] in texts(figure, tmp_path / "figure.svg")


def test_a_long_title_with_dollar_signs_is_broken_into_lines_that_fit(tmp_path):
    title = "resnet18@d2l on /home/$USER_$HOST: " + "many $words " * 30
    figure = draw_curves(history(), title=title)
    lines = texts(figure, tmp_path / "figure.svg")
    drawn = [line for line in lines if "words" in line]
    assert " ".join(drawn) == title.strip() and 2 < len(drawn) < 8
    renderer = FigureCanvasAgg(figure).get_renderer()
    assert figure._suptitle.get_window_extent(renderer).width < figure.bbox.width


def test_bytes_that_are_not_utf_8_are_question_marks(tmp_path, recwarn):
    # of these four, c2 e9 is no character in UTF-8, c8 b8 happens to be the letter U+0238
    name = "麻雀".encode("gbk").decode("utf-8", "surrogateescape")  # as Python gives such a file's name
    for figure in (
        draw_curves(history(), title=name),
        plots.draw_confusion(metrics.confusion([0, 1], [1, 1], [name, "other"])),
    ):
        assert "??\u0238" in texts(figure, tmp_path / "figure.svg")
    assert [str(warning.message) for warning in recwarn if "Glyph" in str(warning.message)] == []


def test_powers_of_ten_on_an_axis_stay_formulas(tmp_path):
    figure = figures.new_figure(4, 3)
    axes = figure.subplots()
    axes.semilogx([1e-5, 1e-1], [0, 1])
    axes.set_title("$lr$")
    found = texts(figure, tmp_path / "figure.svg")
    assert "$lr$" in found and not any("mathdefault" in text for text in found)
    assert [text for text in found if re.fullmatch(r"10\s*−3", text.strip())], found


CHINESE = ("鳥", "白鹭", "猫头鹰")


def test_characters_that_no_font_has_are_told_once_and_without_warnings(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(figures, "CJK_FONTS", ())
    monkeypatch.setattr(figures, "_advised", set())
    pictures = [numpy.zeros((8, 8, 3), numpy.uint8) for _ in CHINESE]
    confusion = metrics.confusion(range(3), range(3), CHINESE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for figure in (
            draw_pictures(pictures, CHINESE, "鳥"),
            plots.draw_confusion(confusion),
            draw_curves(history(), title="resnet18 on /data/鳥"),
        ):
            figures.save_figure(figure, tmp_path / "figure.png")
    assert capfd.readouterr().err == figures.ADVICE + "\n"


def test_a_font_that_has_the_characters_is_taken_for_every_text(tmp_path, monkeypatch, capfd):
    """Which font that is depends on the machine: here one of matplotlib's own stands for it, with Arabic letters."""
    monkeypatch.setattr(figures, "_advised", set())
    monkeypatch.setattr(figures, "fonts", lambda: ["STIXGeneral", "DejaVu Sans"])
    with rc_context({"font.family": "STIXGeneral"}):
        figure = draw_curves(history(), title="\u0639")
        figures.save_figure(figure, tmp_path / "figure.png")
    assert capfd.readouterr().err == ""


def test_other_warnings_are_passed_on(tmp_path):
    figure = figures.new_figure(2, 2)
    monkey = figure.subplots()
    monkey.draw = lambda renderer: warnings.warn("something else", UserWarning, stacklevel=1)
    with pytest.warns(UserWarning, match="something else"):
        figures.save_figure(figure, tmp_path / "figure.png")
