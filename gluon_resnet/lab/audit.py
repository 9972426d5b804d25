"""Audit Fashion-MNIST into a folder: near duplicates, and, with networks trained on folds, doubted labels.

    audit = conduct(Request(folds=5), "audits/fashion-mnist", print)

The folder is as audit/files.py says, with the runs of the folds in ``folds``. What is in it already is not made again:
networks are trained in a later call, and an interrupted one is resumed.
"""

import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Callable, Dict, Iterator, Optional, Tuple, Union

import numpy
import pandas as pd
from tqdm import tqdm

from .. import figures
from ..audit import confident, counts, duplicates, files, picture
from ..audit.files import TEST, TRAIN, Audit
from ..data.fashion_mnist import LABELS, Arrays, load_arrays
from ..errors import RunError
from ..text import count, duration
from . import budget as budgets
from . import folds, results
from .folds import RECIPE

Say = Callable[[str], Any]  # takes one line of progress at a time
FOLDS = "folds"  # the folder of the runs


@dataclass(frozen=True)
class Request:
    """The options of ``gluon-resnet audit fashion-mnist``."""

    data: Optional[str] = None  # folder of the images
    verify: bool = True
    limit: Optional[int] = None  # look at the first images of each part only
    distance: float = duplicates.DISTANCE
    folds: Optional[int] = None  # networks that are trained to doubt labels; none if None
    recipe: str = RECIPE  # an experiment, or a run folder
    budget: Optional[str] = None  # a time, in which the networks should be trained


@contextmanager
def _bar(words: str, total: int, unit: str = " images") -> Iterator[Callable[[int], Any]]:
    with tqdm(total=total, desc=words, unit=unit, leave=False, disable=None) as bar:
        yield bar.update


def load(request: Request) -> Tuple[Arrays, Arrays, str]:
    """The two parts that are looked at, and where they were found."""
    train, test, where = load_arrays(request.data, request.verify)
    cut = slice(request.limit)
    return (train[0][cut], train[1][cut]), (test[0][cut], test[1][cut]), where


def _earlier(folder: Path, digest: str) -> Dict[str, Any]:
    """The content of the audit.json in ``folder``, or an empty dict if the folder is new, empty or hardly begun.

    Raises RunError if something else is in it, or an audit of other images.
    """
    # what an audit that was ended before its audit.json may have left, as files.py writes it
    begun = ("duplicates.csv", "pairs.png")
    if not folder.exists() or (
        folder.is_dir() and all(path.name.lstrip(".").startswith(begun) for path in folder.iterdir())
    ):
        return {}
    if not (folder / files.NAME).exists():
        raise RunError(
            f"{folder}: {'not empty, and no audit' if folder.is_dir() else 'a file'}: name a new folder with --out"
        )
    about = files.about(folder / files.NAME)
    if about["digest"] != digest:
        raise RunError(
            f"{folder}: an audit of other images, or with another --limit: name a new folder with --out, or remove "
            f"this one"
        )
    return about


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{folder}: cannot be written ({error.strerror}); name another folder with --out") from None


def conduct(
    request: Request,
    out: Union[str, Path],
    say: Say,
    make_listener: Optional[Callable[[int], Any]] = None,
) -> Optional[Audit]:
    """Make an audit, or what an earlier one in the same folder lacks.

    Args:
        request: what to look for.
        out: the folder, new or of an audit of the same images.
        say: takes one line of progress at a time.
        make_listener: makes a listener of each training run from its number of epochs.

    Returns:
        The audit, or None if Ctrl-C stopped the training.

    Raises:
        GluonResNetError: the images, a setting, the recipe or the folder cannot be used.
    """
    train, test, where = load(request)
    folds.check_classes(numpy.concatenate([train[1], test[1]]))
    plan = _plan(request, train[1]) if request.folds else None
    folder, digest = Path(out), files.digest(train, test)
    about = _earlier(folder, digest)
    _make(folder)
    about.update(
        digest=digest,
        limit=request.limit,
        data=where,
        verified=request.verify,  # that they are Fashion-MNIST's own
        images={TRAIN: len(train[1]), TEST: len(test[1])},
    )
    names = numpy.array(LABELS if request.verify else [str(label) for label in range(len(LABELS))])
    has_pairs = all((folder / name).exists() for name in ("duplicates.csv", "pairs.png"))
    if about.get("distance") != request.distance or not has_pairs:
        _find_pairs(folder, about, train, test, names, request.distance, say)
    if plan is None or (_has_labels(about, plan) and (folder / "labels.csv").exists()):
        return files.read(folder)
    done = _find_labels(folder, about, plan, train, test, names, request.budget, say, make_listener)
    return files.read(folder) if done else None


