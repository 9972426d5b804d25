"""The folder that Sphinx builds the book from: chapters with their kept results, the Chinese ones woven, the reference.

For example:

    python -m book.assemble --out book/_build/source
"""

import re
import shutil
import sys
from pathlib import Path

import click
import nbformat

from . import reference
from .chapters import CHAPTERS, ROOT, ChapterError, command_line, english_chapters, read_chapter, shown
from .pages import page
from .weave import chinese_chapters, weave

EXPERIMENTS = ROOT / "experiments" / "README.md"
DOCS = ROOT / "docs"
#: a link of a Markdown text to a file of the checkout, which the book lacks
CODE_LINK = re.compile(r"\[([^\]]+)\]\((?:\.\./)[^)]*\)")


def _inside(path):
    """The Markdown document at ``path`` with the links of the book; other files of the checkout are only named."""
    text = path.read_text(encoding="utf-8").replace("](../experiments/README.md", "](/experiments.md")
    return CODE_LINK.sub(r"`\1`", text)


class Assembly:
    """The pages of the book, one after another into ``out``; ``executed`` is the folder of the executed notebooks."""

    def __init__(self, texts, out, executed=None):
        self.texts, self.out, self.executed, self.problems = texts, out, executed, []

    def _write(self, path, notebook, name, state, lang, other):
        content, without_alt = page(notebook, name, state, lang, other)
        nbformat.write(content, str(path))
        for cell in without_alt:
            needed = "Chinese: give it alt_zh" if lang == "zh" else "English: give it alt"
            self.problems.append(
                f"{path.relative_to(self.out).with_suffix('.md')}: cell {cell}: its picture has no "
                f"alternative text in {needed}"
            )

    def chapters(self):
        """The English chapters, and those that there are in Chinese."""
        chinese = {path.stem: path for path in chinese_chapters(self.texts)}
        (self.out / "zh").mkdir(parents=True)
        for text in english_chapters(self.texts):
            chapter = read_chapter(text)
            notebook, state = shown(chapter, self.executed / f"{chapter.name}.ipynb" if self.executed else None)
            path = chinese.pop(chapter.name, None)
            self._write(
                self.out / f"{chapter.name}.ipynb",
                notebook,
                chapter.name,
                state,
                "en",
                f"zh/{chapter.name}.html" if path else None,
            )
            if path:
                self._write(
                    self.out / "zh" / f"{chapter.name}.ipynb",
                    weave(path, notebook),
                    chapter.name,
                    state,
                    "zh",
                    f"../{chapter.name}.html",
                )
        if chinese:
            raise ChapterError(f"{next(iter(chinese.values()))}: there is no English chapter of this name")

    def others(self):
        """The two title pages, the guides, the experiments and the reference of the package."""
        for name in ("index.md", "zh/index.md"):
            if (self.texts / name).is_file():
                shutil.copy(self.texts / name, self.out / name)
        (self.out / "experiments.md").write_text(_inside(EXPERIMENTS), encoding="utf-8")
        (self.out / "docs").mkdir()
        for path in sorted(DOCS.iterdir()):
            if path.suffix == ".md":
                (self.out / "docs" / path.name).write_text(_inside(path), encoding="utf-8")
            else:
                shutil.copy(path, self.out / "docs" / path.name)
        reference.write(self.out / "reference")


def assemble(texts, out, executed=None):
    """Write the folder ``out`` anew from the chapters' texts in ``texts``; gives the problems found, one a line."""
    if out.exists():
        shutil.rmtree(out)
    assembly = Assembly(Path(texts), Path(out), executed)
    assembly.chapters()
    assembly.others()
    return assembly.problems


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--out", default=str(ROOT / "book" / "_build" / "source"), show_default=True, metavar="FOLDER")
@click.option("--texts", default=str(CHAPTERS), metavar="FOLDER", help="The chapters, for trials.  [default: chapters]")
@click.option("--executed", metavar="FOLDER", help="Executed notebooks, for trials.  [default: chapters/executed]")
def main(out, texts, executed):
    """Write the folder that Sphinx builds the book from. Exit status 2 where a picture has no alternative text."""
    if sys.version_info < (3, 10):
        raise ChapterError(
            f"the book is built with Sphinx 8, which needs Python 3.10 or newer; this is "
            f"{sys.version.split()[0]}: make .venv anew with PYTHON=python3.11 make setup"
        )
    problems = assemble(Path(texts), Path(out), Path(executed) if executed else None)
    if problems:
        raise ChapterError("\nbook: ".join(problems))


if __name__ == "__main__":
    command_line(main, "python -m book.assemble")
