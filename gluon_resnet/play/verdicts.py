"""The lines that a book prints next to ours, for one cell.

Shapes must be equal. Losses and accuracies must lie in the published band, which there is for ResNet-18 as article 001
trains it, and are not judged if the run was shortened. Rates depend on the machine. Other values must be the same text;
where only their numbers differ, as after random draws, that is said and not judged.
"""

import re
from dataclasses import dataclass
from typing import List, Optional, Sequence, Type, TypeVar

from ..lab import transcript
from ..lab.transcript_compare import BANDS, Shape, Value, kind_of
from ..text import count

_NUMBER = re.compile(r"[-+]?(?:\d[\d,]*\.?\d*|\.\d+)(?:e[-+]?\d+)?|nan|inf", re.IGNORECASE)
T = TypeVar("T")
LONGEST = 300  # characters of a value that is shown


@dataclass(frozen=True)
class Verdict:
    """A line of the book and ours; ``same`` is None if they are not judged."""

    what: str
    published: str
    ours: str
    same: Optional[bool]
    note: str = ""


def compare(printed: str, ours: str, source: str, shortened: bool = False, in_text: bool = False) -> List[Verdict]:
    """The Verdicts of one cell.

    Args:
        printed: what the book shows after the cell.
        ours: what the cell printed here.
        source: the cell's code, which says whether a published band applies.
        shortened: the run had fewer epochs or images than the book's.
        in_text: ``printed`` is the text around, of which only known lines and a value on its own are taken.
    """
    if not printed.strip():
        return []
    items, own = transcript.find(printed), transcript.find(ours)
    rows = _shapes(_of(items, Shape), _of(own, Shape)) + _values(
        _of(items, Value), _of(own, Value), "resize=96" in source.replace(" ", ""), shortened
    )
    if rows:
        return rows
    value = _value(printed) if in_text else printed.strip()
    return [_text(value, ours.strip(), shortened)] if value else []


def _of(items: Sequence[object], kind: Type[T]) -> List[T]:
    return [item for item in items if isinstance(item, kind)]


def _value(text: str) -> str:
    """A value on its own at the beginning of a text: up to the first empty line, if it looks like one."""
    block = text.strip().split("\n\n")[0].strip()
    return block if re.match(r"^[\[({\d'\"<-]|^array\(|^Parameter", block) else ""


def _shapes(published: Sequence[Shape], ours: Sequence[Shape]) -> List[Verdict]:
    rows = []
    for index, line in enumerate(published):
        twin = ours[index] if index < len(ours) else None
        text = _walk_line(line)
        if twin is None:
            rows.append(Verdict("shape", text, "", False, "not printed here"))
            continue
        notes = [] if line.shape == twin.shape else ["the shape differs"]
        kinds = [kind_of(one.name) for one in (line, twin)]
        if kinds[0] != kinds[1]:
            notes.append(f"the layer differs: {kinds[0]} there, {kinds[1]} here")
        rows.append(Verdict("shape", text, _walk_line(twin), not notes, "; ".join(notes)))
    return rows


def _walk_line(line: Shape) -> str:
    return f"{line.name} ({', '.join(map(str, line.shape))}{',' if len(line.shape) == 1 else ''})"


def _values(published: List[Value], ours: List[Value], has_band: bool, shortened: bool) -> List[Verdict]:
    rows = []
    for kind in ("loss", "train acc", "test acc", "examples/sec"):
        theirs, own = ([value for value in values if value.kind == kind] for values in (published, ours))
        for index, value in enumerate(theirs):
            name = kind if value.epoch is None else f"{kind}, epoch {value.epoch}"
            twin = own[index] if index < len(own) else None
            text = f"{value.text} {value.where}".strip()
            if twin is None:
                note = "fewer epochs were run" if shortened else "not printed here"
                rows.append(Verdict(name, text, "", None if shortened else False, note))
                continue
            rows.append(_number(name, value, twin, text, has_band, shortened))
    return rows


def _number(name: str, value: Value, twin: Value, text: str, has_band: bool, shortened: bool) -> Verdict:
    ours = f"{twin.text} {twin.where}".strip()
    if value.kind == "examples/sec":
        rates = [float(one.text.replace(",", "")) for one in (twin, value)]
        return Verdict(name, text, ours, None, f"ours / published: {rates[0] / rates[1]:.4f}" if rates[1] else "")
    if shortened:
        return Verdict(name, text, ours, None, "shortened, so not judged")
    if not has_band or value.epoch is not None:
        return Verdict(name, text, ours, None, "no published band for this network")
    low, high = BANDS[value.kind]
    inside = low <= float(twin.text) <= high
    note = f"{'inside' if inside else 'outside'} the band {low:.3f} to {high:.3f} of six editions"
    return Verdict(name, text, ours, inside, note)


def _text(published: str, ours: str, shortened: bool) -> Verdict:
    """The Verdict of two texts, spaces aside."""
    theirs, own = (" ".join(text.split()) for text in (published, ours))
    there, here = (text if len(text) <= LONGEST else f"{text[:LONGEST]} ..." for text in (published, ours))
    if theirs == own:
        return Verdict("output", there, here, True)
    if _with_numbers(theirs) == _with_numbers(own):
        return Verdict("output", there, here, None, "only numbers differ")
    return Verdict("output", there, here, None if shortened else False, "differs")


def _with_numbers(text: str) -> str:
    """``text`` without numbers and spaces; contexts count as one device."""
    text = re.sub(r"@?\b[cg]pu\(\d\)", "device", text)
    return re.sub(r"\s+", "", _NUMBER.sub("#", text))


def counts(verdicts: Sequence[Verdict]) -> str:
    """A line that says how many printed values are the same, differ, or are not judged."""
    same, judged = sum(row.same is True for row in verdicts), sum(row.same is not None for row in verdicts)
    values = count(len(verdicts), "printed value")
    return f"{values}: {same} same, {judged - same} differ, {len(verdicts) - judged} not judged"
