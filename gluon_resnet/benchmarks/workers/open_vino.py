"""Predict with OpenVINO in float32, bfloat16 or int8; prints one JSON line.

int8 is quantized by nncf, as OpenVINO's documents say, on the benchmark's own images, once; the file is kept for the
next round. Of OpenVINO's two hints, latency and throughput (the batch in pieces, several at a time), the faster one
in a short trial is measured.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, List, Tuple

import numpy
import openvino
from common import predicted

settings = json.loads(sys.argv[1])
core = openvino.Core()


def quantize(path: Path) -> None:
    """Write the model in int8 to ``path``."""
    import nncf

    dataset = nncf.Dataset([images[i : i + 1] for i in range(len(images))])
    model = nncf.quantize(core.read_model(settings["onnx"]), dataset, subset_size=len(images))
    openvino.save_model(model, path)


def read() -> Any:
    """The model in the precision of the settings."""
    if settings["precision"] != "int8":
        return core.read_model(settings["onnx"])
    path = Path(settings["onnx"]).with_name("int8.xml")
    if not path.exists():  # in a process of its own: this one's memory is measured
        only = json.dumps({**settings, "quantize": str(path)})
        subprocess.run([sys.executable, __file__, only], check=True, stdout=subprocess.DEVNULL)
    return core.read_model(path)


def compiled(model: Any, batch: int, hint: str) -> Any:
    """The model for ``batch`` images under a hint."""
    model.reshape([batch, *X.shape[1:]])
    kind = "bf16" if settings["precision"] == "bfloat16" else "f32"  # of what is not quantized
    return core.compile_model(model, "CPU", {"PERFORMANCE_HINT": hint, "INFERENCE_PRECISION_HINT": kind})


def one_at_a_time(model: Any) -> Callable[[], Any]:
    """A function that predicts the batch with the hint LATENCY."""
    request = compiled(model, len(X), "LATENCY").create_infer_request()
    return lambda: request.infer([X])[0]


def in_pieces(model: Any) -> Callable[[], Any]:
    """A function that predicts the batch in pieces, one for each stream, with the hint THROUGHPUT."""
    streams = compiled(model, 1, "THROUGHPUT").get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
    pieces = max(count for count in range(1, streams + 1) if len(X) % count == 0)
    several = compiled(model, len(X) // pieces, "THROUGHPUT")
    requests = [several.create_infer_request() for _ in range(pieces)]
    parts = numpy.split(X, pieces)

    def predict() -> Any:
        for request, part in zip(requests, parts):
            request.start_async([part])
        for request in requests:
            request.wait()
        return numpy.concatenate([request.get_output_tensor(0).data for request in requests])

    return predict


def trial(predict: Callable[[], Any]) -> float:
    """The shorter time of two predictions, in seconds, after one that does not count."""
    times = []
    for _ in range(3):
        started = time.perf_counter()
        predict()
        times.append(time.perf_counter() - started)
    return min(times[1:])


images = numpy.load(settings["images"])
X = numpy.ascontiguousarray(images[: settings["batch_size"]])
if "quantize" in settings:
    quantize(Path(settings["quantize"]))
    sys.exit()
found: List[Tuple[float, str, Callable[[], Any]]] = []
for name, way in (("latency", one_at_a_time), ("throughput", in_pieces)):
    predict = way(read())
    found.append((trial(predict), name, predict))
_, hint, predict = min(found, key=lambda one: one[0])
predicted(
    predict,
    len(X),
    settings,
    f"openvino {openvino.__version__.split('-')[0]}",
    len(os.sched_getaffinity(0)),
    hint=hint,
)
