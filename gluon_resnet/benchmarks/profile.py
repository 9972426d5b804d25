"""Where the time of a training step or a prediction goes, by layer and by primitive, read from oneDNN's own log.

    gluon-resnet profile resnet18 --train --input 256,1,96,96

The network runs in a process of its own with DNNL_VERBOSE=1; attribution.py finds the layer of each line.
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
from ..machine.onednn_log import Primitive, read_steps
from ..networks.cost import network
from ..networks.layout import layout, place_name
from ..networks.specs import parse_model
from ..text import count
from ..training.precision import check_native
from .attribution import DIRECTIONS, attributed, column_of, keys
from .processes import run_script


def run(
    model: str, shape: Sequence[int], task: str, engine: str, precision: str, steps: int
) -> Tuple[List[List[Primitive]], Any]:
    """Run a network in a process of its own.

    Args:
        model: name of the network.
        shape: (N, C, H, W) of the batch.
        task: "train" or "predict".
        engine: that predicts (instruments/engines.py).
        precision: of training, "float32" or "bfloat16".
        steps: how many are measured.

    Returns:
        (the primitives of each step, {"seconds": [of each step], "version": ..., "threads": ...}).

    Raises:
        BackendError: the process failed, or this mxnet has no oneDNN.
    """
    settings = {
        "model": model,
        "shape": list(shape),
        "task": task,
        "engine": engine,
        "precision": precision,
        "steps": steps,
    }
    environ = {**env.without_prepared_variables(), "DNNL_VERBOSE": "1"}
    lines = run_script(sys.executable, "profiled.py", settings, environ).splitlines()
    measured = json.loads(next(line for line in reversed(lines) if line.startswith("{")))
    found = read_steps(lines)
    if not all(found) or len(found) != steps:
        raise BackendError("profile: oneDNN wrote no log: expected a build of mxnet with oneDNN, on a CPU")
    return found, measured


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
            times[name][column_of(primitive)] += primitive.milliseconds / len(steps)
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
    precision: str = "float32",
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
        precision: of training, "float32" or "bfloat16".
        steps: how many are measured, after two that are not.
        rows: how many layers are shown, those that take longest; the files have all.
        save: path of a picture, if one is wanted.
        json_file: path of a JSON file with both tables, if one is wanted.

    Returns:
        Both tables as Markdown.

    Raises:
        BackendError: the process failed, or this mxnet has no oneDNN.
        ModelError, ShapeError: no such network, or images too small for it.
        ConfigError: this processor does not multiply bfloat16.
        RunError: a file cannot be written.
    """
    network(parse_model(model), shape[1], (shape[2], shape[3]))  # raises the errors of wrong names and sizes
    if save:
        check_picture_path(save)
    if precision == "bfloat16":
        check_native()
    found, measured = run(model, shape, task, engine, precision, steps)
    layers, primitives = by_layer(found, model, shape), by_primitive(found, measured["seconds"])
    what = f"a training step in {precision}" if task == "train" else f"a prediction with engine {engine}"
    title = (
        f"{model}, {what} of {'x'.join(map(str, shape))}: {1000 * statistics.mean(measured['seconds']):.1f} ms, "
        f"{measured['version']}, {count(measured['threads'], 'thread')}"
    )
    if save:
        save_figure(draw(layers, primitives, title), save)
    if json_file:
        content = {"layers": layers.to_dict("records"), "primitives": primitives.to_dict("records")}
        with writing(json_file) as temporary:
            temporary.write_text(as_json({"title": title, **measured, **content, "system": system.report()}))
    return text(layers, primitives, title, rows)
