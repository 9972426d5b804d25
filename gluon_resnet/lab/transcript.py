"""A book's printed lines next to what this suite gives: shapes of a walk, losses and accuracies, examples a second.

    gluon-resnet transcript chapter.txt --run runs/20261122-030010-resnet18@d2l-fashion-mnist

    table = transcript.compare(transcript.read_text("chapter.txt"))

Any text will do: a page, a notebook, lines run together or between Chinese ones. Walks as MXNet, PyTorch and TensorFlow
editions print them (``conv5 output shape: (1, 64, 112, 112)``, ``torch.Size([1, 64, 24, 24])``, channels last) are
compared layer by layer, whatever the layers' numbers; a Sequential may be several of ours.
"""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Tuple

import pandas as pd

from .. import text
from ..errors import DataError
from .transcript_compare import BANDS, Ours, Walker, compare_block, compare_value, compare_walk

COLUMNS = ["line", "kind", "published", "ours", "same", "note"]

_GAP = r"(?:\s|\\[tn])*"  # a notebook's file has its tabs as \t
_SHAPE = re.compile(
    r"(?:(?<=\\[tn])|(?<!\\))([A-Za-z_][\w.]*)[^\S\n]+output[^\S\n]+shape[^\S\n]*:"
    rf"{_GAP}(?:[A-Za-z_][\w.]*\()?"
    r"[(\[]((?:\d{1,9}|None)(?:\s*,\s*(?:\d{1,9}|None))*),?\s*[)\]]",
    re.ASCII,
)
#: Three decimals are all there are where the next line's number follows without a blank.
_NUMBER = r"(\d\.\d{3}(?=\d+\.\d)|\d+(?:\.\d+)?(?:e[-+]?\d+)?|nan|inf)"
_LOSS = re.compile(
    rf"(?:epoch\s+(\d+)\s*[,:]\s*)?loss[ :=]*{_NUMBER}\s*,\s*train[ _]acc[ :=]*{_NUMBER}"
    rf"(?:\s*,\s*test[ _]acc[ :=]*{_NUMBER})?",
    re.ASCII,
)
_RATE = re.compile(
    r"(\d[\d,]*(?:\.\d+)?)[^\S\n]*exam\w*/s(?:ec)?\b(?:[^\S\n]+on[^\S\n]+(\[[^\]\n]*\]|[\w:/.()]+)|"
    r"[^\S\n]+(end to end))?",
    re.ASCII,
)
#: A block tried alone: its arguments, the code up to .shape, and the shape below.
_BLOCK = re.compile(
    r"Residual\(([^()]*)\)((?:(?!Residual\().){0,400}?\.shape)\)?\s*\n\s*(?:[A-Za-z_][\w.]*\()?"
    r"[(\[](\d{1,9}(?:\s*,\s*\d{1,9}){3})[)\]]",
    re.ASCII | re.DOTALL,
)
_BLOCKS_INPUT = re.compile(
    r"(tf\.)?(?:random\.)?(?:uniform|normal|randn?)\((?:size=)?\(?"
    r"(\d{1,9}(?:\s*,\s*\d{1,9}){3})\)",
    re.ASCII,
)


@dataclass(frozen=True)
class Shape:
    """One line of a walk: where, the layer's name, and the shape, None where the book has None for the batch."""

    line: int
    name: str
    shape: Tuple[Optional[int], ...]


@dataclass(frozen=True)
class Block:
    """A residual block tried alone, ``blk(X).shape``: its settings, the shapes of X and of the output printed."""

    line: int
    num_channels: int
    use_1x1conv: bool
    strides: int
    input: Tuple[int, ...]
    shape: Tuple[int, ...]
    channels_last: bool = False


@dataclass(frozen=True)
class Value:
    """A number that a book prints of its training: kind is "loss", "train acc", "test acc" or "examples/sec"."""

    line: int
    kind: str
    text: str  # as printed
    epoch: Optional[int] = None  # None: of the whole training
    where: str = ""  # the device, or "end to end"


