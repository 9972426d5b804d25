"""What the book takes from the checkout besides its chapters: the guides, the experiments, the package's docstrings."""

import re

import nbformat
import pytest

from book import assemble, commands, downloads, pages, reference
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


def test_every_command_is_in_the_reference_with_all_its_options(run_cli):
    page, seen = commands.page(), []
    sections = re.split(r"\n\n(?=[^\n]+\n[-~]+\n\n)", page)

    def look(words):
        """Compare the page with what ``--help`` prints for a command, and go on to its sub-commands."""
        printed = run_cli(*words, "--help").stdout
        listed = printed.partition("\nCommands:\n")[2]
        seen.append(" ".join(words))
        if words:
            section = next(part for part in sections if part.startswith(f"{' '.join(words)}\n"))
            options = set(re.findall(r"^  (?:-\w, )?(--[\w-]+)", printed, re.MULTILINE)) - {"--help"}
            assert options == set(re.findall(r"^``(?:-\w, )?(--[\w-]+)", section, re.MULTILINE)), words
        for name in re.findall(r"^  ([a-z][\w-]*)", listed, re.MULTILINE):
            look([*words, name])

    look([])
    assert len(seen) == len(sections) > 30


def test_a_downloaded_notebook_needs_no_book():
    text = (
        "# T\n\nSee {cite}`he2016deep`.\n\n```{note}\nTake care.\n```\n\n```{dropdown} Solution\nIt is *so*.\n```\n\n"
        "```{bibliography}\n:filter: docname in docnames\n```"
    )
    cells = [nbformat.v4.new_markdown_cell(text), nbformat.v4.new_code_cell("1", outputs=[])]
    made = downloads.for_download(nbformat.v4.new_notebook(cells=cells), "en")
    nbformat.validate(made)
    assert made.cells[0].source == (
        "# T\n\nSee [he2016deep].\n\n> **Note**\n> \n> Take care.\n\n"
        "<details><summary>Solution</summary>\n\nIt is *so*.\n\n</details>\n\n"
        "- [he2016deep] Kaiming He, Xiangyu Zhang, Shaoqing Ren, Jian Sun: "
        "Deep Residual Learning for Image Recognition, 2016, arXiv:1512.03385"
    )
    assert made.cells[1].source == "1"


@pytest.mark.parametrize(
    "text, lang, expected",
    [
        ("chapter 1, chapter 2", "en", "[chapter 1](01-a.ipynb), chapter 2"),
        ("# Chapter 1", "en", "# Chapter 1"),
        ("见第一章和第三章。", "zh", '见[第一章](01-a.ipynb)和<a href="../03-c.html" hreflang="en">第三章</a>。'),
    ],
)
def test_chapters_are_linked(text, lang, expected):
    chapters = {"en": {1: "01-a", 2: "02-b", 3: "03-c"}, "zh": {1: "01-a", 2: "02-b"}}
    assert pages.with_links_to_chapters(text, "02-b", chapters, lang) == expected
