"""The same image through two engines, layer by layer: where do they begin to differ, and by how much?

    gluon-resnet microscope cat.png --model resnet50 --weights resnet50.safetensors --a gluon --b byhand

A difference is the largest absolute one of a layer, and relative to the layer's largest value in engine a. Layers come
in the order they run, so the first one past the tolerance is where to look; those after it only carry it on. Layers
that one of the engines has not (bfloat16 and int8 compute several as one) are left out.
``--plant LAYER`` damages one layer of engine b on purpose, to see that the instrument finds it.
"""

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy
import pandas as pd
from matplotlib.figure import Figure

from .. import text
from ..errors import ConfigError, ModelError
from ..figures import new_figure
from ..networks.layout import input_channels, layout, place_name
from ..networks.specs import ResNetSpec
from ..text import count as counted
from .engines import shown_as, watched_layers

PLANTED = 1.05  # the factor on one channel of a planted layer
COLUMNS = ["layer", "place", "kind", "shape", "largest", "absolute", "relative", "past"]

Activations = Dict[str, numpy.ndarray]  # by layer


@dataclass(frozen=True)
class Differences:
    """What the microscope saw: ``table`` with a row for each layer, and the first layer past the tolerance or None.

    Columns: layer, place (such as stage1.block0.conv1), kind ("activation" or "gradient"), shape, the largest absolute
    value in a, the largest absolute difference, that one relative to it, and whether it is past the tolerance.
    """

    table: pd.DataFrame
    tolerance: float
    first: Optional[str]
    first_gradient: Optional[str]
    activations: Tuple[Activations, Activations]  # of a and b


def _row(kind: str, A: numpy.ndarray, B: numpy.ndarray, tolerance: float) -> tuple:
    """A row of the table from its kind on, for the arrays A of engine a and B of engine b."""
    largest = float(abs(A).max())
    absolute = float(abs(A.astype(numpy.float64) - B).max())
    relative = absolute / largest if largest > 0 else (0.0 if absolute == 0 else numpy.inf)
    # a number that is not finite is past every tolerance
    return (kind, A.shape, largest, absolute, relative, not relative <= tolerance)


def look(
    a: Any,
    b: Any,
    X: numpy.ndarray,
    tolerance: float = 1e-4,
    gradients: bool = False,
    y: Optional[Sequence[int]] = None,
) -> Differences:
    """Send X through two engines and compare all their layers.

    Args:
        a: an engine of :func:`gluon_resnet.instruments.engines.make_engine`, to which differences are relative.
        b: another one of the same network.
        X: images (N, C, H, W) float32, as the network takes them.
        tolerance: the relative difference up to which two layers count as alike.
        gradients: also compare the gradients of the mean cross-entropy by every parameter, computed in float64. They
            come in the order of the backward pass, last layer first.
        y: classes (N,) for the gradients; by default those that engine a predicts.

    Raises:
        ConfigError: an engine has no gradients, or the tolerance is not above 0.
    """
    if gradients and not (hasattr(a, "gradients") and hasattr(b, "gradients")):
        raise ConfigError("gradients: ONNX Runtime has none, nor have bfloat16 and int8: take two of gluon and byhand")
    if not tolerance > 0:
        raise ConfigError(f"tolerance is {tolerance}: expected a number above 0")
    both = a.activations(X), b.activations(X)
    shared = [name for name in both[0] if name in both[1]]
    rows = [(name, _place(a, name), *_row("activation", both[0][name], both[1][name], tolerance)) for name in shared]
    if gradients:
        labels = numpy.asarray(a.logits(X).argmax(axis=1) if y is None else y)
        of_a, of_b = a.gradients(X, labels), b.gradients(X, labels)
        order = [name for layer in reversed(list(a.plan.layers())) for name in layer.params if name in of_a]
        rows += [(name, _place(a, name), *_row("gradient", of_a[name], of_b[name], tolerance)) for name in order]
    table = pd.DataFrame(rows, columns=COLUMNS)

    def first(kind: str) -> Optional[str]:
        past = table[table["past"] & (table["kind"] == kind)]
        return past["layer"].iloc[0] if len(past) else None

    return Differences(table, tolerance, first("activation"), first("gradient"), both)


