"""The weights that others have published for our networks, as data: a row for each file, every fact with its source.

    >>> row = find("imagenet:a1", "resnet50")
    >>> row.model, row.top1, row.crop, row.hash[:15]
    ('resnet50@torchvision', 81.24, 288, 'sha256:773525d5')

All are trained on ImageNet's 1,000 classes. ``imagenet`` is the first row of a model, ``imagenet:TAG`` another one; a
tag alone will do if there is no file of that name. For a model without @family the families are searched in turn.
The rows and their sources are in published_rows.py.
"""

import os
from pathlib import Path
from typing import List, Optional, Union

from ..errors import WeightsError, did_you_mean
from ..networks.families import OWN_NAMES
from ..networks.specs import ModelName, parse_model
from .published_rows import ROWS, Published

IMAGENET = "imagenet"
SUFFIX = "_in1k"  # of timm's tags; it can be left out
#: families with published weights, in the order in which a model without @family takes those that it can mean
FAMILIES = (
    *("torchvision", "mxnet", "keras", "keras2016", "v2"),
    *("resnext_32x4d", "resnext_32x8d", "resnext_64x4d", "wide", "resnet_d"),
)


#: every tag of any model
TAGS = frozenset(row.tag for row in ROWS)


def is_name(weights: Union[str, Path]) -> bool:
    """Is ``weights`` a name of published weights (``imagenet``, ``imagenet:a1``, ``a1``) rather than a file?

    A tag alone is a name if there is no file of that name here; ``imagenet`` always is.
    """
    first, colon, _ = str(weights).partition(":")
    if not isinstance(weights, str) or first == IMAGENET:
        return isinstance(weights, str)
    return not colon and _tag(weights) in TAGS and not os.path.exists(weights)


def find(weights: Union[str, Path], model: str) -> Optional[Published]:
    """The row that ``weights`` names for a model such as ``resnet50`` or ``resnet50@keras``; None if it is a file.

    Raises WeightsError if the model has no published weights or not this tag; it names the nearest tag.
    """
    if not is_name(weights):
        return None
    known, tag = rows_of(model), _tag(str(weights))
    if not known:
        raise WeightsError(
            f"{weights}: no published weights of {model} are known: expected a model of "
            f"{', '.join(dict.fromkeys(row.model for row in ROWS))}"
        )
    row = next((row for row in known if tag in ("", row.tag)), None)
    if row is None:
        raise WeightsError(f"{weights}: no tag of {model}: {suggestion(tag, model)}")
    return row


def suggestion(word: str, model: str) -> str:
    """``did you mean a1? known are tv2, tv, a1, ...``, for a message about a ``word`` that is no tag of ``model``."""
    tags = list(dict.fromkeys(row.tag for row in rows_of(model)))
    return f"{did_you_mean(word, [IMAGENET, *tags], 0.6)}known are {', '.join(tags) or 'none'} (gluon-resnet models)"


def _tag(weights: str) -> str:
    """The tag in a name, in lower case and without timm's ending; empty for ``imagenet`` alone."""
    first, _, rest = weights.partition(":")
    tag = (rest if first == IMAGENET else weights).lower()
    return tag[: -len(SUFFIX)] if tag.endswith(SUFFIX) else tag


def rows_of(model: str) -> List[Published]:
    """The rows of a model's name, its default first; without @family those of all families."""
    spec, family = parse_model(model), ModelName.parse(model).family
    named = family is not None or spec.family in OWN_NAMES  # the name says which family it is
    families = (spec.family,) if named else tuple(family for family in FAMILIES if family not in OWN_NAMES)
    rows = [row for name in families for row in ROWS if row.family == name and row.depth == spec.depth]
    return [row for row in rows if row.spec.shortcut == spec.shortcut]
