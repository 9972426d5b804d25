"""Measure training speed: this suite, d2l's own loop and PyTorch, each in processes of its own, in turn.

    make bench            (or: gluon-resnet bench train)

Machines drift; so the programs alternate in one run, and what is quoted is the ratio of medians. Every program trains
the same network for the same number of batches; the clock runs from the third batch to the last update, so that set-up,
which a whole epoch does not notice, is left out for all.
"""

import statistics
import sys

import pandas as pd

from ..machine import env, system
from ..training import winograd
from ..training.precision import is_native
from .processes import machine, run_worker, writable_folder, write_results


def _programs(torch_python):
    """[(name, python, worker, environment)] of what takes part; the first is what the others are compared with."""
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


def compare(rounds, batches, batch_size, size, torch_python=None, say=print):
    """{name: [measurement of each round]}: seconds, examples, examples_per_sec and peak_memory_bytes."""
    settings = {"batches": batches, "batch_size": batch_size, "size": size}
    measured = {}
    for turn in range(1, rounds + 1):
        for name, python, worker, environ in _programs(torch_python):
            worker, _, way = worker.partition(":")
            found = run_worker(python, worker, {**settings, "way": way}, environ)
            measured.setdefault(name, []).append(found)
            say(f"round {turn}/{rounds}: {name}: {found['examples_per_sec']:.1f} examples/sec")
    return measured


def table(measured):
    """One row a program: median, lowest and highest examples a second, and the first program's median over its own."""
    ours = None
    rows = []
    for name, found in measured.items():
        rates = [one["examples_per_sec"] for one in found]
        median = statistics.median(rates)
        ours = median if ours is None else ours
        rows.append(
            {
                "trainer": name,
                "version": found[0]["version"],
                "threads": found[0]["threads"],
                "examples/s (median)": round(median, 1),
                "lowest": round(min(rates), 1),
                "highest": round(max(rates), 1),
                "gluon-resnet is faster by": f"{ours / median:.2f}x",
                "peak MiB": round(max(one["peak_memory_bytes"] for one in found) / 2**20),
            }
        )
    return pd.DataFrame(rows)


def train(rounds, batches, batch_size, size, torch_python, depths, out, say=print):
    """The whole benchmark: writes train.json and train.md into ``out`` and returns the text of the latter."""
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
    text = [
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
        text += [
            "",
            f"## One example's cost, 1x{size}x{size}, family d2l, batch size {cost[0]['batch_size']}",
            "",
            pd.DataFrame(cost).drop(columns="batch_size").to_markdown(index=False),
        ]
    text = "\n".join(text)
    write_results(
        folder,
        "train",
        {"rounds": rounds, **settings, "measured": measured, "memory": memory, "depths": cost, "system": report},
        text,
    )
    return text
