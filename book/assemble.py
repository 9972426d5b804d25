"""The folder that Sphinx builds the book from: chapters with their kept results, guides, experiments, the reference.

For example:

    python -m book.assemble --out book/_build/source
"""

import posixpath
import re
import shutil
import sys
from pathlib import Path

import click
import nbformat

from . import commands, reference
from .chapters import CHAPTERS, ROOT, ChapterError, command_line, english_chapters, read_chapter, shown
from .downloads import for_download
from .drawn import with_drawn_pictures
from .pages import page
from .weave import chinese_chapters, weave

EXPERIMENTS = ROOT / "experiments" / "README.md"
DOCS = ROOT / "docs"
#: a link, but no image, in a Markdown text: its words, the file, "#" and the place in it
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s#]*)(#[^)\s]*)?\)")


def page_of(file):
    """The book's source of a ``file`` of the checkout, such as "docs/install.md"; None if the book has no such page."""
    folder, _, name = file.rpartition("/")
    if file == "experiments/README.md":
        return "/experiments.md"
    if folder == "docs" and name.endswith(".md"):
        return f"/{file}"
    if folder in ("chapters", "chapters/zh") and name.endswith(".md"):
        page = name if name == "index.md" else name.replace(".md", ".ipynb")
        return f"{folder[len('chapters') :]}/{page}"
    return None


def with_links_of_the_book(text, folder):
    """``text`` of a Markdown document in ``folder`` of the checkout, with links to pages of the book.

    Files that are no page of the book are named without a link: those readers have no checkout.
    """

    def link(match):
        words, target, place = match.group(1), match.group(2), match.group(3) or ""
        if not target or ":" in target:
            return match.group()
        page = page_of(posixpath.normpath(posixpath.join(folder, target)))
        return f"[{words}]({page}{place})" if page else f"`{words.strip('`')}`"

    return LINK.sub(link, text)


class Assembly:
    """The pages of the book, one after another into ``out``; ``executed`` is the folder of the executed notebooks."""

    def __init__(self, texts, out, executed=None):
        self.texts, self.out, self.executed, self.problems = texts, out, executed, []
        self.chapter_names = {
            lang: {int(path.stem[:2]): path.stem for path in paths}
            for lang, paths in (("en", english_chapters(texts)), ("zh", chinese_chapters(texts)))
        }

    def _write(self, path, notebook, name, state, lang, other):
        content, without_alt = page(notebook, name, state, lang, other, self.chapter_names)
        nbformat.write(content, str(path))
        download = path.parent / "extra" / "notebooks" / path.name
        download.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(for_download(notebook, lang), str(download))
        for cell in without_alt:
            needed = "Chinese: give it alt_zh" if lang == "zh" else "English: give it alt"
            self.problems.append(
                f"{path.relative_to(self.out).with_suffix('.md')}: cell {cell}: its picture has no "
                f"alternative text in {needed}"
            )

    def _copy(self, path, to):
        """A document or image of the checkout, a document with links of the book."""
        if path.suffix == ".md":
            text = path.read_text(encoding="utf-8")
            to.write_text(with_links_of_the_book(text, path.parent.relative_to(ROOT).as_posix()), encoding="utf-8")
        else:
            shutil.copy(path, to)

    def chapters(self):
        """The English chapters, and the Chinese ones, woven with the English code and results."""
        chinese = {path.stem: path for path in chinese_chapters(self.texts)}
        (self.out / "zh").mkdir(parents=True)
        for text in english_chapters(self.texts):
            chapter = read_chapter(text)
            notebook, state = shown(chapter, self.executed / f"{chapter.name}.ipynb" if self.executed else None)
            notebook = with_drawn_pictures(chapter, notebook)
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
        """The two title pages, the guides, the experiments, the command line and the reference of the package."""
        for name in ("index.md", "zh/index.md"):
            if (self.texts / name).is_file():
                shutil.copy(self.texts / name, self.out / name)
        self._copy(EXPERIMENTS, self.out / "experiments.md")
        (self.out / "docs").mkdir()
        for path in sorted(DOCS.iterdir()):
            self._copy(path, self.out / "docs" / path.name)
        (self.out / "commands.rst").write_text(commands.page(), encoding="utf-8")
        reference.write(self.out / "reference")


def assemble(texts, out, executed=None):
    """Write the folder ``out`` again from the chapters' texts in ``texts``; returns the problems, one line each."""
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
    """Write the folder that Sphinx builds the book from; exit status 2 if a picture has no alternative text."""
    if sys.version_info < (3, 10):
        raise ChapterError(
            f"the book is built with Sphinx 8, which needs Python 3.10 or newer; this is "
            f"{sys.version.split()[0]}: make .venv again with PYTHON=python3.11 make setup"
        )
    problems = assemble(Path(texts), Path(out), Path(executed) if executed else None)
    if problems:
        raise ChapterError("\nbook: ".join(problems))


if __name__ == "__main__":
    command_line(main, "python -m book.assemble")
