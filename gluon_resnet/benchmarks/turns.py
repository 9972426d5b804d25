"""Programs that take turns: each in a process of its own, once a round, with the machine's bounds in the same round."""

import sys
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from ..errors import BackendError
from ..machine import env
from ..machine.other_programs import OtherPrograms
from .peers import Way
from .processes import run_worker
from .results import OURS, Bounds, Measured

#: TensorFlow says less, no program looks for a GPU, d2l draws no windows, nncf sends nothing about its use
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "MPLBACKEND": "Agg", "NNCF_CI": "1"}

#: gives the settings for the worker of a way
SettingsOf = Callable[[Way], Mapping[str, Any]]


def take_turns(
    ways: Sequence[Way],
    rounds: int,
    settings_of: SettingsOf,
    pythons: Mapping[Optional[str], str],
    say: Callable[[str], Any] = print,
) -> Tuple[Measured, Dict[str, str], Bounds]:
    """Measure all ways once a round, and once a round the bounds.

    Args:
        ways: the rows; the first that begins with "gluon-resnet" has to work.
        rounds: how often each is run.
        settings_of: gives the settings for the worker of a way; "way" and "precision" are added.
        pythons: {peer: path of its Python}.
        say: takes one line of progress at a time.

    Returns:
        ({row: [measurement of each round]}, {row: why it could not be measured}, {bound: [value of each round]}).

    Raises:
        BackendError: the worker of the first of this suite's ways failed.
    """
    environ = {**env.without_prepared_variables(), **QUIET}  # each way starts with its own default threads
    needed = next((way.row for way in ways if way.row.startswith(OURS)), None)
    measured: Measured = {}
    failed: Dict[str, str] = {}
    bounds: Bounds = {}
    for turn in range(1, rounds + 1):
        for name, value in run_worker(sys.executable, "bounds.py", {}, environ).items():
            if value is not None:
                bounds.setdefault(name, []).append(value)
        for way in ways:
            if way.row in failed:
                continue
            try:
                measurement = _measure(way, settings_of(way), pythons[way.peer], environ)
            except BackendError as error:
                if way.row == needed:
                    raise
                failed[way.row] = str(error)
                measured.pop(way.row, None)
                say(f"round {turn}/{rounds}: {way.row}: left out: {error}")
                continue
            measured.setdefault(way.row, []).append(measurement)
            say(f"round {turn}/{rounds}: {way.row}: {measurement['examples_per_sec']:,.4g} examples/s")
    return measured, failed, bounds


def _measure(way: Way, settings: Mapping[str, Any], python: str, environ: Mapping[str, str]) -> Dict[str, Any]:
    """One measurement of a way, with its precision, flops_an_example of its settings, and others_cores."""
    told = {**settings, "way": way.way, "precision": way.precision}
    with OtherPrograms() as others:
        measurement = run_worker(python, way.worker, told, environ)
    known: Dict[str, Any] = {"precision": way.precision, "others_cores": others.cores}
    if "flops_an_example" in settings:
        known["flops_an_example"] = settings["flops_an_example"]
    return {**known, **measurement}


def group(measured: Mapping[str, List[Dict[str, Any]]], suffix: str) -> Measured:
    """The rows that end in ``suffix``, without it."""
    return {row[: -len(suffix)]: found for row, found in measured.items() if row.endswith(suffix)}