def read_text(path):
    """The text of the file at ``path`` (UTF-8, UTF-16 with its mark, GB 18030); DataError if there is none."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}): expected a text file") from None
    encodings = ("utf-16",) if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "gb18030")
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise DataError(f"{path}: not text: expected a page, a notebook or pasted output in UTF-8")


def _sizes(text):
    return tuple(None if size.strip() == "None" else int(size) for size in text.split(","))


def _blocks(text, line):
    """[(place, Block)] of the blocks that ``text`` tries alone; their input is the last made before."""
    for match in _BLOCK.finditer(text):
        arguments = match[1].replace(" ", "").split(",")
        channels = [int(one) for one in arguments if one.isdigit()]  # PyTorch's first editions give the input's, too
        inputs = list(_BLOCKS_INPUT.finditer(text, 0, match.end(2)))
        strides = [int(one[8:]) for one in arguments if re.fullmatch(r"strides=\d{1,3}", one)]
        if channels and inputs:
            yield (
                match.start(3),
                Block(
                    line(match.start(3)),
                    channels[-1],
                    "use_1x1conv=True" in arguments,
                    *(strides or [1]),
                    _sizes(inputs[-1][2]),
                    _sizes(match[3]),
                    bool(inputs[-1][1]),
                ),
            )


def find(text):
    """[:class:`Shape`, :class:`Block` or :class:`Value`] of all that a book prints in ``text``, in its order."""
    text = unicodedata.normalize("NFKC", text)  # full-width commas and digits between Chinese characters

    def line(place):
        return text.count("\n", 0, place) + 1

    found = [(match.start(), Shape(line(match.start()), match[1], _sizes(match[2]))) for match in _SHAPE.finditer(text)]
    found += _blocks(text, line)
    for match in _LOSS.finditer(text):
        epoch = int(match[1]) if match[1] else None
        found += [
            (match.start() + place, Value(line(match.start()), kind, match[place + 2], epoch))
            for place, kind in enumerate(BANDS)
            if match[place + 2]
        ]
    rest = _LOSS.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)  # whose last number may touch the rate
    found += [
        (match.start(), Value(line(match.start()), "examples/sec", match[1], where=match[2] or match[3] or ""))
        for match in _RATE.finditer(rest)
    ]
    return [one for _, one in sorted(found, key=lambda pair: pair[0])]


def walks(found):
    """The Shapes of :func:`find` as lists, a walk each: another batch, or images after a vector, begin a new one."""
    lists = []
    for one in (one for one in found if isinstance(one, Shape)):
        last = lists[-1][-1] if lists else None
        if last is None or one.shape[0] != last.shape[0] or len(one.shape) > len(last.shape):
            lists.append([])
        lists[-1].append(one)
    return lists


def compare(text, model=None, shape=None, run=None):
    """A DataFrame of :data:`COLUMNS`: each printed value of ``text`` next to ours, in the text's order.

    ``model`` is the network that is walked (the run's own, or resnet18, if None), ``shape`` its input (N, C, H, W), by
    default guessed from the first shape printed. ``run`` is a run folder, or a results file of an experiment with one
    arm, whose mean counts. ``same`` is True or False, None where nothing is compared: rates depend on the machine, and
    are shown with their ratio. Shapes are compared exactly; losses and accuracies of ours with the band of the
    published ones (:data:`BANDS`). Raises DataError for a text without such lines, and what the model, shape or run
    does not fit.
    """
    found = find(text)
    if not found:
        raise DataError(
            "no line that a book prints: expected some such as 'conv0 output shape: (1, 64, 112, 112)' or "
            "'loss 0.010, train acc 0.998, test acc 0.907'"
        )
    ours, rows, walker = Ours(run), {}, None
    for walk in walks(found):
        walker = walker or Walker(ours.network(model))
        rows.update(zip(map(id, walk), compare_walk(walk, walker, shape)))
    for one in found:
        if isinstance(one, Value):
            rows[id(one)] = compare_value(one, ours)
        elif isinstance(one, Block):
            rows[id(one)] = compare_block(one)
    return pd.DataFrame([rows[id(one)] for one in found], columns=COLUMNS).astype({"same": object})


def counts(table):
    """How many values of a table of :func:`compare` are the same, differ, and are not compared, as a line."""
    same, compared = sum(value is True for value in table["same"]), sum(value is not None for value in table["same"])
    return f"{len(table)} values: {same} same, {compared - same} differ, {len(table) - compared} not compared"


def as_text(table):
    """A table of :func:`compare` for the eye, differences marked, and its counts below."""
    marks = {True: "same", False: "DIFFERS", None: ""}
    shown = [[*row[:4], marks[row[4]], row[5]] for row in table.itertuples(index=False, name=None)]
    headers = ["line", "what", "published", "ours", "", ""]
    return f"{text.table(shown, headers=headers)}\n\n{counts(table)}"
