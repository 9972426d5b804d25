"""What a person sees on a terminal: lines broken between words, and tables that fit."""

from gluon_resnet import text

import pandas as pd
import pytest

from tests.conftest import Tty

LINE = "tests: batch-norm statistics are re-estimated from 20 training batches before each"


@pytest.mark.parametrize(
    "line, lines",
    [
        (LINE, ["tests: batch-norm statistics are", "re-estimated from 20 training batches", "before each"]),
        ("short", ["short"]),
        (
            "a/very/long/name/of/a/folder/that/is/in/one/piece.png",
            ["a/very/long/name/of/a/folder/that/is/in/one/piece.png"],
        ),
        (
            "gluon-resnet: No module named 'click'; run: python -m pip install -r requirements.txt",
            ["gluon-resnet: No module named 'click';", "run:", "python -m pip install -r requirements.txt"],
        ),
        (
            "a row of a table  with two blanks  in it, left as it is",
            ["a row of a table  with two blanks  in it, left as it is"],
        ),
        ("dense0 output shape:\t (1, 10) and so on and so on", ["dense0 output shape:\t (1, 10) and so on and so on"]),
    ],
)
def test_long_lines_are_broken_between_words(monkeypatch, line, lines):
    monkeypatch.setenv("COLUMNS", "40")
    terminal = Tty()
    print(line, file=text.Terminal(terminal))
    assert terminal.getvalue() == "\n".join(lines) + "\n"


def test_a_pipe_gets_lines_as_they_are(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "40")
    assert text.terminal_width() is None
    print(LINE, file=text.Terminal(text.sys.stdout))
    assert capsys.readouterr().out == LINE + "\n"


def test_what_moves_the_cursor_is_not_broken(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    terminal = Tty()
    text.Terminal(terminal).write("\rlearning rates:  90%| 90/100 [01:14<00:09]")
    assert terminal.getvalue() == "\rlearning rates:  90%| 90/100 [01:14<00:09]"


def test_a_table_does_without_columns_until_it_fits():
    rows = pd.DataFrame({"name": ["20261128-103301"], "model": ["resnet18@d2l"], "data": ["birds"], "loss": ["0.123"]})
    shown, left_out = text.fitted(rows, 34, ("data", "model", "loss"))
    assert left_out == ["data", "model"] and shown.split("\n")[0].split() == ["name", "loss"]
    assert text.fitted(rows, None, ("data",)) == (text.table(rows), [])
    assert text.fitted(rows, 10, ("data",))[1] == ["data"]  # the rest cannot be left out
