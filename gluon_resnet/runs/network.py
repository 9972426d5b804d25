"""A finished run as a network again: spec, parameters, class names, and how it wants its pictures.

    run = network_of_run("runs/20261122-030010-resnet18@torchvision-bird_photos")
    engine = make_engine("gluon", run.spec, run.params)
    views, X = predict.look(["bird.jpg"], run.preparation, run.in_channels)

``run.preparation`` makes of a file exactly what the run's own test batches held.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Tuple

from ..data.images import IMAGENET, PREPARATIONS, Preparation
from ..errors import ConfigError, RunError, WeightsError
from ..networks.layout import input_channels
from ..networks.specs import ResNetSpec

PICTURES, FASHION_MNIST = "pictures", "fashion-mnist"


@dataclass(frozen=True)
class RunNetwork:
    """What a run learned: ``params`` {our name: float32 array}, for pictures of the side ``image_size``.

    ``crop``: cut out of the middle instead of squeezed. ``kind`` is "pictures" or "fashion-mnist", ``config`` the
    run's PicturesConfig or FashionMnistConfig, ``data`` where its pictures lay.
    """

    path: Path
    kind: str
    config: object
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
    """(kind, config, what config.json holds) of the run folder at ``path``; RunError where it cannot be read."""
    from .config import written_config
    from .fashion_mnist import FashionMnistConfig
    from .folder import RunFolder
    from .pictures import PicturesConfig

    folder = RunFolder.reopen(path)
    kind = PICTURES if "class_names" in folder.config else FASHION_MNIST
    try:
        return kind, written_config(PicturesConfig if kind == PICTURES else FashionMnistConfig, folder), folder.config
    except ConfigError as error:
        raise RunError(f"{error}; the run is of another version of this suite") from None


def side_of_run(kind, config):
    """Height and width of the pictures that a run of this kind and config trains on, in pixels."""
    return config.image_size if kind == PICTURES else config.resize or 28


def spec_of_run(written, path):
    """The ResNetSpec in the content of the run folder ``path``'s config.json; RunError if there is none that this
    version can name."""
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


def as_tested(family, image_size, crop):
    """The Preparation that gives what PictureBatches makes of a picture: squeezed, or cut out of the middle."""
    preparation = PREPARATIONS[family]
    if not crop:
        return replace(preparation, resize=None, crop=image_size)
    seen = (preparation if preparation.resize else IMAGENET).at(image_size)
    return replace(preparation, crop=image_size, resize=max(image_size, seen.resize))


def network_of_run(path, best=False):
    """The :class:`RunNetwork` of the run folder at ``path``; ``best`` takes the parameters of the best epoch.

    Raises RunError where there is no run, no parameters, or the names of the classes do not fit the network, and
    WeightsError for damaged parameters or those of another network.
    """
    from ..data.fashion_mnist import LABELS
    from ..weights import read_parameters

    if not Path(path).is_dir():
        raise RunError(f"{path}: no such run folder; gluon-resnet runs list names those there are")
    kind, config, written = read_config(path)
    spec = spec_of_run(written, path)
    pictures = kind == PICTURES
    class_names = written["class_names"] if pictures else LABELS
    if len(class_names) != spec.num_classes:
        raise RunError(
            f"{path}/config.json: {len(class_names)} class names: expected {spec.num_classes}, as its "
            f"network has classes"
        )
    file = _parameters_path(path, best)
    try:
        params = read_parameters(file, spec, in_channels=3 if pictures else 1)
    except WeightsError as error:
        raise WeightsError(f"{error} (the parameters of the run {path})") from None
    image_size = side_of_run(kind, config)
    crop = pictures and config.crop
    # whatever the network's family, Fashion-MNIST's pictures are plain numbers from 0 to 1
    preparation = as_tested(spec.family if pictures else "d2l", image_size, crop)
    return RunNetwork(
        Path(path),
        kind,
        config,
        str(written.get("data", "")),
        spec,
        params,
        tuple(class_names),
        image_size,
        preparation,
        crop,
    )
