"""Where the time of a training step or a prediction goes, by layer and by primitive, read from oneDNN's own log.

    gluon-resnet profile resnet18 --train --input 256,1,96,96

The network runs in a process of its own with DNNL_VERBOSE=1. oneDNN does not know our layers' names: a convolution,
batch norm or classifier of the log is the layer with its sizes. If several layers have the same sizes, the first that
runs is the first in the network, and on the way back the last. So a projection and a convolution of the same sizes in
one block may be taken for one another.
"""

import json
import statistics
import sys
from collections import defaultdict
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

import pandas as pd
from matplotlib.figure import Figure

from ..errors import BackendError
from ..figures import check_picture_path, new_figure, save_figure
from ..files import as_json, writing
from ..machine import env, system
from ..networks.cost import network
from ..networks.layout import Conv, Layout, Norm, layout, place_name
from ..networks.specs import parse_model
from .onednn_log import Primitive, read_steps
from .processes import run_script

#: What a layer's primitives have in common in the log: its kind and its sizes.
Key = Tuple[Any, ...]

#: columns of a layer: {a primitive's direction begins with this: column}
DIRECTIONS = {
    "forward": "forward",
    "backward_data": "to the data",
    "backward_weights": "to the weights",
    "undef": "no direction",
}
REST = {
    "reorder": "(changes of memory layout)",
    "sum": "(sums)",
    "binary": "(sums)",
    "eltwise": "(ReLU)",
    "pooling": "(pooling)",
}


def run(model: str, shape: Sequence[int], task: str, engine: str, steps: int) -> Tuple[List[List[Primitive]], Any]:
    """Run a network in a process of its own.

    Args:
        model: name of the network.
        shape: (N, C, H, W) of the batch.
        task: "train" or "predict".
        engine: that predicts (instruments/engines.py).
        steps: how many are measured.

    Returns:
        (the primitives of each step, {"seconds": [of each step], "version": ..., "threads": ...}).

    Raises:
        BackendError: the process failed, or this mxnet has no oneDNN.
    """
    settings = {"model": model, "shape": list(shape), "task": task, "engine": engine, "steps": steps}
    environ = {**env.without_prepared_variables(), "DNNL_VERBOSE": "1"}
    lines = run_script(sys.executable, "profiled.py", settings, environ).splitlines()
    measured = json.loads(next(line for line in reversed(lines) if line.startswith("{")))
    found = read_steps(lines)
    if not all(found) or len(found) != steps:
        raise BackendError("profile: oneDNN wrote no log: expected a build of mxnet with oneDNN, on a CPU")
    return found, measured


def keys(plan: Layout, size: Tuple[int, int]) -> List[Tuple[str, Key]]:
    """[(layer's name, its key)] of all layers with parameters, in running order, for images of ``size``."""
    found: List[Tuple[str, Key]] = []

    def add(layer: Any, size: Tuple[int, int]) -> Tuple[int, int]:
        """Add a layer, if any; the size of its output."""
        if isinstance(layer, Norm):
            found.append((layer.name, ("batch_normalization", layer.channels, *size)))
        elif isinstance(layer, Conv):
            sizes = (layer.in_channels, layer.out_channels, layer.kernel, layer.stride)
            found.append((layer.name, ("convolution", *sizes, *size)))
            return layer.out_size(*size)
        elif layer is not None:
            found.append((layer.name, ("inner_product", layer.in_units, layer.units)))
        return size

    add(plan.input_norm, size)
    out = add(plan.stem[1], add(plan.stem[0], size))
    if plan.pool_padding is not None:
        out = Conv("", 0, 0, 3, 2, plan.pool_padding, False).out_size(*out)
    for stage in plan.stages:
        for block in stage:
            out = _add_block(block, out, add)
    add(plan.final_norm, out)
    add(plan.classifier, (1, 1))
    return found


def _add_block(block: Any, size: Tuple[int, int], add: Any) -> Tuple[int, int]:
    out = size
    for conv, norm in block.body:
        if block.preactivation:
            add(norm, out)
            out = add(conv, out)
        else:
            out = add(norm, add(conv, out))
    if block.shortcut:
        conv, norm = block.shortcut
        add(norm, add(conv, size))
    return out


def key_of(primitive: Primitive) -> Optional[Key]:
    """The key of the layer that a primitive belongs to, or None if it is no layer with parameters."""
    sizes = primitive.sizes
    try:
        if primitive.kind == "convolution":
            return ("convolution", *(sizes[name] for name in ("ic", "oc", "kh", "sh", "ih", "iw")))
        if primitive.kind == "batch_normalization":
            return ("batch_normalization", sizes["ic"], sizes["ih"], sizes["iw"])
        if primitive.kind == "inner_product":
            return ("inner_product", sizes["ic"], sizes["oc"])
    except KeyError:
        pass
    return None


