"""How good a finished run is, image by image, on its own data or on other data.

    gluon-resnet evaluate runs/20261122-030010-resnet18@torchvision-bird_photos --save report

    run = network_of_run("runs/...")
    evaluation = evaluate_run(run, open_examples(run))
    evaluation.summary, evaluation.classes, evaluation.confusion, evaluation.predictions.head()

Gluon runs the network in float32, even if it was trained with bfloat16.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Tuple, Union

import numpy
import pandas as pd

from ..data.batches import ArrayBatches
from ..data.decoded import DecodedPictures, Fit, make_fit
from ..data.fashion_mnist import load_arrays
from ..data.image_folder import open_folder
from ..data.pictures import PictureBatches
from ..data.records import RecordSource
from ..data.scan import scan
from ..errors import ConfigError, DataError
from ..instruments.engines import make_engine, mean_logits
from ..runs.data_list import read as read_data_list
from ..runs.fashion_mnist import check_same, image_facts, split
from ..runs.kinds import PICTURES
from ..runs.network import RunNetwork
from ..runs.opening import Opened, has_any, open_again, open_now
from ..text import count
from . import metrics
from .predict import softmax

HOLD_OUT = "hold-out"  # of Fashion-MNIST: what a run held out of its training part
PARTS = ("validation", "training", "all", HOLD_OUT)
BATCH = 32  # images that go through the network at once

#: (part's name, its images) of each part, and lines about images that were left out
_Images = Tuple[List[Tuple[str, DecodedPictures]], List[str]]


class Examples:
    """N labelled images, which are decoded when they are asked for.

    Args:
        where: what to call the data in messages.
        names: N names of images.
        parts: the part of the data that each image belongs to, N texts.
        y: N labels, as numbers of the run's classes.
        X: function of n indices that returns the network's input, float32 (n, C, H, W).
        picture: function of an index that returns the image as the network sees it, uint8 (H, W, 3) or (H, W).
        notes: lines about images that were left out or are suspect.
    """

    def __init__(
        self,
        where: str,
        names: Iterable[str],
        parts: Iterable[str],
        y: Any,
        X: Callable[[Any], numpy.ndarray],
        picture: Callable[[int], numpy.ndarray],
        notes: Iterable[str] = (),
    ) -> None:
        self.notes = list(notes)
        self.where, self.names, self.parts = where, list(names), list(parts)
        self.y, self.X, self.picture = numpy.asarray(y, dtype=int), X, picture

    def __len__(self) -> int:
        return len(self.names)

    @property
    def part(self) -> str:
        """The parts that the images belong to, as one text: ``validation``, ``training+validation``."""
        return "+".join(sorted(set(self.parts)))

    def find(self, name: str) -> int:
        """The index of the image ``name``, which is its whole name, or the end of exactly one image's name.

        Raises DataError if no image, or more than one, has this name.
        """
        if name in self.names:
            return self.names.index(name)
        matches = [i for i, known in enumerate(self.names) if known.endswith(f"/{name}")]
        if len(matches) == 1:
            return matches[0]
        problem = f"no picture {name}"
        if matches:
            problem = f"{len(matches)} pictures are called {name}, such as {self.names[matches[0]]}"
        raise DataError(
            f"{self.where}: {problem}: expected a name such as {self.names[0]}; predictions.csv of --save has all"
        )


@dataclass(frozen=True)
class Evaluation:
    """The results of an evaluation, as numbers (``summary``) and tables; metrics.py describes each.

    ``predictions`` has a row for each image, in the order of the examples.
    """

    summary: Dict[str, Any]
    classes: pd.DataFrame
    confusion: pd.DataFrame
    pairs: pd.DataFrame
    calibration: pd.DataFrame
    predictions: pd.DataFrame

    def top_losses(self, top: int = 10) -> pd.DataFrame:
        """Rows of the ``top`` images with the largest losses, largest first; the index is the image's."""
        return self.predictions.sort_values("loss", ascending=False, kind="stable").head(top)


