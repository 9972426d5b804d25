"""Measure predicting: ResNet-50 by hand in NumPy, in Gluon and in PyTorch, one image at a time.

    gluon-resnet bench inference

As in training.py, every way runs in a process of its own, the processes alternate, and ratios of medians are reported.
All get the same parameters and the same image, and their logits must agree before any time is reported. The nested
loops would take minutes to hours, so they run on a small part of one layer only, and the time of the whole network is
extrapolated by multiply-adds.
"""

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Union

import numpy as np
import pandas as pd

from ..errors import BackendError
from ..machine import env, system
from ..machine.other_programs import OtherPrograms
from ..networks.cost import network
from ..networks.layout import layout
from ..networks.specs import ResNetSpec, parse_model
from .processes import check_positive, machine, run_worker, writable_folder, write_results

MODEL, SIZE, WARM_UP = "resnet50@torchvision", 224, 3
REFERENCE = "PyTorch eager"
AGREEMENT = 1e-4  # of the largest logit; another order of summing in float32 gives 1e-6

#: {row: [measurement of each round]}
Measured = Dict[str, List[Dict[str, Any]]]

#: (row, way of benchmarks/workers/byhand.py, factor on the number of repeats, which is smaller for the slow ways)
WAYS = (
    ("NumPy, nested loops", "loops", 1),
    ("NumPy, vectorised", "vectorised", 0.25),
    ("NumPy, im2col", "im2col", 0.5),
    ("NumPy, im2col, folded", "folded", 1),
    ("Gluon hybridized", "gluon", 1),
    (REFERENCE, "pytorch", 1),
)


def multiply_adds(spec: ResNetSpec, size: int, in_channels: int = 3) -> int:
    """Multiply-adds of the convolutions and the classifier for one image of ``size`` x ``size``."""
    return network(spec, in_channels, (size, size)).total("multiply_adds")


def compare(
    rounds: int,
    repeats: int,
    torch_python: Optional[str],
    params: Union[str, Path],
    say: Callable[[str], Any] = print,
    model: str = MODEL,
    size: int = SIZE,
) -> Measured:
    """Measure all ways, which take turns.

    Args:
        rounds: how often each way is run.
        repeats: images in a run.
        torch_python: path of a Python with PyTorch, or None to leave PyTorch out.
        params: .npz file of the parameters.
        say: takes one line of progress at a time.
        model: name of the network.
        size: height and width of the image.

    Returns:
        {row: [measurement of each round]}. A measurement has median_seconds, seconds_a_picture, times, logits, version
        and so on.

    Raises:
        BackendError: a way failed.
    """
    plain = env.without_prepared_variables()  # each way starts with its own default threads
    measured: Measured = {}
    for turn in range(1, rounds + 1):
        for name, way, part in WAYS:
            if way == "pytorch" and not torch_python:
                continue
            settings = {
                "way": way,
                "model": model,
                "size": size,
                "params": str(params),
                "warm_up": WARM_UP,
                "repeats": max(1, round(repeats * part)),
            }
            python = torch_python if way == "pytorch" and torch_python else sys.executable
            with OtherPrograms() as others:
                measurement = run_worker(python, "byhand.py", settings, plain)
            measurement["others_cores"] = others.cores
            seconds = measurement["median_seconds"]
            if way == "loops":
                seconds = seconds / measurement["multiply_adds"] * multiply_adds(parse_model(model), size)
            measurement["seconds_a_picture"] = seconds
            measured.setdefault(name, []).append(measurement)
            say(
                f"round {turn}/{rounds}: {name}: {1000 * seconds:,.1f} ms a picture"
                f"{' (extrapolated)' if way == 'loops' else ''}"
            )
    return measured


def disagreement(measured: Mapping[str, List[Dict[str, Any]]]) -> float:
    """The largest difference between the logits of a way and of the first way, relative to the largest logit.

    Raises BackendError if it is above :data:`AGREEMENT`.
    """
    logits = {
        name: np.array(measurements[0]["logits"])
        for name, measurements in measured.items()
        if "logits" in measurements[0]
    }
    first, reference = next(iter(logits.items()))
    worst = 0.0
    for name, values in logits.items():
        error = float(abs(values - reference).max() / abs(reference).max())
        if not error <= AGREEMENT:
            raise BackendError(
                f"bench inference: logits of '{name}' and '{first}' differ by {error:.1e} of the "
                f"largest: expected at most {AGREEMENT:.0e}; the times would compare different networks"
            )
        worst = max(worst, error)
    return worst