def _column(primitive: Primitive) -> str:
    """Forward, backward to the data or to the weights, or neither; a plain "backward" counts as to the data."""
    starts = (column for start, column in DIRECTIONS.items() if primitive.direction.startswith(start))
    return next(starts, DIRECTIONS["backward_data"])


def attributed(step: Sequence[Primitive], layers: Sequence[Tuple[str, Key]]) -> Iterator[Tuple[str, Primitive]]:
    """(layer's name, or what else it is in brackets, primitive) for each primitive of a step."""
    names: Dict[Key, List[str]] = defaultdict(list)
    for name, key in layers:
        names[key].append(name)
    seen: Dict[Tuple[Key, str], int] = defaultdict(int)
    for primitive in step:
        layer, column = key_of(primitive), _column(primitive)
        if layer is None or layer not in names:
            yield REST.get(primitive.kind, "(other primitives)"), primitive
            continue
        number = seen[layer, column] % len(names[layer])
        seen[layer, column] += 1
        yield names[layer][number if column == "forward" else -1 - number], primitive


def by_layer(steps: Sequence[Sequence[Primitive]], model: str, shape: Sequence[int]) -> pd.DataFrame:
    """Milliseconds of a step by layer, means over the steps.

    Args:
        steps: the primitives of each step.
        model: name of the network.
        shape: (N, C, H, W) of the batch.

    Returns:
        A table with the columns layer (its place in words), kind, implementation, inside (what was fused into it), and
        those of DIRECTIONS and total in milliseconds: layers in running order, then, in brackets, what is no layer.
    """
    spec = parse_model(model)
    layers = keys(layout(spec, shape[1]), (shape[2], shape[3]))
    times: Dict[str, Dict[str, float]] = defaultdict(lambda: dict.fromkeys(DIRECTIONS.values(), 0.0))
    found: Dict[str, List[Primitive]] = defaultdict(list)
    for step in steps:
        for name, primitive in attributed(step, layers):
            times[name][_column(primitive)] += primitive.milliseconds / len(steps)
            found[name].append(primitive)
    order = [name for name, _ in layers if name in times]
    order += sorted(name for name in times if name.startswith("("))
    rows = []
    for name in order:
        rows.append(
            {
                "layer": name if name.startswith("(") else place_name(spec, name),
                "kind": _joined(primitive.kind for primitive in found[name]),
                "implementation": _joined(primitive.implementation for primitive in found[name]),
                "inside": _joined(primitive.fused for primitive in found[name]),
                **times[name],
                "total": sum(times[name].values()),
            }
        )
    return pd.DataFrame(rows)


def _joined(words: Iterator[str]) -> str:
    return ", ".join(dict.fromkeys(word for word in words if word))


def by_primitive(steps: Sequence[Sequence[Primitive]], seconds: Sequence[float]) -> pd.DataFrame:
    """Milliseconds of a step by primitive, direction and implementation, most first, means over the steps.

    Args:
        steps: the primitives of each step.
        seconds: of each step, by the clock.

    Returns:
        A table with the columns primitive, direction, implementation, calls (in a step), ms and share (of the whole
        step); the last row is the time outside oneDNN: mxnet's own operators, and Python.
    """
    groups: Dict[Tuple[str, str, str], List[float]] = defaultdict(list)
    for step in steps:
        for one in step:
            direction = "" if one.direction == "undef" else one.direction
            groups[one.kind, direction, one.implementation].append(one.milliseconds)
    whole = 1000 * sum(seconds) / len(seconds)
    rows: List[Dict[str, Any]] = [
        {
            "primitive": kind,
            "direction": direction,
            "implementation": implementation,
            "calls": len(times) / len(steps),
            "ms": sum(times) / len(steps),
        }
        for (kind, direction, implementation), times in groups.items()
    ]
    rows.sort(key=lambda row: -row["ms"])
    outside = max(0.0, whole - sum(row["ms"] for row in rows))
    rows.append({"primitive": "outside oneDNN", "direction": "", "implementation": "", "calls": 0, "ms": outside})
    return pd.DataFrame([{**row, "share": row["ms"] / whole} for row in rows])


