"""What the workers share; imported after mxnet or torch, so nothing here imports either."""

import ctypes
import json
import time

from memory import peak_memory  # gluon_resnet/machine, which processes.py puts on PYTHONPATH


class Clock:
    """Context that measures the seconds it is open."""

    def __enter__(self):
        self.started = time.perf_counter()
        return self

    def __exit__(self, *_):
        self.seconds = time.perf_counter() - self.started


class Timed:
    """Batches that time whoever trains on them: from the third batch on to the last update, set-up left out.

    ``wait`` waits until the trainer's work so far is done; ``seconds`` and ``examples`` are set at the end of a pass.
    """

    SKIP = 2

    def __init__(self, batches, wait):
        self.batches, self.wait = batches, wait

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        self.examples = 0
        for i, (X, y) in enumerate(self.batches):
            if i == self.SKIP:
                self.wait()
                started = time.perf_counter()
            self.examples += len(y) if i >= self.SKIP else 0
            yield X, y
        self.wait()
        self.seconds = time.perf_counter() - started


def openmp_threads():
    """Threads that GNU OpenMP, which mxnet runs on, uses in this process."""
    return ctypes.CDLL("libgomp.so.1").omp_get_max_threads()


def tell(examples, seconds, version, threads, **more):
    """Print what was measured as one JSON line."""
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