def _others(measurements: Sequence[Mapping[str, Any]]) -> str:
    """The most that other programs used of the machine in any round, in cores, as text."""
    cores = [row["others_cores"] for row in measurements if row["others_cores"] is not None]
    return f"{max(cores):.2f}" if cores else "unknown"


def table(measured: Mapping[str, List[Dict[str, Any]]]) -> pd.DataFrame:
    """A row for each way: median, lowest and highest of the rounds' medians in ms, and the ratio to PyTorch's median.

    ``measured`` is what :func:`compare` returns.
    """
    all_times = {
        name: [1000 * measurement["seconds_a_picture"] for measurement in measurements]
        for name, measurements in measured.items()
    }
    medians = {name: statistics.median(times) for name, times in all_times.items()}
    rows = []
    for name, measurements in measured.items():
        times = all_times[name]
        loops = "multiply_adds" in measurements[0]
        rows.append(
            {
                "way": name,
                "version": measurements[0]["version"],
                "threads": measurements[0]["threads"],
                "ms a picture (median)": f"{medians[name]:,.0f} *" if loops else f"{medians[name]:,.1f}",
                "lowest": f"{min(times):,.1f}",
                "highest": f"{max(times):,.1f}",
                f"time over {REFERENCE}'s": (
                    f"{medians[name] / medians[REFERENCE]:,.2f}x" if REFERENCE in medians else "not measured"
                ),
                "peak MiB": round(max(measurement["peak_memory_bytes"] for measurement in measurements) / 2**20),
                "others' cores": _others(measurements),
            }
        )
    return pd.DataFrame(rows)


def _text(measured: Measured, rounds: int, repeats: int, report: Mapping[str, Any]) -> str:
    firsts = [measurements[0] for measurements in measured.values()]
    part = next(measurement["multiply_adds"] for measurement in firsts if "multiply_adds" in measurement)
    whole = multiply_adds(parse_model(MODEL), SIZE)
    return "\n".join(
        [
            f"# ResNet-50, 3x{SIZE}x{SIZE}, batch size 1: predicting, by hand and not",
            "",
            f"{machine(report)}; {rounds} rounds of {repeats} pictures each (im2col half, vectorised a quarter), in "
            f"turn. The same {MODEL}, parameters and picture for all; logits agree to {disagreement(measured):.0e} of "
            f"the largest.",
            "",
            table(measured).to_markdown(index=False, disable_numparse=True),
            "",
            f"\\* extrapolated by multiply-adds: the loops ran on {part:,} of {whole:,}, a part of layer 4.0.conv2.",
            "Others' cores: the most CPU time other programs used while a row was measured, in cores. If it is well "
            "above 0, measure the row again.",
        ]
    )


def inference(
    rounds: int,
    repeats: int,
    torch_python: Optional[str],
    out: Union[str, Path],
    say: Callable[[str], Any] = print,
) -> str:
    """Run the whole comparison, and write inference.json and inference.md.

    Args:
        rounds: how often each way is run.
        repeats: images in a run.
        torch_python: path of a Python with PyTorch (requirements-bench.txt), or None to leave PyTorch out.
        out: folder of the two files.
        say: takes one line of progress at a time.

    Returns:
        The text of inference.md.

    Raises:
        ConfigError: a number is below 1, or the folder cannot be written.
        BackendError: a way failed, or logits differ.
    """
    check_positive("bench inference", rounds=rounds, repeats=repeats)
    folder = writable_folder(out)
    from ..byhand import random_params

    with tempfile.TemporaryDirectory() as scratch:
        params = Path(scratch, "params.npz")
        np.savez(params, **random_params(layout(parse_model(MODEL))))
        measured = compare(rounds, repeats, torch_python, params, say)
    report = system.report()
    text = _text(measured, rounds, repeats, report)
    content = {
        "rounds": rounds,
        "repeats": repeats,
        "model": MODEL,
        "size": SIZE,
        "multiply_adds": multiply_adds(parse_model(MODEL), SIZE),
        "disagreement": disagreement(measured),
        "measured": measured,
        "system": report,
    }
    write_results(folder, "inference", content, text)
    return text
