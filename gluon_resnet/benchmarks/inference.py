"""Measure predicting with ResNet-50: by hand in NumPy, with this suite's engines, and with its peers.

    gluon-resnet bench inference

As in training.py, every way runs in a process of its own and the processes alternate. All get the same parameters and
the same images, and the logits of the float32 rows must agree before any time is reported. The ways by hand predict one
image at a time. Their nested loops would take minutes to hours, so they run on a small part of one layer only, and the
time of the whole network is extrapolated by multiply-adds.
"""

import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

from ..errors import BackendError
from ..instruments import ONEDNN, SHORT
from ..machine import system
from ..networks.cost import network, operations
from ..networks.layout import layout
from ..networks.specs import ResNetSpec, parse_model
from ..text import count as counted
from . import peers, results, turns
from .peers import Way
from .processes import check_positive, machine, writable_folder, write_results
from .results import Measured

MODEL, SIZE, WARM_UP = "resnet50@torchvision", 224, 3
AGREEMENT = 1e-4  # of the largest logit, in float32; another order of summing gives 1e-6
IMAGES = 32  # written for all; int8 is calibrated on them

#: The rows by hand, for one image: {row: (way of benchmarks/workers/byhand.py, factor on the number of repeats)}
BY_HAND = {
    "NumPy, nested loops": ("loops", 1),
    "NumPy, vectorised": ("vectorised", 0.25),
    "NumPy, im2col": ("im2col", 0.5),
    "NumPy, im2col, folded": ("folded", 1),
}


def multiply_adds(spec: ResNetSpec, size: int, in_channels: int = 3) -> int:
    """Multiply-adds of the convolutions and the classifier for one image of ``size`` x ``size``."""
    return network(spec, in_channels, (size, size)).total("multiply_adds")


def engine_ways(names: Sequence[str] = ONEDNN) -> List[Way]:
    """A row for each of this suite's engines of mxnet; "gluon-resnet" is the one that predicts by default."""
    return [
        Way(
            "gluon-resnet" if name == "gluon" else f"gluon-resnet, {name}",
            "engines.py",
            name,
            name if name in SHORT else "float32",
        )
        for name in names
        if name in ONEDNN  # the one by hand has rows of its own, ONNX Runtime is a peer
    ]


def ways_here(batch_sizes: Sequence[int]) -> List[Way]:
    """All rows; each name ends in ", batch N"."""
    ways = []
    for batch_size in batch_sizes:
        if batch_size == 1:
            ways += [Way(f"{row}, batch 1", "byhand.py", way) for row, (way, _) in BY_HAND.items()]
        for way in (*engine_ways(), *peers.PREDICTING):
            ways.append(Way(f"{way.row}, batch {batch_size}", way.worker, way.way, way.precision, way.peer))
    return ways


def write_inputs(folder: Path, model: str, size: int, count: int) -> Dict[str, Any]:
    """Write parameters, images and the ONNX file of a network with random parameters.

    Args:
        folder: an empty folder.
        model: name of the network.
        size: height and width of an image.
        count: how many images.

    Returns:
        The settings of the workers that predict, without batch_size and repeats.
    """
    from ..byhand import random_params
    from ..weights.onnx_graph import to_onnx

    spec = parse_model(model)
    params = random_params(layout(spec))
    np.savez(folder / "params.npz", **params)
    np.save(folder / "images.npy", np.random.RandomState(0).standard_normal((count, 3, size, size)).astype("float32"))
    (folder / "net.onnx").write_bytes(to_onnx(spec, params).SerializeToString())
    return {
        "task": "predict",
        "model": model,
        "size": size,
        "plan": peers.plan(spec, 3),
        "params": str(folder / "params.npz"),
        "images": str(folder / "images.npy"),
        "onnx": str(folder / "net.onnx"),
        "warm_up": WARM_UP,
        "flops_an_example": operations(multiply_adds(spec, size)),
    }


def settings_of(way: Way, shared: Mapping[str, Any], repeats: int) -> Dict[str, Any]:
    """The settings of a way's worker: the number of repeats is smaller for the slow ways and for batches."""
    row, _, batch_size = way.row.rpartition(", batch ")
    part = BY_HAND[row][1] if row in BY_HAND else 1 if batch_size == "1" else 0.25
    return {**shared, "batch_size": int(batch_size), "repeats": max(1, round(repeats * part))}


def disagreement(measured: Mapping[str, List[Dict[str, Any]]]) -> float:
    """The largest difference between the logits of a float32 row and of the first, relative to the largest logit.

    Raises BackendError if it is above :data:`AGREEMENT`.
    """
    errors = differences(measured)
    first = next(iter(errors))
    for row, error in errors.items():
        if results.precision(measured[row]) == "float32" and not error <= AGREEMENT:
            raise BackendError(
                f"bench inference: logits of '{row}' and '{first}' differ by {error:.1e} of the "
                f"largest: expected at most {AGREEMENT:.0e}; the times would compare different networks"
            )
    return max(error for row, error in errors.items() if results.precision(measured[row]) == "float32")


