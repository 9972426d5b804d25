"""What the settings of a run mean: the comments next to the fields of its config, which are the one place that says it.

gluon-resnet train fashion-mnist --list-settings
python -m book.recipe_table --update docs/training.md
"""

import ast
import inspect
import io
import tokenize
from dataclasses import fields
from typing import Dict, List, NamedTuple, Tuple, Type

from .config import RunConfig, as_setting


class Setting(NamedTuple):
    """A field that ``--set`` takes."""

    name: str
    default: str  # in the form of --set
    meaning: str


def read_fields(source: str, name: str) -> List[Tuple[str, str, str]]:
    """[(field, default as written, comment)] of the class ``name`` in Python ``source``.

    A field's comment is the one at the end of its line, or the lines of comments above it.
    """
    comments = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    (found,) = (node for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name == name)
    rows, lines = [], source.splitlines()
    for node in found.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            above: List[str] = []
            line = node.lineno - 1
            while line in comments and not lines[line - 1].split("#")[0].strip():
                above.insert(0, comments[line])
                line -= 1
            comment = comments.get(node.lineno) or " ".join(above)
            rows.append((node.target.id, ast.get_source_segment(source, node.value) or "", comment))
    return rows


def settings(config: Type[RunConfig]) -> Dict[Type[RunConfig], List[Setting]]:
    """{class: its settings} of a class of configs and those that it extends, the most general first.

    A setting belongs to the class that has it first, which says what it means; its default is that of ``config``.
    """
    defaults = {field.name: as_setting(field.default) for field in fields(config)}
    found: Dict[Type[RunConfig], List[Setting]] = {}
    for kind in reversed(config.__mro__[:-1]):  # object is the last
        rows = read_fields(inspect.getsource(kind), kind.__name__)
        found[kind] = [Setting(name, defaults.pop(name), meaning) for name, _, meaning in rows if name in defaults]
    return found
