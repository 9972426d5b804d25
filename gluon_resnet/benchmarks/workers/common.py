"""What the workers share; it imports neither mxnet nor torch, as each worker has only one of them."""

import ctypes
import json
import statistics
import time
from typing import Any, Callable, Dict, Iterator, Mapping, Tuple

from memory import peak_memory  # gluon_resnet/machine, which processes.py puts on PYTHONPATH


class Clock:
    """Context that measures its own time, in ``seconds``."""

    def __enter__(self) -> "Clock":
        self.started = time.perf_counter()
        return self

    def __exit__(self, *_: Any) -> None:
        self.seconds = time.perf_counter() - self.started


class Timed:
    """Batches that measure the time of training on them, from the third batch to the last update, without the set-up.

    ``wait`` is a function that waits until the trainer has finished its work so far. ``seconds`` and ``examples`` are
    set at the end of a pass.
    """

    SKIP = 2

    def __init__(self, batches: Any, wait: Callable[[], Any]) -> None:
        self.batches, self.wait = batches, wait

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Tuple[Any, Any]]:
        examples = 0
        for i, (X, y) in enumerate(self.batches):
            if i == self.SKIP:
                self.wait()
                started = time.perf_counter()
            examples += len(y) if i >= self.SKIP else 0
            yield X, y
        self.wait()
        self.examples, self.seconds = examples, time.perf_counter() - started


def openmp_threads() -> int:
    """Threads that GNU OpenMP, which mxnet uses, has in this process."""
    return ctypes.CDLL("libgomp.so.1").omp_get_max_threads()


def read_arrays(path: str) -> Dict[str, Any]:
    """{name: array} of an .npz file."""
    import numpy  # this suite's workers set its threads first

    with numpy.load(path) as stored:
        return {name: stored[name] for name in stored.files}


def predicted(
    predict: Callable[[], Any],
    examples: int,
    settings: Mapping[str, Any],
    version: str,
    threads: Any,
    **more: Any,
) -> None:
    """Call ``predict`` warm_up + repeats times (``settings``), and print the measurements as one JSON line.

    Args:
        predict: predicts a batch; returns logits (N, classes) as a NumPy array.
        examples: N.
        settings: has "warm_up" and "repeats".
        version: the program and its version.
        threads: how many it uses.
        more: other values for the line.
    """
    times = []
    for _ in range(settings["warm_up"] + settings["repeats"]):
        with Clock() as clock:
            logits = predict()
        times.append(clock.seconds)
    times = times[settings["warm_up"] :]
    median = statistics.median(times)
    tell(
        examples * len(times),
        sum(times),
        version,
        threads,
        times=times,
        median_seconds=median,
        examples_per_sec=examples / median,
        logits=[float(value) for value in logits[0]],
        **more,
    )


def tell(examples: int, seconds: float, version: str, threads: Any, **more: Any) -> None:
    """Print the measurements as one JSON line."""
    print(
        json.dumps(
            {
                "examples": examples,
                "seconds": seconds,
                "examples_per_sec": examples / seconds,
                "version": version,
                "threads": threads,
                "peak_memory_bytes": peak_memory(),
                **more,
            }
        )
    )