def differences(measured: Mapping[str, List[Dict[str, Any]]]) -> Dict[str, float]:
    """{row: largest difference between its logits and those of the first row, relative to the largest logit}."""
    logits = {row: np.array(found[0]["logits"]) for row, found in measured.items() if "logits" in found[0]}
    reference = next(iter(logits.values()))
    return {row: float(abs(values - reference).max() / abs(reference).max()) for row, values in logits.items()}


def _part(measured: Measured, bounds: results.Bounds, batch_size: int) -> List[str]:
    """The lines of one batch size."""
    found = turns.group(measured, f", batch {batch_size}")
    table = results.table(found, bounds, "way", milliseconds=batch_size == 1)
    errors = differences(found)
    table.insert(2, "logits differ by", [f"{errors[row]:.0e}" if row in errors else "-" for row in found])
    return [
        f"## Batch size {batch_size}",
        "",
        table.to_markdown(index=False, disable_numparse=True),
        "",
        results.winners(found),
        "",
    ]


def _text(measured: Measured, absent: Mapping[str, str], bounds: results.Bounds, content: Mapping[str, Any]) -> str:
    size = content["size"]
    lines = [
        f"# {content['model']}, 3x{size}x{size}: predicting",
        "",
        f"{machine(content['system'])}; {counted(content['rounds'], 'round')} of "
        f"{counted(content['repeats'], 'prediction')} each (batches "
        f"and vectorised a quarter, im2col half), in turn. The same parameters and images for all; in float32 logits "
        f"agree to {content['disagreement']:.0e} of the largest.",
        "",
    ]
    for batch_size in content["batch_sizes"]:
        lines += _part(measured, bounds, batch_size)
    loops = next((found[0] for found in measured.values() if found[0].get("extrapolated")), None)
    if loops:
        lines += [
            f"\\* extrapolated by multiply-adds: the loops ran on {loops['multiply_adds']:,} of "
            f"{content['multiply_adds']:,}, a part of layer 4.0.conv2.",
            "",
        ]
    return "\n".join([*lines, results.bounds_text(bounds), results.NOTES, *results.absent_text(absent)])


def inference(
    rounds: int,
    repeats: int,
    out: Union[str, Path],
    peers_folder: Union[str, Path] = peers.FOLDER,
    torch_python: Optional[str] = None,
    batch_sizes: Sequence[int] = (1, 32),
    model: str = MODEL,
    size: int = SIZE,
    say: Callable[[str], Any] = print,
) -> str:
    """Run the whole comparison, and write inference.json, inference.md and inference.png.

    Args:
        rounds: how often each way is run.
        repeats: predictions of one image in a run; of batches it is a quarter.
        out: folder of the files.
        peers_folder: has the peers' environments.
        torch_python: path of another Python with PyTorch.
        batch_sizes: images in a batch.
        model: name of the network.
        size: height and width of an image.
        say: takes one line of progress at a time.

    Returns:
        The text of inference.md.

    Raises:
        ConfigError: a number is below 1, or the folder cannot be written.
        BackendError: this suite failed, or logits differ.
        ModelError: a network that the peers' workers cannot build.
    """
    check_positive("bench inference", rounds=rounds, repeats=repeats, batch_size=min(batch_sizes))
    batch_sizes = list(dict.fromkeys(batch_sizes))
    folder = writable_folder(out)
    whole = multiply_adds(parse_model(model), size)
    with tempfile.TemporaryDirectory() as scratch:
        shared = write_inputs(Path(scratch), model, size, max(IMAGES, *batch_sizes))
        measured, absent, bounds = compare(rounds, repeats, shared, batch_sizes, peers_folder, torch_python, say)
    content = {
        "rounds": rounds,
        "repeats": repeats,
        "batch_sizes": batch_sizes,
        "model": model,
        "size": size,
        "multiply_adds": whole,
        "disagreement": disagreement(measured),
        "measured": measured,
        "absent": absent,
        "bounds": bounds,
        "system": system.report(),
    }
    text = _text(measured, absent, bounds, content)
    write_results(folder, "inference", content, text)
    return text


def compare(
    rounds: int,
    repeats: int,
    shared: Mapping[str, Any],
    batch_sizes: Sequence[int],
    peers_folder: Union[str, Path],
    torch_python: Optional[str],
    say: Callable[[str], Any],
) -> Tuple[Measured, Dict[str, str], results.Bounds]:
    """Measure all ways, which take turns; the arguments are those of :func:`inference` and what write_inputs returned.

    Returns ({row: [measurement of each round]}, {row: why it is absent}, {bound: [value of each round]}).
    """
    pythons, missing = peers.pythons(peers_folder, torch_python)
    ways, absent = peers.present(ways_here(batch_sizes), missing)
    measured, failed, bounds = turns.take_turns(
        ways, rounds, lambda way: settings_of(way, shared, repeats), pythons, say
    )
    return measured, {**absent, **failed}, bounds
