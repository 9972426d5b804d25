"""Measure training speed: this suite, d2l's own loop and the peers take turns, each in processes of its own.

    make bench            (or: gluon-resnet bench train)
    gluon-resnet bench train --model resnet50@torchvision --size 224 --batch-size 16

The speed of a machine changes over time, so the programs alternate in one run, and ratios are taken round by round.
Every program trains the same network for the same number of batches, and all but d2l's loop, which draws its own, begin
with the same parameters and the same batch: their first losses must agree. The time is taken from the third batch to
the last update, which leaves out the set-up; over a whole epoch that would not matter.

ResNet-18 of d2l trains on Fashion-MNIST. Other networks train on random images: the time does not depend on what they
show, and nothing has to be fetched.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, Union

import numpy as np

from ..errors import BackendError
from ..machine import env, system
from ..networks.cost import training_operations
from ..networks.layout import layout
from ..networks.specs import ResNetSpec, parse_model
from ..text import count
from ..training import winograd
from ..training.precision import is_native
from . import peers, results, turns
from .peers import Way
from .processes import check_positive, machine, run_worker, writable_folder, write_results
from .results import Measured

MODEL, LR = "resnet18@d2l", 0.05
#: by precision, how far the loss of the first batch may be from that of the first row, as a share of it
AGREEMENT = {"float32": 1e-3, "bfloat16": 0.05}


def is_the_books(model: str) -> bool:
    """Whether ``model`` is d2l's own ResNet-18, the only network that d2l's loop trains here."""
    return parse_model(model) == parse_model(MODEL)


def ways_here(model: str = MODEL) -> List[Way]:
    """The rows that this suite and d2l have on this machine; the others are compared with the first."""
    ways = [Way("gluon-resnet", "ours.py", "float32")]
    if is_the_books(model):
        ways.append(Way("d2l 1.0.3 train_ch6", "d2l_own.py", ""))
    if winograd.unsuitable() is None:
        ways.append(Way("gluon-resnet, direct convolutions", "ours.py", "direct"))
    if is_native():
        ways.append(Way("gluon-resnet, bfloat16", "ours.py", "bfloat16", "bfloat16"))
    return ways


def name_of(model: str) -> str:
    """The benchmark's name in files and documents: "train", or "train NAME" for another network than d2l's."""
    return "train" if is_the_books(model) else f"train {model}"


def _first_batch(spec: ResNetSpec, batch_size: int, size: int) -> Tuple[np.ndarray, np.ndarray, int]:
    """Images uint8 (batch_size, H, W) or (batch_size, size, size, 3), their labels, and the number of channels."""
    from ..data.fashion_mnist import load_arrays

    if is_the_books(spec.name):
        (images, labels), _, _ = load_arrays()
        return images[:batch_size], labels[:batch_size], 1
    random = np.random.RandomState(0)
    images = random.randint(0, 256, (batch_size, size, size, 3)).astype(np.uint8)
    return images, random.randint(0, spec.num_classes, batch_size), 3


def write_inputs(folder: Path, batch_size: int, size: int, batches: int, model: str = MODEL) -> Dict[str, Any]:
    """Write the parameters and the first batch that all programs begin with into ``folder``.

    Args:
        folder: an empty folder.
        batch_size: images in a batch.
        size: height and width of an image.
        batches: batches in a run.
        model: name of the network.

    Returns:
        The settings of the workers that train.

    Raises:
        DataError: there is no Fashion-MNIST.
        ModelError: the network is unknown, or none that the peers' workers can build.
    """
    from ..byhand import random_params
    from ..data.batches import ArrayBatches

    spec = parse_model(model)
    images, labels, channels = _first_batch(spec, batch_size, size)
    X, y = ArrayBatches(images, labels, batch_size, size).batch(np.arange(batch_size))
    np.savez(folder / "params.npz", **random_params(layout(spec, channels)))
    np.savez(folder / "uint8.npz", images=images, labels=labels)
    np.save(folder / "images.npy", X)
    np.save(folder / "labels.npy", y)
    return {
        "task": "train",
        "model": spec.name,
        "plan": peers.plan(spec, channels),
        **{name: str(folder / f"{name}.npy") for name in ("images", "labels")},
        "params": str(folder / "params.npz"),
        "uint8": None if is_the_books(model) else str(folder / "uint8.npz"),
        "lr": LR,
        "batches": batches,
        "batch_size": batch_size,
        "size": size,
        "flops_an_example": training_operations(spec, channels, {(size, size): 1}),
    }


def disagreement(measured: Mapping[str, List[Dict[str, Any]]]) -> float:
    """The largest difference between the first loss of a float32 row and of the first row, as a share of it.

    Raises BackendError if a row's is above :data:`AGREEMENT`.
    """
    losses = {row: found[0]["first_loss"] for row, found in measured.items() if "first_loss" in found[0]}
    worst, first = 0.0, next(iter(losses), "")
    for row, loss in losses.items():
        error = abs(loss - losses[first]) / abs(losses[first])
        kind = results.precision(measured[row])
        if not error <= AGREEMENT[kind]:
            raise BackendError(
                f"bench train: the first loss of '{row}' is {loss:.6g} and that of '{first}' {losses[first]:.6g}: "
                f"expected a difference of at most {AGREEMENT[kind]:.0e} of it; the rates would compare different "
                f"networks"
            )
        worst = max(worst, error if kind == "float32" else 0.0)
    return worst


def compare(
    rounds: int,
    settings: Mapping[str, Any],
    pythons: Mapping[Optional[str], str],
    missing: Mapping[str, str],
    say: Callable[[str], Any] = print,
) -> Tuple[Measured, Dict[str, str], results.Bounds]:
    """Measure all programs, which take turns.

    Args:
        rounds: how often each is run.
        settings: what :func:`write_inputs` returned.
        pythons: {peer: path of its Python}.
        missing: {peer: why it is absent}.
        say: takes one line of progress at a time.

    Returns:
        ({row: [measurement of each round]}, {row: why it is absent}, {bound: [value of each round]}).
    """
    ways, absent = peers.present([*ways_here(settings["model"]), *peers.TRAINING], missing)
    measured, failed, bounds = turns.take_turns(ways, rounds, lambda way: settings, pythons, say)
    return measured, {**absent, **failed}, bounds


def _text(
    measured: Measured, absent: Mapping[str, str], bounds: results.Bounds, content: Mapping[str, Any]
) -> List[str]:
    size, batch_size, memory = content["size"], content["batch_size"], content["memory"]
    data = "the same batch of random images (their first losses agree to {:.0e} in float32), and go on training on it."
    if memory:
        data = (
            "the same batch of Fashion-MNIST (their first losses agree to {:.0e} in float32) but d2l's loop, which "
            "draws its own. gluon-resnet goes on to other batches, which it resizes meanwhile, d2l finds its batches "
            "ready, and the others train on the first batch."
        )
    lines = [
        f"# {content['title']}, {content['channels']}x{size}x{size}, batch size {batch_size}: training speed",
        "",
        f"{machine(content['system'])}; {count(content['rounds'], 'round')} of "
        f"{count(content['batches'], 'batch')} each, in turn. All "
        f"begin with the same parameters and {data.format(content['disagreement'])}",
        "",
        results.table(measured, bounds, "trainer").to_markdown(index=False, disable_numparse=True),
        "",
        results.winners(measured),
        "",
        results.bounds_text(bounds),
        results.NOTES,
        *results.absent_text(absent),
    ]
    if memory:
        lines += [
            "",
            f"A training run with all 70,000 pictures in memory ({memory['examples']:,} trained on, all 10,000 "
            f"tested): peak resident memory {memory['peak_memory_bytes'] / 2**30:.2f} GiB.",
        ]
    return lines


def train(
    rounds: int,
    batches: int,
    batch_size: int,
    size: int,
    out: Union[str, Path],
    peers_folder: Union[str, Path] = peers.FOLDER,
    torch_python: Optional[str] = None,
    model: str = MODEL,
    say: Callable[[str], Any] = print,
) -> str:
    """Run the whole benchmark, and write train.json, train.md and train.png, or those of :func:`name_of`.

    Args:
        rounds: how often each program is run.
        batches: batches in a run.
        batch_size: images in a batch.
        size: height and width of an image.
        out: folder of the files.
        peers_folder: has the peers' environments.
        torch_python: path of another Python with PyTorch.
        model: name of the network.
        say: takes one line of progress at a time.

    Returns:
        The text of the .md file.

    Raises:
        ConfigError: a number is below 1, or the folder cannot be written.
        BackendError: this suite failed, or first losses differ.
        DataError: there is no Fashion-MNIST.
        ModelError: the network is unknown, or none that the peers' workers can build.
    """
    check_positive("bench train", rounds=rounds, batches=batches, batch_size=batch_size, size=size)
    folder = writable_folder(out)
    pythons, missing = peers.pythons(peers_folder, torch_python)
    with tempfile.TemporaryDirectory() as scratch:
        settings = write_inputs(Path(scratch), batch_size, size, batches, model)
        measured, absent, bounds = compare(rounds, settings, pythons, missing, say)
    agreement = disagreement(measured)
    sizes = {"batches": batches, "batch_size": batch_size, "size": size}
    memory = None
    if is_the_books(model):
        say("a training run with all of Fashion-MNIST in memory ...")
        memory = run_worker(sys.executable, "all_images.py", sizes, env.without_prepared_variables())
    content = {
        "rounds": rounds,
        "title": "ResNet-18" if memory else parse_model(model).name,
        "channels": 1 if memory else 3,
        **sizes,
        "disagreement": agreement,
        "measured": measured,
        "absent": absent,
        "bounds": bounds,
        "memory": memory,
        "system": system.report(),
    }
    text = "\n".join(_text(measured, absent, bounds, content))
    write_results(folder, name_of(model), content, text)
    return text
