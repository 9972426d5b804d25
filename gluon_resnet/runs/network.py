"""The network of a finished run: spec, parameters, class names, and how its images are prepared.

    run = network_of_run("runs/20261122-030010-resnet18@torchvision-bird_photos")
    engine = make_engine("gluon", run.spec, run.params)
    views, X = predict.look(["bird.jpg"], run.preparation, run.in_channels)

``run.preparation`` treats a file exactly as the images in the run's own test batches.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Tuple, Union

import numpy

from ..data.images import Preparation
from ..errors import ConfigError, RunError, WeightsError
from ..networks.layout import input_channels
from ..networks.specs import ResNetSpec
from ..text import printable
from ..weights import read_parameters
from .config import RunConfig, resolved, written_config
from .folder import RunFolder, no_run_folder
from .kinds import Kind, kind_of_run


@dataclass(frozen=True)
class RunNetwork:
    """The network that a run trained."""

    path: Path
    kind: Kind
    config: RunConfig
    data: str  # where its images were
    spec: ResNetSpec
    params: Dict[str, numpy.ndarray]  # float32, by our names
    class_names: Tuple[str, ...]
    image_size: int  # side of its images in pixels
    preparation: Preparation
    crop: bool  # images are cut out of the middle instead of squeezed

    @property
    def in_channels(self) -> int:
        """Channels of an image: 1 for Fashion-MNIST, otherwise 3."""
        return input_channels(self.spec, self.params)

    @property
    def metadata(self) -> Dict[str, str]:
        """What another program must know to use the network, for an exported file; all but ``channels`` is JSON.

        An image is resized so that its shorter side is ``resize``, and its middle cut out; if that is null, the whole
        image is squeezed. Then a pixel's level from 0 to 255 becomes (level * scale - mean) / std, by channel.
        """
        images, channels = self.preparation, self.in_channels
        # as data/pixels.py takes them: one number for all channels, or for grey images the mean over them
        mean, std = (
            [sum(numbers) / len(numbers)] if channels == 1 else list(numbers) * (channels // len(numbers))
            for numbers in (images.mean, images.std)
        )
        return {
            "class_names": json.dumps([printable(name) for name in self.class_names], ensure_ascii=False),
            "image_size": str(images.crop),
            "resize": json.dumps(images.resize),
            "channels": "grey" if channels == 1 else "BGR" if images.bgr else "RGB",
            "scale": repr(images.scale),
            "mean": json.dumps(mean),
            "std": json.dumps(std),
        }


def read_config(path: Union[str, Path]) -> Tuple[Kind, RunConfig, Dict[str, Any]]:
    """(kind, config, content of config.json) of the run folder at ``path``; RunError if it cannot be read."""
    folder = RunFolder.reopen(path)
    kind = kind_of_run(folder.config, path)
    try:
        return kind, written_config(kind.config, folder), folder.config
    except ConfigError as error:
        raise RunError(f"{error}; the run is of another version of this suite") from None


def spec_of_run(written: Dict[str, Any], path: Union[str, Path]) -> ResNetSpec:
    """The ResNetSpec in the content of a run's config.json; RunError if this version does not know it."""
    try:
        fields: Dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in written["network"].items()
        }
        spec = ResNetSpec(**fields)
        if not spec.name:  # raises KeyError for a family that this version does not have
            raise KeyError("name")
        return spec
    except (KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{path}/config.json: no network that this version knows ({error})") from None


def _parameters_path(path: Union[str, Path], best: bool) -> Path:
    name = "best.params" if best else "net.params"
    file = Path(path) / name
    if file.is_file():
        return file
    if best:
        raise RunError(
            f"{file}: no such file: the run kept no best parameters; train with --set keep_best=true, or "
            f"leave --best out"
        )
    raise RunError(
        f"{file}: no such file: the run is not finished, diverged or was ended; if it has a checkpoint, go on with "
        f"--resume {path}"
    )


def network_of_run(path: Union[str, Path], best: bool = False) -> RunNetwork:
    """The :class:`RunNetwork` of the run folder at ``path``; ``best`` takes the parameters of the best epoch.

    Raises RunError if the run or its parameters are missing or its number of class names is not the network's, and
    WeightsError for damaged parameters or those of another network.
    """
    if not Path(path).is_dir():
        raise no_run_folder(path)
    kind, config, written = read_config(path)
    spec = spec_of_run(written, path)
    class_names = kind.class_names(written)
    if len(class_names) != spec.num_classes:
        raise RunError(
            f"{path}/config.json: {len(class_names)} class names: expected {spec.num_classes}, as its "
            f"network has classes"
        )
    file = _parameters_path(path, best)
    try:
        params = read_parameters(file, spec, in_channels=kind.in_channels)
    except WeightsError as error:
        raise WeightsError(f"{error} (the parameters of the run {path})") from None
    return RunNetwork(
        Path(path),
        kind,
        resolved(config, written),
        str(written.get("data", "")),
        spec,
        params,
        class_names,
        kind.side(config),
        kind.preparation(spec, config),
        getattr(config, "crop", False),
    )
