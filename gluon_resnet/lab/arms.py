"""The configs that the arms of an experiment are run with: with the paths of data and weights, and a hold-out.

with_hold_out(experiment, with_sources(experiment, data="bird_photos"), 5000)
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Union

from ..data.fashion_mnist import load_arrays
from ..errors import ConfigError, DataError
from ..runs.fashion_mnist import split
from ..weights.published import is_name
from .experiment import Experiment


def _source(given: Optional[Union[str, Path]], named: str, what: str, option: str) -> str:
    """Path of a folder or file: ``given``, if not None, or ``named`` here or in GLUON_RESNET_REAL_DATA.

    Raises DataError, which says ``what`` is missing and which ``option`` names it.
    """
    if given:
        if not Path(given).exists():
            raise DataError(f"{option} {given}: no such {what}")
        return str(given)
    real = os.environ.get("GLUON_RESNET_REAL_DATA")
    places = [Path(named)] + ([Path(real) / named, Path(real) / "weights" / named] if real else [])
    for place in places:
        if place.exists():
            return str(place)
    raise DataError(
        f"no {named} in {', '.join(str(place.parent) for place in places)}: expected the {what} of this "
        f"experiment; name it with {option}, or set GLUON_RESNET_REAL_DATA to the folder that holds it"
    )


def _weights(given: Optional[str], named: str) -> str:
    """Path of a file of weights, or a name of published ones: ``given``, in the folder ``given``, or ``named``."""
    if is_name(given or named):
        return given or named
    path = str(Path(given, named)) if given and Path(given).is_dir() else given
    return _source(path, named, "file of weights", "--weights")


def with_sources(experiment: Experiment, data: Optional[str] = None, weights: Optional[str] = None) -> Dict[str, Any]:
    """{arm: config} of an experiment, with the paths of its data and weights.

    ``data`` and ``weights`` are those of a :class:`Request`. Raises DataError, which names what is missing, and
    ConfigError if the experiment needs no weights.
    """
    configs = {}
    for arm, config in experiment.configs.items():
        if experiment.settings.kind == "pictures":
            config = replace(config, data=_source(data, config.data, "folder of pictures", "--data"))
        elif data:
            config = replace(config, data=str(data))
        if config.weights:
            config = replace(config, weights=_weights(weights, config.weights))
        configs[arm] = config
    if weights and not any(config.weights for config in configs.values()):
        raise ConfigError(f"--weights {weights}: {experiment.name} starts from no weights; leave it out")
    return configs


def with_hold_out(experiment: Experiment, configs: Mapping[str, Any], hold_out: Optional[int]) -> Dict[str, Any]:
    """``configs``, {arm: config}, tested on so many training images, or on the test part if ``hold_out`` is 0.

    Args:
        experiment: the experiment.
        configs: its configs.
        hold_out: what was asked for; the configs' own number if None.

    Raises:
        ConfigError: the experiment is not on Fashion-MNIST, or so many images cannot be held out.
        DataError: Fashion-MNIST is not there.
    """
    if hold_out is not None and experiment.settings.kind != "fashion-mnist":
        raise ConfigError(
            f"--hold-out: {experiment.name} is of the kind {experiment.settings.kind}: expected fashion-mnist; on "
            f"pictures of your own, the validation part is held out"
        )
    if hold_out is not None:
        configs = {arm: replace(config, hold_out=hold_out) for arm, config in configs.items()}
    first = next(iter(configs.values()))  # all arms hold out the same
    if getattr(first, "hold_out", 0):  # refused now, before anything is written
        (_, labels), _, _ = load_arrays(first.data, first.verify)
        split(first, labels)
    return dict(configs)


def name_of(experiment: Experiment, asked: Optional[int]) -> str:
    """The name of the results and of the folder of the runs, if so many images were ``asked`` to be held out."""
    own = {getattr(config, "hold_out", 0) for config in experiment.configs.values()}
    if asked is None or own == {asked}:
        return experiment.name
    return f"{experiment.name}-holdout{asked}" if asked else f"{experiment.name}-test"
