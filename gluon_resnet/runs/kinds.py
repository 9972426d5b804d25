"""The kinds of runs: the differences between a run on Fashion-MNIST and one on your own images, an object for each.

    kind_named("pictures").side(config)                  # of the images, in pixels
    kind_of(config).train(config)                        # a Result and a run folder

A kind is written into a run's config.json as ``"kind"``. A third kind is a config class and a :class:`Kind` here, and a
module that trains it. Nothing here loads mxnet.
"""

import importlib
import os
import shlex
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Dict, Mapping, Optional, Tuple, Type

from ..data.augment import Augment
from ..data.fashion_mnist import LABELS
from ..data.hold_out import MOST_SEED
from ..data.images import IMAGENET, PLAIN, Preparation, to_train
from ..data.pixels import EXACT, FAST
from ..errors import ConfigError, RunError, whole
from ..networks.specs import ResNetSpec
from ..weights.published import is_name
from .config import RunConfig, differences

#: fields with an option of their own on the command line
OPTIONS = (
    "model",
    "resize",
    "batch_size",
    "lr",
    "epochs",
    "precision",
    "limit",
    "hold_out",
    "data",
    "verify",
    "seed",
    "weights",
    "new_head",
)


def _anywhere(weights: str) -> str:
    """A file of weights, or a name of published ones, so that it means the same in any folder."""
    return weights if is_name(weights) else os.path.abspath(weights)


@dataclass(frozen=True)
class FashionMnistConfig(RunConfig):
    """A training run on Fashion-MNIST; the fields of a recipe (recipe.py) come in addition.

    The defaults are article 001's, except ``norm_batches``: with 0 a run is also tested as in the article.
    """

    model: str = "resnet18"  # the network: resnet18 to resnet152, with @family if not d2l
    resize: Optional[int] = 96  # side of the images in pixels; none keeps them at 28
    batch_size: int = 256  # images of a batch
    limit: Optional[int] = None  # train on the first images only: how many
    hold_out: int = 0  # training images that take the place of the test part (data/hold_out.py)
    hold_out_seed: int = 0  # which ones; runs with other seeds hold out the same
    norm_batches: int = 20  # the recipe's own default is 0
    flip: bool = False  # swap left and right of every other training image
    alternate: bool = False  # with flip: an image that is flipped in one epoch is not in the next, and so on
    grow_from: int = 0  # side of the training images in the first epoch, from which it grows; 0: full in all
    grow_epochs: int = 0  # the first epoch of full side; 0: the last
    shift: int = 0  # move training images by up to so many pixels, before they are resized
    data: Optional[str] = None  # folder with the four idx files; none: it is searched for, and fetched
    verify: bool = True  # take only the published images, by their SHA-256

    def check(self) -> None:
        """Raise ConfigError for a value outside its range."""
        super().check()
        whole("hold_out", self.hold_out, least=0)
        if whole("hold_out_seed", self.hold_out_seed, least=0) > MOST_SEED:
            raise ConfigError(f"hold_out_seed is {self.hold_out_seed}: expected at most {MOST_SEED}")

    @property
    def tested(self) -> str:
        """What the part is called on which the run is tested after each epoch: "hold-out" or "test"."""
        return "hold-out" if self.hold_out else "test"

    def command(self) -> str:
        """The command that repeats this run, with all settings that have an option of their own."""
        words = [
            "gluon-resnet",
            "train",
            "fashion-mnist",
            "--model",
            self.model,
            "--batch-size",
            str(self.batch_size),
            "--lr",
            repr(self.lr),
            "--epochs",
            str(self.epochs),
            "--seed",
            str(self.seed),
        ]
        words += ["--resize", str(self.resize)] if self.resize else ["--no-resize"]
        words += ["--precision", self.precision] if self.precision != "float32" else []
        words += ["--limit", str(self.limit)] if self.limit else []
        words += ["--hold-out", str(self.hold_out)] if self.hold_out else []
        words += ["--data", os.path.abspath(self.data)] if self.data else []
        words += ["--weights", _anywhere(self.weights)] if self.weights else []
        words += ["--new-head"] if self.new_head else []
        words += [] if self.verify else ["--unverified"]
        for setting in differences(self):
            words += ["--set", setting] if setting.partition("=")[0] not in OPTIONS else []
        return " ".join(shlex.quote(word) for word in words)


@dataclass(frozen=True)
class PicturesConfig(RunConfig):
    """A training run on your own images; the fields of a recipe (recipe.py) come in addition.

    The defaults are article 000's: ResNet-50 of Keras, Adam, 10 epochs of batches of 8. ``random_crop`` to
    ``saturation`` change training images (data/augment.py).
    """

    BEFORE: ClassVar[Mapping[str, Any]] = {"reading": EXACT}

    lr: float = 0.001
    optimizer: str = "adam"
    data: str = ""  # folder, CSV or .rec file
    model: str = "resnet50@keras"  # the network: resnet18 to resnet152, with @family if not d2l
    image_size: int = 224  # side of the images in pixels
    batch_size: int = 8  # images of a batch
    validation_split: float = 0.2  # share of the images that is held back for the tests
    split_seed: int = 123  # decides which ones
    parts: Optional[str] = None  # "TRAINING,VALIDATION", "TRAINING" or "classes": what the folders are
    crop: bool = False  # cut the middle out instead of squeezing the whole image
    random_crop: Optional[Tuple[float, float]] = None  # cut out a random part: least and largest share of the area
    flip: float = 0.0  # probability of swapping left and right of a training image
    brightness: float = 0.0  # multiply it by a random factor from 1 - brightness to 1 + brightness
    contrast: float = 0.0  # the same for the contrast
    saturation: float = 0.0  # the same for the saturation
    strict: bool = False  # stop if an image cannot be used or is suspect
    reading: str = FAST  # how files are decoded and resized: fast or exact (data/reading.py)
    cache: bool = True  # keep images decoded; otherwise they are decoded again in every epoch
    cache_mb: int = 2048  # of memory for them, in MiB; the others go into a temporary record file

    def command(self) -> str:
        """The command that repeats this run."""
        words = ["gluon-resnet", "train", "pictures", os.path.abspath(self.data)]
        for setting in differences(self):
            name, _, value = setting.partition("=")
            if name != "data":
                words += ["--set", f"{name}={_anywhere(value) if name == 'weights' else value}"]
        return " ".join(shlex.quote(word) for word in words)

    def augment(self) -> Optional[Augment]:
        """The random changes to training images, or None."""
        names = [field.name for field in fields(Augment) if field.name not in ("crop", "ratio")]
        wanted = {name: getattr(self, name) for name in names}
        if self.random_crop is None and not any(wanted.values()):
            return None
        return Augment(crop=self.random_crop, **wanted)


