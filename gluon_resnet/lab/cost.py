"""What depth costs: parameters, multiply-adds, and the time and memory of training and predicting.

    table = cost.measure(("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"), (1, 96, 96), batch_size=32)
    cost.draw(table)

As in benchmarks/, every measurement runs in a process of its own, the networks take turns, and the medians count.
Training and predicting have separate processes, so that each has its own peak memory. Source of the depths: He et al.,
arXiv 1512.03385, Table 1.
"""

import statistics
import sys
from typing import Any, Callable, Dict, List, Mapping, Sequence, Tuple

import pandas as pd
from matplotlib.figure import Figure

from ..benchmarks.processes import check_positive, run_worker
from ..errors import ConfigError
from ..figures import new_figure
from ..machine import env
from ..machine.other_programs import OtherPrograms
from ..networks.shapes import parse_shape
from ..networks.specs import parse_model
from ..text import count

MODELS = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
WAYS = ("train", "predict")

#: {model: {way: [measurement of each round]}}
Measured = Dict[str, Dict[str, List[Dict[str, Any]]]]

#: Keywords of :func:`measure` for a try in a few seconds: one network, small images, two steps.
TINY: Dict[str, Any] = dict(models=("resnet18",), shape=(1, 28, 28), batch_size=4, steps=2, rounds=1)


def measure(
    models: Sequence[str] = MODELS,
    shape: Sequence[int] = (1, 96, 96),
    batch_size: int = 32,
    steps: int = 5,
    rounds: int = 3,
    say: Callable[[str], Any] = lambda line: None,
) -> pd.DataFrame:
    """Measure networks on random images; training is hybridized, with SGD in float32.

    Args:
        models: names such as ``resnet50:A``.
        shape: (C, H, W) of an image.
        batch_size: images in a batch.
        steps: timed steps of a process, after two that are not timed.
        rounds: how often each network is measured.
        say: takes one line of progress at a time.

    Returns:
        A table with a row for each network, in the order of ``models``. Its columns are model, parameters (trainable),
        multiply_adds (of one image), and for training and for predicting (``predict_ms`` and so on):

        - ``train_ms``: milliseconds for an image, the median over the rounds of the medians of the processes
        - ``train_ms_low``, ``train_ms_high``: the lowest and the highest round
        - ``train_peak_bytes``: the largest resident memory of a process in any round; it includes Python, mxnet and the
          gradients that Gluon always allocates

        Then follow others_cores (the most that other programs used in any round, in cores, or None), threads, winograd
        (whether training could use Winograd's convolutions), batch_size and rounds. ``table.attrs["measured"]`` has all
        single measurements.

    Raises:
        ModelError: a name is unknown.
        ShapeError: ``shape`` is not that of an image.
        ConfigError: a number is below 1, a model is named twice, or there is none.
        BackendError: a process failed.
    """
    check_positive("cost.measure", batch_size=batch_size, steps=steps, rounds=rounds)
    shape = check_models(models, shape)
    measured = compare(models, shape, batch_size, steps, rounds, say)
    costs = table(measured, batch_size)
    costs.attrs["measured"] = measured
    return costs


def check_models(models: Sequence[str], shape: Sequence[int]) -> Tuple[int, ...]:
    """``shape`` as a tuple (C, H, W), if it and ``models`` are valid; raises the errors of :func:`measure`."""
    if not models:
        raise ConfigError("cost.measure: no models: expected at least one, such as resnet18")
    repeated = sorted({model for model in models if list(models).count(model) > 1})
    if repeated:
        raise ConfigError(f"cost.measure: {repeated[0]} is named twice: expected different models")
    for model in models:
        parse_model(model)
    return parse_shape(",".join(str(size) for size in (1, *shape)))[1:]


def compare(
    models: Sequence[str],
    shape: Sequence[int],
    batch_size: int,
    steps: int,
    rounds: int,
    say: Callable[[str], Any],
) -> Measured:
    """The measurements of the networks, which take turns; the arguments are those of :func:`measure`.

    A measurement is what benchmarks/workers/cost.py prints, and others_cores.
    """
    measured: Measured = {model: {way: [] for way in WAYS} for model in models}
    plain = env.without_prepared_variables()  # each process finds its own threads
    for turn in range(1, rounds + 1):
        for model in models:
            for way in WAYS:
                settings = {"model": model, "way": way, "shape": shape, "batch_size": batch_size, "steps": steps}
                with OtherPrograms() as others:
                    measurement = run_worker(sys.executable, "cost.py", settings, plain)
                measured[model][way].append({**measurement, "others_cores": others.cores})
                milliseconds = 1000 * measurement["median_seconds"] / batch_size
                say(
                    f"round {turn}/{rounds}: {model}: {way} {milliseconds:.2f} ms a picture, "
                    f"peak {measurement['peak_memory_bytes'] / 2**20:,.0f} MiB"
                )
    return measured


def table(measured: Mapping[str, Mapping[str, List[Dict[str, Any]]]], batch_size: int) -> pd.DataFrame:
    """The table of :func:`measure` from the measurements of :func:`compare`."""
    rows = []
    for model, ways in measured.items():
        every = [measurement for measurements in ways.values() for measurement in measurements]
        row = {"model": model, "parameters": every[0]["parameters"], "multiply_adds": every[0]["multiply_adds"]}
        for way, measurements in ways.items():
            times = [1000 * measurement["median_seconds"] / batch_size for measurement in measurements]
            row.update(
                {
                    f"{way}_ms": statistics.median(times),
                    f"{way}_ms_low": min(times),
                    f"{way}_ms_high": max(times),
                    f"{way}_peak_bytes": max(measurement["peak_memory_bytes"] for measurement in measurements),
                }
            )
        cores = [measurement["others_cores"] for measurement in every if measurement["others_cores"] is not None]
        rows.append(
            {
                **row,
                "others_cores": max(cores) if cores else None,
                "threads": every[0]["threads"],
                "winograd": all(measurement["winograd"] for measurement in ways["train"]),
                "batch_size": batch_size,
                "rounds": len(ways["train"]),
            }
        )
    return pd.DataFrame(rows)


def draw(table: pd.DataFrame) -> Figure:
    """A table of :func:`measure` as a matplotlib Figure: time for an image and peak memory over multiply-adds."""
    figure = new_figure(11, 4.6)
    times, memory = figure.subplots(1, 2)
    table = table.sort_values("multiply_adds", kind="stable")
    work = table["multiply_adds"] / 1e9
    styles: Dict[str, Any] = {"train": dict(color="C0", marker="o"), "predict": dict(color="C1", marker="s")}
    for way, style in styles.items():
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
    times.set_ylabel(f"time a picture (ms), median of {count(rounds, 'round')}")
    memory.set_ylabel("peak resident memory of the process (MiB)")
    threads = table["threads"].max()
    figure.suptitle(f"batch size {batch_size}, {count(threads, 'thread')}; bars: lowest and highest round", fontsize=10)
    return figure
