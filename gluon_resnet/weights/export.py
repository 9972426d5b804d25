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
from typing import Optional

import mxnet as mx
import numpy
import onnx
import onnxruntime
from mxnet.util import is_np_array
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from ..errors import ExportError
from ..files import written_whole
from ..networks.layout import input_channels, layout
from . import onnx_graph
from .names import names

TOLERANCE = 1e-4  # largest difference between two float32 computations, relative to the largest logit
CHECKED = ((1, 64, 64), (3, 96, 80))  # batch, height and width of the random pictures: all three are free in the file


@dataclass(frozen=True)
class Exported:
    """A written file: its path, opset (None but for ONNX), size in bytes and the largest relative difference found."""

    path: Path
    opset: Optional[int]
    size: int
    difference: float


def parameters(net):
    """{parameter name of the layout: float32 array} of a network made by :func:`gluon_resnet.networks.models.build`.

    Raises ExportError for another network, one without values, or one that computes in bfloat16.
    """
    if getattr(net, "spec", None) is None:
        raise ExportError(f"{net.name} has no spec: expected a network of gluon_resnet, such as get_model('resnet18')")
    found = {}
    for name, param in net._collect_params_with_prefix().items():
        try:
            found[name] = param.list_data()[0].asnumpy()
        except (RuntimeError, mx.MXNetError):  # not initialized, or waiting for the first input
            raise ExportError(
                f"{net.spec.name}: parameter {name} has no value yet; load parameters or train first, "
                f"or initialize the network and pass a picture through it"
            ) from None
    return found


def _logits(net, X):
    """The network's own output for X, (N, C, H, W) float32, as a numpy array, in prediction mode."""
    device = next(iter(net.collect_params().values())).list_ctx()[0]
    with mx.autograd.pause():
        return net((mx.np if is_np_array() else mx.nd).array(X, ctx=device, dtype="float32")).asnumpy()  # (N, classes)


def _check_precision(net):
    found = set()
    net.apply(lambda block: found.add(getattr(block, "precision", "float32")))
    lower = found - {"float32"}
    if lower:
        raise ExportError(
            f"{net.spec.name} computes in {lower.pop()}, the file would compute in float32: call "
            f"set_precision(net, 'float32') first"
        )


def largest_difference(net, path, in_channels):
    """Largest difference between the logits of onnxruntime and of ``net``, relative to the network's largest logit.

    Both see the same random pictures, in two batches of different size, height and width. Raises ExportError where the
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
                f"{net.spec.name}: its logits for random pictures are not all finite numbers; export a "
                f"network whose training did not diverge"
            )
        found = session.run([onnx_graph.OUTPUT], {onnx_graph.INPUT: X})[0]
        difference = abs(found - expected).max() / (abs(expected).max() or 1)
        worst = float(numpy.maximum(worst, difference))  # keeps a NaN, which max() may drop
    return worst


@contextmanager
def _writing(path):
    try:
        with written_whole(path) as temporary:
            yield temporary
    except (OSError, SafetensorError) as error:
        raise ExportError(
            f"{path}: cannot be written ({getattr(error, 'strerror', None) or error}); "
            f"name a file in a folder that exists and may be written"
        ) from None


def export_onnx(net, path):
    """Write ``net`` to ``path`` as an ONNX model and return an :class:`Exported`.

    The file is read back by onnxruntime and appears only if its logits are the network's, up to TOLERANCE. Otherwise,
    and where the network has no values or the file cannot be written, ExportError is raised and nothing is left behind.
    The network keeps its values; it must have been made by :func:`gluon_resnet.networks.models.build`.
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


def export_safetensors(net, path):
    """Write ``net``'s parameters to ``path`` under torchvision's names, all float32, and return an :class:`Exported`.

    Running statistics are included, ``num_batches_tracked`` is not (PyTorch does not miss it). Names and shapes are
    torchvision's own for that family; where another has a bias the key ends in ".bias", and its strides, paddings and
    epsilons are not in the file: the metadata's ``gluon_resnet`` says which network it is. The file is read back and
    compared bit by bit. Raises ExportError as :func:`export_onnx` does.
    """
    path, params = Path(path), parameters(net)
    described = layout(net.spec, input_channels(net.spec, params))
    onnx_graph.check_params(described.params(), params)
    tensors = {key: params[name] for name, (key, _) in names("torchvision", described).items()}  # no axes to turn
    with _writing(path) as temporary:
        save_file(tensors, str(temporary), metadata={"format": "pt", "gluon_resnet": net.spec.name})
        found = load_file(str(temporary))
        if found.keys() != tensors.keys() or any(found[key].tobytes() != tensors[key].tobytes() for key in tensors):
            raise ExportError(f"{path}: not written: what was read back is not what was written; check the disk")
    return Exported(path, None, path.stat().st_size, 0.0)


#: suffix -> what writes it
FORMATS = {".onnx": export_onnx, ".safetensors": export_safetensors}


def export(net, path):
    """Write ``net`` in the format that the suffix of ``path`` names, .onnx or .safetensors; see the two for errors."""
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        raise ExportError(f"{path}: unknown suffix '{suffix}': expected {' or '.join(FORMATS)}")
    return FORMATS[suffix](net, path)
