"""A chapter as a notebook to download: its prose as plain Markdown, its code without results."""

import re

import nbformat

from .chapters import CHAPTERS
from .pages import CITATION

ENTRY = re.compile(r"^@\w+\{([^,]+),\n(.*?)^\}", re.DOTALL | re.MULTILINE)
FIELD = re.compile(r"(\w+) = \{((?:[^{}]|\{[^{}]*\})*)\}")
DIRECTIVE = re.compile(r"^```\{(note|dropdown|bibliography)\} ?([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
WORDS = {"en": {"note": "Note"}, "zh": {"note": "注意"}}


def sources(path=CHAPTERS / "references.bib"):
    """{key: "Authors: Title, year"} of a file of BibTeX, as Markdown."""
    found = {}
    for key, body in ENTRY.findall(path.read_text(encoding="utf-8")):
        fields = {name: re.sub(r"[{}\\]", "", value) for name, value in FIELD.findall(body)}
        authors = [
            " ".join(reversed(author.split(", "))) for author in fields.get("author", "").split(" and ") if author
        ]
        names = f"{', '.join(authors)}: " if authors else ""
        found[key] = names + ", ".join(fields[name] for name in ("title", "year", "note") if name in fields)
    return found


def _directive(match, lang, cited, known):
    """What a notebook has in the place of a directive of MyST."""
    kind, title, body = match.groups()
    if kind == "bibliography":
        return "\n".join(f"- [{key}] {known[key]}" for key in cited)
    if kind == "dropdown":
        return f"<details><summary>{title}</summary>\n\n{body.strip()}\n\n</details>"
    return "\n".join(f"> {line}" for line in [f"**{WORDS[lang][kind]}**", "", *body.strip().split("\n")])


def for_download(notebook, lang):
    """A copy of a chapter's ``notebook`` that Jupyter shows as it is meant: no MyST, no results, no book's links."""
    known = sources()
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    cited = sorted({key.strip() for text in texts for found in CITATION.finditer(text) for key in found[2].split(",")})
    copy = nbformat.v4.new_notebook(
        metadata={name: notebook.metadata[name] for name in ("kernelspec",) if name in notebook.metadata}
    )
    for cell in notebook.cells:
        if cell.cell_type == "code":
            copy.cells.append(nbformat.v4.new_code_cell(cell.source, id=cell.id))
            continue
        text = DIRECTIVE.sub(lambda match: _directive(match, lang, cited, known), cell.source)
        text = CITATION.sub(lambda match: f"[{match[2].replace(',', '; ')}]", text)
        copy.cells.append(nbformat.v4.new_markdown_cell(text, id=cell.id))
    return copy
