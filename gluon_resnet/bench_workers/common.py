"""What the workers share; imported after mxnet or torch, so nothing here imports either."""
import ctypes
import json
import resource
import time


class Clock:
    """Context that measures the seconds it is open."""

    def __enter__(self):
        self.started = time.perf_counter()
        return self

    def __exit__(self, *_):
        self.seconds = time.perf_counter() - self.started


def openmp_threads():
    """Threads that GNU OpenMP, which mxnet runs on, uses in this process."""
    return ctypes.CDLL("libgomp.so.1").omp_get_max_threads()


def tell(examples, seconds, version, threads, own_clock=None, **more):
    """Print what was measured as one JSON line; ``own_clock`` is the trainer's own figure in examples a second."""
    print(json.dumps({"examples": examples, "seconds": seconds, "examples_per_sec": examples / seconds,
                      "own_clock": own_clock, "version": version, "threads": threads,
                      "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, **more}))
