"""Measure what an example costs by depth: ResNet-18 to ResNet-152, training and predicting, this suite and PyTorch.

    gluon-resnet bench depth

Every measurement is a process of its own, and the programs take turns. PyTorch is at its faster eager setting:
compiling ResNet-152 would take minutes a process.
"""

import statistics
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Union

import numpy as np
import pandas as pd

from ..machine import system
from ..networks.cost import TRAINING_PASSES, network, operations
from ..networks.layout import layout
from ..networks.specs import DEPTHS, parse_model
from ..text import count
from . import peers, results, turns
from .peers import Way
from .processes import check_positive, machine, writable_folder, write_results
from .results import Measured

FAMILY, BATCH_SIZE, WARM_UP = "d2l", 32, 2
TASKS = ("train", "predict")
PASSES = {"train": TRAINING_PASSES, "predict": 1}


def ways_here(depths: Sequence[int]) -> List[Way]:
    """All rows; a name ends in ", ResNet-18, train" and the like."""
    ways = []
    for depth in depths:
        for task in TASKS:
            end = f", ResNet-{depth}, {task}"
            ours = ("cost.py", "train") if task == "train" else ("engines.py", "gluon")
            ways.append(Way(f"gluon-resnet{end}", *ours))
            ways.append(Way(f"PyTorch channels_last{end}", "pytorch.py", "channels_last", peer="torch"))
    return ways


def write_inputs(folder: Path, depths: Sequence[int], size: int, steps: int) -> Dict[str, Dict[str, Any]]:
    """Write the parameters of each network and the images, and return {row's end: settings of its workers}.

    Args:
        folder: an empty folder.
        depths: of the networks.
        size: height and width of an image.
        steps: timed steps of a process.
    """
    from ..byhand import random_params

    np.save(folder / "images.npy", np.random.RandomState(0).rand(BATCH_SIZE, 1, size, size).astype("float32"))
    np.save(folder / "labels.npy", np.zeros(BATCH_SIZE, dtype="int32"))
    settings = {}
    for depth in depths:
        spec = parse_model(f"resnet{depth}@{FAMILY}")
        params = folder / f"{depth}.npz"
        np.savez(params, **random_params(layout(spec, 1)))
        forward = network(spec, 1, (size, size)).total("multiply_adds")
        for task in TASKS:
            settings[f"ResNet-{depth}, {task}"] = {
                "task": task,
                "model": spec.name,
                "plan": peers.plan(spec, 1),
                "params": str(params),
                **{name: str(folder / f"{name}.npy") for name in ("images", "labels")},
                "shape": [1, size, size],
                "batch_size": BATCH_SIZE,
                "lr": 0.01,
                "steps": steps,
                "batches": 2 + steps,  # common.Timed leaves two out
                "warm_up": WARM_UP,
                "repeats": steps,
                "flops_an_example": operations(forward, PASSES[task]),
            }
    return settings


def table(measured: Measured, bounds: results.Bounds, depths: Sequence[int], size: int) -> pd.DataFrame:
    """A row for each network and task: parameters, multiply-adds, milliseconds of each program, who is faster."""
    rows = []
    for depth in depths:
        counted = network(parse_model(f"resnet{depth}@{FAMILY}"), 1, (size, size))
        for task in TASKS:
            found = turns.group(measured, f", ResNet-{depth}, {task}")
            row: Dict[str, Any] = {
                "network": f"ResNet-{depth}",
                "parameters": f"{counted.total('parameters'):,}",
                "multiply-adds (G)": f"{counted.total('multiply_adds') / 1e9:.3f}",
                "": {"train": "training", "predict": "predicting"}[task],
            }
            for program in ("gluon-resnet", "PyTorch channels_last"):
                times = [1000 / rate for rate in results.rates(found.get(program, ()))]
                row[f"{program} (ms)"] = (
                    f"{statistics.median(times):.2f} ({min(times):.2f}-{max(times):.2f})" if times else "absent"
                )
                peak = max((one["peak_memory_bytes"] for one in found.get(program, ())), default=0)
                row[f"{program}, peak MiB"] = f"{peak / 2**20:,.0f}" if peak else "absent"
            other = next((program for program in found if program != "gluon-resnet"), None)
            row["faster"] = results.faster(found, other) if other else "not measured"
            row["of the bound"] = results.share(found["gluon-resnet"], bounds)
            rows.append(row)
    return pd.DataFrame(rows)


def depth(
    rounds: int,
    steps: int,
    size: int,
    out: Union[str, Path],
    peers_folder: Union[str, Path] = peers.FOLDER,
    torch_python: Optional[str] = None,
    depths: Sequence[int] = tuple(DEPTHS),
    say: Callable[[str], Any] = print,
) -> str:
    """Run the whole benchmark, and write depth.json, depth.md and depth.png.

    Args:
        rounds: how often each program is run.
        steps: timed steps of a process.
        size: height and width of an image.
        out: folder of the files.
        peers_folder: has the peers' environments.
        torch_python: path of another Python with PyTorch.
        depths: of the networks.
        say: takes one line of progress at a time.

    Returns:
        The text of depth.md.

    Raises:
        ConfigError: a number is below 1, or the folder cannot be written.
        BackendError: this suite failed.
    """
    check_positive("bench depth", rounds=rounds, steps=steps, size=size)
    folder = writable_folder(out)
    pythons, missing = peers.pythons(peers_folder, torch_python)
    ways, absent = peers.present(ways_here(depths), missing)
    with tempfile.TemporaryDirectory() as scratch:
        settings = write_inputs(Path(scratch), depths, size, steps)
        measured, failed, bounds = turns.take_turns(
            ways, rounds, lambda way: settings[way.row.partition(", ")[2]], pythons, say
        )
    absent = {**absent, **failed}
    report = system.report()
    text = "\n".join(_lines(measured, absent, bounds, table(measured, bounds, depths, size), size, rounds, report))
    content = {
        "rounds": rounds,
        "steps": steps,
        "size": size,
        "batch_size": BATCH_SIZE,
        "depths": list(depths),
        "measured": measured,
        "absent": absent,
        "bounds": bounds,
        "system": report,
    }
    write_results(folder, "depth", content, text)
    return text


def _lines(
    measured: Measured,
    absent: Mapping[str, str],
    bounds: results.Bounds,
    rows: pd.DataFrame,
    size: int,
    rounds: int,
    report: Mapping[str, Any],
) -> List[str]:
    others = max((results.others_cores(found) for found in measured.values()), default="unknown")
    return [
        f"# One example's cost by depth, 1x{size}x{size}, family {FAMILY}, batch size {BATCH_SIZE}",
        "",
        f"{machine(report)}; {count(rounds, 'round')}, in turn; the most that other programs used meanwhile was "
        f"{others} cores.",
        "",
        rows.to_markdown(index=False, disable_numparse=True),
        "",
        results.bounds_text(bounds),
        results.NOTES,
        *results.absent_text(absent),
    ]
