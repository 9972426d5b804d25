"""Gradients and residuals by depth (depth.py) of an experiment's runs, before and after training."""

from typing import Any, Callable, Optional, Sequence, Tuple

import numpy
import pandas as pd
from matplotlib.figure import Figure

from ..files import written_whole
from ..runs.kinds import kind_of
from ..runs.network import network_of_run
from ..weights import set_parameters
from .sweep import Unit

PICTURES = 128  # images of the batch, the first ones of the training part
KEY = ["arm", "epoch", "kind", "name", "stage", "position", "measured"]
MEANS = ["gradient_norm", "input_norm", "residual_norm", "ratio"]


def _probe_run(unit: Unit) -> pd.DataFrame:
    """The table of a finished run, with a column ``epoch``: 0 at initialization, and the last epoch."""
    import mxnet as mx

    from .. import devices
    from ..networks import models
    from . import depth

    job = kind_of(unit.config).job(unit.config)
    X, y = job.train_iter.batch(numpy.arange(min(PICTURES, job.train_iter.num_examples)))
    with mx.name.NameManager():
        net = models.build(job.spec)
    devices.seed_everything(unit.config.seed)  # as launch.py starts
    net.initialize(force_reinit=True, ctx=devices.try_gpu(), init=mx.init.Xavier())
    tables = []
    for epoch, params in ((0, job.params), (unit.config.epochs, network_of_run(unit.path).params)):
        if params:
            set_parameters(net, params)
        table = depth.probe(net, X, y)
        table.insert(0, "epoch", epoch)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def of_run(unit: Unit) -> Optional[pd.DataFrame]:
    """The table of a run, read from its depth.csv if there is one; None for a run that diverged."""
    from . import depth

    path = unit.path / depth.NAME
    if not path.exists():
        if not (unit.path / "net.params").exists():
            return None
        with written_whole(path) as temporary:
            _probe_run(unit).to_csv(temporary, index=False, float_format="%.6g")
    return depth.read(path)


def collect(units: Sequence[Unit], say: Callable[[str], Any]) -> Tuple[pd.DataFrame, Figure]:
    """(table of each arm's means over the seeds, Figure) of finished runs; ``say`` takes a line of progress."""
    from . import depth

    say("probing gradients and residuals by depth")
    tables = [(unit, of_run(unit)) for unit in units]
    rows = pd.concat([table.assign(arm=unit.arm) for unit, table in tables if table is not None])
    rows["measured"] = rows["measured"].fillna("")
    means = rows.groupby(KEY, sort=False)[MEANS].mean().reset_index()
    return means, depth.draw({arm: table for arm, table in means.groupby("arm", sort=False)})