def _place(engine: Any, name: str) -> str:
    """Where a layer is; empty for an engine of another making, which has no layout that says so."""
    plan = getattr(engine, "plan", None)
    return "" if plan is None else place_name(plan.spec, name)


def plant(spec: ResNetSpec, params: Dict[str, numpy.ndarray], layer: str) -> Dict[str, numpy.ndarray]:
    """A copy of ``params`` in which one channel of ``layer`` is 5 % too large; ModelError if there is no such layer.

    It is the channel with the largest weights: a convolution's filter, a batch norm's scale (if that is fixed at 1, its
    running variance), a class of the classifier.
    """
    plan = layout(spec, input_channels(spec, params))
    known = [own.name for own in plan.layers()]
    if layer not in known:
        raise ModelError(
            f"no layer '{layer}' with parameters in {spec.name}: expected one of {', '.join(known[:6])} ... {known[-1]}"
        )
    name = f"{layer}.weight" if f"{layer}.weight" in params else f"{layer}.gamma"
    factor = PLANTED
    if name in plan.fixed():
        name, factor = f"{layer}.running_var", PLANTED**-2  # divided by its root
    damaged = params[name].copy()
    channel = int(abs(damaged).reshape(len(damaged), -1).sum(axis=1).argmax())
    damaged[channel] *= factor
    return {**params, name: damaged}


def shows_first(spec: ResNetSpec, layer: str, differences: Optional[Differences] = None) -> str:
    """Name of the first watched layer in which damage to ``layer`` shows: itself, but ResNet-18's "1" shows as "2".

    Of the layers that were compared in ``differences`` if they are given: where engines are fused, it is a later one.
    """
    plan = layout(spec)
    first = shown_as(plan, layer)
    if differences is None:
        return first
    order, compared = watched_layers(plan), set(differences.table["layer"])
    return next((name for name in order[order.index(first) :] if name in compared), first)


def as_text(differences: Differences, every: bool = False) -> str:
    """The table as lines: each stage's blocks and the layers past the tolerance, or ``every`` layer."""
    table = differences.table
    marks = {"activation": differences.first, "gradient": differences.first_gradient}
    rows = []
    for row in table.itertuples(index=False):
        is_first = row.layer == marks[row.kind]
        shown = row.past if row.kind == "gradient" else row.kind == "activation" and row.layer.count(".") < 2
        if every or is_first or shown:
            mark = f"<- first past {differences.tolerance:g}" if is_first else "past" if row.past else ""
            rows.append(
                (
                    row.layer,
                    row.place,
                    row.kind,
                    "x".join(map(str, row.shape)),
                    f"{row.largest:.3g}",
                    f"{row.absolute:.2e}",
                    f"{row.relative:.2e}",
                    mark,
                )
            )
    lines = [
        text.table(
            rows,
            headers=["layer", "place", "", "shape", "largest", "absolute", "relative", ""],
            colalign=("left", "left", "left", "left", "right", "right", "right", "left"),
        )
    ]
    if not every:
        lines.append(f"{len(rows)} of {counted(len(table), 'row')}; --every shows all")
    for kind, first in marks.items():
        part = table[table["kind"] == kind]
        if len(part):
            worst = part.loc[part["relative"].idxmax()]
            past = f"{differences.tolerance:g}"
            lines.append(
                f"{len(part)} {kind}s: largest relative difference {worst['relative']:.2e} at {worst['layer']}; "
                + (f"{first} is the first past {past}" if first else f"none past {past}")
            )
    return "\n".join(lines)


