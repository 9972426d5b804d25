"""Markdown documents as their readers meet them: fenced blocks, code within sentences and tables, commands and outputs.

For example:

    for block in blocks(ROOT / "README.md"):
        for command in commands(block): ...
"""

import re
import shlex
from dataclasses import dataclass
from typing import Tuple

from markdown_it import MarkdownIt

#: First words of what a reader would type into a shell.
PROGRAMS = (
    "gluon-resnet",
    "make",
    "pip",
    "git",
    "apt-get",
    "apt",
    "python",
    "python3",
    "sh",
    "bash",
    "cd",
    "cp",
    ".",
    ".venv/bin/python",
)


@dataclass(frozen=True)
class Block:
    """A fenced block: the file's name, the line it begins in, the language after the fence, the text.

    ``about`` is the last code in the paragraph before it, which names the file that an example changes; ``heading`` is
    the heading it is under.
    """

    document: str
    line: int
    language: str
    text: str
    about: str = ""
    heading: str = ""

    @property
    def title(self):
        """A name for a test."""
        return f"{self.document}:{self.line}"


@dataclass(frozen=True)
class Command:
    """A command, and the lines of output shown below it, if any."""

    text: str
    output: Tuple[str, ...] = ()

    @property
    def parts(self):
        """The words of each command in a line of commands joined by &&."""
        return [shlex.split(part) for part in self.text.split(" && ")]


def _tokens(path):
    return MarkdownIt("commonmark").enable("table").parse(path.read_text(encoding="utf-8"))


def _codes(token):
    return [child.content for child in token.children or () if child.type == "code_inline"]


def blocks(path):
    """Every fenced block of a document."""
    fenced, about, heading, tokens = [], "", "", _tokens(path)
    for before, token in zip([None, *tokens], tokens):
        if token.type == "inline":
            heading = token.content if before.type == "heading_open" else heading
            about = (_codes(token) or [""])[-1]
        elif token.type == "fence":
            fenced.append(Block(path.name, token.map[0] + 1, token.info.strip(), token.content, about, heading))
    return fenced


def codes(path):
    """(line of the paragraph, text) of every piece of code within sentences and tables."""
    return [(token.map[0] + 1, text) for token in _tokens(path) if token.type == "inline" for text in _codes(token)]


def links(path):
    """(line of the paragraph, target) of every link and image."""
    return [
        (token.map[0] + 1, child.attrs.get("href") or child.attrs.get("src"))
        for token in _tokens(path)
        if token.type == "inline"
        for child in token.children
        if child.type in ("link_open", "image")
    ]


def anchors(path):
    """The anchors of a document's headings, as GitHub and MyST make them: "Article 001's" is "article-001s"."""
    tokens = _tokens(path)
    headings = [token for before, token in zip(tokens, tokens[1:]) if before.type == "heading_open"]
    texts = ["".join(child.content for child in heading.children) for heading in headings]
    return [re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in texts]


def is_command(text):
    """Whether code within a sentence is something to type: a program with arguments."""
    words = text.split()
    return len(words) > 1 and words[0] in PROGRAMS or text == ".ci/run"


def commands(block):
    """The commands of a block. Where one begins with "$ ", lines without it are output; otherwise all are commands."""
    lines = re.sub(r"\s*\\\n\s*", " ", block.text).splitlines()
    if not any(line.startswith("$ ") for line in lines):
        return [Command(_bare(line)) for line in lines if _bare(line)]
    typed = []
    for line in lines:
        if line.startswith("$ "):
            typed.append(Command(_bare(line[2:])))
        else:
            assert typed, f"{block.title}: output without a command: {line}"
            typed[-1] = Command(typed[-1].text, (*typed[-1].output, line))
    return typed


def _bare(line):
    """A line without the comment at its end."""
    return re.sub(r"(^|\s+)# .*$", "", line).strip()