def open_examples(run: RunNetwork, data: Optional[Union[str, Path]] = None, part: Optional[str] = None) -> Examples:
    """The :class:`Examples` of a run's own data, or of other data.

    Args:
        run: a finished run, as network_of_run returns it.
        data: folder, CSV or record file with other images; the run's own data if None.
        part: "validation", "training", "all" or "hold-out"; by default the validation part of the run's own data, and
            all of other data. Of Fashion-MNIST, the validation part is the test part, and the training part holds the
            images that the run was trained on; what it held out of them is a part of its own.

    Raises:
        DataError: the data are missing, or have classes that the run does not know.
        ConfigError: ``part`` is something else, or the run held nothing out.
    """
    part = part or ("validation" if data is None or run.kind is not PICTURES else "all")
    if part not in PARTS:
        raise ConfigError(f"part is {part!r}: expected one of {', '.join(PARTS)}")
    if part == HOLD_OUT and (data or not getattr(run.config, "hold_out", 0)):
        raise ConfigError(f"part is {part!r}: expected a run with --hold-out, on its own data; {run.path} has none")
    return _open_pictures(run, data, part) if run.kind is PICTURES else _open_fashion_mnist(run, data, part)


def _open_fashion_mnist(run: RunNetwork, data: Optional[Union[str, Path]], part: str) -> Examples:
    own: Any = run.config  # a FashionMnistConfig
    config = own if data is None else replace(own, hold_out=0)  # nothing of other data was held out
    training, test, where = load_arrays(data or config.data, config.verify)
    if data is None:
        check_same(run.path, where, image_facts(config, training, test))
    kept, held = split(config, training[1])
    tested, everything = "test" if config.hold_out else "validation", numpy.arange(len(test[1]))
    all_parts = (  # (part, name of its file, arrays of the file, indices of the part's images)
        ("training", "train", training, kept),
        (HOLD_OUT, "train", training, held),
        (tested, "test", test, everything),
    )
    wanted = tested if part == "validation" else part
    chosen = [one for one in all_parts if wanted in (one[0], "all") and len(one[3])]
    images, labels = (numpy.concatenate([arrays[k][indices] for _, _, arrays, indices in chosen]) for k in range(2))
    names = [f"{name}/{i:05d}" for _, name, _, indices in chosen for i in indices]
    parts = [belongs for belongs, _, _, indices in chosen for _ in indices]
    batches = ArrayBatches(images, labels, BATCH, config.resize)
    return Examples(where, names, parts, labels, lambda indices: batches.batch(indices)[0], lambda i: images[i])


def _whole(path: Union[str, Path], fit: Fit) -> _Images:
    """All of a folder, a CSV or one record file; damaged images are left out."""
    if Path(path).suffix == ".rec":
        return [("all", DecodedPictures(RecordSource(path), fit))], []
    source = open_folder(path)
    decoded = DecodedPictures(source, fit)
    report = scan(source, decoded=[(decoded, range(len(source)))])
    if not report.usable:
        raise DataError(
            f"{path}: of its {count(len(source), 'image')} none can be read: expected one or more; gluon-resnet "
            f"data show {path} says why"
        )
    return [("all", decoded.subset(report.usable))], [report.summary()] if report.has_findings else []


def _open_images(run: RunNetwork, data: Optional[Union[str, Path]], part: str) -> _Images:
    """The ``part`` of the run's own data, or of other ``data``."""
    path = data or run.data
    if not Path(path).exists():
        raise DataError(
            f"{path}: no such folder or file"
            + (
                ": check the name"
                if data
                else f": the data of the run {run.path} were moved or removed; name them with --data"
            )
        )
    fit = make_fit(run.image_size, crop=run.crop, reading=run.preparation.reading)
    if data and part == "all":
        return _whole(data, fit)
    names = ("training", "validation")
    wanted = [part in (name, "all") for name in names]
    opened = _as_split(run, str(path), [fit, fit], wanted, other=bool(data))
    return [(name, images) for name, images, asked in zip(names, opened.parts, wanted) if asked], opened.notes


def _as_split(run: RunNetwork, path: str, fits: Sequence[Fit], wanted: Sequence[bool], other: bool) -> Opened:
    """The images at ``path`` in the parts that they had in the run; those of older runs are split again.

    So are ``other`` images, if the run knows none of them.
    """
    pictures: Any = run.config  # a PicturesConfig
    config, files = replace(pictures, data=path), read_data_list(run.path)
    if files is None:
        return open_now(config, fits, wanted)
    if other and not has_any(config, files):
        opened = open_now(config, fits, wanted)
        return replace(
            opened, notes=[*opened.notes, f"{path}: none of the run's own pictures: split as the run's were"]
        )
    opened = open_again(config, fits, wanted, run.class_names, files)
    if not opened.changes:
        return opened
    left = "of the run's pictures, only those that are there unaltered are evaluated"
    return replace(opened, notes=[f"{opened.changes.line()}; {left}", *opened.notes])