def draw(differences: Differences, names: Sequence[str], layer: Optional[str] = None, num_maps: int = 6) -> Figure:
    """Draw the differences over depth.

    Args:
        differences: what :func:`look` gave.
        names: what to call the engines a and b.
        layer: a layer whose maps are drawn below, in both engines and as their difference; None for none.
        num_maps: how many of its channels, those that differ most.

    Raises:
        ModelError: ``layer`` is none of the watched ones or has no maps.
    """
    kinds = list(dict.fromkeys(differences.table["kind"]))
    maps = None if layer is None else _maps(differences, layer, num_maps)
    figure = new_figure(11, 3.2 * len(kinds) + (4.6 if maps else 0))
    parts = figure.subfigures(2, 1, height_ratios=[3.2 * len(kinds), 4.6]) if maps else [figure]
    for axes, kind in zip(parts[0].subplots(len(kinds), 1, squeeze=False)[:, 0], kinds):
        _draw_depth(axes, differences, kind)
    parts[0].suptitle(f"{names[0]} against {names[1]}", fontsize=11)
    if maps:
        _draw_maps(parts[1], maps, layer)
    return figure


def _draw_depth(axes: Any, differences: Differences, kind: str) -> None:
    table = differences.table[differences.table["kind"] == kind].reset_index(drop=True)
    floor = 1e-9
    axes.semilogy(table["relative"].clip(lower=floor), ".-", color="tab:blue", label="relative", linewidth=0.8)
    axes.semilogy(
        table["absolute"].clip(lower=floor), ".-", color="tab:grey", label="absolute", linewidth=0.5, markersize=3
    )
    tolerance = differences.tolerance
    axes.axhline(tolerance, color="tab:red", linestyle="--", linewidth=0.8, label=f"tolerance {tolerance:g}")
    first = differences.first if kind == "activation" else differences.first_gradient
    if first is not None:
        at = int(table.index[table["layer"] == first][0])
        axes.axvline(at, color="tab:red", linewidth=0.8)
        above = axes.get_xaxis_transform()  # layers from left to right, the frame's height from 0 to 1
        axes.text(at, 1.02, first, transform=above, color="tab:red", ha="center", va="bottom", fontsize=9)
    step = max(1, len(table) // 24)
    axes.set_xticks(range(0, len(table), step))
    axes.set_xticklabels(table["layer"][::step], rotation=90, fontsize=7)
    axes.set(ylabel=f"largest difference of {kind}s", xlim=(-1, len(table)))
    axes.margins(y=0.15)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)


def _maps(differences: Differences, layer: str, count: int) -> Tuple[List[int], numpy.ndarray, numpy.ndarray]:
    """(channels, their maps of a, those of b), maps (count, H, W), of the first image."""
    of_a, of_b = differences.activations
    if layer not in of_a or of_a[layer].ndim != 4:
        known = [name for name, A in of_a.items() if A.ndim == 4]
        raise ModelError(f"no feature maps of '{layer}': expected one of {', '.join(known[:5])} ... {known[-1]}")
    A, B = of_a[layer][0], of_b[layer][0]  # (C, H, W)
    largest = numpy.argsort(-abs(A - B).reshape(len(A), -1).max(axis=1), kind="stable")[:count]
    return [int(channel) for channel in largest], A[largest], B[largest]


def _draw_maps(figure: Any, maps: Tuple[List[int], numpy.ndarray, numpy.ndarray], layer: Optional[str]) -> None:
    channels, A, B = maps
    cells = figure.subplots(3, len(channels), squeeze=False)
    for i, channel in enumerate(channels):
        low, high = float(min(A[i].min(), B[i].min())), float(max(A[i].max(), B[i].max()))
        difference = abs(A[i] - B[i])
        for row, values in enumerate((A[i], B[i])):
            cells[row, i].imshow(values, cmap="viridis", vmin=low, vmax=high)
        cells[2, i].imshow(difference, cmap="magma", vmin=0)
        cells[0, i].set_title(f"channel {channel}", fontsize=8)
        cells[2, i].set_xlabel(f"up to {difference.max():.1e}", fontsize=8)
    for row, label in enumerate(("engine a", "engine b", "difference")):
        cells[row, 0].set_ylabel(label, fontsize=9)
    for axes in cells.ravel():
        axes.set_xticks([])
        axes.set_yticks([])
    figure.suptitle(f"layer {layer}: {counted(len(channels), 'channel')} with the largest difference", fontsize=10)
