"""How good a finished run is, picture by picture, on its own data or on others.

    gluon-resnet evaluate runs/20261122-030010-resnet18@torchvision-bird_photos --save report

    run = network_of_run("runs/...")
    found = evaluate_run(run, open_examples(run))
    found.summary, found.classes, found.confusion, found.predictions.head()

The network is run in float32 by Gluon, also where it was trained with bfloat16.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy
import pandas as pd

from ..data.fashion_mnist import load_arrays
from ..data.image_folder import open_folder
from ..data.images import PREPARATIONS
from ..data.scan import scan
from ..errors import ConfigError, DataError
from ..instruments.engines import make_engine
from ..runs.kinds import PICTURES
from ..runs.pictures import open_sources
from . import metrics
from .predict import softmax

PARTS = ("validation", "training", "all")
BATCH = 32  # pictures that go through the network at once


class Examples:
    """N pictures with labels, one network's input at a time.

    ``names`` and ``parts`` are lists, ``y`` int (N,), ``where`` what to call it all; ``X(indices)`` gives float32
    (n, C, H, W) and ``picture(i)`` uint8 (H, W, 3), or (H, W), as the network sees it. ``notes`` are lines about
    pictures that were left out or are suspect.
    """

    def __init__(self, where, names, parts, y, X, picture, notes=()):
        self.notes = list(notes)
        self.where, self.names, self.parts = where, list(names), list(parts)
        self.y, self.X, self.picture = numpy.asarray(y, dtype=int), X, picture

    def __len__(self):
        return len(self.names)

    @property
    def part(self):
        """The parts that the pictures are of, as one text: ``validation``, ``training+validation``."""
        return "+".join(sorted(set(self.parts)))

    def find(self, name):
        """The number of the picture ``name``: its whole name, or the end of only one's. Raises DataError."""
        if name in self.names:
            return self.names.index(name)
        found = [i for i, known in enumerate(self.names) if known.endswith(f"/{name}")]
        if len(found) == 1:
            return found[0]
        problem = f"no picture {name}"
        if found:
            problem = f"{len(found)} pictures are called {name}, such as {self.names[found[0]]}"
        raise DataError(
            f"{self.where}: {problem}: expected a name such as {self.names[0]}; predictions.csv of --save has all"
        )


@dataclass(frozen=True)
class Evaluation:
    """What was found: numbers (``summary``) and tables; ``predictions`` has a row a picture, in the examples' order."""

    summary: dict
    classes: pd.DataFrame
    confusion: pd.DataFrame
    pairs: pd.DataFrame
    calibration: pd.DataFrame
    predictions: pd.DataFrame

    def top_losses(self, top=10):
        """The ``top`` pictures with the largest losses, largest first; a row's index is the picture's number."""
        return self.predictions.sort_values("loss", ascending=False, kind="stable").head(top)


def open_examples(run, data=None, part=None):
    """:class:`Examples` of a part ("validation", "training", "all") of a run's data, or of other ``data``.

    Without ``part`` it is the validation part of the run's own data, and all of other data. Fashion-MNIST's validation
    part is its test part, its training part the pictures the run was trained on. Raises DataError if the data are
    gone, or have classes that the run does not know, and ConfigError for another part.
    """
    part = part or ("validation" if data is None or run.kind is not PICTURES else "all")
    if part not in PARTS:
        raise ConfigError(f"part is {part!r}: expected one of {', '.join(PARTS)}")
    return _open_pictures(run, data, part) if run.kind is PICTURES else _open_fashion_mnist(run, data, part)


def _open_fashion_mnist(run, data, part):
    from ..data.batches import ArrayBatches

    config = run.config
    training, test, where = load_arrays(data or config.data, config.verify)
    training = tuple(values[: config.limit] for values in training)
    chosen = [
        (name, arrays)
        for name, here, arrays in (("train", "training", training), ("test", "validation", test))
        if part in (here, "all")
    ]
    images, labels = (numpy.concatenate([arrays[k] for _, arrays in chosen]) for k in range(2))
    names = [f"{name}/{i:05d}" for name, arrays in chosen for i in range(len(arrays[0]))]
    parts = ["validation" if name.startswith("test") else "training" for name in names]
    batches = ArrayBatches(images, labels, BATCH, config.resize)
    return Examples(where, names, parts, labels, lambda indices: batches.batch(indices)[0], lambda i: images[i])


