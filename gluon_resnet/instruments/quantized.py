"""A network in 8-bit whole numbers: calibrated on images, quantized by mxnet, run by oneDNN.

    calibration = calibrate(spec, params, lambda: batches)  # batches of X (N, C, H, W) float32, gone through twice
    engine = Int8Engine(spec, params, calibration)
    engine.logits(X)                                        # (N, num_classes) float32, not equal to float32's

A number x of a layer is kept as round(x / scale), where the scale comes from the largest number that the layer gave for
the calibration images (mode "naive"), or from the threshold whose distribution of rounded numbers is nearest to the
real one (mode "entropy"). Weights have a scale for each channel. The convolutions are those of the fused network
(training/fused.py), so a sum and a ReLU are computed before rounding.

The stem, the average pooling and the classifier stay in float32: they see the image's finest steps and the features
from which the classes are told apart, and take little of the time. So do the batch norms of pre-activated networks,
and what follows their last block: the published losses of these networks come from there (apache/mxnet #16003).
mxnet quantizes the weights when the first image comes, for the oneDNN at hand, so what is kept is float.
"""

import json
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, List, Mapping, Set, Tuple

import mxnet as mx
import numpy
from mxnet.contrib import quantization

from ..errors import DataError
from ..networks.layout import Layout, input_channels, layout
from ..networks.specs import ResNetSpec
from ..training.fused import INPUT, Compiled, Graph, shown_layers
from .engines import Arrays, flat

MODES = ("naive", "entropy")
BACKEND = "MKLDNN_QUANTIZE"
BINS = 8001  # of a layer's histogram, as in mxnet's own calibration
LEVELS = {True: 511, False: 255}  # is a layer never negative? -> levels of the histogram's whole width
LEAST = 4  # images: from fewer, the ranges are those of single pictures

#: {layer: (smallest, largest number)}; INPUT is the image
Ranges = Dict[str, Tuple[float, float]]
Batches = Callable[[], Iterable[numpy.ndarray]]


@dataclass(frozen=True)
class Calibration:
    """``ranges`` are {layer: (smallest, largest number)}; ``mode``, ``images`` and ``size`` (H, W) say of what."""

    ranges: Ranges
    mode: str
    images: int
    size: Tuple[int, int]


def calibrate(spec: ResNetSpec, params: Arrays, batches: Batches, mode: str = "naive") -> Calibration:
    """The :class:`Calibration` of a network on images.

    Args:
        spec: the network's.
        params: {parameter name of the layout: float32 array}.
        batches: gives the images from the first one on, in batches (N, C, H, W) float32 of one size; called once, or
            twice for entropy.
        mode: one of MODES.

    Raises:
        DataError: fewer than LEAST images, or images from which the network computes what is not a number.
    """
    graph = Graph(layout(spec, input_channels(spec, params)), params)
    names = list(_layers(graph.output.get_backend_symbol(BACKEND)).values())
    internals = graph.output.get_internals()
    # not fused, as fused operators that give their sums, too, are refused by mxnet
    compute = Compiled(mx.sym.Group([internals[f"{name}_output"] for name in names]), graph.arrays, None)
    ranges, count, size = _ranges(names, compute, batches)
    if count < LEAST:
        raise DataError(f"{count} {'image' if count == 1 else 'images'} to calibrate on: expected {LEAST} or more")
    if mode == "entropy":
        ranges = _nearest(ranges, _histograms(names, compute, batches, ranges))
    return Calibration(ranges, mode, count, size)


def _ranges(names: List[str], compute: Compiled, batches: Batches) -> Tuple[Ranges, int, Tuple[int, int]]:
    """(the ranges of the image and of the layers ``names``, number of images, their height and width)."""
    ranges: Ranges = {name: (0.0, 0.0) for name in [INPUT, *names]}
    count, size = 0, (0, 0)
    for X in batches():
        for name, Y in zip([INPUT, *names], [X, *compute(X)]):
            low, high = ranges[name]
            ranges[name] = min(low, float(Y.min())), max(high, float(Y.max()))
            if not numpy.isfinite(Y).all():
                raise DataError(f"layer {name}: not all its numbers are finite: expected a network that did not diverge")
        count, size = count + len(X), X.shape[2:]
    return ranges, count, size


def _histograms(names: List[str], compute: Compiled, batches: Batches, ranges: Ranges) -> Dict[str, numpy.ndarray]:
    """{layer: BINS counts of its numbers from -limit to limit}, where the limit is its largest magnitude."""
    counts = {name: numpy.zeros(BINS) for name in ranges}
    for X in batches():
        for name, Y in zip([INPUT, *names], [X, *compute(X)]):
            limit = max(-ranges[name][0], ranges[name][1]) or 1.0
            places = ((Y.ravel() + limit) * (BINS / (2 * limit))).astype("int32").clip(0, BINS - 1)
            counts[name] += numpy.bincount(places, minlength=BINS)
    return counts


