"""The tables of docs/d2l.md: the data sets that a reader names, and d2l's names with their homes here.

For example:

    python -m book.d2l_table --update docs/d2l.md
"""

from pathlib import Path

from gluon_resnet import d2l, d2lzh
from gluon_resnet.editions import datasets, releases
from gluon_resnet.files import written_whole

import click

from .chapters import command_line
from .recipe_table import between

BEGIN = "<!-- names: begin (made by: python -m book.d2l_table --update docs/d2l.md) -->"
END = "<!-- names: end -->"
BEGIN_DATA, END_DATA = BEGIN.replace("names", "datasets"), END.replace("names", "datasets")


def home(value):
    """Where a name's value is defined: a file of this package, d2l 1.0.3, or another library."""
    module = getattr(value, "__module__", None) or ""
    if module == "gluon_resnet.editions.base":
        return "d2l 1.0.3"
    return f"`{module.replace('gluon_resnet.', '').replace('.', '/')}.py`" if module.startswith("gluon_resnet.") else ""


def table():
    """The names as a Markdown table."""
    lines = ["| name | releases that had it | `gluon_resnet.d2l` | `d2lzh`, `gluonbook` |", "| --- | --- | --- | --- |"]
    for name, had in releases.table().items():
        current = {**d2l.RESTORED, **vars(d2l)}
        here = (home(current[name]) or "d2l 1.0.3") if name in dir(d2l) else "-"
        classic = (home(d2lzh.NAMES[name]) or "d2l 1.0.3") if name in d2lzh.NAMES else "-"
        lines.append(f"| `{name}` | {had} | {here} | {classic} |")
    return "\n".join(lines)


def dataset_table():
    """The data sets as a Markdown table."""
    lines = ["| variable | files in the folder | or the archive |", "| --- | --- | --- |"]
    for data in datasets.DATA_SETS:
        archives = [name for name in data.downloads if name.endswith(datasets.ARCHIVES) and name not in datasets.PARTS]
        files = ", ".join(f"`{name}`" for name in data.files)
        lines.append(f"| `{data.variable}` | {files} | {', '.join(f'`{name}`' for name in archives) or '-'} |")
    return "\n".join(lines)


def updated(text):
    """``text`` with both tables between their marks; ChapterError if it lacks them."""
    return between(between(text, BEGIN, END, table()), BEGIN_DATA, END_DATA, dataset_table())


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--update", required=True, metavar="FILE.md", help="The document that gets the table between its marks.")
def main(update):
    """Write the tables of data sets and of d2l's names into a document."""
    path = Path(update)
    text = updated(path.read_text(encoding="utf-8"))
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    command_line(main, "python -m book.d2l_table")
