"""Tools that look into networks: engines, the microscope, comparisons, class activation maps.

The names of the engines are here, where ``gluon-resnet --help`` has them without loading any.
"""

#: engines that compute in float32 and agree to rounding
ENGINES = ("gluon", "gluon-plain", "byhand", "onnx")
#: engines that compute in shorter numbers; int8 needs a calibration (quantized.py)
SHORT = ("bfloat16", "int8")
#: those that use oneDNN: neither NumPy's nor ONNX Runtime's
ONEDNN = tuple(name for name in ENGINES + SHORT if name not in ("byhand", "onnx"))
