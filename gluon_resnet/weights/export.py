"""A trained network for other programs: an ONNX model, weights in a safetensors file, or PyTorch's state dict.

    net = gr.get_model("resnet50@torchvision")
    net.load_parameters("net.params")
    export(net, "resnet50.onnx")              # for any ONNX runtime; its logits are checked first
    export(net, "resnet50.safetensors")       # its own parameters under torchvision's key names
    export(net, "resnet50.pth")               # for torchvision.models.resnet50; its logits are checked first

A file appears whole and checked, or not at all. Formats: https://onnx.ai, https://github.com/huggingface/safetensors
"""

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Mapping, Optional, Union

import mxnet as mx
import numpy
import onnx
import onnxruntime
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from ..devices import array
from ..errors import ExportError
from ..files import check_utf8, written_whole
from ..networks.layout import input_channels, layout
from ..networks.models import build
from ..networks.specs import ResNetSpec
from . import onnx_graph, read_parameters, set_parameters
from .names import names
from .torch_files import write_torch
from .torchvision import as_torchvision, class_name

TOLERANCE = 1e-4  # largest difference between two float32 computations, relative to the largest logit
CHECKED = ((1, 64, 64), (3, 96, 80))  # batch, height and width of the random images: all three are free in the file

FilePath = Union[str, Path]


@dataclass(frozen=True)
class Exported:
    """A written file: its path, opset (None but for ONNX), size in bytes and the largest relative difference.

    ``checked`` says what is in it and how it was checked, in words.
    """

    path: Path
    opset: Optional[int]
    size: int
    difference: float
    checked: str


def parameters(net: Any) -> Dict[str, numpy.ndarray]:
    """{parameter name of the layout: float32 array} of a network made by :func:`gluon_resnet.networks.models.build`.

    Raises ExportError for another network, one without values, or one that computes in bfloat16.
    """
    # A prediction under way may be putting weights into oneDNN's layout, in place: what is read meanwhile is neither.
    mx.nd.waitall()
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


def largest_difference(net: Any, compute: Callable[[numpy.ndarray], numpy.ndarray], in_channels: int) -> float:
    """Largest difference between what ``compute`` gives and the logits of ``net``, relative to its largest logit.

    Both see the same random images, in two batches of different size, height and width. Raises ExportError if the
    network's own logits are not finite.
    """
    random, worst = numpy.random.RandomState(0), 0.0
    for batch, height, width in CHECKED:
        X = random.randn(batch, in_channels, height, width).astype("float32")
        expected = _logits(net, X)
        if not numpy.isfinite(expected).all():
            raise ExportError(
                f"{net.spec.name}: its logits for random images are not all finite numbers; export a "
                f"network whose training did not diverge"
            )
        difference = abs(compute(X) - expected).max() / (abs(expected).max() or 1)
        worst = float(numpy.maximum(worst, difference))  # keeps a NaN, which max() may drop
    return worst


def _check_difference(net: Any, path: Path, program: str, difference: float) -> None:
    if not difference <= TOLERANCE:
        raise ExportError(
            f"{path}: not written: {program}'s logits differ from the network's by "
            f"{difference:.1e} of the largest, expected at most {TOLERANCE:.0e}; "
            f"please report {net.spec.name}"
        )


def _onnx_logits(path: Path) -> Callable[[numpy.ndarray], numpy.ndarray]:
    """What the model in the file ``path`` computes in onnxruntime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # this thread: more would be bound to processors that mxnet's threads hold
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda X: session.run([onnx_graph.OUTPUT], {onnx_graph.INPUT: X})[0]


def _own_logits(path: Path, spec: ResNetSpec, in_channels: int) -> Callable[[numpy.ndarray], numpy.ndarray]:
    """What the Gluon network of ``spec`` computes with the weights in the file ``path``."""
    net = build(spec)
    set_parameters(net, read_parameters(path, spec, in_channels))
    return lambda X: _logits(net, X)


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


def export_onnx(net: Any, path: FilePath, metadata: Optional[Mapping[str, str]] = None) -> Exported:
    """Write ``net``, made by :func:`gluon_resnet.networks.models.build`, to ``path`` as an ONNX model.

    The file is read back by onnxruntime and appears only if its logits are the network's, up to TOLERANCE. Otherwise,
    or if the network has no values or the file cannot be written, ExportError is raised and no file is left. The
    network keeps its values. ``metadata`` are further entries of the model's metadata.
    """
    check_utf8(path, "onnx", ExportError, "name another file")
    path, params = Path(path), parameters(net)
    _check_precision(net)
    in_channels = input_channels(net.spec, params)
    with _writing(path) as temporary:
        model = onnx_graph.to_onnx(net.spec, params, in_channels, metadata)
        onnx.save(model, str(temporary))
        onnx.checker.check_model(str(temporary), full_check=True)
        difference = largest_difference(net, _onnx_logits(temporary), in_channels)
        _check_difference(net, path, "onnxruntime", difference)
    checked = (
        f"opset {onnx_graph.OPSET}, its logits in ONNX Runtime differ from the network's by {difference:.1e} of the "
        f"largest{_listed(metadata)}"
    )
    return Exported(path, onnx_graph.OPSET, path.stat().st_size, difference, checked)


def _listed(metadata: Optional[Mapping[str, str]]) -> str:
    """The names of an exported file's metadata, for the end of a line."""
    return f"; metadata: {', '.join(metadata)}" if metadata else ""