def draw(layers: pd.DataFrame, primitives: pd.DataFrame, title: str) -> Figure:
    """Two pictures: time by block, in running order, and time by primitive, most first; in milliseconds of a step."""
    blocks = layers.assign(block=[_block(name) for name in layers["layer"]]).groupby("block", sort=False)
    sums = blocks[list(DIRECTIONS.values())].sum()
    figure = new_figure(12, 1.5 + 0.26 * max(len(sums), 8))
    left, right = figure.subplots(1, 2)
    start = pd.Series(0.0, index=sums.index)
    for column in DIRECTIONS.values():
        if sums[column].any():
            left.barh(sums.index, sums[column], left=start, label=column)
            start = start + sums[column]
    left.set_xlim(0, 1.05 * start.max())
    left.legend(fontsize=8)
    kinds = primitives.groupby(["primitive", "direction"], sort=False)["ms"].sum().sort_values(ascending=False)
    right.barh([" ".join(filter(None, name)) for name in kinds.index], kinds, color="C7")
    for axes, what in ((left, "by block"), (right, "by primitive")):
        axes.invert_yaxis()
        axes.set_xlabel(f"milliseconds of a step, {what}")
        axes.tick_params(axis="y", labelsize=8)
        axes.grid(axis="x", alpha=0.3)
    figure.suptitle(title, fontsize=10)
    return figure


def _block(layer: str) -> str:
    """The block of a layer ("stage1.block0"), or the layer itself if it is in none."""
    return ".".join(layer.split(".")[:2]) if layer.startswith("stage") else layer


def text(layers: pd.DataFrame, primitives: pd.DataFrame, title: str, rows: int) -> str:
    """Both tables as text, with the ``rows`` layers that take longest."""
    whole = primitives["ms"].sum()
    longest = layers.sort_values("total", ascending=False)
    shown = longest.head(rows).assign(share=longest["total"] / whole)
    shown = shown.drop(columns=[column for column in DIRECTIONS.values() if not layers[column].any()])
    lines = [f"# {title}", "", f"## By layer ({min(rows, len(layers))} of {len(layers)})", ""]
    lines.append(_markdown(shown))
    rest = longest["total"].iloc[rows:].sum()
    if rest:
        lines.append(f"\nThe others together: {rest:.2f} ms ({rest / whole:.1%}).")
    lines += ["", "## By primitive", "", _markdown(primitives)]
    return "\n".join(lines)


def _markdown(table: pd.DataFrame) -> str:
    texts = table.copy()
    for column in texts:
        if column == "share":
            texts[column] = [f"{value:.1%}" for value in texts[column]]
        elif texts[column].dtype == float:
            texts[column] = [f"{value:.2f}" for value in texts[column]]
    return texts.to_markdown(index=False, disable_numparse=True)


def profile(
    model: str,
    shape: Sequence[int],
    task: str = "predict",
    engine: str = "gluon",
    steps: int = 3,
    rows: int = 20,
    save: Optional[str] = None,
    json_file: Optional[str] = None,
) -> str:
    """Run a network with oneDNN's log, and say where the time goes.

    Args:
        model: name of the network.
        shape: (N, C, H, W) of the batch.
        task: "train" or "predict".
        engine: that predicts (instruments/engines.py).
        steps: how many are measured, after two that are not.
        rows: how many layers are shown, those that take longest; the files have all.
        save: path of a picture, if one is wanted.
        json_file: path of a JSON file with both tables, if one is wanted.

    Returns:
        Both tables as Markdown.

    Raises:
        BackendError: the process failed, or this mxnet has no oneDNN.
        ModelError, ShapeError: no such network, or images too small for it.
        RunError: a file cannot be written.
    """
    network(parse_model(model), shape[1], (shape[2], shape[3]))  # raises the errors of wrong names and sizes
    if save:
        check_picture_path(save)
    found, measured = run(model, shape, task, engine, steps)
    layers, primitives = by_layer(found, model, shape), by_primitive(found, measured["seconds"])
    what = "a training step" if task == "train" else f"a prediction with engine {engine}"
    title = (
        f"{model}, {what} of {'x'.join(map(str, shape))}: {1000 * statistics.mean(measured['seconds']):.1f} ms, "
        f"{measured['version']}, {measured['threads']} threads"
    )
    if save:
        save_figure(draw(layers, primitives, title), save)
    if json_file:
        content = {"layers": layers.to_dict("records"), "primitives": primitives.to_dict("records")}
        with writing(json_file) as temporary:
            temporary.write_text(as_json({"title": title, **measured, **content, "system": system.report()}))
    return text(layers, primitives, title, rows)
