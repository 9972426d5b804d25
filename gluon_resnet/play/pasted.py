"""Tell code from text in a page whose fences are lost, such as an article copied out of a browser.

A run of lines that Python can parse is a cell. What is between two cells is text, or what the first of them printed.
Names in other alphabets are valid Python, so a line that is only a name counts as code if the name is known.
"""

import ast
import builtins
import re
from typing import List, Set, Tuple

from .cells import Cell

INSTALL = re.compile(
    r"^\s*[!%$]*\s*(?:sudo\s+)?(?:(?:\S*python[\d.]*|\{sys\.executable\})\s+-m\s+)?"
    r"(?:\S*/)?(?:pip[\d.]*|conda|apt(?:-get)?|mamba)\s+\S+"
)
_MAGIC = re.compile(r"^(?:%\w|!\w|%%\w)")
_PROMPT = re.compile(r"^(?:In\s?\[[\d\s*]*\]:?|>>>|\.\.\.)\s?")
_RESULT = re.compile(r"^Out\s?\[\d+\]:?\s*")
_GOES_ON = re.compile(r"^(?:else|elif|except|finally)\b")
LONGEST = 400  # lines of one statement


def _parsed(lines: List[str]) -> List[ast.stmt]:
    """The statements of ``lines``; an empty list if Python cannot parse them."""
    try:
        return ast.parse("\n".join(lines)).body
    except (SyntaxError, ValueError):
        return []


def _is_open(line: str) -> bool:
    """Whether a statement may go on after a line that does not parse by itself."""
    code = re.sub(r"(\"[^\"]*\"|'[^']*')", "''", line).split("#")[0].rstrip()
    brackets = sum(map(code.count, "([{")) - sum(map(code.count, ")]}"))
    return brackets > 0 or code.endswith((":", "\\", ",")) or code.startswith("@") or line.count('"""') % 2 == 1


def _statement_end(lines: List[str], start: int) -> int:
    """Index after the statement that begins at ``start``; ``start`` itself if there is none."""
    end = start + 1
    while not _parsed(lines[start:end]):
        if end >= len(lines) or end - start > LONGEST or not (end - start > 1 or _is_open(lines[start])):
            return start
        end += 1
    while end < len(lines):  # the rest of a block: indented lines, also after empty ones, and else, except ...
        after = end
        while after < len(lines) and not lines[after].strip():
            after += 1
        if after < len(lines) and (lines[after][:1] in (" ", "\t") or _GOES_ON.match(lines[after])):
            longer = after + 1
            while longer < len(lines) and not _parsed(lines[start:longer]) and longer - after < LONGEST:
                longer += 1
            if not _parsed(lines[start:longer]):
                break
            end = longer
        else:
            break
    return end


def _names(statements: List[ast.stmt]) -> Set[str]:
    """The names that the statements give a value."""
    names: Set[str] = set()
    for node in (node for statement in statements for node in ast.walk(statement)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.alias):
            names.add((node.asname or node.name).split(".")[0])
    return names


def _is_text(statement: ast.stmt, known: Set[str]) -> bool:
    """Whether something that parses is text all the same: words, or a value without a name in it."""
    if not isinstance(statement, ast.Expr):
        # "Note: see below" is an annotation, to Python
        return isinstance(statement, ast.AnnAssign) and statement.value is None
    names = [node.id for node in ast.walk(statement) if isinstance(node, ast.Name)]
    if not any(isinstance(node, ast.Call) for node in ast.walk(statement)) and not set(names) <= known:
        return True
    return not names or not (set(names) & (known | set(dir(builtins))))


def _is_value(statement: ast.stmt, known: Set[str]) -> bool:
    """Whether a statement is a printed value: a literal, or ``array([1., 2.])`` where no array() is known."""
    if not isinstance(statement, ast.Expr):
        return False
    names = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
    return not names or (isinstance(statement.value, ast.Call) and not names & known)


def _marked(text: str) -> Tuple[List[str], Set[int]]:
    """(lines without prompts, indices of the lines that a prompt marks as a result)."""
    lines, results = [], set()
    for index, line in enumerate(text.splitlines()):
        if _RESULT.match(line):
            results.add(index)
        lines.append(_RESULT.sub("", _PROMPT.sub("", line.rstrip().replace("\xa0", " "))))
    return lines, results


def cells(text: str) -> List[Cell]:
    """The code cells of ``text``, each with the text after it, among which is what it printed."""
    lines, results = _marked(text)
    found: List[Tuple[int, int]] = []  # lines from, to of each cell
    known: Set[str] = set()
    index, joined = 0, False
    while index < len(lines):
        line = lines[index]
        if not line.strip():
            index += 1
            continue
        if INSTALL.match(line) or _MAGIC.match(line):
            end, code = index + 1, True
        else:
            end = _statement_end(lines, index) if line[:1] not in (" ", "\t") and index not in results else index
            statements = _parsed(lines[index:end]) if end > index else []
            comment = line.startswith("#") and bool(found or _next_is_code(lines, index, known))
            value = bool(statements) and joined and _is_value(statements[0], known)
            code = comment or (bool(statements) and not value and not _is_text(statements[0], known))
            if comment:
                end = index + 1
            if code:
                known |= _names(statements)
        if not code:
            index, joined = max(end, index + 1), False
            continue
        if joined:
            found[-1] = (found[-1][0], end)
        else:
            found.append((index, end))
        index, joined = end, True
    return _with_text(lines, found)


def _next_is_code(lines: List[str], index: int, known: Set[str]) -> bool:
    """Whether the first line after a comment that is no comment is code."""
    after = index + 1
    while after < len(lines) and (lines[after].startswith("#") or not lines[after].strip()):
        after += 1
    end = _statement_end(lines, after) if after < len(lines) else after
    statements = _parsed(lines[after:end])
    return bool(statements) and not _is_text(statements[0], known)


def _with_text(lines: List[str], places: List[Tuple[int, int]]) -> List[Cell]:
    ends = [start for start, _ in places[1:]] + [len(lines)]
    return [
        Cell("\n".join(lines[start:end]).strip("\n"), start + 1, "\n".join(lines[end:after]).strip("\n"))
        for (start, end), after in zip(places, ends)
    ]
