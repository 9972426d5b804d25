"""Commands that install packages: a chapter must not change the environment that it is played in.

They come as lines of a cell (``!pip install d2l``, ``!{sys.executable} -m pip install d2l``), in a cell of ``%%bash``,
and through ``os.system`` and ``subprocess``.
"""

import os
import re
import subprocess
import sys
from typing import Any, Callable, List, Sequence, Union

from ..editions import notes
from .pasted import INSTALL

_VERBS = r"(?:install|uninstall|download|remove|update|upgrade|add|sync|create)\b"
#: an installer with one of its verbs anywhere in a command, after options if any: "cd x && pip -q install ."
_WITHIN = re.compile(rf"\b(?:pip[\d.]*|conda|mamba|apt|apt-get|easy_install|uv(?:\s+pip)?)\s+(?:-\S+\s+)*{_VERBS}")
_MAGIC = re.compile(r"^%%(?:bash|sh|script)\b")
_SHELL = re.compile(r"^\s*(?:!|%s(?:x|ystem)\s)")


def is_install(command: Union[str, Sequence[Any]]) -> bool:
    """Whether a command, as ``os.system`` or ``subprocess`` take it, installs packages."""
    text = command if isinstance(command, (str, bytes, os.PathLike)) else " ".join(map(str, command))
    return bool(_WITHIN.search(str(text)))


def without_installs(lines: List[str]) -> List[str]:
    """The lines of a cell, those that install packages replaced by one that does nothing; each is noted."""
    shell = bool(_MAGIC.match(next((line for line in lines if line.strip()), "")))
    kept, goes_on = [], False
    for line in lines:
        skipped = goes_on or bool(INSTALL.match(line)) or bool((shell or _SHELL.match(line)) and _WITHIN.search(line))
        if not skipped:
            kept.append(line)
            continue
        nothing = ":\n" if shell else "pass\n"
        indent = line[: len(line) - len(line.lstrip())]
        if not goes_on:
            notes.say("install", f"skipped: {line.strip()}")
        kept.append("\n" if goes_on else indent + nothing)
        goes_on = line.rstrip().endswith("\\")
    return kept


def _system(original: Callable[[Any], int]) -> Callable[[Any], int]:
    def system(command: Any) -> int:
        if not is_install(command):
            return original(command)
        notes.say("install", f"skipped: os.system({command!r})")
        return 0

    return system


def _popen(original: Callable[..., None]) -> Callable[..., None]:
    def start(self: Any, args: Any, *rest: Any, **options: Any) -> None:
        if is_install(args):
            shown = args if isinstance(args, (str, bytes)) else " ".join(map(str, args))
            notes.say("install", f"skipped: {shown!s}")
            args, options = [sys.executable, "-c", ""], {**options, "shell": False, "executable": None}
        original(self, args, *rest, **options)

    return start


def forbid() -> None:
    """Let ``os.system`` and ``subprocess`` skip such commands, for the rest of the process."""
    os.system = _system(os.system)  # type: ignore[assignment]
    subprocess.Popen.__init__ = _popen(subprocess.Popen.__init__)  # type: ignore[method-assign]
