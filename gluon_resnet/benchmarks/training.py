"""Measure training speed: this suite, d2l's own loop and the peers take turns, each in processes of its own.

    make bench            (or: gluon-resnet bench train)

The speed of a machine changes over time, so the programs alternate in one run, and ratios are taken round by round.
Every program trains the same network for the same number of batches, and all but d2l's loop, which draws its own, begin
with the same parameters and the same batch: their first losses must agree. The time is taken from the third batch to
the last update, which leaves out the set-up; over a whole epoch that would not matter.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, Union

import numpy as np

from ..errors import BackendError
from ..machine import env, system
from ..networks.layout import layout
from ..networks.specs import parse_model
from ..training import winograd
from ..training.precision import is_native
from . import peers, results, turns
from .inference import multiply_adds
from .peers import Way
from .processes import check_positive, machine, run_worker, writable_folder, write_results
from .results import Measured

MODEL, LR = "resnet18@d2l", 0.05
PASSES = 3  # forward, backward to the data, backward to the weights: as many multiplications each
#: by precision, how far the loss of the first batch may be from that of the first row, as a share of it
AGREEMENT = {"float32": 1e-3, "bfloat16": 0.05}


def ways_here() -> List[Way]:
    """The rows that this suite and d2l have on this machine; the others are compared with the first."""
    ways = [Way("gluon-resnet", "ours.py", "float32"), Way("d2l 1.0.3 train_ch6", "d2l_own.py", "")]
    if winograd.unsuitable() is None:
        ways.append(Way("gluon-resnet, direct convolutions", "ours.py", "direct"))
    if is_native():
        ways.append(Way("gluon-resnet, bfloat16", "ours.py", "bfloat16", "bfloat16"))
    return ways


def write_inputs(folder: Path, batch_size: int, size: int, batches: int) -> Dict[str, Any]:
    """Write the parameters and the first batch that all programs begin with into ``folder``.

    Args:
        folder: an empty folder.
        batch_size: images in a batch.
        size: height and width of an image.
        batches: batches in a run.

    Returns:
        The settings of the workers that train.

    Raises:
        DataError: there is no Fashion-MNIST.
    """
    from ..byhand import random_params
    from ..data.batches import ArrayBatches
    from ..data.fashion_mnist import load_arrays

    plan = layout(parse_model(MODEL), 1)
    (images, labels), _, _ = load_arrays()
    X, y = ArrayBatches(images[:batch_size], labels[:batch_size], batch_size, size).batch(np.arange(batch_size))
    np.savez(folder / "params.npz", **random_params(plan))
    np.save(folder / "images.npy", X)
    np.save(folder / "labels.npy", y)
    return {
        "task": "train",
        "model": MODEL,
        "plan": peers.plan(plan.spec, 1),
        **{name: str(folder / f"{name}.npy") for name in ("images", "labels")},
        "params": str(folder / "params.npz"),
        "lr": LR,
        "batches": batches,
        "batch_size": batch_size,
        "size": size,
        "flops_an_example": 2 * PASSES * multiply_adds(plan.spec, size, 1),
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
    ways, absent = peers.present([*ways_here(), *peers.TRAINING], missing)
    measured, failed, bounds = turns.take_turns(ways, rounds, lambda way: settings, pythons, say)
    return measured, {**absent, **failed}, bounds


def _text(
    measured: Measured, absent: Mapping[str, str], bounds: results.Bounds, content: Mapping[str, Any]
) -> List[str]:
    size, batch_size, memory = content["size"], content["batch_size"], content["memory"]
    return [
        f"# ResNet-18, 1x{size}x{size}, batch size {batch_size}: training speed",
        "",
        f"{machine(content['system'])}; {content['rounds']} rounds of {content['batches']} batches each, in turn. All "
        f"begin with the same parameters and the same batch of Fashion-MNIST (their first losses agree to "
        f"{content['disagreement']:.0e} in float32) but d2l's loop, which draws its own. gluon-resnet goes on to other "
        f"batches, which it resizes meanwhile, d2l finds its batches ready, and the others train on the first batch.",
        "",
        results.table(measured, bounds, "trainer").to_markdown(index=False, disable_numparse=True),
        "",
        results.winners(measured),
        "",
        results.bounds_text(bounds),
        results.NOTES,
        *results.absent_text(absent),
        "",
        f"A training run with all 70,000 pictures in memory ({memory['examples']:,} trained on, all 10,000 "
        f"tested): peak resident memory {memory['peak_memory_bytes'] / 2**30:.2f} GiB.",
    ]


def train(
    rounds: int,
    batches: int,
    batch_size: int,
    size: int,
    out: Union[str, Path],
    peers_folder: Union[str, Path] = peers.FOLDER,
    torch_python: Optional[str] = None,
    say: Callable[[str], Any] = print,
) -> str:
    """Run the whole benchmark, and write train.json, train.md and train.png.

    Args:
        rounds: how often each program is run.
        batches: batches in a run.
        batch_size: images in a batch.
        size: height and width of an image.
        out: folder of the files.
        peers_folder: has the peers' environments.
        torch_python: path of another Python with PyTorch.
        say: takes one line of progress at a time.

    Returns:
        The text of train.md.

    Raises:
        ConfigError: a number is below 1, or the folder cannot be written.
        BackendError: this suite failed, or first losses differ.
        DataError: there is no Fashion-MNIST.
    """
    check_positive("bench train", rounds=rounds, batches=batches, batch_size=batch_size, size=size)
    folder = writable_folder(out)
    pythons, missing = peers.pythons(peers_folder, torch_python)
    with tempfile.TemporaryDirectory() as scratch:
        settings = write_inputs(Path(scratch), batch_size, size, batches)
        measured, absent, bounds = compare(rounds, settings, pythons, missing, say)
    agreement = disagreement(measured)
    say("a training run with all of Fashion-MNIST in memory ...")
    sizes = {"batches": batches, "batch_size": batch_size, "size": size}
    content = {
        "rounds": rounds,
        **sizes,
        "disagreement": agreement,
        "measured": measured,
        "absent": absent,
        "bounds": bounds,
        "memory": run_worker(sys.executable, "all_images.py", sizes, env.without_prepared_variables()),
        "system": system.report(),
    }
    text = "\n".join(_text(measured, absent, bounds, content))
    write_results(folder, "train", content, text)
    return text