def _whole(path, fit):
    """([(part's name, source)], notes) of all in a folder, a CSV or one record file, damaged pictures left out.

    ``fit``: how what the scan decodes is kept for the batches.
    """
    from ..data.picture_cache import PictureCache
    from ..data.records import RecordSource

    if Path(path).suffix == ".rec":
        return [("all", RecordSource(path))], []
    source = open_folder(path)
    source.cache = cache = PictureCache(len(source), fit, where=source.where)
    report = scan(source, keep=lambda i: lambda image: cache.put(i, image))
    usable = set(report.usable)
    kept = [i for i in range(len(source)) if i in usable]
    if not kept:
        raise DataError(
            f"{path}: none of its {len(source)} pictures can be read: expected one or more; gluon-resnet "
            f"data show {path} says why"
        )
    return [("all", source.subset(kept))], [report.summary()] if report.has_findings else []


def _open_sources(run, data, part):
    """([(part's name, source of pictures)] of the asked part, notes)."""
    from ..data.pictures import make_fit

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
    fit = make_fit(run.image_size, crop=run.crop)
    if data and part == "all":
        return _whole(data, fit)
    kept_as = [fit if part in (name, "all") else None for name in ("training", "validation")]
    training, validation, notes = open_sources(replace(run.config, data=str(path)), kept_as)
    both = ("training", training), ("validation", validation)
    return [(name, source) for name, source in both if part in (name, "all")], notes


def _labels(run, source):
    """The labels of ``source`` as numbers of the run's classes, matched by name; DataError if a name is unknown."""
    known = {name: number for number, name in enumerate(run.class_names)}
    strange = [name for name in source.class_names if name not in known]
    if strange:
        raise DataError(
            f"{source.where}: {len(strange)} of its {len(source.class_names)} classes unknown to the run, "
            f"such as {strange[0]}: expected {', '.join(run.class_names[:8])}{', ...' * (len(known) > 8)}"
        )
    return numpy.array([known[name] for name in source.class_names])[source.labels]


def _open_pictures(run, data, part):
    from ..data.pictures import PictureBatches

    chosen, notes = _open_sources(run, data, part)
    y = numpy.concatenate([_labels(run, source) for _, source in chosen])
    batches = [
        PictureBatches(source, BATCH, run.image_size, preparation=PREPARATIONS[run.spec.family], crop=run.crop)
        for _, source in chosen
    ]
    places = [(one, i) for one in batches for i in range(len(one.source))]

    def X(indices):
        with ThreadPoolExecutor(2, "pictures") as pool:
            return numpy.stack(list(pool.map(lambda k: places[k][0].example(places[k][1]), indices)))  # (n, 3, H, W)

    def picture(k):
        one, i = places[k]
        return one.picture(i)  # (H, W, 3), without augmentation the very size that the network sees

    names = [name for _, source in chosen for name in source.names]
    parts = [name for name, source in chosen for _ in source.names]
    return Examples(chosen[0][1].where, names, parts, y, X, picture, notes)


def evaluate_run(run, examples, engine=None, tell=None):
    """The :class:`Evaluation` of a run's network on ``examples``.

    ``engine`` is one of engines.py, Gluon's by default; ``tell`` is called with the pictures done, batch by batch.
    """
    engine = engine or make_engine("gluon", run.spec, run.params)
    parts = []
    for start in range(0, len(examples), BATCH):
        indices = numpy.arange(start, min(start + BATCH, len(examples)))
        parts.append(engine.logits(examples.X(indices)))
        if tell:
            tell(len(indices))
    return judge(examples, numpy.concatenate(parts), run.class_names)


def judge(examples, logits, class_names):
    """The :class:`Evaluation` of logits (N, num_classes) that a network gave for ``examples``."""
    y, probabilities = examples.y, softmax(logits)  # (N,), (N, num_classes)
    y_hat, each = logits.argmax(axis=1), numpy.arange(len(y))
    names = numpy.array(class_names, dtype=object)
    predictions = pd.DataFrame(
        {
            "name": examples.names,
            "part": examples.parts,
            "true": names[y],
            "predicted": names[y_hat],
            "right": y == y_hat,
            "probability": probabilities[each, y_hat],
            "probability_of_true": probabilities[each, y],
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
