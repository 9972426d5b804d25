"""What a run is made of, written into its checkpoints: a run goes on only as what it began as.

    made_of(config, job)                       # {"kind": "pictures", "settings": {...}, "data": "5e9c...", ...}
    check_same(note["run"], made_of(config, job), folder, job)        # DataError or RunError if something has changed

So a config.json in which a setting was changed, or other images under the same names, cannot pass for the run's own.
Checkpoints from before 2026-11-28 have no such list, and are taken as they are.
"""

import json
import math
import os
from dataclasses import asdict
from typing import Any, Dict, Mapping, Optional

from ..errors import DataError, RunError
from ..networks.layout import layout
from ..networks.specs import ResNetSpec
from ..text import count, printable
from .config import short
from .folder import RunFolder
from .kinds import kind_of
from .network import spec_of_run

#: settings that a run may go on without or with others, since they do not change what is learned
FREE = ("data", "weights", "tensorboard", "checkpoint_seconds", "keep", "keep_best", "cache", "cache_mb", "strict")
NAMES = {"class_names": "the names of its classes", "network": "its network", "kind": "its kind"}
NOTE_BYTES = 64 * 2**20  # that a checkpoint's note and the descriptions of its arrays may take


def made_of(config: Any, job: Any) -> Dict[str, Any]:
    """What decides the result of a run, as JSON values."""
    settings = {name: value for name, value in asdict(config).items() if name not in FREE}
    content = {
        "kind": kind_of(config).name,
        "settings": {**settings, "weights": config.weights and os.path.basename(config.weights)},
        "network": asdict(job.spec),
        "class_names": job.record.get("class_names"),
        "data": job.data_digest,
    }
    return json.loads(json.dumps(content))


def check_same(before: Optional[Mapping[str, Any]], now: Mapping[str, Any], folder: RunFolder, job: Any) -> None:
    """Raise an error unless a run is what it was when its checkpoint was written.

    Args:
        before: what :func:`made_of` gave then; None if the checkpoint is older.
        now: what it gives now.
        folder: the run's.
        job: its Job (launch.py).

    Raises:
        DataError: its images have changed.
        RunError: its config.json has.
    """
    where = printable(folder.path / "config.json")
    if spec_of_run(folder.config, folder.path) != job.spec:
        raise RunError(
            f"{where}: its network is not the {job.spec.name} for {count(job.spec.num_classes, 'class')} that its "
            f"settings name: put it back, or train a new run"
        )
    if not before:
        return
    if before.get("data") != now["data"]:
        raise DataError(
            f"{printable(job.record.get('data'))}: other images, labels or parts than those that the run "
            f"{printable(folder.path)} began with: put them back, or train a new run"
        )
    settings = before.get("settings")
    changed = {
        **{name: (before.get(name), now[name]) for name in NAMES},
        **{
            name: (value, now["settings"][name])
            for name, value in (settings if isinstance(settings, dict) else {}).items()
            if name in now["settings"]  # else it is a setting of another version
        },
    }
    for name, (then, here) in changed.items():
        if then != here:
            what = NAMES.get(name) or f"{name} is {printable(short(here))}"
            was = f"was {printable(short(then))}" if name not in NAMES else "was another"
            raise RunError(
                f"{where}: {what}: it {was} when the checkpoint was written; put that back, or train a new run"
            )


def most_bytes(spec: ResNetSpec) -> int:
    """The bytes of the largest checkpoint of a network: parameters, two states of the optimizer, two averages."""
    return 20 * sum(math.prod(shape) for shape in layout(spec).params().values()) + NOTE_BYTES
