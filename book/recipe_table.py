"""The table of a recipe's fields, made from the dataclass: its defaults, and the comments next to them.

For example:

    python -m book.recipe_table --update docs/training.md
"""

from pathlib import Path

from gluon_resnet.files import written_whole
from gluon_resnet.runs.settings import read_fields

import click

from .chapters import ROOT, ChapterError, command_line

SOURCE = ROOT / "gluon_resnet" / "training" / "recipe.py"
BEGIN = "<!-- recipe: begin (made by: python -m book.recipe_table --update docs/training.md) -->"
END = "<!-- recipe: end -->"


def fields(source):
    """[(field, default as written, comment)] of the class Recipe in Python ``source``."""
    return read_fields(source, "Recipe")


def table(source):
    """The fields as a Markdown table."""
    lines = ["| field | default | meaning |", "| --- | --- | --- |"]
    return "\n".join(lines + [f"| `{name}` | `{default}` | {meaning} |" for name, default, meaning in fields(source)])


def between(text, begin, end, content):
    """``text`` with ``content`` between the marks ``begin`` and ``end``; ChapterError if it lacks them."""
    head, found_begin, rest = text.partition(begin)
    _, found_end, tail = rest.partition(end)
    if not found_begin or not found_end:
        raise ChapterError(f"no place for the table: expected a line {begin} and after it a line {end}")
    return f"{head}{begin}\n\n{content}\n\n{end}{tail}"


def updated(text, source):
    """``text`` with the table of the fields in ``source`` between the two marks; ChapterError if it lacks them."""
    return between(text, BEGIN, END, table(source))


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--update", required=True, metavar="FILE.md", help="The document that gets the table between its marks.")
def main(update):
    """Write the table of gluon_resnet/training/recipe.py's fields into a document."""
    path = Path(update)
    text = updated(path.read_text(encoding="utf-8"), SOURCE.read_text(encoding="utf-8"))
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    command_line(main, "python -m book.recipe_table")
