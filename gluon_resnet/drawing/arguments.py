"""The arguments of draw and draw_block, checked; and what replaces those that are not given.

usual_input(parse_model("cifar_resnet20"))      # (1, 3, 32, 32)
"""

import operator
from dataclasses import replace
from typing import Any, List, Optional, Sequence, Tuple

from ..errors import ConfigError, ModelError, ShapeError, did_you_mean
from ..networks.families import DEFAULT_FAMILY, ROWS, family_depths, images_of
from ..networks.specs import ResNetSpec, get_spec, parse_model
from .words import LANGUAGES

#: kind of block -> (the spec's block, the family that is drawn if none is asked for)
KINDS = {
    "residual": ("basic", DEFAULT_FAMILY),
    "bottleneck": ("bottleneck", DEFAULT_FAMILY),
    "plain": ("basic", DEFAULT_FAMILY),
    "v2": ("basic", "v2"),
    "bottleneck_v2": ("bottleneck", "v2"),
}
CHANNELS, SIDE = {"basic": 64, "bottleneck": 256}, 56  # of a block's input if none is given: as in the paper's figure 5

Shape = Tuple[int, int, int, int]  # (N, C, H, W)


def usual_input(spec: ResNetSpec, channels: Optional[int] = None) -> Shape:
    """(1, C, H, W): one image as the family of ``spec`` takes it, with ``channels`` in place of its own if given."""
    images = images_of(spec.family)
    return 1, channels or images.channels, images.side, images.side


def input_shape(X: Any) -> Shape:
    """(N, C, H, W) of an array or a shape as whole numbers; ShapeError for anything else."""
    given = getattr(X, "shape", X)
    try:
        shape = [operator.index(size) for size in given]
    except TypeError:
        shape = []
    if len(shape) != 4 or min(shape) < 1:
        raise ShapeError(f"X is {given!r}: expected an array or its shape, four positive whole numbers (N, C, H, W)")
    batch, channels, height, width = shape
    return batch, channels, height, width


def spec_of(model: Any) -> ResNetSpec:
    """The spec of a name or of a network of models.py, or ``model`` if it is a spec; ModelError for anything else."""
    if isinstance(model, str):
        return parse_model(model)
    spec = getattr(model, "spec", model)
    if not isinstance(spec, ResNetSpec):
        raise ModelError(
            f"model is of type {type(model).__name__}: expected a name such as 'resnet50@keras', a "
            f"ResNetSpec or a network of this suite"
        )
    return spec


def checked_language(lang: str) -> str:
    """``lang`` if the drawings have it; ConfigError otherwise."""
    if lang not in LANGUAGES:
        raise ConfigError(f"lang is {lang!r}: expected {' or '.join(LANGUAGES)}")
    return lang


def block_spec(kind: str, family: Optional[str] = None) -> ResNetSpec:
    """The spec of the first network of ``family`` (None: the kind's own) with such blocks; ModelError if none has."""
    if kind not in KINDS:
        raise ModelError(f"unknown block {kind!r}: {did_you_mean(kind, KINDS, cutoff=0.3)}known are {', '.join(KINDS)}")
    block, usual = KINDS[kind]
    family = usual if family is None else family
    if family not in ROWS:
        return get_spec(18, family)  # raises the error that lists the families
    depths = [depth for depth in family_depths(family) if get_spec(depth, family).block == block]
    if not depths or ROWS[family].get("preactivation") != ROWS[usual].get("preactivation"):
        raise ModelError(f"the family {family} has no {kind} blocks: leave family out, or draw another kind")
    return get_spec(depths[0], family)


def _option(kind: str, shortcut: Optional[str], use_1x1conv: bool, changes: bool) -> str:
    """The option A, B, C or none that the arguments ask for; ``changes`` says whether the shape changes."""
    if kind == "plain":
        if use_1x1conv or shortcut not in (None, "none"):
            raise ModelError("a plain block has no shortcut: leave shortcut and use_1x1conv out, or draw 'residual'")
        return "none"
    if use_1x1conv and shortcut is not None:
        raise ShapeError(f"use_1x1conv and shortcut={shortcut!r} are given: expected one of them")
    if shortcut is None and changes and not use_1x1conv:
        raise ShapeError(
            "X itself cannot be added where the shape changes: give use_1x1conv=True, or shortcut='A' or 'B'"
        )
    return shortcut or ("C" if use_1x1conv else "B")


def _counted(name: str, value: Any, allowed: Optional[Sequence[int]] = None) -> Optional[int]:
    """``value`` if it is None, a whole number of at least 1, and one of ``allowed``; ConfigError otherwise."""
    whole = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    if value is not None and not (whole and value in (allowed or (value,))):
        expected = " or ".join(map(str, allowed)) if allowed else "a whole number of at least 1"
        raise ConfigError(f"{name} is {value!r}: expected {expected}")
    return value


def block_cases(
    kind: str,
    family: Optional[str],
    shortcut: Optional[str],
    use_1x1conv: bool,
    num_channels: Optional[int],
    strides: Optional[int],
    X: Any,
) -> Tuple[ResNetSpec, Shape, List[Tuple[int, int]]]:
    """What to draw for the arguments of draw_block: (spec, shape of X, [(num_channels, strides)]).

    An option of the paper without ``num_channels`` and ``strides`` is two cases: a block that changes the shape, and
    one that keeps it.
    """
    spec = block_spec(kind, family)
    shape = (1, CHANNELS[spec.block], SIDE, SIDE) if X is None else input_shape(X)
    num_channels, strides = _counted("num_channels", num_channels), _counted("strides", strides, (1, 2))
    if shortcut in ("A", "B", "C") and num_channels is None and strides is None:
        cases = [(2 * shape[1], 2), (shape[1], 1)]
    else:
        cases = [(num_channels or shape[1] * (strides or 1), strides or 1)]
    option = _option(kind, shortcut, use_1x1conv, cases[0] != (shape[1], 1))
    return replace(spec, shortcut=option), shape, cases
