"""A book's printed lines next to what this suite gives: the shapes of a walk, losses and accuracies, rates.

This module is for readers who compare an edition of the book with this suite; training does not use it.

    gluon-resnet transcript chapter.txt --run runs/20261122-030010-resnet18@d2l-fashion-mnist

    table = transcript.compare(transcript.read_text("chapter.txt"))

The text may be a page or a notebook, in any language, also without line breaks. Walks of the MXNet, PyTorch and
TensorFlow editions (``conv5 output shape: (1, 64, 112, 112)``, ``torch.Size([1, 64, 24, 24])``, channels last) are
compared layer by layer. The numbers of the layers do not matter, and a Sequential may be several layers of ours.
"""

import bisect
import re
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple, Union

import pandas as pd

from .. import text
from ..errors import DataError
from ..text import count
from .transcript_compare import (
    BANDS,
    Block,
    Ours,
    Row,
    Shape,
    Value,
    Walker,
    compare_block,
    compare_value,
    compare_walk,
)

MAX_DIGITS = 9  # of the number of an epoch
COLUMNS = ["line", "kind", "published", "ours", "same", "note"]

# Each pattern takes time in proportion to the text: none can begin at every letter of a word and read on to its end,
# and no two parts next to each other can divide what is between them in many ways.
_GAP = r"(?:\s|\\[tn])*"  # the file of a notebook has \t for a tab
#: A name begins after what belongs to no name, without digits and dots; a letter after a backslash is an escape's.
_NAME = r"(?<![\w.])(?:(?<!\\)|(?<=\\)\w)[\d.]*([A-Za-z_][\w.]*)"
_SHAPE = re.compile(
    rf"{_NAME}[^\S\n]+output[^\S\n]+shape[^\S\n]*:"
    rf"{_GAP}(?:[A-Za-z_][\w.]*\()?"
    r"[(\[]((?:\d{1,9}|None)(?:\s*,\s*(?:\d{1,9}|None)){0,7}),?\s*[)\]]",
    re.ASCII,
)
#: A number is cut after three decimals if the next line's number follows without a space.
_NUMBER = r"(\d\.\d{3}(?=\d+\.\d)|\d+(?:\.\d+)?(?:e[-+]?\d+)?|nan|inf)"
_LOSS = re.compile(
    rf"(?:epoch\s+(\d+)\s*[,:]\s*)?loss[ :=]*{_NUMBER}\s*,\s*train[ _]acc[ :=]*{_NUMBER}"
    rf"(?:\s*,\s*test[ _]acc[ :=]*{_NUMBER})?",
    re.ASCII,
)
_RATE = re.compile(
    r"(?<![\d,])(\d[\d,]*(?:\.\d+)?)[^\S\n]*exam\w*/s(?:ec)?\b(?:[^\S\n]+on[^\S\n]+(\[[^\]\n]*\]|[\w:/.()]+)|"
    r"[^\S\n]+(end to end))?",
    re.ASCII,
)
#: A residual block on its own: its arguments, the code up to .shape, and the shape printed below.
_BLOCK = re.compile(
    r"Residual\(([^()]*)\)((?:(?!Residual\().){0,400}?\.shape)\)?[^\S\n]*\n\s*(?:[A-Za-z_][\w.]{0,99}\()?"
    r"[(\[](\d{1,9}(?:\s*,\s*\d{1,9}){3})[)\]]",
    re.ASCII | re.DOTALL,
)
_BLOCKS_INPUT = re.compile(
    r"(tf\.)?(?:random\.)?(?:uniform|normal|randn?)\((?:size=)?\(?"
    r"(\d{1,9}(?:\s*,\s*\d{1,9}){3})\)",
    re.ASCII,
)
#: full-width signs and other spaces, between Chinese characters -> those of ASCII
_ASCII: Dict[int, Union[int, str]] = {
    **{place: place - 0xFEE0 for place in range(0xFF01, 0xFF5F)},
    **dict.fromkeys((0xA0, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000), " "),
}


#: what a book prints
Item = Union[Shape, Block, Value]


def read_text(path: Union[str, Path]) -> str:
    """The text of the file at ``path``, in UTF-8, UTF-16 with a byte order mark or GB 18030.

    Raises DataError if the file cannot be read or is not text.
    """
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


def _sizes(text: str) -> Tuple[Any, ...]:
    return tuple(None if size.strip() == "None" else int(size) for size in text.split(","))


