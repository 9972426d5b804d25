"""What is wrong with images, as a table and as lines: what, where, expected, found, what to do.

For example:

    report = scan(open_folder("bird_photos"))
    print("\\n".join(report.lines()))
    report.table                                     # one row a finding, as pandas
"""

from dataclasses import asdict, dataclass, fields
from typing import Any, Dict, Iterable, List, Optional, Set, Tuple

import pandas as pd

from ..errors import DataError
from ..text import count, one_line, printable

LEFT_OUT = "left out"  # not used: no batch shows it
SUSPECT = "suspect"  # used, but a person should look
NOTE = "note"  # harmless, or not an image at all
EFFECTS = (LEFT_OUT, SUSPECT, NOTE)


@dataclass(frozen=True)
class Problem:
    """One finding about one file or folder."""

    file: str  # relative to the folder, with "/"; a folder ends in "/"
    problem: str  # its kind in a few words, the same for all findings of this kind
    effect: str  # one of EFFECTS
    expected: str
    found: str
    advice: str

    def __str__(self) -> str:
        return f"{self.file}: expected {self.expected}, found {self.found}; {self.advice}"


def refusal(message: str) -> DataError:
    """A DataError with this one line, fit for any terminal."""
    return DataError(one_line(message))


class Report:
    """All findings about the images of ``where``.

    ``pictures`` is a DataFrame with a row for every listed image: name, class, width, height, format, mode, bytes.
    Width to mode are empty if the header could not be read. ``problems`` are objects of :class:`Problem`. ``layout`` is
    a line on which folders were taken for what, if that needs a word.
    """

    def __init__(
        self, where: str, pictures: pd.DataFrame, problems: Iterable[Problem], layout: Optional[str] = None
    ) -> None:
        self.where, self.pictures, self.layout = where, pictures, layout
        self.problems = sorted(problems, key=lambda problem: EFFECTS.index(problem.effect))
        self.digests: Dict[str, str] = {}  # SHA-256 of the files that could be read, by name

    @property
    def table(self) -> pd.DataFrame:
        """The findings as a DataFrame with the columns file, problem, effect, expected, found, advice."""
        columns = [field.name for field in fields(Problem)]
        return pd.DataFrame([asdict(problem) for problem in self.problems], columns=columns)

    def of(self, effect: str) -> List[Problem]:
        """The findings with this effect."""
        return [problem for problem in self.problems if problem.effect == effect]

    @property
    def left_out(self) -> Set[str]:
        """Names of everything that no batch shows."""
        return {problem.file for problem in self.of(LEFT_OUT)}

    @property
    def usable(self) -> List[int]:
        """Indices of the listed images that can be used."""
        out = self.left_out
        return [i for i, name in enumerate(self.pictures["name"]) if name not in out]

    @property
    def has_findings(self) -> bool:
        """Whether anything is left out or suspect; notes do not count."""
        return any(problem.effect != NOTE for problem in self.problems)

    def summary(self) -> str:
        """One line: how many images, how many are left out, how many are suspect."""
        parts = [f"{len(self.usable):,} of {count(len(self.pictures))} usable"]
        for effect in (LEFT_OUT, SUSPECT):
            kinds: Dict[str, int] = {}
            for problem in self.of(effect):
                kinds[problem.problem] = kinds.get(problem.problem, 0) + 1
            if kinds:
                parts.append(f"{effect}: " + ", ".join(f"{kind} ({number:,})" for kind, number in kinds.items()))
        return one_line(f"{self.where}: {'; '.join(parts)}")

    def first(self, names: Optional[Iterable[str]] = None) -> str:
        """The first finding of something left out, in words, among ``names`` if they are given; "" if there is none."""
        chosen = None if names is None else set(names)
        for problem in self.of(LEFT_OUT):
            if chosen is None or problem.file in chosen:
                return one_line(f"the first: {problem.problem}: {problem}")
        return ""

    def first_lines(self) -> List[str]:
        """What a reader is told before training: the layout, if it needs a word, and the summary, if there is any."""
        layout = [] if self.layout is None else [one_line(f"{self.where}: {self.layout}")]
        return layout + ([self.summary()] if self.has_findings else [])

    def lines(self, limit: Optional[int] = 3) -> List[str]:
        """The findings by kind, at most ``limit`` of each kind spelled out (None: all of them)."""
        lines: List[str] = []
        kinds: Dict[Tuple[str, str], List[Problem]] = {}
        for problem in self.problems:
            kinds.setdefault((problem.effect, problem.problem), []).append(problem)
        for (effect, kind), problems in kinds.items():
            lines.append(f"{effect}, {kind}: {len(problems):,}")
            for problem in problems[:limit]:
                lines.append(f"  {one_line(problem)}")
            if limit is not None and len(problems) > limit:
                lines.append(f"  and {len(problems) - limit:,} more")
        return lines or ["nothing to report"]

    def refuse(self) -> None:
        """Raise DataError if anything is left out or suspect: the first finding, and how many there are."""
        problems = self.of(LEFT_OUT) + self.of(SUSPECT)
        if problems:
            raise refusal(
                f"{self.where}: {problems[0].problem}: {problems[0]} "
                f"(the first of {count(len(problems), 'finding')}; strict)"
            )

    def as_dict(self) -> Dict[str, Any]:
        """The same as plain data, for JSON."""
        return {
            "where": printable(self.where),
            "listed": len(self.pictures),
            "usable": len(self.usable),
            "problems": [
                {key: printable(value) for key, value in asdict(problem).items()} for problem in self.problems
            ],
        }
