"""A chapter as data: its text, its code cells by name, and what is kept of its last full run.

For example:

    chapter = read_chapter("chapters/02-resnet18.md")
    [cell.metadata["name"] for cell in chapter.code_cells]
    chapter.kept_state()              # "current", "stale" or "missing"
"""

import ast
import hashlib
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from gluon_resnet.errors import GluonResNetError

import click
import jupytext
import nbformat
import yaml

ROOT = Path(__file__).resolve().parent.parent
CHAPTERS = ROOT / "chapters"
EXECUTED = "executed"  # the folder of kept results, beside the texts
MAX_BYTES = 1_000_000  # of a kept notebook

NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
TAGS = ("parameters", "hide-cell", "hide-input", "photographs", "raises-exception")


class ChapterError(GluonResNetError, ValueError):
    """A chapter whose text does not keep to the form, or whose code failed."""


def tags(cell):
    """The cell's tags as a list."""
    return list(cell.metadata.get("tags", []))


def source_hash(code_cells):
    """SHA-256 over the names and sources of code cells: what decides whether a kept result still belongs to a text."""
    content = [[cell.metadata.get("name"), cell.source.rstrip()] for cell in code_cells]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


@dataclass(frozen=True)
class Chapter:
    """An English chapter: where it is, its text, and the notebook that jupytext reads from it (without outputs)."""

    path: Path
    text: str
    notebook: nbformat.NotebookNode

    @property
    def name(self):
        """The file's name without its suffix: ``02-resnet18``."""
        return self.path.stem

    @property
    def shown_path(self):
        """The path for messages, from the checkout on where it is in there."""
        return self.path.relative_to(ROOT) if ROOT in self.path.parents else self.path

    @property
    def code_cells(self):
        """The code cells, in order."""
        return [cell for cell in self.notebook.cells if cell.cell_type == "code"]

    @property
    def tiny(self):
        """{name: value} of the header's ``gluon_resnet: tiny``."""
        return dict((self.notebook.metadata.get("gluon_resnet") or {}).get("tiny") or {})

    @property
    def hash(self):
        """See :func:`source_hash`."""
        return source_hash(self.code_cells)

    @property
    def kept_path(self):
        """Where the result of the last full run is kept."""
        return self.path.parent / EXECUTED / f"{self.name}.ipynb"

    def line_of(self, cell, line=1):
        """Number in the chapter's file of a line (from 1) of a code cell's source, None where it is not found."""
        lines, source = self.text.splitlines(), cell.source.splitlines()
        named = re.compile(rf":?name:\s*['\"]?{re.escape(cell.metadata.get('name', ''))}['\"]?\s*$")
        start = next((i for i, text in enumerate(lines) if named.match(text.strip())), 0)
        for i in range(start, len(lines)):
            if source and lines[i : i + len(source)] == source:
                return i + line
        return None

    def kept(self, path=None):
        """The notebook of the last full run, or at ``path``; None if there is none, ChapterError if it is damaged."""
        path = path or self.kept_path
        if not path.is_file():
            return None
        try:
            return nbformat.read(str(path), as_version=4)
        except Exception as error:  # nbformat lets through what json and jsonschema raise
            raise ChapterError(
                f"{path}: no notebook ({str(error).splitlines()[0]}); remove it and run make chapters-full"
            ) from None

    def state_of(self, kept):
        """Does an executed notebook belong to this text's code? "current", "stale", or "missing" for None."""
        if kept is None:
            return "missing"
        return "current" if execution_of(kept).get("code") == self.hash else "stale"

    def kept_state(self):
        """:meth:`state_of` the notebook of the last full run."""
        return self.state_of(self.kept())


def with_outputs(chapter, kept):
    """The text's notebook with the outputs and the metadata of the run that ``kept`` has; the prose is the text's."""
    notebook = nbformat.from_dict(chapter.notebook)
    outputs = {cell.metadata["name"]: cell for cell in kept.cells if cell.cell_type == "code"}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            ran = outputs[cell.metadata["name"]]
            cell["outputs"], cell["execution_count"] = ran["outputs"], ran["execution_count"]
    notebook.metadata.setdefault("gluon_resnet", {})["executed"] = execution_of(kept)
    return notebook


