"""Files of networks for the engine int8: the float weights and the calibration, in one .int8 file.

    write("resnet50.int8", QuantizedFile(spec, params, calibration, preparation))
    read("resnet50.int8").calibration.ranges

mxnet's quantized weights belong to one processor and one build of oneDNN, so they are not kept: they are made again
when the file is read, which takes less than a second. The file is a safetensors file, so it can be read without running
anything; its metadata hold the rest as JSON, a format number, and a SHA-256 of all of it.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, Mapping, Union

import numpy
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ..data.images import Preparation
from ..errors import ModelError, WeightsError
from ..files import writing
from ..networks.layout import input_channels, layout
from ..networks.specs import ResNetSpec, parse_model
from .engines import Arrays
from .quantized import Calibration

SUFFIX = ".int8"
FORMAT = "gluon-resnet int8 2026-11"  # another one when what is in the file, or what it means, changes
AGAIN = "write it again with gluon-resnet quantize"


@dataclass(frozen=True)
class QuantizedFile:
    """What is in a file: a network, its calibration, and how its images are prepared."""

    spec: ResNetSpec
    params: Arrays
    calibration: Calibration
    preparation: Preparation


def check_spec(spec: ResNetSpec) -> None:
    """Raise ModelError unless a file can hold a network of ``spec``: its name must say all about it."""
    try:
        known = parse_model(spec.name, spec.num_classes) == spec
    except ModelError:
        known = False
    if not known:
        raise ModelError(
            f"{spec.name}: a network that is not in the table: a .int8 file can hold those that gluon-resnet models or "
            f"docs/networks.md name"
        )


def _digest(tensors: Mapping[str, numpy.ndarray], facts: str) -> str:
    """SHA-256 of the parameters, by name, and of the JSON text ``facts``."""
    digest = hashlib.sha256(facts.encode())
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].shape}".encode())
        digest.update(numpy.ascontiguousarray(tensors[name]).tobytes())
    return digest.hexdigest()


def write(path: Union[str, Path], content: QuantizedFile) -> None:
    """Write ``content`` to ``path``, whole or not at all.

    Raises ModelError for a network outside the table, RunError if the file cannot be written.
    """
    check_spec(content.spec)
    facts = json.dumps(
        {
            "model": content.spec.name,
            "num_classes": content.spec.num_classes,
            "preparation": asdict(content.preparation),
            "calibration": asdict(content.calibration),
        }
    )
    tensors = {name: numpy.ascontiguousarray(values) for name, values in content.params.items()}
    metadata = {"format": FORMAT, "facts": facts, "sha256": _digest(tensors, facts)}
    with writing(path, "name a file in a folder that exists and may be written") as temporary:
        save_file(tensors, str(temporary), metadata=metadata)


def read(path: Union[str, Path]) -> QuantizedFile:
    """What is in the .int8 file ``path``; WeightsError if it is missing, damaged or of another format."""
    if not Path(path).is_file():
        raise WeightsError(f"{path}: no such file: expected one of gluon-resnet quantize")
    try:
        with safe_open(str(path), framework="numpy") as file:
            metadata: Dict[str, str] = file.metadata() or {}
            names = file.keys()
            tensors = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{path}: damaged, or no file of gluon-resnet quantize ({error}): {AGAIN}") from None
    if metadata.get("format") != FORMAT:
        found = metadata.get("format", "none")
        raise WeightsError(
            f"{path}: of another version of this suite: expected the format {FORMAT}, found {found}: {AGAIN}"
        )
    facts = metadata.get("facts", "")
    if metadata.get("sha256") != _digest(tensors, facts):
        raise WeightsError(f"{path}: damaged: its SHA-256 is not that of what is in it: {AGAIN}")
    return _checked(path, json.loads(facts), tensors)


def _checked(path: Union[str, Path], facts: Dict[str, Any], params: Arrays) -> QuantizedFile:
    try:
        spec = parse_model(facts["model"], facts["num_classes"])
    except ModelError as error:
        raise WeightsError(f"{path}: of another version of this suite ({error}): {AGAIN}") from None
    expected = layout(spec, input_channels(spec, params)).params()
    if expected != {name: values.shape for name, values in params.items()}:
        raise WeightsError(f"{path}: its parameters are not those of {spec.name}: {AGAIN}")
    written, prepared = facts["calibration"], facts["preparation"]
    ranges = {name: (low, high) for name, (low, high) in written["ranges"].items()}
    calibration = Calibration(ranges, written["mode"], written["images"], tuple(written["size"]))
    fields: Dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in prepared.items()
    }
    return QuantizedFile(spec, params, calibration, Preparation(**fields))