def _nearest(ranges: Ranges, counts: Dict[str, numpy.ndarray]) -> Ranges:
    """The ranges in which rounded numbers are distributed most nearly as the real ones (Kullback-Leibler)."""
    nearest = {}
    for name, (low, high) in ranges.items():
        limit = max(-low, high) or 1.0
        threshold, _ = mx.nd.contrib.calibrate_entropy(
            hist=mx.nd.array(counts[name]),
            hist_edges=mx.nd.array(numpy.linspace(-limit, limit, BINS + 1)),
            num_quantized_bins=LEVELS[low >= 0],
        )
        top = float(threshold.asnumpy().reshape(-1)[0])
        nearest[name] = (0.0 if low >= 0 else -top, top)
    return nearest


def _layers(fused: Any) -> Dict[str, str]:
    """{name of a node of a fused symbol: the name of the layer whose output it gives}."""
    layers = {}
    for node in json.loads(fused.tojson())["nodes"]:
        if node["op"] == "null":
            continue
        layers[node["name"]] = node["name"]
        for inside in node.get("subgraphs", ()):
            layers[node["name"]] = inside["nodes"][inside["heads"][0][0]]["name"]
    return layers


def in_float(plan: Layout) -> Set[str]:
    """Names of the layers that stay in float32."""
    places = plan.places
    kinds = ("input_norm", "stem", "stem_relu", "final_relu", "average_pool", "classifier", "flatten", "head_relu")
    return {places[kind] for kind in kinds if kind in places}


class Int8Engine:
    """The network in 8-bit whole numbers, on a CPU; its outputs are float32."""

    def __init__(self, spec: ResNetSpec, params: Arrays, calibration: Calibration) -> None:
        self.plan, self.calibration = layout(spec, input_channels(spec, params)), calibration
        self.graph = Graph(self.plan, params)
        self._logits = self._compile(self.graph.output)

    def _compile(self, symbol: Any) -> Compiled:
        """The float ``symbol`` quantized."""
        fused = symbol.get_backend_symbol(BACKEND)
        layers = _layers(fused)
        left_out = in_float(self.plan)
        quantized, asked = quantization._quantize_symbol(
            fused,
            mx.cpu(),
            excluded_symbols=[node for node, layer in layers.items() if layer in left_out],
            offline_params=list(self.graph.arrays),
            quantized_dtype="auto",
            quantize_mode="smart",
            quantize_granularity="channel-wise",
        )
        ranges = {name: self._range(name, layers) for name in asked}
        quantized = quantization._calibrate_quantized_sym(quantized, ranges)
        arrays = quantization._quantize_params(quantized, self.graph.arrays, ranges)
        return Compiled(quantized, arrays, BACKEND)

    def _range(self, output: str, layers: Mapping[str, str]) -> Tuple[float, float]:
        """The calibrated range of what mxnet calls ``output``: the image, or a node's name and "_output"."""
        node = output[: -len("_output")] if output.endswith("_output") else output
        return self.calibration.ranges[layers.get(node, node)]

    def logits(self, X: numpy.ndarray) -> numpy.ndarray:
        """(N, num_classes) float32 for X (N, C, H, W)."""
        return self._logits(X)[0]

    def activations(self, X: numpy.ndarray) -> Arrays:
        """{layer name: float32 array} of the layers of fused.shown_layers, as numbers of the float network.

        Each is the output of a network that ends there: mxnet cannot give several quantized outputs.
        """
        internals, outputs = self.graph.output.get_internals(), {}
        for name in shown_layers(self.plan):
            outputs[name] = self._compile(internals[f"{name}_output"])(X)[0]
        return flat(outputs, self.plan)


@dataclass(frozen=True)
class Agreement:
    """How near two engines are on ``images``: images with the same class, the largest difference of a logit."""

    images: int
    same: int
    difference: float
    largest: float  # logit in float32

    def __str__(self) -> str:
        return (
            f"the same class as float32 for {self.same} of {self.images} images, largest difference of a logit "
            f"{self.difference:.3g} ({self.difference / (self.largest or 1):.1%} of the largest)"
        )


def agreement(expected: numpy.ndarray, found: numpy.ndarray) -> Agreement:
    """The :class:`Agreement` of logits ``found`` (N, num_classes) with those ``expected`` in float32."""
    same = int((expected.argmax(axis=1) == found.argmax(axis=1)).sum())
    return Agreement(len(found), same, float(abs(expected - found).max()), float(abs(expected).max()))