def as_tested(
    family: str,
    image_size: int,
    crop: bool,
    weights: Optional[str] = None,
    model: str = "",
    reading: str = FAST,
) -> Preparation:
    """The Preparation that treats an image as PictureBatches does: squeezed, or cut out of the middle.

    Args:
        family: of the network.
        image_size: side of its input in pixels.
        crop: cut out of the middle instead of squeezed.
        weights: those that training starts from, if any.
        model: the name that they are for.
        reading: ``fast`` or ``exact``, as for PictureBatches.
    """
    preparation = replace(to_train(family, weights, model), reading=reading)
    if not crop:
        return replace(preparation, resize=None, crop=image_size)
    seen = (preparation if preparation.resize else IMAGENET).at(image_size)
    return replace(preparation, crop=image_size, resize=max(image_size, seen.resize or 0))


@dataclass(frozen=True)
class Kind:
    """One kind of run; the methods take a run's config."""

    name: str  # in config.json, and on the command line after ``train``
    config: Type[RunConfig]
    in_channels: int  # of an image
    module: str  # of this package, with the functions job(config) and train(config, ...)

    def job(self, config: RunConfig) -> Any:
        """The Job (launch.py) of a config."""
        return importlib.import_module(self.module).job(config)

    def train(self, config: RunConfig, *args: Any, **options: Any) -> Any:
        """Train by a config: (Result, run folder)."""
        return importlib.import_module(self.module).train(config, *args, **options)

    def side(self, config: Any) -> int:
        """Height and width of the images that the network sees, in pixels."""
        raise NotImplementedError

    def data_name(self, config: Any) -> str:
        """A short name of the data that was trained on."""
        raise NotImplementedError

    def class_names(self, written: Dict[str, Any]) -> Tuple[str, ...]:
        """The names of the classes, from the content of config.json."""
        raise NotImplementedError

    def preparation(self, spec: ResNetSpec, config: Any) -> Preparation:
        """How an image file is prepared so that it is exactly as in the run's own test batches."""
        raise NotImplementedError


class FashionMnist(Kind):
    """Runs on Fashion-MNIST, or unverified on other images in its format: 10 classes, grey images of 28x28."""

    def side(self, config: FashionMnistConfig) -> int:
        return config.resize or 28

    def data_name(self, config: FashionMnistConfig) -> str:
        return "Fashion-MNIST, hold-out" if config.hold_out else "Fashion-MNIST"

    def class_names(self, written: Dict[str, Any]) -> Tuple[str, ...]:
        if written.get("config", {}).get("verify", True):
            return tuple(LABELS)
        return tuple(map(str, range(len(LABELS))))  # other images in the same format, such as MNIST's digits

    def preparation(self, spec: ResNetSpec, config: FashionMnistConfig) -> Preparation:
        return PLAIN.at(self.side(config))  # plain numbers from 0 to 1, whatever the family


class Pictures(Kind):
    """Runs on a user's images: a folder, a CSV file or record files, with classes of their own."""

    def side(self, config: PicturesConfig) -> int:
        return config.image_size

    def data_name(self, config: PicturesConfig) -> str:
        return Path(config.data).name

    def class_names(self, written: Dict[str, Any]) -> Tuple[str, ...]:
        return tuple(str(name) for name in written.get("class_names", ()))

    def preparation(self, spec: ResNetSpec, config: PicturesConfig) -> Preparation:
        return as_tested(spec.family, self.side(config), config.crop, config.weights, config.model, config.reading)


FASHION_MNIST = FashionMnist("fashion-mnist", FashionMnistConfig, 1, f"{__package__}.fashion_mnist")
PICTURES = Pictures("pictures", PicturesConfig, 3, f"{__package__}.pictures")
#: every kind; what reads runs goes over these
KINDS = [FASHION_MNIST, PICTURES]


def kind_named(name: str) -> Kind:
    """The kind of this name; RunError for an unknown one."""
    for kind in KINDS:
        if kind.name == name:
            return kind
    raise RunError(f"kind {name!r}: expected one of {', '.join(kind.name for kind in KINDS)}")


def kind_of(config: RunConfig) -> Kind:
    """The kind of a config."""
    return next(kind for kind in KINDS if type(config) is kind.config)


def kind_of_run(written: Dict[str, Any], path: Any) -> Kind:
    """The kind in the content of a run folder's config.json; RunError if this version does not know it.

    Runs from before 2026-11-27 do not name theirs: only those on a user's images have class names.
    """
    if "kind" not in written:
        return PICTURES if "class_names" in written else FASHION_MNIST
    try:
        return kind_named(written["kind"])
    except RunError as error:
        raise RunError(f"{path}/config.json: {error}; the run is of another version of this suite") from None
