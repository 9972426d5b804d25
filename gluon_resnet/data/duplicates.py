"""Images that are there twice: the same bytes, or nearly the same look.

Copies in two classes show that a label is wrong; copies in both parts let a network be tested on what it was trained
on.

    find_copies(looks, classes, parts)               # looks of scan.py -> findings
"""

from collections import defaultdict
from typing import Any, Dict, List, Optional, Sequence, Tuple

from .findings import SUSPECT, Problem

#: Bits of 64 by which the perceptual hashes of near duplicates differ at most. Of 60 real photographs, each shrunk from
#: 227x227 to 150x150 and saved again at JPEG quality 60, all stayed within 2; of 240 different ones none came below 12.
MAX_BITS = 4


def close_pairs(hashes: Sequence[Optional[int]], max_bits: int = MAX_BITS) -> List[Tuple[int, int, int]]:
    """Pairs (i, j, bits), i < j, of 64-bit integers that differ in at most ``max_bits`` bits; None is skipped.

    Of equal numbers only the first is paired with others. The numbers are cut into max_bits + 1 bands. Two numbers this
    close have at least one band in common, so only those that share a band are compared.
    """
    bands = max_bits + 1
    width = -(-64 // bands)
    firsts: Dict[int, int] = {}
    pairs: Dict[Tuple[int, int], int] = {}
    for i, value in enumerate(hashes):
        if value is not None and firsts.setdefault(value, i) != i:
            pairs[firsts[value], i] = 0
    values = {i: value for value, i in firsts.items()}
    for band in range(bands):
        groups: Dict[int, List[int]] = defaultdict(list)
        for value, i in firsts.items():
            groups[(value >> band * width) & ((1 << width) - 1)].append(i)
        for group in groups.values():
            for position, i in enumerate(group):
                for j in group[position + 1 :]:
                    if (i, j) not in pairs:
                        pairs[i, j] = bin(values[i] ^ values[j]).count("1")
    return sorted((i, j, bits) for (i, j), bits in pairs.items() if bits <= max_bits)


def _finding(
    kind: str,
    later: int,
    first: int,
    classes: Sequence[str],
    parts: Optional[Sequence[Optional[str]]],
    name: str,
    likeness: str,
) -> Problem:
    if classes[first] != classes[later]:
        return Problem(
            name,
            f"{kind} in two classes",
            SUSPECT,
            "a picture in one class",
            f"{likeness}, labelled {classes[first]}",
            "look at both: one of the labels is wrong",
        )
    if parts is not None and parts[first] != parts[later]:
        return Problem(
            name,
            f"{kind} in both parts",
            SUSPECT,
            "a picture in one part",
            f"{likeness} in {parts[first]}, this one in {parts[later]}",
            "remove one: the network is tested on what it has seen",
        )
    return Problem(name, kind, SUSPECT, "a picture once", likeness, "remove one")


def find_copies(
    looks: Sequence[Any], classes: Sequence[str], parts: Optional[Sequence[Optional[str]]] = None
) -> List[Problem]:
    """Findings about copies among ``looks`` (N, of scan.py), each with the first image that it repeats.

    Copies stay in use, as in Keras; which of two labels is the wrong one cannot be known here.
    """
    names = [look.name for look in looks]
    groups: Dict[bytes, List[int]] = defaultdict(list)
    problems = []
    for i, look in enumerate(looks):
        if look.hash is not None:
            groups[look.digest].append(i)
    for first, *others in groups.values():
        # a copy with another label says more than the first copy if that has the same label
        another = next((i for i in others if classes[i] != classes[first]), len(looks))
        for later in others:
            partner = another if classes[first] == classes[later] and another < later else first
            problems.append(
                _finding("duplicate", later, partner, classes, parts, names[later], f"the bytes of {names[partner]}")
            )
    firsts = [group[0] for group in groups.values()]
    for i, j, bits in close_pairs([looks[i].hash for i in firsts]):
        problems.append(
            _finding(
                "near duplicate",
                firsts[j],
                firsts[i],
                classes,
                parts,
                names[firsts[j]],
                f"the looks of {names[firsts[i]]} ({bits} of 64 bits of the perceptual hash differ)",
            )
        )
    return problems
