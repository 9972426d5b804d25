"""Damaged files for every parser of outside bytes, until the time is over; what does harm is kept.

    make fuzz SECONDS=300                                # python -m tests.fuzz --seconds 300 [--seed 7] [TARGET...]

Hypothesis chooses good files (seeds.py) and what is done to them: bits, bytes and numbers changed, parts cut out,
repeated, or put in from elsewhere; inside the archives, too. A file that does harm is written to tests/fuzz/crashes,
where test_hostile.py tries it from then on.
"""

import argparse
import hashlib
import io
import shutil
import sys
import tempfile
import zipfile
from collections import Counter
from pathlib import Path
from time import monotonic, time

from gluon_resnet.text import table

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.fuzz.sandbox import Sandbox
from tests.fuzz.seeds import seeds
from tests.fuzz.targets import TARGETS

CRASHES = Path(__file__).parent / "crashes"
ROUND = 50  # inputs; after each the clock is read
LARGEST = 1 << 16  # bytes of an input
#: what programs count with, next to where they stop
NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**28, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**64 - 1)
WORDS = tuple(
    map(str.encode, ("-1", "9" * 30, "1e999", "nan", "null", "true", "\\ud800", "\x1b[31m", "../", "\0", "\n"))
)
WORDS += (b"[" * 300, b'{"a":' * 300, b" " * 3000, b"9" * 6000, b"a" * 3000, b"(((", b"\x80\x02", b"\xff\xfe", b"''")
KINDS = ("bit", "byte", "number", "cut", "leave out", "repeat", "word", "digits", "splice")
EDIT = st.tuples(st.sampled_from(KINDS), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(1, 64))


def edited(content, edit, other):
    """``content`` after one edit: (kind, where, what, how much)."""
    kind, where, what, much = edit
    place = where % (len(content) + 1)
    before, after = content[:place], content[place:]
    if kind == "bit" and after:
        return before + bytes([after[0] ^ 1 << what % 8]) + after[1:]
    if kind == "byte":
        return before + bytes([what % 256]) + after[1:]
    if kind == "number":
        width = (1, 2, 4, 8)[much % 4]
        number = NUMBERS[what % len(NUMBERS)] % 256**width
        return before + number.to_bytes(width, "little" if much % 3 else "big") + after[width:]
    if kind == "cut":
        return before
    if kind == "leave out":
        return before + after[much:]
    if kind == "repeat":
        return before + after[:much] * (what % 40) + after[much:]
    if kind == "word":
        return before + WORDS[what % len(WORDS)] + after
    if kind == "digits":  # the number at or after the place becomes another
        start = next((i for i, letter in enumerate(after) if 48 <= letter < 58), 0)
        end = next((i for i, letter in enumerate(after[start:], start) if not 48 <= letter < 58), len(after))
        return before + after[:start] + str(NUMBERS[what % len(NUMBERS)]).encode() + after[end:]
    start = what % (len(other) + 1)
    return before + other[start : start + much] + after


def damaged(content, edits, other, inside):
    """``content`` after all ``edits``; of an archive, if ``inside``, one of its members after them."""
    if inside is not None and content.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        names, stream = sorted(members), io.BytesIO()
        chosen = names[inside % len(names)]
        members[chosen] = damaged(members[chosen], edits, other, None)
        with zipfile.ZipFile(stream, "w") as archive:
            for name, member in members.items():
                archive.writestr(name, member)
        return stream.getvalue()
    for edit in edits:
        content = edited(content, edit, other)[:LARGEST]
    return content


class Fuzzed:
    """A target: how many inputs came to what, and the harm that was found."""

    def __init__(self, name, given_seeds, sandbox):
        self.name, self.seeds, self.sandbox = name, given_seeds, sandbox
        self.counts, self.harm, self.memory, self.seconds = Counter(), {}, 0, 0.0

    def attempt(self, content):
        """Try one input in a folder of its own."""
        folder = Path(tempfile.mkdtemp())
        try:
            for name, other in self.seeds.others.items():
                (folder / name).write_bytes(other)
            file = TARGETS[self.name].file
            (folder / file).write_bytes(content)
            outcome = self.sandbox.attempt(self.name, folder, file)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        self.counts[outcome.kind] += 1
        self.memory, self.seconds = max(self.memory, outcome.memory), max(self.seconds, outcome.seconds)
        if not outcome.allowed and outcome.text not in self.harm:
            self.harm[outcome.text] = keep(self.name, content)
            print(f"{self.name}: {outcome.kind}: {outcome.text}: {self.harm[outcome.text]}", flush=True)

    def run(self, seconds, number):
        """Try inputs for so many ``seconds``; hypothesis' seed is ``number`` and those after it."""
        contents = st.sampled_from(self.seeds.contents)
        end = monotonic() + seconds
        while monotonic() < end:
            number += 1

            @seed(number)
            @settings(
                max_examples=ROUND,
                database=None,
                deadline=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(contents, st.lists(EDIT, min_size=1, max_size=6), contents, st.none() | st.integers(0, 255))
            def one_round(content, edits, other, inside):
                if monotonic() < end:
                    self.attempt(damaged(content, edits, other, inside))

            one_round()


def keep(target, content):
    """The file in CRASHES with this input; it is written if it is not there."""
    CRASHES.mkdir(exist_ok=True)
    path = CRASHES / f"{target}-{hashlib.sha256(content).hexdigest()[:8]}"
    path.write_bytes(content)
    return path


def main():
    """Run all targets, or those named; exit 1 if anything did harm."""
    parser = argparse.ArgumentParser(description="Try damaged files on every parser.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="of targets.py; all if none is named")
    parser.add_argument("--seconds", type=float, default=60, help="altogether")
    parser.add_argument("--seed", type=int, default=int(time()), help="for the same inputs again")
    options = parser.parse_args()
    known = seeds()
    chosen = {name: known[name] for name in options.targets or known}
    print(f"{len(chosen)} targets, {options.seconds:g} s, seed {options.seed}", flush=True)
    with Sandbox() as sandbox:
        fuzzed = [Fuzzed(name, given_seeds, sandbox) for name, given_seeds in chosen.items()]
        for one in fuzzed:
            one.run(options.seconds / len(fuzzed), options.seed)
    rows = [
        (
            one.name,
            f"{sum(one.counts.values()):,}",
            f"{one.counts['value']:,}",
            f"{one.counts['refused']:,}",
            f"{len(one.harm):,}",
            f"{one.memory / 2**20:,.0f} MiB",
            f"{one.seconds:.1f} s",
        )
        for one in fuzzed
    ]
    print(
        table(
            rows,
            ["target", "inputs", "read", "refused", "harm", "most memory", "longest"],
            colalign=["left"] + ["right"] * 6,
        )
    )
    total, harm = sum(sum(one.counts.values()) for one in fuzzed), sum(len(one.harm) for one in fuzzed)
    print(f"{total:,} inputs, {harm} did harm")
    sys.exit(1 if harm else 0)


if __name__ == "__main__":
    main()
