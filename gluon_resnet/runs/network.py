"""A finished run as a network again: spec, parameters, class names, and how it wants its pictures.

    run = network_of_run("runs/20261122-030010-resnet18@torchvision-bird_photos")
    engine = make_engine("gluon", run.spec, run.params)
    views, X = predict.look(["bird.jpg"], run.preparation, run.in_channels)

``run.preparation`` makes of a file exactly what the run's own test batches held.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Tuple

from ..data.images import Preparation
from ..errors import ConfigError, RunError, WeightsError
from ..networks.layout import input_channels
from ..networks.specs import ResNetSpec
from ..weights import read_parameters
from .config import RunConfig, written_config
from .folder import RunFolder
from .kinds import Kind, kind_of_run


@dataclass(frozen=True)
class RunNetwork:
    """What a run learned: ``params`` {our name: float32 array}, for pictures of the side ``image_size``.

    ``crop``: cut out of the middle instead of squeezed. ``kind`` is a Kind (kinds.py), ``config`` the run's config,
    ``data`` where its images were.
    """

    path: Path
    kind: Kind
    config: RunConfig
    data: str
    spec: ResNetSpec
    params: dict
    class_names: Tuple[str, ...]
    image_size: int
    preparation: Preparation
    crop: bool

    @property
    def in_channels(self):
        """Channels of a picture: 3, and 1 of Fashion-MNIST's."""
        return input_channels(self.spec, self.params)


def read_config(path):
    """(kind, config, what config.json holds) of the run folder at ``path``; RunError if it cannot be read."""
    folder = RunFolder.reopen(path)
    kind = kind_of_run(folder.config, path)
    try:
        return kind, written_config(kind.config, folder), folder.config
    except ConfigError as error:
        raise RunError(f"{error}; the run is of another version of this suite") from None


def spec_of_run(written, path):
    """The ResNetSpec in the content of a run's config.json; RunError if this version cannot name it."""
    try:
        spec = ResNetSpec(
            **{name: tuple(value) if isinstance(value, list) else value for name, value in written["network"].items()}
        )
        if not spec.name:  # asking for it raises for a family that this version does not have
            raise KeyError("name")
        return spec
    except (KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{path}/config.json: no network that this version knows ({error})") from None


def _parameters_path(path, best):
    name = "best.params" if best else "net.params"
    found = Path(path) / name
    if found.is_file():
        return found
    if best:
        raise RunError(
            f"{found}: no such file: the run kept no best parameters; train with --set keep_best=true, or "
            f"leave --best out"
        )
    raise RunError(
        f"{found}: no such file: the run is not finished, diverged or was ended; go on with --resume {path} "
        f"where it has a checkpoint"
    )


def network_of_run(path, best=False):
    """The :class:`RunNetwork` of the run folder at ``path``; ``best`` takes the parameters of the best epoch.

    Raises RunError if there is no run, no parameters, or the names of the classes do not fit the network, and
    WeightsError for damaged parameters or those of another network.
    """
    if not Path(path).is_dir():
        raise RunError(f"{path}: no such run folder; gluon-resnet runs list names those there are")
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
        config,
        str(written.get("data", "")),
        spec,
        params,
        class_names,
        kind.side(config),
        kind.preparation(spec, config),
        getattr(config, "crop", False),
    )
