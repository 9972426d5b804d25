"""Predict with ONNX Runtime, with its default threads and all optimizations; prints one JSON line."""

import json
import os
import sys

import numpy
import onnxruntime
from common import predicted

settings = json.loads(sys.argv[1])
options = onnxruntime.SessionOptions()
options.log_severity_level = 3
options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
X = numpy.load(settings["images"])[: settings["batch_size"]]
for axis, size in zip(("batch", "height", "width"), (len(X), *X.shape[2:])):
    options.add_free_dimension_override_by_name(axis, size)
session = onnxruntime.InferenceSession(settings["onnx"], options, providers=["CPUExecutionProvider"])
threads = options.intra_op_num_threads or len(os.sched_getaffinity(0))  # 0: one for each core
predicted(
    lambda: session.run(None, {"input": X})[0],
    len(X),
    settings,
    f"onnxruntime {onnxruntime.__version__}",
    threads,
)