def shown(chapter, path=None):
    """(the notebook of a page, the state of the kept result): with outputs where they belong to the text's code.

    ``path``: of an executed notebook instead of the kept one.
    """
    kept = chapter.kept(path)
    state = chapter.state_of(kept)
    return (with_outputs(chapter, kept) if state == "current" else chapter.notebook), state


def execution_of(notebook):
    """What a kept notebook says about its run: date, machine, versions, commit, seconds, mode, code."""
    return (notebook.metadata.get("gluon_resnet") or {}).get("executed") or {}


def read_chapter(path):
    """The :class:`Chapter` in the file at ``path``, checked by :func:`check`. Raises ChapterError."""
    path = Path(path).resolve()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ChapterError(
            f"{path}: cannot be read ({getattr(error, 'strerror', None) or error}); "
            f"expected a chapter's text, chapters/NN-name.md"
        ) from None
    try:
        notebook = jupytext.reads(text, fmt="md:myst")
    except (yaml.YAMLError, ValueError) as error:  # of the header, or of a cell's options
        raise ChapterError(f"{path}: {' '.join(str(error).split())}; expected MyST text with YAML options") from None
    chapter = Chapter(path, text, notebook)
    check(chapter)
    for number, cell in enumerate(notebook.cells, 1):  # jupytext makes random ones
        cell["id"] = cell.metadata["name"] if cell.cell_type == "code" else f"text_{number}"
    return chapter


def check(chapter):
    """Raise ChapterError unless every code cell has a name of its own, known tags, and ``tiny`` fits the parameters."""
    seen = set()
    for number, cell in enumerate(chapter.code_cells, 1):
        name = cell.metadata.get("name")
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise ChapterError(
                f"{chapter.shown_path}: code cell {number} ({_first_line(cell)}) is named {name!r}: "
                f"expected :name: and small letters, digits and hyphens"
            )
        if name in seen:
            raise ChapterError(
                f"{chapter.shown_path}: two code cells are named {name}: expected a name of its own for each"
            )
        seen.add(name)
        unknown = [tag for tag in tags(cell) if tag not in TAGS]
        if unknown:
            raise ChapterError(f"{chapter.shown_path}: cell {name} is tagged {unknown[0]}: expected {', '.join(TAGS)}")
    parameters_cell(chapter)


def _first_line(cell):
    return cell.source.strip().split("\n")[0][:60] or "empty"


def parameters_cell(chapter):
    """The cell tagged ``parameters``, or None; ChapterError if ``tiny`` has a name that the cell does not assign."""
    found = [cell for cell in chapter.code_cells if "parameters" in tags(cell)]
    if len(found) > 1:
        names = ", ".join(cell.metadata["name"] for cell in found)
        raise ChapterError(f"{chapter.shown_path}: cells {names} are tagged parameters: expected one")
    if chapter.tiny and not found:
        raise ChapterError(f"{chapter.shown_path}: the header has tiny values but no cell is tagged parameters")
    if not found:
        return None
    assigned = assigned_names(found[0].source)
    for name in chapter.tiny:
        if name not in assigned:
            raise ChapterError(
                f"{chapter.shown_path}: tiny sets {name}, which cell {found[0].metadata['name']} does "
                f"not assign; it assigns {', '.join(sorted(assigned)) or 'nothing'}"
            )
    return found[0]


def assigned_names(source):
    """The names that top-level assignments of a Python source bind, as a set."""
    try:
        tree = ast.parse(source)
    except SyntaxError:  # the kernel will say so, with the line
        return set()
    targets = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    targets += [node.target for node in tree.body if isinstance(node, ast.AnnAssign) and node.value]
    return {node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)}


def english_chapters(folder=CHAPTERS):
    """Paths of the chapters' texts, in the order of their numbers."""
    return sorted(folder.glob("[0-9][0-9]-*.md"))


def command_line(command, name):
    """Run a click command: a mistake of the user is one line and exit status 2, Ctrl-C is 130."""
    try:
        command.main(prog_name=name, standalone_mode=False)
    except click.ClickException as error:
        click.echo(f"book: {error.format_message()}", err=True)
        sys.exit(2)
    except (GluonResNetError, OSError) as error:
        click.echo(f"book: {error}", err=True)
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        click.echo("stopped by Ctrl-C", err=True)
        sys.exit(130)
