"""What the book takes from the checkout besides its chapters: the guides, the experiments, the package's docstrings."""

import re

import pytest

from book import assemble, reference
from tests.conftest import ROOT


@pytest.mark.parametrize(
    "folder, text, expected",
    [
        ("docs", "[networks](networks.md)", "[networks](/docs/networks.md)"),
        ("docs", "[a file](../experiments/README.md#a-file)", "[a file](/experiments.md#a-file)"),
        ("docs", "[chapter 6](../chapters/06-by-hand.md)", "[chapter 6](/06-by-hand.ipynb)"),
        ("docs", "[contents](../chapters/zh/index.md)", "[contents](/zh/index.md)"),
        ("docs", "[`families.py`](../gluon_resnet/networks/families.py)", "`families.py`"),
        ("docs", "[below](#the-data), [d2l](https://d2l.ai/x.md)", "[below](#the-data), [d2l](https://d2l.ai/x.md)"),
        ("docs", "![a picture](reconcile.png)", "![a picture](reconcile.png)"),
        ("experiments", "[recipe](../docs/training.md#settings)", "[recipe](/docs/training.md#settings)"),
        ("experiments", "[config.py](../gluon_resnet/runs/config.py)", "`config.py`"),
    ],
)
def test_links_lead_to_pages_of_the_book(folder, text, expected):
    assert assemble.with_links_of_the_book(text, folder) == expected


def test_every_guide_is_in_the_contents():
    contents = (ROOT / "chapters" / "index.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^docs/([\w-]+)$", contents, re.MULTILINE)) == sorted(
        path.stem for path in (ROOT / "docs").glob("*.md")
    )


def plain(docstring):
    """A function's docstring as autodoc gives it to napoleon."""
    lines = docstring.split("\n")
    reference.plain_docstring(None, "function", "f", None, None, lines)
    return "\n".join(lines)


def test_stars_are_no_markup_but_in_examples():
    assert plain("a * b, ``c * d``\n\n    e * f\n\ng|h") == "a \\* b, ``c * d``\n\n::\n\n    e * f\n\ng\\|h"


def test_sections_are_kept_for_napoleon():
    text = "Sum.\n\nArgs:\n    a: 2 * b,\n        or c.\n\nReturns:\n    {name: array}."
    assert plain(text) == "Sum.\n\nArgs:\n    a: 2 \\* b,\n        or c.\n\nReturns:\n    : {name: array}."