def _labels(run: RunNetwork, source: Any) -> numpy.ndarray:
    """The labels of ``source`` as numbers of the run's classes, matched by name; DataError if a name is unknown."""
    known = {name: number for number, name in enumerate(run.class_names)}
    unknown = [name for name in source.class_names if name not in known]
    if unknown:
        raise DataError(
            f"{source.where}: {len(unknown)} of its {count(len(source.class_names), 'class')} unknown to the run, "
            f"such as {unknown[0]}: expected {', '.join(run.class_names[:8])}{', ...' * (len(known) > 8)}"
        )
    return numpy.array([known[name] for name in source.class_names])[source.labels]


def _open_pictures(run: RunNetwork, data: Optional[Union[str, Path]], part: str) -> Examples:
    chosen, notes = _open_images(run, data, part)
    y = numpy.concatenate([_labels(run, images.source) for _, images in chosen])
    batches = [PictureBatches(images, BATCH, preparation=run.preparation) for _, images in chosen]
    places = [(part_batches, i) for part_batches in batches for i in range(len(part_batches.source))]

    def X(indices: Sequence[int]) -> numpy.ndarray:
        with ThreadPoolExecutor(2, "pictures") as pool:
            return numpy.stack(list(pool.map(lambda k: places[k][0].example(places[k][1]), indices)))  # (n, 3, H, W)

    def picture(k: int) -> numpy.ndarray:
        part_batches, i = places[k]
        return part_batches.picture(i)  # (H, W, 3): without augmentation, the size that the network sees

    names = [name for _, images in chosen for name in images.source.names]
    parts = [name for name, images in chosen for _ in range(len(images))]
    return Examples(chosen[0][1].source.where, names, parts, y, X, picture, notes)


def evaluate_run(
    run: RunNetwork,
    examples: Examples,
    engine: Any = None,
    tell: Optional[Callable[[int], Any]] = None,
    views: int = 1,
) -> Evaluation:
    """The :class:`Evaluation` of a run's network on ``examples``.

    Args:
        run: a finished run, as network_of_run returns it.
        examples: the images, from :func:`open_examples`.
        engine: what runs the network, from make_engine; Gluon's if None.
        tell: called after each batch with the number of images in it, for a progress bar.
        views: with 2, the logits are the mean over an image and its mirror image.
    """
    engine = engine or make_engine("gluon", run.spec, run.params)
    parts = []
    for start in range(0, len(examples), BATCH):
        indices = numpy.arange(start, min(start + BATCH, len(examples)))
        parts.append(mean_logits(engine, examples.X(indices), views))
        if tell:
            tell(len(indices))
    return judge(examples, numpy.concatenate(parts), run.class_names)


def accuracy_on(evaluation: Evaluation, part: str) -> float:
    """The accuracy, from 0 to 1, on those of the images that belong to ``part``."""
    predictions = evaluation.predictions
    return float(predictions.loc[predictions["part"] == part, "right"].mean())


def judge(examples: Examples, logits: numpy.ndarray, class_names: Sequence[str]) -> Evaluation:
    """The :class:`Evaluation` of a network's logits (N, num_classes) for ``examples``."""
    y, probabilities = examples.y, softmax(logits)  # (N,), (N, num_classes)
    y_hat, rows = logits.argmax(axis=1), numpy.arange(len(y))
    names = numpy.array(class_names, dtype=object)
    predictions = pd.DataFrame(
        {
            "name": examples.names,
            "part": examples.parts,
            "true": names[y],
            "predicted": names[y_hat],
            "right": y == y_hat,
            "probability": probabilities[rows, y_hat],
            "probability_of_true": probabilities[rows, y],
            "loss": metrics.losses(y, logits),
        }
    )
    confusion = metrics.confusion(y, y_hat, class_names)
    return Evaluation(
        metrics.summary(y, logits),
        metrics.by_class(y, y_hat, class_names),
        confusion,
        metrics.most_confused(confusion),
        metrics.calibration(y, probabilities)[0],
        predictions,
    )
