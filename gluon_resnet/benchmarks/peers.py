"""The programs that a benchmark measures: this suite's and its peers, each peer in an environment of its own.

`make bench` makes an environment for each part of requirements-bench.txt: .venv-bench/torch, .venv-bench/openvino and
so on. What is not there is left out, and the results say so.
"""

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

from ..errors import ModelError
from ..networks.layout import Dense, layout
from ..networks.specs import ResNetSpec

FOLDER = ".venv-bench"

#: {folder of the environment: the program in it}
PEERS = {
    "torch": "PyTorch",
    "tensorflow": "TensorFlow",
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
}


@dataclass(frozen=True)
class Way:
    """One row of a benchmark.

    ``worker`` is a script of workers/, which is told ``way``; ``peer`` names its environment, None is this Python's.
    """

    row: str
    worker: str
    way: str
    precision: str = "float32"
    peer: Optional[str] = None


def _torch(ways: Mapping[str, str]) -> Tuple[Way, ...]:
    return tuple(Way(f"PyTorch {way}", "pytorch.py", way, precision, "torch") for way, precision in ways.items())


def _tensorflow() -> Tuple[Way, ...]:
    return (
        Way("TensorFlow", "keras_net.py", "float32", peer="tensorflow"),
        Way("TensorFlow bfloat16", "keras_net.py", "bfloat16", "bfloat16", "tensorflow"),
    )


#: Each peer in every public setting that may be its best; a way's name is the setting.
TRAINING = (
    *_torch(
        {
            "eager": "float32",
            "channels_last": "float32",
            "compile": "float32",
            "channels_last compile": "float32",
            "channels_last bfloat16": "bfloat16",
            "channels_last compile bfloat16": "bfloat16",
        }
    ),
    *_tensorflow(),
)
PREDICTING = (
    *_torch(
        {
            "eager": "float32",
            "channels_last": "float32",
            "channels_last compile freezing": "float32",
            "channels_last compile freezing bfloat16": "bfloat16",
        }
    ),
    *_tensorflow(),
    Way("ONNX Runtime", "onnx_runtime.py", "float32", peer="onnxruntime"),
    Way("OpenVINO", "open_vino.py", "float32", peer="openvino"),
    Way("OpenVINO bfloat16", "open_vino.py", "bfloat16", "bfloat16", "openvino"),
    Way("OpenVINO int8", "open_vino.py", "int8", "int8", "openvino"),
)


def pythons(
    folder: Union[str, Path] = FOLDER, torch_python: Optional[str] = None
) -> Tuple[Dict[Optional[str], str], Dict[str, str]]:
    """The Python of each environment.

    Args:
        folder: has an environment for each of :data:`PEERS`.
        torch_python: path of another Python that has PyTorch.

    Returns:
        ({peer: path of its Python}, {peer: why it is absent}); the peer None is this suite.
    """
    found: Dict[Optional[str], str] = {None: sys.executable}
    absent: Dict[str, str] = {}
    for peer in PEERS:
        python = Path(folder, peer, "bin", "python")
        if peer == "torch" and torch_python:
            found[peer] = torch_python
        elif python.is_file():
            found[peer] = str(python.absolute())  # not resolved: a link's own folder tells Python its environment
        else:
            absent[peer] = f"no {python}; make bench installs it"
    return found, absent


def present(ways: Sequence[Way], absent: Mapping[str, str]) -> Tuple[List[Way], Dict[str, str]]:
    """(the ways whose environment is there, {name of a program whose environment is not: why})."""
    missing = {way.peer for way in ways if way.peer in absent}
    there = [way for way in ways if way.peer not in missing]
    return there, {name: absent[peer] for peer, name in PEERS.items() if peer in missing}


def plan(spec: ResNetSpec, in_channels: int) -> Dict[str, Any]:
    """The layers of a network as plain values, for peers that build it themselves; layers have our names.

    Raises ModelError for a network with other blocks than convolutions, batch norms and projections.
    """
    described = layout(spec, in_channels)
    blocks = [block for stage in described.stages for block in stage]
    if (
        described.input_norm is not None
        or described.final_norm is not None
        or described.stem[0][1] is None
        or len(described.stem) > 1
        or spec.groups > 1
        or not isinstance(described.classifier, Dense)
        or spec.head != "dense"
        or any(block.preactivation or block.pad or not block.adds for block in blocks)
    ):
        raise ModelError(
            f"{spec.name}: the peers' workers build post-activation networks with projections only, such as "
            f"resnet50@torchvision or resnet18@d2l"
        )
    content = asdict(described)
    del content["spec"]
    (content["stem"],) = content["stem"]
    return content