def _blocks(text: str, line: Callable[[int], int]) -> Iterator[Tuple[int, Block]]:
    """(place, Block) of the residual blocks on their own; the input of each is the last one made before it."""
    inputs = list(_BLOCKS_INPUT.finditer(text))
    ends = [found.end() for found in inputs]
    for match in _BLOCK.finditer(text):
        arguments = match[1].replace(" ", "").split(",")
        # PyTorch's first editions name the channels of the input, too
        channels = [int(argument) for argument in arguments if re.fullmatch(r"\d{1,9}", argument, re.ASCII)]
        before = bisect.bisect_right(ends, match.end(2))
        strides = [int(argument[8:]) for argument in arguments if re.fullmatch(r"strides=\d{1,3}", argument, re.ASCII)]
        if channels and before:
            yield (
                match.start(3),
                Block(
                    line(match.start(3)),
                    channels[-1],
                    "use_1x1conv=True" in arguments,
                    strides[0] if strides else 1,
                    _sizes(inputs[before - 1][2]),
                    _sizes(match[3]),
                    bool(inputs[before - 1][1]),
                ),
            )


def find(text: str) -> List[Item]:
    """All shapes, blocks and values that a book prints in ``text``, in the order of the text."""
    text = text.translate(_ASCII)
    ends = [found.start() for found in re.finditer("\n", text)]

    def line(place: int) -> int:
        return bisect.bisect_left(ends, place) + 1

    items: List[Tuple[int, Item]] = [
        (match.start(1), Shape(line(match.start(1)), match[1], _sizes(match[2]))) for match in _SHAPE.finditer(text)
    ]
    items += _blocks(text, line)
    for match in _LOSS.finditer(text):
        epoch = int(match[1]) if match[1] and len(match[1]) <= MAX_DIGITS else None
        items += [
            (match.start() + place, Value(line(match.start()), kind, match[place + 2], epoch))
            for place, kind in enumerate(BANDS)
            if match[place + 2]
        ]
    rest = _LOSS.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)  # the last number may touch the rate
    items += [
        (match.start(), Value(line(match.start()), "examples/sec", match[1], where=match[2] or match[3] or ""))
        for match in _RATE.finditer(rest)
    ]
    return [item for _, item in sorted(items, key=lambda pair: pair[0])]


def walks(items: Sequence[Item]) -> List[List[Shape]]:
    """The Shapes among ``items`` as a list for each walk.

    A new walk begins if the batch size changes, or if a shape has more axes than the one before it.
    """
    lists: List[List[Shape]] = []
    for item in items:
        if not isinstance(item, Shape):
            continue
        last = lists[-1][-1] if lists else None
        if last is None or item.shape[0] != last.shape[0] or len(item.shape) > len(last.shape):
            lists.append([])
        lists[-1].append(item)
    return lists


def compare(
    text: str,
    model: Optional[str] = None,
    shape: Optional[Tuple[int, ...]] = None,
    run: Optional[Union[str, Path]] = None,
) -> pd.DataFrame:
    """Compare what a book prints with what this suite gives.

    Args:
        text: the text of the book.
        model: name of the network to walk; the run's own if None, or resnet18 without a run.
        shape: its input (N, C, H, W); guessed from the first shape printed if None.
        run: a run folder, or the results file of an experiment with one arm, whose mean over the seeds counts.

    Returns:
        A table with the columns :data:`COLUMNS` and a row for each printed value, in the order of the text. Shapes are
        compared exactly, losses and accuracies with the band of the published ones (:data:`BANDS`). ``same`` is True or
        False, or None if nothing is compared: rates depend on the machine, so only their ratio is given.

    Raises:
        DataError: the text has no such lines.
        ModelError: the model is unknown.
        ShapeError: the network cannot take the shape.
        RunError: the run cannot be read or is not finished.
    """
    items = find(text)
    if not items:
        raise DataError(
            "no line that a book prints: expected some such as 'conv0 output shape: (1, 64, 112, 112)' or "
            "'loss 0.010, train acc 0.998, test acc 0.907'"
        )
    ours, walker = Ours(run), None
    rows: Dict[int, Row] = {}
    blocks: Dict[Any, Any] = {}
    for walk in walks(items):
        walker = walker or Walker(ours.network(model))
        rows.update(zip(map(id, walk), compare_walk(walk, walker, shape)))
    for item in items:
        if isinstance(item, Value):
            rows[id(item)] = compare_value(item, ours)
        elif isinstance(item, Block):
            rows[id(item)] = compare_block(item, blocks)
    return pd.DataFrame([rows[id(item)] for item in items], columns=COLUMNS).astype({"same": object})


def counts(table: pd.DataFrame) -> str:
    """A line that says how many values of a table of :func:`compare` are the same, differ, or are not compared."""
    same, compared = sum(value is True for value in table["same"]), sum(value is not None for value in table["same"])
    return f"{count(len(table), 'value')}: {same} same, {compared - same} differ, {len(table) - compared} not compared"


def as_text(table: pd.DataFrame) -> str:
    """A table of :func:`compare` for a terminal, with the differences marked, and its counts below."""
    marks = {True: "same", False: "DIFFERS", None: ""}
    rows = [[*row[:4], marks[row[4]], row[5]] for row in table.itertuples(index=False, name=None)]
    headers = ["line", "what", "published", "ours", "", ""]
    return f"{text.table(rows, headers=headers)}\n\n{counts(table)}"
