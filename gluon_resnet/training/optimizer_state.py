"""The state of a gluon.Trainer's optimizer as plain arrays, and back.

    arrays, counts = optimizer_arrays(trainer, names)
    restore_optimizer(fresh_trainer, names, arrays, counts)

Nothing is broadcast, converted or left out on the way back: a state of another optimizer or network is refused.
"""

from typing import Any, Dict, Iterable, List, Mapping, Tuple

import numpy

from ..errors import RunError
from .checkpoint_files import Arrays

ANOTHER = "another network, or other settings than it was made with: put them back, or train a new run"


def _as_arrays(state: Any) -> List[numpy.ndarray]:
    """A parameter's optimizer state, an array, a tuple of them or None, as a list of NumPy arrays."""
    if state is None:
        return []
    return [part.asnumpy() for part in (state if isinstance(state, (tuple, list)) else (state,))]


def optimizer_arrays(trainer: Any, names: Mapping[str, str]) -> Tuple[Arrays, Dict[str, Any]]:
    """The state of a gluon.Trainer's optimizer: {"optimizer/<parameter>/<i>": array}, and its counts of updates.

    ``names`` maps the parameters' own names to the layout's.
    """
    states, optimizer = trainer._updaters[0].states, trainer._optimizer
    arrays: Arrays = {}
    counts: Dict[str, int] = {}
    for index, param in enumerate(trainer._params):
        name = names[param.name]
        for i, values in enumerate(_as_arrays(states.get(index))):
            arrays[f"optimizer/{name}/{i}"] = values
        counts[name] = optimizer._index_update_count.get(index, 0)
    return arrays, {"updates": optimizer.num_update, "by_parameter": counts}


def fitting(arrays: Arrays, name: str, shape: Tuple[int, ...], dtype: Any) -> numpy.ndarray:
    """The array ``name``; RunError unless it has this shape and dtype: nothing is broadcast or converted."""
    values, dtype = arrays[name], numpy.dtype(dtype)
    if values.shape != tuple(shape) or values.dtype != dtype:
        raise RunError(
            f"the checkpoint's {name} is {values.dtype} {values.shape}: expected {dtype} {tuple(shape)}; it is of "
            f"{ANOTHER}"
        )
    return values


def check_names(found: Iterable[str], expected: Iterable[str], what: str) -> None:
    """Raise RunError unless the checkpoint has just the ``expected`` names."""
    different = sorted(set(found) ^ set(expected))
    if different:
        where = "the checkpoint alone" if different[0] in found else "the training alone"
        raise RunError(
            f"the checkpoint's {what} are not those of this training, such as {different[0]}, which {where} has: it "
            f"is of {ANOTHER}"
        )


def restore_optimizer(trainer: Any, names: Mapping[str, str], arrays: Arrays, counts: Dict[str, Any]) -> None:
    """Put the state from :func:`optimizer_arrays` into a fresh trainer over the same parameters.

    Args:
        trainer: a gluon.Trainer that has made no step yet.
        names: the layout's names by the parameters' own.
        arrays: the optimizer's arrays; others among them are ignored.
        counts: the numbers of updates.

    Raises:
        RunError: they are the state of another optimizer, or of other parameters.
    """
    updater, optimizer = trainer._updaters[0], trainer._optimizer
    states = [optimizer.create_state_multi_precision(i, param.data()) for i, param in enumerate(trainer._params)]
    ours = [names[param.name] for param in trainer._params]
    parts = {
        f"optimizer/{name}/{i}": part
        for name, state in zip(ours, states)
        for i, part in enumerate([] if state is None else state if isinstance(state, (tuple, list)) else [state])
    }
    check_names([name for name in arrays if name.startswith("optimizer/")], parts, "states of the optimizer")
    check_names(counts["by_parameter"], ours, "counts of updates")
    for name, part in parts.items():
        part[:] = fitting(arrays, name, part.shape, part.dtype)
    for index, (name, state) in enumerate(zip(ours, states)):
        updater.states[index], updater.states_synced[index] = state, True
        if counts["by_parameter"][name]:
            optimizer._index_update_count[index] = counts["by_parameter"][name]
    optimizer.num_update = counts["updates"]
