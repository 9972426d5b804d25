"""What a checkpoint's note must have: every field is looked at before any is used.

    check_note({"version": 2, "at": {"epoch": 3, "batch": 0}, ...})       # ValueError, in words, if a field is wrong

The note is JSON next to the arrays: where the training was, the sums so far, the epochs before, the states of the
random generators, the optimizer's counts, the scale of the loss, and what the run is made of (runs/belonging.py).
"""

import math
import reprlib
from dataclasses import fields
from typing import Any, Callable, Mapping, NamedTuple

from ..text import count
from .progress import Record
from .randomness import check_random_states


class Kind(NamedTuple):
    """What a field may be, in words and as a test."""

    words: str
    fits: Callable[[Any], bool]


def _is_whole(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _is_number(value: Any) -> bool:
    return _is_whole(value) or (type(value) is float and math.isfinite(value) and value >= 0)


WHOLE = Kind("a whole number of at least 0", _is_whole)
FROM_1 = Kind("a whole number of at least 1", lambda value: _is_whole(value) and value >= 1)
NUMBER = Kind("a number of at least 0", _is_number)
NUMBER_OR_NONE = Kind("a number of at least 0, or null", lambda value: value is None or _is_number(value))
SHARE = Kind("a number from 0 to 1", lambda value: _is_number(value) and value <= 1)
OBJECT = Kind("a JSON object", lambda value: isinstance(value, dict))
LIST = Kind("a list", lambda value: isinstance(value, list))
OBJECT_OR_NONE = Kind("a JSON object, or null", lambda value: value is None or isinstance(value, dict))
TEXT_OR_NONE = Kind("a text, or null", lambda value: value is None or isinstance(value, str))
COUNTS = Kind(
    "whole numbers by parameter", lambda value: isinstance(value, dict) and all(map(_is_whole, value.values()))
)
FACTOR = Kind("a number from 1 to 2^24", lambda value: _is_number(value) and 1 <= value <= 2**24)

WHOLE_NOTE = {"at": OBJECT, "start": OBJECT, "now": OBJECT, "done": LIST, "counts": OBJECT}
LATER = {"scale": OBJECT_OR_NONE, "run": OBJECT_OR_NONE, "history": TEXT_OR_NONE}  # None if missing
AT = {"epoch": FROM_1, "batch": WHOLE}
SUMS = {"examples": FROM_1, "loss": NUMBER, "correct": NUMBER, "seconds": NUMBER, "wait_seconds": NUMBER}
RECORD = {
    **{name: FROM_1 for name in ("epoch", "batch", "num_batches", "examples")},
    **{name: NUMBER for name in ("loss", "seconds", "wait_seconds")},
    **{name: SHARE for name in ("train_acc", "test_acc")},
}
RECORD_LATER = {
    name: NUMBER_OR_NONE
    for name in ("test_seconds", "test_loss", "others_cores", "lr", "side", "views_acc", "views_seconds")
}
SCALE = {"factor": FACTOR, "good": WHOLE}


def _check(where: str, values: Mapping[str, Any], kinds: Mapping[str, Kind], later: Mapping[str, Kind]) -> None:
    """Raise ValueError unless ``values`` has every field of ``kinds``, and those of ``later`` that it has are right."""
    for name, kind in kinds.items():
        if name not in values:
            raise ValueError(f"its note has no {where}{name}: expected {kind.words}")
    for name, kind in {**kinds, **later}.items():
        if name in values and not kind.fits(values[name]):
            raise ValueError(f"its note's {where}{name} is {reprlib.repr(values[name])}: expected {kind.words}")


def check_note(note: Any) -> None:
    """Raise ValueError, which says what is wrong, unless ``note`` is one that a training can go on from."""
    if not isinstance(note, dict):
        raise ValueError(f"its note is a {type(note).__name__}: expected a JSON object")
    _check("", note, WHOLE_NOTE, LATER)
    at = note["at"]
    _check("at.", at, AT, {})
    if at["batch"]:
        _check("at.", at, SUMS, {"side": NUMBER_OR_NONE})
        if at["correct"] > at["examples"]:
            raise ValueError(
                f"its note's at.correct is {at['correct']}: expected at most the {count(at['examples'], 'example')}"
            )
    for name in ("start", "now"):
        check_random_states(note[name], f"its note's {name}")
    _check("counts.", note["counts"], {"updates": WHOLE, "by_parameter": COUNTS}, {})
    if note.get("scale") is not None:
        _check("scale.", note["scale"], SCALE, {})
    _check_done(note["done"], at["epoch"])


def _check_done(done: Any, epoch: int) -> None:
    """Raise ValueError unless ``done`` has the records of all epochs before ``epoch``."""
    known = {field.name for field in fields(Record)}
    for i, record in enumerate(done):
        if not isinstance(record, dict) or not set(record) <= known:
            raise ValueError(f"its note's done[{i}] is {reprlib.repr(record)}: expected the record of an epoch")
        _check(f"done[{i}].", record, RECORD, RECORD_LATER)
    if [record["epoch"] for record in done] != list(range(1, epoch)):
        raise ValueError(
            f"its note has {count(len(done), 'epoch')} done and is at epoch {epoch}: expected those before it"
        )
