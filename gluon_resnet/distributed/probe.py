"""How many bytes a second the store moves: a worker that sends a vector to the servers and gets it back.

    gluon-resnet scaling --measure                        # starts it with a server and a scheduler

Prints one line of JSON. Of each round, the time is that of the whole way there and back.
"""

import json
import statistics
import sys
import time

import gluon_resnet  # noqa: F401  before mxnet

import mxnet as mx

NUMBERS, ROUNDS = 4_000_000, 12  # float32 numbers: 16 MB; the first two rounds warm up


def main() -> None:
    """Measure, print."""
    kvstore = mx.kv.create("dist_sync")
    values = mx.nd.ones((NUMBERS,))
    kvstore.init(0, values)
    seconds = []
    for _ in range(ROUNDS):
        mx.nd.waitall()
        started = time.perf_counter()
        kvstore.pushpull(0, values, out=values)
        mx.nd.waitall()
        seconds.append(time.perf_counter() - started)
    middle = statistics.median(seconds[2:])
    print(json.dumps({"bytes": 4 * NUMBERS, "seconds": middle, "bytes_per_second": 2 * 4 * NUMBERS / middle}))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