def export_safetensors(net: Any, path: FilePath, metadata: Optional[Mapping[str, str]] = None) -> Exported:
    """Write the parameters of ``net`` to ``path`` under torchvision's names, all float32, with ``metadata``.

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
        save_file(tensors, str(temporary), metadata={"format": "pt", "gluon_resnet": net.spec.name, **(metadata or {})})
        again = load_file(str(temporary))
        if again.keys() != tensors.keys() or any(again[key].tobytes() != tensors[key].tobytes() for key in tensors):
            raise ExportError(f"{path}: not written: what was read back is not what was written; check the disk")
    return Exported(
        path, None, path.stat().st_size, 0.0, f"torchvision's names, read back bit by bit{_listed(metadata)}"
    )


def export_pth(net: Any, path: FilePath, metadata: Optional[Mapping[str, str]] = None) -> Exported:
    """Write ``net`` to ``path`` as a state dict for torchvision's class of its depth, as ``torch.save`` writes it.

    ResNeXt and wide networks are for their own classes, ResNet-D for timm's. A network that differs from torchvision's
    in biases alone, such as ``resnet18@d2l``, is written so that the class predicts the same: see
    :func:`gluon_resnet.weights.torchvision.as_torchvision`. The file is read back into the Gluon network of
    torchvision's kind and appears only if its logits are those of ``net``, up to TOLERANCE. A state dict has no place
    for ``metadata``, which is left out. Raises ExportError as :func:`export_onnx` does, and for a network that the
    class cannot compute.
    """
    path, params = Path(path), parameters(net)
    _check_precision(net)
    in_channels = input_channels(net.spec, params)
    for name, value in params.items():
        if not numpy.isfinite(value).all():
            raise ExportError(
                f"{net.spec.name}: the numbers of parameter {name} are not all finite; export a network whose "
                f"training did not diverge"
            )
    spec, values = as_torchvision(net.spec, params)
    table = names("torchvision", layout(spec, in_channels))
    with _writing(path) as temporary:
        write_torch(temporary, {key: values[name] for name, (key, _) in table.items()})
        difference = largest_difference(net, _own_logits(temporary, spec, in_channels), in_channels)
        _check_difference(net, path, spec.name, difference)
    checked = (
        f"a state dict of {class_name(spec)}, its logits differ from the network's by {difference:.1e} of the largest"
    )
    return Exported(path, None, path.stat().st_size, difference, checked)


#: suffix -> what writes it
FORMATS: Dict[str, Callable[[Any, FilePath, Optional[Mapping[str, str]]], Exported]] = {
    ".onnx": export_onnx,
    ".safetensors": export_safetensors,
    ".pth": export_pth,
}


def export(net: Any, path: FilePath, metadata: Optional[Mapping[str, str]] = None) -> Exported:
    """Write ``net`` in the format that the suffix of ``path`` names: .onnx, .safetensors or .pth.

    ``metadata`` are texts for the metadata of the first two, such as those of a run's network (runs/network.py).
    :func:`export_onnx`, :func:`export_safetensors` and :func:`export_pth` say what is written and which errors there
    are; another suffix is an ExportError, too.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        *others, last = FORMATS
        raise ExportError(f"{path}: unknown suffix '{suffix}': expected {', '.join(others)} or {last}")
    return FORMATS[suffix](net, path, metadata)
