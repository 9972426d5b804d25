"""A trained network for other programs: an ONNX model, or torchvision-style weights in a safetensors file.

    net = gr.get_model("resnet50@torchvision")
    net.load_parameters("net.params")
    export(net, "resnet50.onnx")              # for any ONNX runtime; its logits are checked first
    export(net, "resnet50.safetensors")       # torchvision's key names

A file appears whole and checked, or not at all. Formats: https://onnx.ai, https://github.com/huggingface/safetensors
"""

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Optional, Union

import mxnet as mx
import numpy
import onnx
import onnxruntime
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from ..devices import array
from ..errors import ExportError
from ..files import written_whole
from ..networks.layout import input_channels, layout
from . import onnx_graph
from .names import names

TOLERANCE = 1e-4  # largest difference between two float32 computations, relative to the largest logit
CHECKED = ((1, 64, 64), (3, 96, 80))  # batch, height and width of the random images: all three are free in the file

FilePath = Union[str, Path]


@dataclass(frozen=True)
class Exported:
    """A written file: its path, opset (None but for ONNX), size in bytes and the largest relative difference."""

    path: Path
    opset: Optional[int]
    size: int
    difference: float


def parameters(net: Any) -> Dict[str, numpy.ndarray]:
    """{parameter name of the layout: float32 array} of a network made by :func:`gluon_resnet.networks.models.build`.

    Raises ExportError for another network, one without values, or one that computes in bfloat16.
    """
    if getattr(net, "spec", None) is None:
        raise ExportError(f"{net.name} has no spec: expected a network of gluon_resnet, such as get_model('resnet18')")
    arrays = {}
    for name, param in net._collect_params_with_prefix().items():
        try:
            arrays[name] = param.list_data()[0].asnumpy()
        except (RuntimeError, mx.MXNetError):  # not initialized, or waiting for the first input
            raise ExportError(
                f"{net.spec.name}: parameter {name} has no value yet; load parameters or train first, "
                f"or initialize the network and pass an image through it"
            ) from None
    return arrays


def _logits(net: Any, X: numpy.ndarray) -> numpy.ndarray:
    """The network's own output for X, (N, C, H, W) float32, as a numpy array, in prediction mode."""
    device = next(iter(net.collect_params().values())).list_ctx()[0]
    with mx.autograd.pause():
        return net(array(X, device)).asnumpy()  # (N, classes)


def _check_precision(net: Any) -> None:
    precisions = set()
    net.apply(lambda block: precisions.add(getattr(block, "precision", "float32")))
    lower = precisions - {"float32"}
    if lower:
        raise ExportError(
            f"{net.spec.name} computes in {lower.pop()}, the file would compute in float32: call "
            f"set_precision(net, 'float32') first"
        )


def largest_difference(net: Any, path: FilePath, in_channels: int) -> float:
    """Largest difference between the logits of onnxruntime and of ``net``, relative to the network's largest logit.

    Both see the same random images, in two batches of different size, height and width. Raises ExportError if the
    network's own logits are not finite.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # this thread: more would be bound to processors that mxnet's threads hold
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    random, worst = numpy.random.RandomState(0), 0.0
    for batch, height, width in CHECKED:
        X = random.randn(batch, in_channels, height, width).astype("float32")
        expected = _logits(net, X)
        if not numpy.isfinite(expected).all():
            raise ExportError(
                f"{net.spec.name}: its logits for random images are not all finite numbers; export a "
                f"network whose training did not diverge"
            )
        logits = session.run([onnx_graph.OUTPUT], {onnx_graph.INPUT: X})[0]
        difference = abs(logits - expected).max() / (abs(expected).max() or 1)
        worst = float(numpy.maximum(worst, difference))  # keeps a NaN, which max() may drop
    return worst


@contextmanager
def _writing(path: FilePath) -> Iterator[Path]:
    try:
        with written_whole(Path(path)) as temporary:
            yield temporary
    except (OSError, SafetensorError) as error:
        raise ExportError(
            f"{path}: cannot be written ({getattr(error, 'strerror', None) or error}); "
            f"name a file in a folder that exists and may be written"
        ) from None


def export_onnx(net: Any, path: FilePath) -> Exported:
    """Write ``net``, made by :func:`gluon_resnet.networks.models.build`, to ``path`` as an ONNX model.

    The file is read back by onnxruntime and appears only if its logits are the network's, up to TOLERANCE. Otherwise,
    or if the network has no values or the file cannot be written, ExportError is raised and no file is left. The
    network keeps its values.
    """
    path, params = Path(path), parameters(net)
    _check_precision(net)
    in_channels = input_channels(net.spec, params)
    with _writing(path) as temporary:
        model = onnx_graph.to_onnx(net.spec, params, in_channels)
        onnx.save(model, str(temporary))
        onnx.checker.check_model(str(temporary), full_check=True)
        difference = largest_difference(net, temporary, in_channels)
        if not difference <= TOLERANCE:
            raise ExportError(
                f"{path}: not written: onnxruntime's logits differ from the network's by "
                f"{difference:.1e} of the largest, expected at most {TOLERANCE:.0e}; "
                f"please report {net.spec.name}"
            )
    return Exported(path, onnx_graph.OPSET, path.stat().st_size, difference)


def export_safetensors(net: Any, path: FilePath) -> Exported:
    """Write the parameters of ``net`` to ``path`` under torchvision's names, all float32.

    Running statistics are included, ``num_batches_tracked`` is not (PyTorch does without). For the family torchvision
    names and shapes are torchvision's own; the biases of others have keys that end in ".bias". Strides, paddings and
    epsilons are not in the file: ``gluon_resnet`` in its metadata says which network it is. The file is read back and
    compared bit by bit. Raises ExportError as :func:`export_onnx` does.
    """
    path, params = Path(path), parameters(net)
    plan = layout(net.spec, input_channels(net.spec, params))
    onnx_graph.check_params(plan.params(), params)
    tensors = {key: params[name] for name, (key, _) in names("torchvision", plan).items()}  # no axes to transpose
    with _writing(path) as temporary:
        save_file(tensors, str(temporary), metadata={"format": "pt", "gluon_resnet": net.spec.name})
        again = load_file(str(temporary))
        if again.keys() != tensors.keys() or any(again[key].tobytes() != tensors[key].tobytes() for key in tensors):
            raise ExportError(f"{path}: not written: what was read back is not what was written; check the disk")
    return Exported(path, None, path.stat().st_size, 0.0)


#: suffix -> what writes it
FORMATS: Dict[str, Callable[[Any, FilePath], Exported]] = {".onnx": export_onnx, ".safetensors": export_safetensors}


def export(net: Any, path: FilePath) -> Exported:
    """Write ``net`` in the format that the suffix of ``path`` names, .onnx or .safetensors.

    :func:`export_onnx` and :func:`export_safetensors` say what is written and which errors there are; another suffix is
    an ExportError, too.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        raise ExportError(f"{path}: unknown suffix '{suffix}': expected {' or '.join(FORMATS)}")
    return FORMATS[suffix](net, path)
