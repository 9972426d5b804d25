"""What depth costs: parameters, multiply-adds, and the time and memory of training and predicting, network by network.

    table = cost.measure(("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"), (1, 96, 96), batch_size=32)
    cost.draw(table)

As in benchmark.py every measurement runs in a process of its own, the networks take turns, and what counts are medians.
Training and predicting have separate processes, so that each has its own peak memory. Source of the depths: He et al.,
arXiv 1512.03385, Table 1.
"""

import statistics
import sys

import pandas as pd

from ..benchmarks.processes import OtherPrograms, check_positive, run_worker
from ..errors import ConfigError
from ..figures import new_figure
from ..machine import env
from ..networks.shapes import parse_shape
from ..networks.specs import parse_model

MODELS = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
WAYS = ("train", "predict")

#: Keywords of :func:`measure` for a try in a few seconds: one network, small pictures, two steps.
TINY = dict(models=("resnet18",), shape=(1, 28, 28), batch_size=4, steps=2, rounds=1)


def measure(models=MODELS, shape=(1, 96, 96), batch_size=32, steps=5, rounds=3, say=lambda line: None):
    """A DataFrame with a row a network, in the order of ``models`` (names such as ``resnet50:A``).

    ``shape`` is one picture's (C, H, W), random; ``steps`` are those timed in a process, after two that are not;
    ``rounds`` is how often each network has its turn; ``say`` takes a line at a time. Columns: model, parameters
    (trainable), multiply_adds (of one picture), then for each of train and predict: ``train_ms`` (median over the
    rounds of the processes' medians, milliseconds a picture), ``train_ms_low`` and ``train_ms_high`` (of the rounds),
    ``train_peak_bytes`` (largest resident memory of the process, Python, mxnet and the gradients that Gluon always
    makes room for included: the highest of the rounds); ``others_cores`` (most that other programs used of the machine
    in any of the row's rounds, in cores, or None), threads, winograd (did training have Winograd's convolutions?),
    batch_size, rounds. Training is as ``train`` does it: SGD, float32, hybridized. ``table.attrs["measured"]`` holds
    every single measurement. Raises ModelError, ShapeError and ConfigError before anything is measured; BackendError
    where a process fails.
    """
    check_positive("cost.measure", batch_size=batch_size, steps=steps, rounds=rounds)
    shape = check_models(models, shape)
    measured = compare(models, shape, batch_size, steps, rounds, say)
    found = table(measured, batch_size)
    found.attrs["measured"] = measured
    return found


def check_models(models, shape):
    """``shape`` as a tuple, if it is a picture's and all ``models`` are the suite's; raises as :func:`measure`."""
    if not models:
        raise ConfigError("cost.measure: no models: expected at least one, such as resnet18")
    twice = sorted({model for model in models if list(models).count(model) > 1})
    if twice:
        raise ConfigError(f"cost.measure: {twice[0]} is named twice: expected different models")
    for model in models:
        parse_model(model)
    return parse_shape(",".join(str(size) for size in (1, *shape)))[1:]


def compare(models, shape, batch_size, steps, rounds, say):
    """{model: {way: [measurement of each round]}}, the networks in turn; workers/cost.py says what is in one."""
    measured = {model: {way: [] for way in WAYS} for model in models}
    plain = env.without_prepared_variables()  # each process finds its own threads
    for turn in range(1, rounds + 1):
        for model in models:
            for way in WAYS:
                settings = {"model": model, "way": way, "shape": shape, "batch_size": batch_size, "steps": steps}
                with OtherPrograms() as others:
                    found = run_worker(sys.executable, "cost.py", settings, plain)
                measured[model][way].append({**found, "others_cores": others.cores})
                taken = 1000 * found["median_seconds"] / batch_size
                say(
                    f"round {turn}/{rounds}: {model}: {way} {taken:.2f} ms a picture, "
                    f"peak {found['peak_memory_bytes'] / 2**20:,.0f} MiB"
                )
    return measured


def table(measured, batch_size):
    """The rows of :func:`measure` from what :func:`compare` gives."""
    rows = []
    for model, ways in measured.items():
        every = [one for found in ways.values() for one in found]
        row = {"model": model, "parameters": every[0]["parameters"], "multiply_adds": every[0]["multiply_adds"]}
        for way, found in ways.items():
            times = [1000 * one["median_seconds"] / batch_size for one in found]
            row.update(
                {
                    f"{way}_ms": statistics.median(times),
                    f"{way}_ms_low": min(times),
                    f"{way}_ms_high": max(times),
                    f"{way}_peak_bytes": max(one["peak_memory_bytes"] for one in found),
                }
            )
        cores = [one["others_cores"] for one in every if one["others_cores"] is not None]
        rows.append(
            {
                **row,
                "others_cores": max(cores) if cores else None,
                "threads": every[0]["threads"],
                "winograd": all(one["winograd"] for one in ways["train"]),
                "batch_size": batch_size,
                "rounds": len(ways["train"]),
            }
        )
    return pd.DataFrame(rows)


def draw(table):
    """A :func:`measure` table as a matplotlib Figure: time a picture and peak memory over multiply-adds."""
    figure = new_figure(11, 4.6)
    times, memory = figure.subplots(1, 2)
    table = table.sort_values("multiply_adds", kind="stable")
    work = table["multiply_adds"] / 1e9
    for way, style in (("train", dict(color="C0", marker="o")), ("predict", dict(color="C1", marker="s"))):
        label = {"train": "training step", "predict": "predicting"}[way]
        middle = table[f"{way}_ms"]
        times.errorbar(
            work,
            middle,
            (middle - table[f"{way}_ms_low"], table[f"{way}_ms_high"] - middle),
            label=label,
            capsize=3,
            **style,
        )
        memory.plot(work, table[f"{way}_peak_bytes"] / 2**20, label=label, **style)
    for axes, column, scale in ((times, "train_ms", 1), (memory, "train_peak_bytes", 2**20)):
        for i, (x, y, model) in enumerate(zip(work, table[column] / scale, table["model"])):
            place, side = (((-6, 5), "right"), ((7, -9), "left"))[i % 2]  # ResNet-34 and 50 are close to each other
            axes.annotate(model, (x, y), xytext=place, textcoords="offset points", ha=side, fontsize=8)
        axes.set_xlabel("multiply-adds a picture (G)")
        axes.margins(0.14)
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend(loc="lower right", fontsize=9)
    rounds, batch_size = table["rounds"].max(), table["batch_size"].max()
    times.set_ylabel(f"time a picture (ms), median of {rounds} rounds")
    memory.set_ylabel("peak resident memory of the process (MiB)")
    threads = table["threads"].max()
    figure.suptitle(f"batch size {batch_size}, {threads} threads; bars: lowest and highest round", fontsize=10)
    return figure
