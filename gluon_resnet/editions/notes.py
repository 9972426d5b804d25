"""What is done differently here from what a book's cell asks for, reported to whoever listens.

    notes.listeners.append(lambda kind, text: print(kind, text))

``gluon-resnet play`` listens, and lists these notes as the mends of a chapter. Otherwise nobody does, and notes are
dropped.
"""

from typing import Callable, List, Set, Tuple

listeners: List[Callable[[str, str], None]] = []
_known: Set[Tuple[str, str]] = set()


def say(kind: str, text: str) -> None:
    """Report a note once to each listener.

    ``kind`` is a word for what was mended: "absent", "compiled", "data", "device", "dtype", "install", "restored" or
    "shortened".
    """
    if (kind, text) not in _known:
        _known.add((kind, text))
        for listener in listeners:
            listener(kind, text)


def forget() -> None:
    """Let notes that were reported before be reported again."""
    _known.clear()
