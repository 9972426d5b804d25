"""Measure predicting: ResNet-50 by hand in NumPy, in Gluon and in PyTorch, one picture at a time, in turn.

    gluon-resnet bench inference

As in benchmark.py every way runs in a process of its own, the processes alternate, and what counts is the ratio of
medians. All get the same parameters and the same picture, and their logits must agree before any time is reported. The
nested loops would take minutes to hours: they run on a small part of one layer, and the whole is extrapolated by
multiply-adds.
"""

import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import BackendError
from ..machine import env, system
from ..networks.cost import network
from ..networks.layout import layout
from ..networks.specs import parse_model
from .processes import OtherPrograms, check_positive, machine, run_worker, writable_folder, write_results

MODEL, SIZE, WARM_UP = "resnet50@torchvision", 224, 3
REFERENCE = "PyTorch eager"
AGREEMENT = 1e-4  # of the largest logit; float32 in another order of summing gives 1e-6

#: (row, way of benchmarks/workers/byhand.py, repeats as a part of what is asked for: the slow ones run less often)
WAYS = (
    ("NumPy, nested loops", "loops", 1),
    ("NumPy, vectorised", "vectorised", 0.25),
    ("NumPy, im2col", "im2col", 0.5),
    ("NumPy, im2col, folded", "folded", 1),
    ("Gluon hybridized", "gluon", 1),
    (REFERENCE, "pytorch", 1),
)


def multiply_adds(spec, size, in_channels=3):
    """Multiply-adds of the convolutions and the classifier for one picture of ``size`` x ``size``."""
    return network(spec, in_channels, (size, size)).total("multiply_adds")


def compare(rounds, repeats, torch_python, params, say=print, model=MODEL, size=SIZE):
    """{row: [measurement of each round]}: median_seconds, seconds_a_picture, times, logits, version and so on."""
    plain = env.without_prepared_variables()  # each way starts with its own default threads
    measured = {}
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
            with OtherPrograms() as others:
                found = run_worker(torch_python if way == "pytorch" else sys.executable, "byhand.py", settings, plain)
            found["others_cores"] = others.cores
            if way == "loops":
                found["seconds_a_picture"] = (
                    found["median_seconds"] / found["multiply_adds"] * multiply_adds(parse_model(model), size)
                )
            else:
                found["seconds_a_picture"] = found["median_seconds"]
            measured.setdefault(name, []).append(found)
            say(
                f"round {turn}/{rounds}: {name}: {1000 * found['seconds_a_picture']:,.1f} ms a picture"
                f"{' (extrapolated)' if way == 'loops' else ''}"
            )
    return measured


def disagreement(measured):
    """How far logits are from the first way's at most, relative to the largest; BackendError above AGREEMENT."""
    logits = {name: np.array(found[0]["logits"]) for name, found in measured.items() if "logits" in found[0]}
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


def _others(found):
    """The most that other programs used of the machine in any round, in cores, as text."""
    cores = [one["others_cores"] for one in found if one["others_cores"] is not None]
    return f"{max(cores):.2f}" if cores else "unknown"


def table(measured):
    """One row a way: median, lowest and highest of the rounds' medians in ms, and the ratio to PyTorch's median."""
    medians = {
        name: 1000 * statistics.median(one["seconds_a_picture"] for one in found) for name, found in measured.items()
    }
    rows = []
    for name, found in measured.items():
        times = [1000 * one["seconds_a_picture"] for one in found]
        loops = "multiply_adds" in found[0]
        rows.append(
            {
                "way": name,
                "version": found[0]["version"],
                "threads": found[0]["threads"],
                "ms a picture (median)": f"{medians[name]:,.0f} *" if loops else f"{medians[name]:,.1f}",
                "lowest": f"{min(times):,.1f}",
                "highest": f"{max(times):,.1f}",
                f"time over {REFERENCE}'s": (
                    f"{medians[name] / medians[REFERENCE]:,.2f}x" if REFERENCE in medians else "not measured"
                ),
                "peak MiB": round(max(one["peak_memory_bytes"] for one in found) / 2**20),
                "others' cores": _others(found),
            }
        )
    return pd.DataFrame(rows)


def _text(measured, rounds, repeats, report):
    part = next(found[0]["multiply_adds"] for found in measured.values() if "multiply_adds" in found[0])
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


def inference(rounds, repeats, torch_python, out, say=print):
    """The whole comparison: writes inference.json and inference.md into ``out`` and returns the text of the latter.

    ``torch_python`` is a Python with PyTorch (requirements-bench.txt), or None to leave that row out. Raises
    ConfigError for numbers below 1 and a folder that cannot be written, BackendError if a way fails or logits
    differ.
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
