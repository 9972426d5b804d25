"""An evaluation as a folder: numbers, tables and pictures; it appears whole or not at all.

    save(run, examples, found, "report", cams=["Red_headed_Woodpecker/pileated.jpg"])

metrics.json, classes.csv, confusion.csv, predictions.csv (a line a picture), confusion.png, top_losses.png,
reliability.png, predictions.png, and cam_*.png for the pictures asked for.
"""

import json
import os
import re
from pathlib import Path

import numpy
import pandas as pd

from ..errors import ConfigError, RunError
from ..files import as_json, folder_written_whole
from ..instruments.engines import GluonEngine
from ..instruments.gradcam import enlarge, grad_cam
from . import plots
from .evaluate import Evaluation
from .predict import softmax

SHOWN = 12  # pictures with the largest losses that are drawn
GRID = 8  # pictures of article 000's grid


def check_target(path):
    """Raise RunError unless a folder can be made at ``path``: a new or empty one, in a folder that is there."""
    path = Path(path)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise RunError(
            f"{path}: {'not empty' if path.is_dir() else 'a file'}; name a new folder with --save, or remove this one"
        )
    if not path.absolute().parent.is_dir():
        raise RunError(f"{path}: there is no folder {path.parent}")


def as_dict(run, found, where, part):
    """Everything of an Evaluation but the single pictures, as JSON takes it."""

    def records(table):
        return table.astype(object).where(table.notna(), None).to_dict("records")

    return {
        "run": str(run.path),
        "network": run.spec.name,
        "data": where,
        "part": part,
        **found.summary,
        "classes": records(found.classes),
        "confusion": found.confusion.to_numpy().tolist(),
        "most_confused": records(found.pairs),
        "calibration": records(found.calibration),
        "largest_losses": records(found.top_losses()),
    }


def class_maps(run, examples, i, class_name=None):
    """Grad-CAM of picture ``i`` as a Figure: for ``class_name``, or for the predicted class and the true one.

    Raises ConfigError for a class that the run does not know.
    """
    names = list(run.class_names)
    if class_name is not None and class_name not in names:
        raise ConfigError(f"class '{class_name}': expected one of {', '.join(names)}")
    net, X, picture = GluonEngine(run.spec, run.params).net, examples.X([i]), examples.picture(i)
    predicted, true = grad_cam(net, X), int(examples.y[i])
    wanted = [names.index(class_name)] if class_name is not None else [int(predicted.classes[0])]
    if class_name is None and true != wanted[0]:
        wanted.append(true)
    probabilities = softmax(predicted.logits)[0]  # (num_classes,)
    maps = [grad_cam(net, X, [c]).maps[0] for c in wanted]
    titles = [f"{names[c]} {probabilities[c]:.3f}{'' if one.any() else ' (nothing)'}" for c, one in zip(wanted, maps)]
    heats = [enlarge(one, *picture.shape[:2]) for one in maps]
    return plots.draw_class_maps(picture, heats, titles, f"{examples.names[i]} (true: {names[true]})")


def _pictures(examples, found):
    """{file name: Figure} of what every evaluation has."""
    worst = found.top_losses(SHOWN)
    spread = numpy.unique(numpy.linspace(0, len(examples) - 1, GRID).round().astype(int))
    return {
        "confusion.png": plots.draw_confusion(found.confusion),
        "top_losses.png": plots.draw_top_losses([examples.picture(i) for i in worst.index], worst),
        "reliability.png": plots.draw_reliability(found.calibration, found.summary["ece"]),
        "predictions.png": plots.draw_prediction_grid(
            [examples.picture(i) for i in spread], found.predictions.loc[spread]
        ),
    }


def save(run, examples, found, path, part="", cams=(), cam_class=None):
    """Write the folder ``path``; the names of its files. ``cams`` are names of pictures (see Examples.find).

    Raises RunError, DataError and ConfigError before anything is written.
    """
    check_target(path)
    numbers = [examples.find(name) for name in cams]
    figures = _pictures(examples, found)
    for i in numbers:
        name = re.sub(r"[^\w.-]+", "_", os.path.splitext(examples.names[i])[0])
        figures[f"cam_{name}.png"] = class_maps(run, examples, i, cam_class)
    with folder_written_whole(path) as temporary:
        (temporary / "metrics.json").write_text(as_json(as_dict(run, found, examples.where, part)), encoding="utf-8")
        found.classes.to_csv(temporary / "classes.csv", index=False, float_format="%.6g")
        found.confusion.to_csv(temporary / "confusion.csv")
        found.predictions.to_csv(temporary / "predictions.csv", index=False, float_format="%.6g")
        for name, figure in figures.items():
            figure.savefig(temporary / name, dpi=110)
        names = sorted(one.name for one in temporary.iterdir())
    return names


def read(path):
    """(Evaluation, {"run", "network", "data", "part"}) of a folder that :func:`save` wrote.

    ``right`` of the predictions is not read back. Raises RunError if a file is missing or damaged.
    """
    path = Path(path)
    again = "make it again with gluon-resnet evaluate RUN --save DIR"
    try:
        content = json.loads((path / "metrics.json").read_text(encoding="utf-8"))
        classes = pd.DataFrame(content["classes"], columns=["class", "precision", "recall", "f1", "support"])
        names = [str(name) for name in classes["class"]][:-2]  # after the classes come two means
        confusion = pd.DataFrame(content["confusion"], index=pd.Index(names, name="true"), columns=names).astype(int)
        pairs = pd.DataFrame(content["most_confused"], columns=["true", "predicted", "count", "share"])
        summary = {name: content[name] for name in ("pictures", "loss", "top1", "top5", "ece")}
        about = {name: str(content[name]) for name in ("run", "network", "data", "part")}
        texts = ["name", "part", "true", "predicted"]
        predictions = pd.read_csv(path / "predictions.csv", dtype={name: str for name in texts}, keep_default_na=False)
        predictions = predictions[texts + ["probability", "probability_of_true", "loss"]]
        found = Evaluation(summary, classes, confusion, pairs, pd.DataFrame(content["calibration"]), predictions)
        _check_numbers(found)
    except OSError as error:
        raise RunError(
            f"{error.filename}: cannot be read ({error.strerror}): expected a folder of gluon-resnet "
            f"evaluate --save; {again}"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(
            f"{path}: not an evaluation that can be read ({type(error).__name__}: {error}): expected "
            f"metrics.json and predictions.csv as gluon-resnet evaluate --save writes them; "
            f"{again}"
        ) from None
    return found, about


def _check_numbers(found):
    """Raise ValueError or TypeError if a number of an Evaluation read from files is none."""
    for table, columns in (
        (found.classes, ["precision", "recall", "f1", "support"]),
        (found.pairs, ["count", "share"]),
        (found.predictions, ["probability", "probability_of_true", "loss"]),
    ):
        for column in columns:
            table[column] = pd.to_numeric(table[column])
    for name, value in found.summary.items():
        if value is not None or name != "top5":
            found.summary[name] = float(value)
