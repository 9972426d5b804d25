"""Measure training speed: this suite, d2l's own loop and PyTorch take turns, each in processes of its own.

    make bench            (or: gluon-resnet bench train)

The speed of a machine changes over time, so the programs alternate in one run, and ratios of medians are reported.
Every program trains the same network for the same number of batches. The time is taken from the third batch to the last
update, which leaves out the set-up; over a whole epoch that would not matter.
"""

import statistics
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, Union

import pandas as pd

from ..machine import env, system
from ..training import winograd
from ..training.precision import is_native
from .processes import machine, run_worker, writable_folder, write_results

#: {name: [measurement of each round]}
Measured = Dict[str, List[Dict[str, Any]]]


def _programs(torch_python: Optional[str]) -> List[Tuple[str, str, str, Dict[str, str]]]:
    """[(name, python, worker, environment)] of the programs; the others are compared with the first."""
    plain = env.without_prepared_variables()  # the others run with their own default threads
    programs = [
        ("gluon-resnet", sys.executable, "ours.py:float32", plain),
        ("d2l 1.0.3 train_ch6", sys.executable, "d2l_own.py", {**plain, "MPLBACKEND": "Agg"}),
    ]
    if winograd.unsuitable() is None:
        programs.append(("gluon-resnet, direct convolutions", sys.executable, "ours.py:direct", plain))
    if is_native():
        programs.append(("gluon-resnet, bfloat16", sys.executable, "ours.py:bfloat16", plain))
    if torch_python:
        programs += [(f"PyTorch {way}", torch_python, f"pytorch.py:{way}", plain) for way in ("eager", "channels_last")]
    return programs


def compare(
    rounds: int,
    batches: int,
    batch_size: int,
    size: int,
    torch_python: Optional[str] = None,
    say: Callable[[str], Any] = print,
) -> Measured:
    """Measure all programs, which take turns; the arguments are those of :func:`train`.

    Returns {name: [measurement of each round]}. A measurement has seconds, examples, examples_per_sec and
    peak_memory_bytes.
    """
    settings = {"batches": batches, "batch_size": batch_size, "size": size}
    measured: Measured = {}
    for turn in range(1, rounds + 1):
        for name, python, worker, environ in _programs(torch_python):
            worker, _, way = worker.partition(":")
            measurement = run_worker(python, worker, {**settings, "way": way}, environ)
            measured.setdefault(name, []).append(measurement)
            say(f"round {turn}/{rounds}: {name}: {measurement['examples_per_sec']:.1f} examples/sec")
    return measured


def table(measured: Mapping[str, List[Dict[str, Any]]]) -> pd.DataFrame:
    """A row for each program: median, lowest and highest examples a second, and the ratio of the first to its median.

    ``measured`` is what :func:`compare` returns.
    """
    ours: Optional[float] = None
    rows = []
    for name, measurements in measured.items():
        rates = [measurement["examples_per_sec"] for measurement in measurements]
        median = statistics.median(rates)
        ours = median if ours is None else ours
        rows.append(
            {
                "trainer": name,
                "version": measurements[0]["version"],
                "threads": measurements[0]["threads"],
                "examples/s (median)": round(median, 1),
                "lowest": round(min(rates), 1),
                "highest": round(max(rates), 1),
                "gluon-resnet is faster by": f"{ours / median:.2f}x",
                "peak MiB": round(max(measurement["peak_memory_bytes"] for measurement in measurements) / 2**20),
            }
        )
    return pd.DataFrame(rows)


def train(
    rounds: int,
    batches: int,
    batch_size: int,
    size: int,
    torch_python: Optional[str],
    depths: bool,
    out: Union[str, Path],
    say: Callable[[str], Any] = print,
) -> str:
    """Run the whole benchmark, and write train.json and train.md.

    Args:
        rounds: how often each program is run.
        batches: batches in a run.
        batch_size: images in a batch.
        size: height and width of an image.
        torch_python: path of a Python with PyTorch, or None to leave PyTorch out.
        depths: also measure one example's cost for ResNet-18 to ResNet-152.
        out: folder of the two files.
        say: takes one line of progress at a time.

    Returns:
        The text of train.md.

    Raises:
        ConfigError: the folder cannot be written.
        BackendError: a program failed.
    """
    folder = writable_folder(out)
    measured = compare(rounds, batches, batch_size, size, torch_python, say)
    say("a training run with all of Fashion-MNIST in memory ...")
    settings, plain = {"batches": batches, "batch_size": batch_size, "size": size}, env.without_prepared_variables()
    memory = run_worker(sys.executable, "all_images.py", settings, plain)
    cost = []
    if depths:
        say("one example's cost by depth ...")
        cost = run_worker(sys.executable, "depths.py", settings, plain)["rows"]
    report = system.report()
    lines = [
        f"# ResNet-18, 1x{size}x{size}, batch size {batch_size}: training speed",
        "",
        f"{machine(report)}; {rounds} rounds of {batches} batches each, in turn. MXNet's rows train on real "
        f"Fashion-MNIST (gluon-resnet resizes and batches meanwhile, d2l finds its batches ready), PyTorch's on "
        f"one random batch.",
        "",
        table(measured).to_markdown(index=False),
        "",
        f"A training run with all 70,000 pictures in memory ({memory['examples']:,} trained on, all 10,000 "
        f"tested): peak resident memory {memory['peak_memory_bytes'] / 2**30:.2f} GiB.",
    ]
    if cost:
        lines += [
            "",
            f"## One example's cost, 1x{size}x{size}, family d2l, batch size {cost[0]['batch_size']}",
            "",
            pd.DataFrame(cost).drop(columns="batch_size").to_markdown(index=False),
        ]
    text = "\n".join(lines)
    write_results(
        folder,
        "train",
        {"rounds": rounds, **settings, "measured": measured, "memory": memory, "depths": cost, "system": report},
        text,
    )
    return text
