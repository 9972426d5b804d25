"""All networks with the weights that are published for them, as a table: gluon-resnet models.

    >>> table("resnet18@keras*").shape
    (1, 12)
    >>> table("resnet50@torchvision:a1")[["tag", "top1", "image", "multiply_adds"]].values.tolist()
    [['a1', 81.24, 288, 6757765120]]

Parameters, multiply-adds and bytes are counted on the networks; the rest is in published.py.
"""

from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, Dict, Iterator, List, Optional, Tuple

import pandas as pd

from ..errors import ModelError, did_you_mean
from ..networks import cost
from ..networks.families import images_of
from ..networks.specs import ResNetSpec, model_names, parse_model
from ..text import table as text_table
from .published import FAMILIES, Published, rows_of

#: of the table, in this order
COLUMNS = (
    "model",
    "family",
    "parameters",
    "multiply_adds",
    "tag",
    "top1",
    "image",
    "bytes",
    "licence",
    "hash",
    "url",
    "source",
)


@lru_cache(maxsize=None)
def _counts(spec: ResNetSpec, channels: int, side: int) -> Tuple[int, int]:
    network = cost.network(spec, channels, (side, side))
    return network.total("parameters"), network.total("multiply_adds")


def _row(spec: ResNetSpec, published: Optional[Published]) -> Dict[str, Any]:
    images = images_of(spec.family)
    side = images.side if published is None else published.crop
    parameters, multiply_adds = _counts(spec, images.channels, side)
    row = dict(
        model=spec.name.partition("@")[0],
        family=spec.family,
        parameters=parameters,
        multiply_adds=multiply_adds,
        image=side,
    )
    if published is not None:
        row.update(
            tag=published.tag,
            top1=published.top1,
            bytes=published.size,
            licence=published.licence,
            hash=published.hash or None,
            url=published.url,
            source=published.source,
        )
    return row


def _all_rows() -> Iterator[Tuple[str, Dict[str, Any]]]:
    """(``resnet50@torchvision:a1``, the row) of all published weights and of the networks without."""
    names = model_names()
    specs = sorted(map(parse_model, names), key=lambda spec: (_place(spec.family), names.index(spec.name)))
    for spec in specs:
        published: List[Optional[Published]] = [row for row in rows_of(spec.name) if row.family == spec.family]
        for row in published or [None]:
            yield spec.name if row is None else f"{spec.name}:{row.tag}", _row(spec, row)


def _place(family: str) -> int:
    """Families with published weights come first."""
    return FAMILIES.index(family) if family in FAMILIES else len(FAMILIES)


def table(pattern: Optional[str] = None) -> pd.DataFrame:
    """The networks and their published weights, a row for each file; the first of a network is its default.

    Args:
        pattern: part of ``MODEL@FAMILY:TAG``, such as "resnet50" or "keras"; or all of it or of ``MODEL@FAMILY``, with
            ``*`` for any letters and ``?`` for one.

    Returns:
        A table with the columns COLUMNS: multiply_adds of one image of ``image`` x ``image`` pixels, top1 in percent,
        bytes of the numbers as float32. A network without published weights has no tag.

    Raises:
        ModelError: nothing matches.
    """
    rows = dict(_all_rows())
    wanted = (pattern or "").lower()
    shape = wanted if "*" in wanted or "?" in wanted else f"*{wanted}*"
    found = [
        row for name, row in rows.items() if fnmatchcase(name, shape) or fnmatchcase(name.partition(":")[0], shape)
    ]
    if not found:
        known = [*rows, *(name.partition("@")[0] for name in rows)]
        raise ModelError(
            f"no model matches '{pattern}': {did_you_mean(wanted, known)}expected a part of MODEL@FAMILY:TAG"
        )
    return pd.DataFrame(found, columns=list(COLUMNS)).astype({"bytes": "Int64"})  # also if some are missing


def as_text(models: pd.DataFrame) -> str:
    """The table for a terminal."""
    rows, before = [], None
    for row in models.itertuples(index=False):
        network = (row.model, row.family, f"{row.parameters:,}")
        published = isinstance(row.tag, str)
        rows.append(
            [
                *(network if network != before else ("", "", "")),
                row.tag if published else "none",
                f"{row.top1:.2f}" if row.top1 == row.top1 else "",  # a number is not equal to itself if it is missing
                row.image,
                f"{row.multiply_adds / 1e9:.3f} G",
                f"{row.bytes / 1e6:.0f} MB" if published else "",
                row.licence if published else "",
            ]
        )
        before = network
    headers = ["model", "family", "parameters", "tag", "top-1", "image", "multiply-adds", "size", "licence"]
    return text_table(
        rows, headers, colalign=("left", "left", "right", "left", "right", "right", "right", "right", "left")
    )
