"""What the chapters of the book need: where their data are, and what replaces them in a quick run.

    from gluon_resnet import chapter
    chapter.photographs()             # a folder of bird photographs, with a folder for each class
    chapter.results("degradation")    # the results of an experiment, or None

With ``GLUON_RESNET_CHAPTERS=tiny`` in the environment a chapter only shows that its code runs: data that is not on this
machine is replaced by drawn images or random numbers, and a printed line says so. Otherwise DataError is raised.

Importing it puts the environment's programs on the path, as its activation would: chapters run ``!gluon-resnet``.
"""

import json
import os
import shutil
import sysconfig
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, Optional, Sequence, Tuple

import numpy
from PIL import Image, ImageDraw
from safetensors.numpy import save_file

from .byhand.params import random_params
from .errors import ConfigError, DataError
from .files import CHECKOUT, in_package, written_whole
from .networks.layout import layout
from .networks.specs import ResNetSpec, parse_model
from .weights.names import names

#: False if the chapters are run in their tiny mode.
FULL = os.environ.get("GLUON_RESNET_CHAPTERS") != "tiny"


SCRATCH = Path("chapter-files")
MARK = ".made-by-gluon-resnet"  # a file in SCRATCH; a folder without it is never emptied

#: classes of the drawn photographs, named like the real ones
BIRDS = ("Red_headed_Woodpecker", "Rufous_Hummingbird", "Scarlet_Tanager", "Western_Grebe")
DRAWN_OF_EACH = 10


def _find(name: str, variable: Optional[str], inside: str = "") -> Tuple[Optional[Path], str]:
    """(path of the file or folder ``name`` or None, the paths that were searched, as text).

    Searched are the folder that the environment variable ``variable`` names, ``inside`` of GLUON_RESNET_REAL_DATA, the
    working folder and the checkout.
    """
    real, named = os.environ.get("GLUON_RESNET_REAL_DATA"), variable and os.environ.get(variable)
    places = [Path(named, name)] if named else []
    if real:
        places.append(Path(real, inside, name))
    places.append(Path(name))
    if not in_package(CHECKOUT):  # nobody is to put photographs into an installed wheel
        places.append(CHECKOUT / name)
    return next((place.resolve() for place in places if place.exists()), None), ", ".join(map(str, places))


def _missing(what: str, places: str) -> DataError:
    return DataError(
        f"{places}: no such file or folder; expected {what}: put it there, or set "
        f"GLUON_RESNET_CHAPTERS=tiny to run the chapter with a stand-in"
    )


@lru_cache(maxsize=None)
def _prepared(path: Path) -> None:
    """Make the folder, or empty it if a chapter made it; once per process."""
    if path.exists():
        if not (path / MARK).is_file():
            raise ConfigError(
                f"{path}: a folder that no chapter made; expected none: move it, or work in another folder"
            )
        shutil.rmtree(path)
    path.mkdir()
    (path / MARK).touch()


def folder() -> Path:
    """Path of a folder ``chapter-files`` in the working folder, for run folders and record files.

    The first call of a process empties it. Raises ConfigError if there is such a folder that no chapter made.
    """
    _prepared(SCRATCH.resolve())
    return SCRATCH


def _draw(random: numpy.random.RandomState, size: Sequence[int], colour: Sequence[int]) -> Image.Image:
    """An image of ``size`` (width, height): an ellipse of ``colour`` (RGB) at a random place on noise."""
    width, height = size
    picture = Image.fromarray(random.randint(90, 160, (height, width, 3)).astype("uint8"))
    left, top = random.randint(0, width // 2), random.randint(0, height // 2)
    ImageDraw.Draw(picture).ellipse([left, top, left + width // 2, top + height // 2], fill=tuple(colour))
    return picture


def _draw_birds(path: Path) -> None:
    random = numpy.random.RandomState(0)
    for label, colour in zip(BIRDS, ((150, 20, 20), (230, 130, 40), (250, 40, 60), (30, 40, 60))):
        (path / label).mkdir(parents=True)
        for number in range(DRAWN_OF_EACH):
            size = random.randint(96, 161, 2).tolist()
            _draw(random, size, colour).save(path / label / f"{number:04}.jpg")


def photographs() -> Path:
    """Path of a folder of bird photographs, with a folder of JPEG files for each class.

    The real ones are ``bird_photos`` in GLUON_RESNET_REAL_DATA, in the working folder or in the checkout. Without them
    it has forty drawn images of four classes in tiny mode; otherwise DataError is raised.
    """
    real, places = _find("bird_photos", None)
    if real:
        return real
    if FULL:
        raise _missing("a folder of photographs for each class", places)
    path = folder() / "bird_photos"
    if not path.exists():
        _draw_birds(path)
        print(f"No photographs here: {DRAWN_OF_EACH * len(BIRDS)} drawn pictures stand in for them.")
    return path


def picture(name: str) -> Path:
    """Path of a single photograph such as ``tiger_cat_256.png``.

    It is in ``images`` of GLUON_RESNET_REAL_DATA, in the working folder or in the checkout. Without it a drawn image of
    256x256 replaces it in tiny mode; otherwise DataError is raised.
    """
    real, places = _find(name, None, "images")
    if real:
        return real
    if FULL:
        raise _missing("a photograph", places)
    path = folder() / name
    if not path.exists():
        _draw(numpy.random.RandomState(0), (256, 256), (220, 150, 60)).save(path)
        print(f"{name} is not here: a drawn picture stands in for it.")
    return path


def trained(name: str) -> Path:
    """Path of a ``.safetensors`` file with the ImageNet weights of ``name``, such as ``resnet50``, from torchvision.

    They are in the folder GLUON_RESNET_WEIGHTS, in ``weights`` of GLUON_RESNET_REAL_DATA, in the working folder or in
    the checkout. Without them random numbers of that network's shapes replace them in tiny mode; otherwise DataError is
    raised. ModelError if torchvision has no such network.
    """
    spec = parse_model(f"{name}@torchvision")
    real, places = _find(f"{name}.safetensors", "GLUON_RESNET_WEIGHTS", "weights")
    if real:
        return real
    if FULL:
        raise _missing(f"{name}'s trained weights", places)
    path = folder() / f"{name}.safetensors"
    if not path.exists():
        _save_random(spec, path)
        print(f"{path.name} is not here: random weights stand in for the trained ones.")
    return path


def _save_random(spec: ResNetSpec, path: Path) -> None:
    """Random weights of the network of ``spec``, in a file that looks like torchvision's."""
    plan = layout(spec, 3)
    params = random_params(plan, "float32", 0)
    with written_whole(path) as temporary:
        save_file({key: params[ours] for ours, (key, _) in names("torchvision", plan).items()}, str(temporary))


def results(name: str) -> Optional[Dict[str, Any]]:
    """The content of experiments/results/<name>.json; None if the experiment has no results yet.

    Raises DataError if the file is not JSON.
    """
    path = CHECKOUT / "experiments" / "results" / f"{name}.json"
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path}: not JSON ({error}); run the experiment again with --save-results") from None


def _find_program() -> None:
    """Let a chapter's ``!gluon-resnet`` find the program of this environment, though it may not be activated."""
    folder = sysconfig.get_path("scripts")
    program = os.path.join(folder, "gluon-resnet")
    if os.path.isfile(program) and shutil.which("gluon-resnet") != program:
        os.environ["PATH"] = os.pathsep.join([folder, os.environ.get("PATH", os.defpath)])


_find_program()
