"""Fine-tuning in one option: what ``train pictures DIR --finetune FILE|NAME`` sets, and anything else can override.

    config = load("resnet18.safetensors", {"data": "bird_photos"})
    config.model, config.weights, config.freeze_stages   # "resnet18@torchvision", "resnet18.safetensors", 3
    load("resnet50:a1", {"data": "bird_photos", "epochs": 10}, settings=["flip=0"])

As in d2l's chapter on fine-tuning, SGD trains for 5 epochs on mirrored images, and the new classifier learns ten times
faster than the rest. What a small data set and a small batch ask for comes in addition: batch norm keeps its
statistics, the stem and the first two stages are not trained, and the rate falls to 0 along a cosine.
"""

import os
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Optional, Union

from ..errors import ConfigError, ModelError, WeightsError, did_you_mean
from ..networks.families import images_of
from ..networks.specs import ModelName, parse_model
from ..training.recipe import HAVE_MOMENTUM
from ..weights import network_of_file
from ..weights.published import IMAGENET, ROWS, find, is_name
from .config import as_settings, make, merged, short
from .kinds import PICTURES, PicturesConfig

USUAL = "resnet50"  # the model that a tag alone is of, as for predict
DEFAULTS: Dict[str, Any] = {
    "new_head": True,
    "optimizer": "sgd",
    "lr": 0.001,
    "momentum": 0.9,
    "schedule": "cosine",
    "head_lr": 10.0,
    "epochs": 5,
    "freeze_norm": True,
    "freeze_stages": 3,
    "crop": True,
    "flip": 0.5,
}
ADAPTIVE = {"lr": 1e-4, "momentum": 0.0}  # for Adam and its kind, if one of them is asked for
SHOWN = ("model", "weights", *DEFAULTS, "image_size", "batch_size")


def load(
    weights: str,
    given: Mapping[str, Any],
    path: Union[str, Path, None] = None,
    settings: Iterable[str] = (),
) -> PicturesConfig:
    """The config of a fine-tuning: the defaults for ``weights``, with what was asked for in their place.

    Args:
        weights: a weight file, or a network with published weights: MODEL[@FAMILY][:TAG], or a tag of ``model``.
        given: as for :func:`gluon_resnet.runs.config.load`, as the two that follow.
        path: a config file.
        settings: "field=value" texts.

    Raises:
        ConfigError: an unknown field, a value of the wrong type, or other weights.
        ModelError: there is no such network.
        WeightsError: the file is none of a network of this suite, or of another one than the model asked for; or
            there are no such published weights.
    """
    asked = merged(PicturesConfig, given, path, settings)
    if "weights" in asked:
        raise ConfigError(
            f"weights is {short(asked['weights'])}: --finetune {weights} names others: leave one of them out"
        )
    chosen = {**DEFAULTS, **network(weights, asked.get("model"))}
    if asked.get("optimizer", "sgd") not in HAVE_MOMENTUM:
        chosen.update(ADAPTIVE)
    family = parse_model(chosen["model"]).family
    chosen["image_size"] = max(32, images_of(family).side)
    return make(PicturesConfig, {**chosen, **asked})


def network(weights: str, model: Optional[str] = None) -> Dict[str, str]:
    """{"model": the network in a file or that a name means, "weights": the file or the name in the form of --weights}.

    Args:
        weights: as for :func:`load`.
        model: the network that it must be, if one was asked for.

    Raises:
        ModelError, WeightsError: as :func:`load`.
    """
    if is_name(weights):
        row = find(weights, model or USUAL)
    elif os.path.isfile(weights):
        return {"model": network_of_file(weights, model, PICTURES.in_channels), "weights": weights}
    else:
        name, tag = _parsed(weights)
        row = find(f"{IMAGENET}:{tag}" if tag else IMAGENET, _meant(weights, name, model))
    assert row is not None  # it is a name
    return {"model": row.model, "weights": f"{IMAGENET}:{row.tag}"}


def _parsed(weights: str) -> List[str]:
    """[MODEL[@FAMILY], TAG or ""] of a network's name; WeightsError if it is none, and so neither name nor file."""
    name, _, tag = weights.partition(":")
    try:
        parse_model(name)
    except ModelError:
        if os.path.isdir(weights):
            raise WeightsError(
                f"{weights}: a folder: expected a file of weights, such as net.params in the folder of a run"
            ) from None
        known = list(dict.fromkeys(row.model for row in ROWS))
        short_names = list(dict.fromkeys(model.partition("@")[0] for model in known))
        raise WeightsError(
            f"{weights}: neither a file nor a network with published weights: "
            f"{did_you_mean(name, [*short_names, *known], 0.6)}expected a file of weights, or "
            f"{', '.join(short_names)}, also with @FAMILY and :TAG (gluon-resnet models)"
        ) from None
    return [name, tag]


def _meant(weights: str, name: str, model: Optional[str]) -> str:
    """The network of ``name`` and the ``model`` asked for, if any, of which one may leave the family to the other.

    Raises WeightsError if they are not the same.
    """
    if model is None:
        return name
    asked, named = ModelName.parse(model), ModelName.parse(name)
    if asked.model != named.model or (asked.family and named.family and asked.family != named.family):
        raise WeightsError(f"{weights}: another network than --model {model}: leave --model out, or name {model}")
    return name if named.family else model


def line(config: PicturesConfig) -> str:
    """What a training that starts from trained weights was given, in one line: names as for --set."""
    chosen = {name: getattr(config, name) for name in SHOWN}
    return f"from trained weights: {', '.join(as_settings(chosen))}"
