"""Where in a weight file a network may be: its arrays without what training programs write before each name.

    for view in views(tensors):                           # {"model.conv1.weight": array, ..., "queue": array}
        view.prefix, view.tensors, view.outside           # "model.", {"conv1.weight": array, ...}, ("queue",)

A LightningModule writes ``model.`` or ``backbone.``, MoCo ``encoder_q.``, Gluon's export the network's own prefix.
A prefix is found by the name of the first convolution after it, so it can be any.
"""

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Dict, Iterator, List, Set, Tuple

import numpy

from ..networks.families import family_depths
from ..networks.layout import layout, places
from ..networks.specs import get_spec
from .names import NAMINGS, Axes, names

Arrays = Dict[str, numpy.ndarray]

#: parts of prefixes that training programs are known to write; they are preferred if a file holds several networks
USUAL = ("model", "backbone", "encoder", "encoder_q", "resnet")
#: the part of a network of MXNet's model zoo that has everything but the classifier; it is also saved alone
ZOO_BODY, ZOO_HEAD = "features.", "output."
LEAST = 20  # arrays below a prefix; no network has fewer
DENSE = re.compile(r"(?:|.*_)dense\d+_")  # how the names of a dense layer begin in a file that Gluon exported


@dataclass(frozen=True)
class View:
    """The arrays whose names begin with ``prefix``, without it; ``outside`` are the names of the file's other arrays.

    ``added`` begins the names of ``tensors`` in place of the prefix.
    """

    prefix: str
    tensors: Arrays
    outside: Tuple[str, ...] = ()
    added: str = ""

    def written(self, name: str) -> str:
        """The file's name for ``name``; a classifier in another place keeps the name it should have."""
        return self.prefix + name[len(self.added) :] if name.startswith(self.added) else name

    @property
    def usual(self) -> bool:
        """Is the prefix made of USUAL parts alone?"""
        return all(part in USUAL for part in self.prefix.split(".")[:-1])


@lru_cache(maxsize=None)
def stem_of(naming: str, family: str) -> Tuple[str, Axes]:
    """(name, axes) of the first convolution's weight in the networks of ``family`` under ``naming``."""
    spec = get_spec(family_depths(family)[0], family)
    return names(naming, layout(spec))[f"{places(spec)['stem']}.weight"]


@lru_cache(maxsize=None)
def _stems() -> Tuple[str, ...]:
    return tuple({stem_of(naming, family)[0] for naming, row in NAMINGS.items() for family in row.families})


def _prefixes(tensors: Arrays) -> List[str]:
    """Everything that is before a first convolution's name, the shortest first."""
    found: Set[str] = set()
    for name in tensors:
        found.update(name[: -len(stem)] for stem in _stems() if name.endswith(stem))
    return sorted((prefix for prefix in found if prefix and prefix[-1] in "._/"), key=lambda each: (len(each), each))


def views(tensors: Arrays) -> Iterator[View]:
    """The file as it is, then the networks that may be in it under a prefix."""
    whole = View("", tensors)
    yield _with_exported_head(whole, tensors)
    yield _as_zoo(whole, tensors)
    for prefix in _prefixes(tensors):
        below = {name[len(prefix) :]: values for name, values in tensors.items() if name.startswith(prefix)}
        if len(below) >= LEAST:
            outside = tuple(name for name in tensors if not name.startswith(prefix))
            view = View(prefix, below, outside)
            yield _with_exported_head(view, tensors)
            if prefix.endswith("."):
                yield _as_zoo(view, tensors)


def _with_exported_head(view: View, tensors: Arrays) -> View:
    """The view with its classifier as the first dense layer, if Gluon exported it and has one dense layer.

    Who replaces a network's classifier by a new one gets ``dense1``, or the prefix of another network.
    """
    if "conv0_weight" not in view.tensors:
        return view
    pairs = {match[0] for match in map(DENSE.match, [*view.tensors, *view.outside]) if match}
    if len(pairs) != 1:
        return view
    pair = pairs.pop()
    inside = {name: values for name, values in view.tensors.items() if not name.startswith(pair)}
    for part in ("weight", "bias"):
        values = view.tensors.get(f"{pair}{part}", tensors.get(f"{pair}{part}"))
        if values is not None:
            inside[f"dense0_{part}"] = values
    return replace(view, tensors=inside, outside=tuple(name for name in view.outside if not name.startswith(pair)))


def _as_zoo(view: View, tensors: Arrays) -> View:
    """The view as the model zoo's ``features``, with the one dense layer after them, if any, as its ``output``.

    ``net.features.save_parameters`` writes such files, and so does a Sequential of a network's features and a layer.
    """
    inside = {f"{ZOO_BODY}{name}": values for name, values in view.tensors.items()}
    outside = view.outside
    heads = {name.rpartition(".")[0] for name in outside}
    if len(heads) == 1 and len(outside) == 2:
        inside.update((f"{ZOO_HEAD}{name.rpartition('.')[2]}", tensors[name]) for name in outside)
        outside = ()
    return View(view.prefix, inside, outside, ZOO_BODY)