def _find_pairs(
    folder: Path, about: Dict[str, Any], train: Arrays, test: Arrays, names: numpy.ndarray, distance: float, say: Say
) -> None:
    """Write duplicates.csv and pairs.png, and their counts into audit.json."""
    images, labels = (numpy.concatenate(arrays) for arrays in zip(train, test))
    began = perf_counter()
    with _bar("comparing images", len(images)) as tell:
        pairs = duplicates.near_pairs(images, picture.reach(distance), tell)
    near = duplicates.by_part(
        pairs[pairs["distance"] < distance], names[labels], (len(train[1]), len(test[1])), (TRAIN, TEST)
    )
    files.write_table(folder / "duplicates.csv", near)
    figures.save_figure(picture.draw(images, pairs, distance, names[labels]), folder / "pairs.png", dpi=100)
    about.update(distance=distance, pairs=counts.of_pairs(near), machine=_machine())
    files.write_about(folder, about)
    say(f"compared {count(len(images), 'image')} in {duration(perf_counter() - began)}")


def _machine() -> Dict[str, Any]:
    machine, commits = results.here()
    return {**machine, "commit": commits[0], "date": results.now()}


@dataclass(frozen=True)
class _Plan:
    """How labels are looked at."""

    held: folds.Folds
    config: Any  # of the runs
    recipe: str

    def settings(self) -> Dict[str, Any]:
        """What makes two plans the same."""
        return {"folds": len(self.held), "config": asdict(self.config)}


def _plan(request: Request, labels: numpy.ndarray) -> _Plan:
    if request.budget:
        budgets.parse(request.budget)
    return _Plan(folds.folds(labels, request.folds or 0), folds.recipe(request.recipe), request.recipe)


def _has_labels(about: Dict[str, Any], plan: _Plan) -> bool:
    """Whether an earlier call has looked at the labels in the same way."""
    earlier, settings = about.get("labels") or {}, json.loads(json.dumps(plan.settings()))
    return {name: earlier.get(name) for name in settings} == settings


def _find_labels(
    folder: Path,
    about: Dict[str, Any],
    plan: _Plan,
    train: Arrays,
    test: Arrays,
    names: numpy.ndarray,
    budget: Optional[str],
    say: Say,
    make_listener: Optional[Callable[[int], Any]],
) -> bool:
    """Train the networks, and write labels.csv and its counts into audit.json; False if Ctrl-C stopped it."""
    units = folds.make_units(plan.config, len(plan.held), folder / FOLDS)
    if folds.train(units, train, plan.held, say, budget, make_listener):
        return False
    with _bar("predicting", len(train[1]) + len(units) * len(test[1])) as tell:
        judged = folds.predictions(units, train[0], test[0], plan.held, tell)
    tables, accuracy = [], {}
    for part, (_, y), probabilities in zip((TRAIN, TEST), (train, test), judged):
        table = confident.doubts(y, probabilities)
        table = table.assign(label=names[table["label"]], prediction=names[table["prediction"]])
        table.insert(0, "part", part)
        tables.append(table)
        accuracy[part] = float((probabilities.argmax(axis=1) == y).mean())
    labels = pd.concat(tables, ignore_index=True)[list(files.LABELS)]
    files.write_table(folder / "labels.csv", labels)
    about["labels"] = {
        **plan.settings(),
        "recipe": plan.recipe,
        "doubted": counts.of_labels(labels),
        "accuracy": accuracy,
        "machine": _machine(),
    }
    files.write_about(folder, about)
    return True
