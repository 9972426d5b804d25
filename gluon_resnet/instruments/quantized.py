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

from ..errors import DataError, WeightsError
from ..machine import system
from ..networks.layout import Block, Layout, input_channels, layout, stem_kinds
from ..networks.specs import ResNetSpec
from ..text import count as counted
from ..training.fused import INPUT, Compiled, Graph, shown_layers
from .engines import Arrays, flat

MODES = ("naive", "entropy")
BACKEND = "MKLDNN_QUANTIZE"
WIDER = 255 / 126  # a factor that takes the largest of 255 steps to below 127: see safe_range
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
        DataError: fewer than LEAST images.
        WeightsError: parameters that are not all finite.
    """
    for name, values in params.items():
        if not numpy.isfinite(values).all():
            raise WeightsError(f"parameter {name}: not all its numbers are finite: take weights that did not diverge")
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
                raise DataError(
                    f"layer {name}: not all its numbers are finite: expected a network that did not diverge"
                )
        count, size = count + len(X), (X.shape[2], X.shape[3])
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
    """Names of the layers that stay in float32: the first and last ones, and each convolution in groups.

    mxnet 1.9.1 computes 8-bit convolutions in groups wrongly: ResNeXt-50's logits with random weights were off by 80 %.
    """
    places = plan.places
    stem = (kind for stem in stem_kinds(plan.spec) for kind in (stem, f"{stem}_relu"))
    kinds = ("input_norm", *stem, "final_relu", "average_pool", "classifier", "flatten", "head_relu")
    grouped = {
        layer
        for stage in plan.stages
        for block in stage
        for (conv, _), layer in zip(block.body, _outputs(block))
        if conv.groups > 1
    }
    return grouped | {places[kind] for kind in kinds if kind in places}


def _outputs(block: Block) -> List[str]:
    """For each of a block's convolutions the name of the layer that ends its fused operator."""
    norms = [norm for _, norm in block.body if norm is not None]
    inner = norms[1:] if block.preactivation else norms[: len(block.body) - 1]
    return [*(norm.name for norm in inner), block.name]


def safe_range(plan: Layout, layer: str, low: float, high: float) -> Tuple[float, float]:
    """The range (low, high) of ``layer`` as mxnet 1.9.1 needs it for its sums.

    It adds a shortcut in place, as if the output were of the shortcut's kind. A block with a ReLU at its end has an
    unsigned output, from 0 to 255, but a projection and option A's shortcut are signed: sums above 127 are cut off.
    Twice the range keeps all numbers below that. A pre-activated block has a signed output, but the pooled stem, its
    first shortcut, is unsigned, and sums below 0 are cut off, unless the stem is made a signed layer. Without this,
    logits were wrong by 20 % with random weights, with it by 1 %.
    """
    if plan.spec.preactivation:
        stem = plan.places.get("max_pool", plan.places[f"{stem_kinds(plan.spec)[-1]}_relu"])
        return (-high, high) if layer == stem else (low, high)
    blocks = [block for stage in plan.stages for block in stage]
    signed = {block.name for block in blocks if block.shortcut or block.pad}
    if not plan.spec.stem_bn:  # no ReLU, so the first block's shortcut is signed, whatever it is
        signed.add(blocks[0].name)
    return (low, high * WIDER) if layer in signed else (low, high)


class Int8Engine:
    """The network in 8-bit whole numbers, on a CPU; its outputs are float32."""

    def __init__(self, spec: ResNetSpec, params: Arrays, calibration: Calibration) -> None:
        self.plan, self.calibration = layout(spec, input_channels(spec, params)), calibration
        #: without VNNI, products are added in pairs in 16 bits, where 2 * 255 * 127 is cut off: then 7 bits are used
        self.narrow = not system.onednn_may_use("avx512_vnni")
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
        return Compiled(quantized, {**self.graph.arrays, **arrays}, BACKEND)

    def _range(self, output: str, layers: Mapping[str, str]) -> Tuple[float, float]:
        """The calibrated range of what mxnet calls ``output``: the image, or a node's name and "_output"."""
        node = output[: -len("_output")] if output.endswith("_output") else output
        layer = layers.get(node, node)
        lowest, highest = self.calibration.ranges[layer]
        low, high = safe_range(self.plan, layer, lowest, highest)
        return (low, max(high, 2 * highest)) if self.narrow and low == 0 else (low, high)

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
            f"the same class as float32 for {self.same} of {counted(self.images, 'image')}, largest difference of a "
            f"logit {self.difference:.3g} ({self.difference / (self.largest or 1):.1%} of the largest)"
        )


def agreement(expected: numpy.ndarray, found: numpy.ndarray) -> Agreement:
    """The :class:`Agreement` of logits ``found`` (N, num_classes) with those ``expected`` in float32."""
    same = int((expected.argmax(axis=1) == found.argmax(axis=1)).sum())
    return Agreement(len(found), same, float(abs(expected - found).max()), float(abs(expected).max()))


class Compared:
    """The engine ``short``, which is compared with the engine ``exact`` on everything that it is given."""

    def __init__(self, exact: Any, short: Any) -> None:
        self.exact, self.short = exact, short
        self._logits: List[Tuple[numpy.ndarray, numpy.ndarray]] = []

    def logits(self, X: numpy.ndarray) -> numpy.ndarray:
        """(N, num_classes) float32 of the engine ``short`` for X (N, C, H, W)."""
        self._logits.append((self.exact.logits(X), self.short.logits(X)))
        return self._logits[-1][1]

    @property
    def agreement(self) -> Agreement:
        """The :class:`Agreement` on all images so far."""
        return agreement(*(numpy.concatenate(each) for each in zip(*self._logits)))
