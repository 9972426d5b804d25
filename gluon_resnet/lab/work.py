"""How much was computed, and how long it would take at the bound: TFLOP of a run, and this machine's matrix products.

    measure_bounds(units, folder)                # before they are trained: short products of matrices
    operations(read_run(unit.path))              # of its training, from the layout of its network

The bound is noted by run in bounds.json of the sweep's folder: an interrupted experiment may go on on another day.
"""

import json
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence

from .. import files
from ..errors import RunError
from ..networks.cost import training_operations
from ..runs.table import Run
from .sweep import Unit

NAME = "bounds.json"
SIZE = "side"  # column of a history: the side of the training images of an epoch, in pixels


def read_bounds(folder: Path) -> Dict[str, float]:
    """{name of a run: what the machine did in matrix products, in GFLOP/s, before it was trained}."""
    path = folder / NAME
    if not path.exists():
        return {}
    try:
        return {str(name): float(gflops) for name, gflops in json.loads(path.read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise RunError(f"{path}: damaged ({error}): remove it; the shares of the bound are left out then") from None


def measure_bounds(units: Sequence[Unit], folder: Path) -> None:
    """Measure the bound once and note it for ``units``, the runs that are about to be trained; nothing without any.

    Raises RunError if the notes cannot be read or written.
    """
    from ..benchmarks.bounds import QUICK, float32_gflops

    if not units:
        return
    before = read_bounds(folder)
    gflops = float32_gflops(QUICK)
    try:
        files.write_json(folder / NAME, {**before, **{unit.name: gflops for unit in units}})
    except OSError as error:
        raise RunError(f"{folder / NAME}: cannot be written ({error.strerror})") from None


def operations(run: Run) -> Optional[int]:
    """Multiplications and additions of a run's training; None if it has no history of a whole number of images."""
    if not len(run.history):
        return None
    ends = run.history.groupby("epoch", sort=True).tail(1)
    side = run.kind.side(run.config)
    sides = ends[SIZE].fillna(side) if SIZE in ends else [side] * len(ends)
    examples: Dict[Any, int] = {}
    for pixels, number in zip(sides, ends["examples"]):
        size = (int(pixels), int(pixels))
        examples[size] = examples.get(size, 0) + int(number)
    return training_operations(run.spec, run.kind.in_channels, examples)


def of_run(run: Run, gflops: Optional[float]) -> Mapping[str, Optional[float]]:
    """{"operations", "sgemm_gflops", "bound_seconds"} of a run; the last is its operations at the bound ``gflops``."""
    count = operations(run)
    seconds = None if count is None or not gflops else count / gflops / 1e9
    return {"operations": count, "sgemm_gflops": gflops, "bound_seconds": seconds}
